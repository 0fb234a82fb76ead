/* Answers kept: one store (in memory or Redis), one flight for many askers, one recorder per
 * answer on its way. Whether an entry is still new enough is the asker's to say. */
#pragma once

#include "base/ring.h"
#include "cache/key.h"
#include "cache/recorder.h"
#include "cache/sweep.h"

struct cache;
struct flight;

struct cache_settings {
    const char *store;  /* "memory", or redis://[user:password@]host:port[/db] */
    uint64_t memory;    /* bytes of the memory store */
    uint64_t max_entry; /* bytes of one answer: larger ones are not kept */
    int64_t timeout;    /* ns, of one request to Redis */
};

enum cache_verdict {
    CACHE_HIT,   /* ask.entry is the answer */
    CACHE_LEAD,  /* nobody knows it: fetch it, record it and call cache_land or cache_drop */
    CACHE_ALONE, /* fetch it for yourself: the one you waited for brought nothing that can be shared
                  */
    CACHE_WAIT,  /* ask.done will be called with one of the above */
};

/* One request's question; the caller's storage, from cache_ask until cache_leave. */
struct cache_ask {
    const struct key *key;
    const struct cache_class *cache;
    uint64_t stamp; /* of the ledger when the read began */
    bool joinable;  /* nothing was pending then: it may wait for another's fetch, or be waited for.
                       Else it leads alone: its answer is kept, its stamp says if it is of use */
    /* True where an entry of this stamp may answer now; `row` as ledger_valid takes it. */
    bool (*valid)(void *owner, uint64_t stamp, bool row);
    void (*done)(struct cache_ask *ask, enum cache_verdict verdict);
    void *owner;
    int64_t now;        /* set before cache_ask */
    struct entry entry; /* of a HIT: valid until the ask is left */
    /* private */
    struct cache *in;
    struct account *account;
    struct flight *flight;
    struct ring link;
    struct kept *held;
    int stage;
    enum cache_verdict verdict; /* to be told in the next turn of the loop */
    struct recorder recorder;
};

struct loop;
/* `store` refused (bad URL): NULL and *why. A Redis that is away is no error: it is tried again. */
struct cache *cache_new(struct loop *loop, const struct cache_settings *settings, const char **why);
/* Every ask must have been left. */
void cache_free(struct cache *cache);
uint64_t cache_name_space(const struct cache *cache);

/* `done` is called only after WAIT, in a later turn of the loop, once. */
enum cache_verdict cache_ask(struct cache *cache, struct cache_ask *ask);

/* The leader hands on what the server says, message by message or in runs of whole or partial
 * DataRows; anything else but RowDescription, DataRow, CommandComplete spoils the recording, and so
 * does an answer without RowDescription: a hit must be able to answer those who need one. A no-op
 * for who does not lead. */
void cache_record(struct cache_ask *ask, uint8_t type, struct slice bytes);
/* The answer is whole: kept, and those who wait are answered in the next turn. A no-op for who does
 * not lead. */
void cache_land(struct cache_ask *ask, int64_t now);
/* It failed, or must not be kept: those who wait go on their own. */
void cache_drop(struct cache_ask *ask);
/* The asker is done, has given up or is gone, whatever the stage; legal at any time after
 * cache_ask, also inside `done`, and twice. A leader that leaves without landing drops. */
void cache_leave(struct cache_ask *ask);

/* Every ask that was answered is one of hits (from the store), waits (from another's fetch),
 * misses. invalid: found, but no longer new enough. rejected: answers that could not be kept. */
struct cache_class_figures {
    uint64_t saved; /* ns that those who hit or waited did not ask a server for */
    uint64_t hits, misses, waits, stored, rejected, evicted, invalid, entries, bytes;
};
void cache_figures(const struct cache *cache, const struct cache_class *cls,
                   struct cache_class_figures *figures);
/* "memory", "redis", or "redis (away)". */
const char *cache_store_state(const struct cache *cache);
/* Removes entries; nothing that is being fetched for them is kept either. Returns how many; where
 * that takes time, those at hand, and the rest goes after it has returned. */
uint64_t cache_sweep(struct cache *cache, const struct sweep *sweep);
/* Counters and budgets go by class index; call at start and after a reload. */
void cache_set_classes(struct cache *cache, const struct rules *rules);
