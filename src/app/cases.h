/* A DBA's table of statements and of what should be decided on them: YAML, a list of maps. */
#pragma once

#include "conf/diag.h"
#include "rules/rules.h"
#include "rules/hint.h"
#include "rules/plan.h"

/* What a case may expect: name, key */
#define EXPECTATIONS(X)                                                                            \
    X(STATEMENT, "statement")                                                                      \
    X(EFFECT, "effect")                                                                            \
    X(OPERATION, "operation")                                                                      \
    X(TIER, "tier")                                                                                \
    X(ROUTE, "route")                                                                              \
    X(WHY_PRIMARY, "why_primary")                                                                  \
    X(CACHE, "cache")                                                                              \
    X(WHY_NOT_CACHED, "why_not_cached")                                                            \
    X(KEY, "key")                                                                                  \
    X(FRESHNESS, "freshness")                                                                      \
    X(TARGET, "target")                                                                            \
    X(DENY, "deny")                                                                                \
    X(TIMEOUT, "timeout")                                                                          \
    X(LIMIT, "limit")

enum expectation {
#define X(name, key) EXPECT_##name,
    EXPECTATIONS(X)
#undef X
        EXPECTATION_COUNT
};
const char *expectation_key(enum expectation expectation);

struct one_case {
    const char *name; /* empty: none */
    const char *sql;
    unsigned line;             /* in the file */
    const char *const *params; /* of $1, $2, ..; NULL ones are NULLs */
    unsigned nparams;
    struct asker asker;
    struct hints hints;                      /* those of its settings */
    const char *expected[EXPECTATION_COUNT]; /* NULL: anything */
};

struct cases {
    struct one_case *at;
    unsigned count;
    struct keep *keep;
};

/* Every fault goes to `diag`. The database of a case that names none is the given one. False where
 * there is any; free with cases_clear either way. */
bool cases_read(const char *path, const struct rules *rules, const char *database,
                struct cases *cases, struct diag *diag);
void cases_clear(struct cases *cases);
