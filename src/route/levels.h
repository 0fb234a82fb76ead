/* Where the primary's log was and when: against it one reads how long a replica is behind. */
#pragma once

#include <stdint.h>

enum { LEVELS = 256 };

/* A zeroed one is empty. Older entries lie ever further apart, so that years fit. */
struct levels {
    struct {
        int64_t at;
        uint64_t lsn;
    } of[LEVELS];
    unsigned count;
};

/* The primary's insert LSN as told by a poll sent at `at`; neither goes back. Of
 * several with the same `at` the first counts. */
void levels_add(struct levels *levels, int64_t at, uint64_t lsn);
/* How long before `at` a replica that has replayed `lsn` was surely level: 0 where it has all that
 * was known of by then, -1 where that cannot be told. */
int64_t levels_lag(const struct levels *levels, uint64_t lsn, int64_t at);
/* How long before `at` the newest entry was made, -1 where there is none. */
int64_t levels_age(const struct levels *levels, int64_t at);
