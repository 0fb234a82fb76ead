/* XXH3: fast hashes of bytes, not for secrets. */
#pragma once

#include "base/slice.h"

struct hash128 {
    uint64_t low, high;
};

uint64_t hash_bytes(const void *at, size_t len);
uint64_t hash_bytes_seed(const void *at, size_t len, uint64_t seed);
struct hash128 hash128_bytes(const void *at, size_t len);

static inline uint64_t hash_slice(struct slice s)
{
    return hash_bytes(s.at, s.len);
}

/* Folds two hashes into one; order matters. */
static inline uint64_t hash_join(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ (b + 0x9e3779b97f4a7c15ULL + (a << 6) + (a >> 2))) * 0xff51afd7ed558ccdULL;

    return x ^ (x >> 32);
}
