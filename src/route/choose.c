/* Two passes over a handful of nodes: how many are equally good, then the one whose turn it is. */
#include "route/choose.h"

static bool serves(const struct node *node, uint64_t lsn, int64_t max_lag, int64_t now)
{
    return node->up && node->lsn > 0 && node->lsn >= lsn && node->lag >= 0 &&
           node->lag <= max_lag && now - node->polled <= max_lag;
}

enum choice choose_replica(struct topology *topology, uint64_t lsn, int64_t max_lag, int64_t now,
                           unsigned turn, struct node **node)
{
    unsigned count = topology_count(topology), equals = 0, up = 0;
    int best = 0;

    for (unsigned i = 1; i < count; i++) {
        const struct node *at = topology_node(topology, i);

        up += at->up;
        if (!serves(at, lsn, max_lag, now))
            continue;
        if (equals == 0 || at->priority < best) {
            best = at->priority;
            equals = 0;
        }
        equals += at->priority == best;
    }
    if (equals == 0)
        return up ? CHOICE_LAG : CHOICE_NONE;
    turn %= equals;
    for (unsigned i = 1; i < count; i++) {
        struct node *at = topology_node(topology, i);

        if (at->priority != best || !serves(at, lsn, max_lag, now))
            continue;
        if (turn == 0) {
            *node = at;
            break;
        }
        turn--;
    }
    return CHOICE_MADE;
}
