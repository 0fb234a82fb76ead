/* Names of steps and sources, from the same lists as their enums. */
#include "session/trail.h"

const char *step_text(enum step_name step)
{
    static const char *const texts[STEP_COUNT] = {
#define X(name, text) [STEP_##name] = text,
        STEPS(X)
#undef X
    };

    return texts[step];
}

const char *source_text(enum source source)
{
    static const char *const texts[SOURCE_COUNT] = {
#define X(name, text) [SOURCE_##name] = text,
        SOURCES(X)
#undef X
    };

    return texts[source];
}
