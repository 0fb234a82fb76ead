/* SHOW ADVICE: the statements that would gain most by being kept, as YAML to paste into the
 * settings, with what is estimated from what was measured; of other costly ones, why not. Advice
 * never makes an answer old: what is kept ends with the next write that it depends on. */
#include "admin/shape_list.h"
#include "admin/show_tables.h"
#include "admin/table.h"
#include "base/mem.h"
#include "base/units.h"
#include "conf/yaml.h"

#include <stdio.h>
#include <stdlib.h>

enum { LEAST_CALLS = 10, CANDIDATES = 5, COSTLY = 5, COSTLY_PERCENT = 5, TEXT_MAX = 160 };

/* What an answer from the cache is taken to cost where none was measured. */
static const double CACHE_NS = 100000;

/* A shape that a rule could have kept. */
struct gain {
    struct listed_shape shape;
    const struct meter_shape *seen;
    double repeated; /* share of its reads that asked again for the same */
    double saved;    /* ns */
};

struct advice {
    const struct admin *admin;
    struct table *table;
    struct shape_list list;
    struct gain *gains;
    unsigned ngains;
    double cache_ns;
};

/* --- a text of several lines, one a row --- */

static void put(struct advice *advice, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct advice *advice, const char *format, ...)
{
    struct buf line = {0};
    va_list args;

    va_start(args, format);
    buf_vprintf(&line, format, args);
    va_end(args);
    table_slice(advice->table, buf_slice(&line));
    table_row(advice->table);
    buf_clear(&line);
}

/* In one line, and short. */
static void put_text(struct advice *advice, const char *indent, const struct shape *shape)
{
    char text[TEXT_MAX];

    snprintf(text, sizeof(text), "%s", shape->text);
    for (char *at = text; *at; at++)
        if (*at == '\n' || *at == '\r')
            *at = ' ';
    put(advice, "%s# %s", indent, text);
}

/* --- who gains --- */

static double mean_ns(const struct meter_shape *seen)
{
    return seen->times.count ? (double)seen->times.sum / (double)seen->times.count : 0;
}

/* The relation that a rule would match it by. */
static const struct plan_ref *relation_of(const struct plan *plan)
{
    for (unsigned i = 0; i < plan->nrefs; i++)
        if (plan->refs[i].ref->use == REF_READ && !plan->refs[i].added)
            return &plan->refs[i];
    return NULL;
}

static bool could_gain(const struct plan *plan, const struct meter_shape *seen)
{
    return seen && seen->offered >= LEAST_CALLS && seen->repeated > 0 && plan->read &&
           !plan->anything && plan->uncached == PLAN_NONE && relation_of(plan);
}

static int compare(const void *a, const void *b)
{
    const struct gain *x = a, *y = b;

    return (x->saved < y->saved) - (x->saved > y->saved);
}

static void find_gains(struct advice *advice)
{
    advice->gains = mem_array(advice->list.count + 1, sizeof(*advice->gains));
    for (unsigned i = 0; i < advice->list.count; i++) {
        struct listed_shape shape = advice->list.at[i];
        const struct meter_shape *seen = shape.known->histogram;
        struct gain gain = {.shape = shape, .seen = seen};

        if (!could_gain(database_plan(shape.database, shape.known), seen))
            continue;
        gain.repeated = (double)seen->repeated / (double)seen->offered;
        gain.saved = (double)seen->repeated * (mean_ns(seen) - advice->cache_ns);
        if (gain.saved > 0)
            advice->gains[advice->ngains++] = gain;
    }
    qsort(advice->gains, advice->ngains, sizeof(*advice->gains), compare);
    if (advice->ngains > CANDIDATES)
        advice->ngains = CANDIDATES;
}

/* --- what is to be pasted --- */

static void put_name(struct buf *out, const char *before, const char *name)
{
    buf_put_slice(out, slice_text(before));
    yaml_put(out, name);
}

/* As the file has it, with a NUL; to be cleared. */
static struct buf name_of(const struct plan_ref *ref)
{
    const struct relation *declared = ref->relation;
    const char *schema = declared ? declared->schema : ref->ref->schema;
    struct buf plain = {0}, name = {0};

    buf_printf(&plain, "%s%s%s", schema ? schema : "", schema ? "." : "", ref->ref->name);
    buf_put(&plain, "", 1);
    yaml_put(&name, (const char *)buf_slice(&plain).at);
    buf_put(&name, "", 1);
    buf_clear(&plain);
    return name;
}

/* The catalog's relation is one and the same, however the texts name it. */
static bool is_first_of(const struct advice *advice, unsigned index, const struct plan_ref *ref)
{
    for (unsigned i = 0; i < index; i++) {
        const struct gain *gain = &advice->gains[i];

        if (relation_of(database_plan(gain->shape.database, gain->shape.known))->id == ref->id)
            return false;
    }
    return true;
}

static bool is_dimension(const struct plan_ref *ref, const struct shape_pin *pin, unsigned before)
{
    const struct catalog_column *column = catalog_column(ref->table, pin->column);

    for (unsigned i = 0; i < before; i++)
        if (strcmp(ref->ref->pins[i].column, pin->column) == 0)
            return false;
    return column && column->type != TYPE_NONE;
}

/* Columns by which its rows are told apart, so that a write ends only what it touches. */
static void put_dimensions(const struct plan_ref *ref, bool unique, struct buf *out)
{
    unsigned count = 0;

    for (unsigned i = 0; i < ref->ref->npins && count < DIMENSIONS_MAX; i++) {
        const struct shape_pin *pin = &ref->ref->pins[i];

        if (is_dimension(ref, pin, i) &&
            (!unique || catalog_column(ref->table, pin->column)->unique))
            put_name(out, count++ ? ", " : "", pin->column);
    }
    buf_put(out, "", 1);
}

static void put_relations(struct advice *advice)
{
    bool begun = false;

    for (unsigned i = 0; i < advice->ngains; i++) {
        const struct gain *gain = &advice->gains[i];
        const struct plan *plan = database_plan(gain->shape.database, gain->shape.known);
        const struct plan_ref *ref = relation_of(plan);
        struct buf dimensions = {0}, unique = {0}, name;

        if (ref->relation || !is_first_of(advice, i, ref))
            continue;
        name = name_of(ref);
        if (!begun)
            put(advice, "relations:");
        begun = true;
        put_dimensions(ref, false, &dimensions);
        put_dimensions(ref, true, &unique);
        put(advice, "  %s: { dimensions: [%s], unique: [%s] }", (const char *)buf_slice(&name).at,
            (const char *)buf_slice(&dimensions).at, (const char *)buf_slice(&unique).at);
        buf_clear(&name);
        buf_clear(&dimensions);
        buf_clear(&unique);
    }
}

static void put_where(const struct plan_ref *ref, struct buf *out)
{
    unsigned count = 0;

    for (unsigned i = 0; i < ref->ref->npins; i++) {
        const struct shape_pin *pin = &ref->ref->pins[i];
        bool again = false;

        for (unsigned k = 0; k < i; k++)
            again |= strcmp(ref->ref->pins[k].column, pin->column) == 0;
        if (!again)
            put_name(out, count++ ? ": known, " : ", where: { ", pin->column);
    }
    if (count)
        buf_put_slice(out, SLICE(": known }"));
    buf_put(out, "", 1);
}

/* What named it before would no longer do so: its target goes along. */
static void put_target(struct advice *advice, const char *operation)
{
    const struct rules *rules = advice->admin->gather->rooms->rules;
    char target[24];

    for (unsigned i = 0; i < rules->noperations; i++)
        if (strcmp(rules->operations[i].name, operation) == 0 && rules->operations[i].target) {
            units_duration_text(rules->operations[i].target, target);
            put(advice, "    target: %s", target);
        }
}

static void put_operation(struct advice *advice, const struct gain *gain)
{
    const struct plan *plan = database_plan(gain->shape.database, gain->shape.known);
    const struct plan_ref *ref = relation_of(plan);
    struct buf where = {0}, name = name_of(ref);

    put_where(ref, &where);
    put(advice, "  advised_%.8llx:", (unsigned long long)gain->shape.known->shape->hash.high >> 32);
    put_text(advice, "    ", plan->shape);
    put(advice,
        "    # %llu calls of %.3f ms; %.0f%% asked again for the same: about %.0f ms could be "
        "saved",
        (unsigned long long)gain->seen->offered, mean_ns(gain->seen) / 1e6, gain->repeated * 100,
        gain->saved / 1e6);
    put(advice, "    match: { statement: select, relation: %s, aggregate: %s%s }",
        (const char *)buf_slice(&name).at, plan->shape->aggregates ? "true" : "false",
        (const char *)buf_slice(&where).at);
    put_target(advice, gain->seen->operation);
    put(advice, "    cache: advised");
    buf_clear(&where);
    buf_clear(&name);
}

/* From advice that was taken before. */
static bool has_class(const struct rules *rules, const char *name)
{
    for (unsigned i = 0; i < rules->nclasses; i++)
        if (strcmp(rules->classes[i].name, name) == 0)
            return true;
    return false;
}

static void put_gains(struct advice *advice)
{
    if (advice->ngains == 0) {
        put(advice, "# Nothing that could be kept was asked for again and again since the start.");
        return;
    }
    put(advice,
        "# To be merged into the settings; the operations in front of the others. Estimated from");
    put(advice,
        "# what was measured, with %.3f ms for an answer from the cache, as if nothing were "
        "written.",
        advice->cache_ns / 1e6);
    put_relations(advice);
    put(advice, "operations:");
    for (unsigned i = 0; i < advice->ngains; i++)
        put_operation(advice, &advice->gains[i]);
    if (has_class(advice->admin->gather->rooms->rules, "advised"))
        return;
    put(advice, "cache:");
    put(advice, "  classes:");
    put(advice, "    advised: { key: \"advised\", ttl: 10min }");
}

/* --- what costs much, and can't be helped by a rule --- */

static void put_costly(struct advice *advice)
{
    unsigned told = 0;

    for (unsigned i = 0; i < advice->list.count && told < COSTLY; i++) {
        const struct listed_shape *shape = &advice->list.at[i];
        const struct plan *plan = database_plan(shape->database, shape->known);
        double share = (double)shape->known->total_ns / (double)(advice->list.total_ns + 1) * 100;

        if (share < COSTLY_PERCENT)
            return;
        if (!plan->read || plan->uncached == PLAN_NONE || shape->known->calls < LEAST_CALLS)
            continue;
        put(advice, "# %.0f%% of the time, and never kept: %s (%s)", share,
            plan_reason_text(plan->uncached), plan_reason_code(plan->uncached));
        put_text(advice, "", plan->shape);
        told++;
    }
}

static double measured_cache_ns(const struct admin *admin)
{
    struct histo times;

    meter_cache_times(admin->gather->meter, &times);
    return times.count ? (double)times.sum / (double)times.count : CACHE_NS;
}

void show_advice(const struct admin *admin, unsigned limit, struct buf *out)
{
    static const char *const columns[] = {"advice"};
    struct table table;
    struct advice advice = {.admin = admin,
                            .table = &table,
                            .list = shape_list(admin->gather->rooms),
                            .cache_ns = measured_cache_ns(admin)};

    (void)limit;
    table_begin(&table, out, columns, 1);
    find_gains(&advice);
    put_gains(&advice);
    put_costly(&advice);
    mem_free(advice.gains);
    mem_free(advice.list.at);
    table_end(&table, "SHOW");
}
