/* A client's names: found, replaced, and taken back where their Parse has failed. */
#include "session/names.h"

#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>

#include <cmocka.h>

struct desk {
    struct statements all;
    struct names names;
    struct statement *one, *two;
};

static int set_up(void **state)
{
    static struct desk desk;

    desk = (struct desk){0};
    desk.one = statement_of(&desk.all, SLICE("select 1"), SLICE(""), 0);
    desk.two = statement_of(&desk.all, SLICE("select 2"), SLICE(""), 0);
    *state = &desk;
    return 0;
}

static int tear_down(void **state)
{
    struct desk *desk = *state;
    size_t left;

    names_clear(&desk->names);
    statement_unref(desk->one);
    statement_unref(desk->two);
    left = desk->all.bytes;
    map_clear(&desk->all.map);
    return left != 0;
}

static void names_are_exact(void **state)
{
    struct desk *desk = *state;

    names_set(&desk->names, SLICE("S_1"), desk->one, 0);
    names_set(&desk->names, SLICE(""), desk->two, 1);
    assert_ptr_equal(names_find(&desk->names, SLICE("S_1")), desk->one);
    assert_ptr_equal(names_find(&desk->names, SLICE("")), desk->two);
    assert_null(names_find(&desk->names, SLICE("s_1")));
    assert_null(names_find(&desk->names, SLICE("S_")));
    assert_null(names_find(&desk->names, SLICE("S_11")));
}

static void setting_replaces(void **state)
{
    struct desk *desk = *state;

    names_set(&desk->names, SLICE(""), desk->one, 0);
    names_set(&desk->names, SLICE(""), desk->two, 1);
    assert_ptr_equal(names_find(&desk->names, SLICE("")), desk->two);
    /* The same statement under its own name is not let go of in between. */
    names_settle(&desk->names, UINT_MAX);
    names_set(&desk->names, SLICE(""), desk->two, 2);
    assert_ptr_equal(names_find(&desk->names, SLICE("")), desk->two);
    names_remove(&desk->names, SLICE(""));
    names_remove(&desk->names, SLICE(""));
    assert_null(names_find(&desk->names, SLICE("")));
}

static void only_what_failed_is_taken_back(void **state)
{
    struct desk *desk = *state;

    names_set(&desk->names, SLICE("old"), desk->one, 5);
    names_settle(&desk->names, UINT_MAX);
    names_set(&desk->names, SLICE("a"), desk->one, 0);
    names_set(&desk->names, SLICE("b"), desk->two, 1);
    names_set(&desk->names, SLICE("c"), desk->one, 2);
    names_fail(&desk->names, 1, UINT_MAX, false);
    assert_non_null(names_find(&desk->names, SLICE("old")));
    assert_non_null(names_find(&desk->names, SLICE("a")));
    assert_null(names_find(&desk->names, SLICE("b")));
    assert_null(names_find(&desk->names, SLICE("c")));
    names_fail(&desk->names, 0, UINT_MAX, false);
    assert_null(names_find(&desk->names, SLICE("a")));
    assert_non_null(names_find(&desk->names, SLICE("old")));
}

static void what_was_before_comes_back(void **state)
{
    struct desk *desk = *state;

    names_set(&desk->names, SLICE("S"), desk->one, 0);
    names_set(&desk->names, SLICE(""), desk->one, 1);
    names_settle(&desk->names, UINT_MAX);
    names_close(&desk->names, SLICE("S"), 0);
    names_close(&desk->names, SLICE("nobody"), 1);
    names_set(&desk->names, SLICE("S"), desk->two, 2);
    names_set(&desk->names, SLICE(""), desk->two, 3);
    names_set(&desk->names, SLICE(""), desk->one, 4);
    names_close(&desk->names, SLICE(""), 5);
    assert_null(names_find(&desk->names, SLICE("")));
    names_fail(&desk->names, 3, UINT_MAX, false);
    assert_ptr_equal(names_find(&desk->names, SLICE("")), desk->one);
    assert_ptr_equal(names_find(&desk->names, SLICE("S")), desk->two);
    names_fail(&desk->names, 1, UINT_MAX, false);
    assert_null(names_find(&desk->names, SLICE("S")));
    names_fail(&desk->names, 0, UINT_MAX, false);
    assert_ptr_equal(names_find(&desk->names, SLICE("S")), desk->one);
    /* Settled, it is not taken back any more. */
    names_close(&desk->names, SLICE("S"), 0);
    names_settle(&desk->names, UINT_MAX);
    names_fail(&desk->names, 0, UINT_MAX, false);
    assert_null(names_find(&desk->names, SLICE("S")));
}

/* A Parse without a name takes away what was there, even where it fails; one that is skipped does
 * not. */
static void a_failed_unnamed_parse(void **state)
{
    struct desk *desk = *state;

    names_set(&desk->names, SLICE(""), desk->one, 0);
    names_settle(&desk->names, UINT_MAX);
    names_set(&desk->names, SLICE("S"), desk->one, 0);
    names_set(&desk->names, SLICE(""), desk->two, 1);
    names_fail(&desk->names, 0, UINT_MAX, true); /* S failed */
    assert_ptr_equal(names_find(&desk->names, SLICE("")), desk->one);
    names_set(&desk->names, SLICE("S"), desk->one, 0);
    names_set(&desk->names, SLICE(""), desk->two, 1);
    names_fail(&desk->names, 1, UINT_MAX, false); /* a Close, say */
    assert_ptr_equal(names_find(&desk->names, SLICE("")), desk->one);
    names_settle(&desk->names, UINT_MAX);
    names_set(&desk->names, SLICE("T"), desk->one, 0);
    names_set(&desk->names, SLICE(""), desk->two, 1);
    names_fail(&desk->names, 1, UINT_MAX, true);
    assert_null(names_find(&desk->names, SLICE("")));
    assert_non_null(names_find(&desk->names, SLICE("S")));
    assert_non_null(names_find(&desk->names, SLICE("T")));
}

/* Changes of a request that was sent ahead (5 and on) stand by themselves. */
static void what_is_behind_stays(void **state)
{
    struct desk *desk = *state;

    names_set(&desk->names, SLICE("S"), desk->one, 0);
    names_settle(&desk->names, UINT_MAX);
    names_close(&desk->names, SLICE("S"), 0);
    names_set(&desk->names, SLICE("T"), desk->one, 1);
    names_set(&desk->names, SLICE("S"), desk->two, 5);
    names_set(&desk->names, SLICE("U"), desk->two, 6);
    /* The first request fails: S was closed in vain, and is set anew all the same. */
    names_fail(&desk->names, 0, 5, false);
    assert_ptr_equal(names_find(&desk->names, SLICE("S")), desk->two);
    assert_null(names_find(&desk->names, SLICE("T")));
    assert_non_null(names_find(&desk->names, SLICE("U")));
    names_settle(&desk->names, 5);
    /* So does the second: S is what it was before both. */
    names_fail(&desk->names, 5, UINT_MAX, false);
    assert_ptr_equal(names_find(&desk->names, SLICE("S")), desk->one);
    assert_null(names_find(&desk->names, SLICE("U")));
}

static void settled_one_by_one(void **state)
{
    struct desk *desk = *state;

    names_set(&desk->names, SLICE("S"), desk->one, 0);
    names_set(&desk->names, SLICE("S"), desk->two, 1);
    names_settle(&desk->names, 1);
    names_fail(&desk->names, 0, UINT_MAX, false);
    assert_ptr_equal(names_find(&desk->names, SLICE("S")), desk->one);
}

static void replacing_a_statement(void **state)
{
    struct desk *desk = *state;

    names_set(&desk->names, SLICE("S"), desk->one, 0);
    names_set(&desk->names, SLICE(""), desk->one, 1);
    names_set(&desk->names, SLICE("T"), desk->two, 2);
    names_replace(&desk->names, desk->one, desk->two);
    assert_ptr_equal(names_find(&desk->names, SLICE("S")), desk->two);
    assert_ptr_equal(names_find(&desk->names, SLICE("")), desk->two);
    assert_ptr_equal(names_find(&desk->names, SLICE("T")), desk->two);
    names_replace(&desk->names, desk->two, desk->two);
    assert_ptr_equal(names_find(&desk->names, SLICE("T")), desk->two);
}

struct count {
    unsigned ones, twos, empty;
    const struct desk *desk;
};

static void count(void *with, struct slice name, struct statement *statement)
{
    struct count *counts = with;

    counts->ones += statement == counts->desk->one;
    counts->twos += statement == counts->desk->two;
    counts->empty += name.len == 0;
}

static void each_name(void **state)
{
    struct desk *desk = *state;
    struct count counts = {.desk = desk};

    names_each(&desk->names, count, &counts);
    assert_int_equal(counts.ones + counts.twos, 0);
    names_set(&desk->names, SLICE("S"), desk->one, 0);
    names_set(&desk->names, SLICE("T"), desk->one, 1);
    names_set(&desk->names, SLICE(""), desk->two, 2);
    names_set(&desk->names, SLICE("gone"), desk->two, 3);
    names_close(&desk->names, SLICE("gone"), 4);
    names_each(&desk->names, count, &counts);
    assert_int_equal(counts.ones, 2);
    assert_int_equal(counts.twos, 1);
    assert_int_equal(counts.empty, 1);
}

static void many_names(void **state)
{
    struct desk *desk = *state;
    char name[3] = "";

    for (unsigned i = 0; i < 500; i++) {
        name[0] = (char)('a' + i % 26);
        name[1] = (char)('a' + i / 26);
        names_set(&desk->names, slice_text(name), i % 2 ? desk->one : desk->two, i);
    }
    names_fail(&desk->names, 250, UINT_MAX, false);
    for (unsigned i = 0; i < 500; i++) {
        struct statement *expected = i % 2 ? desk->one : desk->two;

        name[0] = (char)('a' + i % 26);
        name[1] = (char)('a' + i / 26);
        assert_ptr_equal(names_find(&desk->names, slice_text(name)), i < 250 ? expected : NULL);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(names_are_exact),
        TEST(setting_replaces),
        TEST(only_what_failed_is_taken_back),
        TEST(what_was_before_comes_back),
        TEST(a_failed_unnamed_parse),
        TEST(what_is_behind_stays),
        TEST(settled_one_by_one),
        TEST(replacing_a_statement),
        TEST(each_name),
        TEST(many_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
