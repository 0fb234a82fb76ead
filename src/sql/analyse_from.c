/* What stands in FROM: which relations occur at a level of query, under which names. */
#include "sql/analyse.h"

void level_enter(struct analysis *a, struct level *level)
{
    *level = (struct level){.outer = a->level};
    a->level = level;
}

void level_leave(struct analysis *a, struct level *level)
{
    a->level = level->outer;
    buf_clear(&level->entries);
}

unsigned level_count(const struct level *level)
{
    return (unsigned)(buf_len(&level->entries) / sizeof(struct entry));
}

struct entry *level_entry(const struct level *level, unsigned i)
{
    return (struct entry *)(void *)(level->entries.at + level->entries.head) + i;
}

static void add_entry(struct analysis *a, const char *schema, const char *name, int ref)
{
    struct entry entry = {schema, name && *name ? name : NULL, ref, false};

    buf_put(&a->level->entries, &entry, sizeof(entry));
}

bool var_is_temporary(const PgQuery__RangeVar *var)
{
    if (!var)
        return false;
    if (var->relpersistence && strcmp(var->relpersistence, "t") == 0)
        return true;
    return var->schemaname && strncmp(var->schemaname, "pg_temp", 7) == 0;
}

static bool is_cte(const struct analysis *a, const PgQuery__RangeVar *var)
{
    if (var->schemaname && *var->schemaname)
        return false;
    for (const struct scope *scope = a->scope; scope; scope = scope->outer) {
        for (size_t i = 0; i < scope->visible; i++) {
            if (strcmp(scope->with->ctes[i]->common_table_expr->ctename, var->relname) == 0)
                return true;
        }
    }
    return false;
}

/* The name by which its columns are qualified; NULL where an alias renames them too. */
static const char *name_of(const PgQuery__Alias *alias, const char *own)
{
    if (!alias)
        return own;
    return alias->n_colnames ? NULL : alias->aliasname;
}

static void add_relation(struct analysis *a, const PgQuery__RangeVar *var, int ref)
{
    const char *schema =
        var->alias || !var->schemaname || !*var->schemaname ? NULL : var->schemaname;

    add_entry(a, schema, name_of(var->alias, var->relname), ref);
}

int analyse_target(struct analysis *a, PgQuery__RangeVar *var, enum ref_use use)
{
    int ref = facts_ref(a->facts, var->schemaname, var->relname, a->plan_only ? REF_READ : use,
                        a->statement);

    a->writes = a->writes || use != REF_READ;
    if (use == REF_UPDATE && strcmp(var->relname, "pg_settings") == 0)
        analyse_leaves(a, LEAVES_SETTINGS); /* a rule of that view calls set_config */
    add_relation(a, var, ref);
    return ref;
}

static void from_relation(struct analysis *a, PgQuery__RangeVar *var)
{
    int ref = -1;
    bool renamed = var->alias && var->alias->n_colnames;

    if (is_cte(a, var)) {
        a->complex = true;
    } else {
        ref = facts_ref(a->facts, var->schemaname, var->relname, REF_READ, a->statement);
        if (ref >= 0 && renamed) {
            /* its columns have other names here: nothing may be pinned by them */
            add_entry(a, NULL, NULL, -1);
            a->complex = true;
            return;
        }
    }
    add_relation(a, var, ref);
}

static void from_subselect(struct analysis *a, PgQuery__RangeSubselect *sub)
{
    a->complex = true;
    if (sub->subquery && sub->subquery->node_case == NODE(SELECT_STMT))
        analyse_select(a, sub->subquery->select_stmt);
    else
        analyse_give_up(a);
    add_entry(a, NULL, sub->alias ? sub->alias->aliasname : NULL, -1);
}

/* ROWS FROM (f(..) AS (x int), ..): lists of a call and its column definitions. */
static void from_function(struct analysis *a, PgQuery__RangeFunction *function)
{
    a->complex = true;
    for (size_t i = 0; i < function->n_functions; i++) {
        PgQuery__Node *item = function->functions[i];

        if (item->node_case != NODE(LIST)) {
            analyse_give_up(a);
            continue;
        }
        for (size_t k = 0; k < item->list->n_items; k++) {
            if (item->list->items[k]->node_case != NODE(_NOT_SET)) /* no definitions */
                analyse_expr(a, item->list->items[k]);
        }
    }
    analyse_exprs(a, function->coldeflist, function->n_coldeflist);
    add_entry(a, NULL, function->alias ? function->alias->aliasname : NULL, -1);
}

static void from_xmltable(struct analysis *a, PgQuery__RangeTableFunc *table)
{
    a->complex = true;
    analyse_expr(a, table->docexpr);
    analyse_expr(a, table->rowexpr);
    analyse_exprs(a, table->namespaces, table->n_namespaces);
    analyse_exprs(a, table->columns, table->n_columns);
    add_entry(a, NULL, table->alias ? table->alias->aliasname : NULL, -1);
}

static void from_item(struct analysis *a, PgQuery__Node *node);

/* The method is a function too, and the usual ones are random. */
static void from_sample(struct analysis *a, PgQuery__RangeTableSample *sample)
{
    const char *method = sample->n_method ? string_of(sample->method[sample->n_method - 1]) : NULL;
    const char *schema = sample->n_method > 1 ? string_of(sample->method[0]) : NULL;

    if (method)
        analyse_named(a, &(struct shape_function){.schema = schema, .name = method, .nargs = -1});
    else
        analyse_give_up(a);
    a->complex = true;
    from_item(a, sample->relation);
    analyse_exprs(a, sample->args, sample->n_args);
    analyse_expr(a, sample->repeatable);
}

static void hide(struct analysis *a, unsigned from, bool renamed)
{
    for (unsigned i = from; i < level_count(a->level); i++) {
        level_entry(a->level, i)->name = NULL;
        level_entry(a->level, i)->renamed |= renamed;
    }
}

/* A condition in ON holds for all rows of an inner join's sides; of an outer join only for the side
 * that is filled with nulls, since the other one's rows are kept whatever ON says. */
static void from_join(struct analysis *a, PgQuery__JoinExpr *join)
{
    unsigned left = level_count(a->level), right, end;

    a->complex = true;
    from_item(a, join->larg);
    right = level_count(a->level);
    from_item(a, join->rarg);
    end = level_count(a->level);
    switch (join->jointype) {
    case PG_QUERY__JOIN_TYPE__JOIN_INNER:
        analyse_on(a, join->quals, left, end);
        break;
    case PG_QUERY__JOIN_TYPE__JOIN_LEFT:
        analyse_on(a, join->quals, right, end);
        break;
    case PG_QUERY__JOIN_TYPE__JOIN_RIGHT:
        analyse_on(a, join->quals, left, right);
        break;
    case PG_QUERY__JOIN_TYPE__JOIN_FULL:
        break;
    default:
        analyse_give_up(a);
        break;
    }
    analyse_expr(a, join->quals);
    for (size_t i = 0; i < join->n_using_clause; i++) {
        const char *name = string_of(join->using_clause[i]);

        if (name)
            facts_column(a->facts, name);
    }
    if (join->alias)
        hide(a, left, join->alias->n_colnames > 0);
}

static void from_item(struct analysis *a, PgQuery__Node *node)
{
    if (++a->depth > SURVEY_DEPTH * 4) {
        analyse_give_up(a);
    } else if (node) {
        switch (node->node_case) {
        case NODE(RANGE_VAR):
            from_relation(a, node->range_var);
            break;
        case NODE(JOIN_EXPR):
            from_join(a, node->join_expr);
            break;
        case NODE(RANGE_SUBSELECT):
            from_subselect(a, node->range_subselect);
            break;
        case NODE(RANGE_FUNCTION):
            from_function(a, node->range_function);
            break;
        case NODE(RANGE_TABLE_FUNC):
            from_xmltable(a, node->range_table_func);
            break;
        case NODE(RANGE_TABLE_SAMPLE):
            from_sample(a, node->range_table_sample);
            break;
        default:
            analyse_give_up(a);
            break;
        }
    }
    a->depth--;
}

void analyse_from(struct analysis *a, PgQuery__Node **items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        from_item(a, items[i]);
}
