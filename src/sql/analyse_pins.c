/* Finds column = value in the conditions that hold for every row an entry contributes: top-level
 * ANDs only. It refuses to guess to which entry an unqualified column belongs where there are
 * several. */
#include "sql/analyse.h"

struct column {
    const char *schema, *table, *name; /* NULL where not given */
};

const char *string_of(const PgQuery__Node *node)
{
    return node && node->node_case == NODE(STRING) ? node->string->sval : NULL;
}

static bool column_of(const PgQuery__Node *node, struct column *column)
{
    const PgQuery__ColumnRef *ref;
    const char *parts[3] = {NULL, NULL, NULL};

    if (!node || node->node_case != NODE(COLUMN_REF))
        return false;
    ref = node->column_ref;
    if (ref->n_fields == 0 || ref->n_fields > 3)
        return false;
    for (size_t i = 0; i < ref->n_fields; i++) {
        parts[3 - ref->n_fields + i] = string_of(ref->fields[i]);
        if (!parts[3 - ref->n_fields + i])
            return false;
    }
    *column = (struct column){parts[0], parts[1], parts[2]};
    return true;
}

/* The index of the value that stands at `location`, -1 where none of the first VALUES_MAX does. */
static int value_at(const struct analysis *a, int32_t location)
{
    const struct values *values = a->values;
    unsigned low = 0, high = values->count < VALUES_MAX ? values->count : VALUES_MAX;

    while (low < high) {
        unsigned mid = (low + high) / 2;

        if (values->at[mid].pos == (uint32_t)location)
            return (int)mid;
        if (values->at[mid].pos < (uint32_t)location)
            low = mid + 1;
        else
            high = mid;
    }
    return -1;
}

/* The name of a built-in scalar type without modifier that value_type_named knows; else NULL. */
static const char *plain_type(const PgQuery__TypeName *type)
{
    const char *name;

    if (!type || type->n_names == 0 || type->n_names > 2 || type->n_typmods ||
        type->n_array_bounds || type->setof || type->pct_type)
        return NULL;
    name = string_of(type->names[type->n_names - 1]);
    if (!name || value_type_named(name) == TYPE_NONE)
        return NULL;
    if (type->n_names == 2) {
        const char *schema = string_of(type->names[0]);

        if (!schema || strcmp(schema, "pg_catalog") != 0)
            return NULL;
    }
    return name;
}

int value_of(const struct analysis *a, const PgQuery__Node *node, const char **cast)
{
    *cast = NULL;
    if (node && node->node_case == NODE(TYPE_CAST)) {
        *cast = plain_type(node->type_cast->type_name);
        if (!*cast)
            return -1;
        node = node->type_cast->arg;
    }
    if (!node)
        return -1;
    if (node->node_case == NODE(PARAM_REF))
        return value_at(a, node->param_ref->location);
    if (node->node_case != NODE(A_CONST) || node->a_const->isnull)
        return -1;
    switch (node->a_const->val_case) {
    case PG_QUERY__A__CONST__VAL_IVAL:
    case PG_QUERY__A__CONST__VAL_FVAL:
    case PG_QUERY__A__CONST__VAL_SVAL:
    case PG_QUERY__A__CONST__VAL_BSVAL: /* never canonical, but the next text has another value */
        return value_at(a, node->a_const->location);
    default:
        return -1;
    }
}

static bool is_equals(const PgQuery__AExpr *expr)
{
    const char *name;

    if (expr->n_name == 0 || expr->n_name > 2)
        return false;
    name = string_of(expr->name[expr->n_name - 1]);
    if (!name || strcmp(name, "=") != 0)
        return false;
    if (expr->n_name == 1)
        return true;
    name = string_of(expr->name[0]);
    return name && strcmp(name, "pg_catalog") == 0;
}

static bool named(const struct entry *entry, const struct column *column)
{
    if (!entry->name || !column->table || strcmp(entry->name, column->table) != 0)
        return false;
    return !column->schema || (entry->schema && strcmp(entry->schema, column->schema) == 0);
}

/* The occurrence among the entries [from, to) that a column belongs to; -1 where that isn't sure.
 */
static int owner_of(const struct analysis *a, const struct column *column, unsigned from,
                    unsigned to)
{
    int found = -1;
    unsigned matches = 0;

    if (!a->level)
        return -1;
    if (!column->table) {
        if (level_count(a->level) != 1)
            return -1;
        return from == 0 && to == 1 ? level_entry(a->level, 0)->ref : -1;
    }
    for (unsigned i = from; i < to; i++) {
        const struct entry *entry = level_entry(a->level, i);

        if (named(entry, column)) {
            found = entry->ref;
            matches++;
        }
    }
    return matches == 1 ? found : -1;
}

static void pin_one(struct analysis *a, const PgQuery__Node *left, const PgQuery__Node *right,
                    unsigned from, unsigned to)
{
    struct column column;
    const char *cast;
    int16_t index;
    int value, ref;

    if (!column_of(left, &column))
        return;
    value = value_of(a, right, &cast);
    ref = owner_of(a, &column, from, to);
    if (value < 0 || ref < 0)
        return;
    index = (int16_t)value;
    facts_pin(a->facts, (unsigned)ref, column.name, cast, &index, 1);
}

static void pin_list(struct analysis *a, const PgQuery__Node *left, const PgQuery__Node *right,
                     unsigned from, unsigned to)
{
    struct column column;
    int16_t indexes[VALUES_MAX];
    const char *cast = NULL;
    unsigned count;
    int ref;

    if (!column_of(left, &column) || !right || right->node_case != NODE(LIST))
        return;
    count = (unsigned)right->list->n_items;
    ref = owner_of(a, &column, from, to);
    if (ref < 0 || count == 0 || count > VALUES_MAX)
        return;
    for (unsigned i = 0; i < count; i++) {
        const char *own;
        int value = value_of(a, right->list->items[i], &own);

        /* casts of several types would be resolved to one that is not in the text */
        if (value < 0 || (i && (own == NULL) != (cast == NULL)) ||
            (i && own && strcmp(own, cast) != 0))
            return;
        cast = own;
        indexes[i] = (int16_t)value;
    }
    facts_pin(a->facts, (unsigned)ref, column.name, cast, indexes, count);
}

static const PgQuery__RowExpr *row_of(const PgQuery__Node *node)
{
    return node && node->node_case == NODE(ROW_EXPR) ? node->row_expr : NULL;
}

static void pin_expr(struct analysis *a, const PgQuery__AExpr *expr, unsigned from, unsigned to)
{
    const PgQuery__RowExpr *left = row_of(expr->lexpr), *right = row_of(expr->rexpr);

    if (!is_equals(expr))
        return;
    if (expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_IN) {
        pin_list(a, expr->lexpr, expr->rexpr, from, to);
    } else if (expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP && left && right) {
        for (size_t i = 0; i < left->n_args && left->n_args == right->n_args; i++)
            pin_one(a, left->args[i], right->args[i], from, to);
    } else if (expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP) {
        pin_one(a, expr->lexpr, expr->rexpr, from, to);
        pin_one(a, expr->rexpr, expr->lexpr, from, to);
    }
}

static void pin_all(struct analysis *a, const PgQuery__Node *node, unsigned from, unsigned to)
{
    if (!node)
        return;
    if (node->node_case == NODE(A_EXPR)) {
        pin_expr(a, node->a_expr, from, to);
    } else if (node->node_case == NODE(BOOL_EXPR) &&
               node->bool_expr->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR) {
        for (size_t i = 0; i < node->bool_expr->n_args; i++)
            pin_all(a, node->bool_expr->args[i], from, to);
    }
}

void analyse_where(struct analysis *a, PgQuery__Node *where)
{
    pin_all(a, where, 0, level_count(a->level));
}

void analyse_on(struct analysis *a, PgQuery__Node *quals, unsigned from, unsigned to)
{
    pin_all(a, quals, from, to);
}

static void note_use(struct analysis *a, const PgQuery__Node *left, const PgQuery__Node *right)
{
    struct column column;
    const char *cast;
    int value;

    if (!column_of(left, &column))
        return;
    value = value_of(a, right, &cast);
    if (value >= 0)
        facts_use(a->facts, (int16_t)value, column.name, cast);
}

void note_uses(struct analysis *a, const PgQuery__AExpr *expr)
{
    if (expr->kind != PG_QUERY__A__EXPR__KIND__AEXPR_OP || !is_equals(expr) || !a->survey->repeated)
        return;
    note_use(a, expr->lexpr, expr->rexpr);
    note_use(a, expr->rexpr, expr->lexpr);
}
