/* One connection to a node: logs in, sends what it is given, cuts what comes back into messages and
 * tells the client's from our own. */
#pragma once

#include "base/err.h"
#include "base/ring.h"
#include "net/stream.h"
#include "pool/prepared.h"
#include "pool/vars.h"
#include "wire/owed.h"

struct pool;

/* How a server speaks to whoever holds it. Slices are valid until the call returns. */
struct server_events {
    /* A message that matters is about to be passed on or held back: errors, CommandComplete, row
     * descriptions, CopyInResponse and so on; never DataRow and CopyData. `ours`: swallowed. */
    void (*seen)(void *owner, uint8_t type, struct slice whole, bool ours);
    /* A run of bytes for the client, in order; `type` is that of its messages where all are DataRow,
     * else 0. Runs may begin and end inside a message. */
    void (*bytes)(void *owner, uint8_t type, struct slice run);
    /* ReadyForQuery for the client's Query or Sync; it is not in `bytes`. */
    void (*ready)(void *owner, uint8_t status);
    /* What was read is worked off: now is the time to send on. */
    void (*turn)(void *owner);
    /* The connection is gone; the holder gives it back with pool_drop. `fatal` is the ErrorResponse
     * that came before, if any; else empty. */
    void (*lost)(void *owner, struct slice fatal);
    /* Its send queue has room again. */
    void (*drained)(void *owner);
};

enum server_state {
    SERVER_LOGIN, SERVER_IDLE, SERVER_TAKEN, SERVER_RESET, SERVER_CLOSING
};

struct server {
    struct pool *pool;
    struct stream *stream;
    enum server_state state;
    struct ring link; /* in its pool, by state */
    uint64_t number;  /* for people */
    uint32_t pid;
    struct slice secret; /* of its BackendKeyData; owned */
    int64_t made, logged_in, since; /* loop time: dialled, logged in, entered this state */
    unsigned instance; /* of its node, when it was dialled */
    uint8_t status;    /* of its last ReadyForQuery: I, T, E */
    struct owed owed;
    struct vars vars;         /* settings that it is known to have */
    struct prepared prepared; /* statements that it is known to have */
    struct statement *unnamed; /* what its unnamed statement is; NULL: unknown or none */
    unsigned cancels;  /* cancel requests under way to it: not to be lent out before they landed */
    bool broken;       /* it broke the protocol, or a message of ours failed: close it */
    uint64_t queries;
    const struct server_events *events;
    void *owner;
    /* private */
    struct login *login;
    struct buf part;   /* an incomplete message that must be whole to be understood */
    size_t passing;    /* bytes still to come of a message that is passed on in parts */
    bool passing_ours, passing_row;
    bool failed_ours;
};

/* Starts dialling and logging in; the pool's own functions are told of the end of it. */
struct server *server_new(struct pool *pool);
void server_hold(struct server *server, const struct server_events *events, void *owner);
void server_release(struct server *server);
void server_close(struct server *server);

/* What the messages in `parts` are owed must have been added to server.owed before. */
void server_send(struct server *server, const struct slice *parts, unsigned count);
void server_pause(struct server *server);  /* stop reading: the client is slow */
void server_resume(struct server *server);
const char *server_state_text(const struct server *server);
