/* What the parts of a shape may do besides reading the relations it names: the kinds of its
 * statements, the functions that it calls, the types that it casts to. Unknown is a write to
 * everything. */
#include <stdio.h>
#include <stdlib.h>

#include "rules/compile.h"
#include "sql/functions.h"

/* --- statements --- */

enum effect {
    READS,           /* rows of the relations it names, nothing else */
    CHANGES,         /* rows of the relations it names; resolve.c bounds it */
    TOUCHES_NOTHING, /* bound to its session's server, and no row of anybody's is another one after
                      */
    IS_BOUND,        /* .. and to the primary, even in a transaction that writes nothing */
    CHANGES_EVERYTHING,
    MAY_DO_ANYTHING
};

struct kind_effect {
    enum effect effect;
    enum plan_reason reason;
};

static const struct kind_effect EFFECTS[STATEMENT_KIND_COUNT] = {
    [STATEMENT_EMPTY] = {TOUCHES_NOTHING, PLAN_PROTOCOL},
    [STATEMENT_SELECT] = {READS, PLAN_NONE},
    [STATEMENT_INSERT] = {CHANGES, PLAN_WRITE},
    [STATEMENT_UPDATE] = {CHANGES, PLAN_WRITE},
    [STATEMENT_DELETE] = {CHANGES, PLAN_WRITE},
    [STATEMENT_MERGE] = {CHANGES, PLAN_WRITE},
    [STATEMENT_TRUNCATE] = {CHANGES, PLAN_WRITE},
    [STATEMENT_COPY_FROM] = {CHANGES, PLAN_WRITE},
    [STATEMENT_COPY_TO] = {TOUCHES_NOTHING, PLAN_PROTOCOL},
    [STATEMENT_BEGIN] = {TOUCHES_NOTHING, PLAN_TRANSACTION},
    [STATEMENT_COMMIT] = {TOUCHES_NOTHING, PLAN_TRANSACTION},
    [STATEMENT_ROLLBACK] = {TOUCHES_NOTHING, PLAN_TRANSACTION},
    [STATEMENT_SAVEPOINT] = {TOUCHES_NOTHING, PLAN_TRANSACTION},
    [STATEMENT_SET] = {TOUCHES_NOTHING, PLAN_SESSION},
    [STATEMENT_SET_LOCAL] = {TOUCHES_NOTHING, PLAN_SESSION},
    [STATEMENT_SHOW] = {TOUCHES_NOTHING, PLAN_SESSION},
    [STATEMENT_EXPLAIN] = {READS, PLAN_TIME},
    [STATEMENT_PREPARE] = {TOUCHES_NOTHING, PLAN_SESSION},
    [STATEMENT_EXECUTE] = {CHANGES_EVERYTHING, PLAN_UNKNOWN}, /* its text was not seen */
    [STATEMENT_DEALLOCATE] = {TOUCHES_NOTHING, PLAN_SESSION},
    [STATEMENT_DISCARD] = {TOUCHES_NOTHING, PLAN_SESSION},
    [STATEMENT_DECLARE] = {TOUCHES_NOTHING, PLAN_TRANSACTION},
    /* What the cursor's query may change is pending since DECLARE, until the transaction ends. */
    [STATEMENT_FETCH] = {TOUCHES_NOTHING, PLAN_TRANSACTION},
    [STATEMENT_LISTEN] = {IS_BOUND, PLAN_SESSION},
    [STATEMENT_NOTIFY] = {IS_BOUND, PLAN_SESSION},
    [STATEMENT_LOCK] = {IS_BOUND, PLAN_LOCKS},
    [STATEMENT_LOAD] = {IS_BOUND, PLAN_SESSION},
    [STATEMENT_PREPARE_TRANSACTION] = {IS_BOUND, PLAN_TRANSACTION},
    /* What another transaction wrote, unless that is noted. One that is rolled back writes nothing,
     * and gives its name to the next: whoever has noted the first must hear of it. */
    [STATEMENT_COMMIT_PREPARED] = {MAY_DO_ANYTHING, PLAN_TRANSACTION},
    [STATEMENT_ROLLBACK_PREPARED] = {MAY_DO_ANYTHING, PLAN_TRANSACTION},
    [STATEMENT_DO] = {MAY_DO_ANYTHING, PLAN_UNKNOWN},
    [STATEMENT_CALL] = {MAY_DO_ANYTHING, PLAN_UNKNOWN},
    [STATEMENT_DDL] = {CHANGES_EVERYTHING, PLAN_WRITE},
    [STATEMENT_MAINTENANCE] = {IS_BOUND, PLAN_WRITE},
    [STATEMENT_UTILITY] = {MAY_DO_ANYTHING, PLAN_UNKNOWN},
    [STATEMENT_UNPARSABLE] = {CHANGES_EVERYTHING, PLAN_UNPARSABLE},
};

static void may_do_anything(struct plan *plan, enum plan_reason reason)
{
    plan_bound(plan, reason);
    plan_everything(plan, reason);
}

static void take_statement(struct plan *plan, enum statement_kind kind)
{
    const struct kind_effect *effect = &EFFECTS[kind];

    switch (effect->effect) {
    case READS:
        plan_uncached(plan, effect->reason);
        break;
    case CHANGES:
        plan->read = false;
        plan_apart(plan, effect->reason);
        break;
    case TOUCHES_NOTHING:
        plan_apart(plan, effect->reason);
        break;
    case IS_BOUND:
        plan_bound(plan, effect->reason);
        break;
    case CHANGES_EVERYTHING:
        plan_everything(plan, effect->reason);
        break;
    case MAY_DO_ANYTHING:
        may_do_anything(plan, effect->reason);
        break;
    }
}

static bool has_write_ref(const struct shape *shape)
{
    for (unsigned i = 0; i < shape->nrefs; i++)
        if (shape->refs[i].use != REF_READ)
            return true;
    return false;
}

static bool touches_nothing(const struct shape *shape)
{
    for (unsigned i = 0; i < shape->nstatements; i++)
        if (EFFECTS[shape->statements[i]].effect == TOUCHES_NOTHING ||
            EFFECTS[shape->statements[i]].effect == IS_BOUND)
            return true;
    return false;
}

static void take_statements(struct plan *plan)
{
    const struct shape *shape = plan->shape;

    for (unsigned i = 0; i < shape->nstatements; i++)
        take_statement(plan, (enum statement_kind)shape->statements[i]);
    if (shape->unknown)
        may_do_anything(plan, PLAN_UNKNOWN);
    if (shape->transaction)
        plan_apart(plan, PLAN_TRANSACTION);
    if (shape->session)
        plan_apart(plan, PLAN_SESSION);
    if (shape->locks)
        plan_apart(plan, PLAN_LOCKS);
    if (shape->nstatements > 1)
        plan_apart(plan, PLAN_BATCH);
    if (shape->asks_role)
        plan_uncached(plan, PLAN_TIME);
    /* It is said to write, and no relation is named that it writes to. */
    if (shape->writes && plan->read && !has_write_ref(shape) && !touches_nothing(shape))
        plan_everything(plan, PLAN_UNKNOWN);
    if (shape->volatile_time)
        plan_uncached(plan, PLAN_TIME);
}

/* --- functions --- */

static void take_user_function(struct plan *plan, const struct catalog_function *found)
{
    if (found->user_volatility == 'i')
        plan_anything(plan, PLAN_USER_FUNCTION); /* that it reads nothing is its maker's word */
    else
        may_do_anything(plan, PLAN_USER_FUNCTION);
}

/* One that the table does not list, by the worst that the catalog says of the name. */
static void take_unlisted(struct plan *plan, const struct catalog_function *found)
{
    if (found && found->volatility == 'i')
        return;
    if (found && found->volatility == 's')
        plan_anything(plan, PLAN_TIME);
    else
        may_do_anything(plan, found ? PLAN_VOLATILE : PLAN_USER_FUNCTION);
}

static void take_builtin(struct plan *plan, const char *name, const struct catalog_function *found)
{
    if (found && found->user && !found->volatility)
        return; /* only users have one of this name */
    switch (function_trait(name)) {
    case FUNCTION_STABLE:
        break;
    case FUNCTION_MOVING:
        plan_uncached(plan, PLAN_TIME);
        break;
    case FUNCTION_LOCAL:
        plan_apart(plan, PLAN_LOCAL);
        break;
    case FUNCTION_BOUND:
        plan_bound(plan, PLAN_VOLATILE);
        break;
    case FUNCTION_WRITES:
        may_do_anything(plan, PLAN_VOLATILE);
        break;
    case FUNCTION_UNLISTED:
        take_unlisted(plan, found);
        break;
    }
}

/* What a safe one reads, and whether time is a part of that, nobody says. */
static void take_safe(struct plan *plan, const char *name, const struct catalog_function *found)
{
    plan_anything(plan, PLAN_USER_FUNCTION);
    if (function_trait(name) != FUNCTION_UNLISTED || (found && found->volatility))
        take_builtin(plan, name, found);
}

static bool is_aggregate(const struct shape_function *function,
                         const struct catalog_function *found)
{
    return function->aggregate || (found && found->aggregate);
}

bool plan_is_column(const struct catalog *catalog, const struct search_path *path,
                    const struct shape *shape, const struct shape_function *function)
{
    const struct shape_ref *ref;
    const struct catalog_relation *found;

    if (function->row < 0)
        return false;
    ref = &shape->refs[function->row];
    found = catalog_relation(catalog, path, ref->schema, ref->name);
    return found && catalog_column(found, function->name);
}

/* x.name and (expr).name call the function `name` where there is no such column. Which columns an
 * expression has is not known here, so that the function is taken for called. */
static bool is_no_call(const struct plan *plan, const struct shape *shape,
                       const struct search_path *path, const struct shape_function *function,
                       const struct catalog_function *found)
{
    bool known =
        found || (function->row < 0 && function_trait(function->name) != FUNCTION_UNLISTED);

    return function->attribute && (plan_is_column(plan->catalog, path, shape, function) || !known);
}

const struct touched *plan_touched(const struct plan *plan, const struct shape_function *function)
{
    const struct said_function *said =
        plan->shape->nstatements == 1
            ? rules_function(plan->rules, function->schema, function->name)
            : NULL;

    return said && said->touches.said ? &said->touches : NULL;
}

static void take_function(struct plan *plan, const struct shape *shape,
                          const struct search_path *path, const struct shape_function *function)
{
    struct catalog_function room, *found = NULL;
    bool ours = function->schema && strcmp(function->schema, "pg_catalog") == 0;

    if (!plan->catalog) {
        plan_everything(plan, PLAN_NO_CATALOG);
        return;
    }
    if (catalog_function(plan->catalog, path, function->schema, function->name, function->nargs,
                         &room))
        found = &room;
    if (is_no_call(plan, shape, path, function, found))
        return;
    if (is_aggregate(function, found))
        plan_memory(plan)->aggregates = true;
    if (!ours && rules_safe(plan->rules, function->schema, function->name)) {
        take_safe(plan, function->name, found);
        return;
    }
    if (!ours && shape == plan->shape && plan_touched(plan, function)) {
        plan->read = false;
        plan_bound(plan, PLAN_USER_FUNCTION);
        return;
    }
    if (function->schema && !ours && (!found || !found->user)) {
        may_do_anything(plan, PLAN_USER_FUNCTION);
        return;
    }
    if (!ours && found && found->user)
        take_user_function(plan, found);
    if (!function->schema || ours)
        take_builtin(plan, function->name, found);
}

/* --- types and operators --- */

/* Types of PostgreSQL's own whose values mean the same everywhere and at any time, sorted. */
static const char *const OWN_TYPES[] = {
    "bit",       "bool",      "box",       "bpchar",      "bytea",    "char",    "cidr",
    "circle",    "date",      "daterange", "float4",      "float8",   "inet",    "int2",
    "int4",      "int4range", "int8",      "int8range",   "interval", "json",    "jsonb",
    "jsonpath",  "line",      "lseg",      "macaddr",     "macaddr8", "money",   "name",
    "numeric",   "numrange",  "oid",       "path",        "pg_lsn",   "point",   "polygon",
    "text",      "time",      "timestamp", "timestamptz", "timetz",   "tsquery", "tsrange",
    "tstzrange", "tsvector",  "uuid",      "varbit",      "varchar",  "xml"};

enum { TYPE_MAX = 24 }; /* longer than any of them */

static int compare(const void *name, const void *own)
{
    return strcmp(name, *(const char *const *)own);
}

/* Also an array of them: "int4[]" or "_int4". */
static bool is_own_type(const char *type)
{
    size_t len = strcspn(type, "[");
    char name[TYPE_MAX];

    if (type[len] && strcmp(type + len, "[]") != 0)
        return false;
    if (*type == '_') {
        type++;
        len--;
    }
    if (len >= sizeof(name))
        return false;
    snprintf(name, sizeof(name), "%.*s", (int)len, type);
    return bsearch(name, OWN_TYPES, sizeof(OWN_TYPES) / sizeof(*OWN_TYPES), sizeof(*OWN_TYPES),
                   compare);
}

static void take_foreign_type(struct plan *plan)
{
    if (plan->catalog && catalog_loose_domains(plan->catalog))
        plan_everything(plan, PLAN_USER_FUNCTION);
    else
        plan_anything(plan, PLAN_UNKNOWN);
}

/* Operators and casts need not be written: a key, a comparison of rows or an assignment has some.
 */
static bool has_expressions(const struct shape *shape)
{
    for (unsigned i = 0; i < shape->nstatements; i++) {
        enum effect effect = EFFECTS[shape->statements[i]].effect;

        if (effect == READS || effect == CHANGES)
            return true;
    }
    return shape->nrefs > 0;
}

static void take_types(struct plan *plan, const struct shape *shape)
{
    for (unsigned i = 0; i < shape->ntypes; i++)
        if (!is_own_type(shape->types[i]))
            take_foreign_type(plan);
}

static void take_operators(struct plan *plan)
{
    if (plan->catalog && catalog_loose_operators(plan->catalog) && has_expressions(plan->shape))
        plan_everything(plan, PLAN_USER_FUNCTION);
    if (plan->catalog && catalog_user_operators(plan->catalog))
        plan_anything(plan, PLAN_USER_FUNCTION);
}

/* Where and by whom a row was written: other ones after a write that changes nothing, or VACUUM. */
static void take_system_columns(struct plan *plan, const struct shape *shape)
{
    static const char *const names[] = {"ctid", "xmin", "xmax", "cmin", "cmax"};

    for (unsigned i = 0; i < shape->ncolumns; i++)
        for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
            if (strcmp(shape->columns[i], names[k]) == 0)
                plan_uncached(plan, PLAN_TIME);
}

/* A policy asks for nothing that is not the same for the same role and settings. */
static bool is_of_role(const struct shape_function *function)
{
    return strcmp(function->name, "current_setting") == 0 && !function->attribute &&
           (!function->schema || strcmp(function->schema, "pg_catalog") == 0);
}

void plan_effects_within(struct plan *plan, const struct shape *shape, bool policy)
{
    for (unsigned i = 0; i < shape->nfunctions; i++)
        if (!policy || !is_of_role(&shape->functions[i]))
            take_function(plan, shape, NULL, &shape->functions[i]);
    if (shape->volatile_time || (shape->asks_role && !policy))
        plan_uncached(plan, PLAN_TIME);
    take_system_columns(plan, shape);
    take_types(plan, shape);
}

void plan_effects(struct plan *plan)
{
    const struct shape *shape = plan->shape;

    take_statements(plan);
    for (unsigned i = 0; i < shape->nfunctions; i++)
        take_function(plan, shape, plan->path, &shape->functions[i]);
    take_system_columns(plan, shape);
    take_types(plan, shape);
    take_operators(plan);
}
