/* The Redis store: GET and SET PX of packed entries. Entries that have become invalid are left to
 * be overwritten or to expire. What is in a class with a bound of its own is remembered on a shelf,
 * so that what has no room is deleted there. Never KEYS: a sweep goes through SCAN. */
#include "cache/redis_store.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cache/shelf.h"
#include "net/loop.h"

/* Redis does not know this process's end: nothing stays forever. */
#define LONGEST_TTL (24 * INT64_C(3600) * CLOCK_SEC)

struct redis_store {
    struct store store;
    struct loop *loop;
    struct redis *redis;
    struct packer *packer;
    struct buf blob;
    uint64_t max_entry;
    struct shelf shelf; /* of classes with a bound: what there is, not what it holds */
};

static struct redis_store *redis_of(struct store *store)
{
    return (struct redis_store *)store;
}

static struct kept *look_nowhere(struct store *store, const struct key *key, int64_t now)
{
    (void)store;
    (void)key;
    (void)now;
    return NULL;
}

static void note_use(struct redis_store *store, struct hash128 hash)
{
    struct shelf_item *item =
        store->shelf.bytes ? shelf_find(&store->shelf, hash, loop_now(store->loop)) : NULL;

    if (item)
        shelf_use(&store->shelf, item);
}

static void got(struct redis_ask *ask, struct slice value)
{
    struct store_fetch *fetch =
        (struct store_fetch *)((char *)ask - offsetof(struct store_fetch, ask));
    struct redis_store *store = redis_of(fetch->store);
    struct kept *kept = NULL;

    if (value.at)
        kept = packer_unpack(store->packer, value, fetch->key->hash, store->max_entry);
    if (kept)
        note_use(store, fetch->key->hash);
    fetch->found(fetch, kept);
}

static bool fetch(struct store *store, struct store_fetch *fetch)
{
    fetch->store = store;
    fetch->ask.done = got;
    return redis_get(redis_of(store)->redis, &fetch->ask,
                     slice_of(fetch->key->text, fetch->key->len));
}

static void forget(struct store *store, struct store_fetch *fetch)
{
    (void)store;
    redis_forget(&fetch->ask);
}

static bool put(struct store *base, const struct key *key, struct kept *kept,
                struct account *account, int64_t now)
{
    struct redis_store *store = redis_of(base);
    int64_t ttl = account->ttl > 0 && account->ttl < LONGEST_TTL ? account->ttl : LONGEST_TTL;
    bool sent;

    if (!redis_is_up(store->redis) ||
        !packer_pack(store->packer, &kept->entry, key->hash, account->compress, &store->blob))
        return false;
    sent = (account->max_size == 0 ||
            shelf_put(&store->shelf, key, NULL, key->len + buf_len(&store->blob),
                      (int64_t)kept->entry.took, account, now)) &&
           redis_set(store->redis, slice_of(key->text, key->len), buf_slice(&store->blob), ttl);
    buf_clear(&store->blob);
    return sent;
}

/* Its time may be over, and then there is nothing to delete: Redis minds that as little. */
static void delete (void *owner, struct shelf_item *item)
{
    struct redis_store *store = owner;

    redis_unlink(store->redis, slice_of(item->text, item->len));
}

static bool wanted_text(void *with, const char *text)
{
    return sweep_wants(with, text);
}

/* One SCAN over the keys of a class. */
struct broom {
    struct redis_scan scan;
    struct sweep sweep;
    struct buf pattern;
    struct rules *rules;
};

static void found_key(struct redis_scan *scan, struct slice key)
{
    struct broom *broom = (struct broom *)scan;
    char text[KEY_MAX + 1];

    if (key.len > KEY_MAX)
        return;
    memcpy(text, key.at, key.len);
    text[key.len] = '\0';
    if (sweep_wants(&broom->sweep, text))
        redis_unlink(scan->redis, key);
}

static void swept(struct redis_scan *scan)
{
    struct broom *broom = (struct broom *)scan;

    rules_unref(broom->rules);
    buf_clear(&broom->pattern);
    mem_free(broom);
}

static void sweep_class(struct redis_store *store, const struct sweep *what,
                        const struct cache_class *class)
{
    struct broom *broom = mem_new(sizeof(*broom));

    broom->sweep = *what;
    broom->rules = (struct rules *)what->rules;
    rules_ref(broom->rules);
    broom->scan.found = found_key;
    broom->scan.done = swept;
    if (!sweep_pattern(what, class, &broom->pattern) ||
        !redis_scan(store->redis, &broom->scan, (const char *)buf_slice(&broom->pattern).at))
        swept(&broom->scan);
}

static uint64_t sweep(struct store *base, const struct sweep *what)
{
    struct redis_store *store = redis_of(base);
    uint64_t count = shelf_sweep(&store->shelf, wanted_text, (void *)what);

    for (unsigned i = 0; i < what->rules->nclasses; i++)
        sweep_class(store, what, &what->rules->classes[i]);
    return count;
}

static const char *state(const struct store *store)
{
    return redis_is_up(((const struct redis_store *)store)->redis) ? "redis" : "redis (away)";
}

static void free_store(struct store *base)
{
    struct redis_store *store = redis_of(base);

    shelf_clear(&store->shelf);
    redis_free(store->redis);
    packer_free(store->packer);
    buf_clear(&store->blob);
    mem_free(store);
}

static const struct store_ops redis_ops = {
    .look = look_nowhere,
    .fetch = fetch,
    .forget = forget,
    .put = put,
    .sweep = sweep,
    .state = state,
    .free = free_store,
};

struct store *redis_store_new(struct loop *loop, const struct cache_settings *settings,
                              const char **why)
{
    struct redis *redis = redis_new_url(loop, settings->store, settings->timeout, why);
    struct redis_store *store;

    if (!redis)
        return NULL;
    store = mem_new(sizeof(*store));
    store->store.ops = &redis_ops;
    store->redis = redis;
    store->max_entry = settings->max_entry;
    store->loop = loop;
    shelf_init(&store->shelf, 0);
    store->shelf.goes = delete;
    store->shelf.owner = store;
    store->packer = packer_new();
    return &store->store;
}
