/* Entries as blobs and as recordings: what goes in comes out, and what was touched is nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cache/recorder.h"

#include <stdlib.h>

static const struct hash128 key = {0x1122334455667788, 0x99aabbccddeeff00};
enum { MAX = 1 << 20 };

static struct entry entry_of(struct slice rows)
{
    return (struct entry){
        .columns = SLICE("T\0\0\0\6\0\0"),
        .rows = rows,
        .complete = SLICE("C\0\0\0\rSELECT 1\0"),
        .stamp = UINT64_MAX - 76,
        .row = rows.len > 0,
    };
}

static void assert_same(const struct entry *a, const struct entry *b)
{
    assert_true(slice_same(a->columns, b->columns));
    assert_true(slice_same(a->rows, b->rows));
    assert_true(slice_same(a->complete, b->complete));
    assert_true(a->stamp == b->stamp);
    assert_int_equal(a->row, b->row);
}

static uint8_t *filled(size_t len, bool random)
{
    uint8_t *bytes = mem_new(len + 1);

    srand(1);
    for (size_t i = 0; i < len; i++)
        bytes[i] = random ? (uint8_t)rand() : 'a';
    return bytes;
}

static const struct {
    size_t len;
    bool random, compress, smaller;
} sizes[] = {
    {0, false, true, false},     {1, false, false, false},    {2000, false, true, false},
    {2100, false, false, false}, {2100, false, true, true},   {2100, true, true, false},
    {500000, true, true, false}, {500000, false, true, true},
};

static void round_test(void **state)
{
    struct packer *packer = packer_new();

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        uint8_t *bytes = filled(sizes[i].len, sizes[i].random);
        struct entry entry = entry_of(slice_of(bytes, sizes[i].len));
        struct buf blob = {0};
        struct kept *kept;

        assert_true(packer_pack(packer, &entry, key, sizes[i].compress, &blob));
        assert_int_equal(buf_len(&blob) < sizes[i].len, sizes[i].smaller);
        kept = packer_unpack(packer, buf_slice(&blob), key, MAX);
        assert_non_null(kept);
        assert_same(&kept->entry, &entry);
        kept_unref(kept);
        assert_null(packer_unpack(packer, buf_slice(&blob), key, sizes[i].len));
        buf_clear(&blob);
        mem_free(bytes);
    }
    packer_free(packer);
}

static void kept_test(void **state)
{
    struct entry entry = entry_of(SLICE("D\0\0\0\6\0\0"));
    struct kept *kept = kept_new(&entry);

    (void)state;
    assert_same(&kept->entry, &entry);
    assert_ptr_not_equal(kept->entry.rows.at, entry.rows.at);
    assert_true(kept->size > 3 * sizeof(uint64_t) + 7 + 7 + 14);
    assert_ptr_equal(kept_ref(kept), kept);
    kept_unref(kept);
    assert_same(&kept->entry, &entry);
    kept_unref(kept);
    kept_unref(NULL);
}

/* Any change of any bit, any cut, any addition, and another key. */
static void garbage_test(void **state)
{
    struct packer *packer = packer_new();

    (void)state;
    for (unsigned compress = 0; compress < 2; compress++) {
        uint8_t *rows = filled(2200, false);
        struct entry entry = entry_of(slice_of(rows, compress ? 2200 : 100));
        struct buf blob = {0};
        struct hash128 low = {key.low + 1, key.high}, high = {key.low, key.high + 1};

        packer_pack(packer, &entry, key, compress, &blob);
        for (size_t i = 0; i < buf_len(&blob); i++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                blob.at[blob.head + i] ^= 1 << bit;
                assert_null(packer_unpack(packer, buf_slice(&blob), key, MAX));
                blob.at[blob.head + i] ^= 1 << bit;
            }
            assert_null(packer_unpack(packer, slice_first(buf_slice(&blob), i), key, MAX));
        }
        assert_null(packer_unpack(packer, buf_slice(&blob), low, MAX));
        assert_null(packer_unpack(packer, buf_slice(&blob), high, MAX));
        buf_put(&blob, "x", 1);
        assert_null(packer_unpack(packer, buf_slice(&blob), key, MAX));
        buf_clear(&blob);
        mem_free(rows);
    }
    assert_null(packer_unpack(packer, SLICE(""), key, MAX));
    packer_free(packer);
}

/* Recordings: "type:bytes" pieces, and whether they are an entry in the end. */
#define T "T\0\0\0\6\0\0"
#define D "D\0\0\0\6\0\0"
#define C "C\0\0\0\rSELECT 1\0"

static const struct {
    struct {
        uint8_t type;
        struct slice bytes;
    } pieces[6];
    bool whole, row;
} recordings[] = {
    {{{'T', SLICE(T)}, {'C', SLICE(C)}}, true, false},
    {{{'T', SLICE(T)}, {'D', SLICE(D)}, {'C', SLICE(C)}}, true, true},
    {{{'T', SLICE(T)}, {'D', SLICE(D D D)}, {'C', SLICE(C)}}, true, true},
    {{{'T', SLICE(T)}, {'D', SLICE(D "D\0")}, {'D', SLICE("\0\0\6\0\0")}, {'C', SLICE(C)}},
     true,
     true},
    {{{'T', SLICE("T\0\0")}, {'T', SLICE("\0\6\0\0")}, {'C', SLICE(C)}}, true, false},
    {{{'T', SLICE(T)}, {'T', SLICE(T)}, {'C', SLICE(C)}}, false, false},
    {{{'T', SLICE(T)}, {'D', SLICE(D "D\0")}, {'C', SLICE(C)}}, false, false},
    {{{'T', SLICE(T)}, {'D', SLICE(D "C\0\0\0\4")}, {'C', SLICE(C)}}, false, false},
    {{{'T', SLICE(T)}, {'D', SLICE("D\0\0\0\3")}, {'C', SLICE(C)}}, false, false},
    {{{'T', SLICE(T)}, {'C', SLICE(C C)}}, false, false},
    {{{'T', SLICE(T)}, {'C', SLICE(C)}, {'C', SLICE(C)}}, false, false},
    {{{'T', SLICE(T)}, {'C', SLICE(C)}, {'D', SLICE(D)}}, false, false},
    {{{'T', SLICE(T)}, {'D', SLICE(D)}}, false, false},
    {{{'D', SLICE(D)}, {'C', SLICE(C)}}, false, false},
    {{{'C', SLICE(C)}}, false, false},
    {{{'T', SLICE(T)}, {'E', SLICE("E\0\0\0\5\0")}, {'C', SLICE(C)}}, false, false},
    {{{'T', SLICE(T)}, {'N', SLICE("N\0\0\0\5\0")}, {'C', SLICE(C)}}, false, false},
    {{{'T', SLICE(T)}, {'D', SLICE(D)}, {'T', SLICE(T)}, {'C', SLICE(C)}}, false, false},
    {{{0, SLICE("")}}, false, false},
};

static void recorder_test(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(recordings) / sizeof(*recordings); i++) {
        struct recorder recorder = {0};
        struct entry entry;
        bool whole;

        for (unsigned k = 0; recordings[i].pieces[k].type; k++)
            recorder_put(&recorder, recordings[i].pieces[k].type, recordings[i].pieces[k].bytes,
                         MAX);
        whole = recorder_entry(&recorder, &entry);
        if (whole != recordings[i].whole)
            fail_msg("recording %u: whole %d", (unsigned)i, whole);
        if (whole) {
            assert_int_equal(entry.row, recordings[i].row);
            assert_true(slice_same(entry.columns, SLICE(T)));
            assert_true(slice_same(entry.complete, SLICE(C)));
        }
        recorder_clear(&recorder);
        assert_false(recorder_entry(&recorder, &entry));
    }
}

static void too_large_test(void **state)
{
    struct recorder recorder = {0};

    (void)state;
    assert_true(recorder_put(&recorder, 'T', SLICE(T), 14));
    assert_true(recorder_put(&recorder, 'D', SLICE(D), 14));
    assert_false(recorder_put(&recorder, 'D', SLICE(D), 14));
    assert_null(recorder.bytes.at);
    assert_false(recorder_put(&recorder, 'C', SLICE(C), 1000));
    recorder_clear(&recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_test),     cmocka_unit_test(kept_test),
        cmocka_unit_test(garbage_test),   cmocka_unit_test(recorder_test),
        cmocka_unit_test(too_large_test),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
