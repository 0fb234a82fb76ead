/* A histogram of durations with buckets of at most 1/16 relative width (log-linear): a fixed size,
 * no allocation per value. */
#pragma once

#include <stdint.h>

enum { HISTO_BUCKETS = 640 };

struct histo {
    uint64_t count, sum, max; /* nanoseconds */
    uint64_t buckets[HISTO_BUCKETS];
};

void histo_add(struct histo *histo, uint64_t ns);
/* The value under which the share `q` (0..1) of the values lies, rounded up to its bucket's end and
 * never over max; 0 where there are none. */
uint64_t histo_quantile(const struct histo *histo, double q);
/* How many values are at or under `ns` (to the bucket's precision). */
uint64_t histo_under(const struct histo *histo, uint64_t ns);
void histo_merge(struct histo *into, const struct histo *from);
