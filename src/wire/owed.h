/* What a server still owes, in order, and the fate of each reply. Messages of our own that ride
 * along with a client's (Parse, SET, probes) are answered like any other; this is how their answers
 * are told from the client's. Pure: knows messages, no connection.
 *
 * Errors: an ErrorResponse in the extended protocol skips everything up to the next Sync, a Query
 * among it too, exactly as the server does (PostgreSQL, "Extended Query", error recovery); what was
 * skipped is reported by `owed_skipped` so that a statement believed prepared is forgotten. An
 * error inside a Query, a FunctionCall or a Sync skips nothing: the Z comes all the same. */
#pragma once

#include "base/slice.h"

enum owed_fate {
    OWED_FORWARD, /* the reply is the client's */
    OWED_SWALLOW, /* the reply is ours: nobody sees it */
    OWED_FAKE,    /* nothing was sent; when its turn comes `answer` goes to the client */
};

enum owed_kind {
    OWED_PARSE,              /* 1 */
    OWED_BIND,               /* 2 */
    OWED_CLOSE,              /* 3 */
    OWED_DESCRIBE_STATEMENT, /* t, then T or n */
    OWED_DESCRIBE_PORTAL,    /* T or n */
    OWED_EXECUTE,            /* rows or copy, then C, I or s */
    OWED_SYNC,               /* Z */
    OWED_QUERY,              /* anything up to and with Z */
    OWED_FUNCTION,           /* V, then Z */
    OWED_COPY_END,           /* nothing: the client's CopyDone or CopyFail; see owed_add */
};

enum { OWED_NO_KIND = 0xff };

struct owed_entry {
    uint8_t kind, fate;
    void *about; /* the caller's; for OWED_PARSE the statement, may be NULL */
};

/* A zeroed struct owed owes nothing.
 *
 *     head              head + skipped                  head + count
 *     | to be reported  | the one whose turn it is ...  |                          */
struct owed {
    struct owed_entry *entries; /* a ring of `cap`, a power of two */
    unsigned head, count, cap;
    unsigned skipped; /* entries at the head that the server passes over, not yet reported */
    bool skipping;    /* an error came; everything up to the Sync is skipped */
    bool described;   /* the t of a statement's Describe has come */
    bool answered;    /* the Query or FunctionCall in turn got something that a Z may follow */
    bool copying;     /* the one in turn is in COPY IN */
    bool doubtful;    /* a COPY IN failed with Syncs on the way that the server may or may not have
                         passed over: one Z is still taken, and whatever follows is BROKEN. To be
                         closed instead of reused */
};

enum owed_verdict {
    OWED_PASS,       /* hand the message to the client */
    OWED_DROP,       /* ours: nobody sees it */
    OWED_READY,      /* a Z that answers the client's Sync, Query or FunctionCall */
    OWED_READY_OURS, /* a Z that answers a message of ours */
    OWED_BROKEN,     /* the server sent what nobody asked for: close it */
};

void owed_clear(struct owed *owed); /* frees; usable again */

/* To be called in the order in which the messages go out. A SYNC, QUERY or FUNCTION may be FAKE
 * only where everything since the last Z is. A client's CopyDone and CopyFail are added as
 * OWED_COPY_END at any time: the server passes over a Sync that reaches it during COPY IN (as libpq
 * sends it), and only their order tells which one that was. Ask owed_fake and owed_skipped
 * afterwards: what is added while skipping is skipped at once. */
void owed_add(struct owed *owed, enum owed_kind kind, enum owed_fate fate, void *about);

/* Decides over the next message from the server. `completed` is filled with the entry that this
 * message completed (kind, fate, about), or has .kind OWED_NO_KIND; an E in the extended protocol
 * completes the entry that failed. N, S and A at any time are OWED_PASS and belong to no entry (a
 * caller may treat S on its own). E in OWED_SWALLOW of a Query is OWED_DROP: so a fault of our own
 * prologue is seen. E of a swallowed Parse goes to the client whose messages it skips, and is
 * OWED_DROP where none are its. After each call the caller asks owed_skipped and owed_fake until
 * they return false. OWED_BROKEN changes nothing; of an E it means that nothing was owed, as when
 * the server ends the connection on its own. */
enum owed_verdict owed_reply(struct owed *owed, uint8_t type, struct owed_entry *completed);

/* True (and takes it away) where the entry now first in line is a FAKE, which the client is to be
 * answered for at this place. While skipping, fakes are dropped as the server would drop them. */
bool owed_fake(struct owed *owed, struct owed_entry *entry);

/* After an error in the extended protocol: takes the skipped entries one by one, up to the Sync,
 * the fakes among them too (of which the server knows nothing); false when there are no more. */
bool owed_skipped(struct owed *owed, struct owed_entry *entry);

/* Nothing is owed: the server is idle as far as replies go. */
static inline bool owed_none(const struct owed *owed)
{
    return owed->count == 0 && !owed->skipping;
}

/* Whatever is owed is ours: no client waits for any of it. */
bool owed_ours(const struct owed *owed);

/* What was added as this kind with this `about` is still to be answered, and may yet be skipped. */
bool owed_awaits(const struct owed *owed, enum owed_kind kind, const void *about);

/* The kind of what comes next; OWED_NO_KIND where nothing is owed. */
uint8_t owed_next_kind(const struct owed *owed);
/* What it was added with; NULL where nothing is owed. */
const void *owed_next_about(const struct owed *owed);
/* The fate of what comes next; OWED_FORWARD where nothing is owed. */
enum owed_fate owed_next_fate(const struct owed *owed);
