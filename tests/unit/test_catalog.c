#include "sql/catalog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const rows[][7] = {
    {"r", "public", "users", "100", "r", "p", ""},
    {"r", "public", "evaluations", "101", "r", "p", "itrs"},
    {"r", "public", "orders", "102", "r", "u", ""},
    {"r", "archive", "orders", "103", "p", "p", "i"},
    {"r", "public", "pg_class", "104", "r", "p", ""},
    {"r", "public", "empty", "105", "v", "p", ""},
    {"c", "101", "user_id", "int8", "", NULL, NULL},
    {"c", "100", "id", "int8", "ud", NULL, NULL},
    {"c", "101", "id", "uuid", "u", NULL, NULL},
    {"c", "100", "full_name", "text", "gd", NULL, NULL},
    {"c", "103", "id", "int2", "", NULL, NULL},
    {"c", "103", "at", "", "u", NULL, NULL},
    {"k", "r", "pg_class pg_type", NULL, NULL, NULL, NULL},
    {"k", "v", "pg_stats", NULL, NULL, NULL, NULL},
    {"f", "lower", "i", "v", "", NULL, NULL},
    {"f", "mine", NULL, "s", "a", NULL, NULL},
    {"b", "i", "", "upper abs", NULL, NULL, NULL},
    {"b", "i", "a", "sum", NULL, NULL, NULL},
    {"b", "v", "", "random", NULL, NULL, NULL},
    {"o", "f", NULL, NULL, NULL, NULL, NULL},
};

static bool add(struct catalog *catalog, const char *const row[7])
{
    struct slice fields[7];

    for (int i = 0; i < 7; i++)
        fields[i] = row[i] ? slice_text(row[i]) : slice_of(NULL, 0);
    return catalog_add_row(catalog, fields, 7);
}

static struct catalog_function room; /* what was looked up last */

static const struct catalog_function *look_up(const struct catalog *catalog, const char *name)
{
    return catalog_function(catalog, NULL, NULL, name, -1, &room) ? &room : NULL;
}

static struct catalog *fill(void)
{
    struct catalog *catalog = catalog_new();

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_true(add(catalog, rows[i]));
    catalog_finish(catalog);
    return catalog;
}

static void test_relations(void **state)
{
    struct catalog *catalog = fill();
    const struct catalog_relation *relation = catalog_relation(catalog, NULL, NULL, "evaluations");

    (void)state;
    assert_non_null(relation);
    assert_string_equal(relation->schema, "public");
    assert_int_equal(relation->oid, 101);
    assert_true(relation->inherits && relation->triggers && relation->rules);
    assert_true(relation->row_security);
    assert_int_equal(catalog_relation(catalog, NULL, "archive", "orders")->kind, 'p');
    assert_int_equal(catalog_relation(catalog, NULL, "public", "orders")->persistence, 'u');
    assert_null(catalog_relation(catalog, NULL, NULL, "orders")); /* of two schemas */
    assert_null(catalog_relation(catalog, NULL, "archive", "users"));
    assert_null(catalog_relation(catalog, NULL, NULL, "nothing"));
    assert_string_equal(catalog_relation(catalog, NULL, NULL, "pg_class")->schema, "pg_catalog");
    assert_string_equal(catalog_relation(catalog, NULL, "public", "pg_class")->schema, "public");
    assert_int_equal(catalog_relation(catalog, NULL, "pg_catalog", "pg_stats")->kind, 'v');
    catalog_unref(catalog);
}

static void test_columns(void **state)
{
    struct catalog *catalog = fill();
    const struct catalog_relation *users = catalog_relation(catalog, NULL, NULL, "users");
    const struct catalog_column *id = catalog_column(users, "id");

    (void)state;
    assert_int_equal(users->ncolumns, 2);
    assert_int_equal(id->type, TYPE_INT8);
    assert_true(id->unique && id->has_default && !id->generated);
    assert_true(catalog_column(users, "full_name")->generated);
    assert_null(catalog_column(users, "user_id"));
    assert_int_equal(
        catalog_column(catalog_relation(catalog, NULL, NULL, "evaluations"), "id")->type,
        TYPE_UUID);
    assert_int_equal(
        catalog_column(catalog_relation(catalog, NULL, "archive", "orders"), "id")->type,
        TYPE_INT2);
    assert_int_equal(
        catalog_column(catalog_relation(catalog, NULL, "archive", "orders"), "at")->type,
        TYPE_NONE);
    assert_false(
        catalog_column(catalog_relation(catalog, NULL, "archive", "orders"), "at")->unique);
    assert_null(catalog_column(catalog_relation(catalog, NULL, NULL, "empty"), "id"));
    assert_null(catalog_column(catalog_relation(catalog, NULL, NULL, "pg_type"), "id"));
    catalog_unref(catalog);
}

static void test_functions(void **state)
{
    struct catalog *catalog = fill();
    const struct catalog_function *lower = look_up(catalog, "lower");

    (void)state;
    assert_true(lower->user);
    assert_int_equal(lower->volatility, 'i');
    assert_int_equal(lower->user_volatility, 'v');
    assert_int_equal(look_up(catalog, "mine")->volatility, '\0');
    assert_true(look_up(catalog, "mine")->aggregate);
    assert_false(look_up(catalog, "abs")->user);
    assert_true(look_up(catalog, "sum")->aggregate);
    assert_int_equal(look_up(catalog, "random")->volatility, 'v');
    assert_null(look_up(catalog, "nothing"));
    assert_false(catalog_user_operators(catalog));
    assert_false(catalog_loose_operators(catalog) || catalog_loose_domains(catalog));
    catalog_unref(catalog);
}

static const struct search_path *path_of(struct search_paths *paths, const char *setting)
{
    const struct search_path *path = search_path_find(paths, slice_text(setting), "u");

    assert_non_null(path);
    return path;
}

/* Of tables that several schemas have, and where everybody may look. */
static void test_relations_by_path(void **state)
{
    static const char *const rows_of[][7] = {
        {"r", "a", "t", "1", "r", "p", ""},
        {"r", "b", "t", "2", "r", "p", ""},
        {"r", "b", "only", "3", "r", "p", ""},
        {"r", "shut", "t", "4", "r", "p", ""},
        {"r", "u", "t", "5", "r", "p", ""},
        {"r", "a", "pg_class", "6", "r", "p", ""},
        {"k", "r", "pg_class", NULL, NULL, NULL, NULL},
        {"n", "b", NULL, NULL, NULL, NULL, NULL},
        {"n", "a", NULL, NULL, NULL, NULL, NULL},
        {"n", "u", NULL, NULL, NULL, NULL, NULL},
    };
    static const struct {
        const char *path, *schema, *name, *found; /* NULL: not sure, or none */
    } looks[] = {
        {"a, b", NULL, "t", "a"},
        {"b, a", NULL, "t", "b"},
        {"a, b", "b", "t", "b"},
        {"a", NULL, "only", NULL},
        {"a, b", NULL, "only", "b"},
        {"shut, a", NULL, "t", NULL}, /* whose user may not be allowed to look into shut */
        {"a, shut", NULL, "t", "a"},
        {"shut", NULL, "t", "shut"},
        {"shut, shut", NULL, "t", "shut"},
        {"\"$user\", a", NULL, "t", "u"},
        {"a", NULL, "pg_class", "pg_catalog"},
        {"a, pg_catalog", NULL, "pg_class", "a"},
        {"missing, b", NULL, "t", "b"},
        {"", NULL, "t", NULL},
        {"", NULL, "pg_class", "pg_catalog"},
    };
    struct catalog *catalog = catalog_new();
    struct search_paths paths = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(rows_of) / sizeof(*rows_of); i++)
        assert_true(add(catalog, rows_of[i]));
    catalog_finish(catalog);
    assert_null(catalog_relation(catalog, NULL, NULL, "t"));
    for (size_t i = 0; i < sizeof(looks) / sizeof(*looks); i++) {
        const struct catalog_relation *found = catalog_relation(
            catalog, path_of(&paths, looks[i].path), looks[i].schema, looks[i].name);
        const char *schema = found ? found->schema : "nothing";

        if (strcmp(schema, looks[i].found ? looks[i].found : "nothing") != 0)
            fail_msg("row %zu: %s", i, schema);
    }
    search_paths_clear(&paths);
    catalog_unref(catalog);
}

/* Only those count that a call of so many arguments may mean. */
static void test_overloads(void **state)
{
    static const char *const rows_of[][7] = {
        {"f", "f", "i", "v", "", NULL, "2 2 a"},  {"f", "f", "i", "s", "", NULL, "3 5 a"},
        {"f", "f", "i", "i", "", NULL, "1 -1 b"}, {"f", "g", NULL, "s", "", NULL, "0 0 a"},
        {"f", "old", NULL, "v", "", NULL, NULL}, /* of a dump without signatures */
    };
    static const struct {
        const char *path, *schema, *name;
        int nargs;
        const char *found; /* volatility of PostgreSQL's own, of the user's; NULL: none */
    } looks[] = {
        {NULL, NULL, "f", -1, "iv"},        {NULL, NULL, "f", 0, "i-"},
        {NULL, NULL, "f", 1, "ii"},         {NULL, NULL, "f", 2, "iv"},
        {NULL, NULL, "f", 4, "is"},         {NULL, NULL, "f", 6, "ii"},
        {NULL, "b", "f", 2, "ii"},          {NULL, "a", "f", 1, "i-"},
        {NULL, "pg_catalog", "f", 2, "i-"}, {"b", NULL, "f", 2, "ii"},
        {"a", NULL, "f", 4, "is"},          {"c", NULL, "f", 2, "i-"},
        {NULL, NULL, "g", 0, "-s"},         {NULL, NULL, "g", 1, NULL},
        {"b", NULL, "g", 0, NULL},          {"b", NULL, "old", 7, "-v"},
        {NULL, NULL, "none", 1, NULL},
    };
    struct catalog *catalog = catalog_new();
    struct search_paths paths = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(rows_of) / sizeof(*rows_of); i++)
        assert_true(add(catalog, rows_of[i]));
    catalog_finish(catalog);
    for (size_t i = 0; i < sizeof(looks) / sizeof(*looks); i++) {
        const struct search_path *path = looks[i].path ? path_of(&paths, looks[i].path) : NULL;
        struct catalog_function found;
        bool any =
            catalog_function(catalog, path, looks[i].schema, looks[i].name, looks[i].nargs, &found);

        if (any != (looks[i].found != NULL))
            fail_msg("row %zu", i);
        if (!any)
            continue;
        assert_int_equal(found.volatility ? found.volatility : '-', looks[i].found[0]);
        assert_int_equal(found.user ? found.user_volatility : '-', looks[i].found[1]);
    }
    search_paths_clear(&paths);
    catalog_unref(catalog);
}

/* What the sources of a user's functions may leave on the session: of all of a name together. */
static void test_what_functions_leave(void **state)
{
    static const char *const rows_of[][7] = {
        {"f", "harmless", NULL, "v", "", NULL, NULL},
        {"f", "sets", NULL, "v", "w", "app.tenant app.user", NULL},
        {"f", "computes", NULL, "s", "wu", "", NULL},
        {"f", "both", "i", "v", "aw", "a.b", NULL},
        {"b", "v", "", "set_config", NULL, NULL, NULL},
    };
    struct catalog *catalog = catalog_new();

    (void)state;
    for (size_t i = 0; i < sizeof(rows_of) / sizeof(*rows_of); i++)
        assert_true(add(catalog, rows_of[i]));
    catalog_finish(catalog);
    assert_false(look_up(catalog, "harmless")->leaving);
    assert_true(look_up(catalog, "sets")->leaving);
    assert_false(look_up(catalog, "sets")->computed);
    assert_string_equal(look_up(catalog, "sets")->settings, "app.tenant app.user");
    assert_true(look_up(catalog, "computes")->leaving);
    assert_true(look_up(catalog, "computes")->computed);
    assert_null(look_up(catalog, "computes")->settings);
    assert_true(look_up(catalog, "both")->leaving);
    assert_true(look_up(catalog, "both")->aggregate);
    assert_false(look_up(catalog, "set_config")->leaving);
    assert_null(look_up(catalog, "set_config")->settings);
    catalog_unref(catalog);
}

/* Partitions, children, and those whose family nobody stands for. */
static void test_families(void **state)
{
    static const char *const rows_of[][7] = {
        {"r", "public", "root", "1", "p", "p", "i"},
        {"r", "public", "part", "2", "r", "p", "it"},
        {"r", "public", "deep", "3", "r", "p", "i"},
        {"r", "public", "old", "4", "r", "p", "i"},
        {"r", "public", "young", "5", "r", "p", "i"},
        {"r", "public", "mother", "6", "r", "p", "i"},
        {"r", "public", "father", "7", "r", "p", "i"},
        {"r", "public", "child", "8", "r", "p", "i"},
        {"r", "public", "far", "9", "p", "p", "i"},
        {"r", "public", "foreign", "10", "f", "p", "i"},
        {"r", "public", "orphan", "11", "r", "p", "i"},
        {"r", "public", "alone", "12", "r", "p", ""},
        {"c", "1", "id", "int4", "u", NULL, NULL},
        {"c", "2", "id", "int4", "u", NULL, NULL},
        {"c", "4", "id", "int4", "u", NULL, NULL},
        {"c", "12", "id", "int4", "u", NULL, NULL},
        {"i", "3", "2", NULL, NULL, NULL, NULL},
        {"i", "2", "1", NULL, NULL, NULL, NULL},
        {"i", "5", "4", NULL, NULL, NULL, NULL},
        {"i", "8", "6", NULL, NULL, NULL, NULL},
        {"i", "8", "7", NULL, NULL, NULL, NULL},
        {"i", "10", "9", NULL, NULL, NULL, NULL},
        {"i", "11", "999", NULL, NULL, NULL, NULL},
    };
    static const struct {
        const char *name, *family;
    } families[] = {{"root", "root"}, {"part", "root"},  {"deep", "root"}, {"old", "old"},
                    {"young", "old"}, {"mother", NULL},  {"father", NULL}, {"child", NULL},
                    {"far", NULL},    {"foreign", NULL}, {"orphan", NULL}, {"alone", "alone"}};
    struct catalog *catalog = catalog_new();

    (void)state;
    for (size_t i = 0; i < sizeof(rows_of) / sizeof(*rows_of); i++)
        assert_true(add(catalog, rows_of[i]));
    catalog_finish(catalog);
    for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
        const struct catalog_relation *found =
            catalog_relation(catalog, NULL, NULL, families[i].name);
        const struct catalog_relation *expected =
            families[i].family ? catalog_relation(catalog, NULL, NULL, families[i].family) : NULL;

        if (found->family != expected)
            fail_msg("%s", families[i].name);
    }
    assert_true(catalog_relation(catalog, NULL, NULL, "root")->triggers);
    assert_true(catalog_column(catalog_relation(catalog, NULL, NULL, "root"), "id")->unique);
    assert_false(catalog_column(catalog_relation(catalog, NULL, NULL, "old"), "id")->unique);
    assert_true(catalog_column(catalog_relation(catalog, NULL, NULL, "alone"), "id")->unique);
    catalog_unref(catalog);
}

static void test_followers_and_texts(void **state)
{
    static const char *const rows_of[][7] = {
        {"r", "public", "root", "1", "p", "p", "i"},    {"r", "public", "part", "2", "r", "p", "i"},
        {"r", "public", "child", "3", "r", "p", ""},    {"r", "public", "vw", "4", "v", "p", "s"},
        {"i", "2", "1", NULL, NULL, NULL, NULL},        {"d", "1", "3", "id", "d", NULL, NULL},
        {"d", "2", "3", "id", "u", NULL, NULL},         {"d", "1", "99", "k", "du", NULL, NULL},
        {"d", "99", "1", "k", "du", NULL, NULL},        {"d", "3", "3", "up", "d", NULL, NULL},
        {"v", "4", "SELECT 1", NULL, NULL, NULL, NULL}, {"p", "4", "a = 1", NULL, NULL, NULL, NULL},
        {"p", "4", NULL, NULL, NULL, NULL, NULL},
    };
    struct catalog *catalog = catalog_new();
    const struct catalog_relation *root, *child, *view;

    (void)state;
    for (size_t i = 0; i < sizeof(rows_of) / sizeof(*rows_of); i++)
        assert_true(add(catalog, rows_of[i]));
    catalog_finish(catalog);
    root = catalog_relation(catalog, NULL, NULL, "root");
    child = catalog_relation(catalog, NULL, NULL, "child");
    view = catalog_relation(catalog, NULL, NULL, "vw");
    assert_int_equal(root->nfollowers, 3);
    assert_int_equal(catalog_relation(catalog, NULL, NULL, "part")->nfollowers, 0);
    for (unsigned i = 0; i < 3; i++) {
        const struct catalog_follower *follower = &root->followers[i];

        assert_ptr_equal(follower->relation, strcmp(follower->column, "k") == 0 ? NULL : child);
        assert_true(follower->on_delete || follower->on_update);
    }
    assert_int_equal(child->nfollowers, 1);
    assert_ptr_equal(child->followers[0].relation, child);
    assert_true(child->followers[0].on_delete && !child->followers[0].on_update);
    assert_string_equal(view->definition, "SELECT 1");
    assert_int_equal(view->npolicies, 2);
    assert_string_equal(view->policies[0], "a = 1");
    assert_null(view->policies[1]);
    assert_null(root->definition);
    catalog_unref(catalog);
}

static uint64_t digest_of(unsigned from, unsigned to, bool backwards)
{
    struct catalog *catalog = catalog_new();
    uint64_t digest;

    for (unsigned i = from; i < to; i++)
        assert_true(add(catalog, rows[backwards ? to - 1 - (i - from) : i]));
    catalog_finish(catalog);
    digest = catalog_digest(catalog);
    catalog_unref(catalog);
    return digest;
}

/* The same rows in any order are the same catalog; any other row makes it another. */
static void test_digest(void **state)
{
    (void)state;
    assert_int_equal(digest_of(0, 12, false), digest_of(0, 12, true));
    assert_int_not_equal(digest_of(0, 12, false), digest_of(0, 11, false));
    assert_int_not_equal(digest_of(0, 1, false), digest_of(1, 2, false));
    assert_int_not_equal(digest_of(0, 2, false), digest_of(0, 1, false));
}

static void test_marks_of_operators(void **state)
{
    static const char *const rows_of[][7] = {{"o", "t", "w", NULL, NULL, NULL, NULL},
                                             {"o", "f", "d", NULL, NULL, NULL, NULL}};
    struct catalog *catalog = catalog_new();

    (void)state;
    assert_true(catalog_loose_operators(catalog) && catalog_loose_domains(catalog));
    assert_true(add(catalog, rows_of[0]));
    assert_true(catalog_loose_operators(catalog) && !catalog_loose_domains(catalog));
    assert_true(add(catalog, rows_of[1]));
    assert_true(!catalog_loose_operators(catalog) && catalog_loose_domains(catalog));
    catalog_unref(catalog);
}

static void test_bad_rows(void **state)
{
    static const char *const bad[][7] = {
        {"x", NULL, NULL, NULL, NULL, NULL, NULL},
        {NULL, NULL, NULL, NULL, NULL, NULL, NULL},
        {"r", "public", "t", "oid", "r", "p", ""},
        {"r", "public", "t", "99999999999", "r", "p", ""},
        {"r", "public", NULL, "1", "r", "p", ""},
        {"r", "public", "t", "1", NULL, "p", ""},
        {"c", "1", "id", NULL, "", NULL, NULL},
        {"f", "g", "i", NULL, "", NULL, NULL},
        {"b", "i", "", NULL, NULL, NULL, NULL},
        {"k", "r", NULL, NULL, NULL, NULL, NULL},
        {"i", "1", "x", NULL, NULL, NULL, NULL},
        {"d", "1", "2", NULL, "d", NULL, NULL},
        {"d", "", "2", "id", "d", NULL, NULL},
        {"v", NULL, "SELECT 1", NULL, NULL, NULL, NULL},
        {"p", "x", "true", NULL, NULL, NULL, NULL},
        {"o", NULL, NULL, NULL, NULL, NULL, NULL},
    };
    struct catalog *catalog = catalog_new();
    struct slice field = SLICE("r");

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(add(catalog, bad[i]));
    assert_false(catalog_add_row(catalog, &field, 1));
    catalog_finish(catalog);
    assert_null(catalog_relation(catalog, NULL, NULL, "t"));
    assert_null(look_up(catalog, "g"));
    assert_true(catalog_user_operators(catalog)); /* nothing said so far */
    catalog_ref(catalog);
    catalog_unref(catalog);
    catalog_unref(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relations),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_relations_by_path),
        cmocka_unit_test(test_overloads),
        cmocka_unit_test(test_marks_of_operators),
        cmocka_unit_test(test_bad_rows),
        cmocka_unit_test(test_what_functions_leave),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_followers_and_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
