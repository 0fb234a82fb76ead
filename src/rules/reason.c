/* The codes and sentences of reasons, from the one list in plan.h. */
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
