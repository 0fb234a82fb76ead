/* What was promised beside what was measured. Pure. */
#pragma once

#include "rules/rules.h"
#include "stats/meter.h"

/* The file's targets that are of no single operation. */
struct targets {
    double cache_hit_ratio;      /* 0..1; 0: none */
    int64_t cache_response_time; /* ns; 0: none */
};

/* A line of the report; strings live as long as rules and meter stay as they are. */
struct target_line {
    const char *operation, *tier; /* the target's name where it is of no operation; tier NULL */
    const char *source;           /* NULL: no request yet */
    int64_t target;               /* ns; 0: none */
    double ratio;                 /* a target that is a share, 0..1; else 0 */
    uint64_t count;
    uint64_t p50, p95, p99, max; /* ns */
    double measured;             /* the share within the target, or the ratio itself; -1: unknown */
    int met; /* 1: 95 % within the target, or the ratio reached; 0; -1: unknown */
};

/* In the order of the rules, then tiers, then sources; operations with a target and no request yet
 * included, those that today's rules do not know last; then the file's own targets. */
void targets_each(const struct targets *targets, const struct rules *rules,
                  const struct meter *meter,
                  void (*each)(void *with, const struct target_line *line), void *with);
