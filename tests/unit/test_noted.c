/* What prepared transactions have written: taken once, replaced by its name, the oldest forgotten.
 */
#include "session/noted.h"

#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"

static void put(struct noteds *noteds, const char *gid, uint64_t stamp)
{
    struct noted *noted = mem_new(sizeof(*noted));

    snprintf(noted->gid, sizeof(noted->gid), "%s", gid);
    noted->stamp = stamp;
    noteds_put(noteds, noted);
}

/* The stamp of what is taken; 0: nothing. */
static uint64_t take(struct noteds *noteds, const char *gid)
{
    struct noted *noted = noteds_take(noteds, gid);
    uint64_t stamp = noted ? noted->stamp : 0;

    mem_free(noted);
    return stamp;
}

static void test_taken_once(void **state)
{
    struct noteds noteds;

    (void)state;
    noteds_init(&noteds);
    assert_int_equal(take(&noteds, "a"), 0);
    put(&noteds, "a", 1);
    put(&noteds, "b", 2);
    put(&noteds, "a", 3); /* in place of the first */
    assert_int_equal(noteds.count, 2);
    assert_int_equal(take(&noteds, "a"), 3);
    assert_int_equal(take(&noteds, "a"), 0);
    assert_int_equal(take(&noteds, "b"), 2);
    assert_int_equal(noteds.count, 0);
}

static void test_the_oldest_goes(void **state)
{
    struct noteds noteds;
    char gid[16];

    (void)state;
    noteds_init(&noteds);
    for (unsigned i = 1; i <= NOTED_MAX + 2; i++) {
        snprintf(gid, sizeof(gid), "%u", i);
        put(&noteds, gid, i);
    }
    assert_int_equal(noteds.count, NOTED_MAX);
    assert_int_equal(take(&noteds, "2"), 0);
    assert_int_equal(take(&noteds, "3"), 3);
    noteds_clear(&noteds);
    assert_int_equal(noteds.count, 0);
    assert_int_equal(take(&noteds, "4"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken_once),
        cmocka_unit_test(test_the_oldest_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
