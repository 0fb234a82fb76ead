/* One database's ledger, shared by the proxies of a fleet: each holds all of it in memory, so that
 * a read asks nobody. A write is told to all before it is sent and sent once all have heard of it;
 * what came of it is told after. The log in Redis (fresh/bus.h) gives all of them one order, and
 * its positions are the stamps: what one keeps in the cache, the others may use.
 *
 * A member that is not heard of for as long as a lease is one whose writes may be unheard: until it
 * has come back, or is known to be gone, nobody is answered by cache or replica. A member that
 * reaches no Redis sends its writes once its own lease has surely run out. */
#pragma once

#include "base/ring.h"
#include "fresh/ledger.h"
#include "net/loop.h"

struct fleet;

/* A write of ours in the caller's storage, from fleet_begin to its end; zeroed before. */
struct fleet_mark {
    const struct footprint_write *write;    /* all that it touches until now, the caller's */
    void (*ended)(struct fleet_mark *mark); /* after fleet_commit: the mark is of no use any more */
    void *owner;
    /* private */
    struct ring link;
    uint64_t id, heard_at;
    unsigned told, heard; /* records of its beginning, and how many of them have come back */
    bool ddl, ending;
    bool untold; /* it began or grew while we were no member */
    uint64_t lsn;
};

/* Somebody who waits until everybody has heard of a write, in the caller's storage. */
struct fleet_wait {
    void (*told)(struct fleet_wait *wait, bool good);
    void *owner;
    /* private; zeroed before */
    struct fleet_mark *mark;
    int64_t since;
    bool good;
    struct ring link;
};

struct fleet_events {
    /* Writes may have been made that nobody has told: shut the ledger. Where a member again, find
     * out what runs on the primary, then call fleet_open. */
    void (*lost)(void *owner);
    void (*anew)(void *owner);
    void (*opened)(void *owner);
    /* Another member's write may change the catalog; it has ended. */
    void (*ddl)(void *owner, bool begins);
    /* Is there still a connection by which the primary knows this process? See fleet_seen. */
    void (*look)(void *owner, uint64_t process);
    /* Does it know this one? */
    bool (*registered)(void *owner);
};

struct fleet_settings {
    struct loop *loop;
    struct ledger *ledger;   /* one that follows */
    const char *url;         /* of Redis */
    uint64_t process;        /* what this one is called at the primary */
    const int64_t *patience; /* ns that a write waits for the others at most */
};

/* NULL where the url is none, with *why. */
struct fleet *fleet_new(const struct fleet_settings *settings, const struct fleet_events *events,
                        void *owner, const char **why);
/* Every mark has ended or was forgotten, and nobody waits. */
void fleet_free(struct fleet *fleet);
/* Says goodbye, unless a write is under way. */
void fleet_leave(struct fleet *fleet);

/* Joins the fleet of a database; a call with the same name does nothing. */
void fleet_start(struct fleet *fleet, const char *name);
/* A member that knows of all the others' writes: the ledger may be opened. */
bool fleet_is_in(const struct fleet *fleet);
/* The ledger opens from `floor` on, once the fleet's log has come that far. */
void fleet_open(struct fleet *fleet, uint64_t floor);
/* .. no, it does not. */
void fleet_shut(struct fleet *fleet);
/* By which rules cells are named; what others tell by other rules is a write of everything. What is
 * under way was named by the rules of before. */
void fleet_set_signature(struct fleet *fleet, uint64_t signature);
/* The answer to look. */
void fleet_seen(struct fleet *fleet, uint64_t process, bool there);
/* Of what may be compared by stamps. */
uint64_t fleet_epoch(const struct fleet *fleet);

/* Tells the others; `added` are those of mark.write's cells that were not told before. What the
 * ledger of this process is told of our own beginnings is the caller's, of ends it is ours. */
void fleet_begin(struct fleet *fleet, struct fleet_mark *mark, const struct footprint_write *added,
                 bool ddl);
/* True: everybody has heard of it. Else `told` comes, never before it has returned. */
bool fleet_heard(struct fleet *fleet, struct fleet_mark *mark, struct fleet_wait *wait);
void fleet_wait_leave(struct fleet_wait *wait);
/* It is committed, at or before `lsn`; `ended` comes, maybe before this returns. */
void fleet_commit(struct fleet *fleet, struct fleet_mark *mark, uint64_t lsn);
/* It was rolled back. */
void fleet_abort(struct fleet *fleet, struct fleet_mark *mark);
/* The end of the process: nobody is told. */
void fleet_forget(struct fleet_mark *mark);

struct fleet_figures {
    uint64_t members, lapsed, told, heard, waits, losses, fenced, trusted;
};
void fleet_figures(const struct fleet *fleet, struct fleet_figures *figures);
