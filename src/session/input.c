/* What a client sends, taken apart into requests, COPY data and what is too large to be held. Knows
 * where messages end and which belong together, not what they mean. */
#include "session/conversation.h"
#include "session/inventory.h"

#include "wire/frame.h"
#include "wire/read.h"
#include "wire/types.h"

#include <limits.h>
#include <stdio.h>

enum { MAX_PARSE = 64 * 1024 * 1024, SMALL_MAX = 10000 };

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

/* Behind the one in work. False: it is for later, as if it had not been looked at. */
static bool send_ahead(struct session *session, struct request *request)
{
    if (ahead_send(session, request))
        return true;
    names_fail(&session->names, request->first_change, UINT_MAX, false);
    session->changes = request->first_change;
    request_free(session->rooms, request);
    return false;
}

/* The bytes are a request: whole messages, but for `later` bytes of the last. False: not now. */
static bool begin(struct session *session, struct slice bytes, bool open, size_t later)
{
    struct request *request;

    session->scanned = 0;
    if (session->request && (open || later)) {
        session->serial = true;
        return false;
    }
    request = request_new(session->rooms);
    buf_put_slice(&request->bytes, bytes);
    request->open = open;
    request->first_change = session->changes;
    if (!add_messages(session, request, later)) {
        request_free(session->rooms, request);
        refuse_message(session, "invalid message format");
        return false;
    }
    if (session->request)
        return send_ahead(session, request);
    session->request = request;
    session->since = loop_now(session->rooms->loop);
    steps_begin(session);
    return true;
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

bool input_is_known(uint8_t type)
{
    return is_batched(type) || is_copy(type) || type == MSG_QUERY || type == MSG_SYNC ||
           type == MSG_FLUSH || type == MSG_FUNCTION || type == MSG_TERMINATE;
}

void input_refuse_type(struct session *session, uint8_t type)
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

void input_refuse_size(struct session *session, size_t total)
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
        return begin(session, frame->whole, frame->type == MSG_BIND,
                     frame->total - frame->whole.len)
                   ? frame->whole.len
                   : 0;
    }
    if (frame->type != MSG_PARSE || frame->total > MAX_PARSE)
        input_refuse_size(session, frame->total);
    return 0;
}

/* What is there is a whole message that cannot be part of a batch. Returns the bytes used. */
static size_t take_single(struct session *session, const struct frame *frame)
{
    if (session->request && frame->type != MSG_QUERY) {
        session->serial = true;
        return 0;
    }
    if (frame->type == MSG_TERMINATE) {
        session_end(session);
        return 0;
    }
    /* CopyData that was on its way when the COPY failed is passed over, and whatever follows an
     * error up to the Sync, as the server does. */
    if (!is_copy(frame->type) && !(session->midway && session->exchange_failed) &&
        !begin(session, frame->whole, false, 0))
        return 0;
    return frame->total;
}

/* Those that PostgreSQL takes no more than 10 000 bytes of (postgres.c, SocketBackend). */
static bool is_small(uint8_t type)
{
    return type == MSG_SYNC || type == MSG_FLUSH || type == MSG_DESCRIBE || type == MSG_EXECUTE ||
           type == MSG_CLOSE || type == MSG_TERMINATE;
}

/* What is odd or large is looked at when its turn comes. */
static bool may_look_ahead(enum frame_state state, const struct frame *frame)
{
    return state == FRAME_WHOLE &&
           (is_batched(frame->type) || frame->type == MSG_SYNC || frame->type == MSG_QUERY);
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
        if (session->request && !may_look_ahead(state, &frame)) {
            session->serial = state != FRAME_PART;
            return 0;
        }
        if (state == FRAME_BAD || !input_is_known(frame.type)) {
            input_refuse_type(session, left.at[at]);
            return 0;
        }
        if (is_small(frame.type) && frame.total > SMALL_MAX) {
            refuse_message(session, "invalid message length");
            return 0;
        }
        if (is_copy(frame.type) && at == 0 && !session->request)
            return drop(session, &frame);
        if (state == FRAME_PART && frame.total <= limit)
            return 0;
        if (state == FRAME_WHOLE && is_batched(frame.type) && at + frame.total <= limit) {
            session->scanned += frame.total;
            continue;
        }
        if (state == FRAME_WHOLE && (frame.type == MSG_SYNC || frame.type == MSG_FLUSH)) {
            size_t len = at + frame.total;

            return begin(session, slice_first(left, len), frame.type == MSG_FLUSH, 0) ? len : 0;
        }
        /* Anything else does not belong to what was gathered, which goes first. */
        if (at > 0)
            return begin(session, slice_first(left, at), true, 0) ? at : 0;
        if (state == FRAME_PART)
            return begin_large(session, &frame);
        if (!is_batched(frame.type))
            return take_single(session, &frame);
        return begin(session, frame.whole, true, 0) ? frame.total : 0; /* one large message */
    }
}

/* The next message, of which maybe not all is there. False: not even its head is, or it is none
 * that a client may send and the session has ended. */
static bool look_at_next(struct session *session, struct slice left, struct frame *frame)
{
    enum frame_state state = frame_look(left, frame);

    if (state == FRAME_NONE)
        return false;
    if (is_small(frame->type) && frame->total > SMALL_MAX) {
        refuse_message(session, "invalid message length");
        return false;
    }
    if (state != FRAME_BAD && input_is_known(frame->type))
        return true;
    input_refuse_type(session, left.at[0]);
    return false;
}

static bool is_whole(const struct frame *frame)
{
    return frame->whole.len == frame->total;
}

/* After an error of ours in the extended protocol: up to the Sync nothing counts. */
static size_t skip(struct session *session, struct slice left)
{
    struct frame frame;

    if (!look_at_next(session, left, &frame))
        return 0;
    if (frame.type == MSG_TERMINATE) {
        session_end(session);
        return 0;
    }
    if (frame.type != MSG_SYNC)
        return drop(session, &frame);
    if (!is_whole(&frame))
        return 0;
    session->skipping = false;
    session_ready(session);
    outbox_flush(session);
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

    if (!look_at_next(session, left, &frame))
        return 0;
    if (frame.type == MSG_COPY_DATA) {
        session->passing = frame.total - frame.whole.len;
        session->passing_drop = false;
        relay_pass(session, frame.whole);
        return frame.whole.len;
    }
    if (!is_whole(&frame))
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

/* ---- one thing after the other ---- */

static size_t work_once(struct session *session, struct slice left)
{
    if (!session->in)
        return client_login_take(session->login, left);
    if (session->replication)
        return replication_pass(session, left);
    if (session->passing)
        return pass(session, left);
    if (session->copying)
        return take_copy(session, left);
    if (session->request)
        return ahead_may(session) ? gather(session, left) : 0;
    if (inventory_is_out(session))
        return 0;
    if (session->skipping)
        return skip(session, left);
    return session->database ? gather(session, left) : console_take(session, left);
}

size_t input_work(struct session *session, struct slice in)
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
