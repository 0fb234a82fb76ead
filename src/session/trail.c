/* Names of steps and sources, from the same lists as their enums. */
#include "session/trail.h"

#include <ctype.h>
#include <string.h>

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

void trail_note_trace(struct trail *trail, struct slice traceparent)
{
    if (!traceparent.len || traceparent.len >= TRACE_MAX)
        return;
    for (size_t i = 0; i < traceparent.len; i++)
        if (!isxdigit(traceparent.at[i]) && traceparent.at[i] != '-')
            return;
    memcpy(trail->traceparent, traceparent.at, traceparent.len);
    trail->traceparent[traceparent.len] = '\0';
}
