/* What the sources of a feed share: feed.c (notifications) and feed_wal.c. */
#pragma once

#include "route/ear.h"
#include "session/feed.h"
#include "session/touch.h"

/* The first member of each source. */
struct feed {
    struct database *database;
    struct ear *ear;
    struct touch *deaf; /* everything, while nobody listens */
    struct ring ended;  /* touches whose LSN is asked for */
    void (*close)(struct feed *feed);
    void (*await)(struct feed *feed); /* another one is in `wishes` */
    struct footprint_fed fed;         /* of this generation; none: it cannot be relied on */
    uint64_t generation;              /* never 0 */
    struct ring wishes;
    struct control_ask list; /* of those tables */
    struct buf exact;        /* uint32_t: their oids */
    bool listing, relist;
    struct feed_figures figures;
};

/* Of a zeroed one: deaf, and its ear opens; the calls' owner is the feed. `list` is the query for
 * the oids of tables that are told exactly. */
void feed_begin(struct feed *feed, struct database *database, const char *list,
                const struct ear_events *events);
void feed_go_deaf(struct feed *feed);
void feed_listens(struct feed *feed);
/* What was said of it does not hold any more; the wishes are told so. */
void feed_turn(struct feed *feed);
/* Asks which tables are told exactly, where that is due: while it listens, after each turn. */
void feed_list(struct feed *feed);
/* Only where DDL is told as well: what tells of a table may be taken away. A condition of `list`.
 */
#define FEED_TELLS_DDL                                                                             \
    " EXISTS (SELECT FROM pg_catalog.pg_event_trigger"                                             \
    " WHERE evtname = 'pgtier_feed_ddl' AND evtenabled = 'A')"
