#include "base/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t which)
{
    struct timespec now;

    clock_gettime(which, &now);
    return now.tv_sec * CLOCK_SEC + now.tv_nsec;
}

int64_t clock_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}
