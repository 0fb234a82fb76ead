/* Writes that bypass pgtier, as the triggers of sql/feed.sql tell of them: each touches its cells
 * in the ledger. While nobody listens everything counts as being written, so that nothing is
 * answered by the cache or a replica. */
#pragma once

#include "session/rooms.h"

struct feed;

struct feed_figures {
    uint64_t listens;           /* 1 or 0 */
    uint64_t told, own, unread; /* notifications; of our own servers; that were not understood */
};

/* Of a database whose topology is there. */
struct feed *feed_new(struct database *database);
/* Before the ledger and the topology go; NULL is allowed. */
void feed_free(struct feed *feed);
void feed_figures(const struct feed *feed, struct feed_figures *figures);
