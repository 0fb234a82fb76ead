/* Keeps the records of finished requests of one loop: how many, how long, from where, and against
 * which target. Costs no allocation but at the first request of its kind. */
#pragma once

#include "base/histo.h"
#include "base/map.h"
#include "session/trail.h"

/* All requests of one operation and tier that one source answered. Named by their names, so that
 * they outlive the rules they came from. */
struct meter_cell {
    const char *operation, *tier; /* owned; "none" where there was none */
    enum source source;
    int64_t target; /* ns, as the latest request had it; 0: none */
    uint64_t over;  /* took longer than the target they had */
    uint64_t failed, rows, bytes;
    struct histo times;
    /* private */
    struct map_link link;
};

enum { METER_SEEN = 256 };

/* What known_shape.histogram points to, with the histogram first, so that it is one. */
struct meter_shape {
    struct histo times;
    uint64_t sources[SOURCE_COUNT];
    uint32_t uncached_by[PLAN_REASON_COUNT], primary_by[PLAN_REASON_COUNT]; /* as in meter_totals */
    /* Reads that a rule could have kept, and those of them whose values were among the last that
     * were asked for: how many, by a table of hashes that forgets. */
    uint64_t offered, repeated;
    uint32_t seen[METER_SEEN];
    /* Of the latest request: */
    const char *operation;              /* lives as long as the meter */
    enum plan_reason uncached, primary; /* primary: NONE where somebody else answered */
};

struct meter_totals {
    uint64_t requests, writes, failed, rows, bytes;
    uint64_t led, joined, asked_again;
    uint64_t cacheable, hits; /* reads with a cache class; those that the cache answered */
    uint64_t sources[SOURCE_COUNT];
    uint64_t uncached[PLAN_REASON_COUNT]; /* of what was answered without a cache class */
    uint64_t primary[PLAN_REASON_COUNT];  /* of what the primary answered */
};

/* A zeroed struct meter is an empty one. */
struct meter {
    struct meter_cell **cells; /* in order of their first request */
    unsigned ncells;
    struct meter_totals totals;
    struct histo steps[STEP_COUNT]; /* of the requests that entered the step */
    /* private */
    struct map map;
};

void meter_clear(struct meter *meter);

/* For rooms.sink; the meter must outlive it. */
struct trail_sink meter_sink(struct meter *meter);
void meter_add(struct meter *meter, const struct trail *trail);

/* What the cache answered, of all operations and tiers together. */
void meter_cache_times(const struct meter *meter, struct histo *times);
