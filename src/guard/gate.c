/* A count and a queue for each limit. */
#include "guard/gate.h"

#include "base/mem.h"

struct gates {
    unsigned passes; /* that point here */
    bool freed;
    unsigned count;
    struct gate {
        unsigned limit, inside, waiting;
        struct ring waiters;
    } at[];
};

struct gates *gates_new(const unsigned *limits, unsigned count)
{
    struct gates *gates = mem_new(sizeof(*gates) + count * sizeof(struct gate));

    gates->count = count;
    for (unsigned i = 0; i < count; i++) {
        gates->at[i].limit = limits[i];
        ring_init(&gates->at[i].waiters);
    }
    return gates;
}

static void free_unused(struct gates *gates)
{
    if (gates->freed && !gates->passes)
        mem_free(gates);
}

void gates_free(struct gates *gates)
{
    if (!gates)
        return;
    gates->freed = true;
    free_unused(gates);
}

enum gate_verdict gate_enter(struct gates *gates, unsigned at, struct pass *pass, bool forced)
{
    struct gate *gate = at < gates->count ? &gates->at[at] : NULL;

    if (!gate || !gate->limit)
        return GATE_OPEN;
    gates->passes++;
    pass->gates = gates;
    pass->at = at;
    pass->waits = gate->inside >= gate->limit && !forced;
    if (pass->waits) {
        ring_append(&gate->waiters, &pass->link);
        gate->waiting++;
        return GATE_WAIT;
    }
    gate->inside++;
    return GATE_OPEN;
}

/* The queue is entered from behind: nobody is overtaken, for it is only while it is empty that
 * anybody finds room. */
static void admit_first(struct gate *gate)
{
    struct ring *first = ring_first(&gate->waiters);
    struct pass *pass;

    if (!first || gate->inside >= gate->limit)
        return;
    pass = RING_OF(first, struct pass, link);
    ring_leave(first);
    gate->waiting--;
    gate->inside++;
    pass->waits = false;
    pass->admitted(pass);
}

void gate_leave(struct pass *pass)
{
    struct gates *gates = pass->gates;
    struct gate *gate;

    if (!gates)
        return;
    gate = &gates->at[pass->at];
    pass->gates = NULL;
    if (pass->waits) {
        ring_leave(&pass->link);
        gate->waiting--;
    } else {
        gate->inside--;
        admit_first(gate);
    }
    gates->passes--;
    free_unused(gates);
}

void gate_figures(const struct gates *gates, unsigned at, unsigned *inside, unsigned *waiting)
{
    *inside = gates->at[at].inside;
    *waiting = gates->at[at].waiting;
}
