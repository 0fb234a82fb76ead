/* What a server still owes, in order, and the fate of each reply. Messages of our own that ride
 * along with a client's (Parse, SET, probes) are answered like any other; this is how their answers
 * are told from the client's. Pure: knows messages, no connection.
 *
 * Errors: an ErrorResponse in the extended protocol skips everything up to the next Sync, exactly as
 * the server does (PostgreSQL, "Extended Query", error recovery); what was skipped is reported to
 * `skipped` so that a statement believed prepared is forgotten. */
#pragma once

#include "base/slice.h"

enum owed_fate {
    OWED_FORWARD, /* the reply is the client's */
    OWED_SWALLOW, /* the reply is ours: nobody sees it */
    OWED_FAKE,    /* nothing was sent; when its turn comes `answer` goes to the client */
};

enum owed_kind {
    OWED_PARSE,      /* 1 */
    OWED_BIND,       /* 2 */
    OWED_CLOSE,      /* 3 */
    OWED_DESCRIBE_STATEMENT, /* t, then T or n */
    OWED_DESCRIBE_PORTAL,    /* T or n */
    OWED_EXECUTE,    /* rows or copy, then C, I or s */
    OWED_SYNC,       /* Z */
    OWED_QUERY,      /* anything up to and with Z */
    OWED_FUNCTION,   /* V, then Z */
};

struct owed_entry {
    uint8_t kind, fate;
    void *about; /* the caller's; for OWED_PARSE the statement, may be NULL */
};

/* An Error while something of ours is owed is ours as well: a fault in a swallowed prologue query is
 * told to `failed`. */
struct owed {
    struct owed_entry *entries; /* a ring of `cap` */
    unsigned head, count, cap;
    bool skipping;  /* an error came; everything up to the Sync is skipped */
    bool described; /* the t of a statement's Describe has come */
};

enum owed_verdict {
    OWED_PASS,    /* hand the message to the client */
    OWED_DROP,    /* ours: nobody sees it */
    OWED_READY,   /* a Z that answers the client's Sync, Query or FunctionCall */
    OWED_READY_OURS, /* a Z that answers a message of ours */
    OWED_BROKEN,  /* the server sent what nobody asked for: close it */
};

void owed_clear(struct owed *owed); /* frees; usable again */
void owed_add(struct owed *owed, enum owed_kind kind, enum owed_fate fate, void *about);

/* Decides over the next message from the server. `completed` is filled with the entry that this
 * message completed (kind, fate, about), or has .kind 0xff. N, S and A at any time are OWED_PASS
 * and belong to no entry (a caller may treat S on its own). E in OWED_SWALLOW of a Query is
 * OWED_DROP. After each call the caller asks owed_fake until it returns false. */
enum owed_verdict owed_reply(struct owed *owed, uint8_t type, struct owed_entry *completed);

/* True (and takes it away) where the entry now first in line is a FAKE, which the client is to be
 * answered for at this place. While skipping, fakes are dropped as the server would drop them. */
bool owed_fake(struct owed *owed, struct owed_entry *entry);

/* After an error in the extended protocol: takes the skipped entries one by one, up to the Sync;
 * false when there are no more. Called right after owed_reply saw the E. */
bool owed_skipped(struct owed *owed, struct owed_entry *entry);

/* Nothing is owed: the server is idle as far as replies go. */
static inline bool owed_none(const struct owed *owed)
{
    return owed->count == 0;
}

/* The fate of what comes next; OWED_FORWARD where nothing is owed. */
enum owed_fate owed_next_fate(const struct owed *owed);
