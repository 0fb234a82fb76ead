/* Parses a text and walks its statements. The server's own grammar of PostgreSQL 15 is the parser;
 * what it does not know is not understood here either. */
#include "sql/analyse.h"

void analyse_give_up(struct analysis *a)
{
    a->facts->shape.unknown = true;
    a->writes = true;
}

void analyse_leaves(struct analysis *a, unsigned what)
{
    if (!a->plan_only)
        a->facts->shape.leaves |= (uint16_t)what;
}

void analyse_ends(struct analysis *a, unsigned what)
{
    if (!a->plan_only)
        a->facts->shape.ends |= (uint16_t)what;
}

enum statement_kind analyse_statement(struct analysis *a, PgQuery__Node *node)
{
    enum statement_kind kind;

    switch (node ? node->node_case : NODE(_NOT_SET)) {
    case NODE(SELECT_STMT):
        analyse_select(a, node->select_stmt);
        kind = a->into ? STATEMENT_DDL : STATEMENT_SELECT;
        break;
    case NODE(INSERT_STMT):
        analyse_insert(a, node->insert_stmt);
        analyse_leaves(a, LEAVES_SEQUENCES);
        kind = STATEMENT_INSERT;
        break;
    case NODE(UPDATE_STMT):
        analyse_update(a, node->update_stmt);
        kind = STATEMENT_UPDATE;
        break;
    case NODE(DELETE_STMT):
        analyse_delete(a, node->delete_stmt);
        kind = STATEMENT_DELETE;
        break;
    case NODE(MERGE_STMT):
        analyse_merge(a, node->merge_stmt);
        analyse_leaves(a, LEAVES_SEQUENCES);
        kind = STATEMENT_MERGE;
        break;
    default:
        a->complex = true;
        return node ? analyse_utility(a, node) : STATEMENT_UTILITY;
    }
    return kind;
}

static void walk_statement(struct analysis *a, PgQuery__RawStmt *raw, unsigned index)
{
    enum statement_kind kind;

    a->statement = index;
    a->writes = a->into = false;
    if (!raw->stmt)
        analyse_give_up(a);
    kind = analyse_statement(a, raw->stmt);
    facts_statement(a->facts, kind);
    if (kind != STATEMENT_SELECT)
        a->complex = true;
    if (a->writes)
        a->facts->shape.writes = true;
}

static void walk_result(struct analysis *a, PgQuery__ParseResult *result)
{
    struct shape *shape = &a->facts->shape;

    for (size_t i = 0; i < result->n_stmts; i++)
        walk_statement(a, result->stmts[i], (unsigned)i);
    if (result->n_stmts == 0)
        facts_statement(a->facts, STATEMENT_EMPTY);
    if (result->n_stmts != 1) {
        shape->set_name = NULL;
        shape->set_default = false;
    }
    shape->plain = result->n_stmts == 1 && !a->complex && !shape->unknown && !shape->locks &&
                   facts_ref_count(a->facts) == 1;
    facts_settle(a->facts, a->survey->repeated, a->values);
}

static bool walk_packed(struct analysis *a, const PgQueryProtobuf *packed)
{
    PgQuery__ParseResult *result =
        pg_query__parse_result__unpack(NULL, packed->len, (const uint8_t *)packed->data);

    if (!result)
        return false;
    walk_result(a, result);
    pg_query__parse_result__free_unpacked(result, NULL);
    return true;
}

bool analyse_text(struct facts *facts, const char *text, const struct values *values,
                  const struct survey *survey)
{
    struct analysis a = {.facts = facts, .values = values, .survey = survey, .text = text};
    PgQueryProtobufParseResult parsed = pg_query_parse_protobuf(text);
    bool ok = !parsed.error && walk_packed(&a, &parsed.parse_tree);

    pg_query_free_protobuf_parse_result(parsed);
    return ok;
}
