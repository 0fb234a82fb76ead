/* Everything there is to tell, as one Prometheus page. Reads the rooms and changes nothing. */
#pragma once

#include "session/rooms.h"
#include "stats/meter.h"
#include "stats/targets.h"

struct gather {
    struct rooms *rooms;
    const struct meter *meter;
    struct targets targets;
    const char *version;
    int64_t started; /* clock_wall */
};

/* Every family of docs/metrics.md, appended. On the loop of the rooms. Cannot fail. */
void gather_metrics(const struct gather *gather, struct buf *out);
