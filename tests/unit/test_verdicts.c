/* The third column of shapes.txt: what a statement may do, where it may run, whether its answer may
 * be kept, and which cells it reads or touches, against the catalog of shapes.sql (shapes.catalog).
 * With -p it prints the table with what it finds. */
#include "app/catalog_file.h"
#include "app/settings.h"
#include "rules/plan.h"
#include "sql/finger.h"
#include "table.h"

#include <unistd.h>

static const char RULES[] =
    "databases: { app: { primary: \"postgresql://a@h/a\" } }\n"
    "auth: { type: trust }\n"
    "relations:\n"
    "  t: { dimensions: [id, k], unique: [id] }\n"
    "  u: { dimensions: [id], unique: [id] }\n"
    "  a: { dimensions: [id, a, k], unique: [id] }\n"
    "  b: { dimensions: [id, a, kind], unique: [id] }\n"
    "  e: { dimensions: [id, user_id], unique: [id] }\n"
    "  users: { dimensions: [id, email, tier], unique: [id, email] }\n"
    "  orders: { dimensions: [id, user_id], unique: [id] }\n"
    "  org: { dimensions: [id], unique: [id] }\n"
    "  employee: { dimensions: [id], unique: [id] }\n"
    "  app_item: { dimensions: [id], unique: [id] }\n"
    "  auth_user: { dimensions: [id, username, email], unique: [id, username] }\n"
    "  pgbench_accounts: { dimensions: [aid, bid], unique: [aid] }\n"
    "  business_evaluations: { dimensions: [id, user_id, subscription_tier], unique: [id] }\n"
    "  User: { dimensions: [id, email, orgId], unique: [id, email] }\n"
    "  Post: { dimensions: [id, userId], unique: [id] }\n"
    "  BusinessEvaluation: { dimensions: [id, userId], unique: [id] }\n"
    "operations: { all: { match: {}, cache: kept } }\n"
    "cache: { classes: { kept: { key: kept, ttl: 1h } } }\n";

static struct settings *settings;
static struct catalog *catalog;
static struct values values;

static struct settings *load_rules(void)
{
    char path[] = "/tmp/test_verdicts_XXXXXX";
    int file = mkstemp(path);
    struct diag diag = {.file = "the rules"};
    struct buf said = {0};
    struct settings *loaded;

    if (write(file, RULES, strlen(RULES)) != (ssize_t)strlen(RULES))
        abort();
    close(file);
    loaded = settings_load(path, &diag);
    unlink(path);
    diag_print(&diag, &said);
    fprintf(stderr, "%.*s", (int)buf_len(&said), (const char *)buf_slice(&said).at);
    buf_clear(&said);
    diag_clear(&diag);
    return loaded;
}

/* $n as if it were bound to the text "n". */
static void bind_all(char numbers[VALUES_MAX][8])
{
    for (unsigned i = 0; i < values_stored(&values); i++) {
        struct value *value = &values.at[i];

        if (value->kind != VALUE_PARAM)
            continue;
        snprintf(numbers[i], 8, "%u", value->number);
        *value = (struct value){.kind = VALUE_TEXT,
                                .list = value->list,
                                .number = value->number,
                                .pos = value->pos,
                                .bytes = slice_text(numbers[i])};
    }
}

static void put_values(struct buf *out, const struct plan *plan, const struct pinned *pinned,
                       unsigned ref, bool given, const char *open)
{
    const char *before = open;

    for (unsigned i = 0; i < pinned->count; i++) {
        if (pinned->values[i].ref != ref || pinned->values[i].given != given)
            continue;
        buf_printf(out, "%s%s=%.*s", before,
                   plan->refs[ref].relation->dimensions[pinned->values[i].dimension],
                   pinned->values[i].len, pinned->bytes + pinned->values[i].at);
        before = ",";
    }
    if (before != open)
        buf_printf(out, "}");
}

/* "users{id=7}": where they are pinned; "new{..}": to what they are set or inserted. */
static void put_footprint(struct buf *out, const struct plan *plan)
{
    struct pinned pinned;

    plan_pinned(plan, &values, &pinned);
    if (plan->nrefs == 0)
        buf_printf(out, " -");
    for (unsigned i = 0; i < plan->nrefs; i++) {
        const struct plan_ref *ref = &plan->refs[i];

        buf_printf(out, " %s%s", ref->ref->name, ref->certain ? "" : "?");
        put_values(out, plan, &pinned, i, false, "{");
        put_values(out, plan, &pinned, i, true, "new{");
    }
}

static void find(struct buf *out, const char *text, const char *expected)
{
    static const struct asker asker = {
        .database = "app", .user = "u", .application_name = "", .address = ""};
    char numbers[VALUES_MAX][8];
    struct hash128 hash;
    struct shape *shape;
    struct plan *plan;
    struct verdict verdict;

    (void)expected;
    finger_text(slice_text(text), &hash, &values);
    shape = shape_new(slice_text(text), hash, &values);
    bind_all(numbers);
    plan = plan_new(settings->rules, catalog, shape, NULL);
    plan_judge(plan, &values, &asker, &verdict);
    buf_printf(out, "%s%s, %s, %s,",
               plan->everything ? "everything"
               : !plan->read    ? "write"
               : plan->anything ? "anything"
                                : "read",
               plan->bound ? " bound" : "",
               verdict.primary == PLAN_NONE ? "any" : plan_reason_code(verdict.primary),
               verdict.cache ? "kept" : plan_reason_code(verdict.uncached));
    put_footprint(out, plan);
    plan_free(plan);
    shape_free(shape);
}

static void test_verdicts(void **state)
{
    (void)state;
    table_check("shapes.txt", 2, find);
}

static int set_up(void **state)
{
    (void)state;
    settings = load_rules();
    catalog = catalog_file_load("shapes.catalog");
    return !settings || !catalog;
}

static int tear_down(void **state)
{
    (void)state;
    catalog_unref(catalog);
    settings_free(settings);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_verdicts)};

    table_print = argc > 1 && strcmp(argv[1], "-p") == 0;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
