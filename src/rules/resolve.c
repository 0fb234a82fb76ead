/* The occurrences of relations, looked up in the catalog. A ref is certain where the catalog shows
 * an ordinary table that is all there is to it; anything else is widened: a read to one of
 * anything, a write to one of everything. */
#include "base/hash.h"
#include "rules/compile.h"

static bool is_write(const struct plan *plan, const struct shape_ref *ref)
{
    enum statement_kind kind = plan->shape->statements[ref->statement];

    if (kind == STATEMENT_EXPLAIN && !plan->shape->explains_write)
        return false;
    return ref->use != REF_READ && kind != STATEMENT_PREPARE;
}

/* With no catalog the name itself: PostgreSQL reserves the prefix for itself. */
static bool is_system(const struct shape_ref *ref, const struct catalog_relation *found)
{
    const char *schema = found ? found->schema : ref->schema;

    if (!schema)
        return strncmp(ref->name, "pg_", 3) == 0;
    return strncmp(schema, "pg_", 3) == 0 || strcmp(schema, "information_schema") == 0;
}

/* What a materialized view holds changes by its REFRESH alone. */
static bool is_ordinary(const struct catalog_relation *found)
{
    return found && strchr("rpm", found->kind) && found->persistence == 'p' &&
           found->family == found && !found->rules;
}

/* What else a write to it may change is neither nothing nor said. */
static bool spreads(const struct plan *plan, const struct catalog_relation *found)
{
    const struct relation *relation = rules_relation(plan->rules, found->schema, found->name);

    return found->read_calls ||
           ((found->triggers || found->write_calls) && !(relation && relation->touches.said));
}

static uint64_t name_relation(const char *schema, const char *name)
{
    return hash_join(hash_slice(slice_text(schema ? schema : "")), hash_slice(slice_text(name)));
}

int plan_dimension(const struct relation *relation, const char *column)
{
    for (unsigned i = 0; i < relation->ndimensions; i++)
        if (strcmp(relation->dimensions[i], column) == 0)
            return (int)i;
    return -1;
}

struct plan_dim plan_dim_of(const struct plan_ref *ref, const struct catalog_relation *found,
                            unsigned dimension)
{
    const struct catalog_column *column =
        catalog_column(found, ref->relation->dimensions[dimension]);

    return (struct plan_dim){.dimension = (uint8_t)dimension,
                             .type = column ? column->type : TYPE_NONE,
                             .unique =
                                 column && column->unique && ref->relation->unique[dimension]};
}

static const int16_t NOT_KNOWN[] = {GIVEN_UNKNOWN};

/* A cast to the column's own type changes nothing. */
static int16_t uncast(const struct shape_ref *ref, unsigned row, unsigned column,
                      enum value_type type)
{
    for (unsigned i = 0; i < ref->ncasts; i++)
        if (ref->casts[i].row == row && ref->casts[i].column == column &&
            value_type_named(ref->casts[i].cast) == type)
            return ref->casts[i].value;
    return GIVEN_UNKNOWN;
}

/* One column's values, row by row. */
static void take_given(struct plan *plan, const struct shape_ref *ref, unsigned column,
                       struct plan_dim *dim)
{
    int16_t *values;

    if (ref->nrows == 0) {
        dim->values = NOT_KNOWN;
        dim->nvalues = 1;
        return;
    }
    values = keep_array(plan_memory(plan)->keep, ref->nrows, sizeof(*values));
    for (unsigned row = 0; row < ref->nrows; row++) {
        values[row] = ref->given[row * ref->width + column];
        if (values[row] == GIVEN_UNKNOWN)
            values[row] = uncast(ref, row, column, dim->type);
    }
    dim->values = values;
    dim->nvalues = ref->nrows;
}

/* Without a list of columns the values are of the first ones of the relation that is named, be it a
 * part of another one. */
static int given_by_place(const struct plan_ref *ref, const char *name)
{
    const struct catalog_column *column = ref->named ? catalog_column(ref->named, name) : NULL;
    unsigned width = ref->ref->width;

    if (!column || column->place < 0 || width == 0)
        return GIVEN_SOMEHOW;
    return (unsigned)column->place < width ? column->place : GIVEN_NONE;
}

int plan_given_at(const struct plan_ref *of, const char *name)
{
    const struct shape_ref *ref = of->ref;

    if (ref->positional)
        return given_by_place(of, name);
    for (unsigned i = 0; i < ref->ncolumns; i++)
        if (strcmp(ref->columns[i], name) == 0)
            return (int)i;
    return GIVEN_NONE;
}

static void resolve_given(struct plan *plan, struct plan_ref *ref,
                          const struct catalog_relation *found)
{
    struct plan_dim *given = keep_array(plan_memory(plan)->keep, DIMENSIONS_MAX, sizeof(*given));

    ref->given = given;
    for (unsigned i = 0; i < ref->relation->ndimensions; i++) {
        const char *name = ref->relation->dimensions[i];
        const struct catalog_column *column = catalog_column(found, name);
        bool computed = column && column->generated && ref->ref->use == REF_UPDATE;
        int at = plan_given_at(ref, name);
        struct plan_dim dim = plan_dim_of(ref, found, i);

        if (at == GIVEN_SOMEHOW || computed) {
            dim.values = NOT_KNOWN;
            dim.nvalues = 1;
        } else if (at >= 0) {
            take_given(plan, ref->ref, (unsigned)at, &dim);
        } else {
            continue;
        }
        given[ref->ngiven++] = dim;
    }
}

static bool has_update_beside(const struct shape *shape, const struct shape_ref *insert)
{
    for (unsigned i = 0; i < shape->nrefs; i++)
        if (shape->refs[i].use == REF_UPDATE && shape->refs[i].statement == insert->statement &&
            strcmp(shape->refs[i].name, insert->name) == 0)
            return true;
    return false;
}

static void resolve_write(struct plan *plan, struct plan_ref *ref,
                          const struct catalog_relation *found)
{
    plan->read = false;
    ref->certain = ref->certain && !spreads(plan, found);
    if (!ref->certain && !ref->stood_for)
        plan_everything(plan, PLAN_WRITE);
    plan_apart(plan, PLAN_WRITE);
}

/* What a read of a relation that is no ordinary table has to do without. */
static void resolve_uncertain(struct plan *plan, const struct shape_ref *ref,
                              const struct catalog_relation *found)
{
    if (is_system(ref, found)) {
        plan_on_primary(plan, PLAN_SYSTEM);
        plan_anything(plan, PLAN_SYSTEM);
        return;
    }
    plan_anything(plan, plan->catalog ? PLAN_RELATION : PLAN_NO_CATALOG);
    /* What is not in the catalog may be a temporary table; a sequence moves without a write; what
     * is unlogged or foreign has no LSN. */
    if (!found || found->persistence != 'p' || strchr("Sf", found->kind))
        plan_on_primary(plan, plan->catalog ? PLAN_RELATION : PLAN_NO_CATALOG);
    plan->bound |= found && (found->persistence == 'u' || found->kind == 'S');
}

static void resolve_read(struct plan *plan, struct plan_ref *ref,
                         const struct catalog_relation *found)
{
    if (found && found->read_calls) {
        plan_bound(plan, PLAN_USER_FUNCTION);
        plan_everything(plan, PLAN_USER_FUNCTION);
    } else if (!ref->certain && !ref->stood_for) {
        resolve_uncertain(plan, ref->ref, found);
    }
    if (ref->ref->locked)
        plan_apart(plan, PLAN_LOCKS);
    ref->alone = plan->shape->plain && plan->nrefs == 1 && plan->shape->nstatements == 1 &&
                 !plan_memory(plan)->aggregates;
}

static void resolve_ref(struct plan *plan, struct plan_ref *ref)
{
    const struct shape_ref *of = ref->ref;
    const struct catalog_relation *found = ref->table;

    ref->id =
        found ? name_relation(found->schema, found->name) : name_relation(of->schema, of->name);
    ref->certain = is_ordinary(found) && !is_system(of, found);
    if (is_write(plan, of))
        resolve_write(plan, ref, found);
    else
        resolve_read(plan, ref, found);
    if (ref->certain)
        ref->relation = rules_relation(plan->rules, found->schema, found->name);
    if (!ref->relation)
        return;
    if (of->use == REF_INSERT || of->use == REF_UPDATE)
        resolve_given(plan, ref, found);
    ref->upsert = of->use == REF_INSERT && has_update_beside(plan->shape, of);
}

void plan_resolve(struct plan *plan)
{
    for (unsigned i = 0; i < plan->nrefs; i++)
        resolve_ref(plan, &plan->refs[i]);
    plan_pins(plan);
}
