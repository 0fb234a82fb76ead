/* What pins the columns of the occurrences: what is written of them, what is written of a column
 * that only one of them has, and what equalities carry over from one to another. */
#include "rules/compile.h"

static bool is_integer(enum value_type type)
{
    return type == TYPE_INT2 || type == TYPE_INT4 || type == TYPE_INT8;
}

/* Integers of all widths compare by value; a value of any other type must be cast to the column's.
 */
static bool cast_agrees(const char *cast, enum value_type type)
{
    enum value_type to = cast ? value_type_named(cast) : type;

    return to == type || (is_integer(to) && is_integer(type));
}

/* A column of an occurrence, pinned; `type` is the column's. */
struct found_pin {
    unsigned ref;
    const char *column;
    enum value_type type;
    const struct shape_pin *pin;
};

enum { FOUND_MAX = 512 };

struct found_pins {
    struct found_pin at[FOUND_MAX];
    unsigned count;
};

static const struct catalog_column *column_of(const struct plan *plan, unsigned ref,
                                              const char *column)
{
    const struct plan_ref *of = &plan->refs[ref];

    return of->certain ? catalog_column(of->table, column) : NULL;
}

static void note_pin(const struct plan *plan, unsigned index, const struct shape_pin *pin,
                     struct found_pins *pins)
{
    const struct catalog_column *column = column_of(plan, index, pin->column);

    if (column && column->type != TYPE_NONE && cast_agrees(pin->cast, column->type) &&
        pins->count < FOUND_MAX)
        pins->at[pins->count++] = (struct found_pin){index, column->name, column->type, pin};
}

static void find_pins_of(const struct plan *plan, unsigned index, struct found_pins *pins)
{
    const struct shape_ref *ref = plan->refs[index].ref;

    for (unsigned i = 0; i < ref->npins; i++)
        note_pin(plan, index, &ref->pins[i], pins);
}

/* Which of the occurrences alone has the column; -1 where none does, or several, or what one of
 * them is made of is not known. */
static int owner_of(const struct plan *plan, const struct shape_loose *loose)
{
    int owner = -1;

    for (unsigned i = 0; i < loose->nrefs; i++) {
        const struct catalog_relation *relation = plan->refs[loose->refs[i]].named;

        if (!relation || relation->ncolumns == 0)
            return -1;
        if (!catalog_column(relation, loose->pin.column))
            continue;
        if (owner >= 0)
            return -1;
        owner = (int)i;
    }
    return owner;
}

static void find_loose(const struct plan *plan, struct found_pins *pins)
{
    for (unsigned i = 0; i < plan->shape->nloose; i++) {
        const struct shape_loose *loose = &plan->shape->loose[i];
        int owner = owner_of(plan, loose);

        if (owner >= (int)loose->from && owner < (int)loose->to)
            note_pin(plan, loose->refs[owner], &loose->pin, pins);
    }
}

static bool has_pin(const struct found_pins *pins, const struct found_pin *pin)
{
    for (unsigned i = 0; i < pins->count; i++)
        if (pins->at[i].ref == pin->ref && pins->at[i].pin == pin->pin &&
            strcmp(pins->at[i].column, pin->column) == 0)
            return true;
    return false;
}

/* What pins a column pins those that are equal to it, where the types compare alike. */
static void carry(const struct plan *plan, const struct shape_equal *equal, struct found_pins *pins)
{
    const struct catalog_column *column = column_of(plan, equal->ref, equal->column);
    unsigned count = pins->count;

    for (unsigned i = 0; column && i < count && pins->count < FOUND_MAX; i++) {
        struct found_pin pin = pins->at[i];

        if (pin.ref != equal->source || strcmp(pin.column, equal->other) != 0 ||
            !(pin.type == column->type || (is_integer(pin.type) && is_integer(column->type))))
            continue;
        pin.ref = equal->ref;
        pin.column = column->name;
        if (!has_pin(pins, &pin))
            pins->at[pins->count++] = pin;
    }
}

/* Each turn carries over one more equality of a chain. */
static void find_pins(const struct plan *plan, struct found_pins *pins)
{
    const struct shape *shape = plan->shape;
    unsigned before = 0;

    pins->count = 0;
    for (unsigned i = 0; i < shape->nrefs; i++)
        find_pins_of(plan, i, pins);
    find_loose(plan, pins);
    while (pins->count > before && shape->nequals) {
        before = pins->count;
        for (unsigned i = 0; i < shape->nequals; i++)
            carry(plan, &shape->equals[i], pins);
    }
}

static void resolve_pins(struct plan *plan, unsigned index, const struct found_pins *found)
{
    struct plan_ref *ref = &plan->refs[index];
    struct plan_dim *pins;
    unsigned own = 0;

    for (unsigned i = 0; i < found->count; i++)
        own += found->at[i].ref == index;
    if (own == 0)
        return;
    pins = keep_array(plan_memory(plan)->keep, own, sizeof(*pins));
    ref->pins = pins;
    for (unsigned i = 0; i < found->count; i++) {
        const struct found_pin *pin = &found->at[i];
        int dimension = pin->ref == index ? plan_dimension(ref->relation, pin->column) : -1;
        struct plan_dim dim;

        if (dimension < 0)
            continue;
        dim = plan_dim_of(ref, ref->table, (unsigned)dimension);
        dim.type = pin->type;
        dim.values = pin->pin->values;
        dim.nvalues = pin->pin->nvalues;
        dim.array = pin->pin->array;
        pins[ref->npins++] = dim;
    }
}

static bool is_own(const struct shape_ref *ref, const struct shape_pin *pin)
{
    return ref->npins && pin >= ref->pins && pin < ref->pins + ref->npins;
}

static void note_known(struct plan *plan, unsigned index, const struct found_pins *found)
{
    struct plan_ref *ref = &plan->refs[index];
    const struct shape_ref *of = ref->ref;
    struct shape_pin *known;
    unsigned more = 0;

    ref->known = of->pins;
    ref->nknown = of->npins;
    for (unsigned i = 0; i < found->count; i++)
        more += found->at[i].ref == index && !is_own(of, found->at[i].pin);
    if (more == 0)
        return;
    known = keep_array(plan_memory(plan)->keep, of->npins + more, sizeof(*known));
    for (unsigned i = 0; i < of->npins; i++)
        known[i] = of->pins[i];
    for (unsigned i = 0; i < found->count; i++) {
        if (found->at[i].ref != index || is_own(of, found->at[i].pin))
            continue;
        known[ref->nknown] = *found->at[i].pin;
        known[ref->nknown++].column = found->at[i].column;
    }
    ref->known = known;
}

void plan_pins(struct plan *plan)
{
    const struct shape *shape = plan->shape;
    struct found_pins pins;

    find_pins(plan, &pins);
    for (unsigned i = 0; i < shape->nrefs; i++) {
        enum ref_use use = shape->refs[i].use;

        note_known(plan, i, &pins);
        if (plan->refs[i].relation && (use == REF_READ || use == REF_UPDATE || use == REF_DELETE))
            resolve_pins(plan, i, &pins);
    }
}
