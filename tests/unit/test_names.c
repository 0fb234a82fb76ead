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
        TEST(many_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
