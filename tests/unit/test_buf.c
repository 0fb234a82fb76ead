/* The growing buffer: what is put comes out, wherever its bytes were moved in between. */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void an_empty_one_owns_nothing(void **state)
{
    struct buf buf = {0};

    (void)state;
    assert_int_equal(buf_len(&buf), 0);
    assert_int_equal(buf_slice(&buf).len, 0);
    buf_put(&buf, NULL, 0);
    assert_null(buf.at);
    buf_put(&buf, "abc", 3);
    buf_rest(&buf);
    assert_non_null(buf.at);
    buf_take(&buf, 3);
    assert_int_equal(buf.head, 0);
    buf_rest(&buf);
    assert_null(buf.at);
    assert_int_equal(buf.cap, 0);
    buf_clear(&buf);
}

static void bytes_come_out_in_order(void **state)
{
    struct buf buf = {0};
    uint8_t in = 0, out = 0;

    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        for (unsigned i = 0; i < round * 7 % 301; i++)
            buf_put(&buf, &in, 1), in++;
        for (unsigned i = round * 13 % 307; i && buf_len(&buf); i--) {
            assert_int_equal(*buf_slice(&buf).at, out++);
            buf_take(&buf, 1);
        }
    }
    assert_true(buf.cap <= 1 << 14);
    buf_clear(&buf);
}

static void room_is_as_large_as_asked(void **state)
{
    struct buf buf = {0};
    uint8_t *room;

    (void)state;
    for (size_t len = 1; len < 100000; len = len * 3 + 1) {
        room = buf_room(&buf, len);
        memset(room, 'x', len);
        buf_added(&buf, len / 2);
        buf_take(&buf, len / 4);
    }
    for (size_t i = 0; i < buf_len(&buf); i++)
        assert_int_equal(buf_slice(&buf).at[i], 'x');
    buf_clear(&buf);
}

static void a_sliding_buffer_does_not_grow(void **state)
{
    struct buf buf = {0};
    uint8_t block[400] = {0};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        buf_put(&buf, block, 100);
        buf_take(&buf, 50);
        buf_put(&buf, block, 10);
        buf_take(&buf, 60);
    }
    assert_int_equal(buf.cap, 512);
    buf_clear(&buf);
}

static void printing_adds_without_a_nul(void **state)
{
    struct buf buf = {0};
    char wide[2000];

    (void)state;
    buf_printf(&buf, "%s", "");
    buf_printf(&buf, "%d-%s,", 7, "x");
    memset(wide, 'w', sizeof(wide) - 1);
    wide[sizeof(wide) - 1] = '\0';
    buf_printf(&buf, "%s", wide);
    buf_put_slice(&buf, SLICE("!"));
    assert_int_equal(buf_len(&buf), 4 + sizeof(wide) - 1 + 1);
    assert_memory_equal(buf_slice(&buf).at, "7-x,www", 7);
    assert_int_equal(buf_slice(&buf).at[buf_len(&buf) - 1], '!');
    buf_clear(&buf);
}

static void slices_compare(void **state)
{
    (void)state;
    assert_true(slice_same(slice_of(NULL, 0), SLICE("")));
    assert_true(slice_is(SLICE("abc"), "abc"));
    assert_false(slice_is(SLICE("abc"), "abcd"));
    assert_false(slice_is(SLICE("abc"), "ABC"));
    assert_true(slice_is_nocase(SLICE("aBc"), "AbC"));
    assert_false(slice_is_nocase(SLICE("ab"), "abc"));
    assert_true(slice_is(slice_skip(SLICE("abc"), 2), "c"));
    assert_true(slice_is(slice_first(SLICE("abc"), 2), "ab"));
    assert_true(slice_is(slice_first(SLICE("abc"), 9), "abc"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_owns_nothing),
        cmocka_unit_test(bytes_come_out_in_order),
        cmocka_unit_test(room_is_as_large_as_asked),
        cmocka_unit_test(a_sliding_buffer_does_not_grow),
        cmocka_unit_test(printing_adds_without_a_nul),
        cmocka_unit_test(slices_compare),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
