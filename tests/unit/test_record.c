/* Records of a fleet: what is put comes back, and nothing is read from less. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fresh/record.h"

static const struct record all[] = {
    {.type = RECORD_BEGIN, .write = 1, .signature = UINT64_MAX, .ddl = true},
    {.type = RECORD_BEGIN,
     .write = 2,
     .cells = {.ncells = 3, .cells = {CELL_ALL, CELL_ANY, UINT64_MAX - 1}, .everything = true}},
    {.type = RECORD_BEGIN, .write = 3, .cells = {.ncells = FOOTPRINT_CELLS * 2}},
    {.type = RECORD_COMMIT, .write = 2, .lsn = 0x123456789abcdef0},
    {.type = RECORD_COMMIT, .write = 3, .cells = {.ncells = 2, .cells = {7, UINT64_MAX}}},
    {.type = RECORD_ABORT, .write = 3},
    {.type = RECORD_HEARD, .number = 77},
    {.type = RECORD_JOIN, .number = 1, .process = 99},
    {.type = RECORD_LEAVE},
    {.type = RECORD_FENCE, .number = 5},
    {.type = RECORD_OPEN, .number = 6},
};
enum { COUNT = sizeof(all) / sizeof(*all) };

static void put_all(struct buf *out)
{
    for (unsigned i = 0; i < COUNT; i++)
        record_put(out, &all[i]);
}

static void round_trip(void **state)
{
    struct buf bytes = {0};
    struct record record;
    struct slice rest;

    (void)state;
    put_all(&bytes);
    rest = buf_slice(&bytes);
    for (unsigned i = 0; i < COUNT; i++) {
        record = (struct record){0};
        assert_true(record_get(&rest, &record));
        assert_int_equal(record.type, all[i].type);
        assert_true(record.write == all[i].write && record.number == all[i].number);
        assert_true(record.lsn == all[i].lsn && record.process == all[i].process);
        assert_true(record.signature == all[i].signature && record.ddl == all[i].ddl);
        assert_int_equal(record.cells.ncells, all[i].cells.ncells);
        assert_int_equal(record.cells.everything, all[i].cells.everything);
        assert_memory_equal(record.cells.cells, all[i].cells.cells,
                            all[i].cells.ncells * sizeof(uint64_t));
    }
    assert_int_equal(rest.len, 0);
    assert_false(record_get(&rest, &record));
    buf_clear(&bytes);
}

/* Cut anywhere, the whole ones before the cut are read and no more. */
static void cut(void **state)
{
    struct buf bytes = {0};

    (void)state;
    put_all(&bytes);
    for (size_t len = 0; len < buf_len(&bytes); len++) {
        struct slice rest = slice_first(buf_slice(&bytes), len);
        struct record record;
        unsigned count = 0;

        while (record_get(&rest, &record))
            assert_int_equal(record.type, all[count++].type);
        assert_true(count < COUNT);
    }
    buf_clear(&bytes);
}

static void garbage(void **state)
{
    static const uint8_t too_many[] = {'B', 0, 0, 0, 0, 0, 0, 0, 0,   0,
                                       0,   0, 0, 0, 0, 0, 0, 0, 193, 0};
    struct slice unknown = SLICE("Z12345678"), many = slice_of(too_many, sizeof(too_many));
    struct record record;

    (void)state;
    assert_false(record_get(&unknown, &record));
    assert_int_equal(unknown.len, 9);
    assert_false(record_get(&many, &record));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(cut),
                                              cmocka_unit_test(garbage)};

    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
