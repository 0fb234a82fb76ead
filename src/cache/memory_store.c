/* The memory store: a table by the key's hash and rings by recency. Answers at once, always. */
#include "cache/memory_store.h"

#include "base/map.h"
#include "base/mem.h"

struct item {
    struct map_link link;
    struct ring recent, in_account;
    struct hash128 hash;
    struct account *account;
    struct kept *kept;
    int64_t expires;
};

struct memory_store {
    struct store store;
    struct map items;
    struct ring recent; /* least recent first */
    uint64_t bytes, max;
};

static struct memory_store *memory_of(struct store *store)
{
    return (struct memory_store *)store;
}

static uint64_t cost_of(const struct kept *kept)
{
    return sizeof(struct item) + kept->size;
}

static void drop(struct memory_store *memory, struct item *item)
{
    map_remove(&memory->items, &item->link);
    ring_leave(&item->recent);
    ring_leave(&item->in_account);
    memory->bytes -= cost_of(item->kept);
    item->account->figures.bytes -= cost_of(item->kept);
    item->account->figures.entries--;
    kept_unref(item->kept);
    mem_free(item);
}

static void evict(struct memory_store *memory, struct item *item)
{
    item->account->figures.evicted++;
    drop(memory, item);
}

static struct item *find(struct memory_store *memory, struct hash128 hash)
{
    struct map_link *link = map_first(&memory->items, hash.low);

    for (; link; link = map_next(link)) {
        struct item *item = MAP_OF(link, struct item, link);

        if (item->hash.high == hash.high)
            return item;
    }
    return NULL;
}

static void make_recent(struct memory_store *memory, struct item *item)
{
    ring_leave(&item->recent);
    ring_append(&memory->recent, &item->recent);
    ring_leave(&item->in_account);
    ring_append(&item->account->items, &item->in_account);
}

static struct kept *look(struct store *store, const struct key *key, int64_t now)
{
    struct memory_store *memory = memory_of(store);
    struct item *item = find(memory, key->hash);

    if (!item)
        return NULL;
    if (item->expires <= now) {
        drop(memory, item);
        return NULL;
    }
    make_recent(memory, item);
    return item->kept;
}

static void make_room(struct memory_store *memory, struct account *account, uint64_t cost)
{
    while (account->max_size > 0 && account->figures.bytes + cost > account->max_size)
        evict(memory, RING_OF(ring_first(&account->items), struct item, in_account));
    while (memory->bytes + cost > memory->max)
        evict(memory, RING_OF(ring_first(&memory->recent), struct item, recent));
}

static bool put(struct store *store, const struct key *key, struct kept *kept,
                struct account *account, int64_t now)
{
    struct memory_store *memory = memory_of(store);
    struct item *item = find(memory, key->hash);
    uint64_t cost = cost_of(kept);

    if (item)
        drop(memory, item);
    if (cost > memory->max || (account->max_size > 0 && cost > account->max_size))
        return false;
    make_room(memory, account, cost);
    item = mem_new(sizeof(*item));
    item->hash = key->hash;
    item->account = account;
    item->kept = kept_ref(kept);
    item->expires = account->ttl > 0 ? now + account->ttl : INT64_MAX;
    ring_init(&item->recent);
    ring_init(&item->in_account);
    make_recent(memory, item);
    map_add(&memory->items, &item->link, key->hash.low);
    memory->bytes += cost;
    account->figures.bytes += cost;
    account->figures.entries++;
    return true;
}

static bool fetch_nothing(struct store *store, struct store_fetch *fetch)
{
    (void)store;
    (void)fetch;
    return false;
}

static void forget_nothing(struct store *store, struct store_fetch *fetch)
{
    (void)store;
    (void)fetch;
}

static const char *state(const struct store *store)
{
    (void)store;
    return "memory";
}

static void free_store(struct store *store)
{
    struct memory_store *memory = memory_of(store);
    struct ring *link;

    while ((link = ring_first(&memory->recent)))
        drop(memory, RING_OF(link, struct item, recent));
    map_clear(&memory->items);
    mem_free(memory);
}

static const struct store_ops memory_ops = {
    .look = look,
    .fetch = fetch_nothing,
    .forget = forget_nothing,
    .put = put,
    .state = state,
    .free = free_store,
};

struct store *memory_store_new(uint64_t max)
{
    struct memory_store *memory = mem_new(sizeof(*memory));

    memory->store.ops = &memory_ops;
    memory->max = max;
    ring_init(&memory->recent);
    return &memory->store;
}
