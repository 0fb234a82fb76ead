/* Two passes over a handful of nodes: how many are equally good, then the one whose turn it is. */
#include "route/choose.h"

static bool serves(const struct node *node, const struct choosing *choosing)
{
    return node->up && node->lsn > 0 && node->lsn >= choosing->lsn && node->lag >= 0 &&
           node->lag <= choosing->max_lag && choosing->now - node->polled <= choosing->max_lag;
}

/* Less is better. */
static int64_t merit(struct topology *topology, const struct choosing *choosing, unsigned i)
{
    int64_t rank = choosing->ranks ? choosing->ranks[i] : 0;

    return rank * (INT64_C(1) << 32) + topology_node(topology, i)->priority;
}

enum choice choose_replica(struct topology *topology, const struct choosing *choosing,
                           struct node **node)
{
    unsigned count = topology_count(topology), equals = 0, up = 0, turn;
    int64_t best = 0;

    for (unsigned i = 1; i < count; i++) {
        const struct node *at = topology_node(topology, i);

        up += at->up;
        if (!serves(at, choosing))
            continue;
        if (equals == 0 || merit(topology, choosing, i) < best) {
            best = merit(topology, choosing, i);
            equals = 0;
        }
        equals += merit(topology, choosing, i) == best;
    }
    if (equals == 0)
        return up ? CHOICE_LAG : CHOICE_NONE;
    turn = choosing->turn % equals;
    for (unsigned i = 1; i < count; i++) {
        struct node *at = topology_node(topology, i);

        if (!serves(at, choosing) || merit(topology, choosing, i) != best)
            continue;
        if (turn == 0) {
            *node = at;
            break;
        }
        turn--;
    }
    return CHOICE_MADE;
}
