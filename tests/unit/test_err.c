/* Errors: the newest counts, and what is too long is cut. */
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void the_newest_counts(void **state)
{
    struct err err = {0};

    (void)state;
    assert_false(err_is_set(&err));
    err_set(&err, "53300", "too many clients: %d", 7);
    err_detail(&err, "The limit is %d.", 7);
    err_hint(&err, "Raise it.");
    assert_true(err_is_set(&err));
    assert_string_equal(err.sqlstate, "53300");
    assert_string_equal(err.message, "too many clients: 7");
    assert_string_equal(err.detail, "The limit is 7.");
    assert_string_equal(err.hint, "Raise it.");
    err_set(&err, "57014", "canceled");
    assert_string_equal(err.sqlstate, "57014");
    assert_string_equal(err.detail, "");
    assert_string_equal(err.hint, "");
}

static void what_is_too_long_is_cut(void **state)
{
    struct err err;
    char wide[1000];

    (void)state;
    memset(wide, 'x', sizeof(wide) - 1);
    wide[sizeof(wide) - 1] = '\0';
    err_set(&err, "08P01-and-more", "%s", wide);
    err_detail(&err, "%s", wide);
    err_hint(&err, "%s", wide);
    assert_string_equal(err.sqlstate, "08P01");
    assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
    assert_int_equal(strlen(err.detail), sizeof(err.detail) - 1);
    assert_int_equal(strlen(err.hint), sizeof(err.hint) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_counts),
        cmocka_unit_test(what_is_too_long_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
