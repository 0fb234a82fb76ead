/* What an occurrence of a relation stands for beside itself: the relations of a view's query, those
 * that a policy looks at, and the tables that foreign keys change with it. They join the plan's
 * occurrences with no pin, so that each counts as a whole. */
#include "base/buf.h"
#include "rules/compile.h"
#include "sql/finger.h"

enum { REFS_MAX = 2500 };

struct expansion {
    struct plan *plan;
    struct buf refs; /* struct plan_ref */
};

static unsigned count_refs(const struct expansion *expansion)
{
    return (unsigned)(buf_len(&expansion->refs) / sizeof(struct plan_ref));
}

static struct plan_ref *ref_at(const struct expansion *expansion, unsigned i)
{
    return (struct plan_ref *)(void *)(expansion->refs.at + expansion->refs.head) + i;
}

/* Which path the names in a view or a policy were written under is not known. */
static void put(struct expansion *expansion, const struct shape_ref *ref, bool added)
{
    const struct plan *plan = expansion->plan;
    const struct search_path *path = added ? NULL : plan->path;
    const struct catalog_relation *found =
        plan->catalog ? catalog_relation(plan->catalog, path, ref->schema, ref->name) : NULL;
    struct plan_ref entry = {.ref = ref, .added = added, .named = found};

    entry.table = found && found->family ? found->family : found;
    buf_put(&expansion->refs, &entry, sizeof(entry));
}

/* An occurrence that is not in the text, where one that is stands. */
static void add(struct expansion *expansion, const char *schema, const char *name, enum ref_use use,
                const struct shape_ref *instead)
{
    struct shape_ref *ref = keep_take(plan_memory(expansion->plan)->keep, sizeof(*ref));

    *ref = (struct shape_ref){.schema = schema,
                              .name = name,
                              .use = use,
                              .statement = instead->statement,
                              .locked = instead->locked};
    put(expansion, ref, true);
}

/* --- texts that the catalog holds --- */

/* NULL where it is not one SELECT that is understood. */
static const struct shape *parse(struct expansion *expansion, struct slice text)
{
    struct plan_memory *memory = plan_memory(expansion->plan);
    struct plan_text *kept = keep_take(memory->keep, sizeof(*kept));
    struct values values;
    struct hash128 hash;
    bool moves = !finger_text(text, &hash, &values) || !values.complete;

    kept->shape = shape_new(text, hash, &values);
    kept->next = memory->texts;
    memory->texts = kept;
    if (kept->shape->unknown || kept->shape->writes || kept->shape->nstatements != 1 ||
        kept->shape->statements[0] != STATEMENT_SELECT)
        return NULL;
    for (unsigned i = 0; i < values_stored(&values); i++)
        moves |= value_moves(&values.at[i]);
    if (moves)
        plan_uncached(expansion->plan, PLAN_TIME);
    return kept->shape;
}

static void add_all(struct expansion *expansion, const struct shape *of, enum ref_use use,
                    const struct shape_ref *instead)
{
    for (unsigned i = 0; i < of->nrefs; i++)
        add(expansion, of->refs[i].schema, of->refs[i].name, use, instead);
}

/* What stands before it for the same relation, used alike: its expansion does for both. */
static const struct plan_ref *find_before(const struct expansion *expansion, unsigned index)
{
    const struct plan_ref *ref = ref_at(expansion, index);

    for (unsigned i = 0; i < index; i++) {
        const struct plan_ref *before = ref_at(expansion, i);

        if (before->table == ref->table && before->ref->use == ref->ref->use &&
            before->ref->statement == ref->ref->statement)
            return before;
    }
    return NULL;
}

/* --- views --- */

/* Whether it is read or, since it is a simple one, written through. What a trigger or a rule does
 * instead is not known. */
static bool is_view(const struct plan_ref *ref)
{
    return ref->table && ref->table->kind == 'v' && ref->table->definition && !ref->table->rules &&
           (ref->ref->use == REF_READ || !ref->table->triggers);
}

static void stand_for(struct expansion *expansion, unsigned index)
{
    const struct plan_ref *view = ref_at(expansion, index);
    const struct shape_ref *instead = view->ref;
    const struct shape *shape;

    if (find_before(expansion, index)) {
        ref_at(expansion, index)->stood_for = find_before(expansion, index)->stood_for;
        return;
    }
    shape = parse(expansion, slice_text(view->table->definition));
    if (!shape)
        return;
    ref_at(expansion, index)->stood_for = true;
    plan_effects_within(expansion->plan, shape, false);
    add_all(expansion, shape, instead->use == REF_READ ? REF_READ : REF_DELETE, instead);
}

/* --- policies --- */

static const struct shape *parse_policy(struct expansion *expansion, const char *policy)
{
    struct buf text = {0};
    const struct shape *shape;

    if (!policy)
        return NULL;
    buf_printf(&text, "SELECT 1 WHERE %s", policy);
    shape = parse(expansion, buf_slice(&text));
    buf_clear(&text);
    return shape;
}

/* Of a family each member may have its own, which one depends on what is named. */
static void look_through(struct expansion *expansion, unsigned index)
{
    const struct catalog_relation *table = ref_at(expansion, index)->table;
    const struct shape_ref *instead = ref_at(expansion, index)->ref;
    bool known = !table->inherits;

    if (find_before(expansion, index))
        return;
    for (unsigned i = 0; known && i < table->npolicies; i++) {
        const struct shape *shape = parse_policy(expansion, table->policies[i]);

        known = shape != NULL;
        if (!shape)
            break;
        plan_effects_within(expansion->plan, shape, true);
        add_all(expansion, shape, REF_READ, instead);
    }
    if (!known)
        plan_anything(expansion->plan, PLAN_ROW_SECURITY);
}

/* --- tables that follow --- */

static bool is_in(const struct expansion *expansion, const struct catalog_relation *table,
                  unsigned statement)
{
    for (unsigned i = 0; i < count_refs(expansion); i++) {
        const struct plan_ref *ref = ref_at(expansion, i);

        if (ref->added && ref->table == table && ref->ref->use == REF_DELETE &&
            ref->ref->statement == statement)
            return true;
    }
    return false;
}

static bool sets(const struct shape_ref *ref, const struct catalog_relation *table,
                 const char *column)
{
    const struct catalog_column *found = catalog_column(table, column);

    if (ref->positional || !found || found->generated)
        return true;
    for (unsigned i = 0; i < ref->ncolumns; i++)
        if (strcmp(ref->columns[i], column) == 0)
            return true;
    return false;
}

/* --- what triggers and functions write --- */

static void add_touched(struct expansion *expansion, const struct touched *touched,
                        const struct shape_ref *instead)
{
    for (unsigned i = 0; i < touched->count; i++) {
        const struct relation_name *name = &touched->at[i];
        const struct catalog_relation *found =
            expansion->plan->catalog
                ? catalog_relation(expansion->plan->catalog, NULL, name->schema, name->name)
                : NULL;

        if (!found || !is_in(expansion, found->family ? found->family : found, instead->statement))
            add(expansion, name->schema, name->name, REF_DELETE, instead);
    }
}

static void add_triggered(struct expansion *expansion, unsigned index)
{
    const struct plan_ref ref = *ref_at(expansion, index);
    const struct relation *relation =
        rules_relation(expansion->plan->rules, ref.table->schema, ref.table->name);

    if (relation && (ref.table->triggers || ref.table->write_calls))
        add_touched(expansion, &relation->touches, ref.ref);
}

static void add_called(struct expansion *expansion)
{
    static const struct shape_ref nowhere;
    const struct shape *shape = expansion->plan->shape;

    for (unsigned i = 0; i < shape->nfunctions; i++) {
        const struct touched *touched = plan_touched(expansion->plan, &shape->functions[i]);

        if (touched)
            add_touched(expansion, touched, &nowhere);
    }
}

/* A table that was added may change in any way; of others it is known what is done to them. */
static bool follows(const struct plan_ref *ref, const struct catalog_follower *follower)
{
    if (ref->added)
        return true;
    if (ref->ref->use == REF_DELETE)
        return follower->on_delete;
    return ref->ref->use == REF_UPDATE && follower->on_update &&
           sets(ref->ref, ref->table, follower->column);
}

static void add_followers(struct expansion *expansion, unsigned index)
{
    const struct catalog_relation *table = ref_at(expansion, index)->table;

    for (unsigned i = 0; i < table->nfollowers; i++) {
        const struct plan_ref ref = *ref_at(expansion, index);
        const struct catalog_relation *follower = table->followers[i].relation;

        if (!follows(&ref, &table->followers[i]))
            continue;
        if (!follower)
            plan_everything(expansion->plan, PLAN_WRITE);
        else if (!is_in(expansion, follower, ref.ref->statement))
            add(expansion, follower->schema, follower->name, REF_DELETE, ref.ref);
    }
}

static void add_writes(struct expansion *expansion, unsigned index)
{
    add_followers(expansion, index);
    add_triggered(expansion, index);
}

static void expand(struct expansion *expansion, unsigned index)
{
    const struct plan_ref *ref = ref_at(expansion, index);

    if (!ref->table)
        return;
    if (is_view(ref))
        stand_for(expansion, index);
    else if (ref->ref->use != REF_READ)
        add_writes(expansion, index);
    else if (ref->table->row_security)
        look_through(expansion, index);
}

void plan_expand(struct plan *plan)
{
    const struct shape *shape = plan->shape;
    struct expansion expansion = {.plan = plan};

    for (unsigned i = 0; i < shape->nrefs; i++)
        put(&expansion, &shape->refs[i], false);
    add_called(&expansion);
    for (unsigned i = 0; i < count_refs(&expansion) && i < REFS_MAX; i++)
        expand(&expansion, i);
    if (count_refs(&expansion) > REFS_MAX)
        plan_everything(plan, PLAN_UNKNOWN);
    plan->nrefs = count_refs(&expansion);
    plan->refs = keep_array(plan_memory(plan)->keep, plan->nrefs + 1, sizeof(*plan->refs));
    for (unsigned i = 0; i < plan->nrefs; i++)
        plan->refs[i] = *ref_at(&expansion, i);
    buf_clear(&expansion.refs);
}
