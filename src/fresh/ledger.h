/* The part of the program that knows what was last written where: per cell the LSN of the last
 * commit that touched it, the position of the ledger at that touch, and how many writes are pending
 * on it. The position grows with every commit. One ledger a database. Calls are safe from any
 * thread. */
#pragma once

#include "fresh/footprint.h"

struct ledger;

/* What a read needs, as it was when the read began. */
struct need {
    uint64_t lsn;   /* who answers must be at or past it */
    uint64_t stamp; /* the ledger's position */
    bool pending;   /* some occurrence has only alternatives with a write under way */
    bool shut;      /* pending because nobody knows anything: what is read must not be kept */
};

/* The memory ledger: at most `max_cells`; what is evicted leaves a floor. Starts with
 * (database, *) pending until ledger_open. */
struct ledger *ledger_new(size_t max_cells);
void ledger_free(struct ledger *ledger);

/* The primary is known and every transaction that ran when we started has ended; `floor` is its
 * insert LSN, polled after that. Where the primary has changed, or replicas or rules of relations
 * have come, call ledger_shut first, then poll, then open: all cells are forgotten, and stamps
 * handed out before are never valid again. Commits between the two raise the floor if it is older.
 */
void ledger_open(struct ledger *ledger, uint64_t floor);
/* The primary may have changed: pending for everyone until ledger_open. Keeps the marks of writes
 * under way. */
void ledger_shut(struct ledger *ledger);
bool ledger_is_open(const struct ledger *ledger);

/* The ledger of a fleet's member: its positions are those of the fleet's log, told by
 * ledger_advance, and it is as if it were shut from the time on (clock_now) that ledger_trust told
 * last; until that is called, always. Call once, before anything else. */
void ledger_follow(struct ledger *ledger);
/* What is committed or opened from here on is at this position, which never falls. */
void ledger_advance(struct ledger *ledger, uint64_t position);
void ledger_trust(struct ledger *ledger, int64_t until);
/* Open, and trusted now. */
bool ledger_serves(const struct ledger *ledger);

/* Before a write is sent: its cells become pending. `added` comes from footprint_write. */
void ledger_begin(struct ledger *ledger, const struct footprint_write *added);
/* The server has said COMMIT and the LSN at or past its record is known: touched now, lsn, and
 * pending ends; of those that are spared only that. `write` is the union of all that was begun.
 * `lsn` 0: no replica exists. */
void ledger_commit(struct ledger *ledger, const struct footprint_write *write, uint64_t lsn);
/* It was rolled back: pending ends. */
void ledger_abort(struct ledger *ledger, const struct footprint_write *write);

/* What `read` needs now. */
void ledger_need(struct ledger *ledger, const struct footprint_read *read, struct need *need);
/* True where for every occurrence some alternative was not touched since `stamp` and has nothing
 * pending: whatever was read from a source that was new enough at that position is still new.
 * `row`: the answer is known to hold a row (cells that matter to an empty one are not looked at);
 * false where that is not known yet. */
bool ledger_valid(struct ledger *ledger, const struct footprint_read *read, uint64_t stamp,
                  bool row);

struct ledger_figures {
    uint64_t cells, begun, committed, aborted, evicted, pending;
};
void ledger_figures(struct ledger *ledger, struct ledger_figures *figures);
