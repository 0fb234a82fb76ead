/* Compares the facts of a shape with what an operation asks for. Names are compared as PostgreSQL
 * has folded them; nothing here looks at the text. */
#include "rules/match.h"

#include "rules/plan.h"

#include <string.h>

const char *mismatch_text(enum mismatch mismatch)
{
    static const char *const texts[] = {
#define X(name, text) text,
        MISMATCHES(X)
#undef X
    };

    return mismatch < MATCHES ? texts[mismatch] : "it matches";
}

static bool has(struct names names, const char *name)
{
    for (unsigned i = 0; i < names.count; i++)
        if (strcmp(names.at[i], name) == 0)
            return true;
    return false;
}

static bool has_all(struct names all, struct names some)
{
    for (unsigned i = 0; i < some.count; i++)
        if (!has(all, some.at[i]))
            return false;
    return true;
}

/* A schema that is not written is the one where the catalog has it. */
static bool names_relation(const struct plan_ref *found, const struct relation *relation)
{
    const char *schema = found->ref->schema;

    if (!schema && found->named)
        schema = found->named->schema;
    return strcmp(found->ref->name, relation->name) == 0 &&
           (!schema || !relation->schema || strcmp(schema, relation->schema) == 0);
}

/* The use of the relation that a statement of this kind is about. */
static bool uses(enum statement_kind kind, enum ref_use use)
{
    switch (kind) {
    case STATEMENT_INSERT:
        return use == REF_INSERT;
    case STATEMENT_UPDATE:
        return use == REF_UPDATE;
    case STATEMENT_DELETE:
        return use == REF_DELETE;
    case STATEMENT_TRUNCATE:
        return use == REF_TRUNCATE;
    case STATEMENT_COPY_FROM:
        return use == REF_COPY_FROM;
    case STATEMENT_MERGE:
        return use != REF_READ;
    default:
        return use == REF_READ;
    }
}

static bool pins(const struct plan_ref *ref, struct names columns)
{
    for (unsigned i = 0; i < columns.count; i++) {
        bool found = false;

        for (unsigned j = 0; j < ref->nknown && !found; j++)
            found = strcmp(ref->known[j].column, columns.at[i]) == 0;
        if (!found)
            return false;
    }
    return true;
}

static bool sets(const struct shape_ref *ref, struct names columns)
{
    if (columns.count == 0 || ref->positional)
        return true;
    return has_all((struct names){ref->columns, ref->ncolumns}, columns);
}

static enum mismatch match_ref(const struct operation_match *match, const struct plan_ref *found,
                               unsigned statement, enum statement_kind kind)
{
    const struct shape_ref *ref = found->ref;

    if (ref->statement != statement || !uses(kind, ref->use) ||
        (match->relation && !names_relation(found, match->relation)))
        return MISMATCH_RELATION;
    if (!pins(found, match->where))
        return MISMATCH_WHERE;
    return sets(ref, match->sets) ? MATCHES : MISMATCH_SETS;
}

/* How far the best of its occurrences comes. */
static enum mismatch match_statement(const struct operation_match *match, const struct plan *plan,
                                     unsigned statement)
{
    const struct shape *shape = plan->shape;
    enum statement_kind kind = shape->statements[statement];
    enum mismatch best = MISMATCH_RELATION;

    if (match->statements && !(match->statements >> kind & 1))
        return MISMATCH_STATEMENT;
    if (!match->relation && match->where.count == 0 && match->sets.count == 0)
        return MATCHES;
    for (unsigned i = 0; i < shape->nrefs; i++) {
        enum mismatch found = match_ref(match, &plan->refs[i], statement, kind);

        if (found > best)
            best = found;
    }
    return best;
}

/* `path` is `prefix` or goes deeper. */
static bool is_under(const char *path, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncmp(path, prefix, len) == 0 && (path[len] == '\0' || path[len] == '.');
}

static bool takes_path(const struct shape *shape, const char *column, const char *path)
{
    for (unsigned i = 0; i < shape->npaths; i++)
        if (strcmp(shape->paths[i].column, column) == 0 &&
            (!path || is_under(shape->paths[i].path, path)))
            return true;
    return false;
}

enum mismatch match_shape(const struct operation_match *match, const struct plan *plan)
{
    const struct shape *shape = plan->shape;
    enum mismatch best = MISMATCH_STATEMENT;

    for (unsigned i = 0; i < shape->nstatements && best < MATCHES; i++) {
        enum mismatch found = match_statement(match, plan, i);

        if (found > best)
            best = found;
    }
    if (best < MATCHES)
        return best;
    if (match->aggregate >= 0 && match->aggregate != (int)shape->aggregates)
        return MISMATCH_AGGREGATE;
    if (match->json_column && !takes_path(shape, match->json_column, match->json_path))
        return MISMATCH_JSON_PATH;
    if (!shape->star && !has_all((struct names){shape->columns, shape->ncolumns}, match->reads))
        return MISMATCH_READS;
    return MATCHES;
}

static bool one_of(struct names names, const char *name)
{
    return names.count == 0 || has(names, name);
}

static bool one_hint(struct names names, struct slice hint)
{
    for (unsigned i = 0; i < names.count; i++)
        if (slice_is(hint, names.at[i]))
            return true;
    return names.count == 0;
}

static bool from_one(const struct operation_match *match, const char *peer)
{
    struct network address;

    if (match->nclients == 0)
        return true;
    if (!network_peer(peer, &address))
        return false;
    for (unsigned i = 0; i < match->nclients; i++)
        if (network_holds(&match->clients[i], &address))
            return true;
    return false;
}

enum mismatch match_asker(const struct operation_match *match, uint32_t tiers,
                          const struct asker *asker)
{
    if (match->tiers && (!tiers || (tiers & ~match->tiers)))
        return MISMATCH_TIER;
    if (!one_of(match->databases, asker->database))
        return MISMATCH_DATABASE;
    if (!one_of(match->roles, asker->user))
        return MISMATCH_ROLE;
    if (!one_of(match->applications, asker->application_name))
        return MISMATCH_APPLICATION;
    if (!one_hint(match->hints, asker->operation))
        return MISMATCH_HINT;
    if (!from_one(match, asker->address))
        return MISMATCH_CLIENT;
    if (match->transactions && !(match->transactions >> asker->transaction & 1))
        return MISMATCH_TRANSACTION;
    return MATCHES;
}

static bool covers_names(struct names wide, struct names narrow)
{
    return wide.count == 0 || (narrow.count > 0 && has_all(wide, narrow));
}

static bool covers_path(const struct operation_match *wide, const struct operation_match *narrow)
{
    if (!wide->json_column)
        return true;
    if (!narrow->json_column || strcmp(wide->json_column, narrow->json_column) != 0)
        return false;
    return !wide->json_path || (narrow->json_path && is_under(narrow->json_path, wide->json_path));
}

static bool covers_client(const struct operation_match *wide, const struct network *narrow)
{
    for (unsigned i = 0; i < wide->nclients; i++)
        if (network_covers(&wide->clients[i], narrow))
            return true;
    return false;
}

static bool covers_clients(const struct operation_match *wide, const struct operation_match *narrow)
{
    if (wide->nclients == 0)
        return true;
    for (unsigned i = 0; i < narrow->nclients; i++)
        if (!covers_client(wide, &narrow->clients[i]))
            return false;
    return narrow->nclients > 0;
}

bool match_covers(const struct operation_match *wide, const struct operation_match *narrow)
{
    if (wide->statements && (!narrow->statements || (narrow->statements & ~wide->statements)))
        return false;
    if (wide->relation && wide->relation != narrow->relation)
        return false;
    if (wide->aggregate >= 0 && wide->aggregate != narrow->aggregate)
        return false;
    if (wide->tiers && (!narrow->tiers || (narrow->tiers & ~wide->tiers)))
        return false;
    return has_all(narrow->sets, wide->sets) && has_all(narrow->reads, wide->reads) &&
           has_all(narrow->where, wide->where) && covers_path(wide, narrow) &&
           covers_names(wide->roles, narrow->roles) &&
           covers_names(wide->databases, narrow->databases) &&
           covers_names(wide->applications, narrow->applications) &&
           covers_names(wide->hints, narrow->hints) && covers_clients(wide, narrow) &&
           (!wide->transactions ||
            (narrow->transactions && !(narrow->transactions & ~wide->transactions)));
}
