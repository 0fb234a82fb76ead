#include "sql/search_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What the setting means for the role "Me": its schemas with blanks between; NULL: not understood.
 */
static const struct {
    const char *setting, *schemas;
} ROWS[] = {
    {"public", "pg_catalog public"},
    {"\"$user\", public", "pg_catalog Me public"},
    {"$user", "pg_catalog Me"},
    {"a,b", "pg_catalog a b"},
    {"  a ,\tb\n", "pg_catalog a b"},
    {"Mixed, \"Mixed\"", "pg_catalog mixed Mixed"},
    {"\"a \"\"b\"\", c\"", "pg_catalog a \"b\", c"},
    {"a, pg_catalog", "a pg_catalog"},
    {"pg_temp, a", "pg_catalog a"},
    {"", "pg_catalog"},
    {"\"\xc3\xa4\"", "pg_catalog \xc3\xa4"},
    {"\xc3\x84", NULL}, /* how it is folded depends on the server */
    {"a b", NULL},
    {"a,", NULL},
    {",a", NULL},
    {"\"a", NULL},
    {"\"\"", NULL},
    {"\"a\"b", NULL},
    {"a\"b\"", NULL},
};

static void read_settings(void **state)
{
    struct search_paths paths = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++) {
        const struct search_path *path =
            search_path_find(&paths, slice_text(ROWS[i].setting), "Me");
        char said[200] = "";

        for (unsigned k = 0; path && k < path->nschemas; k++)
            snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s%s", k ? " " : "",
                     path->schemas[k]);
        if (!path != !ROWS[i].schemas || (path && strcmp(said, ROWS[i].schemas) != 0))
            fail_msg("%s\n  is  %s", ROWS[i].setting, path ? said : "not understood");
    }
    search_paths_clear(&paths);
}

static void share_equal_ones(void **state)
{
    struct search_paths paths = {0};
    const struct search_path *first = search_path_find(&paths, SLICE("a, b"), "u");

    (void)state;
    assert_ptr_equal(first, search_path_find(&paths, SLICE("A,\"b\""), "v"));
    assert_ptr_not_equal(first, search_path_find(&paths, SLICE("b, a"), "u"));
    assert_ptr_not_equal(search_path_find(&paths, SLICE("$user"), "u"),
                         search_path_find(&paths, SLICE("$user"), "v"));
    search_paths_clear(&paths);
}

static void bound_their_number(void **state)
{
    struct search_paths paths = {0};
    char setting[24];
    unsigned known = 0;

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(setting, sizeof(setting), "tenant_%u", i);
        known += search_path_find(&paths, slice_text(setting), "u") != NULL;
    }
    assert_int_equal(known, 10000);
    assert_non_null(search_path_find(&paths, SLICE("tenant_7"), "u"));
    search_paths_clear(&paths);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_settings),
        cmocka_unit_test(share_equal_ones),
        cmocka_unit_test(bound_their_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
