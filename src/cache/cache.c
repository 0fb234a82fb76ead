/* The cache's conduct: look, join or lead, land, drop. Others are told in the next turn of the
 * loop, from `deliver` alone, so that nobody is called while somebody else's call is under way. */
#include "cache/cache.h"

#include "base/crypt.h"
#include "base/map.h"
#include "base/mem.h"
#include "cache/flight.h"
#include "cache/memory_store.h"
#include "cache/redis_store.h"
#include "net/loop.h"

enum stage {
    ASK_LEFT = 0, /* a zeroed ask too */
    ASK_WAITING,  /* in flight.waiting, or flight.leader while the store is asked */
    ASK_WOKEN,    /* in cache.woken with its verdict */
    ASK_LEADING,
    ASK_ANSWERED, /* holds its hit, if any; of a flight no more */
};

struct cache {
    struct store *store;
    struct map flights;
    struct ring woken; /* cache_ask.link */
    struct timer wake;
    uint64_t name_space, max_entry;
    struct account **accounts; /* every class there ever was, by name */
    unsigned naccounts;
    struct account **by_class; /* of today's rules, by index */
    unsigned nclasses;
};

static void deliver(struct timer *timer);

struct cache *cache_new(struct loop *loop, const struct cache_settings *settings, const char **why)
{
    struct cache *cache;
    struct store *store;

    if (strcmp(settings->store, "memory") == 0)
        store = memory_store_new(settings->memory);
    else
        store = redis_store_new(loop, settings, why);
    if (!store)
        return NULL;
    cache = mem_new(sizeof(*cache));
    cache->store = store;
    cache->max_entry = settings->max_entry;
    crypt_random(&cache->name_space, sizeof(cache->name_space));
    ring_init(&cache->woken);
    timer_init(&cache->wake, loop, deliver, cache);
    return cache;
}

void cache_free(struct cache *cache)
{
    timer_close(&cache->wake);
    cache->store->ops->free(cache->store);
    for (unsigned i = 0; i < cache->naccounts; i++) {
        mem_free(cache->accounts[i]->name);
        mem_free(cache->accounts[i]);
    }
    map_clear(&cache->flights);
    mem_free(cache->accounts);
    mem_free(cache->by_class);
    mem_free(cache);
}

uint64_t cache_name_space(const struct cache *cache)
{
    return cache->name_space;
}

const char *cache_store_state(const struct cache *cache)
{
    return cache->store->ops->state(cache->store);
}

/* Accounts. */

static struct account *find_account(const struct cache *cache, const struct cache_class *cls)
{
    if (cls->index < cache->nclasses && strcmp(cache->by_class[cls->index]->name, cls->name) == 0)
        return cache->by_class[cls->index];
    for (unsigned i = 0; i < cache->naccounts; i++)
        if (strcmp(cache->accounts[i]->name, cls->name) == 0)
            return cache->accounts[i];
    return NULL;
}

static struct account *make_account(struct cache *cache, const struct cache_class *cls)
{
    struct account *account = find_account(cache, cls);

    if (!account) {
        account = mem_new(sizeof(*account));
        account->name = mem_text(cls->name, strlen(cls->name));
        ring_init(&account->in_shelf);
        cache->accounts =
            mem_grow(cache->accounts, (cache->naccounts + 1) * sizeof(struct account *));
        cache->accounts[cache->naccounts++] = account;
    }
    account->max_size = cls->max_size;
    account->ttl = cls->ttl;
    account->compress = cls->compress;
    return account;
}

void cache_set_classes(struct cache *cache, const struct rules *rules)
{
    struct account **by_class = mem_array(rules->nclasses + 1, sizeof(struct account *));

    for (unsigned i = 0; i < rules->nclasses; i++)
        by_class[i] = make_account(cache, &rules->classes[i]);
    mem_free(cache->by_class);
    cache->by_class = by_class;
    cache->nclasses = rules->nclasses;
}

void cache_figures(const struct cache *cache, const struct cache_class *cls,
                   struct cache_class_figures *figures)
{
    const struct account *account = find_account(cache, cls);

    *figures = account ? account->figures : (struct cache_class_figures){0};
}

/* Verdicts. */

static void take_hit(struct cache_ask *ask, struct kept *kept)
{
    ask->held = kept_ref(kept);
    ask->entry = kept->entry;
    ask->account->figures.saved += kept->entry.took;
}

static enum cache_verdict answer(struct cache_ask *ask, enum cache_verdict verdict)
{
    ask->stage = verdict == CACHE_LEAD ? ASK_LEADING : ASK_ANSWERED;
    return verdict;
}

/* The ask is in no ring; `kept` is of a HIT. */
static void wake(struct cache_ask *ask, enum cache_verdict verdict, struct kept *kept)
{
    struct cache *cache = ask->in;

    if (kept)
        take_hit(ask, kept);
    if (verdict != CACHE_LEAD)
        ask->flight = NULL;
    ask->verdict = verdict;
    ask->stage = ASK_WOKEN;
    if (ring_empty(&cache->woken))
        timer_start(&cache->wake, 0);
    ring_append(&cache->woken, &ask->link);
}

static void deliver(struct timer *timer)
{
    struct cache *cache = timer->owner;
    struct ring ready, *link;

    ring_init(&ready);
    while ((link = ring_first(&cache->woken))) {
        ring_leave(link);
        ring_append(&ready, link);
    }
    while ((link = ring_first(&ready))) {
        struct cache_ask *ask = RING_OF(link, struct cache_ask, link);

        ring_leave(link);
        ask->done(ask, answer(ask, ask->verdict));
    }
}

/* Asking. */

static bool is_valid(struct cache_ask *ask, const struct kept *kept)
{
    bool valid = ask->valid(ask->owner, kept->entry.stamp, kept->entry.row);

    ask->account->figures.invalid += !valid;
    return valid;
}

/* Everybody who waits is told the same and the flight is over. */
static void end_flight(struct flight *flight, enum cache_verdict verdict, struct kept *kept,
                       uint64_t *figure)
{
    struct cache *cache = flight->cache;
    struct ring *link;

    while ((link = ring_first(&flight->waiting))) {
        ring_leave(link);
        wake(RING_OF(link, struct cache_ask, link), verdict, kept);
        (*figure)++;
    }
    flight_free(&cache->flights, flight);
}

/* The store's answer has come: a hit for everybody, or the leader has to go on. */
static void found(struct store_fetch *fetch, struct kept *kept)
{
    struct flight *flight = (struct flight *)((char *)fetch - offsetof(struct flight, fetch));
    struct account *account = flight->account;
    struct cache_ask *leader = flight->leader;

    flight->fetching = false;
    if (kept && is_valid(leader, kept)) {
        account->figures.hits++;
        wake(leader, CACHE_HIT, kept);
        end_flight(flight, CACHE_HIT, kept, &account->figures.hits);
    } else {
        account->figures.misses++;
        wake(leader, CACHE_LEAD, NULL);
    }
    kept_unref(kept);
}

static void start_ask(struct cache *cache, struct cache_ask *ask)
{
    ask->in = cache;
    ask->account = find_account(cache, ask->cache);
    if (!ask->account)
        ask->account = make_account(cache, ask->cache);
    ask->flight = NULL;
    ask->held = NULL;
    ask->recorder = (struct recorder){0};
    ring_init(&ask->link);
}

static enum cache_verdict lead(struct cache *cache, struct cache_ask *ask)
{
    struct flight *flight = flight_new(&cache->flights, ask, ask->account);

    flight->cache = cache;
    flight->fetch.key = &flight->key;
    flight->fetch.found = found;
    ask->flight = flight;
    flight->fetching = cache->store->ops->fetch(cache->store, &flight->fetch);
    if (flight->fetching) {
        ask->stage = ASK_WAITING;
        return CACHE_WAIT;
    }
    ask->account->figures.misses++;
    return answer(ask, CACHE_LEAD);
}

enum cache_verdict cache_ask(struct cache *cache, struct cache_ask *ask)
{
    struct kept *kept;

    start_ask(cache, ask);
    kept = cache->store->ops->look(cache->store, ask->key, ask->now);
    if (kept && is_valid(ask, kept)) {
        take_hit(ask, kept);
        ask->account->figures.hits++;
        return answer(ask, CACHE_HIT);
    }
    ask->flight = flight_find(&cache->flights, ask);
    if (!ask->flight)
        return lead(cache, ask);
    ring_append(&ask->flight->waiting, &ask->link);
    ask->stage = ASK_WAITING;
    return CACHE_WAIT;
}

/* Leading. */

void cache_record(struct cache_ask *ask, uint8_t type, struct slice bytes)
{
    if (ask->stage != ASK_LEADING)
        return;
    if (recorder_put(&ask->recorder, type, bytes, ask->in->max_entry))
        return;
    ask->account->figures.rejected++;
    cache_drop(ask);
}

static void keep(struct flight *flight, struct kept *kept, int64_t now)
{
    struct store *store = flight->cache->store;

    if (flight->superseded)
        return;
    if (store->ops->put(store, &flight->key, kept, flight->account, now))
        flight->account->figures.stored++;
    else
        flight->account->figures.rejected++;
}

void cache_land(struct cache_ask *ask, int64_t now)
{
    struct flight *flight = ask->flight;
    struct entry entry;
    struct kept *kept;

    if (ask->stage != ASK_LEADING)
        return;
    if (!recorder_entry(&ask->recorder, &entry)) {
        ask->account->figures.rejected++;
        cache_drop(ask);
        return;
    }
    entry.stamp = flight->stamp;
    entry.took = now > ask->now ? (uint64_t)(now - ask->now) : 0;
    kept = kept_new(&entry);
    recorder_clear(&ask->recorder);
    keep(flight, kept, now);
    ask->flight = NULL;
    ask->stage = ASK_ANSWERED;
    end_flight(flight, CACHE_HIT, kept, &ask->account->figures.waits);
    kept_unref(kept);
}

void cache_drop(struct cache_ask *ask)
{
    struct flight *flight = ask->flight;

    if (ask->stage != ASK_LEADING)
        return;
    recorder_clear(&ask->recorder);
    ask->flight = NULL;
    ask->stage = ASK_ANSWERED;
    end_flight(flight, CACHE_ALONE, NULL, &ask->account->figures.misses);
}

/* Sweeping. */

static void supersede(struct map_link *link, void *with)
{
    struct flight *flight = MAP_OF(link, struct flight, link);

    flight->superseded |= sweep_wants(with, flight->key.text);
}

uint64_t cache_sweep(struct cache *cache, const struct sweep *sweep)
{
    map_each(&cache->flights, supersede, (void *)sweep);
    return cache->store->ops->sweep(cache->store, sweep);
}

/* Leaving. */

/* A leader that nobody has told yet that it leads: the next one takes its place. */
static void hand_on(struct flight *flight)
{
    struct cache *cache = flight->cache;
    struct cache_ask *next = flight_promote(flight);

    if (!next) {
        if (flight->fetching)
            cache->store->ops->forget(cache->store, &flight->fetch);
        flight_free(&cache->flights, flight);
    } else if (!flight->fetching) {
        wake(next, CACHE_LEAD, NULL);
    }
}

void cache_leave(struct cache_ask *ask)
{
    struct flight *flight = ask->flight;

    switch ((enum stage)ask->stage) {
    case ASK_LEFT:
        return;
    case ASK_WAITING:
    case ASK_WOKEN:
        ring_leave(&ask->link);
        if (flight && flight->leader == ask)
            hand_on(flight);
        break;
    case ASK_LEADING:
        cache_drop(ask);
        break;
    case ASK_ANSWERED:
        break;
    }
    kept_unref(ask->held);
    ask->held = NULL;
    ask->flight = NULL;
    ask->stage = ASK_LEFT;
}
