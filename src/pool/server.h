/* One connection to a node: logs in, sends what it is given, cuts what comes back into messages and
 * tells the client's from our own. */
#pragma once

#include "base/err.h"
#include "base/ring.h"
#include "net/dial.h"
#include "net/stream.h"
#include "pool/prepared.h"
#include "pool/vars.h"
#include "wire/owed.h"

struct pool_place;
struct take;
struct server;

/* How a server speaks to whoever holds it. Slices are valid until the call returns, runs until the
 * `turn` or `ready` that follows. */
struct server_events {
    /* A message that matters is about to be passed on or held back: errors, CommandComplete, row
     * descriptions, CopyInResponse and so on; CopyData never, DataRow only of ours. `ours`: it is,
     * or belongs to, what is swallowed. */
    void (*seen)(void *owner, uint8_t type, struct slice whole, bool ours);
    /* A run of bytes for the client, in order; `type` is that of its messages where all are
     * DataRow, else 0. Runs may begin and end inside a message. */
    void (*bytes)(void *owner, uint8_t type, struct slice run);
    /* ReadyForQuery for the client's Query or Sync; it is not in `bytes`. */
    void (*ready)(void *owner, uint8_t status);
    /* ReadyForQuery for one of ours; `about` as it was given to owed_add. */
    void (*ready_ours)(void *owner, const void *about);
    /* What was read is worked off: now is the time to send on. */
    void (*turn)(void *owner);
    /* The connection is gone; the holder gives it back with pool_drop before this returns. `fatal`
     * is the ErrorResponse that came before, if any; else empty. */
    void (*lost)(void *owner, struct slice fatal);
    /* Its send queue has room again. */
    void (*drained)(void *owner);
};

/* How it speaks to the pool that made it. */
struct server_keeper {
    void (*ready)(struct server *server);                          /* logged in */
    void (*refused)(struct server *server, const struct err *err); /* it is closing */
    void (*settled)(struct server *server); /* a reset is done, or the last cancel has landed */
    void (*gone)(struct server *server);    /* lost while nobody held it; it is closing */
    void (*freed)(struct server *server);   /* the last call */
};

#define SERVER_STATES(X)                                                                           \
    X(LOGIN, "login")                                                                              \
    X(IDLE, "idle")                                                                                \
    X(TAKEN, "taken")                                                                              \
    X(RESET, "reset") /* being made as new, or waiting for a cancel to land */                     \
    X(CLOSING, "closing")

enum server_state {
#define X(name, text) SERVER_##name,
    SERVER_STATES(X)
#undef X
};

struct server {
    struct loop *loop;
    const struct pool_place *place;
    const struct server_keeper *keeper;
    void *pool;            /* the keeper's */
    struct stream *stream; /* NULL while it is dialled */
    enum server_state state;
    struct ring link;     /* in its pool, by state */
    uint8_t counted;      /* the state by which its pool counts it */
    uint64_t number;      /* for people */
    bool own;             /* for one holder alone: closed instead of lent again */
    struct take *taker;   /* who waits for that one; NULL: nobody does any more */
    struct slice options; /* of its startup packet beside user and database; owned */
    uint32_t pid;
    uint32_t alias;                 /* what the holder's client takes for pid; 0: pid itself */
    struct map_link by_pid;         /* in its pool's set, from its login on */
    bool known;                     /* .. it is there */
    uint32_t notifier;              /* for the layer above: who has last sent notifications by it */
    struct slice secret;            /* of its BackendKeyData; owned */
    int64_t made, logged_in, since; /* loop time: dialled, logged in, entered this state */
    unsigned instance;              /* of its node, when it was dialled */
    uint8_t status;                 /* of its last ReadyForQuery: I, T, E */
    struct owed owed;
    struct vars vars;          /* settings that it is known to have */
    uint64_t matched;          /* hash of the wishes that vars are known to fulfil; 0: not known */
    struct prepared prepared;  /* statements that it is known to have */
    struct statement *unnamed; /* what its unnamed statement is, referenced; NULL: not known */
    struct buf welcome;        /* its ParameterStatus messages at login */
    uint8_t answering;         /* enum owed_kind of what the message that is `seen` answers */
    const void *about;         /* .. and what that was owed for */
    uint64_t kit;              /* for the layer above: which statements of its own it has */
    uint64_t soiled_by;        /* a holder's number: something unseen of it may be left; 0: none */
    uint64_t sequences_of;     /* .. whose nextval it was that currval would tell of */
    bool worn;                 /* to be closed rather than lent again */
    uint64_t queries;
    const struct server_events *events; /* NULL: nobody holds it */
    void *owner;
    /* private */
    struct dial *dial;
    struct login *login;
    struct ring cancels; /* cancel requests on their way to it */
    struct buf part;     /* an incomplete message that must be whole to be understood */
    size_t passing;      /* bytes still to come of a message that is passed on in parts */
    uint8_t passing_type;
    bool passing_ours;
    struct buf fatal; /* the last ErrorResponse that nothing was owed for */
};

/* Starts dialling and logging in; the keeper hears of the end of it. */
struct server *server_new(struct loop *loop, const struct pool_place *place,
                          const struct server_keeper *keeper, void *pool, uint64_t number);
void server_hold(struct server *server, const struct server_events *events, void *owner);
void server_release(struct server *server);
/* Terminates it, in whatever state. `freed` comes later. */
void server_close(struct server *server);
/* DISCARD ALL: `settled` comes when it is as new. */
void server_reset(struct server *server);
void server_enter(struct server *server, enum server_state state); /* notes since when */

/* What is owed for the messages in `parts` must have been added to server.owed before. */
void server_send(struct server *server, const struct slice *parts, unsigned count);
void server_pause(struct server *server); /* stop reading: the client is slow */
void server_resume(struct server *server);
void server_set_unnamed(struct server *server, struct statement *statement); /* NULL: unknown */
/* It has gone back to the settings of its login (RESET, DISCARD ALL). */
void server_forget_vars(struct server *server);
/* All its prepared statements are gone (DISCARD ALL, DEALLOCATE ALL). */
void server_forget_statements(struct server *server);
/* Asks the node to cancel what it does now. It is not lent to anybody else before that has landed.
 */
void server_cancel(struct server *server);
const char *server_state_text(enum server_state state);

/* For canceller.c: where to dial. It is told when the server goes. */
const char *server_host(const struct pool_place *place);
void server_leave_cancels(struct server *server);
/* For the login, when it has ended. */
void server_logged_in(struct server *server);
void server_login_failed(struct server *server, const struct err *err);
