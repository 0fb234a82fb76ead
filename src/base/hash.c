#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_bytes(const void *at, size_t len)
{
    return XXH3_64bits(at, len);
}

uint64_t hash_bytes_seed(const void *at, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(at, len, seed);
}

struct hash128 hash128_bytes(const void *at, size_t len)
{
    XXH128_hash_t hash = XXH3_128bits(at, len);

    return (struct hash128){hash.low64, hash.high64};
}
