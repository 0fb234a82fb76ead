/* The stream of changes: messages as the protocol's documentation lays them out, whole and cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/pgoutput.h"

static const uint8_t begin[] = "B\0\0\0\0\1\2\3\4\0\0\0\0\0\0\0\0\0\0\0\7";
static const uint8_t commit[] = "C\0\0\0\0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\0\0\0\0\0";
static const uint8_t relation[] = "R\0\0\0\5public\0crate\0d\0\2"
                                  "\1id\0\0\0\0\27\377\377\377\377"
                                  "\0label\0\0\0\0\31\377\377\377\377";
static const uint8_t insert[] = "I\0\0\0\5N\0\2t\0\0\0\1"
                                "7n";
static const uint8_t update[] = "U\0\0\0\5K\0\2t\0\0\0\1"
                                "7nN\0\2t\0\0\0\1"
                                "8u";
static const uint8_t plain_update[] = "U\0\0\0\5N\0\2t\0\0\0\1"
                                      "8t\0\0\0\2ab";
static const uint8_t delete[] = "D\0\0\0\5O\0\2t\0\0\0\1"
                                "7t\0\0\0\1x";
static const uint8_t truncate[] = "T\0\0\0\2\0\0\0\0\5\0\0\0\6";
static const uint8_t message[] = "M\1\0\0\0\0\0\0\0\1pgtier_feed\0\0\0\0\3DDL";
static const uint8_t origin[] = "O\0\0\0\0\0\0\0\1here";

#define WHOLE(bytes) slice_of(bytes, sizeof(bytes) - 1)

static const struct {
    const uint8_t *at;
    size_t len;
} all[] = {
    {begin, sizeof(begin) - 1},       {commit, sizeof(commit) - 1},
    {relation, sizeof(relation) - 1}, {insert, sizeof(insert) - 1},
    {update, sizeof(update) - 1},     {plain_update, sizeof(plain_update) - 1},
    {message, sizeof(message) - 1},   {delete, sizeof(delete) - 1},
    {truncate, sizeof(truncate) - 1},
};

static void ends(void **state)
{
    struct change change;

    (void)state;
    assert_true(change_read(WHOLE(begin), &change));
    assert_int_equal(change.kind, CHANGE_BEGIN);
    assert_int_equal(change.xid, 7);
    assert_true(change_read(WHOLE(commit), &change));
    assert_int_equal(change.kind, CHANGE_COMMIT);
    assert_true(change.end == (UINT64_C(2) << 32 | 3));
    assert_true(change_read(WHOLE(origin), &change));
    assert_int_equal(change.kind, CHANGE_OTHER);
    assert_true(change_read(WHOLE(message), &change));
    assert_true(slice_is(change.prefix, "pgtier_feed") && slice_is(change.text, "DDL"));
}

static void tables(void **state)
{
    struct change change;
    struct change_column column;

    (void)state;
    assert_true(change_read(WHOLE(relation), &change));
    assert_int_equal(change.relation, 5);
    assert_true(slice_is(change.schema, "public") && slice_is(change.name, "crate"));
    assert_int_equal(change.identity, 'd');
    assert_int_equal(change.ncolumns, 2);
    assert_true(change_column(&change.columns, &column));
    assert_true(column.key && slice_is(column.name, "id"));
    assert_true(change_column(&change.columns, &column));
    assert_true(!column.key && slice_is(column.name, "label"));
    assert_false(change_column(&change.columns, &column));
    assert_true(change_read(WHOLE(truncate), &change));
    assert_int_equal(change.ntables, 2);
    assert_int_equal(change.tables.at[7], 6);
}

static void check_value(struct slice row, unsigned place, const char *expected, bool is_null)
{
    struct slice value;
    bool null;

    assert_int_equal(change_value(row, place, &value, &null), expected != NULL);
    assert_int_equal(null, is_null);
    if (expected)
        assert_true(slice_is(value, expected));
}

static void rows(void **state)
{
    struct change change;

    (void)state;
    assert_true(change_read(WHOLE(insert), &change));
    assert_true(!change.had && change.before.len == 0);
    check_value(change.after, 0, "7", false);
    check_value(change.after, 1, NULL, true);
    check_value(change.after, 2, NULL, false);
    assert_true(change_read(WHOLE(update), &change));
    assert_int_equal(change.had, 'K');
    check_value(change.before, 0, "7", false);
    check_value(change.after, 0, "8", false);
    check_value(change.after, 1, NULL, false); /* stored apart, and as it was */
    assert_true(change_read(WHOLE(plain_update), &change));
    assert_int_equal(change.had, 0);
    check_value(change.after, 1, "ab", false);
    assert_true(change_read(WHOLE(delete), &change));
    assert_int_equal(change.had, 'O');
    check_value(change.before, 1, "x", false);
    assert_int_equal(change.after.len, 0);
}

/* Cut anywhere, or with a byte too many, it is none. */
static void cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        uint8_t longer[128];
        struct change change;

        for (size_t len = 0; len < all[i].len; len++)
            assert_false(change_read(slice_of(all[i].at, len), &change));
        memcpy(longer, all[i].at, all[i].len);
        longer[all[i].len] = 0;
        assert_false(change_read(slice_of(longer, all[i].len + 1), &change));
    }
}

static void stream(void **state)
{
    static const uint8_t alive[] = "k\0\0\0\1\0\0\0\2\0\0\0\0\0\0\0\0\1";
    static const uint8_t data[] = "w\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3change";
    struct stream_message read;
    struct buf out = {0};

    (void)state;
    assert_true(stream_read(WHOLE(alive), &read));
    assert_true(!read.data && read.reply);
    assert_true(read.position == (UINT64_C(1) << 32 | 2));
    assert_true(stream_read(WHOLE(data), &read));
    assert_true(read.data && slice_is(read.change, "change"));
    for (size_t len = 0; len < sizeof(alive) - 1; len++)
        assert_false(stream_read(slice_of(alive, len), &read));
    stream_put_status(&out, 0x0102030405060708, 9, true);
    assert_int_equal(buf_len(&out), 34);
    assert_memory_equal(buf_slice(&out).at, "r\1\2\3\4\5\6\7\10\1\2\3\4\5\6\7\10", 17);
    assert_int_equal(buf_slice(&out).at[33], 1);
    buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends), cmocka_unit_test(tables), cmocka_unit_test(rows),
        cmocka_unit_test(cut),  cmocka_unit_test(stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
