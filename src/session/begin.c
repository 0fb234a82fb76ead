/* BEGIN without a server: the first statement takes one, with the BEGIN in front of it in the same
 * packet, and decides by what it needs where the transaction lives. Only a lone BEGIN is put off,
 * and only where no server is kept anyway. */
#include "session/conversation.h"
#include "session/prepare.h"
#include "sql/lexer.h"
#include "wire/types.h"

static bool is_lone(const struct request *request, enum statement_kind kind)
{
    const struct shape *shape = request->has_text ? request->text.known->shape : NULL;

    return shape && request->nqueries == 1 && shape->nstatements == 1 &&
           shape->statements[0] == kind;
}

static bool begins_with(struct slice text, const char *word)
{
    struct lexer lexer;
    struct token token;

    lexer_init(&lexer, text);
    lexer_next(&lexer, &token);
    return token.kind == TOKEN_WORD && slice_is_nocase(token.all, word);
}

static void leave_opening(struct session *session)
{
    if (session->opening)
        known_shape_unref(session->opening);
    session->opening = NULL;
}

void begin_forget(struct session *session)
{
    buf_clear(&session->begin);
    session->begun = session->snapshot = false;
    leave_opening(session);
}

void begin_opens(struct session *session, const struct request *request, bool replica)
{
    leave_opening(session);
    if (replica)
        session->opening = known_shape_ref(request->text.known);
}

bool begin_refuses(struct session *session, struct request *request)
{
    if (!session->opening || session->status != 'T' ||
        !(request->bound || request->unseen || request->unread))
        return false;
    session->opening->not_to_open = true;
    err_set(&request->err, "40001",
            "could not serialize access due to a statement that only the primary can run");
    err_detail(&request->err, "The transaction reads from a replica.");
    err_hint(&request->err, "The transaction might succeed if retried: those that begin like it "
                            "live on the primary from now on.");
    if (!session->midway)
        relay_abort(session);
    return true;
}

static bool put_off(struct session *session, struct request *request)
{
    const struct shape *shape;
    struct slice text;

    if (session->status != 'I' || session->midway || session_holds_server(session) ||
        !request->plain || !is_lone(request, STATEMENT_BEGIN))
        return false;
    /* A server that waits too long for the next statement ends the session; nobody else would. */
    if (vars_find(&session->vars, SLICE("idle_in_transaction_session_timeout")))
        return false;
    shape = request->text.known->shape;
    text = request_text(request);
    begin_forget(session);
    buf_put_slice(&session->begin, text);
    session->begun = true;
    session->snapshot =
        shape->read_only && shape->isolation && strcmp(shape->isolation, "repeatable read") == 0;
    session->status = 'T';
    answer_command(session, request, begins_with(text, "start") ? "START TRANSACTION" : "BEGIN");
    return true;
}

/* Nothing has happened in it. */
static bool end(struct session *session, struct request *request)
{
    bool commit = is_lone(request, STATEMENT_COMMIT);

    if (!session->begun || !request->plain || (!commit && !is_lone(request, STATEMENT_ROLLBACK)) ||
        request->text.known->shape->chain)
        return false;
    commit &= session->status == 'T';
    session->status = 'I';
    begin_forget(session);
    answer_command(session, request, commit ? "COMMIT" : "ROLLBACK");
    return true;
}

/* A text that leaves the failed transaction first: the server says what it thinks of that. */
static bool leaves(const struct request *request)
{
    const struct shape *shape = request->has_text ? request->text.known->shape : NULL;

    return shape && shape->nstatements &&
           (shape->statements[0] == STATEMENT_COMMIT || shape->statements[0] == STATEMENT_ROLLBACK);
}

bool begin_is_end(struct slice text)
{
    return begins_with(text, "rollback") || begins_with(text, "commit") ||
           begins_with(text, "abort") || begins_with(text, "end");
}

bool begin_may_prepare(const struct session *session, struct slice text)
{
    return session->begun && session->status == 'E' && begin_is_end(text);
}

/* No more than the end of the exchange, or of a name. */
static bool is_let_through(const struct request *request)
{
    for (unsigned i = 0; i < request->nmessages; i++) {
        uint8_t type = request->messages[i].type;

        if (type != MSG_CLOSE && type != MSG_SYNC && type != MSG_FLUSH)
            return false;
    }
    return true;
}

bool begin_answers(struct session *session, struct request *request)
{
    if (put_off(session, request) || end(session, request))
        return true;
    if (!session->begun || session->status != 'E')
        return false;
    if (leaves(request)) {
        session->status = 'I';
        begin_forget(session);
        return false;
    }
    if (is_let_through(request)) {
        answer_alone(session, request);
        return true;
    }
    err_set(&request->err, "25P02",
            "current transaction is aborted, commands ignored until end of transaction block");
    return false;
}
