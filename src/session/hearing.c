/* What of notifications a session's requests bring about. The database's own connection listens for
 * all of them, where nothing but the channel is asked for; what a transaction LISTENs to it hears
 * by its own server, since that begins at its commit. */
#include "session/channels.h"
#include "session/conversation.h"
#include "session/inventory.h"
#include "wire/frame.h"
#include "wire/read.h"
#include "wire/types.h"
#include "wire/write.h"

#include <ctype.h>

/* ---- LISTEN and UNLISTEN ---- */

/* What is heard is UTF-8; to SQL_ASCII the server sends what it has. */
static bool reads_utf8(const struct session *session)
{
    const struct var *encoding = vars_find(&session->vars, SLICE("client_encoding"));
    char name[16];
    size_t len = 0;

    for (const char *at = encoding ? encoding->value : ""; *at && len < sizeof(name) - 1; at++)
        if (isalnum((unsigned char)*at))
            name[len++] = (char)tolower((unsigned char)*at);
    name[len] = '\0';
    return strcmp(name, "utf8") == 0 || strcmp(name, "unicode") == 0 ||
           strcmp(name, "sqlascii") == 0;
}

static bool is_lone(const struct session *session, const struct request *request)
{
    return session->status == 'I' && !session->midway && request->plain && !request->unread &&
           request->has_text && request->text.known->shape->nstatements == 1 &&
           !session->rooms->session_pooling && !(session->pins & PIN_BIT(PIN_POOLING));
}

static void tell_cut(struct session *session, const struct listen_name *name)
{
    struct buf out = {0};
    struct err err;

    err_set(&err, "42622", "the name of a channel is truncated to \"%s\"", name->text);
    write_notice(&out, &err);
    outbox_put(session, buf_slice(&out));
    outbox_flush(session);
    buf_clear(&out);
}

static void forget_ends(struct session *session)
{
    buf_clear(&session->unlistens);
    session->unlistened = false;
}

enum outcome hearing_answers(struct session *session, struct request *request)
{
    enum listen_what what;
    struct listen_name name;

    if (!is_lone(session, request))
        return STEP_ON;
    what = listen_read(request_text(request), &name);
    if (what == LISTEN_ELSE)
        return STEP_ON;
    if (what == LISTEN_TO) {
        if (session->pins & PIN_BIT(PIN_CHANNELS) || !reads_utf8(session))
            return STEP_ON;
        if (name.cut)
            tell_cut(session, &name);
        /* Nothing is left on any server. */
        inventory_clear(session);
        channels_listen(session, &name);
        return STEP_WAIT;
    }
    /* Its server may listen as well. */
    if (session_holds_server(session))
        return STEP_ON;
    forget_ends(session);
    channels_unlisten(session, what == LISTEN_TO_NOTHING ? NULL : &name);
    answer_command(session, request, "UNLISTEN");
    return STEP_ANSWERED;
}

static bool is_listen(struct session *session, const struct statement *statement)
{
    struct listen_name name;
    struct known_shape *known;
    struct values values;
    bool listens;

    if (statement->noids || listen_read(statement->text, &name) == LISTEN_ELSE)
        return false;
    known = shapes_find(&session->database->shapes, statement->text, NULL, &values);
    listens = known->shape->nstatements == 1 && known->shape->statements[0] == STATEMENT_LISTEN;
    known_shape_unref(known);
    return listens;
}

static bool only_prepares(struct session *session, const struct request *request)
{
    for (unsigned i = 0; i < request->nmessages; i++) {
        const struct message *message = &request->messages[i];

        if (message->type == MSG_SYNC || message->type == MSG_FLUSH)
            continue;
        if ((message->type != MSG_PARSE &&
             (message->type != MSG_DESCRIBE || message->what != 'S')) ||
            message->duplicate || !message->statement || !is_listen(session, message->statement))
            return false;
    }
    return true;
}

bool hearing_prepares(struct session *session, const struct request *request)
{
    static const uint8_t parsed[] = {REPLY_PARSE, 0, 0, 0, 4},
                         described[] = {REPLY_PARAMETERS, 0, 0, 0, 6, 0, 0,
                                        REPLY_NO_ROWS,    0, 0, 0, 4};

    if (session->status != 'I' || session->midway || session_holds_server(session) ||
        session->rooms->session_pooling || session->blind || !only_prepares(session, request))
        return false;
    for (unsigned i = 0; i < request->nmessages; i++) {
        if (request->messages[i].type == MSG_PARSE) {
            session->changes_done++;
            outbox_put(session, slice_of(parsed, sizeof(parsed)));
        } else if (request->messages[i].type == MSG_DESCRIBE) {
            outbox_put(session, slice_of(described, sizeof(described)));
        }
    }
    return true;
}

void hearing_done(struct session *session)
{
    if (session->request->settling) {
        steps_settled(session);
        return;
    }
    answer_command(session, session->request, "LISTEN");
    steps_answered(session);
}

void hearing_failed(struct session *session, const char *why)
{
    struct request *request = session->request;

    if (request->settling) {
        steps_settled(session);
        return;
    }
    err_set(&request->err, "57P03", "no connection listens for notifications");
    err_detail(&request->err, "The primary cannot be reached for it: %s.", why);
    err_hint(&request->err, "Every LISTEN tries again.");
    steps_failed(session);
}

/* ---- what the server's own commands end ---- */

static void note_end(void *with, const struct listen_name *name)
{
    struct session *session = with;

    if (name)
        buf_put(&session->unlistens, name->text, name->len);
    buf_put(&session->unlistens, "", 1);
}

void hearing_note(struct session *session, const struct request *request)
{
    session->notifies |= request->write || request->notifies;
    if (!request->listens || !channels_any(session))
        return;
    for (unsigned i = 0; i < request->nmessages; i++) {
        const struct message *message = &request->messages[i];

        if (message->type == MSG_QUERY)
            listen_each_end(slice_skip(request_slice(request, message), FRAME_HEAD), note_end,
                            session);
        else if (message->type == MSG_BIND && message->statement)
            listen_each_end(message->statement->text, note_end, session);
    }
}

void hearing_note_tag(struct session *session, struct slice tag)
{
    if (!channels_any(session))
        return;
    if (slice_is(tag, "UNLISTEN"))
        session->unlistened = true;
    else if (slice_is(tag, "ROLLBACK"))
        forget_ends(session);
    else if (slice_is(tag, "DISCARD ALL"))
        channels_unlisten(session, NULL);
}

static void end_noted(struct session *session)
{
    struct slice left = buf_slice(&session->unlistens);

    while (left.len) {
        struct listen_name name = {.len = strlen((const char *)left.at)};

        memcpy(name.text, left.at, name.len);
        channels_unlisten(session, name.len ? &name : NULL);
        left = slice_skip(left, name.len + 1);
    }
}

void hearing_end(struct session *session)
{
    if (session->unlistened && !session->exchange_failed)
        end_noted(session);
    forget_ends(session);
}

/* ---- what comes ---- */

bool hearing_waits(struct session *session)
{
    bool sent = session->notifies;

    if (session->status != 'I' || session->midway)
        return false;
    session->notifies = false;
    if (!sent || !channels_any(session))
        return false;
    channels_wait(session);
    return true;
}

void hearing_pass(struct session *session, struct slice run)
{
    struct frame frame;

    while (frame_look(run, &frame) == FRAME_WHOLE) {
        struct reader reader = {frame_body(&frame), false};

        read_u32(&reader);
        if (!channels_has(session, read_cstr(&reader)))
            outbox_put(session, frame.whole);
        run = slice_skip(run, frame.total);
    }
}

/* ---- pg_listening_channels ---- */

static void put_listen(void *with, struct slice name)
{
    struct buf *sql = with;

    buf_printf(sql, "LISTEN \"");
    for (size_t i = 0; i < name.len; i++)
        buf_put(sql, name.at[i] == '"' ? (const uint8_t *)"\"\"" : &name.at[i],
                name.at[i] == '"' ? 2 : 1);
    buf_printf(sql, "\";");
}

bool hearing_shows(struct session *session, const struct request *request, struct buf *sql)
{
    const struct server *server = session->take.server;

    if (!request->asks_channels || !channels_any(session) || server->status != 'I' ||
        session->midway || request->open || session->node->role != NODE_PRIMARY ||
        session->pins & (PIN_BIT(PIN_POOLING) | PIN_BIT(PIN_UNKNOWN)))
        return false;
    channels_each(session, put_listen, sql);
    /* Where its server listens for good it may as well listen to these. */
    session->shows = !(session->pins & PIN_BIT(PIN_CHANNELS)) && !request->listens;
    return true;
}

/* Behind what is the whole of its transaction. */
bool hearing_hides(struct session *session, const struct request *request)
{
    if (!session->shows || session->status != 'I' || request->nqueries != 1 || request->unread ||
        request->text.known->shape->transaction)
        return false;
    session->shows = false;
    return true;
}

void hearing_hide(struct session *session)
{
    struct server *server = session->take.server;
    struct buf out = {0};
    struct slice part;

    if (!session->shows)
        return;
    session->shows = false;
    write_query(&out, SLICE("UNLISTEN *"));
    part = buf_slice(&out);
    owed_add(&server->owed, OWED_QUERY, OWED_SWALLOW, NULL);
    server_send(server, &part, 1);
    buf_clear(&out);
}
