/* The rules as everyone else sees them: shared by reference, found by name. */
#include "rules/rules.h"

#include <string.h>

#include "rules/compiled.h"

const char *route_text(enum route route)
{
    return route == ROUTE_REPLICA ? "replica" : "primary";
}

/* Worker loops share rules, so the count is atomic. */
void rules_ref(struct rules *rules)
{
    __atomic_add_fetch(&rules->refs, 1, __ATOMIC_RELAXED);
}

void rules_unref(struct rules *rules)
{
    if (rules && __atomic_sub_fetch(&rules->refs, 1, __ATOMIC_ACQ_REL) == 0)
        keep_free(((struct compiled *)rules)->keep);
}

static bool same_schema(const char *declared, const char *asked)
{
    return !declared || !asked || strcmp(declared, asked) == 0;
}

const struct relation *rules_relation(const struct rules *rules, const char *schema,
                                      const char *name)
{
    for (unsigned i = 0; i < rules->nrelations; i++) {
        const struct relation *relation = &rules->relations[i];

        if (strcmp(relation->name, name) == 0 && same_schema(relation->schema, schema))
            return relation;
    }
    return NULL;
}

bool rules_logs(const struct rules *rules, const struct operation *operation)
{
    struct tally *tally = &rules->tallies[operation->index];

    tally->owed += operation->log;
    if (tally->owed < 1)
        return false;
    tally->owed -= 1;
    return true;
}

void rules_count_events(const struct rules *rules, uint32_t events)
{
    for (; events; events &= events - 1)
        rules->event_counts[__builtin_ctz(events)]++;
}

void rules_follow(struct rules *rules, const struct rules *before)
{
    for (unsigned i = 0; i < rules->noperations; i++)
        for (unsigned j = 0; j < before->noperations; j++)
            if (strcmp(rules->operations[i].name, before->operations[j].name) == 0)
                rules->tallies[i] = before->tallies[j];
    for (unsigned i = 0; i < rules->nevents; i++)
        for (unsigned j = 0; j < before->nevents; j++)
            if (strcmp(rules->events[i].name, before->events[j].name) == 0)
                rules->event_counts[i] = before->event_counts[j];
}

const struct said_function *rules_function(const struct rules *rules, const char *schema,
                                           const char *name)
{
    for (unsigned i = 0; i < rules->nfunctions; i++) {
        const struct said_function *said = &rules->functions[i];

        if (strcmp(said->name, name) == 0 &&
            (!said->schema || (schema && strcmp(said->schema, schema) == 0)))
            return said;
    }
    return NULL;
}

bool rules_safe(const struct rules *rules, const char *schema, const char *name)
{
    const struct said_function *said = rules_function(rules, schema, name);

    return said && !said->touches.said;
}

uint32_t rules_tier(const struct rules *rules, struct slice name)
{
    for (unsigned i = 0; i < rules->ntiers; i++)
        if (slice_is(name, rules->tiers[i]))
            return UINT32_C(1) << i;
    return 0;
}
