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
    struct feed_figures figures;
};

/* Of a zeroed one: deaf, and its ear opens; the calls' owner is the feed. */
void feed_begin(struct feed *feed, struct database *database, void (*close)(struct feed *feed),
                const struct ear_events *events);
void feed_go_deaf(struct feed *feed);
void feed_listens(struct feed *feed);
/* What was said of it does not hold any more; the wishes are told so. */
void feed_turn(struct feed *feed);
