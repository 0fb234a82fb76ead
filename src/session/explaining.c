/* EXPLAIN ROUTE from a client of a real database, in whatever way it asks: what is to be told comes
 * from the console. With ANALYZE the statement takes the way of any other, but for its answer, in
 * whose place the client is told what became of it. */
#include "session/conversation.h"
#include "wire/frame.h"
#include "wire/read.h"
#include "wire/types.h"
#include "wire/write.h"

const char *const EXPLAIN_COLUMNS[EXPLAIN_NCOLUMNS] = {"what", "value"};

/* What the client asked with, each to be answered. */
enum asked {
    ASKED_PARSE = 1 << 0,
    ASKED_STATEMENT = 1 << 1, /* Describe of it */
    ASKED_BIND = 1 << 2,
    ASKED_COLUMNS = 1 << 3, /* a Query, or Describe of the portal */
    ASKED_ROWS = 1 << 4,
};

/* Only such a text can be EXPLAIN ROUTE: the console looks closer. */
static bool may_explain(struct slice text)
{
    while (text.len && strchr(" \t\r\n\f", *text.at) && *text.at)
        text = slice_skip(text, 1);
    return text.len > 7 && strchr("eE/-", *text.at);
}

static struct slice text_of(const struct request *request, const struct message *message)
{
    if (message->type == MSG_QUERY)
        return slice_of(request_slice(request, message).at + FRAME_HEAD,
                        message->len - FRAME_HEAD - 1);
    return message->statement && !message->duplicate ? message->statement->text : slice_of(NULL, 0);
}

/* What it asks with, and the one text; 0 where it is about anything else. */
static unsigned read_asked(const struct request *request, struct slice *text)
{
    unsigned asked = 0;

    for (unsigned i = 0; i < request->nmessages; i++) {
        const struct message *message = &request->messages[i];
        unsigned one = message->type == MSG_QUERY      ? ASKED_COLUMNS | ASKED_ROWS
                       : message->type == MSG_PARSE    ? ASKED_PARSE
                       : message->type == MSG_BIND     ? ASKED_BIND
                       : message->type == MSG_EXECUTE  ? ASKED_ROWS
                       : message->type != MSG_DESCRIBE ? 0
                       : message->what == 'S'          ? ASKED_STATEMENT
                                                       : ASKED_COLUMNS;

        if (message->type == MSG_SYNC || message->type == MSG_FLUSH)
            continue;
        /* One after the other, each once. */
        if (!one || one <= asked)
            return 0;
        asked |= one;
        if (message->type == MSG_EXECUTE || (message->type == MSG_DESCRIBE && message->what == 'P'))
            continue;
        if (text->at && text->at != text_of(request, message).at)
            return 0;
        *text = text_of(request, message);
        if (!may_explain(*text))
            return 0;
    }
    return asked;
}

static void put_columns(struct buf *out)
{
    write_columns(out, EXPLAIN_COLUMNS, EXPLAIN_NCOLUMNS);
}

/* What the server would say ahead of the rows. */
static void put_head(struct session *session, unsigned asked, struct buf *out)
{
    static const uint8_t no_parameters[] = {REPLY_PARAMETERS, 0, 0, 0, 6, 0, 0};

    if (asked & ASKED_PARSE) {
        session->changes_done++;
        write_empty(out, REPLY_PARSE);
    }
    if (asked & ASKED_STATEMENT) {
        buf_put(out, no_parameters, sizeof(no_parameters));
        put_columns(out);
    }
    if (asked & ASKED_BIND)
        write_empty(out, REPLY_BIND);
    if (asked & ASKED_COLUMNS)
        put_columns(out);
}

/* Values that belong to a text with $n in it. */
static bool has_values(const struct request *request)
{
    for (unsigned i = 0; i < request->nmessages; i++) {
        struct read_bind bind;

        if (request->messages[i].type == MSG_BIND &&
            (!read_bind(slice_skip(request_slice(request, &request->messages[i]), FRAME_HEAD),
                        &bind) ||
             bind.nvalues))
            return true;
    }
    return false;
}

static bool refuse_run(struct session *session, const struct request *request, struct err *err)
{
    if (!has_values(request) && (request->simple || request->synced) && !session->midway)
        return false;
    err_set(err, "0A000",
            "EXPLAIN ROUTE ANALYZE of a statement with parameters, or without a Sync");
    err_hint(err, "Write the values into the statement.");
    return true;
}

static enum outcome tell(struct session *session, struct request *request, unsigned asked,
                         struct slice text)
{
    struct console *console = &session->rooms->console;
    struct buf rows = {0};
    struct slice sql;
    enum explain_outcome explained =
        console->explain(console->owner, session, text, &sql, &rows, &request->err);

    if (explained == EXPLAIN_RUN && refuse_run(session, request, &request->err))
        explained = EXPLAIN_REFUSED;
    if (explained == EXPLAIN_TOLD) {
        put_head(session, asked, &request->held);
        buf_put_slice(&request->held, buf_slice(&rows));
        outbox_put(session, buf_slice(&request->held));
    } else if (explained == EXPLAIN_RUN) {
        request->explains = asked;
        request_become(request, sql);
    }
    buf_clear(&rows);
    request->refused = explained == EXPLAIN_REFUSED;
    return explained == EXPLAIN_REFUSED ? STEP_FAILED
           : explained == EXPLAIN_TOLD  ? STEP_ANSWERED
                                        : STEP_ON;
}

enum outcome explaining_begin(struct session *session, struct request *request)
{
    struct console *console = &session->rooms->console;
    struct slice text = {0};
    unsigned asked;

    if (!console->explain || request->later || session->midway || session->blind)
        return STEP_ON;
    asked = read_asked(request, &text);
    if (!asked || !console->explains(text))
        return STEP_ON;
    if (asked & ASKED_ROWS)
        return request->plain ? tell(session, request, asked, text) : STEP_ON;
    if (asked & ~(unsigned)(ASKED_PARSE | ASKED_STATEMENT))
        return STEP_ON;
    put_head(session, asked, &request->held);
    outbox_put(session, buf_slice(&request->held));
    return STEP_ANSWERED;
}

void explaining_end(struct session *session, struct request *request)
{
    struct console *console = &session->rooms->console;
    struct buf out = {0};

    put_head(session, request->explains, &out);
    request->trail.ended = request->entered_at;
    console->ran(console->owner, session, request_text(request), &request->trail,
                 request->answered_by, &out);
    outbox_flush(session);
    stream_send_buf(session->client, &out);
    buf_clear(&out);
}
