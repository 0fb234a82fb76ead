/* Everything a request meets, built once per loop by app. */
#pragma once

#include "base/ring.h"
#include "cache/cache.h"
#include "fresh/fleet.h"
#include "guard/gate.h"
#include "guard/users.h"
#include "net/loop.h"
#include "pool/pool.h"
#include "route/topology.h"
#include "rules/plan.h"
#include "session/noted.h"
#include "session/trail.h"
#include "sql/shapes.h"

struct session;

/* A database that clients may name. */
struct database {
    const char *name;
    uint64_t hash;
    struct rooms *rooms;
    struct topology *topology;
    struct ledger *ledger;
    struct shapes shapes;
    struct search_paths paths; /* that sessions have set */
    struct catalog *catalog;   /* NULL: not known (yet, or since DDL passed through) */
    uint64_t plan_epoch;       /* grows with every change of rules or catalog */
    struct pool_set *pools;
    bool has_replicas;
    int64_t max_lag;
    unsigned turn; /* of replicas */
    unsigned ddl;  /* statements under way that may change the catalog */
    struct statements statements;
    struct ring transactions; /* with writes, or ended and not settled in the ledger yet */
    struct noteds noteds;     /* .. of those that were prepared */
    struct lsn_wish reopen;   /* after a change of the rules */
    bool reopening;
    struct fleet *fleet;       /* that shares the ledger; NULL: it is this process's own */
    struct look *look;         /* .. asks for one of it; see session/member.h */
    unsigned nfed;             /* transactions of which a feed is to tell what they wrote */
    struct feed *feed;         /* of writes that bypass us; NULL: the settings name none */
    struct channels *channels; /* what sessions listen to; NULL: nobody has until now */
    uint64_t generation; /* grows whenever tables may have changed: statements of before are old */
    uint64_t digest;     /* of the last catalog */
    bool asks_sequences; /* somebody has asked for currval or lastval */
    bool doubled;        /* another entry is of the same database: neither may know less */
};

enum explain_outcome { EXPLAIN_TOLD, EXPLAIN_RUN, EXPLAIN_REFUSED /* with err */ };

/* The columns of EXPLAIN ROUTE. */
enum { EXPLAIN_NCOLUMNS = 2 };
extern const char *const EXPLAIN_COLUMNS[EXPLAIN_NCOLUMNS];

/* Answers on a virtual database: see admin/console.h. */
struct console {
    /* One query text in; whole messages up to and with CommandComplete or ErrorResponse out. */
    void (*run)(void *owner, struct session *session, struct slice text, struct buf *out);
    bool (*allows)(void *owner, const char *user);
    /* EXPLAIN ROUTE from a client of a real database: whether a text is that, and its answer: rows
     * and CommandComplete. EXPLAIN_RUN: *sql, a part of the text, is to be run; `ran` writes the
     * answer then, by what became of it (`node`: who answered, NULL: no server). */
    bool (*explains)(struct slice text);
    enum explain_outcome (*explain)(void *owner, struct session *session, struct slice text,
                                    struct slice *sql, struct buf *out, struct err *err);
    void (*ran)(void *owner, struct session *session, struct slice sql, const struct trail *trail,
                const char *node, struct buf *out);
    void *owner;
};

struct rooms {
    struct loop *loop;
    struct rules *rules;
    struct gates *gates; /* of the rules' operations, by index */
    struct users *users;
    struct cache *cache;
    struct database *databases;
    unsigned ndatabases;
    struct console console;
    struct trail_sink sink;
    bool session_pooling;
    unsigned max_clients;
    int64_t wait_timeout;        /* ns that a request waits for its turn, as for a server */
    const char *location;        /* where this process runs; empty: not told */
    size_t max_request;          /* bytes of a request that are read whole */
    struct ring sessions;        /* struct session.link */
    unsigned nsessions, nlogins; /* sessions includes those logging in */
    struct map keys;             /* sessions by cancel key */
    uint64_t refused;            /* clients turned away by max_clients */
    struct buf scratch;          /* for building what is sent at once */
    struct ring spare;           /* requests to be used again: struct request.spare */
    unsigned nspare;
    uint64_t session_number;
};

struct database *rooms_database(struct rooms *rooms, struct slice name);
/* New rules: every plan is compiled anew at its next use, and what the ledgers know starts anew,
 * since cells are named by the rules. */
void rooms_set_rules(struct rooms *rooms, struct rules *rules);
/* What the topology says of the primary; see its header. */
void database_opened(struct database *database, uint64_t floor);
void database_shut(struct database *database);
void database_set_catalog(struct database *database, struct catalog *catalog);
/* Of the keys of what is kept: entries of another one are nobody's. */
uint64_t database_name_space(const struct database *database);
/* A statement that may change the catalog is about to be sent; its transaction has ended, one way
 * or the other. Until then, and until the catalog was read again, nothing is taken as known. */
void database_ddl_begins(struct database *database);
void database_ddl_ended(struct database *database);
/* What open transactions have written is told by cells of rules that are no more: from now on they
 * have written everything. */
void transactions_blur(struct database *database);
/* At the end of the process, its sessions gone: no transaction is waited for any more. */
void transactions_forget(struct database *database);
/* The plan of a shape under today's rules and catalog; valid until the next change of either. */
const struct plan *database_plan(struct database *database, struct known_shape *known);
