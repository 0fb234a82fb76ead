/* Whole messages, byte for byte. */
#include "wire/write.h"

#include "wire/frame.h"
#include "wire/read.h"
#include "wire/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define EXPECT(out, literal) expect(out, slice_of(literal, sizeof(literal) - 1), __LINE__)

/* Takes everything from the buffer. */
static void expect(struct buf *out, struct slice bytes, int line)
{
    if (!slice_same(buf_slice(out), bytes)) {
        for (size_t i = 0; i < buf_len(out); i++)
            print_error("%02x ", buf_slice(out).at[i]);
        fail_msg("line %d", line);
    }
    buf_take(out, buf_len(out));
}

static void errors_and_notices(void **state)
{
    struct buf out = {0};
    struct err err;

    (void)state;
    err_set(&err, "53300", "full");
    write_error(&out, "FATAL", &err);
    EXPECT(&out, "E\0\0\0\x20SFATAL\0VFATAL\0C53300\0Mfull\0\0");
    err_detail(&err, "d");
    err_hint(&err, "h");
    write_notice(&out, &err);
    EXPECT(&out, "N\0\0\0\x28SNOTICE\0VNOTICE\0C53300\0Mfull\0Dd\0Hh\0\0");
    buf_clear(&out);
}

static void a_quoted_error(void **state)
{
    struct buf out = {0};
    struct err err;

    (void)state;
    err_set(&err, "28000", "cut");
    err.quote = SLICE("SFATAL\0VFATAL\0C28000\0Mwhole\0Ff.c\0\0");
    write_error(&out, "FATAL", &err);
    EXPECT(&out, "E\0\0\0\x26SFATAL\0VFATAL\0C28000\0Mwhole\0Ff.c\0\0");
    write_error(&out, "ERROR", &err);
    EXPECT(&out, "E\0\0\0\x26SERROR\0VERROR\0C28000\0Mwhole\0Ff.c\0\0");
    /* The same severity in another language. */
    err.quote = SLICE("SFATALE\0VFATAL\0C28000\0\0");
    write_error(&out, "FATAL", &err);
    EXPECT(&out, "E\0\0\0\x1bSFATALE\0VFATAL\0C28000\0\0");
    buf_clear(&out);
}

static void what_goes_to_a_client(void **state)
{
    struct buf out = {0};

    (void)state;
    write_ready(&out, 'T');
    EXPECT(&out, "Z\0\0\0\5T");
    write_complete(&out, "SELECT 1");
    EXPECT(&out, "C\0\0\0\x0dSELECT 1\0");
    write_parameter_status(&out, SLICE("a"), SLICE("b"));
    EXPECT(&out, "S\0\0\0\x08"
                 "a\0b\0");
    write_auth(&out, 0, SLICE(""));
    EXPECT(&out, "R\0\0\0\x08\0\0\0\0");
    write_auth(&out, 5, SLICE("salt"));
    EXPECT(&out, "R\0\0\0\x0c\0\0\0\5salt");
    write_key(&out, 258, SLICE("\xff\xfe\xfd\xfc"));
    EXPECT(&out, "K\0\0\0\x0c\0\0\1\2\xff\xfe\xfd\xfc");
    write_empty(&out, REPLY_PARSE);
    EXPECT(&out, "1\0\0\0\4");
    buf_clear(&out);
}

static void tables(void **state)
{
    static const char *const names[] = {"a", "bc"};
    const struct slice fields[] = {SLICE("x"), {NULL, 0}, SLICE("")};
    struct buf out = {0};

    (void)state;
    write_columns(&out, names, 2);
    EXPECT(&out, "T\0\0\0\x2f\0\2"
                 "a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"
                 "bc\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0");
    write_row(&out, fields, 3);
    EXPECT(&out, "D\0\0\0\x13\0\3\0\0\0\1x\xff\xff\xff\xff\0\0\0\0");
    buf_clear(&out);
}

static void what_goes_to_a_server(void **state)
{
    const struct write_pair options[] = {{SLICE("user"), SLICE("me")}};
    struct buf out = {0};

    (void)state;
    write_startup(&out, options, 1, SLICE(""));
    EXPECT(&out, "\0\0\0\x11\0\3\0\0user\0me\0\0");
    write_cancel(&out, 7, SLICE("abcd"));
    EXPECT(&out, "\0\0\0\x10\4\xd2\x16\x2e\0\0\0\7abcd");
    write_query(&out, SLICE("select 1"));
    EXPECT(&out, "Q\0\0\0\x0dselect 1\0");
    write_parse(&out, SLICE("s"), SLICE("q"), slice_of("\0\0\0\x17", 4));
    EXPECT(&out, "P\0\0\0\x0es\0q\0\0\1\0\0\0\x17");
    write_bind(&out, SLICE(""), SLICE("s7"), slice_of("\0\0\0\0", 4), 0x100);
    EXPECT(&out, "B\0\0\1\x0c\0s7\0\0\0\0\0");
    write_target(&out, MSG_CLOSE, 'S', SLICE("s"));
    EXPECT(&out, "C\0\0\0\7Ss\0");
    buf_clear(&out);
}

/* The length is filled in even where the bytes have moved since the beginning. */
static void messages_survive_a_move(void **state)
{
    struct buf out = {0};
    uint8_t blob[3000] = {0};

    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        struct frame frame;
        struct slice in;
        size_t begin;

        write_ready(&out, 'I');
        begin = write_begin(&out, REPLY_ROW);
        write_u16(&out, 1);
        write_u32(&out, round * 60);
        buf_put(&out, blob, round * 60);
        write_end(&out, begin);
        in = buf_slice(&out);
        assert_int_equal(frame_look(in, &frame), FRAME_WHOLE);
        assert_int_equal(frame.type, 'Z');
        in = slice_skip(in, frame.total);
        assert_int_equal(frame_look(in, &frame), FRAME_WHOLE);
        assert_int_equal(frame.total, in.len);
        assert_int_equal(frame.total, 5 + 6 + round * 60);
        buf_take(&out, buf_len(&out) - 6);
        buf_take(&out, 6);
    }
    buf_clear(&out);
}

static void what_is_written_is_read_again(void **state)
{
    struct buf out = {0};
    struct frame frame;
    struct read_bind bind;
    struct err err;

    (void)state;
    write_bind(&out, SLICE("p"), SLICE("s"), slice_of("\0\0\0\1\0\0\0\1x\0\0", 11), 0);
    assert_int_equal(frame_look(buf_slice(&out), &frame), FRAME_WHOLE);
    assert_true(read_bind(frame_body(&frame), &bind));
    assert_true(slice_is(bind.portal, "p") && slice_is(bind.name, "s"));
    assert_int_equal(bind.nvalues, 1);
    buf_clear(&out);
    err_set(&err, "57014", "late");
    write_error(&out, "ERROR", &err);
    assert_int_equal(frame_look(buf_slice(&out), &frame), FRAME_WHOLE);
    assert_true(slice_is(read_error_field(frame_body(&frame), 'C'), "57014"));
    assert_true(slice_is(read_error_field(frame_body(&frame), 'V'), "ERROR"));
    buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_and_notices),
        cmocka_unit_test(a_quoted_error),
        cmocka_unit_test(what_goes_to_a_client),
        cmocka_unit_test(tables),
        cmocka_unit_test(what_goes_to_a_server),
        cmocka_unit_test(messages_survive_a_move),
        cmocka_unit_test(what_is_written_is_read_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
