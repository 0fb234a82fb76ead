/* The memory store: bounds by bytes overall and by class, recency, time to live, figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cache/memory_store.h"

#include <stdio.h>
#include <stdlib.h>

static struct key key_of(unsigned i)
{
    return (struct key){.hash = {i, i + 1000}};
}

static uint64_t took; /* ns, for what is put next */

static struct kept *kept_of(size_t bytes)
{
    static uint8_t rows[1 << 20];
    struct entry entry = {.columns = SLICE("T"),
                          .rows = slice_of(rows, bytes),
                          .complete = SLICE("C"),
                          .stamp = 1,
                          .took = took};

    return kept_new(&entry);
}

static bool put(struct store *store, struct account *account, unsigned i, size_t bytes, int64_t now)
{
    struct key key = key_of(i);
    struct kept *kept = kept_of(bytes);
    bool taken = store->ops->put(store, &key, kept, account, now);

    kept_unref(kept);
    return taken;
}

/* The length of what is kept there, -1 where nothing is. */
static long look(struct store *store, unsigned i, int64_t now)
{
    struct key key = key_of(i);
    struct kept *kept = store->ops->look(store, &key, now);

    return kept ? (long)kept->entry.rows.len : -1;
}

static struct account account_of(uint64_t max_size, int64_t ttl)
{
    return (struct account){.max_size = max_size, .ttl = ttl};
}

#define ACCOUNT(name, max_size, ttl)                                                               \
    struct account name = account_of(max_size, ttl);                                               \
    ring_init(&name.in_shelf)

static void replace_test(void **state)
{
    struct store *store = memory_store_new(100000);
    ACCOUNT(account, 0, 0);
    uint64_t bytes;

    (void)state;
    assert_int_equal(look(store, 1, 0), -1);
    assert_true(put(store, &account, 1, 500, 0));
    bytes = account.figures.bytes;
    assert_true(bytes > 500);
    assert_int_equal(look(store, 1, INT64_MAX - 1), 500);
    assert_true(put(store, &account, 1, 700, 0));
    assert_int_equal(look(store, 1, 0), 700);
    assert_int_equal(account.figures.bytes, bytes + 200);
    assert_int_equal(account.figures.entries, 1);
    assert_int_equal(account.figures.evicted, 0);
    assert_string_equal(store->ops->state(store), "memory");
    store->ops->free(store);
    assert_int_equal(account.figures.bytes, 0);
    assert_int_equal(account.figures.entries, 0);
}

/* Two keys with one half of their hashes are two keys. */
static void collision_test(void **state)
{
    struct store *store = memory_store_new(100000);
    struct key one = {.hash = {5, 6}}, other = {.hash = {5, 7}};
    struct kept *a = kept_of(10), *b = kept_of(20);
    ACCOUNT(account, 0, 0);

    (void)state;
    assert_true(store->ops->put(store, &one, a, &account, 0));
    assert_null(store->ops->look(store, &other, 0));
    assert_true(store->ops->put(store, &other, b, &account, 0));
    assert_ptr_equal(store->ops->look(store, &one, 0), a);
    assert_ptr_equal(store->ops->look(store, &other, 0), b);
    kept_unref(a);
    kept_unref(b);
    store->ops->free(store);
}

static void ttl_test(void **state)
{
    struct store *store = memory_store_new(100000);
    ACCOUNT(account, 0, 1000);

    (void)state;
    put(store, &account, 1, 10, 5000);
    assert_int_equal(look(store, 1, 5999), 10);
    assert_int_equal(look(store, 1, 6000), -1);
    assert_int_equal(look(store, 1, 5999), -1);
    assert_int_equal(account.figures.entries, 0);
    store->ops->free(store);
}

/* The least recently used goes, not the oldest; nothing is ever over the bound. */
static void recency_test(void **state)
{
    struct store *store = memory_store_new(10 * 1400);
    ACCOUNT(account, 0, 0);

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        assert_true(put(store, &account, i, 1000, 0));
    assert_int_equal(look(store, 0, 0), 1000);
    for (unsigned i = 10; i < 15; i++) {
        assert_true(put(store, &account, i, 1000, 0));
        assert_int_equal(look(store, 0, 0), 1000);
        assert_true(account.figures.bytes <= 10 * 1400);
    }
    assert_int_equal(look(store, 1, 0), -1);
    assert_int_equal(look(store, 2, 0), -1);
    assert_int_equal(look(store, 14, 0), 1000);
    assert_true(account.figures.evicted > 0);
    assert_false(put(store, &account, 99, 10 * 1400, 0));
    assert_int_equal(look(store, 14, 0), 1000);
    store->ops->free(store);
}

/* What saves the least time per byte goes, counted with its uses; what was of use long ago is
 * forgotten in the end. */
static void worth_test(void **state)
{
    struct store *store = memory_store_new(10 * 1400);
    ACCOUNT(account, 0, 0);

    (void)state;
    took = 1000000; /* a small one that took long */
    assert_true(put(store, &account, 900, 100, 0));
    took = 1000;
    for (unsigned i = 0; i < 50; i++)
        assert_true(put(store, &account, i, 1000, 0));
    assert_int_equal(look(store, 900, 0), 100);
    /* A large one that took as long is worth less than that. */
    took = 1000000;
    assert_true(put(store, &account, 901, 8000, 0));
    took = 100000;
    for (unsigned i = 0; i < 200; i++)
        assert_true(put(store, &account, i, 1000, 0));
    assert_int_equal(look(store, 901, 0), -1);
    assert_int_equal(look(store, 900, 0), 100);
    for (unsigned i = 0; i < 2000; i++)
        assert_true(put(store, &account, 1000 + i, 1000, 0));
    assert_int_equal(look(store, 900, 0), -1);
    took = 0;
    store->ops->free(store);
}

/* By class and by what stands in the keys. */
static void sweep_test(void **state)
{
    static const struct cache_class classes[] = {
        {.name = "eval", .key = "eval:{user_id}:{id}", .index = 0},
        {.name = "agg", .key = "agg:{user_id}:{metric}", .index = 1},
        {.name = "odd", .key = "odd*[{id}]", .index = 2},
    };
    static const char *const keys[] = {
        "eval:42:7:0123",   "eval:42:8:0123",     "eval:43:7:0123",    "eval:-:7:0123",
        "eval:1,42:7:0123", "agg:42:avg(x):0123", "agg:7:avg(y):0123", "odd*[7]:0123",
        "other:42:0123",    "eval:a%3Ab:9:0123"};
    static const struct {
        int class;
        const char *column, *value, *gone; /* which of the keys */
    } rows[] = {
        {-1, NULL, NULL, "0123456789"}, {0, NULL, NULL, "012349"}, {-1, "user_id", "42", "0145"},
        {0, "user_id", "42", "014"},    {1, "user_id", "42", "5"}, {-1, "id", "7", "02347"},
        {0, "user_id", "a:b", "9"},     {-1, "nothing", "1", ""},  {2, "user_id", "42", ""},
        {-1, "user_id", "2", ""},
    };
    struct rules rules = {.classes = classes, .nclasses = 3};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct sweep sweep = {.rules = &rules};

        if (rows[i].class >= 0)
            sweep.class = &classes[rows[i].class];
        if (rows[i].column) {
            snprintf(sweep.pins[0].column, sizeof(sweep.pins[0].column), "%s", rows[i].column);
            snprintf(sweep.pins[0].value, sizeof(sweep.pins[0].value), "%s", rows[i].value);
            sweep.npins = 1;
        }
        for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++) {
            bool expected = k != 8 && strchr(rows[i].gone, (int)('0' + k)) != NULL;

            if (sweep_wants(&sweep, keys[k]) != expected)
                fail_msg("row %zu: %s", i, keys[k]);
        }
    }
}

static void patterns_test(void **state)
{
    static const struct cache_class class = {.name = "odd", .key = "o*d[{id}]:x{user_id}"};
    struct rules rules = {.classes = &class, .nclasses = 1};
    struct sweep sweep = {.rules = &rules};
    struct buf out = {0};

    (void)state;
    assert_true(sweep_pattern(&sweep, &class, &out));
    assert_string_equal((const char *)buf_slice(&out).at, "o\\*d\\[*\\]:x*:*");
    buf_clear(&out);
    snprintf(sweep.pins[0].column, sizeof(sweep.pins[0].column), "status");
    sweep.npins = 1;
    assert_false(sweep_pattern(&sweep, &class, &out));
}

/* A class over its own bound takes from itself; the others stay. What is too large for its class
 * takes nobody's place, but its own old entry is gone. */
static void class_test(void **state)
{
    struct store *store = memory_store_new(1 << 20);
    ACCOUNT(small, 3 * 1400, 0);
    ACCOUNT(large, 0, 0);

    (void)state;
    assert_true(put(store, &large, 100, 1000, 0));
    for (unsigned i = 0; i < 6; i++)
        assert_true(put(store, &small, i, 1000, 0));
    assert_int_equal(look(store, 100, 0), 1000);
    assert_true(small.figures.bytes <= 3 * 1400);
    assert_int_equal(small.figures.entries, 3);
    assert_int_equal(small.figures.evicted, 3);
    assert_int_equal(look(store, 2, 0), -1);
    assert_int_equal(look(store, 3, 0), 1000);
    assert_false(put(store, &small, 3, 5000, 0));
    assert_int_equal(look(store, 3, 0), -1);
    assert_int_equal(look(store, 4, 0), 1000);
    store->ops->free(store);
}

/* Who holds an entry keeps it, whatever the store does with it. */
static void held_test(void **state)
{
    struct store *store = memory_store_new(10000);
    struct key key = key_of(1);
    ACCOUNT(account, 0, 0);
    struct kept *kept;

    (void)state;
    put(store, &account, 1, 1000, 0);
    kept = kept_ref(store->ops->look(store, &key, 0));
    put(store, &account, 1, 10, 0);
    store->ops->free(store);
    assert_int_equal(kept->entry.rows.len, 1000);
    assert_int_equal(kept->entry.rows.at[999], 0);
    kept_unref(kept);
}

/* Random use: the figures are the sums and the bounds hold. */
static void random_test(void **state)
{
    struct store *store = memory_store_new(50000);
    unsigned seed = 7;
    ACCOUNT(one, 20000, 50);
    ACCOUNT(two, 0, 0);

    (void)state;
    for (int64_t now = 0; now < 20000; now++) {
        unsigned i = (unsigned)rand_r(&seed) % 40;

        if (rand_r(&seed) % 2)
            put(store, i % 2 ? &one : &two, i, (unsigned)rand_r(&seed) % 4000, now);
        else
            look(store, i, now);
        assert_true(one.figures.bytes <= 20000);
        assert_true(one.figures.bytes + two.figures.bytes <= 50000);
    }
    assert_true(one.figures.evicted > 0 && two.figures.evicted > 0);
    store->ops->free(store);
    assert_int_equal(one.figures.bytes + two.figures.bytes, 0);
    assert_int_equal(one.figures.entries + two.figures.entries, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replace_test), cmocka_unit_test(collision_test),
        cmocka_unit_test(ttl_test),     cmocka_unit_test(recency_test),
        cmocka_unit_test(class_test),   cmocka_unit_test(held_test),
        cmocka_unit_test(random_test),  cmocka_unit_test(worth_test),
        cmocka_unit_test(sweep_test),   cmocka_unit_test(patterns_test),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
