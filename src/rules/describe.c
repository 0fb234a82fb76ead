/* Puts decisions into words; decides nothing. */
#include "rules/describe.h"

#include "base/units.h"
#include "rules/compile.h"

/* A dimension of an occurrence, pinned or given. */
struct place {
    unsigned ref, dimension;
    bool given;
};

/* --- the key --- */

/* The values of one dimension of one occurrence: those that are known, else "$1" for a parameter
 * that is not bound yet. False where there are none. */
static bool put_values(const struct plan *plan, const struct values *values,
                       const struct pinned *pinned, const struct place *place, struct buf *out)
{
    const struct plan_ref *ref = &plan->refs[place->ref];
    const struct plan_dim *dims = place->given ? ref->given : ref->pins;
    unsigned ndims = place->given ? ref->ngiven : ref->npins, count = 0;

    for (unsigned i = 0; i < pinned->count; i++)
        if (pinned->values[i].ref == place->ref && pinned->values[i].given == place->given &&
            pinned->values[i].dimension == place->dimension)
            buf_printf(out, "%s%.*s", count++ ? "," : "", pinned->values[i].len,
                       pinned->bytes + pinned->values[i].at);
    for (unsigned i = 0; i < ndims && count == 0; i++) {
        const struct value *value =
            dims[i].nvalues == 1 ? values_get(values, dims[i].values[0], 0) : NULL;

        if (dims[i].dimension != place->dimension || !value || value->kind != VALUE_PARAM)
            continue;
        buf_printf(out, "%s$%u%s", count++ ? "," : "", value->number, value->list > 1 ? ",.." : "");
    }
    return count > 0;
}

static void put_pinned(const struct plan *plan, const struct values *values,
                       const struct pinned *pinned, struct slice column, struct buf *out)
{
    struct place place = {0};

    for (place.ref = 0; place.ref < plan->nrefs; place.ref++) {
        const struct relation *relation = plan->refs[place.ref].relation;

        for (unsigned i = 0; relation && i < relation->ndimensions; i++) {
            place.dimension = i;
            if (slice_is(column, relation->dimensions[i]) &&
                put_values(plan, values, pinned, &place, out))
                return;
        }
    }
    buf_put_slice(out, SLICE("-"));
}

static void put_metrics(const struct shape *shape, struct buf *out)
{
    for (unsigned i = 0; i < shape->nmetrics; i++)
        buf_printf(out, "%s%s", i ? "," : "", shape->metrics[i]);
    if (shape->nmetrics == 0)
        buf_put_slice(out, SLICE("-"));
}

static void put_paths(const struct shape *shape, struct buf *out)
{
    for (unsigned i = 0; i < shape->npaths; i++)
        buf_printf(out, "%s%s%s%s", i ? "," : "", shape->paths[i].column,
                   *shape->paths[i].path ? "." : "", shape->paths[i].path);
    if (shape->npaths == 0)
        buf_put_slice(out, SLICE("-"));
}

void describe_key(const struct plan *plan, const struct values *values,
                  const struct cache_class *class, struct buf *out)
{
    const char *at = class->key;
    struct pinned pinned;

    plan_pinned(plan, values, &pinned);
    while (*at) {
        size_t plain = strcspn(at, "{");
        const char *end;
        struct slice name;

        buf_put(out, at, plain);
        at += plain;
        end = strchr(at, '}');
        if (!end)
            break;
        name = slice_of(at + 1, (size_t)(end - at) - 1);
        if (slice_is(name, "metric"))
            put_metrics(plan->shape, out);
        else if (slice_is(name, "path"))
            put_paths(plan->shape, out);
        else
            put_pinned(plan, values, &pinned, name, out);
        at = end + 1;
    }
}

/* --- what it is --- */

static void put_kinds(const struct shape *shape, struct buf *out)
{
    for (unsigned i = 0; i < shape->nstatements; i++)
        buf_printf(out, "%s%s", i ? ", " : "statements: ",
                   statement_kind_text((enum statement_kind)shape->statements[i]));
    if (shape->nstatements > 0)
        buf_put_slice(out, SLICE("\n"));
}

static const char *use_text(enum ref_use use)
{
    static const char *const texts[] = {"read", "insert", "update", "delete", "truncate", "copy"};

    return texts[use];
}

/* One dimension of one occurrence: " id = 7,8" or " id = *". */
static void put_dim(const struct plan *plan, const struct values *values,
                    const struct pinned *pinned, const struct place *place, struct buf *out)
{
    const struct relation *relation = plan->refs[place->ref].relation;

    buf_printf(out, " %s%s = ", place->given ? "new " : "", relation->dimensions[place->dimension]);
    if (!put_values(plan, values, pinned, place, out))
        buf_put_slice(out, SLICE("*"));
}

static void put_pins(const struct plan *plan, const struct values *values, unsigned index,
                     const struct pinned *pinned, struct buf *out)
{
    const struct plan_ref *ref = &plan->refs[index];
    bool insert = ref->ref->use == REF_INSERT;

    for (unsigned i = 0; i < ref->relation->ndimensions; i++) {
        struct place place = {index, i, false};
        bool given = insert;

        for (unsigned j = 0; j < ref->ngiven; j++)
            given |= ref->given[j].dimension == i;
        if (!insert)
            put_dim(plan, values, pinned, &place, out);
        place.given = true;
        if (given)
            put_dim(plan, values, pinned, &place, out);
    }
}

/* As it is written, or where it was found by the session's path. */
static const char *schema_of(const struct plan *plan, const struct plan_ref *ref)
{
    if (ref->ref->schema || !plan->path || ref->added || !ref->named)
        return ref->ref->schema;
    return ref->named->schema;
}

/* A relation as the footprint sees it. */
static void put_refs(const struct plan *plan, const struct values *values, struct buf *out)
{
    struct pinned pinned;

    plan_pinned(plan, values, &pinned);
    for (unsigned i = 0; i < plan->nrefs; i++) {
        const struct plan_ref *ref = &plan->refs[i];
        const char *schema = schema_of(plan, ref);

        buf_printf(out, "%s: %s%s%s", use_text(ref->ref->use), schema ? schema : "",
                   schema ? "." : "", ref->ref->name);
        if (ref->stood_for)
            buf_put_slice(out, SLICE(" (a view: what it is made of follows)"));
        else if (!ref->certain)
            buf_put_slice(out, SLICE(" (not an ordinary table, or not known)"));
        else if (!ref->relation)
            buf_put_slice(out, SLICE(" (not declared: as a whole)"));
        else
            put_pins(plan, values, i, &pinned, out);
        buf_put_slice(out, SLICE("\n"));
    }
}

static void put_effect(const struct plan *plan, struct buf *out)
{
    const char *effect = "a write to the rows told";

    if (plan->everything)
        effect = "a write that nobody can bound: every cached answer of the database ends";
    else if (plan->read && plan->anything)
        effect = "a read of more than what is told";
    else if (plan->read)
        effect = "no rows are changed";
    buf_printf(out, "effect: %s\n", effect);
}

/* --- what is done with it --- */

static void put_reason(const char *name, enum plan_reason reason, struct buf *out)
{
    buf_printf(out, "%s: %s (%s)\n", name, plan_reason_text(reason), plan_reason_code(reason));
}

/* Why a rule of before the one that matched did not. */
static void put_passed(const struct plan *plan, const struct values *values,
                       const struct asker *asker, const struct operation *operation,
                       struct buf *out)
{
    enum mismatch why = match_shape(operation->match, plan);
    enum tier_source from;

    if (why == MATCHES)
        why = match_asker(operation->match, plan_tiers(plan, values, asker, &from), asker);
    buf_printf(out, "passed over: %s (%s)\n", operation->name,
               why == MATCHES ? "it is a shadow, and would match" : mismatch_text(why));
}

static void put_acts(const struct operation *operation, struct buf *out)
{
    char timeout[24];

    if (operation->deny.sqlstate)
        buf_printf(out, "denied: %s (%s)\n", operation->deny.message, operation->deny.sqlstate);
    units_duration_text(operation->timeout, timeout);
    if (operation->timeout)
        buf_printf(out, "timeout: %s\n", timeout);
    if (operation->limit)
        buf_printf(out, "limit: %u at a time\n", operation->limit);
    if (operation->log > 0)
        buf_printf(out, "logged: %g%% of them\n", operation->log * 100);
    if (operation->prefer != PREFER_TURN)
        buf_printf(out, "prefers: %s\n",
                   operation->prefer == PREFER_NEAREST ? "the nearest replica"
                                                       : "the least busy replica");
}

static void put_user(const struct plan *plan, const struct values *values,
                     const struct asker *asker, const struct verdict *verdict, struct buf *out)
{
    char user[CANON_MAX];
    int len = plan_user(plan, values, asker, user, sizeof(user));

    if (len >= 0 && verdict->tier_from != TIER_USER)
        buf_printf(out, "user: %.*s (its tier is looked up, and decides before what follows)\n",
                   len, user);
}

static void put_operation(const struct plan *plan, const struct values *values,
                          const struct asker *asker, const struct verdict *verdict, struct buf *out)
{
    const struct operation *operation = verdict->operation;
    unsigned end = operation ? operation->index : plan->rules->noperations;

    if (operation)
        buf_printf(out, "operation: %s (line %u)\n", operation->name, operation->line);
    else
        buf_put_slice(out, SLICE("operation: none matches\n"));
    for (unsigned i = 0; i < end; i++)
        put_passed(plan, values, asker, &plan->rules->operations[i], out);
    if (operation)
        put_acts(operation, out);
    for (unsigned i = 0; i < plan->rules->nevents; i++)
        if (verdict->events >> i & 1)
            buf_printf(out, "event: %s\n", plan->rules->events[i].name);
    put_user(plan, values, asker, verdict, out);
    if (verdict->tier < 0)
        buf_put_slice(out, SLICE("tier: not told\n"));
    else
        buf_printf(out, "tier: %s, by %s\n", plan->rules->tiers[verdict->tier],
                   tier_source_text(verdict->tier_from));
}

static void put_cache(const struct plan *plan, const struct values *values,
                      const struct verdict *verdict, struct buf *out)
{
    const struct cache_class *class = verdict->operation ? verdict->operation->cache : NULL;
    char ttl[24];

    if (!verdict->cache) {
        buf_put_slice(out, SLICE("cached: no\n"));
        put_reason("why not cached", verdict->uncached, out);
    } else {
        units_duration_text(class->ttl, ttl);
        buf_printf(out, "cached: for %s at most\n", ttl);
    }
    if (!class)
        return;
    buf_printf(out, "cache class: %s\ncache key: ", class->name);
    describe_key(plan, values, class, out);
    buf_put_slice(out, SLICE(":<hash>\n"));
}

static void put_freshness(const struct verdict *verdict, struct buf *out)
{
    char bound[24];

    units_duration_text(verdict->bound, bound);
    if (verdict->freshness == FRESH_BOUND)
        buf_printf(out, "freshness: at most %s old\n", bound);
    else
        buf_printf(out, "freshness: %s\n",
                   verdict->freshness == FRESH_CAUSAL ? "causal" : "unbounded");
}

static void put_target(const struct verdict *verdict, struct buf *out)
{
    char target[24];

    if (!verdict->operation || verdict->operation->target == 0) {
        buf_put_slice(out, SLICE("target: none\n"));
        return;
    }
    units_duration_text(verdict->operation->target, target);
    buf_printf(out, "target: %s\n", target);
}

void describe_plan(const struct plan *plan, const struct values *values, const struct asker *asker,
                   struct buf *out)
{
    struct verdict verdict;

    plan_judge(plan, values, asker, &verdict);
    buf_printf(out, "shape: %s\n", plan->shape->text);
    buf_printf(out, "fingerprint: %016llx%016llx\n", (unsigned long long)plan->shape->hash.high,
               (unsigned long long)plan->shape->hash.low);
    put_kinds(plan->shape, out);
    put_effect(plan, out);
    put_refs(plan, values, out);
    put_operation(plan, values, asker, &verdict, out);
    put_cache(plan, values, &verdict, out);
    buf_printf(out, "route: %s\n", route_text(verdict.route));
    if (verdict.primary != PLAN_NONE)
        put_reason("why primary", verdict.primary, out);
    if (plan->read)
        put_freshness(&verdict, out);
    put_target(&verdict, out);
}
