/* The Redis store: GET and SET PX of packed entries. Entries that have become invalid are left to
 * be overwritten or to expire; no key is ever listed or deleted. */
#include "cache/redis_store.h"

#include "base/clock.h"
#include "base/mem.h"
#include "conf/url.h"

#include <stdlib.h>

enum { REDIS_PORT = 6379 };
/* Redis does not know this process's end: nothing stays forever. */
#define LONGEST_TTL (24 * INT64_C(3600) * CLOCK_SEC)

struct redis_store {
    struct store store;
    struct redis *redis;
    struct packer *packer;
    struct buf blob;
    uint64_t max_entry;
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

static void got(struct redis_ask *ask, struct slice value)
{
    struct store_fetch *fetch =
        (struct store_fetch *)((char *)ask - offsetof(struct store_fetch, ask));
    struct redis_store *store = redis_of(fetch->store);
    struct kept *kept = NULL;

    if (value.at)
        kept = packer_unpack(store->packer, value, fetch->key->hash, store->max_entry);
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

    (void)now;
    if (!redis_is_up(store->redis) ||
        !packer_pack(store->packer, &kept->entry, key->hash, account->compress, &store->blob))
        return false;
    sent = redis_set(store->redis, slice_of(key->text, key->len), buf_slice(&store->blob), ttl);
    buf_clear(&store->blob);
    return sent;
}

static const char *state(const struct store *store)
{
    return redis_is_up(((const struct redis_store *)store)->redis) ? "redis" : "redis (away)";
}

static void free_store(struct store *base)
{
    struct redis_store *store = redis_of(base);

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
    .state = state,
    .free = free_store,
};

static bool read_database(const char *text, int *database, const char **why)
{
    char *end;
    long number = text && *text ? strtol(text, &end, 10) : 0;

    if (text && *text && (*end || number < 0 || number > 65535)) {
        *why = "the database of a Redis URL is a number";
        return false;
    }
    *database = (int)number;
    return true;
}

static bool read_options(const struct url *url, int64_t timeout, struct redis_options *options,
                         const char **why)
{
    if (!url->scheme || strcmp(url->scheme, "redis") != 0) {
        *why = "the store is neither memory nor a redis:// URL";
        return false;
    }
    if (url->host && *url->host == '/') {
        *why = "a Redis server is reached over TCP only";
        return false;
    }
    *options = (struct redis_options){
        .host = url->host && *url->host ? url->host : "127.0.0.1",
        .port = url->port ? url->port : REDIS_PORT,
        .user = url->user && *url->user ? url->user : NULL,
        .password = url->password,
        .timeout = timeout,
    };
    return read_database(url->database, &options->database, why);
}

struct store *redis_store_new(struct loop *loop, const struct cache_settings *settings,
                              const char **why)
{
    struct redis_options options;
    struct redis_store *store = NULL;
    struct url url;

    if (!url_parse(settings->store, &url, why))
        return NULL;
    if (read_options(&url, settings->timeout, &options, why)) {
        store = mem_new(sizeof(*store));
        store->store.ops = &redis_ops;
        store->max_entry = settings->max_entry;
        store->packer = packer_new();
        store->redis = redis_new(loop, &options);
    }
    url_clear(&url);
    return store ? &store->store : NULL;
}
