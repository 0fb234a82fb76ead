/* Compiles the verdict on a shape. Begins with a read that may run anywhere and is cached, and
 * takes away; nothing here ever gives back, so that the order of the looks decides only which
 * reason is told. */
#include "rules/plan.h"

#include "rules/compile.h"

void plan_on_primary(struct plan *plan, enum plan_reason reason)
{
    if (plan->primary == PLAN_NONE)
        plan->primary = reason;
}

void plan_uncached(struct plan *plan, enum plan_reason reason)
{
    if (plan->uncached == PLAN_NONE)
        plan->uncached = reason;
}

void plan_apart(struct plan *plan, enum plan_reason reason)
{
    plan_on_primary(plan, reason);
    plan_uncached(plan, reason);
}

void plan_bound(struct plan *plan, enum plan_reason reason)
{
    plan->bound = true;
    plan_apart(plan, reason);
}

void plan_everything(struct plan *plan, enum plan_reason reason)
{
    plan->read = false;
    plan->everything = true;
    plan_apart(plan, reason);
}

void plan_anything(struct plan *plan, enum plan_reason reason)
{
    plan->anything = true;
    plan_uncached(plan, reason);
}

static bool minds_tier(const struct operation *operation)
{
    return operation->match->tiers || (operation->cache && operation->cache->tiers);
}

static void choose_candidates(struct plan *plan)
{
    struct plan_memory *memory = plan_memory(plan);
    const struct rules *rules = plan->rules;

    memory->candidates = keep_array(memory->keep, rules->noperations + 1, sizeof(void *));
    for (unsigned i = 0; i < rules->noperations; i++)
        if (match_shape(rules->operations[i].match, plan) == MATCHES) {
            memory->candidates[memory->ncandidates++] = &rules->operations[i];
            memory->minds_tier |= minds_tier(&rules->operations[i]);
        }
}

/* Which other statements stand in the text may have changed where names are looked for. */
static const struct search_path *path_of(const struct shape *shape, const struct search_path *path)
{
    return shape->nstatements == 1 ? path : NULL;
}

struct plan *plan_new(struct rules *rules, struct catalog *catalog, const struct shape *shape,
                      const struct search_path *path)
{
    struct keep *keep = keep_new();
    struct plan *plan = keep_take(keep, sizeof(*plan));
    struct plan_memory *memory = keep_take(keep, sizeof(*memory));

    rules_ref(rules);
    if (catalog)
        catalog_ref(catalog);
    memory->keep = keep;
    *plan = (struct plan){.rules = rules,
                          .catalog = catalog,
                          .shape = shape,
                          .path = path_of(shape, path),
                          .read = true,
                          .memory = memory};
    plan_effects(plan);
    plan_expand(plan);
    plan_resolve(plan);
    if (shape->nvalues > VALUES_MAX)
        plan_uncached(plan, PLAN_VALUES);
    choose_candidates(plan);
    plan_choose_events(plan);
    plan_tier_sources(plan);
    return plan;
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    for (struct plan_text *text = plan_memory(plan)->texts; text; text = text->next)
        shape_free(text->shape);
    if (plan->catalog)
        catalog_unref((struct catalog *)plan->catalog);
    rules_unref((struct rules *)plan->rules);
    keep_free(plan_memory(plan)->keep);
}
