/* Servers of one node for one (dbname, user), lent to one client at a time, first come first
 * served. */
#pragma once

#include "base/err.h"
#include "base/ring.h"
#include "net/loop.h"
#include "pool/accepted.h"
#include "pool/place.h"
#include "pool/server.h"

struct pool;
struct pool_set;

struct pool_settings {
    unsigned size;
    int64_t wait_timeout, idle_timeout, connect_timeout; /* ns */
};

/* All pools of one database. */
struct pool_set *pool_set_new(struct loop *loop, const struct pool_settings *settings);
/* Closes every server and frees itself once the last is gone, some turns of the loop later. Nobody
 * may hold or want a server any more. */
void pool_set_free(struct pool_set *set);
/* Closes the servers of that database that are idle, of whatever user; returns how many. */
unsigned pool_set_vacate(struct pool_set *set, const char *dbname);
/* The server of this node whose backend has this pid; NULL: none. */
struct server *pool_set_server(struct pool_set *set, const char *node, uint32_t pid);
void pool_set_change(struct pool_set *set, const struct pool_settings *settings);
/* Found or made. */
struct pool *pool_of(struct pool_set *set, const struct pool_place *place);

/* A wish for a server, in the caller's storage, from pool_take to pool_leave. */
struct take {
    struct server *server; /* while holding */
    /* After WAIT: a server (take.server) or an error (take.server NULL). Never before pool_take has
     * returned. */
    void (*done)(struct take *take, const struct err *err);
    void *owner;
    /* private */
    struct pool *pool;
    struct ring link;
    int64_t since;
    struct server *coming; /* one of its own that is not in yet */
};
enum take_verdict { TAKE_HAVE, TAKE_WAIT };
/* `same`: the server of this number is preferred where it is idle; 0: any. */
enum take_verdict pool_take(struct pool *pool, struct take *take, uint64_t same);
/* A server of its own, beside the size, started with these options (name NUL value NUL ..) beside
 * user and database: nobody else ever gets it. `done` is to come, as after WAIT. */
void pool_take_own(struct pool *pool, struct take *take, struct slice options);
/* Gives back a server that owes nothing and is outside a transaction. `used`: state of the client's
 * may be left on it, so it is reset before anyone else gets it. */
void pool_give(struct take *take, bool used);
/* The server is in an unknown state: it is closed. */
void pool_drop(struct take *take);
/* Legal in any state: waiting leaves the queue, holding drops the server. */
void pool_leave(struct take *take);

/* What a server of this pool said of its settings at its last login; NULL: nobody has logged in
 * yet. Whole ParameterStatus messages. */
const struct buf *pool_welcome(const struct pool *pool);
/* Settings that its servers have accepted; the session's to fill. Forgotten when a login says
 * something else than the one before. */
struct accepted *pool_accepted(struct pool *pool);

struct pool_figures {
    const struct pool_place *place;
    unsigned size, idle, taken, logins, waiting;
    int64_t longest_wait; /* ns, of those who wait now */
    uint64_t takes, waits, wait_ns, timeouts, login_failures, servers_made;
};
void pool_set_each(struct pool_set *set,
                   void (*each)(void *with, const struct pool_figures *figures), void *with);
void pool_set_servers(struct pool_set *set,
                      void (*each)(void *with, const struct pool_place *place,
                                   const struct server *server),
                      void *with);
