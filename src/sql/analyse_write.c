/* INSERT, UPDATE, DELETE and MERGE: what they change, and to which values. */
#include "sql/analyse.h"

enum { MAX_GIVEN = 4096 }; /* rows times columns; larger ones are as INSERT .. SELECT */

/* The columns and values of one occurrence while they are gathered. */
struct giving {
    struct buf columns; /* const char * */
    struct buf given;   /* int16_t */
    struct buf casts;   /* struct shape_given */
    unsigned rows, width;
};

static bool is_null(const PgQuery__Node *node)
{
    return node && node->node_case == NODE(A_CONST) && node->a_const->isnull;
}

static void give(struct analysis *a, struct giving *giving, const PgQuery__Node *node,
                 unsigned column)
{
    int16_t given = GIVEN_UNKNOWN;
    const char *cast = NULL;
    int value = value_of(a, node, &cast);

    if (node && node->node_case == NODE(SET_TO_DEFAULT)) {
        given = GIVEN_DEFAULT;
        analyse_leaves(a, LEAVES_SEQUENCES); /* which may be a nextval */
    } else if (is_null(node) || (cast && is_null(node->type_cast->arg))) {
        given = GIVEN_NULL;
    } else if (value >= 0 && !(a->survey->repeated >> value & 1)) {
        /* to text or varchar a string stays as it is; a parameter that comes twice may be of any
         * type */
        if (!cast || value_type_named(cast) == TYPE_TEXT) {
            given = (int16_t)value;
        } else {
            struct shape_given behind = {giving->rows, column, (int16_t)value, NULL};

            behind.cast = arena_text(&a->facts->arena, slice_text(cast));
            buf_put(&giving->casts, &behind, sizeof(behind));
        }
    }
    buf_put(&giving->given, &given, sizeof(given));
}

static void give_column(struct analysis *a, struct giving *giving, const char *name)
{
    const char *column = arena_text(&a->facts->arena, slice_text(name));

    buf_put(&giving->columns, &column, sizeof(column));
}

static void settle(struct analysis *a, struct giving *giving, int index)
{
    struct arena *arena = &a->facts->arena;

    if (index >= 0) {
        struct shape_ref *ref = facts_ref_at(a->facts, (unsigned)index);
        unsigned columns = (unsigned)(buf_len(&giving->columns) / sizeof(char *));

        ref->ncolumns = columns;
        ref->nrows = giving->rows;
        ref->width = giving->width;
        ref->columns = arena_copy(arena, buf_slice(&giving->columns).at, columns, sizeof(char *));
        ref->given = arena_copy(arena, buf_slice(&giving->given).at,
                                buf_len(&giving->given) / sizeof(int16_t), sizeof(int16_t));
        ref->ncasts = (unsigned)(buf_len(&giving->casts) / sizeof(struct shape_given));
        ref->casts = arena_copy(arena, buf_slice(&giving->casts).at, ref->ncasts,
                                sizeof(struct shape_given));
    }
    buf_clear(&giving->columns);
    buf_clear(&giving->given);
    buf_clear(&giving->casts);
}

/* SET a = 1, (b, c) = (2, 3), d[4] = 5 */
static void give_sets(struct analysis *a, PgQuery__Node **targets, size_t count, int index)
{
    struct giving giving = {.rows = 0};

    for (size_t i = 0; i < count; i++) {
        const PgQuery__ResTarget *target;
        const PgQuery__Node *value;

        if (targets[i]->node_case != NODE(RES_TARGET)) {
            analyse_give_up(a);
            break;
        }
        target = targets[i]->res_target;
        value = target->val;
        if (value && value->node_case == NODE(MULTI_ASSIGN_REF)) {
            const PgQuery__MultiAssignRef *multi = value->multi_assign_ref;
            const PgQuery__Node *source = multi->source;
            bool row = source && source->node_case == NODE(ROW_EXPR) && multi->colno > 0 &&
                       (size_t)multi->colno <= source->row_expr->n_args;

            value = row ? source->row_expr->args[multi->colno - 1] : NULL;
        }
        give_column(a, &giving, target->name);
        give(a, &giving, target->n_indirection ? NULL : value, (unsigned)i);
        giving.width++;
    }
    giving.rows = 1;
    settle(a, &giving, index);
}

static const PgQuery__List *list_of(const PgQuery__Node *node)
{
    return node->node_case == NODE(LIST) ? node->list : NULL;
}

/* The rows of VALUES in the order of the columns, or of the table's (NULL); what isn't given is
 * unknown. */
static void give_rows(struct analysis *a, struct giving *giving, PgQuery__Node **columns,
                      PgQuery__Node **rows, size_t nrows, bool ignored)
{
    for (size_t row = 0; row < nrows; row++) {
        const PgQuery__List *list = list_of(rows[row]);

        for (unsigned i = 0; i < giving->width; i++) {
            bool whole = !columns || columns[i]->res_target->n_indirection == 0;
            bool known = list && i < list->n_items && whole && !ignored;

            give(a, giving, known ? list->items[i] : NULL, i);
        }
        giving->rows++;
    }
}

/* Values of a row: as many as there are columns, or as stand in the first one. */
static unsigned width_of(size_t count, PgQuery__Node **rows, size_t nrows)
{
    const PgQuery__List *first = nrows ? list_of(rows[0]) : NULL;

    if (count)
        return (unsigned)count;
    return first && first->n_items <= MAX_GIVEN ? (unsigned)first->n_items : 0;
}

static void give_insert(struct analysis *a, PgQuery__Node **columns, size_t count,
                        PgQuery__Node **rows, size_t nrows, PgQuery__OverridingKind override,
                        int index)
{
    struct giving giving = {.rows = 0};
    /* the values given for identity columns are not used then */
    bool ignored = override == PG_QUERY__OVERRIDING_KIND__OVERRIDING_USER_VALUE;

    for (size_t i = 0; i < count; i++) {
        if (columns[i]->node_case != NODE(RES_TARGET)) {
            analyse_give_up(a);
            count = 0;
            break;
        }
        give_column(a, &giving, columns[i]->res_target->name);
    }
    giving.width = width_of(count, rows, nrows);
    if (giving.width && giving.width * nrows <= MAX_GIVEN)
        give_rows(a, &giving, count ? columns : NULL, rows, nrows, ignored);
    else
        giving.width = (unsigned)count;
    settle(a, &giving, index);
}

/* What the INSERT gives for `column`, as the values of a pin; 0 where not every row's is a known
 * value. */
static unsigned key_values(const struct shape_ref *insert, const char *column, const char **cast,
                           int16_t values[VALUES_MAX])
{
    unsigned at = 0;

    while (at < insert->ncolumns && strcmp(insert->columns[at], column) != 0)
        at++;
    if (at == insert->ncolumns || insert->nrows == 0 || insert->nrows > VALUES_MAX)
        return 0;
    *cast = NULL;
    for (unsigned row = 0; row < insert->nrows; row++) {
        int16_t value = insert->given[row * insert->width + at];

        for (unsigned i = 0; i < insert->ncasts && value == GIVEN_UNKNOWN; i++) {
            const struct shape_given *behind = &insert->casts[i];

            if (behind->row == row && behind->column == at && (row == 0 || *cast) &&
                (row == 0 || strcmp(*cast, behind->cast) == 0)) {
                value = behind->value;
                *cast = behind->cast;
            }
        }
        if (value < 0)
            return 0;
        values[row] = value;
    }
    return insert->nrows;
}

/* The row that DO UPDATE changes has the key that the INSERT gave: it was found by an index over
 * it. */
static void pin_conflict(struct analysis *a, const PgQuery__InferClause *infer, int insert,
                         int update)
{
    for (size_t i = 0; infer && i < infer->n_index_elems; i++) {
        const PgQuery__Node *node = infer->index_elems[i];
        const PgQuery__IndexElem *elem;
        int16_t values[VALUES_MAX];
        struct shape_pin pin = {.values = values};

        if (node->node_case != NODE(INDEX_ELEM))
            continue;
        elem = node->index_elem;
        if (elem->expr || !elem->name || !*elem->name || elem->n_collation || elem->n_opclass)
            continue;
        pin.column = elem->name;
        pin.nvalues =
            key_values(facts_ref_at(a->facts, (unsigned)insert), elem->name, &pin.cast, values);
        if (pin.nvalues)
            facts_pin(a->facts, (unsigned)update, &pin);
    }
}

static void add_excluded(struct analysis *a)
{
    struct entry excluded = {NULL, "excluded", -1, false};

    buf_put(&a->level->entries, &excluded, sizeof(excluded));
}

static void walk_conflict(struct analysis *a, PgQuery__InsertStmt *insert, int ref)
{
    PgQuery__OnConflictClause *conflict = insert->on_conflict_clause;
    int update;

    if (conflict->infer) {
        for (size_t i = 0; i < conflict->infer->n_index_elems; i++) {
            if (conflict->infer->index_elems[i]->node_case == NODE(INDEX_ELEM))
                analyse_expr(a, conflict->infer->index_elems[i]->index_elem->expr);
        }
        analyse_expr(a, conflict->infer->where_clause);
    }
    if (conflict->action == PG_QUERY__ON_CONFLICT_ACTION__ONCONFLICT_NOTHING)
        return;
    if (conflict->action != PG_QUERY__ON_CONFLICT_ACTION__ONCONFLICT_UPDATE)
        analyse_give_up(a);
    update = facts_ref(a->facts, insert->relation->schemaname, insert->relation->relname,
                       a->plan_only ? REF_READ : REF_UPDATE, a->statement);
    add_excluded(a);
    level_entry(a->level, 0)->ref = update;
    give_sets(a, conflict->target_list, conflict->n_target_list, update);
    if (ref >= 0 && update >= 0)
        pin_conflict(a, conflict->infer, ref, update);
    analyse_where(a, conflict->where_clause);
    analyse_exprs(a, conflict->target_list, conflict->n_target_list);
    analyse_expr(a, conflict->where_clause);
}

static void walk_returning(struct analysis *a, PgQuery__Node **list, size_t count)
{
    a->facts->shape.returns |= count > 0;
    analyse_exprs(a, list, count);
}

static void walk_insert(struct analysis *a, PgQuery__InsertStmt *insert)
{
    int ref = analyse_target(a, insert->relation, REF_INSERT);
    PgQuery__Node *source = insert->select_stmt;

    if (!source) {
        give_insert(a, NULL, 0, NULL, 0, insert->override, ref);
        if (ref >= 0) /* DEFAULT VALUES: one row, no column given */
            facts_ref_at(a->facts, (unsigned)ref)->nrows = 1;
    } else if (source->node_case == NODE(SELECT_STMT)) {
        PgQuery__SelectStmt *select = source->select_stmt;

        analyse_select(a, select);
        give_insert(a, insert->cols, insert->n_cols, select->values_lists, select->n_values_lists,
                    insert->override, ref);
        if (ref >= 0 && insert->n_cols == 0) {
            facts_ref_at(a->facts, (unsigned)ref)->positional = true;
            facts_ref_at(a->facts, (unsigned)ref)->nrows = (unsigned)select->n_values_lists;
        }
    } else {
        analyse_give_up(a);
    }
    if (insert->on_conflict_clause)
        walk_conflict(a, insert, ref);
    walk_returning(a, insert->returning_list, insert->n_returning_list);
}

void analyse_insert(struct analysis *a, PgQuery__InsertStmt *insert)
{
    struct scope scope;
    struct level level;

    scope_enter(a, &scope, insert->with_clause);
    level_enter(a, &level);
    walk_insert(a, insert);
    level_leave(a, &level);
    scope_leave(a, &scope);
}

void analyse_update(struct analysis *a, PgQuery__UpdateStmt *update)
{
    struct scope scope;
    struct level level;
    int ref;

    scope_enter(a, &scope, update->with_clause);
    level_enter(a, &level);
    ref = analyse_target(a, update->relation, REF_UPDATE);
    give_sets(a, update->target_list, update->n_target_list, ref);
    analyse_from(a, update->from_clause, update->n_from_clause);
    analyse_where(a, update->where_clause);
    analyse_exprs(a, update->target_list, update->n_target_list);
    analyse_expr(a, update->where_clause);
    walk_returning(a, update->returning_list, update->n_returning_list);
    level_leave(a, &level);
    scope_leave(a, &scope);
}

void analyse_delete(struct analysis *a, PgQuery__DeleteStmt *delete)
{
    struct scope scope;
    struct level level;

    scope_enter(a, &scope, delete->with_clause);
    level_enter(a, &level);
    analyse_target(a, delete->relation, REF_DELETE);
    analyse_from(a, delete->using_clause, delete->n_using_clause);
    analyse_where(a, delete->where_clause);
    analyse_expr(a, delete->where_clause);
    walk_returning(a, delete->returning_list, delete->n_returning_list);
    level_leave(a, &level);
    scope_leave(a, &scope);
}

static int merge_ref(struct analysis *a, PgQuery__MergeStmt *merge, enum ref_use use)
{
    return facts_ref(a->facts, merge->relation->schemaname, merge->relation->relname,
                     a->plan_only ? REF_READ : use, a->statement);
}

/* What is matched meets the join's condition, which so bounds what is updated and deleted. */
static void walk_when(struct analysis *a, PgQuery__MergeStmt *merge, PgQuery__MergeWhenClause *when)
{
    PgQuery__Node *row = NULL;
    PgQuery__Node list_node = PG_QUERY__NODE__INIT;
    PgQuery__List list = PG_QUERY__LIST__INIT;
    int ref = -1;

    switch (when->command_type) {
    case PG_QUERY__CMD_TYPE__CMD_UPDATE:
        ref = merge_ref(a, merge, REF_UPDATE);
        give_sets(a, when->target_list, when->n_target_list, ref);
        break;
    case PG_QUERY__CMD_TYPE__CMD_DELETE:
        ref = merge_ref(a, merge, REF_DELETE);
        break;
    case PG_QUERY__CMD_TYPE__CMD_INSERT:
        list.items = when->values;
        list.n_items = when->n_values;
        list_node.node_case = NODE(LIST);
        list_node.list = &list;
        row = &list_node;
        give_insert(a, when->target_list, when->n_target_list, &row, 1, when->override,
                    ref = merge_ref(a, merge, REF_INSERT));
        if (ref >= 0 && when->n_target_list == 0) {
            facts_ref_at(a->facts, (unsigned)ref)->positional = when->n_values > 0;
            facts_ref_at(a->facts, (unsigned)ref)->nrows = 1;
        }
        ref = -1;
        break;
    case PG_QUERY__CMD_TYPE__CMD_NOTHING:
        break;
    default:
        analyse_give_up(a);
        break;
    }
    level_entry(a->level, 0)->ref = ref;
    analyse_on(a, merge->join_condition, 0, 1);
    level_entry(a->level, 0)->ref = -1;
    analyse_expr(a, when->condition);
    analyse_exprs(a, when->target_list, when->n_target_list);
    analyse_exprs(a, when->values, when->n_values);
}

void analyse_merge(struct analysis *a, PgQuery__MergeStmt *merge)
{
    struct scope scope;
    struct level level;
    const PgQuery__Alias *alias = merge->relation->alias;
    struct entry target = {NULL, alias ? alias->aliasname : merge->relation->relname, -1, false};

    scope_enter(a, &scope, merge->with_clause);
    level_enter(a, &level);
    a->writes = true;
    buf_put(&level.entries, &target, sizeof(target));
    analyse_from(a, &merge->source_relation, merge->source_relation ? 1 : 0);
    for (size_t i = 0; i < merge->n_merge_when_clauses; i++) {
        if (merge->merge_when_clauses[i]->node_case == NODE(MERGE_WHEN_CLAUSE))
            walk_when(a, merge, merge->merge_when_clauses[i]->merge_when_clause);
        else
            analyse_give_up(a);
    }
    analyse_expr(a, merge->join_condition);
    level_leave(a, &level);
    scope_leave(a, &scope);
}
