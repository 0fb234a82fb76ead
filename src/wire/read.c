/* Reads the bodies of messages strictly: what is too short, too long or has a count that does not
 * fit is not of the form. What the bytes mean is for others. */
#include "wire/read.h"

#include "base/hash.h"

#include "wire/types.h"

struct slice read_bytes(struct reader *reader, size_t len)
{
    struct slice bytes;

    if (reader->bad || reader->left.len < len) {
        reader->bad = true;
        return (struct slice){0};
    }
    bytes = slice_of(reader->left.at, len);
    reader->left.at += len;
    reader->left.len -= len;
    return bytes;
}

uint8_t read_byte(struct reader *reader)
{
    struct slice bytes = read_bytes(reader, 1);

    return bytes.len ? bytes.at[0] : 0;
}

static uint16_t u16_at(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

uint16_t read_u16(struct reader *reader)
{
    struct slice bytes = read_bytes(reader, 2);

    return bytes.len ? u16_at(bytes.at) : 0;
}

uint32_t read_u32(struct reader *reader)
{
    struct slice bytes = read_bytes(reader, 4);

    return bytes.len ? (uint32_t)u16_at(bytes.at) << 16 | u16_at(bytes.at + 2) : 0;
}

struct slice read_cstr(struct reader *reader)
{
    const uint8_t *end = NULL;
    struct slice text;

    if (!reader->bad && reader->left.len)
        end = memchr(reader->left.at, 0, reader->left.len);
    if (!end) {
        reader->bad = true;
        return (struct slice){0};
    }
    text = slice_of(reader->left.at, (size_t)(end - reader->left.at));
    reader->left = slice_skip(reader->left, text.len + 1);
    return text;
}

bool read_done(const struct reader *reader)
{
    return !reader->bad && reader->left.len == 0;
}

/* Pairs up to an empty name, which must be the last byte. */
static bool read_options(struct reader *reader, struct slice *options)
{
    const uint8_t *begin = reader->left.at;
    struct slice name;

    while ((name = read_cstr(reader)).len)
        read_cstr(reader);
    if (!read_done(reader))
        return false;
    *options = slice_of(begin, (size_t)(name.at - begin));
    return true;
}

bool read_startup(struct slice packet, struct read_startup *startup)
{
    struct reader reader = {packet, false};

    *startup = (struct read_startup){0};
    if (read_u32(&reader) != packet.len)
        return false;
    startup->code = read_u32(&reader);
    switch (startup->code) {
    case WIRE_SSL:
    case WIRE_GSSENC:
        return read_done(&reader);
    case WIRE_CANCEL:
        startup->pid = read_u32(&reader);
        startup->secret = read_bytes(&reader, reader.left.len);
        return !reader.bad && startup->secret.len >= 4 && startup->secret.len <= WIRE_SECRET_MAX;
    }
    /* What another major version says after its number is not known: only the number is read. */
    if (startup->code >> 16 != WIRE_PROTOCOL_3_0 >> 16)
        return !reader.bad;
    return read_options(&reader, &startup->options);
}

bool read_option(struct slice *options, struct slice *name, struct slice *value)
{
    struct reader reader = {*options, false};

    *name = read_cstr(&reader);
    *value = read_cstr(&reader);
    *options = reader.left;
    return !reader.bad;
}

bool read_parse(struct slice body, struct read_parse *parse)
{
    struct reader reader = {body, false};

    parse->name = read_cstr(&reader);
    parse->text = read_cstr(&reader);
    parse->noids = read_u16(&reader);
    parse->oids = read_bytes(&reader, (size_t)parse->noids * 4);
    return read_done(&reader);
}

static struct slice read_values(struct reader *reader, unsigned count)
{
    const uint8_t *begin = reader->left.at;

    while (count-- && !reader->bad) {
        uint32_t len = read_u32(reader);

        if (len != UINT32_MAX)
            read_bytes(reader, len);
    }
    return slice_of(begin, (size_t)(reader->left.at - begin));
}

bool read_bind(struct slice body, struct read_bind *bind)
{
    struct reader reader = {body, false};

    bind->portal = read_cstr(&reader);
    bind->name = read_cstr(&reader);
    bind->nformats = read_u16(&reader);
    bind->formats = read_bytes(&reader, (size_t)bind->nformats * 2);
    bind->nvalues = read_u16(&reader);
    bind->values = read_values(&reader, bind->nvalues);
    bind->nresults = read_u16(&reader);
    bind->results = read_bytes(&reader, (size_t)bind->nresults * 2);
    return read_done(&reader) && (bind->nformats <= 1 || bind->nformats == bind->nvalues);
}

bool read_bind_names(struct slice begin, struct slice *portal, struct slice *name)
{
    struct reader reader = {begin, false};

    *portal = read_cstr(&reader);
    *name = read_cstr(&reader);
    return !reader.bad;
}

uint16_t read_bind_format(const struct read_bind *bind, unsigned i)
{
    if (bind->nformats == 1)
        i = 0;
    return i < bind->nformats ? u16_at(bind->formats.at + (size_t)i * 2) : 0;
}

bool read_target(struct slice body, uint8_t *what, struct slice *name)
{
    struct reader reader = {body, false};

    *what = read_byte(&reader);
    *name = read_cstr(&reader);
    return read_done(&reader) && (*what == 'S' || *what == 'P');
}

bool read_execute(struct slice body, struct slice *portal, uint32_t *max_rows)
{
    struct reader reader = {body, false};

    *portal = read_cstr(&reader);
    *max_rows = read_u32(&reader);
    return read_done(&reader);
}

struct slice read_error_field(struct slice body, uint8_t field)
{
    struct reader reader = {body, false};
    uint8_t type;

    while ((type = read_byte(&reader)) != 0) {
        struct slice value = read_cstr(&reader);

        if (type == field)
            return value;
    }
    return (struct slice){0};
}

/* Table, number, type, size and modifier of a column (PostgreSQL, "RowDescription"). */
enum { COLUMN_FIXED = 4 + 2 + 4 + 2 + 4 };

uint64_t read_columns_hash(struct slice body)
{
    struct reader reader = {body, false};
    unsigned count = read_u16(&reader);
    uint64_t hash = count;

    for (unsigned i = 0; i < count && !reader.bad; i++) {
        hash = hash_join(hash, hash_slice(read_cstr(&reader)));
        hash = hash_join(hash, hash_slice(read_bytes(&reader, COLUMN_FIXED)));
        read_u16(&reader);
    }
    return hash | 1;
}

static void copy_field(struct slice body, uint8_t field, char *out, size_t cap)
{
    struct slice text = slice_first(read_error_field(body, field), cap - 1);

    if (text.len)
        memcpy(out, text.at, text.len);
    out[text.len] = '\0';
}

void read_error(struct slice body, struct err *err)
{
    copy_field(body, 'C', err->sqlstate, sizeof(err->sqlstate));
    copy_field(body, 'M', err->message, sizeof(err->message));
    copy_field(body, 'D', err->detail, sizeof(err->detail));
    copy_field(body, 'H', err->hint, sizeof(err->hint));
    /* One without a SQLSTATE is an error all the same. */
    if (!err->sqlstate[0])
        memcpy(err->sqlstate, "XX000", sizeof(err->sqlstate));
    err->quote = body;
}

bool read_parameter_status(struct slice body, struct slice *name, struct slice *value)
{
    struct reader reader = {body, false};

    *name = read_cstr(&reader);
    *value = read_cstr(&reader);
    return read_done(&reader);
}

uint64_t read_tag_rows(struct slice body)
{
    size_t end = body.len && body.at[body.len - 1] == '\0' ? body.len - 1 : body.len;
    size_t begin = end;
    uint64_t rows = 0;

    while (begin && body.at[begin - 1] >= '0' && body.at[begin - 1] <= '9')
        begin--;
    if (!begin || body.at[begin - 1] != ' ')
        return 0;
    for (; begin < end; begin++)
        rows = rows * 10 + (uint64_t)(body.at[begin] - '0');
    return rows;
}
