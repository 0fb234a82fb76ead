/* Expressions: which columns, types and subqueries they read. Every kind of node that may stand in
 * one is named here; any other makes the shape unknown. */
#include "sql/analyse.h"

static bool is_entry(const struct analysis *a, const char *name)
{
    for (const struct level *level = a->level; level; level = level->outer) {
        for (unsigned i = 0; i < level_count(level); i++) {
            const struct entry *entry = level_entry(level, i);

            if (entry->name && strcmp(entry->name, name) == 0)
                return true;
        }
    }
    return false;
}

static void read_field(struct analysis *a, const PgQuery__Node *field)
{
    const char *name = string_of(field);

    if (name)
        facts_column(a->facts, name);
    else if (field->node_case == NODE(A_STAR))
        a->facts->shape.star = true;
    else
        analyse_give_up(a);
}

/* The occurrence that x or schema.x names here, -1 where it is not proved to be one. */
static int row_of(const struct analysis *a, const char *schema, const char *name)
{
    for (const struct level *level = a->level; level; level = level->outer) {
        int row = -1;
        unsigned found = 0;

        for (unsigned i = 0; i < level_count(level); i++) {
            const struct entry *entry = level_entry(level, i);

            if (!entry->name || strcmp(entry->name, name) != 0)
                continue;
            found++;
            if (!schema || (entry->schema && strcmp(entry->schema, schema) == 0))
                row = entry->ref;
        }
        if (found)
            return found == 1 ? row : -1;
    }
    return -1;
}

static void note_attribute(struct analysis *a, const PgQuery__ColumnRef *ref)
{
    const char *name = string_of(ref->fields[ref->n_fields - 1]);
    const char *of = string_of(ref->fields[ref->n_fields - 2]);
    const char *schema = ref->n_fields == 3 ? string_of(ref->fields[0]) : NULL;

    if (name)
        analyse_attribute(a, name, of && ref->n_fields <= 3 ? row_of(a, schema, of) : -1);
}

static void walk_column(struct analysis *a, const PgQuery__ColumnRef *ref)
{
    const char *name;

    if (ref->n_fields == 0) {
        analyse_give_up(a);
        return;
    }
    read_field(a, ref->fields[ref->n_fields - 1]);
    if (ref->n_fields > 1)
        note_attribute(a, ref);
    name = string_of(ref->fields[0]);
    if (ref->n_fields == 1 && name && is_entry(a, name))
        a->facts->shape.star = true; /* the name of a table alone is its whole row */
}

static void walk_indirection(struct analysis *a, PgQuery__AIndirection *indirection)
{
    analyse_expr(a, indirection->arg);
    for (size_t i = 0; i < indirection->n_indirection; i++) {
        PgQuery__Node *node = indirection->indirection[i];

        if (node->node_case == NODE(A_INDICES)) {
            analyse_expr(a, node->a_indices->lidx);
            analyse_expr(a, node->a_indices->uidx);
        } else {
            read_field(a, node);
            if (string_of(node))
                analyse_attribute(a, string_of(node), -1);
        }
    }
}

static void walk_target(struct analysis *a, PgQuery__ResTarget *target)
{
    for (size_t i = 0; i < target->n_indirection; i++) {
        if (target->indirection[i]->node_case == NODE(A_INDICES)) {
            analyse_expr(a, target->indirection[i]->a_indices->lidx);
            analyse_expr(a, target->indirection[i]->a_indices->uidx);
        }
    }
    analyse_expr(a, target->val);
}

static void walk_sublink(struct analysis *a, PgQuery__SubLink *sublink)
{
    a->complex = true;
    analyse_expr(a, sublink->testexpr);
    if (sublink->subselect && sublink->subselect->node_case == NODE(SELECT_STMT))
        analyse_select(a, sublink->subselect->select_stmt);
    else
        analyse_give_up(a);
}

static void walk_case(struct analysis *a, PgQuery__CaseExpr *expr)
{
    analyse_expr(a, expr->arg);
    analyse_exprs(a, expr->args, expr->n_args);
    analyse_expr(a, expr->defresult);
}

static void walk_xml(struct analysis *a, PgQuery__XmlExpr *xml)
{
    analyse_exprs(a, xml->named_args, xml->n_named_args);
    analyse_exprs(a, xml->args, xml->n_args);
}

static void walk_window(struct analysis *a, PgQuery__WindowDef *window)
{
    a->complex = true;
    analyse_exprs(a, window->partition_clause, window->n_partition_clause);
    analyse_exprs(a, window->order_clause, window->n_order_clause);
    analyse_expr(a, window->start_offset);
    analyse_expr(a, window->end_offset);
}

/* Types whose text may be 'now', also arrays and ranges of them. A time with a zone takes the one
 * of today, whatever it is made of. */
static bool is_date_like(const PgQuery__TypeName *type)
{
    static const char *const names[] = {
        "date",      "timestamp", "timestamptz",  "timetz",         "time",           "tsrange",
        "tstzrange", "daterange", "tsmultirange", "tstzmultirange", "datemultirange", "abstime",
    };
    const char *name = type->n_names ? string_of(type->names[type->n_names - 1]) : NULL;

    if (!name)
        return false;
    name += *name == '_';
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

static bool is_zoned_time(const PgQuery__TypeName *type)
{
    const char *name = type->n_names ? string_of(type->names[type->n_names - 1]) : NULL;

    return name && strcmp(name + (*name == '_'), "timetz") == 0;
}

/* What `node` is cast to may be the present: a literal or a parameter shows by its value whether it
 * is (value_moves), any other may hold it. */
static void note_cast(struct analysis *a, const PgQuery__Node *node, const PgQuery__TypeName *type)
{
    bool shown = node && (node->node_case == NODE(A_CONST) || node->node_case == NODE(PARAM_REF));

    if (is_zoned_time(type) || (!shown && is_date_like(type)))
        a->facts->shape.volatile_time = true;
}

static void walk_xml_column(struct analysis *a, PgQuery__RangeTableFuncCol *column)
{
    if (column->type_name) {
        analyse_type(a, column->type_name);
        note_cast(a, NULL, column->type_name);
    }
    analyse_expr(a, column->colexpr);
    analyse_expr(a, column->coldefexpr);
}

static void put_type(struct buf *text, const PgQuery__TypeName *type)
{
    const char *schema = type->n_names > 1 ? string_of(type->names[0]) : NULL;
    const char *name = string_of(type->names[type->n_names - 1]);

    if (schema && strcmp(schema, "pg_catalog") != 0)
        buf_printf(text, "%s.", schema);
    buf_printf(text, "%s%s", name ? name : "?", type->n_array_bounds ? "[]" : "");
    buf_put(text, "", 1);
}

void analyse_type(struct analysis *a, PgQuery__TypeName *type)
{
    struct buf text = {0};

    analyse_exprs(a, type->typmods, type->n_typmods);
    if (type->n_names == 0) {
        analyse_give_up(a);
        return;
    }
    put_type(&text, type);
    facts_type(a->facts, (const char *)buf_slice(&text).at);
    buf_clear(&text);
}

static void walk_cast(struct analysis *a, PgQuery__TypeCast *cast)
{
    analyse_expr(a, cast->arg);
    if (!cast->type_name) {
        analyse_give_up(a);
        return;
    }
    analyse_type(a, cast->type_name);
    note_cast(a, cast->arg, cast->type_name);
}

/* The nodes of the second half: rarer ones. */
/* Those of the role are no other ones as long as the role is none. */
static void note_sqlvalue(struct analysis *a, PgQuery__SQLValueFunctionOp op)
{
    switch (op) {
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_ROLE:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_USER:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_USER:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_SESSION_USER:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_CATALOG:
        a->facts->shape.asks_role = true;
        break;
    default:
        a->facts->shape.volatile_time = true;
        break;
    }
}

static void walk_rare(struct analysis *a, PgQuery__Node *node)
{
    switch (node->node_case) {
    case NODE(SQLVALUE_FUNCTION):
        note_sqlvalue(a, node->sqlvalue_function->op);
        break;
    case NODE(GROUPING_FUNC):
        analyse_exprs(a, node->grouping_func->args, node->grouping_func->n_args);
        break;
    case NODE(GROUPING_SET):
        analyse_exprs(a, node->grouping_set->content, node->grouping_set->n_content);
        break;
    case NODE(MULTI_ASSIGN_REF):
        if (node->multi_assign_ref->colno == 1) /* each column of the list holds the same source */
            analyse_expr(a, node->multi_assign_ref->source);
        break;
    case NODE(COLLATE_CLAUSE):
        analyse_expr(a, node->collate_clause->arg);
        break;
    case NODE(NAMED_ARG_EXPR):
        analyse_expr(a, node->named_arg_expr->arg);
        break;
    case NODE(WINDOW_DEF):
        walk_window(a, node->window_def);
        break;
    case NODE(XML_EXPR):
        walk_xml(a, node->xml_expr);
        break;
    case NODE(XML_SERIALIZE):
        analyse_expr(a, node->xml_serialize->expr);
        break;
    case NODE(RANGE_TABLE_FUNC_COL):
        walk_xml_column(a, node->range_table_func_col);
        break;
    case NODE(COLUMN_DEF):
        if (node->column_def->type_name) {
            analyse_type(a, node->column_def->type_name);
            note_cast(a, NULL, node->column_def->type_name);
        }
        break;
    case NODE(CURRENT_OF_EXPR):
    case NODE(SET_TO_DEFAULT):
    case NODE(STRING): /* names of operators and labels */
        break;
    default:
        analyse_give_up(a);
        break;
    }
}

static void walk(struct analysis *a, PgQuery__Node *node)
{
    switch (node->node_case) {
    case NODE(A_CONST):
    case NODE(PARAM_REF):
        break;
    case NODE(COLUMN_REF):
        walk_column(a, node->column_ref);
        break;
    case NODE(A_EXPR):
        note_uses(a, node->a_expr);
        if (analyse_path(a, node))
            break;
        analyse_expr(a, node->a_expr->lexpr);
        analyse_expr(a, node->a_expr->rexpr);
        break;
    case NODE(BOOL_EXPR):
        analyse_exprs(a, node->bool_expr->args, node->bool_expr->n_args);
        break;
    case NODE(FUNC_CALL):
        analyse_call(a, node->func_call);
        if (node->func_call->over)
            walk_window(a, node->func_call->over);
        break;
    case NODE(TYPE_CAST):
        walk_cast(a, node->type_cast);
        break;
    case NODE(RES_TARGET):
        walk_target(a, node->res_target);
        break;
    case NODE(SORT_BY):
        analyse_expr(a, node->sort_by->node);
        break;
    case NODE(LIST):
        analyse_exprs(a, node->list->items, node->list->n_items);
        break;
    case NODE(SUB_LINK):
        walk_sublink(a, node->sub_link);
        break;
    case NODE(NULL_TEST):
        analyse_expr(a, node->null_test->arg);
        break;
    case NODE(BOOLEAN_TEST):
        analyse_expr(a, node->boolean_test->arg);
        break;
    case NODE(CASE_EXPR):
        walk_case(a, node->case_expr);
        break;
    case NODE(CASE_WHEN):
        analyse_expr(a, node->case_when->expr);
        analyse_expr(a, node->case_when->result);
        break;
    case NODE(COALESCE_EXPR):
        analyse_exprs(a, node->coalesce_expr->args, node->coalesce_expr->n_args);
        break;
    case NODE(MIN_MAX_EXPR):
        analyse_exprs(a, node->min_max_expr->args, node->min_max_expr->n_args);
        break;
    case NODE(ROW_EXPR):
        analyse_exprs(a, node->row_expr->args, node->row_expr->n_args);
        break;
    case NODE(A_ARRAY_EXPR):
        analyse_exprs(a, node->a_array_expr->elements, node->a_array_expr->n_elements);
        break;
    case NODE(A_INDIRECTION):
        if (!analyse_path(a, node))
            walk_indirection(a, node->a_indirection);
        break;
    default:
        walk_rare(a, node);
        break;
    }
}

void analyse_expr(struct analysis *a, PgQuery__Node *node)
{
    if (!node)
        return;
    if (++a->depth > SURVEY_DEPTH * 4)
        analyse_give_up(a);
    else
        walk(a, node);
    a->depth--;
}

void analyse_exprs(struct analysis *a, PgQuery__Node **nodes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        analyse_expr(a, nodes[i]);
}
