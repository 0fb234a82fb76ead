/* Where entries are kept: a table of functions with two sets of them, in memory and in Redis. A
 * store knows keys and bytes, never whether an entry is still new enough. */
#pragma once

#include "cache/cache.h"
#include "cache/entry.h"
#include "cache/sweep.h"
#include "net/redis.h"

struct shelf_item;

/* What a cache class may use and has used; outlives every reload of the rules. */
struct account {
    char *name;
    uint64_t max_size; /* bytes of its entries; 0: no own bound */
    int64_t ttl;       /* ns; 0: until it is evicted */
    bool compress;
    struct cache_class_figures figures;
    /* private to shelf */
    struct ring in_shelf;
    struct shelf_item **items;
    unsigned nitems, cap;
};

struct store;

/* A look-up that takes time, in the caller's storage until `found` was called or it is forgotten.
 */
struct store_fetch {
    const struct key *key;
    /* The entry, which is the caller's reference to give back, or NULL. Never before
     * store_ops.fetch has returned. */
    void (*found)(struct store_fetch *fetch, struct kept *kept);
    /* private */
    struct store *store;
    struct redis_ask ask;
};

struct store_ops {
    /* What is at hand, NULL where there is none: borrowed, valid until the store is called again.
     */
    struct kept *(*look)(struct store *store, const struct key *key, int64_t now);
    /* Asks where it takes time. False: there is nothing to wait for, `found` is not called. */
    bool (*fetch)(struct store *store, struct store_fetch *fetch);
    void (*forget)(struct store *store, struct store_fetch *fetch);
    /* Keeps an entry, in the place of any older one of this key. False: it was not taken. */
    bool (*put)(struct store *store, const struct key *key, struct kept *kept,
                struct account *account, int64_t now);
    /* Removes what is of a class and has these values in its key. Returns how many; where that
     * takes time, what was found at hand, and the rest goes after it has returned. */
    uint64_t (*sweep)(struct store *store, const struct sweep *sweep);
    const char *(*state)(const struct store *store);
    void (*free)(struct store *store);
};

struct store {
    const struct store_ops *ops;
};
