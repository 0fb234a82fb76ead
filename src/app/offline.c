#include "app/offline.h"

#include <stdio.h>

#include "sql/finger.h"
#include "sql/functions.h"

enum { FIELDS = 7 }; /* of a row of CATALOG_QUERY */

static void add_row(struct catalog *catalog, const char *const *fields)
{
    struct slice row[FIELDS];

    for (unsigned i = 0; i < FIELDS; i++)
        row[i] = fields[i] ? slice_text(fields[i]) : slice_of(NULL, 0);
    catalog_add_row(catalog, row, FIELDS);
}

/* The type that the value at `index` seems to be of. */
static const char *type_of(const struct values *values, int index)
{
    const struct value *value = values_get(values, index, 0);
    char canon[CANON_MAX];

    if (!value)
        return NULL;
    if (value_canon(value, TYPE_UUID, canon) >= 0)
        return "uuid";
    return value->kind == VALUE_INTEGER ? "int8" : "text";
}

static const char *type_of_pin(const struct shape_pin *pin, const struct values *values)
{
    return pin->cast ? pin->cast : type_of(values, pin->nvalues ? pin->values[0] : -1);
}

static const char *type_of_given(const struct shape_ref *ref, unsigned column,
                                 const struct values *values)
{
    for (unsigned i = 0; i < ref->ncasts; i++)
        if (ref->casts[i].column == column)
            return ref->casts[i].cast;
    return ref->nrows ? type_of(values, ref->given[column]) : NULL;
}

/* The type of a column by what one occurrence does with it; NULL where it does nothing. */
static const char *type_in_ref(const struct shape_ref *ref, const char *column,
                               const struct values *values)
{
    for (unsigned i = 0; i < ref->npins; i++)
        if (strcmp(ref->pins[i].column, column) == 0)
            return type_of_pin(&ref->pins[i], values);
    for (unsigned i = 0; i < ref->ncolumns; i++)
        if (strcmp(ref->columns[i], column) == 0)
            return type_of_given(ref, i, values);
    return NULL;
}

static const char *guess_type(const struct shape *shape, const struct values *values,
                              const struct relation *relation, unsigned dimension)
{
    const char *type = NULL;

    for (unsigned i = 0; i < shape->nrefs && !type; i++)
        if (strcmp(shape->refs[i].name, relation->name) == 0)
            type = type_in_ref(&shape->refs[i], relation->dimensions[dimension], values);
    return type ? type : "text";
}

static bool is_unlisted(const struct shape_function *function)
{
    return !function->schema && !function->attribute &&
           function_trait(function->name) == FUNCTION_UNLISTED;
}

/* Most are PostgreSQL's own; a note says what was taken for one. */
static void imagine_functions(struct catalog *catalog, const struct shape *shape)
{
    for (unsigned i = 0; i < shape->nfunctions; i++) {
        const char *const row[FIELDS] = {"b", "i", "", shape->functions[i].name};

        if (is_unlisted(&shape->functions[i]))
            add_row(catalog, row);
    }
}

static struct catalog *imagine_catalog(const struct rules *rules, const struct shape *shape,
                                       const struct values *values)
{
    struct catalog *catalog = catalog_new();
    const char *const operators[FIELDS] = {"o", "f"};
    char oid[16];

    for (unsigned i = 0; i < rules->nrelations; i++) {
        const struct relation *relation = &rules->relations[i];
        const char *schema = relation->schema ? relation->schema : "public";
        const char *const row[FIELDS] = {"r", schema, relation->name, oid, "r", "p", ""};

        snprintf(oid, sizeof(oid), "%u", i + 1);
        add_row(catalog, row);
        for (unsigned j = 0; j < relation->ndimensions; j++) {
            const char *const column[FIELDS] = {"c", oid, relation->dimensions[j],
                                                guess_type(shape, values, relation, j),
                                                relation->unique[j] ? "u" : ""};

            add_row(catalog, column);
        }
    }
    imagine_functions(catalog, shape);
    add_row(catalog, operators);
    catalog_finish(catalog);
    return catalog;
}

void offline_begin(struct offline *offline, const struct settings *settings,
                   struct catalog *catalog, struct slice text)
{
    struct hash128 hash;

    finger_text(text, &hash, &offline->values);
    offline->shape = shape_new(text, hash, &offline->values);
    offline->imagined = !catalog;
    if (catalog)
        catalog_ref(catalog);
    else
        catalog = imagine_catalog(settings->rules, offline->shape, &offline->values);
    offline->catalog = catalog;
    offline->plan = plan_new(settings->rules, catalog, offline->shape, NULL);
}

void offline_end(struct offline *offline)
{
    plan_free(offline->plan);
    catalog_unref(offline->catalog);
    shape_free(offline->shape);
}

void offline_notes(const struct offline *offline, struct buf *out)
{
    const struct shape *shape = offline->shape;

    if (!offline->imagined)
        return;
    buf_put_slice(out, SLICE("note: no server was asked: relations are taken as declared, for "
                             "ordinary tables without triggers\n"));
    for (unsigned i = 0; i < shape->nfunctions; i++)
        if (is_unlisted(&shape->functions[i]) && !function_aggregates(shape->functions[i].name))
            buf_printf(out, "note: %s is taken for an immutable function of PostgreSQL's own\n",
                       shape->functions[i].name);
}
