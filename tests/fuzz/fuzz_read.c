/* Every reader on any body: what it calls good lies inside the body, and what was read of a Parse
 * or a Bind gives the same body when it is written again. */
#include "wire/read.h"

#include "wire/frame.h"
#include "wire/write.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void must_lie_in(struct slice part, struct slice whole)
{
    must(part.len == 0 || (part.at >= whole.at && part.at + part.len <= whole.at + whole.len));
}

static void must_be(struct buf *written, struct slice body)
{
    struct frame frame;

    must(frame_look(buf_slice(written), &frame) == FRAME_WHOLE);
    must(slice_same(frame_body(&frame), body));
    buf_clear(written);
}

static void check_parse(struct slice body)
{
    struct read_parse parse;
    struct buf out = {0};

    if (!read_parse(body, &parse))
        return;
    must(parse.oids.len == parse.noids * 4u);
    write_parse(&out, parse.name, parse.text, parse.oids);
    must_be(&out, body);
}

static void check_bind(struct slice body)
{
    struct read_bind bind;
    struct slice portal, name;
    struct buf out = {0};

    if (!read_bind(body, &bind))
        return;
    must(read_bind_names(body, &portal, &name));
    must(slice_same(portal, bind.portal) && slice_same(name, bind.name));
    must_lie_in(bind.values, body);
    must_lie_in(bind.formats, body);
    must_lie_in(bind.results, body);
    for (unsigned i = 0; i < bind.nvalues; i++)
        read_bind_format(&bind, i);
    write_bind(&out, portal, name, slice_skip(body, portal.len + name.len + 2), 0);
    must_be(&out, body);
}

static void check_startup(struct slice body)
{
    struct read_startup startup;
    struct slice name, value;

    if (!read_startup(body, &startup))
        return;
    must_lie_in(startup.options, body);
    must_lie_in(startup.secret, body);
    while (read_option(&startup.options, &name, &value)) {
        must_lie_in(name, body);
        must_lie_in(value, body);
    }
}

static void check_rest(struct slice body)
{
    struct slice name, value;
    uint8_t what;
    uint32_t rows;

    if (read_target(body, &what, &name))
        must_lie_in(name, body);
    if (read_execute(body, &name, &rows))
        must_lie_in(name, body);
    if (read_parameter_status(body, &name, &value))
        must_lie_in(value, body);
    must_lie_in(read_error_field(body, 'C'), body);
    must_lie_in(read_error_field(body, 'M'), body);
    read_tag_rows(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct slice body = slice_of(at, len);

    check_parse(body);
    check_bind(body);
    check_startup(body);
    check_rest(body);
    return 0;
}
