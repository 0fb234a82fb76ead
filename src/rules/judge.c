/* The verdict on a request: what its shape's plan left open is closed by its values and by who
 * asks. */
#include "rules/compile.h"
#include "rules/hint.h"

static void find_operation(const struct plan *plan, uint32_t tiers, const struct asker *asker,
                           struct verdict *verdict)
{
    const struct plan_memory *memory = plan_memory(plan);

    verdict->operation = NULL;
    verdict->nshadows = 0;
    for (unsigned i = 0; i < memory->ncandidates; i++) {
        const struct operation *operation = memory->candidates[i];

        if (match_asker(operation->match, tiers, asker) != MATCHES)
            continue;
        if (!operation->shadow) {
            verdict->operation = operation;
            return;
        }
        if (verdict->nshadows < SHADOWS_MAX)
            verdict->shadows[verdict->nshadows++] = operation;
    }
}

static void count(struct tally *tally, int64_t now)
{
    tally->hits++;
    tally->last = now;
}

void verdict_count(const struct verdict *verdict, const struct rules *rules, int64_t now)
{
    if (verdict->operation)
        count(&rules->tallies[verdict->operation->index], now);
    for (unsigned i = 0; i < verdict->nshadows; i++)
        count(&rules->tallies[verdict->shadows[i]->index], now);
}

/* A date made from 'now' or 'today' is another one tomorrow. */
static bool holds_moving_value(const struct values *values)
{
    for (unsigned i = 0; i < values_stored(values); i++)
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
    uint32_t tiers = plan_tiers(plan, values, asker, &verdict->tier_from);
    const struct operation *operation;

    find_operation(plan, tiers, asker, verdict);
    verdict->events = plan_events(plan, tiers, asker);
    operation = verdict->operation;
    verdict->tier = tiers ? __builtin_ctz(tiers) : -1;
    verdict->uncached = why_uncached(plan, values, operation, tiers);
    verdict->cache = verdict->uncached == PLAN_NONE ? operation->cache : NULL;
    judge_route(plan, verdict);
    verdict->freshness = operation ? operation->freshness : plan->rules->freshness;
    verdict->bound = operation ? operation->bound : plan->rules->bound;
    if (asker->hints)
        hint_judge(asker->hints, plan, verdict);
}
