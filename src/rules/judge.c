/* The verdict on a request: what its shape's plan left open is closed by its values and by who
 * asks. */
#include "rules/compile.h"
#include "rules/hint.h"

static const struct operation *find_operation(const struct plan *plan, uint32_t tiers,
                                              const struct asker *asker)
{
    const struct plan_memory *memory = plan_memory(plan);

    for (unsigned i = 0; i < memory->ncandidates; i++)
        if (match_asker(memory->candidates[i]->match, tiers, asker->database, asker->user,
                        asker->application_name))
            return memory->candidates[i];
    return NULL;
}

/* A date made from 'now' or 'today' is another one tomorrow. */
static bool holds_moving_value(const struct values *values)
{
    for (unsigned i = 0; i < values->count && i < VALUES_MAX; i++)
        if (value_moves(&values->at[i]))
            return true;
    return false;
}

static enum plan_reason why_uncached(const struct plan *plan, const struct values *values,
                                     const struct operation *operation, uint32_t tiers)
{
    const struct cache_class *class = operation ? operation->cache : NULL;

    if (plan->uncached != PLAN_NONE)
        return plan->uncached;
    if (!class)
        return PLAN_NO_RULE;
    if (class->tiers && (!tiers || (tiers & ~class->tiers)))
        return PLAN_TIER;
    if (!values->complete)
        return PLAN_VALUES;
    return holds_moving_value(values) ? PLAN_TIME : PLAN_NONE;
}

static void judge_route(const struct plan *plan, struct verdict *verdict)
{
    const struct operation *operation = verdict->operation;
    enum route wanted = plan->rules->reads;

    if (operation && operation->has_route)
        wanted = operation->route;
    verdict->route = ROUTE_PRIMARY;
    verdict->primary = plan->primary;
    if (verdict->primary != PLAN_NONE)
        return;
    verdict->route = wanted;
    verdict->primary = wanted == ROUTE_PRIMARY ? PLAN_RULE : PLAN_NONE;
}

void plan_judge(const struct plan *plan, const struct values *values, const struct asker *asker,
                struct verdict *verdict)
{
    uint32_t tiers = plan_tiers(plan, values);
    const struct operation *operation = find_operation(plan, tiers, asker);

    verdict->operation = operation;
    verdict->tier = tiers ? __builtin_ctz(tiers) : -1;
    verdict->uncached = why_uncached(plan, values, operation, tiers);
    verdict->cache = verdict->uncached == PLAN_NONE ? operation->cache : NULL;
    judge_route(plan, verdict);
    verdict->freshness = operation ? operation->freshness : plan->rules->freshness;
    verdict->bound = operation ? operation->bound : plan->rules->bound;
    if (asker->hints)
        hint_judge(asker->hints, plan, verdict);
}
