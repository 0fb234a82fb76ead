/* Time in nanoseconds. Rooms that decide take `now` as an argument; only the edges look. */
#pragma once

#include <stdint.h>

#define CLOCK_MS  INT64_C(1000000)
#define CLOCK_SEC INT64_C(1000000000)

/* Monotonic; never goes back, says nothing of the date. */
int64_t clock_now(void);

/* Since 1970-01-01 UTC. */
int64_t clock_wall(void);
