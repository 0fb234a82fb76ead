/* SELECT, VALUES, TABLE, set operations and WITH. */
#include "sql/analyse.h"

static void walk_cte(struct analysis *a, PgQuery__CommonTableExpr *cte)
{
    PgQuery__Node *query = cte->ctequery;

    switch (query ? query->node_case : NODE(_NOT_SET)) {
    case NODE(SELECT_STMT):
    case NODE(INSERT_STMT):
    case NODE(UPDATE_STMT):
    case NODE(DELETE_STMT):
    case NODE(MERGE_STMT):
        analyse_statement(a, query);
        break;
    default:
        analyse_give_up(a);
        break;
    }
    if (cte->cycle_clause) {
        analyse_expr(a, cte->cycle_clause->cycle_mark_value);
        analyse_expr(a, cte->cycle_clause->cycle_mark_default);
    }
}

void scope_enter(struct analysis *a, struct scope *scope, PgQuery__WithClause *with)
{
    *scope = (struct scope){.outer = a->scope, .with = with};
    a->scope = scope;
    if (!with)
        return;
    a->complex = true;
    if (with->recursive)
        scope->visible = with->n_ctes;
    for (size_t i = 0; i < with->n_ctes; i++) {
        walk_cte(a, with->ctes[i]->common_table_expr);
        if (!with->recursive)
            scope->visible = i + 1;
    }
}

void scope_leave(struct analysis *a, struct scope *scope)
{
    a->scope = scope->outer;
}

static bool locks_entry(const PgQuery__LockingClause *clause, const struct entry *entry)
{
    for (size_t i = 0; i < clause->n_locked_rels; i++) {
        const PgQuery__Node *node = clause->locked_rels[i];

        if (entry->name && node->node_case == NODE(RANGE_VAR) &&
            strcmp(node->range_var->relname, entry->name) == 0)
            return true;
    }
    return clause->n_locked_rels == 0;
}

/* Without OF, or where a name stands for a subquery, everything in FROM is locked. */
static void lock_refs(struct analysis *a, const PgQuery__LockingClause *clause, unsigned first,
                      unsigned last)
{
    bool all = clause->n_locked_rels == 0;

    if (a->plan_only)
        return;
    a->facts->shape.locks = true;
    for (unsigned i = 0; i < level_count(a->level); i++) {
        const struct entry *entry = level_entry(a->level, i);

        if (!locks_entry(clause, entry))
            continue;
        if (entry->ref >= 0)
            facts_ref_at(a->facts, (unsigned)entry->ref)->locked = true;
        else
            all = true;
    }
    for (unsigned i = first; all && i < last; i++)
        facts_ref_at(a->facts, i)->locked = true;
}

static void walk_locking(struct analysis *a, PgQuery__SelectStmt *select, unsigned first,
                         unsigned last)
{
    for (size_t i = 0; i < select->n_locking_clause; i++) {
        PgQuery__Node *node = select->locking_clause[i];

        if (node->node_case == NODE(LOCKING_CLAUSE))
            lock_refs(a, node->locking_clause, first, last);
        else
            analyse_give_up(a);
    }
}

static void walk_tail(struct analysis *a, PgQuery__SelectStmt *select)
{
    analyse_exprs(a, select->sort_clause, select->n_sort_clause);
    analyse_expr(a, select->limit_offset);
    analyse_expr(a, select->limit_count);
}

/* DISTINCT alone is a list of one empty node. */
static void walk_distinct(struct analysis *a, PgQuery__SelectStmt *select)
{
    a->complex = a->complex || select->n_distinct_clause;
    for (size_t i = 0; i < select->n_distinct_clause; i++) {
        if (select->distinct_clause[i]->node_case != NODE(_NOT_SET))
            analyse_expr(a, select->distinct_clause[i]);
    }
}

static void walk_plain(struct analysis *a, PgQuery__SelectStmt *select)
{
    unsigned first = facts_ref_count(a->facts), last;

    if (select->n_from_clause != 1 || select->n_group_clause || select->having_clause ||
        select->n_window_clause)
        a->complex = true;
    if (select->n_group_clause || select->having_clause)
        a->facts->shape.aggregates = true;
    analyse_from(a, select->from_clause, select->n_from_clause);
    last = facts_ref_count(a->facts);
    analyse_where(a, select->where_clause);
    analyse_exprs(a, select->target_list, select->n_target_list);
    walk_distinct(a, select);
    analyse_expr(a, select->where_clause);
    analyse_exprs(a, select->group_clause, select->n_group_clause);
    analyse_expr(a, select->having_clause);
    analyse_exprs(a, select->window_clause, select->n_window_clause);
    walk_locking(a, select, first, last);
}

static void walk_into(struct analysis *a, const PgQuery__IntoClause *into)
{
    a->into = true;
    if (a->plan_only)
        return;
    a->writes = true;
    analyse_leaves(a, LEAVES_TEMPORARY);
    if (var_is_temporary(into->rel))
        a->facts->shape.session = true;
}

static void walk_select(struct analysis *a, PgQuery__SelectStmt *select)
{
    if (select->into_clause)
        walk_into(a, select->into_clause);
    if (select->larg || select->rarg) {
        a->complex = true;
        if (select->larg)
            analyse_select(a, select->larg);
        if (select->rarg)
            analyse_select(a, select->rarg);
        walk_locking(a, select, 0, 0);
    } else if (select->n_values_lists) {
        a->complex = true;
        analyse_exprs(a, select->values_lists, select->n_values_lists);
    } else {
        walk_plain(a, select);
    }
    walk_tail(a, select);
}

void analyse_select(struct analysis *a, PgQuery__SelectStmt *select)
{
    struct scope scope;
    struct level level;

    if (++a->depth > SURVEY_DEPTH * 4) {
        analyse_give_up(a);
    } else {
        scope_enter(a, &scope, select->with_clause);
        level_enter(a, &level);
        walk_select(a, select);
        level_leave(a, &level);
        scope_leave(a, &scope);
    }
    a->depth--;
}
