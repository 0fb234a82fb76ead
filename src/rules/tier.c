/* From the values of a request to its tiers: those that its WHERE pins the tier column to, or that
 * it sets or inserts there. One that is not known leaves all of them unknown. */
#include "rules/compile.h"

enum { TIER_NAME_MAX = 64 };

static bool add_pin(struct tier_source *source, const struct shape_ref *ref, const char *column)
{
    for (unsigned i = 0; i < ref->npins; i++)
        if (strcmp(ref->pins[i].column, column) == 0) {
            *source = (struct tier_source){ref->pins[i].values, ref->pins[i].nvalues};
            return true;
        }
    return false;
}

static bool add_given(struct plan *plan, struct tier_source *source, const struct shape_ref *ref,
                      const char *column)
{
    int16_t *values;

    for (unsigned i = 0; i < ref->ncolumns; i++) {
        if (strcmp(ref->columns[i], column) != 0 || ref->nrows == 0 || ref->positional)
            continue;
        values = keep_array(plan_memory(plan)->keep, ref->nrows, sizeof(*values));
        for (unsigned row = 0; row < ref->nrows; row++)
            values[row] = ref->given[row * ref->ncolumns + i];
        *source = (struct tier_source){values, ref->nrows};
        return true;
    }
    return false;
}

void plan_tier_sources(struct plan *plan)
{
    struct plan_memory *memory = plan_memory(plan);
    const struct shape *shape = plan->shape;
    const char *column = plan->rules->tier_column;

    memory->tiers = keep_array(memory->keep, shape->nrefs + 1, sizeof(*memory->tiers));
    for (unsigned i = 0; column && i < shape->nrefs; i++) {
        const struct shape_ref *ref = &shape->refs[i];
        struct tier_source *source = &memory->tiers[memory->ntiers];

        if (strcmp(ref->name, plan->rules->tier_relation) != 0)
            continue;
        /* An occurrence that tells no tier is a source without values: not known. */
        if (!add_pin(source, ref, column))
            add_given(plan, source, ref, column);
        memory->ntiers++;
    }
}

/* The bit of the tier that a value names, 0 where it names none. */
static uint32_t tier_of(const struct rules *rules, const struct value *value)
{
    char name[TIER_NAME_MAX];
    int len = value_plain(value, name, sizeof(name));

    for (unsigned i = 0; len >= 0 && i < rules->ntiers; i++)
        if (slice_is(slice_of(name, (size_t)len), rules->tiers[i]))
            return UINT32_C(1) << i;
    return 0;
}

uint32_t plan_tiers(const struct plan *plan, const struct values *values)
{
    const struct plan_memory *memory = plan_memory(plan);
    uint32_t tiers = 0;

    for (unsigned i = 0; i < memory->ntiers; i++) {
        const struct tier_source *source = &memory->tiers[i];

        if (source->nvalues == 0)
            return 0;
        for (unsigned j = 0; j < source->nvalues; j++) {
            int at = source->values[j];
            uint32_t tier = 0;

            if (at >= 0 && at < VALUES_MAX && (unsigned)at < values->count)
                tier = tier_of(plan->rules, &values->at[at]);
            if (!tier)
                return 0;
            tiers |= tier;
        }
    }
    return tiers;
}
