/* One client: takes what it sends apart into requests, one at a time, and ends in one place. What a
 * request does is in steps.c and its steps. */
#include "session/conversation.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/frame.h"
#include "wire/read.h"
#include "wire/types.h"
#include "wire/write.h"

#include <stdio.h>

enum { INPUT_HIGH = 256 * 1024, MAX_PARSE = 64 * 1024 * 1024 };

/* ---- requests out of bytes ---- */

static void refuse_message(struct session *session, const char *what)
{
    struct err err;

    err_set(&err, "08P01", "%s", what);
    session_fatal(session, &err);
}

static bool add_messages(struct session *session, struct request *request, size_t later)
{
    struct slice left = buf_slice(&request->bytes);
    uint32_t at = 0;

    while (left.len) {
        struct frame frame;

        frame_look(left, &frame);
        if (!request_add(session, request, at, (uint32_t)frame.whole.len,
                         frame.whole.len < frame.total ? later : 0))
            return false;
        at += (uint32_t)frame.whole.len;
        left = slice_skip(left, frame.whole.len);
    }
    request_complete(request);
    return true;
}

/* The first `len` bytes are a request: whole messages, but for `later` bytes of the last. */
static void begin(struct session *session, struct slice bytes, bool open, size_t later)
{
    struct request *request = request_new(session->rooms);

    session->scanned = 0;
    buf_put_slice(&request->bytes, bytes);
    request->open = open;
    if (!add_messages(session, request, later)) {
        request_free(session->rooms, request);
        refuse_message(session, "invalid message format");
        return;
    }
    session->request = request;
    session->since = loop_now(session->rooms->loop);
    steps_begin(session);
}

static bool is_batched(uint8_t type)
{
    return type == MSG_PARSE || type == MSG_BIND || type == MSG_DESCRIBE || type == MSG_EXECUTE ||
           type == MSG_CLOSE;
}

static bool is_copy(uint8_t type)
{
    return type == MSG_COPY_DATA || type == MSG_COPY_DONE || type == MSG_COPY_FAIL;
}

static bool is_known(uint8_t type)
{
    return is_batched(type) || is_copy(type) || type == MSG_QUERY || type == MSG_SYNC ||
           type == MSG_FLUSH || type == MSG_FUNCTION || type == MSG_TERMINATE;
}

static void refuse_type(struct session *session, uint8_t type)
{
    char text[64];

    snprintf(text, sizeof(text), "invalid frontend message type %u", type);
    refuse_message(session, text);
}

/* Passes over a message, of which maybe not all has come. */
static size_t drop(struct session *session, const struct frame *frame)
{
    session->passing = frame->total - frame->whole.len;
    session->passing_drop = true;
    return frame->whole.len;
}

static void refuse_size(struct session *session, size_t total)
{
    struct err err;

    err_set(&err, "54000", "a message of %zu bytes is too large", total);
    err_detail(&err, "The limit for a Parse message is %d bytes.", MAX_PARSE);
    err_hint(&err, "Send long values as parameters or by COPY.");
    session_fatal(session, &err);
}

/* A message that is not all there and is too large to wait for is passed on in parts, if it is one
 * that can be. Returns how many bytes were used. */
static size_t begin_large(struct session *session, const struct frame *frame)
{
    struct slice portal, name;

    /* The names of a Bind are what its head is for. */
    if (frame->type == MSG_BIND && frame->whole.len < session->rooms->max_request &&
        !read_bind_names(frame_body(frame), &portal, &name))
        return 0;
    if (frame->type == MSG_QUERY || frame->type == MSG_BIND || frame->type == MSG_FUNCTION) {
        begin(session, frame->whole, frame->type == MSG_BIND, frame->total - frame->whole.len);
        return frame->whole.len;
    }
    if (frame->type != MSG_PARSE || frame->total > MAX_PARSE)
        refuse_size(session, frame->total);
    return 0;
}

/* What is there is a whole message that cannot be part of a batch. Returns the bytes used. */
static size_t take_single(struct session *session, const struct frame *frame)
{
    if (frame->type == MSG_TERMINATE) {
        session_end(session);
        return 0;
    }
    /* CopyData that was on its way when the COPY failed is passed over, and whatever follows an
     * error up to the Sync, as the server does. */
    if (!is_copy(frame->type) && !(session->midway && session->exchange_failed))
        begin(session, frame->whole, false, 0);
    return frame->total;
}

/* Looks for the end of a request. Returns the bytes used, 0 where more must come first. */
static size_t gather(struct session *session, struct slice left)
{
    size_t limit = session->rooms->max_request;
    struct frame frame;

    for (;;) {
        size_t at = session->scanned;
        enum frame_state state = frame_look(slice_skip(left, at), &frame);

        if (state == FRAME_NONE)
            return 0;
        if (state == FRAME_BAD || !is_known(frame.type)) {
            refuse_type(session, left.at[at]);
            return 0;
        }
        if (is_copy(frame.type) && at == 0)
            return drop(session, &frame);
        if (state == FRAME_PART && frame.total <= limit)
            return 0;
        if (state == FRAME_WHOLE && is_batched(frame.type) && at + frame.total <= limit) {
            session->scanned += frame.total;
            continue;
        }
        if (state == FRAME_WHOLE && (frame.type == MSG_SYNC || frame.type == MSG_FLUSH)) {
            begin(session, slice_first(left, at + frame.total), frame.type == MSG_FLUSH, 0);
            return at + frame.total;
        }
        /* Anything else does not belong to what was gathered, which goes first. */
        if (at > 0) {
            begin(session, slice_first(left, at), true, 0);
            return at;
        }
        if (state == FRAME_PART)
            return begin_large(session, &frame);
        if (!is_batched(frame.type))
            return take_single(session, &frame);
        begin(session, frame.whole, true, 0); /* one large message */
        return frame.total;
    }
}

void session_ready(struct session *session)
{
    names_settle(&session->names);
    session->changes = session->changes_done = 0;
    session->exchange_failed = false;
    outbox_put(session, outbox_ready(session->status));
}

/* After an error of ours in the extended protocol: up to the Sync nothing counts. */
static size_t skip(struct session *session, struct slice left)
{
    struct frame frame;
    enum frame_state state = frame_look(left, &frame);

    if (state == FRAME_NONE)
        return 0;
    if (state == FRAME_BAD || !is_known(frame.type)) {
        refuse_type(session, left.at[0]);
        return 0;
    }
    if (frame.type == MSG_TERMINATE) {
        session_end(session);
        return 0;
    }
    if (frame.type != MSG_SYNC)
        return drop(session, &frame);
    if (state != FRAME_WHOLE)
        return 0;
    session->skipping = false;
    session_ready(session);
    outbox_flush(session);
    return frame.total;
}

/* ---- the console ---- */

static void answer_console(struct session *session, const struct frame *frame)
{
    struct console *console = &session->rooms->console;
    struct slice body = frame_body(frame);
    struct buf out = {0};
    struct err err;

    session->requests++;
    if (frame->type == MSG_QUERY && body.len) {
        console->run(console->owner, session, slice_first(body, body.len - 1), &out);
        write_ready(&out, 'I');
    } else if (frame->type == MSG_SYNC) {
        write_ready(&out, 'I');
    } else if (frame->type != MSG_FLUSH) {
        err_set(&err, "0A000", "the console speaks the simple query protocol only");
        err_hint(&err, "Send the command as one text without parameters, as psql does.");
        write_error(&out, "ERROR", &err);
        session->skipping = true;
    }
    stream_send_buf(session->client, &out);
    buf_clear(&out);
}

static size_t take_console(struct session *session, struct slice left)
{
    struct frame frame;
    enum frame_state state = frame_look(left, &frame);

    if (state == FRAME_BAD || (state != FRAME_NONE && !is_known(frame.type))) {
        refuse_type(session, left.at[0]);
        return 0;
    }
    if (state == FRAME_PART && frame.total > session->rooms->max_request)
        refuse_size(session, frame.total);
    if (state != FRAME_WHOLE)
        return 0;
    if (frame.type == MSG_TERMINATE)
        session_end(session);
    else
        answer_console(session, &frame);
    return frame.total;
}

/* ---- COPY and large messages ---- */

static size_t pass(struct session *session, struct slice left)
{
    struct slice part = slice_first(left, session->passing);

    session->passing -= part.len;
    if (!session->passing_drop)
        relay_pass(session, part);
    return part.len;
}

/* The client has ended its COPY. In the extended protocol the Sync that it sent along was passed
 * over by the server, and another one follows: it is a request of its own. */
static void end_copy(struct session *session)
{
    struct request *request = session->request;

    session->copying = false;
    owed_add(&session->take.server->owed, OWED_COPY_END, OWED_FORWARD, NULL);
    if (!session->copy_extended || !request)
        return;
    session->midway = true;
    request->synced = false;
    request->open = true;
    steps_answered(session);
}

static size_t take_copy(struct session *session, struct slice left)
{
    struct frame frame;
    enum frame_state state = frame_look(left, &frame);

    if (state == FRAME_NONE)
        return 0;
    if (state == FRAME_BAD || !is_known(frame.type)) {
        refuse_type(session, left.at[0]);
        return 0;
    }
    if (frame.type == MSG_COPY_DATA) {
        session->passing = frame.total - frame.whole.len;
        session->passing_drop = false;
        relay_pass(session, frame.whole);
        return frame.whole.len;
    }
    if (state != FRAME_WHOLE)
        return 0;
    switch (frame.type) {
    case MSG_TERMINATE:
        session_end(session);
        return 0;
    case MSG_SYNC:
        owed_add(&session->take.server->owed, OWED_SYNC, OWED_FORWARD, NULL);
        relay_pass(session, frame.whole);
        break;
    case MSG_FLUSH:
        relay_pass(session, frame.whole);
        break;
    case MSG_COPY_DONE:
    case MSG_COPY_FAIL:
        relay_pass(session, frame.whole);
        end_copy(session);
        break;
    default:
        refuse_message(session, "unexpected message type during COPY from stdin");
        return 0;
    }
    return frame.total;
}

/* ---- the client's stream ---- */

static size_t work_once(struct session *session, struct slice left)
{
    if (!session->in)
        return client_login_take(session->login, left);
    if (session->passing)
        return pass(session, left);
    if (session->copying)
        return take_copy(session, left);
    if (session->request)
        return 0;
    if (session->skipping)
        return skip(session, left);
    return session->database ? gather(session, left) : take_console(session, left);
}

/* Works off what can be worked off now; returns the bytes used. */
static size_t work(struct session *session, struct slice in)
{
    size_t used = 0;

    session->working = true;
    while (used < in.len && !session->ending) {
        size_t step = work_once(session, slice_skip(in, used));

        if (!step)
            break;
        used += step;
    }
    session->working = false;
    return used;
}

void session_flow(struct session *session)
{
    bool taking = session->passing || session->copying;
    bool full = buf_len(&session->input) > INPUT_HIGH && session->request && !taking;

    if (session->ending)
        return;
    if (session->take.server && session->take.server->state == SERVER_TAKEN)
        full |= session->take.server->stream->queued > STREAM_HIGH;
    if (full)
        stream_pause(session->client);
    else
        stream_resume(session->client);
}

void session_go_on(struct session *session)
{
    /* Whoever works off input now goes on by itself. */
    if (session->working || session->ending)
        return;
    if (buf_len(&session->input)) {
        buf_take(&session->input, work(session, buf_slice(&session->input)));
        buf_rest(&session->input);
    }
    session_flow(session);
}

static void take_bytes(void *owner, struct slice bytes)
{
    struct session *session = owner;
    size_t used;

    if (session->ending)
        return;
    if (buf_len(&session->input)) {
        buf_put_slice(&session->input, bytes);
        session_go_on(session);
        return;
    }
    used = work(session, bytes);
    if (used < bytes.len && !session->ending)
        buf_put_slice(&session->input, slice_skip(bytes, used));
    session_flow(session);
}

static void drained(void *owner)
{
    struct session *session = owner;

    if (session->take.server)
        server_resume(session->take.server);
}

static void ended(void *owner, const char *why)
{
    struct session *session = owner;

    log_debug(session->who, "the client is gone%s%s", why ? ": " : "", why ? why : "");
    session_end(session);
}

static void closed(void *owner)
{
    struct session *session = owner;

    vars_clear(&session->vars);
    vars_clear(&session->startup);
    names_clear(&session->names);
    buf_clear(&session->input);
    mem_free(session->user);
    mem_free(session);
}

static const struct stream_events client_events = {take_bytes, drained, ended, closed};

/* ---- from the beginning to the end ---- */

void session_new(struct rooms *rooms, struct stream *stream)
{
    struct session *session = mem_new(sizeof(*session));

    session->rooms = rooms;
    session->client = stream;
    session->number = ++rooms->session_number;
    snprintf(session->who, sizeof(session->who), "session %llu",
             (unsigned long long)session->number);
    session->status = 'I';
    session->connected = session->since = loop_now(rooms->loop);
    ring_append(&rooms->sessions, &session->link);
    rooms->nsessions++;
    session->login = client_login_new(session);
    stream_own(stream, &client_events, session);
    stream_resume(stream);
}

bool session_is_passing(const struct session *session)
{
    return session->passing && !session->passing_drop;
}

/* A server that is as a new one, but for what this client left on it, is made so; any other is
 * closed, and what it may have committed is waited for. */
static void part_with_server(struct session *session)
{
    struct server *server = session->take.server;

    if (!server) {
        pool_leave(&session->take);
        return;
    }
    if (server->state == SERVER_TAKEN && server->status == 'I' && owed_none(&server->owed) &&
        !server->owed.doubtful && !session->midway && !session_is_passing(session)) {
        transaction_end(session, false);
        pool_give(&session->take, session->pin != PIN_NONE || session->soiled);
        return;
    }
    transaction_lost(session, server->pid);
    if (!owed_none(&server->owed) && server->state == SERVER_TAKEN)
        server_cancel(server);
    pool_drop(&session->take);
}

void session_end(struct session *session)
{
    if (session->ending)
        return;
    session->ending = true;
    session->midway |= session->request && session->request->at == STEP_RELAY;
    steps_abandon(session);
    part_with_server(session);
    client_login_free(session->login);
    session->login = NULL;
    if (session->in)
        map_remove(&session->rooms->keys, &session->key);
    ring_leave(&session->link);
    session->rooms->nsessions--;
    session->out.count = 0;
    stream_close(session->client);
}

void session_say(struct session *session, const char *severity, const struct err *err)
{
    struct buf out = {0};

    write_error(&out, severity, err);
    outbox_flush(session);
    stream_send_buf(session->client, &out);
    buf_clear(&out);
}

void session_fatal(struct session *session, const struct err *err)
{
    if (session->ending)
        return;
    log_info(session->who, "ended: %s (%s)", err->message, err->sqlstate);
    session_say(session, "FATAL", err);
    session_end(session);
}

void session_cancel(struct session *session)
{
    struct request *request = session->request;

    if (!request && session->midway && session->take.server)
        server_cancel(session->take.server);
    if (!request || !request->waiting)
        return;
    if (request->at == STEP_RELAY) {
        request->cancelled = session->node->role == NODE_REPLICA;
        server_cancel(session->take.server);
        return;
    }
    err_set(&request->err, "57014", "canceling statement due to user request");
    steps_failed(session);
}

void session_end_all(struct rooms *rooms)
{
    struct err err;

    err_set(&err, "57P01", "terminating connection due to administrator command");
    while (ring_first(&rooms->sessions))
        session_fatal(RING_OF(ring_first(&rooms->sessions), struct session, link), &err);
}

/* What a text means depends on these: other values than these make us blind. */
static bool reads_otherwise(const struct session *session)
{
    static const char *const risky[] = {"BIG5",           "GB18030", "GBK",     "JOHAB",   "SJIS",
                                        "SHIFT_JIS_2004", "UHC",     "MSKANJI", "SHIFTJIS"};
    const struct var *strings = vars_find(&session->vars, SLICE("standard_conforming_strings"));
    const struct var *encoding = vars_find(&session->vars, SLICE("client_encoding"));

    if (strings && strcasecmp(strings->value, "on") != 0)
        return true;
    for (size_t i = 0; encoding && i < sizeof(risky) / sizeof(*risky); i++)
        if (strcasecmp(encoding->value, risky[i]) == 0)
            return true;
    return false;
}

void session_touch_settings(struct session *session)
{
    session->wanted = vars_hash(&session->vars, false);
    session->settings = vars_hash(&session->vars, true);
    session->blind = reads_otherwise(session);
}

/* ---- for the console ---- */

static const char *pin_text(enum pin pin)
{
    static const char *const texts[] = {
#define X(name, text) text,
        PINS(X)
#undef X
    };

    return texts[pin];
}

static const char *state_text(const struct session *session)
{
    if (!session->in)
        return "login";
    if (session->request)
        return step_text(session->request->at);
    return session->status == 'I' ? "idle" : "idle in transaction";
}

void session_each(struct rooms *rooms,
                  void (*each)(void *with, const struct session_figures *figures), void *with)
{
    RING_EACH(link, after, &rooms->sessions)
    {
        const struct session *session = RING_OF(link, struct session, link);
        const struct var *name = vars_find(&session->vars, SLICE("application_name"));
        const struct server *server = session->take.server;
        struct session_figures figures = {
            .number = session->number,
            .user = session->user ? session->user : "",
            .database = session->database ? session->database->name : "pgtier",
            .application_name = name ? name->value : "",
            .peer = session->client->peer,
            .state = state_text(session),
            .pinned = pin_text(session->pin),
            .requests = session->requests,
            .connected = session->connected,
            .since = session->since,
            .node = server && session->node ? session->node->name : NULL,
            .server_pid = server ? server->pid : 0,
            .queued = session->client->queued,
        };

        each(with, &figures);
    }
}

struct database *session_database(struct session *session)
{
    return session->database;
}

void session_asker(const struct session *session, struct asker *asker)
{
    const struct var *name = vars_find(&session->vars, SLICE("application_name"));

    *asker = (struct asker){session->database ? session->database->name : "", session->user,
                            name ? name->value : ""};
}
