/* What one request did, told to whoever keeps records once ReadyForQuery has left. */
#pragma once

#include "rules/plan.h"
#include "sql/shapes.h"

/* The steps of a request in order: name. The names are labels of logs and metrics. */
#define STEPS(X)                                                                                   \
    X(INSPECT, "inspect")                                                                          \
    X(JUDGE, "judge")                                                                              \
    X(TIER, "tier")                                                                                \
    X(NEED, "need")                                                                                \
    X(ANSWER, "answer")                                                                            \
    X(ADMIT, "admit")                                                                              \
    X(ROUTE, "route")                                                                              \
    X(TAKE, "take")                                                                                \
    X(RELAY, "relay")

enum step_name {
#define X(name, text) STEP_##name,
    STEPS(X)
#undef X
        STEP_COUNT
};
const char *step_text(enum step_name step);

/* Who answered. */
#define SOURCES(X)                                                                                 \
    X(NONE, "none") /* refused, or nothing to ask: an error of ours, an empty request */           \
    X(CACHE, "cache")                                                                              \
    X(REPLICA, "replica")                                                                          \
    X(PRIMARY, "primary")

enum source {
#define X(name, text) SOURCE_##name,
    SOURCES(X)
#undef X
        SOURCE_COUNT
};
const char *source_text(enum source source);

enum { TRACE_MAX = 64 };

struct trail {
    const struct rules *rules;         /* which operation and tier are of */
    const struct operation *operation; /* NULL: none matched */
    int tier;                          /* index in rules.tiers, or -1 */
    enum source source;
    struct known_shape *known;          /* NULL: not one statement, or not understood */
    const struct cache_class *cache;    /* NULL: not cacheable, see `uncached` */
    enum plan_reason uncached, primary; /* why not from the cache; why from the primary */
    bool write, failed;
    bool led, joined;     /* led a flight; was answered by another's flight */
    bool asked_again;     /* a replica's answer was thrown away or was an error */
    uint64_t rows, bytes; /* to the client */
    uint64_t values;      /* a hash of its values, where a rule could have it kept; 0: none could */
    char traceparent[TRACE_MAX]; /* W3C trace context of its comment; empty: none */
    int64_t began, ended;        /* ns, clock_now */
    /* ns until each step that waited or answered had its answer; a step that did neither is counted
     * with the one that it led to, and is 0. */
    int64_t spent[STEP_COUNT];
};

/* What is longer than a traceparent of today, or holds what none may, is none. */
void trail_note_trace(struct trail *trail, struct slice traceparent);

/* Where trails go. `trail` is valid until the call returns. */
struct trail_sink {
    void (*finished)(void *owner, const struct trail *trail);
    void *owner;
};
