/* Watches one node over a control connection: who is there, in which role, how far. Reports; what
 * that means for the database is the topology's to judge. */
#pragma once

#include "conf/url.h"
#include "net/control.h"
#include "route/topology.h"

/* Which instance is behind a connection; fixed for as long as that lasts. */
struct identity {
    uint64_t system;
    char started[40];
    uint32_t block, segment; /* sizes of its WAL's pages and segments */
};

/* What one poll said. */
struct report {
    int64_t asked; /* loop time when it was sent, or before */
    bool in_recovery, paused;
    uint64_t lsn;      /* replayed, or the normalised insert LSN; 0: none yet */
    uint32_t timeline; /* written, or known to be replayed */
    int64_t
        commit_age; /* ns since the last replayed commit by the replica's clock, -1: not known */
};

struct probe;

struct probe_events {
    void (*seen)(void *owner, struct probe *probe);
    /* Its connection is lost or could not be made; node.up and its position are still as before. */
    void (*lost)(void *owner, struct probe *probe, const char *why);
};

/* In the owner's storage. */
struct probe {
    struct node node;
    struct identity identity; /* of the last connection that told it; .started empty: none yet */
    struct report report;
    struct control *control;
    struct loop *loop;
    const struct probe_events *events;
    void *owner;
    /* private */
    struct url url;
    char *location;
    struct control_ask who, poll;
    struct timer timer;
    struct identity heard;
    bool identified, polling, heard_report;
    int64_t asked, due;
};

/* False where the url is not understood, with *why; then there is nothing to clear. The first poll
 * goes out by itself; all others only when probe_again asks for them. */
bool probe_init(struct probe *probe, struct loop *loop, const struct topology_node *from,
                enum node_role role, const struct probe_events *events, void *owner,
                const char **why);
void probe_clear(struct probe *probe);
/* The next poll goes out after `delay`, or earlier where one was due earlier. Nothing where one is
 * under way or the node cannot be asked. */
void probe_again(struct probe *probe, int64_t delay);
/* When the last poll was sent. */
int64_t probe_asked(const struct probe *probe);

/* The query that tells an identity, and its row. False where the row is not of that form. */
extern const char IDENTITY_QUERY[];
bool identity_read(struct identity *identity, const struct slice *fields, unsigned count);
bool identity_same(const struct identity *a, const struct identity *b);

enum { PROBE_CONNECT_SEC = 5, PROBE_QUERY_SEC = 5 };

/* Who this process is to the primary: the application_name of its control connections says so. */
enum { PROBE_NAME_MAX = 40 };
uint64_t probe_process(void);
void probe_name_of(uint64_t process, char name[PROBE_NAME_MAX]);
/* Of this process. */
const char *probe_name(void);
