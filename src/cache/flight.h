/* One look-up and fetch of an answer for many askers: who leads it and who waits for it. Holds
 * lists only; what is told to whom is cache.c's. */
#pragma once

#include "base/map.h"
#include "cache/store.h"

struct flight {
    struct map_link link; /* in the table of flights */
    struct cache *cache;
    struct cache_ask *leader; /* never NULL while the flight is in the table */
    struct ring waiting;      /* cache_ask.link of those who joined */
    struct key key;
    struct account *account;
    struct store_fetch fetch;
    bool fetching; /* the store is being asked; the leader waits as well */
    bool joinable; /* the leader let others join */
    bool
        superseded; /* a later one of this key has begun: what this one brings is of no use later */
    uint64_t stamp;
};

/* A flight led by `ask`, in the table; the others of its key are superseded by it. */
struct flight *flight_new(struct map *flights, struct cache_ask *ask, struct account *account);
/* Nobody may lead it or wait for it any more. */
void flight_free(struct map *flights, struct flight *flight);

/* One that `ask` may join: of its key, joinable both, and nothing was touched since it began. */
struct flight *flight_find(const struct map *flights, const struct cache_ask *ask);
/* The first of those who wait leads from now on and is returned; NULL where nobody waits. */
struct cache_ask *flight_promote(struct flight *flight);
