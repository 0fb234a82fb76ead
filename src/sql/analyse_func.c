/* Calls of functions: their names, what they leave on the session, and aggregates as metrics. */
#include "sql/analyse.h"

#include "sql/functions.h"

enum { METRIC_DEPTH = 8, METRIC_MAX = 200, MAX_ATTRIBUTES = 1000 };

static bool is_builtin(const char *schema)
{
    return !schema || !*schema || strcmp(schema, "pg_catalog") == 0;
}

/* set_config(.., .., true) ends with the transaction; anything but the word true may not. */
static bool is_local(const PgQuery__FuncCall *call)
{
    const PgQuery__Node *last;

    if (call->n_args != 3)
        return false;
    last = call->args[2];
    return last->node_case == NODE(A_CONST) &&
           last->a_const->val_case == PG_QUERY__A__CONST__VAL_BOOLVAL &&
           last->a_const->boolval->boolval;
}

/* What a call of one of PostgreSQL's own functions leaves (enum leaves). */
static unsigned leaves_of(const char *name)
{
    static const struct {
        const char *name;
        unsigned what;
    } known[] = {
        {"nextval", LEAVES_SEQUENCES},
        {"pg_advisory_lock", LEAVES_LOCKS},
        {"pg_advisory_lock_shared", LEAVES_LOCKS},
        {"pg_backup_start", LEAVES_OTHER},
        {"pg_backup_stop", LEAVES_OTHER},
        {"pg_copy_logical_replication_slot", LEAVES_OTHER},
        {"pg_copy_physical_replication_slot", LEAVES_OTHER},
        {"pg_create_logical_replication_slot", LEAVES_OTHER}, /* a temporary one */
        {"pg_create_physical_replication_slot", LEAVES_OTHER},
        {"pg_replication_origin_session_reset", LEAVES_OTHER},
        {"pg_replication_origin_session_setup", LEAVES_OTHER},
        {"pg_start_backup", LEAVES_OTHER},
        {"pg_stop_backup", LEAVES_OTHER},
        {"pg_try_advisory_lock", LEAVES_LOCKS},
        {"pg_try_advisory_lock_shared", LEAVES_LOCKS},
        {"setseed", LEAVES_SEED},
        {"setval", LEAVES_SEQUENCES},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (strcmp(name, known[i].name) == 0)
            return known[i].what;
    }
    return 0;
}

static unsigned ends_of(const char *name)
{
    return strncmp(name, "pg_advisory_unlock", 18) == 0 ? LEAVES_LOCKS : 0;
}

static void note_leaves(struct analysis *a, const char *name)
{
    unsigned leaves = leaves_of(name);

    if (!a->plan_only && leaves & (unsigned)~LEAVES_SEQUENCES)
        a->facts->shape.session = true;
    analyse_leaves(a, leaves);
    analyse_ends(a, ends_of(name));
    a->facts->shape.asks_sequences |= strcmp(name, "currval") == 0 || strcmp(name, "lastval") == 0;
    a->facts->shape.notifies |= strcmp(name, "pg_notify") == 0;
    a->facts->shape.asks_channels |= strcmp(name, "pg_listening_channels") == 0;
}

/* set_config of a name that is a value of the text; one that is computed is of any name. */
static void note_set_config(struct analysis *a, const PgQuery__FuncCall *call)
{
    const char *cast;
    int value = call->n_args ? value_of(a, call->args[0], &cast) : -1;

    if (a->plan_only)
        return;
    a->facts->shape.session |= !is_local(call);
    if (value >= 0)
        facts_setting(a->facts, NULL, value, is_local(call));
    else if (!is_local(call))
        analyse_leaves(a, LEAVES_SETTINGS | LEAVES_UNSEEN);
}

static void put_expr(struct buf *text, const PgQuery__Node *node, unsigned depth);

static void put_list(struct buf *text, PgQuery__Node **nodes, size_t count, unsigned depth)
{
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_printf(text, ", ");
        put_expr(text, nodes[i], depth);
    }
}

static void put_call(struct buf *text, const PgQuery__FuncCall *call, unsigned depth)
{
    const char *name = call->n_funcname ? string_of(call->funcname[call->n_funcname - 1]) : NULL;

    buf_printf(text, "%s(%s", name ? name : "?", call->agg_distinct ? "distinct " : "");
    if (call->agg_star)
        buf_printf(text, "*");
    put_list(text, call->args, call->n_args, depth);
    buf_printf(text, ")");
}

static void put_operator(struct buf *text, const PgQuery__AExpr *expr, unsigned depth)
{
    const char *name = expr->n_name ? string_of(expr->name[expr->n_name - 1]) : NULL;

    if (expr->kind != PG_QUERY__A__EXPR__KIND__AEXPR_OP) {
        buf_printf(text, "?");
        return;
    }
    if (expr->lexpr)
        put_expr(text, expr->lexpr, depth);
    buf_printf(text, "%s", name ? name : "?");
    if (expr->rexpr)
        put_expr(text, expr->rexpr, depth);
}

/* For people and cache keys: what isn't a column, a call, a cast or an operator is a question mark.
 */
static void put_expr(struct buf *text, const PgQuery__Node *node, unsigned depth)
{
    const char *name = NULL;

    if (depth == METRIC_DEPTH || buf_len(text) > METRIC_MAX) {
        buf_printf(text, "?");
        return;
    }
    switch (node->node_case) {
    case NODE(COLUMN_REF):
        if (node->column_ref->n_fields)
            name = string_of(node->column_ref->fields[node->column_ref->n_fields - 1]);
        buf_printf(text, "%s", name ? name : "*");
        break;
    case NODE(FUNC_CALL):
        put_call(text, node->func_call, depth + 1);
        break;
    case NODE(TYPE_CAST):
        put_expr(text, node->type_cast->arg, depth + 1);
        break;
    case NODE(A_EXPR):
        put_operator(text, node->a_expr, depth + 1);
        break;
    default:
        buf_printf(text, "?");
        break;
    }
}

static void note_metric(struct analysis *a, const PgQuery__FuncCall *call)
{
    struct buf text = {0};

    put_call(&text, call, 0);
    buf_put(&text, "", 1);
    facts_metric(a->facts, (const char *)buf_slice(&text).at);
    buf_clear(&text);
}

static bool is_aggregate(const PgQuery__FuncCall *call, const char *schema, const char *name)
{
    if (call->agg_star || call->agg_distinct || call->n_agg_order || call->agg_filter ||
        call->agg_within_group)
        return true;
    return is_builtin(schema) && function_aggregates(name);
}

static bool has_attribute(const struct analysis *a, const char *name, int row)
{
    struct slice list = buf_slice(&a->facts->functions);
    const struct shape_function *functions = (const void *)list.at;

    for (size_t i = 0; i < list.len / sizeof(*functions); i++) {
        if (functions[i].attribute && functions[i].row == row &&
            strcmp(functions[i].name, name) == 0)
            return true;
    }
    return false;
}

void analyse_attribute(struct analysis *a, const char *name, int row)
{
    struct shape_function added = {.attribute = true, .row = row, .nargs = 1};

    note_leaves(a, name);
    if (has_attribute(a, name, row))
        return;
    if (buf_len(&a->facts->functions) / sizeof(added) >= MAX_ATTRIBUTES) {
        analyse_give_up(a);
        return;
    }
    added.aggregate = function_aggregates(name);
    added.name = arena_text(&a->facts->arena, slice_text(name));
    buf_put(&a->facts->functions, &added, sizeof(added));
}

void analyse_named(struct analysis *a, const struct shape_function *function)
{
    struct shape_function *functions;

    facts_function(a->facts, function);
    functions = (void *)buf_slice(&a->facts->functions).at;
    for (size_t i = 0; i < buf_len(&a->facts->functions) / sizeof(*functions); i++) {
        if (!functions[i].schema && strcmp(functions[i].name, function->name) == 0)
            functions[i].attribute = false;
    }
}

/* What an ordered-set aggregate sorts by are arguments too. */
static int count_args(const PgQuery__FuncCall *call)
{
    return (int)(call->n_args + (call->agg_within_group ? call->n_agg_order : 0));
}

void analyse_call(struct analysis *a, PgQuery__FuncCall *call)
{
    const char *name = call->n_funcname ? string_of(call->funcname[call->n_funcname - 1]) : NULL;
    const char *schema = call->n_funcname > 1 ? string_of(call->funcname[0]) : NULL;
    struct shape_function function = {.schema = schema, .name = name, .nargs = count_args(call)};
    bool aggregate;

    if (!name) {
        analyse_give_up(a);
        return;
    }
    aggregate = is_aggregate(call, schema, name);
    function.aggregate = aggregate;
    analyse_named(a, &function);
    if (aggregate && !call->over) {
        a->facts->shape.aggregates = a->complex = true;
        note_metric(a, call);
    }
    if (is_builtin(schema)) {
        note_leaves(a, name);
        if (strcmp(name, "set_config") == 0)
            note_set_config(a, call);
    }
    analyse_exprs(a, call->args, call->n_args);
    analyse_exprs(a, call->agg_order, call->n_agg_order);
    analyse_expr(a, call->agg_filter);
}
