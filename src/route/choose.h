/* Which replica may answer a read. Pure: nodes and positions in, a node out. */
#pragma once

#include "route/topology.h"

enum choice {
    CHOICE_MADE,
    CHOICE_LAG,  /* replicas are up, and none is far enough */
    CHOICE_NONE, /* no replica is up */
};

/* The replica of the lowest priority number that is up, has replayed `lsn` and lags at most
 * `max_lag` ns; among equals they take turns by `turn`. The position of a node speaks at `now` only
 * while it is younger than max_lag. *node is set where CHOICE_MADE. */
enum choice choose_replica(struct topology *topology, uint64_t lsn, int64_t max_lag, int64_t now,
                           unsigned turn, struct node **node);
