/* Writes that bypass pgtier, as the triggers of sql/feed.sql or the primary's WAL tell of them:
 * each touches its cells in the ledger. While nobody listens everything counts as being written, so
 * that nothing is answered by the cache or a replica. */
#pragma once

#include "session/rooms.h"

struct feed;

struct feed_figures {
    uint64_t listens;           /* 1 or 0 */
    uint64_t told, own, unread; /* notifications, or changed rows; of our own servers; that were not
                                   understood */
    uint64_t retained;          /* bytes of WAL that the primary keeps for it, as last seen */
    uint64_t given_up;          /* times that were too many */
};

/* Of a database whose topology is there. */
struct feed *feed_new(struct database *database);
/* The same from the WAL; the primary may keep `keep` bytes of it for that. */
struct feed *feed_new_wal(struct database *database, uint64_t keep);
/* Before the ledger and the topology go; NULL is allowed. */
void feed_free(struct feed *feed);

/* Tables whose changes it tells exactly; NULL where it cannot be relied on. What was taken from it
 * holds while the generation is the same. NULL feeds are allowed. */
const struct footprint_fed *feed_tells(const struct feed *feed, uint64_t *generation);
/* A wish in the caller's storage, zeroed before: `told` once all that was committed before `lsn` is
 * in the ledger; false: the generation is another one. It may come before feed_await returns. */
struct feed_wish {
    void (*told)(struct feed_wish *wish, bool good);
    void *owner;
    uint64_t lsn, generation;
    /* private */
    struct ring link;
    uint64_t batch;
    bool passed, queued;
};
void feed_await(struct feed *feed, struct feed_wish *wish);
void feed_wish_leave(struct feed_wish *wish);
void feed_figures(const struct feed *feed, struct feed_figures *figures);
