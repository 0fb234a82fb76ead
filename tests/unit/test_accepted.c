/* Sets of settings that were accepted: told apart byte by byte, the longest unused forgotten. */
#include "pool/accepted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void add(struct accepted *accepted, struct slice set, const char *value)
{
    struct vars told = {0};

    vars_set(&told, SLICE("TimeZone"), slice_text(value), true);
    accepted_add(accepted, set, &told);
    assert_int_equal(told.count, 0);
}

static const char *find(struct accepted *accepted, struct slice set)
{
    const struct vars *told = accepted_find(accepted, set);

    return told ? vars_find(told, SLICE("timezone"))->value : "none";
}

static void sets_are_told_apart(void **state)
{
    struct accepted accepted;

    (void)state;
    accepted_init(&accepted);
    assert_string_equal(find(&accepted, SLICE("a\0b\0")), "none");
    add(&accepted, SLICE("a\0b\0"), "UTC");
    add(&accepted, SLICE("a\0c\0"), "CET");
    assert_string_equal(find(&accepted, SLICE("a\0b\0")), "UTC");
    assert_string_equal(find(&accepted, SLICE("a\0c\0")), "CET");
    assert_string_equal(find(&accepted, SLICE("a\0c")), "none");
    add(&accepted, SLICE("a\0b\0"), "EET");
    assert_string_equal(find(&accepted, SLICE("a\0b\0")), "EET");
    accepted_clear(&accepted);
    assert_string_equal(find(&accepted, SLICE("a\0b\0")), "none");
    assert_int_equal(accepted.bytes, 0);
    add(&accepted, SLICE("a\0b\0"), "UTC");
    assert_string_equal(find(&accepted, SLICE("a\0b\0")), "UTC");
    accepted_clear(&accepted);
}

static void they_are_bounded(void **state)
{
    struct accepted accepted;
    char set[1024] = "", huge[300000];

    (void)state;
    accepted_init(&accepted);
    add(&accepted, SLICE("used"), "used");
    add(&accepted, SLICE("unused"), "unused");
    for (int i = 0; i < 5000; i++) {
        snprintf(set, sizeof(set), "set %d", i);
        add(&accepted, slice_of(set, sizeof(set)), set);
        assert_string_equal(find(&accepted, slice_of(set, sizeof(set))), set);
        assert_string_equal(find(&accepted, SLICE("used")), "used");
        assert_true(accepted.bytes <= 256 * 1024);
    }
    assert_string_equal(find(&accepted, SLICE("unused")), "none");
    memset(huge, 'x', sizeof(huge));
    add(&accepted, slice_of(huge, sizeof(huge)), "huge");
    assert_string_equal(find(&accepted, slice_of(huge, sizeof(huge))), "huge");
    assert_int_equal(accepted.map.count, 1);
    accepted_clear(&accepted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_are_told_apart),
        cmocka_unit_test(they_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
