/* Statements that are neither a query nor a change of rows by one. */
#include "sql/analyse.h"

#include "sql/lexer.h"

/* PostgreSQL's CURSOR_OPT_HOLD */
enum { CURSOR_HOLD = 0x0020 };

/* search_path may begin with pg_temp. */
static enum statement_kind ddl(struct analysis *a)
{
    a->writes = true;
    analyse_leaves(a, LEAVES_TEMPORARY);
    return STATEMENT_DDL;
}

/* Of what all databases have, or of no schema. */
static bool is_global(const PgQuery__Node *node)
{
    switch (node->node_case) {
    case NODE(ALTER_DATABASE_SET_STMT):
    case NODE(COMMENT_STMT):
    case NODE(CREATE_CAST_STMT):
    case NODE(CREATE_EVENT_TRIG_STMT):
    case NODE(CREATE_PUBLICATION_STMT):
    case NODE(CREATE_ROLE_STMT):
    case NODE(CREATE_SCHEMA_STMT):
    case NODE(CREATEDB_STMT):
    case NODE(DROP_ROLE_STMT):
    case NODE(DROPDB_STMT):
    case NODE(GRANT_STMT):
    case NODE(GRANT_ROLE_STMT):
    case NODE(INDEX_STMT):
        return true;
    default:
        return false;
    }
}

static enum statement_kind temporary(struct analysis *a, const PgQuery__RangeVar *var)
{
    if (var_is_temporary(var) && !a->plan_only)
        a->facts->shape.session = true;
    return ddl(a);
}

static enum statement_kind unknown(struct analysis *a, enum statement_kind kind)
{
    analyse_give_up(a);
    analyse_leaves(a, LEAVES_TOLD | LEAVES_SEQUENCES);
    return kind;
}

static enum statement_kind on_session(struct analysis *a, enum statement_kind kind, unsigned what)
{
    analyse_leaves(a, what);
    a->facts->shape.session = true;
    return kind;
}

static void mode(struct analysis *a, const PgQuery__DefElem *elem)
{
    const PgQuery__AConst *value;

    if (!elem->arg || elem->arg->node_case != NODE(A_CONST))
        return;
    value = elem->arg->a_const;
    if (strcmp(elem->defname, "transaction_isolation") == 0 &&
        value->val_case == PG_QUERY__A__CONST__VAL_SVAL)
        a->facts->shape.isolation = arena_text(&a->facts->arena, slice_text(value->sval->sval));
    else if (strcmp(elem->defname, "transaction_read_only") == 0 &&
             value->val_case == PG_QUERY__A__CONST__VAL_IVAL)
        a->facts->shape.read_only = value->ival->ival != 0;
}

static void modes(struct analysis *a, PgQuery__Node **options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (options[i]->node_case == NODE(DEF_ELEM))
            mode(a, options[i]->def_elem);
    }
}

static enum statement_kind transaction(struct analysis *a, PgQuery__TransactionStmt *stmt)
{
    a->facts->shape.transaction = true;
    switch (stmt->kind) {
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_BEGIN:
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_START:
        modes(a, stmt->options, stmt->n_options);
        return STATEMENT_BEGIN;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_COMMIT:
        a->facts->shape.chain |= stmt->chain;
        return STATEMENT_COMMIT;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK:
        a->facts->shape.chain |= stmt->chain;
        return STATEMENT_ROLLBACK;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_SAVEPOINT:
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_RELEASE:
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK_TO:
        return STATEMENT_SAVEPOINT;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_PREPARE:
        return STATEMENT_PREPARE_TRANSACTION;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_COMMIT_PREPARED:
        a->writes = true;
        return STATEMENT_COMMIT_PREPARED;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK_PREPARED:
        a->writes = true;
        return STATEMENT_ROLLBACK_PREPARED;
    default:
        return unknown(a, STATEMENT_UTILITY);
    }
}

/* SESSION CHARACTERISTICS AS TRANSACTION. */
static void set_characteristics(struct analysis *a)
{
    facts_setting(a->facts, "default_transaction_isolation", 0, false);
    facts_setting(a->facts, "default_transaction_read_only", 0, false);
    facts_setting(a->facts, "default_transaction_deferrable", 0, false);
}

/* What is set back goes to a value that only the server knows, as does what it was before. */
static void note_setting(struct analysis *a, const PgQuery__VariableSetStmt *stmt, const char *name)
{
    bool given = stmt->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_SET_VALUE ||
                 stmt->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_SET_CURRENT;

    if (stmt->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_SET_MULTI) {
        set_characteristics(a);
        return;
    }
    if (!given || !name || !*name)
        analyse_leaves(a, LEAVES_SETTINGS);
    if (name && *name)
        facts_setting(a->facts, name, 0, false);
    if (name && strcmp(name, "seed") == 0)
        analyse_leaves(a, LEAVES_SEED);
}

/* What one SET gives, where that is one value. */
static void note_value(struct analysis *a, const PgQuery__VariableSetStmt *stmt)
{
    const PgQuery__Node *node = stmt->n_args == 1 ? stmt->args[0] : NULL;
    struct shape *shape = &a->facts->shape;
    const char *cast;

    shape->set_value = (int16_t)value_of(a, node, &cast);
    if (shape->set_value < 0 && node && node->node_case == NODE(A_CONST) &&
        node->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL)
        shape->set_word = arena_text(&a->facts->arena, slice_text(node->a_const->sval->sval));
}

/* SET TRANSACTION ends with the transaction; what else the grammar spells in several words does
 * not. */
static enum statement_kind set(struct analysis *a, PgQuery__VariableSetStmt *stmt)
{
    const char *name = stmt->name;

    if (stmt->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET_ALL) {
        name = "all";
        analyse_ends(a, LEAVES_UNSEEN);
    }
    if (name && *name) {
        a->facts->shape.set_name = arena_text(&a->facts->arena, slice_text(name));
        a->facts->shape.set_default =
            !stmt->is_local && (stmt->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET_ALL ||
                                stmt->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET ||
                                stmt->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_SET_DEFAULT);
    }
    note_value(a, stmt);
    analyse_exprs(a, stmt->args,
                  stmt->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_SET_VALUE ? stmt->n_args : 0);
    if (stmt->is_local && name && *name)
        facts_setting(a->facts, name, 0, true);
    if (stmt->is_local)
        return STATEMENT_SET_LOCAL;
    if (stmt->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_SET_MULTI && name &&
        strncmp(name, "TRANSACTION", 11) == 0) {
        modes(a, stmt->args, stmt->n_args);
        return STATEMENT_SET_LOCAL;
    }
    note_setting(a, stmt, name);
    return on_session(a, STATEMENT_SET, 0);
}

static enum statement_kind copy(struct analysis *a, PgQuery__CopyStmt *stmt)
{
    struct level level;

    level_enter(a, &level);
    if (stmt->is_from && stmt->relation) {
        analyse_target(a, stmt->relation, REF_COPY_FROM);
        analyse_expr(a, stmt->where_clause);
    } else if (stmt->relation) {
        analyse_target(a, stmt->relation, REF_READ);
        a->facts->shape.star |= stmt->n_attlist == 0;
        for (size_t i = 0; i < stmt->n_attlist; i++) {
            const char *name = string_of(stmt->attlist[i]);

            if (name)
                facts_column(a->facts, name);
        }
    } else if (stmt->query) {
        analyse_statement(a, stmt->query);
    } else {
        analyse_give_up(a);
    }
    if (stmt->is_from)
        analyse_leaves(a, LEAVES_SEQUENCES);
    if (stmt->is_program || (stmt->filename && *stmt->filename))
        a->writes = true; /* a file or a program of the server */
    level_leave(a, &level);
    return stmt->is_from ? STATEMENT_COPY_FROM : STATEMENT_COPY_TO;
}

/* Whether the option's name is followed by the word off or false, which is part of the shape. A
 * literal 'off' is not: the next text of the shape may say 'on' there. */
static bool is_off(const struct analysis *a, const PgQuery__DefElem *option)
{
    struct lexer lexer;
    struct token token;

    if (option->location < 0 || (size_t)option->location >= strlen(a->text))
        return false;
    lexer_init(&lexer, slice_text(a->text + option->location));
    lexer_next(&lexer, &token);
    lexer_next(&lexer, &token);
    return token.kind == TOKEN_WORD &&
           (slice_is_nocase(token.all, "off") || slice_is_nocase(token.all, "false"));
}

static bool is_analyze(const struct analysis *a, const PgQuery__ExplainStmt *stmt)
{
    for (size_t i = 0; i < stmt->n_options; i++) {
        const PgQuery__Node *option = stmt->options[i];

        if (option->node_case != NODE(DEF_ELEM))
            return true;
        if (strcmp(option->def_elem->defname, "analyze") == 0 && !is_off(a, option->def_elem))
            return true;
    }
    return false;
}

static enum statement_kind explain(struct analysis *a, PgQuery__ExplainStmt *stmt)
{
    bool writes = a->writes, plan_only = a->plan_only;

    if (is_analyze(a, stmt)) {
        analyse_statement(a, stmt->query);
        a->facts->shape.explains_write |= a->writes;
    } else {
        a->plan_only = true;
        analyse_statement(a, stmt->query);
        a->plan_only = plan_only;
        a->writes = a->facts->shape.unknown ? a->writes : writes;
    }
    return STATEMENT_EXPLAIN;
}

static enum statement_kind create_as(struct analysis *a, PgQuery__CreateTableAsStmt *stmt)
{
    if (stmt->query)
        analyse_statement(a, stmt->query);
    return temporary(a, stmt->into ? stmt->into->rel : NULL);
}

static enum statement_kind prepare(struct analysis *a, PgQuery__PrepareStmt *stmt)
{
    if (stmt->query)
        analyse_statement(a, stmt->query);
    return on_session(a, STATEMENT_PREPARE, LEAVES_PREPARED);
}

static enum statement_kind execute(struct analysis *a, PgQuery__ExecuteStmt *stmt)
{
    analyse_exprs(a, stmt->params, stmt->n_params);
    return unknown(a, STATEMENT_EXECUTE);
}

static enum statement_kind declare(struct analysis *a, PgQuery__DeclareCursorStmt *stmt)
{
    if (stmt->query)
        analyse_statement(a, stmt->query);
    if (stmt->options & CURSOR_HOLD)
        on_session(a, STATEMENT_DECLARE, LEAVES_CURSORS);
    return STATEMENT_DECLARE;
}

static enum statement_kind call(struct analysis *a, PgQuery__CallStmt *stmt)
{
    if (stmt->funccall)
        analyse_call(a, stmt->funccall);
    return unknown(a, STATEMENT_CALL);
}

static void each_relation(struct analysis *a, PgQuery__Node **nodes, size_t count, enum ref_use use,
                          bool locked)
{
    struct level level;

    level_enter(a, &level);
    for (size_t i = 0; i < count; i++) {
        int ref;

        if (nodes[i]->node_case != NODE(RANGE_VAR)) {
            analyse_give_up(a);
            continue;
        }
        ref = analyse_target(a, nodes[i]->range_var, use);
        if (ref >= 0)
            facts_ref_at(a->facts, (unsigned)ref)->locked = locked;
    }
    level_leave(a, &level);
}

static enum statement_kind truncate(struct analysis *a, PgQuery__TruncateStmt *stmt)
{
    each_relation(a, stmt->relations, stmt->n_relations, REF_TRUNCATE, false);
    if (stmt->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE)
        analyse_give_up(a); /* empties tables that the text doesn't name */
    return STATEMENT_TRUNCATE;
}

static enum statement_kind lock(struct analysis *a, PgQuery__LockStmt *stmt)
{
    each_relation(a, stmt->relations, stmt->n_relations, REF_READ, true);
    a->facts->shape.locks = true;
    return STATEMENT_LOCK;
}

/* A function, view or type may be made in pg_temp too. */
static bool in_pg_temp(PgQuery__Node **names, size_t count)
{
    const char *schema = count > 1 ? string_of(names[0]) : NULL;

    return schema && strncmp(schema, "pg_temp", 7) == 0;
}

static enum statement_kind named_ddl(struct analysis *a, PgQuery__Node **names, size_t count)
{
    if (in_pg_temp(names, count))
        a->facts->shape.session = true;
    return ddl(a);
}

static enum statement_kind create(struct analysis *a, PgQuery__Node *node)
{
    switch (node->node_case) {
    case NODE(CREATE_STMT):
        return temporary(a, node->create_stmt->relation);
    case NODE(CREATE_SEQ_STMT):
        return temporary(a, node->create_seq_stmt->sequence);
    case NODE(VIEW_STMT):
        return temporary(a, node->view_stmt->view);
    case NODE(COMPOSITE_TYPE_STMT):
        return temporary(a, node->composite_type_stmt->typevar);
    case NODE(CREATE_FUNCTION_STMT):
        return named_ddl(a, node->create_function_stmt->funcname,
                         node->create_function_stmt->n_funcname);
    case NODE(CREATE_ENUM_STMT):
        return named_ddl(a, node->create_enum_stmt->type_name, node->create_enum_stmt->n_type_name);
    case NODE(CREATE_RANGE_STMT):
        return named_ddl(a, node->create_range_stmt->type_name,
                         node->create_range_stmt->n_type_name);
    case NODE(CREATE_DOMAIN_STMT):
        return named_ddl(a, node->create_domain_stmt->domainname,
                         node->create_domain_stmt->n_domainname);
    case NODE(DEFINE_STMT):
        return named_ddl(a, node->define_stmt->defnames, node->define_stmt->n_defnames);
    default:
        return unknown(a, STATEMENT_UTILITY);
    }
}

static bool is_create(const PgQuery__Node *node)
{
    switch (node->node_case) {
    case NODE(CREATE_STMT):
    case NODE(CREATE_SEQ_STMT):
    case NODE(VIEW_STMT):
    case NODE(COMPOSITE_TYPE_STMT):
    case NODE(CREATE_FUNCTION_STMT):
    case NODE(CREATE_ENUM_STMT):
    case NODE(CREATE_RANGE_STMT):
    case NODE(CREATE_DOMAIN_STMT):
    case NODE(DEFINE_STMT):
        return true;
    default:
        return false;
    }
}

/* Definitions in which there is nothing more to look for. Those of the last part of the grammar
 * (tablespaces, subscriptions, ..) are UTILITY, which is unknown. */
static bool is_ddl(const PgQuery__Node *node)
{
    switch (node->node_case) {
    case NODE(ALTER_TABLE_STMT):
    case NODE(ALTER_DOMAIN_STMT):
    case NODE(ALTER_FUNCTION_STMT):
    case NODE(ALTER_SEQ_STMT):
    case NODE(ALTER_ENUM_STMT):
    case NODE(ALTER_TYPE_STMT):
    case NODE(ALTER_OWNER_STMT):
    case NODE(ALTER_OBJECT_SCHEMA_STMT):
    case NODE(ALTER_OBJECT_DEPENDS_STMT):
    case NODE(ALTER_OPERATOR_STMT):
    case NODE(ALTER_POLICY_STMT):
    case NODE(ALTER_EXTENSION_STMT):
    case NODE(ALTER_EXTENSION_CONTENTS_STMT):
    case NODE(ALTER_ROLE_STMT):
    case NODE(ALTER_ROLE_SET_STMT):
    case NODE(ALTER_DATABASE_STMT):
    case NODE(ALTER_DATABASE_SET_STMT):
    case NODE(ALTER_DEFAULT_PRIVILEGES_STMT):
    case NODE(ALTER_PUBLICATION_STMT):
    case NODE(ALTER_STATS_STMT):
    case NODE(COMMENT_STMT):
    case NODE(CREATE_CAST_STMT):
    case NODE(CREATE_EXTENSION_STMT):
    case NODE(CREATE_EVENT_TRIG_STMT):
    case NODE(CREATE_OP_CLASS_STMT):
    case NODE(CREATE_OP_FAMILY_STMT):
    case NODE(CREATE_POLICY_STMT):
    case NODE(CREATE_PUBLICATION_STMT):
    case NODE(CREATE_ROLE_STMT):
    case NODE(CREATE_SCHEMA_STMT):
    case NODE(CREATE_STATS_STMT):
    case NODE(CREATE_TRIG_STMT):
    case NODE(CREATE_FOREIGN_TABLE_STMT):
    case NODE(CREATEDB_STMT):
    case NODE(DROP_STMT):
    case NODE(DROP_OWNED_STMT):
    case NODE(DROP_ROLE_STMT):
    case NODE(DROPDB_STMT):
    case NODE(GRANT_STMT):
    case NODE(GRANT_ROLE_STMT):
    case NODE(INDEX_STMT):
    case NODE(REASSIGN_OWNED_STMT):
    case NODE(REFRESH_MAT_VIEW_STMT):
    case NODE(RENAME_STMT):
    case NODE(RULE_STMT):
    case NODE(SEC_LABEL_STMT):
        return true;
    default:
        return false;
    }
}

static enum statement_kind definition(struct analysis *a, PgQuery__Node *node)
{
    if (is_create(node))
        return create(a, node);
    if (is_global(node)) {
        a->writes = true;
        return STATEMENT_DDL;
    }
    if (is_ddl(node))
        return ddl(a);
    return unknown(a, STATEMENT_UTILITY);
}

static enum statement_kind maintenance(struct analysis *a)
{
    a->writes = true;
    return STATEMENT_MAINTENANCE;
}

static enum statement_kind discard(struct analysis *a, const PgQuery__DiscardStmt *stmt)
{
    switch (stmt->target) {
    case PG_QUERY__DISCARD_MODE__DISCARD_TEMP:
        analyse_ends(a, LEAVES_TEMPORARY);
        break;
    case PG_QUERY__DISCARD_MODE__DISCARD_SEQUENCES:
        analyse_ends(a, LEAVES_SEQUENCES);
        break;
    case PG_QUERY__DISCARD_MODE__DISCARD_PLANS:
        break;
    default:
        analyse_leaves(a, LEAVES_SETTINGS);
        analyse_ends(a, LEAVES_TOLD | LEAVES_SEQUENCES | LEAVES_UNSEEN);
    }
    return STATEMENT_DISCARD;
}

enum statement_kind analyse_utility(struct analysis *a, PgQuery__Node *node)
{
    switch (node->node_case) {
    case NODE(TRANSACTION_STMT):
        return transaction(a, node->transaction_stmt);
    case NODE(VARIABLE_SET_STMT):
        return set(a, node->variable_set_stmt);
    case NODE(CONSTRAINTS_SET_STMT):
        return STATEMENT_SET_LOCAL;
    case NODE(VARIABLE_SHOW_STMT):
        return STATEMENT_SHOW;
    case NODE(EXPLAIN_STMT):
        return explain(a, node->explain_stmt);
    case NODE(PREPARE_STMT):
        return prepare(a, node->prepare_stmt);
    case NODE(EXECUTE_STMT):
        return execute(a, node->execute_stmt);
    case NODE(DEALLOCATE_STMT):
        analyse_ends(a, LEAVES_PREPARED);
        return STATEMENT_DEALLOCATE;
    case NODE(DISCARD_STMT):
        return discard(a, node->discard_stmt);
    case NODE(DECLARE_CURSOR_STMT):
        return declare(a, node->declare_cursor_stmt);
    case NODE(CLOSE_PORTAL_STMT):
        analyse_ends(a, LEAVES_CURSORS);
        return STATEMENT_FETCH;
    case NODE(FETCH_STMT):
        return STATEMENT_FETCH;
    case NODE(LISTEN_STMT):
        return on_session(a, STATEMENT_LISTEN, LEAVES_CHANNELS);
    case NODE(UNLISTEN_STMT):
        analyse_ends(a, LEAVES_CHANNELS);
        return STATEMENT_LISTEN;
    case NODE(NOTIFY_STMT):
        a->facts->shape.notifies = true;
        return STATEMENT_NOTIFY;
    case NODE(LOCK_STMT):
        return lock(a, node->lock_stmt);
    case NODE(LOAD_STMT):
        return on_session(a, STATEMENT_LOAD, LEAVES_LIBRARY | LEAVES_SETTINGS);
    case NODE(DO_STMT):
        return unknown(a, STATEMENT_DO);
    case NODE(CALL_STMT):
        return call(a, node->call_stmt);
    case NODE(COPY_STMT):
        return copy(a, node->copy_stmt);
    case NODE(TRUNCATE_STMT):
        return truncate(a, node->truncate_stmt);
    case NODE(CREATE_TABLE_AS_STMT):
        return create_as(a, node->create_table_as_stmt);
    case NODE(VACUUM_STMT):
    case NODE(CHECK_POINT_STMT):
    case NODE(CLUSTER_STMT):
    case NODE(REINDEX_STMT):
        return maintenance(a);
    default:
        return definition(a, node);
    }
}
