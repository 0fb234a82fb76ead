/* Flights: found by key. One that began before a write stays in the table until it lands, but
 * nobody joins it who begins after that. */
#include "cache/flight.h"

#include "base/mem.h"

static struct flight *flight_of(struct map_link *link)
{
    return MAP_OF(link, struct flight, link);
}

static bool is_of_key(const struct flight *flight, const struct key *key)
{
    return flight->key.hash.high == key->hash.high;
}

struct flight *flight_new(struct map *flights, struct cache_ask *ask, struct account *account)
{
    struct flight *flight = mem_new(sizeof(*flight));
    struct map_link *link = map_first(flights, ask->key->hash.low);

    for (; link; link = map_next(link))
        if (is_of_key(flight_of(link), ask->key))
            flight_of(link)->superseded = true;
    flight->leader = ask;
    flight->key = *ask->key;
    flight->account = account;
    flight->joinable = ask->joinable;
    flight->stamp = ask->stamp;
    ring_init(&flight->waiting);
    map_add(flights, &flight->link, ask->key->hash.low);
    return flight;
}

void flight_free(struct map *flights, struct flight *flight)
{
    map_remove(flights, &flight->link);
    mem_free(flight);
}

struct flight *flight_find(const struct map *flights, const struct cache_ask *ask)
{
    struct map_link *link = ask->joinable ? map_first(flights, ask->key->hash.low) : NULL;

    for (; link; link = map_next(link)) {
        struct flight *flight = flight_of(link);

        if (flight->joinable && is_of_key(flight, ask->key) &&
            ask->valid(ask->owner, flight->stamp, false))
            return flight;
    }
    return NULL;
}

struct cache_ask *flight_promote(struct flight *flight)
{
    struct ring *first = ring_first(&flight->waiting);

    if (!first)
        return NULL;
    ring_leave(first);
    flight->leader = RING_OF(first, struct cache_ask, link);
    return flight->leader;
}
