/* The walk over a parse tree that finds the facts of a text; shared by the files analyse*.c only.
 */
#pragma once

#include "sql/facts.h"
#include "sql/survey.h"

#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>

#define NODE(name) PG_QUERY__NODE__NODE_##name

/* One item of FROM, or the target of a write. */
struct entry {
    const char *schema; /* NULL where the alias hides it */
    const char *name;   /* by which columns are qualified; NULL where they cannot be */
    int ref;            /* -1: not an occurrence of a relation */
    bool renamed;       /* its columns may have other names here than in the relation */
};

/* One level of query: what its names mean. */
struct level {
    struct level *outer;
    struct buf entries; /* struct entry */
};

/* The names that WITH gives; they hide relations. */
struct scope {
    struct scope *outer;
    PgQuery__WithClause *with;
    size_t visible; /* the first ones of with->ctes */
};

struct analysis {
    struct facts *facts;
    const struct values *values;
    const struct survey *survey;
    const char *text;
    unsigned statement;
    unsigned depth;
    bool plan_only; /* within EXPLAIN without ANALYZE: nothing is executed */
    bool writes;    /* the statement may change rows */
    bool into;      /* SELECT INTO */
    bool complex;   /* more than one plain SELECT: see shape.plain */
    struct level *level;
    struct scope *scope;
};

/* Parses the NUL-terminated text and adds its facts. False where it does not parse, or is too deep.
 */
bool analyse_text(struct facts *facts, const char *text, const struct values *values,
                  const struct survey *survey);

/* analyse.c: any statement, also within another. The kind of the statement is returned. */
enum statement_kind analyse_statement(struct analysis *a, PgQuery__Node *node);
/* Nothing more is known: a write to everything. */
void analyse_give_up(struct analysis *a);

/* What the text leaves on the session, or may end there (enum leaves); nothing while it is only
 * planned. */
void analyse_leaves(struct analysis *a, unsigned what);
void analyse_ends(struct analysis *a, unsigned what);

/* analyse_utility.c: what is neither a query nor a change of rows. */
enum statement_kind analyse_utility(struct analysis *a, PgQuery__Node *node);

/* analyse_query.c and analyse_write.c */
void analyse_select(struct analysis *a, PgQuery__SelectStmt *select);
void analyse_insert(struct analysis *a, PgQuery__InsertStmt *insert);
void analyse_update(struct analysis *a, PgQuery__UpdateStmt *update);
void analyse_delete(struct analysis *a, PgQuery__DeleteStmt *delete);
void analyse_merge(struct analysis *a, PgQuery__MergeStmt *merge);
/* Walks the CTEs and makes their names visible; undone with scope_leave. */
void scope_enter(struct analysis *a, struct scope *scope, PgQuery__WithClause *with);
void scope_leave(struct analysis *a, struct scope *scope);

/* analyse_from.c */
void level_enter(struct analysis *a, struct level *level);
void level_leave(struct analysis *a, struct level *level);
unsigned level_count(const struct level *level);
struct entry *level_entry(const struct level *level, unsigned i);
/* The target of a write joins the level. Returns its occurrence, -1 where there are too many. */
int analyse_target(struct analysis *a, PgQuery__RangeVar *var, enum ref_use use);
void analyse_from(struct analysis *a, PgQuery__Node **items, size_t count);
bool var_is_temporary(const PgQuery__RangeVar *var);

/* analyse_pins.c: the conditions of WHERE hold for every entry of the level; those of ON for the
 * entries [from, to), a join's sides. */
void analyse_where(struct analysis *a, PgQuery__Node *where);
void analyse_on(struct analysis *a, PgQuery__Node *quals, unsigned from, unsigned to);
/* A literal or parameter, maybe behind one cast: its value index and the cast's type (NULL: none).
 * -1 where it is no such value, or its cast could change it in a way that equality does not
 * survive. */
int value_of(const struct analysis *a, const PgQuery__Node *node, const char **cast);
/* Notes the parameters that `=` compares with columns (see facts_use). */
void note_uses(struct analysis *a, const PgQuery__AExpr *expr);

/* analyse_expr.c; NULL is no expression. */
void analyse_expr(struct analysis *a, PgQuery__Node *node);
void analyse_exprs(struct analysis *a, PgQuery__Node **nodes, size_t count);
void analyse_type(struct analysis *a, PgQuery__TypeName *type);
/* analyse_func.c: a call of a function, and the text of an aggregate ("avg(health_score)"). */
void analyse_call(struct analysis *a, PgQuery__FuncCall *call);
/* One by its name; what was an attribute of that name counts as called then. */
void analyse_named(struct analysis *a, const struct shape_function *function);
/* x.name or (expr).name; `row` is the occurrence that x names, or -1. */
void analyse_attribute(struct analysis *a, const char *name, int row);
/* analyse_path.c: notes the path that begins at a column; false where `node` is no such path. */
bool analyse_path(struct analysis *a, PgQuery__Node *node);

/* NULL where the node is no string. */
const char *string_of(const PgQuery__Node *node);
