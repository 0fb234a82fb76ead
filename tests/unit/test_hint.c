/* Tags in comments and settings "pgtier.*": what is taken from which text, and what a verdict
 * becomes by it. */
#include "rules/hint.h"

#include "rules/plan.h"
#include "sql/finger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void describe(const struct hints *hints, char *out, size_t size)
{
    static const char *const routes[] = {"", " primary", " replica"};

    snprintf(out, size, "%s%s", hints->no_cache ? " uncached" : "", routes[hints->route]);
    if (hints->has_freshness)
        snprintf(out + strlen(out), size - strlen(out), " fresh %d/%lld", (int)hints->freshness,
                 (long long)hints->bound / 1000000);
#define PUT(word, member)                                                                          \
    if (hints->member.len)                                                                         \
    snprintf(out + strlen(out), size - strlen(out), " " word "=%.*s", (int)hints->member.len,      \
             (const char *)hints->member.at)
    PUT("tier", tier);
    PUT("user", user);
    PUT("operation", operation);
    PUT("trace", traceparent);
    PUT("wrong", wrong);
#undef PUT
}

static const struct {
    const char *text, *said;
} texts[] = {
    {"SELECT 1", ""},
    {"SELECT 1 /* tier is professional */", ""},
    {"SELECT 1 /*tier='professional'*/", " tier=professional"},
    {"/* tier='professional' */ SELECT 1", " tier=professional"},
    {"SELECT 1 /*tier='professional',operation='list'*/;", " tier=professional operation=list"},
    {"SELECT 1 /* tier='a' , operation='b'\n*/", " tier=a operation=b"},
    {"SELECT 1 "
     "/*action='%2Fpolls',traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"
     "01'*/",
     " trace=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
    /* a framework's route is none of ours */
    {"SELECT 1 /*route='primary',cache='off'*/", ""},
    {"SELECT 1 /*pgtier.route='primary',pgtier.cache='off'*/", " uncached primary"},
    {"SELECT 1 /*pgtier.route='replica',pgtier.freshness='2s'*/", " replica fresh 1/2000"},
    {"SELECT 1 /*pgtier.freshness='unbounded'*/", " fresh 2/0"},
    {"SELECT 1 /*pgtier.freshness='causal'*/", " fresh 0/0"},
    {"SELECT 1 /*pgtier.tier='x'*/", " tier=x"},
    {"SELECT 1 /*user_id='42',tier='x'*/", " tier=x user=42"},
    {"SELECT 1 /*pgtier.user_id='a%20b'*/", " user=a b"},
    /* escapes */
    {"SELECT 1 /*operation='a%20b%2'*/", " operation=a b%2"},
    {"SELECT 1 /*operation='it\\'s'*/", " operation=it's"},
    {"SELECT 1 /*operation='%27%25'*/", " operation='%"},
    /* the last one that holds tags, and only comments */
    {"/*tier='a'*/ SELECT /*tier='b'*/ 1 /* no more */", " tier=b"},
    {"SELECT '/*tier=''a''*/'", ""},
    {"SELECT 1 -- /*tier='a'*/", ""},
    {"SELECT $x$/*tier='a'*/$x$ /* outer /* tier='a' */ */", ""},
    /* what is wrong changes nothing else */
    {"SELECT 1 /*pgtier.route='primry',tier='a'*/", " tier=a wrong=pgtier.route='primry'"},
    {"SELECT 1 /*pgtier.rout='primary'*/", " wrong=pgtier.rout='primary'"},
    {"SELECT 1 /*pgtier.freshness='-2s'*/", " wrong=pgtier.freshness='-2s'"},
    {"SELECT 1 /*tier=a,operation='1'*/", ""},
    {"SELECT 1 /*tier='a*/", ""},
    {"SELECT 1 /*'*/", ""},
    {"SELECT 1 /*='a'*/", ""},
};

static void tags(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct hints hints = {0};
        struct hash128 hash;
        struct values values;
        char said[256];

        assert_true(finger_text(slice_text(texts[i].text), &hash, &values));
        hint_read(&hints, values.tags);
        describe(&hints, said, sizeof(said));
        if (strcmp(said, texts[i].said) != 0)
            fail_msg("%s:\n\"%s\", not \"%s\"", texts[i].text, said, texts[i].said);
    }
}

/* What has no room is not cut. */
static void too_long(void **state)
{
    struct hints hints = {0};
    char text[700];

    (void)state;
    snprintf(text, sizeof(text), "tier='%%20%0600d',operation='7'", 0);
    hint_read(&hints, slice_text(text));
    assert_int_equal(hints.tier.len, 0);
    assert_true(slice_is(hints.operation, "7"));
    assert_int_equal(hints.wrong.at - (const uint8_t *)text, 0);
}

static const struct {
    const char *name, *value;
    enum hint hint;
    bool good;
} settings[] = {
    {"pgtier.cache", "off", HINT_CACHE, true},
    {"PgTier.Cache", "ON", HINT_CACHE, true},
    {"pgtier.cache", "perhaps", HINT_CACHE, false},
    {"pgtier.cache", "", HINT_CACHE, true},
    {"pgtier.route", "default", HINT_ROUTE, true},
    {"pgtier.route", "nearest", HINT_ROUTE, false},
    {"pgtier.freshness", "10s", HINT_FRESHNESS, true},
    {"pgtier.freshness", "10 parsecs", HINT_FRESHNESS, false},
    {"pgtier.freshness", "0s", HINT_FRESHNESS, false},
    {"pgtier.operation", "anything", HINT_OPERATION, true},
};

static void names(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
        struct hints hints = {0};
        enum hint hint = hint_named(slice_text(settings[i].name));

        assert_int_equal(hint, settings[i].hint);
        assert_int_equal(hint_set(&hints, hint, slice_text(settings[i].value)), settings[i].good);
    }
    assert_int_equal(hint_named(SLICE("pgtier.cach")), HINT_COUNT);
    assert_int_equal(hint_named(SLICE("cache")), HINT_COUNT);
    assert_true(hint_is_ours(SLICE("pgtier.cach")));
    assert_false(hint_is_ours(SLICE("pgtie")));
}

/* Of a read that may run anywhere, and of one that only the primary may answer. */
static void verdicts(void **state)
{
    static const struct operation bound = {.has_route = true};
    static const struct cache_class class = {.name = "class"};
    static const struct {
        struct hints hints;
        enum plan_reason primary; /* of the plan */
        const struct operation *operation;
        enum route route, want;
        enum plan_reason why;
    } cases[] = {
        {{0}, PLAN_NONE, NULL, ROUTE_REPLICA, ROUTE_REPLICA, PLAN_NONE},
        {{.route = HINT_ROUTE_PRIMARY}, PLAN_NONE, NULL, ROUTE_REPLICA, ROUTE_PRIMARY, PLAN_HINT},
        {{.route = HINT_ROUTE_PRIMARY}, PLAN_NONE, &bound, ROUTE_REPLICA, ROUTE_PRIMARY, PLAN_HINT},
        {{.route = HINT_ROUTE_REPLICA}, PLAN_NONE, NULL, ROUTE_PRIMARY, ROUTE_REPLICA, PLAN_NONE},
        {{.route = HINT_ROUTE_REPLICA}, PLAN_WRITE, NULL, ROUTE_PRIMARY, ROUTE_PRIMARY, PLAN_WRITE},
        {{.route = HINT_ROUTE_REPLICA}, PLAN_NONE, &bound, ROUTE_PRIMARY, ROUTE_PRIMARY, PLAN_RULE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct plan plan = {.primary = cases[i].primary};
        struct verdict verdict = {.operation = cases[i].operation,
                                  .route = cases[i].route,
                                  .cache = &class,
                                  .primary = cases[i].route == ROUTE_REPLICA ? PLAN_NONE
                                             : cases[i].primary == PLAN_NONE ? PLAN_RULE
                                                                             : cases[i].primary};
        struct hints uncached = cases[i].hints;

        hint_judge(&cases[i].hints, &plan, &verdict);
        assert_int_equal(verdict.route, cases[i].want);
        assert_int_equal(verdict.primary, cases[i].why);
        assert_ptr_equal(verdict.cache, &class);
        uncached.no_cache = true;
        hint_judge(&uncached, &plan, &verdict);
        assert_null(verdict.cache);
        assert_int_equal(verdict.uncached, PLAN_HINT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags),
        cmocka_unit_test(too_long),
        cmocka_unit_test(names),
        cmocka_unit_test(verdicts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
