/* The memory store: a shelf of entries. Answers at once, always. */
#include "cache/memory_store.h"

#include "base/mem.h"
#include "cache/shelf.h"

struct memory_store {
    struct store store;
    struct shelf shelf;
};

static struct shelf *shelf_of(struct store *store)
{
    return &((struct memory_store *)store)->shelf;
}

static struct kept *look(struct store *store, const struct key *key, int64_t now)
{
    struct shelf *shelf = shelf_of(store);
    struct shelf_item *item = shelf_find(shelf, key->hash, now);

    if (!item)
        return NULL;
    shelf_use(shelf, item);
    return item->kept;
}

static bool put(struct store *store, const struct key *key, struct kept *kept,
                struct account *account, int64_t now)
{
    return shelf_put(shelf_of(store), key, kept, shelf_cost(key) + kept->size,
                     (int64_t)kept->entry.took, account, now);
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

static bool wanted(void *with, const char *text)
{
    return sweep_wants(with, text);
}

static uint64_t sweep(struct store *store, const struct sweep *what)
{
    return shelf_sweep(shelf_of(store), wanted, (void *)what);
}

static const char *state(const struct store *store)
{
    (void)store;
    return "memory";
}

static void free_store(struct store *store)
{
    shelf_clear(shelf_of(store));
    mem_free(store);
}

static const struct store_ops memory_ops = {
    .look = look,
    .fetch = fetch_nothing,
    .forget = forget_nothing,
    .put = put,
    .sweep = sweep,
    .state = state,
    .free = free_store,
};

struct store *memory_store_new(uint64_t max)
{
    struct memory_store *memory = mem_new(sizeof(*memory));

    memory->store.ops = &memory_ops;
    shelf_init(&memory->shelf, max);
    return &memory->store;
}
