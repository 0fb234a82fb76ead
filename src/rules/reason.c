/* The codes and sentences of reasons and of tier sources, from the lists in plan.h. */
#include "rules/plan.h"

const char *plan_reason_code(enum plan_reason reason)
{
#define X(name, code, text) code,
    static const char *const codes[] = {PLAN_REASONS(X)};
#undef X

    return codes[reason];
}

const char *plan_reason_text(enum plan_reason reason)
{
#define X(name, code, text) text,
    static const char *const texts[] = {PLAN_REASONS(X)};
#undef X

    return texts[reason];
}

const char *tier_source_text(enum tier_source source)
{
#define X(name, text) text,
    static const char *const texts[] = {TIER_SOURCES(X)};
#undef X

    return texts[source];
}
