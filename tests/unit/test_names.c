/* A client's names: found, replaced, and taken back where their Parse has failed. */
#include "session/names.h"

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
    desk.one = statement_of(&desk.all, SLICE("select 1"), SLICE(""));
    desk.two = statement_of(&desk.all, SLICE("select 2"), SLICE(""));
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

    names_set(&desk->names, SLICE("S_1"), desk->one, 1, 0);
    names_set(&desk->names, SLICE(""), desk->two, 1, 1);
    assert_ptr_equal(names_find(&desk->names, SLICE("S_1")), desk->one);
    assert_ptr_equal(names_find(&desk->names, SLICE("")), desk->two);
    assert_null(names_find(&desk->names, SLICE("s_1")));
    assert_null(names_find(&desk->names, SLICE("S_")));
    assert_null(names_find(&desk->names, SLICE("S_11")));
}

static void setting_replaces(void **state)
{
    struct desk *desk = *state;

    names_set(&desk->names, SLICE(""), desk->one, 1, 0);
    names_set(&desk->names, SLICE(""), desk->two, 1, 1);
    assert_ptr_equal(names_find(&desk->names, SLICE("")), desk->two);
    /* The same statement under its own name is not let go of in between. */
    names_set(&desk->names, SLICE(""), desk->two, 1, 2);
    assert_ptr_equal(names_find(&desk->names, SLICE("")), desk->two);
    names_remove(&desk->names, SLICE(""));
    names_remove(&desk->names, SLICE(""));
    assert_null(names_find(&desk->names, SLICE("")));
}

static void only_what_failed_is_taken_back(void **state)
{
    struct desk *desk = *state;

    names_set(&desk->names, SLICE("old"), desk->one, 1, 5);
    names_set(&desk->names, SLICE("a"), desk->one, 2, 0);
    names_set(&desk->names, SLICE("b"), desk->two, 2, 1);
    names_set(&desk->names, SLICE("c"), desk->one, 2, 2);
    names_fail(&desk->names, 2, 1);
    assert_non_null(names_find(&desk->names, SLICE("old")));
    assert_non_null(names_find(&desk->names, SLICE("a")));
    assert_null(names_find(&desk->names, SLICE("b")));
    assert_null(names_find(&desk->names, SLICE("c")));
    names_fail(&desk->names, 2, 0);
    assert_null(names_find(&desk->names, SLICE("a")));
    assert_non_null(names_find(&desk->names, SLICE("old")));
}

static void many_names(void **state)
{
    struct desk *desk = *state;
    char name[3] = "";

    for (unsigned i = 0; i < 500; i++) {
        name[0] = (char)('a' + i % 26);
        name[1] = (char)('a' + i / 26);
        names_set(&desk->names, slice_text(name), i % 2 ? desk->one : desk->two, 1 + i % 2, i);
    }
    names_fail(&desk->names, 1, 0);
    for (unsigned i = 0; i < 500; i++) {
        name[0] = (char)('a' + i % 26);
        name[1] = (char)('a' + i / 26);
        assert_ptr_equal(names_find(&desk->names, slice_text(name)), i % 2 ? desk->one : NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_are_exact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(setting_replaces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_what_failed_is_taken_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_names, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
