/* Cutting a stream into messages: the heads that are good and bad, and every way to split one. */
#include "wire/frame.h"

#include "wire/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    const char *bytes;
    size_t len;
    enum frame_state state;
    size_t total, there;
} heads[] = {
    {"", 0, FRAME_NONE, 0, 0},
    {"Z", 1, FRAME_NONE, 0, 0},
    {"Z\0\0\0", 4, FRAME_NONE, 0, 0},
    {"H\0\0\0\4", 5, FRAME_WHOLE, 5, 5},
    {"Z\0\0\0\5I", 6, FRAME_WHOLE, 6, 6},
    {"Z\0\0\0\5", 5, FRAME_PART, 6, 5},
    {"Z\0\0\0\5IZ\0\0", 9, FRAME_WHOLE, 6, 6},
    {"d\x3f\xff\xff\xffxyz", 8, FRAME_PART, 0x40000000, 8},
    {"d\x40\0\0\0xyz", 8, FRAME_BAD, 0, 0},
    {"d\xff\xff\xff\xff", 5, FRAME_BAD, 0, 0},
    {"Z\0\0\0\3", 5, FRAME_BAD, 0, 0},
    {"Z\0\0\0\0", 5, FRAME_BAD, 0, 0},
};

static void heads_are_looked_at(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
        struct frame frame;

        assert_int_equal(frame_look(slice_of(heads[i].bytes, heads[i].len), &frame),
                         heads[i].state);
        if (heads[i].state == FRAME_NONE || heads[i].state == FRAME_BAD)
            continue;
        assert_int_equal(frame.type, heads[i].bytes[0]);
        assert_int_equal(frame.total, heads[i].total);
        assert_int_equal(frame.whole.len, heads[i].there);
        assert_int_equal(frame_body(&frame).len, heads[i].there - FRAME_HEAD);
        assert_ptr_equal(frame.whole.at, heads[i].bytes);
    }
}

static const struct {
    const char *bytes;
    size_t len;
    enum frame_state state;
    size_t total;
} startups[] = {
    {"", 0, FRAME_NONE, 0},
    {"\0\0\0", 3, FRAME_NONE, 0},
    {"\0\0\0\x08", 4, FRAME_PART, 8},
    {"\0\0\0\x08\4\xd2\x16\x2f", 8, FRAME_WHOLE, 8},
    {"\0\0\0\x08\4\xd2\x16\x2fxx", 10, FRAME_WHOLE, 8},
    {"\0\0\0\x07zzzz", 8, FRAME_BAD, 0},
    {"\0\0\x27\x10", 4, FRAME_PART, WIRE_STARTUP_MAX},
    {"\0\0\x27\x11", 4, FRAME_BAD, 0},
    {"GET / HTTP/1.1", 14, FRAME_BAD, 0},
    {"\x16\x03\x01\x02", 4, FRAME_BAD, 0},
};

static void startup_packets_are_looked_at(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(startups) / sizeof(*startups); i++) {
        struct frame frame;

        assert_int_equal(frame_look_startup(slice_of(startups[i].bytes, startups[i].len), &frame),
                         startups[i].state);
        if (startups[i].state == FRAME_NONE || startups[i].state == FRAME_BAD)
            continue;
        assert_int_equal(frame.type, 0);
        assert_int_equal(frame.total, startups[i].total);
    }
}

/* The same messages whatever the pieces they come in. */
static void pieces_do_not_matter(void **state)
{
    static const char stream[] = "1\0\0\0\4"
                                 "2\0\0\0\4"
                                 "D\0\0\0\x0b\0\1\0\0\0\1x"
                                 "C\0\0\0\x0dSELECT 1\0"
                                 "Z\0\0\0\5I";
    const size_t len = sizeof(stream) - 1;

    (void)state;
    for (size_t piece = 1; piece <= len; piece++) {
        char seen[16] = "";
        size_t head = 0, count = 0;

        for (size_t tail = 0; tail < len;) {
            struct frame frame;

            tail = tail + piece < len ? tail + piece : len;
            while (frame_look(slice_of(stream + head, tail - head), &frame) == FRAME_WHOLE) {
                seen[count++] = (char)frame.type;
                head += frame.total;
            }
        }
        assert_string_equal(seen, "12DCZ");
        assert_int_equal(head, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_looked_at),
        cmocka_unit_test(startup_packets_are_looked_at),
        cmocka_unit_test(pieces_do_not_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
