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
void feed_figures(const struct feed *feed, struct feed_figures *figures);
