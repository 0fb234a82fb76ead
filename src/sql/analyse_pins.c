/* Finds column = value in the conditions that hold for every row an entry contributes: top-level
 * ANDs only. To which of several entries an unqualified column belongs is for the catalog to
 * say. */
#include "sql/analyse.h"

enum { MAX_LOOSE_REFS = 16 };

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

/* The placeholder of the value that stands at `location`, -1 where none of the first VALUES_MAX
 * does. */
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

/* The name of a built-in scalar type without modifier that value_type_named knows, or of which it
 * is an array of one dimension; else NULL. */
static const char *plain_type(const PgQuery__TypeName *type, bool array)
{
    const char *name;

    if (!type || type->n_names == 0 || type->n_names > 2 || type->n_typmods ||
        type->n_array_bounds != (array ? 1 : 0) || type->setof || type->pct_type)
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

/* The literal or parameter's location, -1 where the node is neither. */
static int32_t location_of(const PgQuery__Node *node)
{
    if (!node)
        return -1;
    if (node->node_case == NODE(PARAM_REF))
        return node->param_ref->location;
    if (node->node_case != NODE(A_CONST) || node->a_const->isnull)
        return -1;
    switch (node->a_const->val_case) {
    case PG_QUERY__A__CONST__VAL_IVAL:
    case PG_QUERY__A__CONST__VAL_FVAL:
    case PG_QUERY__A__CONST__VAL_SVAL:
    case PG_QUERY__A__CONST__VAL_BSVAL: /* never canonical, but the next text has another value */
        return node->a_const->location;
    default:
        return -1;
    }
}

/* A value of a list has no placeholder, or one that stands for all of them. */
static int single_at(const struct analysis *a, int32_t location)
{
    int value = location < 0 ? -1 : value_at(a, location);

    return value >= 0 && a->values->at[value].list ? -1 : value;
}

int value_of(const struct analysis *a, const PgQuery__Node *node, const char **cast)
{
    *cast = NULL;
    if (node && node->node_case == NODE(TYPE_CAST)) {
        *cast = plain_type(node->type_cast->type_name, false);
        if (!*cast)
            return -1;
        node = node->type_cast->arg;
    }
    return single_at(a, location_of(node));
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

/* Notes a pin of an unqualified column that is of one of several relations. */
static void pin_loose(struct analysis *a, const struct shape_pin *pin, unsigned from, unsigned to)
{
    uint16_t refs[MAX_LOOSE_REFS];
    struct shape_loose loose = {.pin = *pin, .refs = refs, .from = from, .to = to};
    unsigned count = a->level ? level_count(a->level) : 0;

    if (count < 2 || count > MAX_LOOSE_REFS)
        return;
    for (unsigned i = 0; i < count; i++) {
        const struct entry *entry = level_entry(a->level, i);

        if (entry->ref < 0 || entry->renamed)
            return;
        refs[i] = (uint16_t)entry->ref;
    }
    loose.nrefs = count;
    facts_loose(a->facts, &loose);
}

static void add_pin(struct analysis *a, const struct column *column, struct shape_pin *pin,
                    unsigned from, unsigned to)
{
    int ref = owner_of(a, column, from, to);

    pin->column = column->name;
    if (ref >= 0)
        facts_pin(a->facts, (unsigned)ref, pin);
    else if (!column->table)
        pin_loose(a, pin, from, to);
}

/* Pins the column that `left` is to one value. */
static void pin_value(struct analysis *a, const PgQuery__Node *left, int value,
                      struct shape_pin *pin, unsigned from, unsigned to)
{
    struct column column;
    int16_t index = (int16_t)value;

    if (value < 0 || !column_of(left, &column))
        return;
    pin->values = &index;
    pin->nvalues = 1;
    add_pin(a, &column, pin, from, to);
}

static void pin_one(struct analysis *a, const PgQuery__Node *left, const PgQuery__Node *right,
                    unsigned from, unsigned to)
{
    struct shape_pin pin = {.array = false};
    int value = value_of(a, right, &pin.cast);

    pin_value(a, left, value, &pin, from, to);
}

/* column = column: each of them is pinned by what pins the other. */
static void pin_columns(struct analysis *a, const PgQuery__Node *left, const PgQuery__Node *right,
                        unsigned from, unsigned to)
{
    struct column column, other;
    int ref, source;

    if (!column_of(left, &column) || !column_of(right, &other) || !a->level)
        return;
    ref = owner_of(a, &column, from, to);
    source = owner_of(a, &other, 0, level_count(a->level));
    if (ref >= 0 && source >= 0 && ref != source)
        facts_equal(a->facts, (unsigned)ref, column.name, (unsigned)source, other.name);
}

/* The one placeholder of all items, where each of them is a plain value of one list. */
static int list_of(const struct analysis *a, PgQuery__Node **items, size_t count)
{
    int value = location_of(items[0]) < 0 ? -1 : value_at(a, location_of(items[0]));

    if (value < 0 || a->values->at[value].list != count)
        return -1;
    for (size_t i = 1; i < count; i++)
        if (location_of(items[i]) < 0)
            return -1;
    return value;
}

/* The placeholders of the items, or of the list that they are. False where one is no value. Casts
 * of several types would be resolved to one that is not in the text. */
static bool values_of(const struct analysis *a, PgQuery__Node **items, size_t count,
                      int16_t *indexes, struct shape_pin *pin)
{
    int list;

    if (count == 0)
        return false;
    pin->values = indexes;
    list = list_of(a, items, count);
    if (list >= 0) {
        indexes[0] = (int16_t)list;
        pin->nvalues = 1;
        return true;
    }
    if (count > VALUES_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *cast;
        int value = value_of(a, items[i], &cast);

        if (value < 0 || (i && (cast == NULL) != (pin->cast == NULL)) ||
            (i && cast && strcmp(cast, pin->cast) != 0))
            return false;
        pin->cast = cast;
        indexes[i] = (int16_t)value;
    }
    pin->nvalues = (unsigned)count;
    return true;
}

static void pin_items(struct analysis *a, const PgQuery__Node *left, PgQuery__Node **items,
                      size_t count, const char *cast, unsigned from, unsigned to)
{
    int16_t indexes[VALUES_MAX];
    struct shape_pin pin = {.nvalues = 0};
    struct column column;

    if (!column_of(left, &column) || !values_of(a, items, count, indexes, &pin) ||
        (cast && pin.cast))
        return;
    if (cast)
        pin.cast = cast;
    add_pin(a, &column, &pin, from, to);
}

static const PgQuery__RowExpr *row_of(const PgQuery__Node *node)
{
    return node && node->node_case == NODE(ROW_EXPR) ? node->row_expr : NULL;
}

/* (a, b) IN ((1, 2), (3, 4)): a is 1 or 3, b is 2 or 4. */
static void pin_rows(struct analysis *a, const PgQuery__RowExpr *left, const PgQuery__List *rows,
                     unsigned from, unsigned to)
{
    PgQuery__Node *items[VALUES_MAX];

    if (rows->n_items > VALUES_MAX)
        return;
    for (size_t i = 0; i < left->n_args; i++) {
        size_t count = 0;

        for (size_t k = 0; k < rows->n_items; k++) {
            const PgQuery__RowExpr *row = row_of(rows->items[k]);

            if (row && row->n_args == left->n_args)
                items[count++] = row->args[i];
        }
        if (count == rows->n_items)
            pin_items(a, left->args[i], items, count, NULL, from, to);
    }
}

static void pin_in(struct analysis *a, const PgQuery__AExpr *expr, unsigned from, unsigned to)
{
    const PgQuery__List *list;

    if (!expr->rexpr || expr->rexpr->node_case != NODE(LIST))
        return;
    list = expr->rexpr->list;
    if (row_of(expr->lexpr))
        pin_rows(a, row_of(expr->lexpr), list, from, to);
    else
        pin_items(a, expr->lexpr, list->items, list->n_items, NULL, from, to);
}

/* column = ANY (array): a value that is one, or ARRAY[..]. */
static void pin_any(struct analysis *a, const PgQuery__Node *left, const PgQuery__Node *right,
                    unsigned from, unsigned to)
{
    struct shape_pin pin = {.array = true};

    if (right && right->node_case == NODE(TYPE_CAST)) {
        pin.cast = plain_type(right->type_cast->type_name, true);
        if (!pin.cast)
            return;
        right = right->type_cast->arg;
    }
    if (right && right->node_case == NODE(A_ARRAY_EXPR)) {
        pin_items(a, left, right->a_array_expr->elements, right->a_array_expr->n_elements, pin.cast,
                  from, to);
        return;
    }
    pin_value(a, left, single_at(a, location_of(right)), &pin, from, to);
}

static void pin_equals(struct analysis *a, const PgQuery__Node *left, const PgQuery__Node *right,
                       unsigned from, unsigned to)
{
    pin_one(a, left, right, from, to);
    pin_columns(a, left, right, from, to);
}

static void pin_expr(struct analysis *a, const PgQuery__AExpr *expr, unsigned from, unsigned to)
{
    const PgQuery__RowExpr *left = row_of(expr->lexpr), *right = row_of(expr->rexpr);

    if (!is_equals(expr))
        return;
    if (expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_IN) {
        pin_in(a, expr, from, to);
    } else if (expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY) {
        pin_any(a, expr->lexpr, expr->rexpr, from, to);
    } else if (expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP && left && right) {
        for (size_t i = 0; i < left->n_args && left->n_args == right->n_args; i++) {
            pin_equals(a, left->args[i], right->args[i], from, to);
            pin_equals(a, right->args[i], left->args[i], from, to);
        }
    } else if (expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP) {
        pin_equals(a, expr->lexpr, expr->rexpr, from, to);
        pin_equals(a, expr->rexpr, expr->lexpr, from, to);
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
