/* Which replica may answer a read. Pure: nodes and positions in, a node out. */
#pragma once

#include "route/topology.h"

enum choice {
    CHOICE_MADE,
    CHOICE_LAG,  /* replicas are up, and none is far enough */
    CHOICE_NONE, /* no replica is up */
};

/* What is asked of a replica. */
struct choosing {
    uint64_t lsn;    /* it has replayed at least this */
    int64_t max_lag; /* ns that it may lag, and that its position speaks for it */
    int64_t now;
    unsigned turn;         /* of equals */
    const unsigned *ranks; /* by node: the lowest first, whatever the priorities; NULL: all equal */
};

/* The replica that is up and new enough, of the lowest rank, and of those of the lowest priority
 * number; among equals they take turns. *node is set where CHOICE_MADE. */
enum choice choose_replica(struct topology *topology, const struct choosing *choosing,
                           struct node **node);
