/* Any text gives a shape whose facts are within bounds, the same twice; what does not parse is
 * unknown, and what is unknown counts as a write. */
#include "sql/finger.h"
#include "sql/shape.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_ref(const struct shape *shape, const struct shape_ref *ref)
{
    require(ref->name && ref->statement < shape->nstatements);
    for (unsigned i = 0; i < ref->npins; i++) {
        require(ref->pins[i].column && ref->pins[i].nvalues > 0);
        for (unsigned k = 0; k < ref->pins[i].nvalues; k++)
            require(ref->pins[i].values[k] >= 0 && ref->pins[i].values[k] < VALUES_MAX &&
                    (unsigned)ref->pins[i].values[k] < shape->nvalues);
    }
    for (unsigned i = 0; i < ref->ncolumns * ref->nrows; i++)
        require(ref->given[i] >= GIVEN_NULL && ref->given[i] < VALUES_MAX);
    require(ref->use == REF_READ || shape->writes);
}

static void check(const struct shape *shape)
{
    require(shape->nstatements > 0 && shape->text);
    require(!shape->unknown || shape->writes);
    for (unsigned i = 0; i < shape->nstatements; i++)
        require(shape->statements[i] < STATEMENT_KIND_COUNT);
    for (unsigned i = 0; i < shape->nrefs; i++)
        check_ref(shape, &shape->refs[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct values values; /* large */
    struct hash128 hash;
    struct shape *first, *again;

    finger_text(slice_of(bytes, len), &hash, &values);
    first = shape_new(slice_of(bytes, len), hash, &values);
    again = shape_new(slice_of(bytes, len), hash, &values);
    check(first);
    require(first->nrefs == again->nrefs && first->writes == again->writes &&
            first->nstatements == again->nstatements && first->bytes == again->bytes);
    shape_free(first);
    shape_free(again);
    return 0;
}
