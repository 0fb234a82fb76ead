/* Buckets: 0..15 ns one each, then 16 for every power of two; what is longer than 2^43 ns (2.4
 * hours) is in the last one. */
#include "base/histo.h"

enum { PARTS = 16, PARTS_LOG2 = 4 };

static unsigned bucket_of(uint64_t ns)
{
    unsigned log2, index;

    if (ns < PARTS)
        return (unsigned)ns;
    log2 = 63 - (unsigned)__builtin_clzll(ns);
    index = (log2 - PARTS_LOG2 + 1) * PARTS + (unsigned)(ns >> (log2 - PARTS_LOG2)) % PARTS;
    return index < HISTO_BUCKETS ? index : HISTO_BUCKETS - 1;
}

/* The largest value that falls into it. */
static uint64_t bucket_end(unsigned index)
{
    unsigned shift;

    if (index < PARTS)
        return index;
    if (index == HISTO_BUCKETS - 1)
        return UINT64_MAX;
    shift = index / PARTS - 1;
    return ((uint64_t)(PARTS + index % PARTS + 1) << shift) - 1;
}

void histo_add(struct histo *histo, uint64_t ns)
{
    histo->buckets[bucket_of(ns)]++;
    histo->count++;
    histo->sum += ns;
    if (ns > histo->max)
        histo->max = ns;
}

/* How many of `count` values lie at or under the one asked for; at least one. */
static uint64_t rank_of(uint64_t count, double q)
{
    double exact = q * (double)count;
    uint64_t rank = exact > 0 ? (uint64_t)exact : 0;

    if ((double)rank < exact)
        rank++;
    if (rank < 1)
        return 1;
    return rank < count ? rank : count;
}

uint64_t histo_quantile(const struct histo *histo, double q)
{
    uint64_t rank = rank_of(histo->count, q);
    uint64_t seen = 0;

    for (unsigned i = 0; i < HISTO_BUCKETS; i++) {
        seen += histo->buckets[i];
        if (seen >= rank)
            return bucket_end(i) < histo->max ? bucket_end(i) : histo->max;
    }
    return histo->max;
}

uint64_t histo_under(const struct histo *histo, uint64_t ns)
{
    unsigned last = bucket_of(ns);
    uint64_t seen = 0;

    for (unsigned i = 0; i <= last; i++)
        seen += histo->buckets[i];
    return seen;
}

void histo_merge(struct histo *into, const struct histo *from)
{
    for (unsigned i = 0; i < HISTO_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
    into->count += from->count;
    into->sum += from->sum;
    if (from->max > into->max)
        into->max = from->max;
}
