#include "app/rules_test.h"

#include <stdio.h>

#include "app/cases.h"
#include "app/catalog_file.h"
#include "app/check.h"
#include "app/offline.h"
#include "base/units.h"
#include "rules/describe.h"

/* A case, judged. */
struct judged {
    const struct one_case *one;
    struct offline offline;
    struct hints hints;
    struct asker asker;
    struct verdict verdict;
};

static void bind(struct values *values, const struct one_case *one)
{
    for (unsigned i = 0; i < values_stored(values); i++) {
        struct value *value = &values->at[i];
        unsigned at = value->number - 1;

        if (value->kind != VALUE_PARAM || at >= one->nparams)
            continue;
        value->kind = one->params[at] ? VALUE_TEXT : VALUE_NULL;
        value->bytes = slice_text(one->params[at] ? one->params[at] : "");
    }
}

static void judge(struct judged *judged, const struct settings *settings, struct catalog *catalog)
{
    offline_begin(&judged->offline, settings, catalog, slice_text(judged->one->sql));
    bind(&judged->offline.values, judged->one);
    judged->hints = judged->one->hints;
    judged->asker = judged->one->asker;
    hint_read(&judged->hints, judged->offline.values.tags);
    hint_asks(&judged->hints, &judged->asker);
    plan_judge(judged->offline.plan, &judged->offline.values, &judged->asker, &judged->verdict);
}

/* --- what there is, in the words of a case --- */

static void put_duration(int64_t ns, struct buf *out)
{
    char text[24];

    units_duration_text(ns, text);
    buf_printf(out, "%s", ns ? text : "none");
}

static void put_statement(const struct shape *shape, struct buf *out)
{
    for (unsigned i = 0; i < shape->nstatements; i++)
        buf_printf(out, "%s%s", i ? ", " : "",
                   statement_kind_text((enum statement_kind)shape->statements[i]));
}

static const char *effect_of(const struct plan *plan)
{
    if (plan->everything)
        return "everything";
    if (!plan->read)
        return "write";
    return plan->anything ? "anything" : "read";
}

static void put_freshness(const struct verdict *verdict, struct buf *out)
{
    if (verdict->freshness == FRESH_BOUND)
        put_duration(verdict->bound, out);
    else
        buf_printf(out, "%s", verdict->freshness == FRESH_CAUSAL ? "causal" : "unbounded");
}

static void put_key(const struct judged *judged, struct buf *out)
{
    const struct operation *operation = judged->verdict.operation;

    if (operation && operation->cache)
        describe_key(judged->offline.plan, &judged->offline.values, operation->cache, out);
    else
        buf_printf(out, "none");
}

static void put_act(const struct operation *operation, enum expectation what, struct buf *out)
{
    if (!operation)
        buf_printf(out, "none");
    else if (what == EXPECT_TARGET)
        put_duration(operation->target, out);
    else if (what == EXPECT_TIMEOUT)
        put_duration(operation->timeout, out);
    else if (what == EXPECT_DENY)
        buf_printf(out, "%s", operation->deny.sqlstate ? operation->deny.sqlstate : "none");
    else if (operation->limit)
        buf_printf(out, "%u", operation->limit);
    else
        buf_printf(out, "none");
}

static void put_found(const struct judged *judged, enum expectation what, struct buf *out)
{
    const struct verdict *verdict = &judged->verdict;
    const struct plan *plan = judged->offline.plan;

    switch (what) {
    case EXPECT_STATEMENT:
        put_statement(plan->shape, out);
        break;
    case EXPECT_EFFECT:
        buf_printf(out, "%s", effect_of(plan));
        break;
    case EXPECT_OPERATION:
        buf_printf(out, "%s", verdict->operation ? verdict->operation->name : "none");
        break;
    case EXPECT_TIER:
        buf_printf(out, "%s", verdict->tier < 0 ? "none" : plan->rules->tiers[verdict->tier]);
        break;
    case EXPECT_ROUTE:
        buf_printf(out, "%s", route_text(verdict->route));
        break;
    case EXPECT_WHY_PRIMARY:
        buf_printf(out, "%s", plan_reason_code(verdict->primary));
        break;
    case EXPECT_CACHE:
        buf_printf(out, "%s", verdict->cache ? verdict->cache->name : "none");
        break;
    case EXPECT_WHY_NOT_CACHED:
        buf_printf(out, "%s", plan_reason_code(verdict->uncached));
        break;
    case EXPECT_KEY:
        put_key(judged, out);
        break;
    case EXPECT_FRESHNESS:
        put_freshness(verdict, out);
        break;
    default:
        put_act(verdict->operation, what, out);
        break;
    }
}

/* --- the report --- */

/* Returns how many expectations do not hold; those go to `out`. */
static unsigned compare(const struct judged *judged, struct buf *out)
{
    unsigned differ = 0;

    for (unsigned i = 0; i < EXPECTATION_COUNT; i++) {
        const char *expected = judged->one->expected[i];
        struct buf found = {0};

        if (!expected)
            continue;
        put_found(judged, (enum expectation)i, &found);
        if (!slice_is(buf_slice(&found), expected)) {
            differ++;
            buf_printf(out, "    %s: expected %s, is %.*s\n", expectation_key((enum expectation)i),
                       expected, (int)buf_len(&found), (const char *)buf_slice(&found).at);
        }
        buf_clear(&found);
    }
    return differ;
}

static bool run_case(const struct settings *settings, struct catalog *catalog, const char *file,
                     const struct one_case *one, bool verbose)
{
    struct judged judged = {.one = one};
    struct buf differences = {0};
    bool holds;

    judge(&judged, settings, catalog);
    holds = compare(&judged, &differences) == 0;
    if (!holds || verbose)
        printf("%s:%u: %s: %s%s%s\n%.*s", file, one->line, holds ? "holds" : "differs", one->name,
               *one->name ? ": " : "", one->sql, (int)buf_len(&differences),
               buf_len(&differences) ? (const char *)buf_slice(&differences).at : "");
    buf_clear(&differences);
    offline_end(&judged.offline);
    return holds;
}

static int run_all(const struct settings *settings, struct catalog *catalog, const char *file,
                   const struct cases *cases, bool verbose)
{
    unsigned held = 0;

    for (unsigned i = 0; i < cases->count; i++)
        held += run_case(settings, catalog, file, &cases->at[i], verbose);
    printf("%s: %u of %u cases hold\n", file, held, cases->count);
    return held == cases->count ? 0 : 1;
}

static int read_and_run(const struct settings *settings, const char *dump, const char *file,
                        bool verbose)
{
    struct diag diag = {.file = file};
    struct catalog *catalog = dump ? catalog_file_load(dump) : NULL;
    struct cases cases;
    int status = 2;

    if (dump && !catalog)
        return 2;
    if (cases_read(file, settings->rules, settings->databases[0].name, &cases, &diag))
        status = run_all(settings, catalog, file, &cases, verbose);
    else
        check_print(&diag);
    cases_clear(&cases);
    catalog_unref(catalog);
    return status;
}

int rules_test(const char *path, const char *dump, const char *cases, bool verbose)
{
    struct diag diag = {.file = path};
    struct settings *settings = settings_load(path, &diag);
    int status;

    if (!settings) {
        check_print(&diag);
        return 2;
    }
    status = read_and_run(settings, dump, cases, verbose);
    settings_free(settings);
    return status;
}
