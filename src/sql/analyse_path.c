/* Paths into JSON documents: the column they begin at and the keys they take. */
#include "sql/analyse.h"

enum { MAX_KEYS = 16 };

static bool is_arrow(const PgQuery__Node *node, bool *list)
{
    const PgQuery__AExpr *expr;
    const char *name;

    if (!node || node->node_case != NODE(A_EXPR))
        return false;
    expr = node->a_expr;
    name = expr->n_name ? string_of(expr->name[expr->n_name - 1]) : NULL;
    if (!name || expr->kind != PG_QUERY__A__EXPR__KIND__AEXPR_OP || !expr->lexpr || !expr->rexpr)
        return false;
    *list = name[0] == '#';
    return strcmp(name, "->") == 0 || strcmp(name, "->>") == 0 || strcmp(name, "#>") == 0 ||
           strcmp(name, "#>>") == 0;
}

static const char *column_name(const PgQuery__Node *node)
{
    if (!node || node->node_case != NODE(COLUMN_REF) || node->column_ref->n_fields == 0)
        return NULL;
    return string_of(node->column_ref->fields[node->column_ref->n_fields - 1]);
}

/* '{a,b}' reads a.b */
static void put_list(struct buf *text, const char *keys)
{
    size_t len = strlen(keys);
    bool braces = len >= 2 && keys[0] == '{' && keys[len - 1] == '}';

    for (size_t i = braces; i < len - braces; i++)
        buf_put(text, keys[i] == ',' ? "." : &keys[i], 1);
}

/* Only a literal that is part of the shape is shown: any other may differ in the next text. */
static void put_key(struct analysis *a, struct buf *text, const PgQuery__Node *node, bool list)
{
    const PgQuery__AConst *key;

    if (buf_len(text))
        buf_put(text, ".", 1);
    if (node->node_case != NODE(A_CONST) ||
        !survey_kept(a->survey, (uint32_t)node->a_const->location)) {
        buf_put(text, "?", 1);
        return;
    }
    key = node->a_const;
    if (key->val_case == PG_QUERY__A__CONST__VAL_SVAL && list)
        put_list(text, key->sval->sval);
    else if (key->val_case == PG_QUERY__A__CONST__VAL_SVAL)
        buf_printf(text, "%s", key->sval->sval);
    else if (key->val_case == PG_QUERY__A__CONST__VAL_IVAL)
        buf_printf(text, "%d", key->ival->ival);
    else
        buf_put(text, "?", 1);
}

static void note_path(struct analysis *a, const char *column, struct buf *text)
{
    buf_put(text, "", 1);
    facts_column(a->facts, column);
    facts_path(a->facts, column, (const char *)buf_slice(text).at);
    buf_clear(text);
}

static bool walk_arrows(struct analysis *a, PgQuery__Node *node)
{
    PgQuery__Node *keys[MAX_KEYS];
    bool lists[MAX_KEYS], list;
    unsigned count = 0;
    struct buf text = {0};
    const char *column;

    for (; is_arrow(node, &list); node = node->a_expr->lexpr) {
        if (count == MAX_KEYS)
            return false;
        lists[count] = list;
        keys[count++] = node->a_expr->rexpr;
    }
    column = column_name(node);
    if (!column)
        return false;
    while (count--) {
        put_key(a, &text, keys[count], lists[count]);
        analyse_expr(a, keys[count]);
    }
    analyse_expr(a, node);
    note_path(a, column, &text);
    return true;
}

/* document['a']['b']; an array's elements look the same, since what stands in the brackets is a
 * value. */
static bool walk_subscripts(struct analysis *a, PgQuery__AIndirection *indirection)
{
    const char *column = column_name(indirection->arg);
    struct buf text = {0};

    if (!column || indirection->n_indirection == 0)
        return false;
    for (size_t i = 0; i < indirection->n_indirection; i++) {
        const PgQuery__Node *node = indirection->indirection[i];

        if (node->node_case != NODE(A_INDICES) || node->a_indices->is_slice ||
            !node->a_indices->uidx)
            return false;
    }
    for (size_t i = 0; i < indirection->n_indirection; i++) {
        put_key(a, &text, indirection->indirection[i]->a_indices->uidx, false);
        analyse_expr(a, indirection->indirection[i]->a_indices->uidx);
    }
    analyse_expr(a, indirection->arg);
    note_path(a, column, &text);
    return true;
}

bool analyse_path(struct analysis *a, PgQuery__Node *node)
{
    bool list;

    if (node->node_case == NODE(A_INDIRECTION))
        return walk_subscripts(a, node->a_indirection);
    return is_arrow(node, &list) && walk_arrows(a, node);
}
