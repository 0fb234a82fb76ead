/* From a request to its tiers, by the first that tells them: a hint; its values, those that its
 * WHERE pins the tier column to, or that it sets or inserts there, where one that is not known
 * leaves all of them unknown; what it touches; the user whom it names; who asks. */
#include "rules/compile.h"
#include "rules/hint.h"

enum { TIER_NAME_MAX = 64 };

static bool add_pin(struct tier_values *source, const struct plan_ref *ref, const char *column)
{
    for (unsigned i = 0; i < ref->nknown; i++) {
        const struct shape_pin *pin = &ref->known[i];

        if (strcmp(pin->column, column) == 0) {
            *source = (struct tier_values){pin->values, pin->nvalues, pin->array};
            return true;
        }
    }
    return false;
}

static bool add_given(struct plan *plan, struct tier_values *source, const struct plan_ref *of,
                      const char *column)
{
    const struct shape_ref *ref = of->ref;
    int16_t *values;
    int at = plan_given_at(of, column);

    if (at < 0 || ref->nrows == 0)
        return false;
    values = keep_array(plan_memory(plan)->keep, ref->nrows, sizeof(*values));
    for (unsigned row = 0; row < ref->nrows; row++)
        values[row] = ref->given[row * ref->width + (unsigned)at];
    *source = (struct tier_values){.values = values, .nvalues = ref->nrows};
    return true;
}

static bool reads_column(const struct shape *shape, const struct shape_ref *ref, const char *column)
{
    for (unsigned i = 0; i < ref->ncolumns; i++)
        if (strcmp(ref->columns[i], column) == 0)
            return true;
    if (ref->use != REF_READ)
        return ref->positional;
    for (unsigned i = 0; i < shape->ncolumns; i++)
        if (strcmp(shape->columns[i], column) == 0)
            return true;
    return shape->star;
}

static bool touches(const struct shape *shape, const struct implied_tier *implied)
{
    const struct relation *relation = implied->relation;

    for (unsigned i = 0; i < shape->nrefs; i++) {
        const struct shape_ref *ref = &shape->refs[i];

        if (strcmp(ref->name, relation->name) == 0 &&
            (!ref->schema || !relation->schema || strcmp(ref->schema, relation->schema) == 0) &&
            (!implied->column || reads_column(shape, ref, implied->column)))
            return true;
    }
    return false;
}

static void note_implied(struct plan *plan)
{
    const struct rules *rules = plan->rules;

    for (unsigned i = 0; i < rules->nimplied; i++)
        if (touches(plan->shape, &rules->implied[i]))
            plan_memory(plan)->implied |= UINT32_C(1) << rules->implied[i].tier;
}

void plan_tier_sources(struct plan *plan)
{
    struct plan_memory *memory = plan_memory(plan);
    const struct shape *shape = plan->shape;
    const char *column = plan->rules->tier_column;

    memory->tiers = keep_array(memory->keep, shape->nrefs + 1, sizeof(*memory->tiers));
    for (unsigned i = 0; column && i < shape->nrefs; i++) {
        const struct shape_ref *ref = &shape->refs[i];
        struct tier_values *source = &memory->tiers[memory->ntiers];

        if (strcmp(ref->name, plan->rules->tier_relation) != 0)
            continue;
        /* An occurrence that tells no tier is a source without values: not known. */
        if (!add_pin(source, &plan->refs[i], column))
            add_given(plan, source, &plan->refs[i], column);
        memory->ntiers++;
    }
    note_implied(plan);
}

/* The bit of the tier that a value names, 0 where it names none. */
static uint32_t tier_of(const struct rules *rules, const struct value *value)
{
    char name[TIER_NAME_MAX];
    int len = value_plain(value, name, sizeof(name));

    return len >= 0 ? rules_tier(rules, slice_of(name, (size_t)len)) : 0;
}

/* A NULL among them is the tier of no row. */
static uint32_t tiers_of_array(const struct rules *rules, const struct value *array)
{
    struct elements elements;
    struct value value;
    enum element found;
    uint32_t tiers = 0;

    if (!array || !elements_begin(&elements, array))
        return 0;
    while ((found = elements_next(&elements, &value)) != ELEMENT_END) {
        uint32_t tier = found == ELEMENT_VALUE ? tier_of(rules, &value) : 0;

        if (!tier && found != ELEMENT_NULL)
            return 0;
        tiers |= tier;
    }
    return tiers;
}

static uint32_t tiers_of_list(const struct rules *rules, const struct values *values, int at)
{
    const struct value *first = values_get(values, at, 0);
    uint32_t tiers = 0;

    for (unsigned i = 0; first && (i == 0 || i < first->list); i++) {
        const struct value *value = values_get(values, at, i);
        uint32_t tier = value ? tier_of(rules, value) : 0;

        if (!tier)
            return 0;
        tiers |= tier;
    }
    return tiers;
}

static uint32_t tiers_of_values(const struct plan *plan, const struct values *values)
{
    const struct plan_memory *memory = plan_memory(plan);
    uint32_t tiers = 0;

    for (unsigned i = 0; i < memory->ntiers; i++) {
        const struct tier_values *source = &memory->tiers[i];

        if (source->nvalues == 0)
            return 0;
        for (unsigned j = 0; j < source->nvalues; j++) {
            int at = source->values[j];
            uint32_t tier = source->array ? tiers_of_array(plan->rules, values_get(values, at, 0))
                                          : tiers_of_list(plan->rules, values, at);

            if (!tier)
                return 0;
            tiers |= tier;
        }
    }
    return tiers;
}

static uint32_t tier_of_asker(const struct named_tier *tiers, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(tiers[i].name, name) == 0)
            return UINT32_C(1) << tiers[i].tier;
    return 0;
}

/* What the statement itself tells, or its client. */
static uint32_t tiers_told(const struct plan *plan, const struct values *values,
                           const struct asker *asker, enum tier_source *from)
{
    uint32_t tiers = rules_tier(plan->rules, asker->tier);

    *from = TIER_HINT;
    if (tiers)
        return tiers;
    *from = TIER_VALUE;
    tiers = tiers_of_values(plan, values);
    if (tiers)
        return tiers;
    *from = TIER_COLUMN;
    return plan_memory(plan)->implied;
}

uint32_t plan_tiers(const struct plan *plan, const struct values *values, const struct asker *asker,
                    enum tier_source *from)
{
    const struct rules *rules = plan->rules;
    uint32_t tiers = tiers_told(plan, values, asker, from);

    if (tiers)
        return tiers;
    *from = TIER_USER;
    if (asker->user_tier)
        return asker->user_tier;
    *from = TIER_ROLE;
    tiers = tier_of_asker(rules->role_tiers, rules->nrole_tiers, asker->user);
    if (tiers)
        return tiers;
    *from = TIER_DATABASE;
    tiers = tier_of_asker(rules->database_tiers, rules->ndatabase_tiers, asker->database);
    if (!tiers)
        *from = TIER_NONE;
    return tiers;
}

/* --- the user --- */

static const char *user_column(const struct rules *rules, const struct relation *relation)
{
    return relation == rules->tier_user.relation ? rules->tier_user.key : rules->tier_user.column;
}

/* The one user that its occurrences are pinned to, or that it gives them; -1: none, or several. */
static int named_user(const struct plan *plan, const struct values *values, char *out, size_t cap)
{
    struct pinned pinned;
    struct slice found = {0};

    plan_pinned(plan, values, &pinned);
    for (unsigned i = 0; i < pinned.count; i++) {
        const struct relation *relation = plan->refs[pinned.values[i].ref].relation;
        struct slice value = slice_of(pinned.bytes + pinned.values[i].at, pinned.values[i].len);
        const char *column = user_column(plan->rules, relation);

        if (!column || strcmp(relation->dimensions[pinned.values[i].dimension], column) != 0)
            continue;
        if (found.at && (found.len != value.len || memcmp(found.at, value.at, value.len) != 0))
            return -1;
        found = value;
    }
    if (!found.at || found.len > cap)
        return -1;
    memcpy(out, found.at, found.len);
    return (int)found.len;
}

bool plan_minds_user(const struct plan *plan)
{
    return plan->rules->tier_user.relation && plan_memory(plan)->minds_tier;
}

int plan_user(const struct plan *plan, const struct values *values, const struct asker *asker,
              char *out, size_t cap)
{
    enum tier_source from;

    if (!plan_minds_user(plan) || tiers_told(plan, values, asker, &from))
        return -1;
    if (asker->hints && asker->hints->user.len && asker->hints->user.len <= cap) {
        memcpy(out, asker->hints->user.at, asker->hints->user.len);
        return (int)asker->hints->user.len;
    }
    return named_user(plan, values, out, cap);
}
