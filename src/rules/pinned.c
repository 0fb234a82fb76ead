/* The values of a request that pin, set or insert a dimension, in canonical form. All of a
 * dimension's values or none: a part of them would prove nothing. */
#include "rules/plan.h"

enum { REFS_MAX = sizeof(((struct pinned *)NULL)->pins) };

struct place {
    uint8_t ref, dimension;
    bool given;
};

/* False where there is no room. */
static bool put(struct pinned *pinned, struct place place, const char *bytes, size_t len,
                unsigned *used)
{
    if (pinned->count == PINNED_MAX || *used + len > PINNED_BYTES)
        return false;
    pinned->values[pinned->count].ref = place.ref;
    pinned->values[pinned->count].dimension = place.dimension;
    pinned->values[pinned->count].given = place.given;
    pinned->values[pinned->count].at = (uint16_t)*used;
    pinned->values[pinned->count].len = (uint16_t)len;
    pinned->count++;
    memcpy(pinned->bytes + *used, bytes, len);
    *used += (unsigned)len;
    return true;
}

/* A given NULL is known and equals nothing, so that it adds no value. */
static bool is_null(const struct value *value, int at, bool given)
{
    return given && (at == GIVEN_NULL || (value && value->kind == VALUE_NULL));
}

static bool put_value(struct pinned *pinned, const struct value *value, enum value_type type,
                      struct place place, unsigned *used)
{
    char canon[CANON_MAX];
    int len = value ? value_canon(value, type, canon) : -1;

    return len >= 0 && put(pinned, place, canon, (size_t)len, used);
}

/* A NULL among them equals nothing. */
static bool put_elements(struct pinned *pinned, const struct value *array, enum value_type type,
                         struct place place, unsigned *used)
{
    struct elements elements;
    struct value value;
    enum element found;

    if (!array || !elements_begin(&elements, array))
        return false;
    while ((found = elements_next(&elements, &value)) != ELEMENT_END)
        if (found == ELEMENT_BAD ||
            (found == ELEMENT_VALUE && !put_value(pinned, &value, type, place, used)))
            return false;
    return true;
}

/* The value at one placeholder, or the whole list. */
static bool put_values(struct pinned *pinned, const struct plan_dim *dim, struct place place,
                       const struct values *values, int at, unsigned *used)
{
    const struct value *first = values_get(values, at, 0);

    if (is_null(first, at, place.given))
        return true;
    if (dim->array)
        return put_elements(pinned, first, dim->type, place, used);
    for (unsigned i = 0; i == 0 || i < first->list; i++)
        if (!put_value(pinned, values_get(values, at, i), dim->type, place, used))
            return false;
    return true;
}

/* True where every value of the dimension is in; false leaves `pinned` as it was. */
static bool put_dim(struct pinned *pinned, const struct plan_dim *dim, struct place place,
                    const struct values *values, unsigned *used)
{
    unsigned count = pinned->count, bytes = *used;

    for (unsigned i = 0; i < dim->nvalues; i++) {
        if (!put_values(pinned, dim, place, values, dim->values[i], used)) {
            pinned->count = count;
            *used = bytes;
            return false;
        }
    }
    return true;
}

/* Where WHERE pins a dimension twice, both hold, so that the first that is known will do. */
static void put_dims(struct pinned *pinned, const struct plan_dim *dims, unsigned count,
                     struct place place, const struct values *values, unsigned *used)
{
    uint8_t *known = place.given ? pinned->given : pinned->pins;

    for (unsigned i = 0; i < count; i++) {
        uint8_t bit = (uint8_t)(1U << dims[i].dimension);

        place.dimension = dims[i].dimension;
        if (!(known[place.ref] & bit) && put_dim(pinned, &dims[i], place, values, used))
            known[place.ref] |= bit;
    }
}

void plan_pinned(const struct plan *plan, const struct values *values, struct pinned *pinned)
{
    unsigned used = 0;

    pinned->count = 0;
    memset(pinned->pins, 0, sizeof(pinned->pins));
    memset(pinned->given, 0, sizeof(pinned->given));
    for (unsigned i = 0; i < plan->nrefs && i < REFS_MAX; i++) {
        const struct plan_ref *ref = &plan->refs[i];
        struct place place = {.ref = (uint8_t)i};

        put_dims(pinned, ref->pins, ref->npins, place, values, &used);
        place.given = true;
        put_dims(pinned, ref->given, ref->ngiven, place, values, &used);
    }
}
