/* The nodes of one database: who is primary, who is up, how far each has replayed. Watches them
 * over control connections and answers what only the primary can tell. */
#pragma once

#include "net/control.h"
#include "net/loop.h"
#include "sql/catalog.h"

enum node_role { NODE_PRIMARY, NODE_REPLICA };

/* One PostgreSQL host. Lives as long as its topology. */
struct node {
    char name[128]; /* "host:port", for people */
    enum node_role role;
    int priority;         /* lower first */
    const char *location; /* NULL: not told */
    const char *host;     /* a name, an address, or a directory of a Unix socket */
    int port;
    const char *user, *password, *dbname; /* of the url; password NULL: none told */
    bool up; /* the control connection is in and says it has its role */
    /* Grows whenever another instance (system identifier, start time) may stand behind the node. */
    unsigned instance;
    /* What the last poll said; of a replica. */
    uint64_t lsn;     /* replayed, 0: not known */
    int64_t polled;   /* loop time when that poll was sent: it speaks for servers that had
                         logged in before */
    int64_t lag;      /* ns that it may be behind the primary, -1: not known */
    char address[46]; /* numeric, of the control connection; empty: down, or a Unix socket */
    bool paused;      /* a replica whose replay is paused */
    /* For the console. */
    uint64_t polls, losses;
    char trouble[160]; /* why it is not up; empty where it is */
};

struct topology;
struct ear;

struct topology_node {
    const char *url;
    int priority;
    const char *location;
};

struct topology_settings {
    const char *database; /* name, for log lines */
    struct topology_node primary;
    const struct topology_node *replicas;
    unsigned nreplicas;
    int64_t poll_interval;    /* of replicas while nobody waits; 0: 100 ms */
    int64_t hurry_interval;   /* while a need is newer than what is known; 0: 2 ms */
    int64_t catalog_interval; /* 0: 30 s */
    /* The primary is up, maybe as another instance than before; may be NULL. */
    void (*found)(void *owner);
    /* The primary is known, and every transaction that ran when it was found has ended: `floor` is
     * its insert LSN polled after that. Called again when it may be another instance. */
    void (*opened)(void *owner, uint64_t floor);
    /* The primary's control connection is lost: it may come back as another instance, or behind. */
    void (*shut)(void *owner);
    /* A new snapshot of the primary's catalog; the callee takes its own reference. */
    void (*catalog)(void *owner, struct catalog *catalog);
    void *owner;
};

/* NULL where a url is not understood, with *why. Starts connecting at once. */
struct topology *topology_new(struct loop *loop, const struct topology_settings *settings,
                              const char **why);
void topology_free(struct topology *topology);

unsigned topology_count(const struct topology *topology);
struct node *topology_node(struct topology *topology, unsigned i); /* 0 is the primary */

/* The system identifier of the primary's cluster; 0 before it was first heard. */
uint64_t topology_system(const struct topology *topology);

/* Somebody needs a replica at `lsn` which none has shown yet: poll often until one has. */
void topology_hurry(struct topology *topology, uint64_t lsn);
/* Where the primary is up: what runs on it now is waited for as when it was found, and `opened`
 * comes again. */
void topology_reopen(struct topology *topology);
/* The catalog may have changed: fetch it anew, soon. */
void topology_catalog_changed(struct topology *topology);
/* A short query on the primary's control connection, as control_ask; false while that is down, or
 * not known to be the primary. */
bool topology_ask(struct topology *topology, struct control_ask *ask);
void topology_ask_leave(struct topology *topology, struct control_ask *ask);
/* By which notifications are heard; see route/ear.h. It lives as long as the topology. */
struct ear *topology_ear(struct topology *topology);
/* Another one, for writes that bypass us. */
struct ear *topology_feed(struct topology *topology);

/* The connections to that database of the primary's are closed, and not made again for `duration`;
 * returns how many there were. The primary counts as lost meanwhile. */
unsigned topology_step_aside(struct topology *topology, const char *dbname, int64_t duration);

/* A wish in the caller's storage for the primary's insert LSN, polled after this call; asks of one
 * turn of the loop share one poll. `told` comes later, never before topology_lsn has returned, and
 * only once; the wish outlives lost connections. The LSN is normalised: never just behind the
 * header of a WAL page, where no record ends. */
struct lsn_wish {
    void (*told)(struct lsn_wish *wish, uint64_t lsn);
    void *owner;
    void *next, *prev; /* private, as is `queued` */
    bool queued;
};
void topology_lsn(struct topology *topology, struct lsn_wish *wish);

/* The same for a backend whose connection was lost after it may have been told to commit: `told`
 * comes when no backend of this pid that had begun before now is left in pg_stat_activity, with an
 * LSN polled after that was seen. */
struct gone_wish {
    struct lsn_wish lsn;
    uint32_t pid;
    /* private */
    void *next;
    char before[40];
    int state;
};
void topology_gone(struct topology *topology, struct gone_wish *wish);
/* No call comes any more. Legal at any time for a zeroed or used wish. */
void topology_lsn_leave(struct topology *topology, struct lsn_wish *wish);
void topology_gone_leave(struct topology *topology, struct gone_wish *wish);
