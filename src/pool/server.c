/* One connection to a node. Cuts what comes into messages, lets wire/owed say whose they are, and
 * hands runs of them on without copying. Rows and copied bytes are never held back to be whole.
 * Does not decide what is sent. */
#include "pool/server.h"

#include "base/log.h"
#include "base/mem.h"
#include "pool/login.h"
#include "pool/place.h"
#include "wire/frame.h"
#include "wire/read.h"
#include "wire/types.h"
#include "wire/write.h"

#include <arpa/inet.h>
#include <stdio.h>

/* Messages that are not rows are held until they are whole, up to this: beyond, they pass in parts.
 */
enum { WHOLE_MAX = 1024 * 1024 };

static const char *const state_texts[] = {
#define X(name, text) text,
    SERVER_STATES(X)
#undef X
};

const char *server_state_text(enum server_state state)
{
    return state_texts[state];
}

void server_enter(struct server *server, enum server_state state)
{
    server->state = state;
    server->since = loop_now(server->loop);
}

/* A run of bytes for the holder, not handed over yet. */
struct run {
    const uint8_t *at;
    size_t len;
    uint8_t type;
};

static void hand_over(struct server *server, struct run *run)
{
    if (run->len && server->events)
        server->events->bytes(server->owner, run->type, slice_of(run->at, run->len));
    run->len = 0;
}

static void extend(struct server *server, struct run *run, uint8_t type, struct slice bytes)
{
    if (run->len && (run->type != type || run->at + run->len != bytes.at))
        hand_over(server, run);
    if (!run->len)
        *run = (struct run){bytes.at, 0, type};
    run->len += bytes.len;
}

/* The answer to a message that was never sent, because its effect was there already. */
static struct slice fake_answer(const struct owed_entry *entry)
{
    static const uint8_t parse[] = {REPLY_PARSE, 0, 0, 0, 4}, bind[] = {REPLY_BIND, 0, 0, 0, 4},
                         close[] = {REPLY_CLOSE, 0, 0, 0, 4};

    return slice_of(entry->kind == OWED_PARSE  ? parse
                    : entry->kind == OWED_BIND ? bind
                                               : close,
                    FRAME_HEAD);
}

static void hand_over_fakes(struct server *server, struct run *run)
{
    struct owed_entry entry;

    while (owed_fake(&server->owed, &entry)) {
        struct slice answer = fake_answer(&entry);

        hand_over(server, run);
        if (server->events)
            server->events->seen(server->owner, answer.at[0], answer, false);
        extend(server, run, answer.at[0], answer);
    }
}

/* A Parse, or an Execute of PREPARE: `about` is the statement that it makes. */
static bool is_of_statement(const struct owed_entry *entry)
{
    return entry->kind == OWED_PARSE || entry->kind == OWED_EXECUTE;
}

static void forget_skipped(struct server *server)
{
    struct owed_entry entry;

    while (owed_skipped(&server->owed, &entry)) {
        if (is_of_statement(&entry) && entry.fate != OWED_FAKE && entry.about)
            prepared_remove(&server->prepared, (uint64_t)(uintptr_t)entry.about);
        /* A statement that was to go is still there, under a name that may be wanted again. */
        server->worn |= entry.kind == OWED_CLOSE && entry.fate == OWED_SWALLOW;
    }
}

/* A statement that we believe it has is not there, or is there and should not be. Another server
 * knows nothing of that. */
static bool is_of_its_statements(const struct frame *frame, bool whole,
                                 const struct owed_entry *completed)
{
    struct slice body = whole ? frame_body(frame) : (struct slice){0};
    struct slice code = whole ? read_error_field(body, 'C') : (struct slice){0};
    struct slice text = whole ? read_error_field(body, 'M') : (struct slice){0};

    if (slice_is(code, "26000"))
        return text.len && memmem(text.at, text.len, "\"pgtier_", 8);
    return slice_is(code, "42P05") && completed->kind == OWED_PARSE && completed->about;
}

/* An error of ours leaves the server in a state that nobody knows. */
static void note_error(struct server *server, const struct owed_entry *completed)
{
    server_set_unnamed(server, NULL);
    if (is_of_statement(completed) && completed->about)
        prepared_remove(&server->prepared, (uint64_t)(uintptr_t)completed->about);
    forget_skipped(server);
}

static void lose(struct server *server, const char *why)
{
    if (server->state == SERVER_CLOSING)
        return;
    if (why)
        log_warning("pool", "server %s pid %u lost: %s", server->place->node, server->pid, why);
    if (server->events) {
        server->events->lost(server->owner, buf_slice(&server->fatal));
        return;
    }
    server_close(server);
    server->keeper->gone(server);
}

static void ready(struct server *server, enum owed_verdict verdict, uint8_t status,
                  const void *about)
{
    server->status = status;
    if (verdict == OWED_READY) {
        if (server->events)
            server->events->ready(server->owner, status);
    } else if (server->events) {
        server->events->ready_ours(server->owner, about);
    } else if (server->state == SERVER_RESET && owed_none(&server->owed) &&
               ring_empty(&server->cancels)) {
        server->keeper->settled(server);
    }
}

/* A client knows its own notifications by the number of the process that sent them. The bytes are
 * the loop's or ours, and nobody reads them before they are handed on. */
static void tell_alias(const struct server *server, struct slice body)
{
    struct reader reader = {body, false};
    uint32_t pid = read_u32(&reader), alias = htonl(server->alias);

    if (!reader.bad && pid == server->pid && server->alias)
        memcpy((uint8_t *)(uintptr_t)body.at, &alias, sizeof(alias));
}

/* One whole message, or the beginning of one that passes in parts. False: the server is lost. */
static bool take_message(struct server *server, struct run *run, const struct frame *frame)
{
    struct owed_entry completed;
    bool whole = frame->whole.len == frame->total;
    uint8_t kind = owed_next_kind(&server->owed);
    const void *about = owed_next_about(&server->owed);
    enum owed_verdict verdict = owed_reply(&server->owed, frame->type, &completed);
    bool ours = verdict == OWED_DROP || verdict == OWED_READY_OURS;
    struct slice name, value;

    server->answering = kind;
    server->about = about;
    if (verdict == OWED_BROKEN) {
        hand_over(server, run);
        if (frame->type == REPLY_ERROR && whole)
            buf_put_slice(&server->fatal, frame->whole); /* its last word: the end follows */
        else
            lose(server, "it sent a message that nobody asked for");
        return server->state != SERVER_CLOSING && frame->type == REPLY_ERROR;
    }
    switch (frame->type) {
    case REPLY_ROW:
        if (ours && whole && server->events)
            server->events->seen(server->owner, frame->type, frame->whole, ours);
        break;
    case REPLY_COPY_DATA:
        break;
    case REPLY_PARAMETER:
        ours = owed_next_fate(&server->owed) == OWED_SWALLOW;
        if (whole && read_parameter_status(frame_body(frame), &name, &value))
            vars_set(&server->vars, name, value, true);
        server->matched = 0;
        hand_over(server, run);
        if (server->events && whole)
            server->events->seen(server->owner, frame->type, frame->whole, ours);
        return true;
    case REPLY_READY:
        hand_over(server, run);
        ready(server, verdict,
              whole && frame->total > FRAME_HEAD ? frame->whole.at[FRAME_HEAD] : 'I',
              completed.about);
        hand_over_fakes(server, run);
        return true;
    case REPLY_NOTIFICATION:
        if (whole)
            tell_alias(server, frame_body(frame));
        /* fall through */
    default:
        hand_over(server, run);
        if (server->events && whole)
            server->events->seen(server->owner, frame->type, frame->whole, ours);
    }
    if (!whole) {
        server->passing = frame->total - frame->whole.len;
        server->passing_type = frame->type;
        server->passing_ours = ours;
    }
    if (!ours)
        extend(server, run, frame->type, frame->whole);
    if (frame->type == REPLY_ERROR) {
        note_error(server, &completed);
        server->worn |= ours || is_of_its_statements(frame, whole, &completed);
    }
    hand_over_fakes(server, run);
    return true;
}

static size_t pass_part(struct server *server, struct run *run, struct slice in)
{
    struct slice part = slice_first(in, server->passing);

    server->passing -= part.len;
    if (!server->passing_ours)
        extend(server, run, server->passing_type, part);
    return part.len;
}

static bool may_pass_in_parts(const struct server *server, const struct frame *frame)
{
    if (frame->total > WHOLE_MAX || frame->type == REPLY_COPY_DATA)
        return true;
    return frame->type == REPLY_ROW && owed_next_fate(&server->owed) != OWED_SWALLOW;
}

/* Works off messages; returns how many bytes were used. */
static size_t take_messages(struct server *server, struct slice in)
{
    struct slice left = in;
    struct run run = {0};

    while (left.len && server->state != SERVER_CLOSING) {
        struct frame frame;
        enum frame_state state;

        if (server->passing) {
            left = slice_skip(left, pass_part(server, &run, left));
            continue;
        }
        state = frame_look(left, &frame);
        if (state == FRAME_BAD) {
            hand_over(server, &run);
            lose(server, "it sent a malformed message");
            break;
        }
        if (state == FRAME_NONE || (state == FRAME_PART && !may_pass_in_parts(server, &frame)))
            break;
        left = slice_skip(left, frame.whole.len);
        if (!take_message(server, &run, &frame))
            break;
    }
    hand_over(server, &run);
    return in.len - left.len;
}

static void take_bytes(void *owner, struct slice bytes)
{
    struct server *server = owner;
    bool parted = buf_len(&server->part) > 0;
    struct slice in = bytes;
    size_t used;

    if (parted) {
        buf_put_slice(&server->part, bytes);
        in = buf_slice(&server->part);
    }
    used = take_messages(server, in);
    if (server->events && server->state != SERVER_CLOSING)
        server->events->turn(server->owner);
    if (parted) {
        buf_take(&server->part, used);
        buf_rest(&server->part);
    } else {
        buf_put_slice(&server->part, slice_skip(bytes, used));
    }
}

static void drained(void *owner)
{
    struct server *server = owner;

    if (server->events)
        server->events->drained(server->owner);
}

static void ended(void *owner, const char *why)
{
    struct server *server = owner;

    lose(server, why ? why : "it closed the connection");
}

static void closed(void *owner)
{
    struct server *server = owner;

    server_leave_cancels(server);
    login_free(server->login);
    owed_clear(&server->owed);
    vars_clear(&server->vars);
    prepared_clear(&server->prepared);
    statement_unref(server->unnamed);
    buf_clear(&server->welcome);
    buf_clear(&server->part);
    buf_clear(&server->fatal);
    mem_free((void *)server->secret.at);
    mem_free((void *)server->options.at);
    server->keeper->freed(server);
    mem_free(server);
}

static const struct stream_events server_events = {take_bytes, drained, ended, closed};

static void dialled(void *owner, struct stream *stream, const char *why)
{
    struct server *server = owner;
    struct err err;

    server->dial = NULL;
    if (stream) {
        server->stream = stream;
        server->login = login_start(server);
        return;
    }
    err_set(&err, "08006", "cannot connect to server %s: %s", server->place->node, why);
    server_login_failed(server, &err);
}

const char *server_host(const struct pool_place *place)
{
    return place->address && place->address[0] ? place->address : place->host;
}

struct server *server_new(struct loop *loop, const struct pool_place *place,
                          const struct server_keeper *keeper, void *pool, uint64_t number)
{
    struct server *server = mem_new(sizeof(*server));

    server->loop = loop;
    server->place = place;
    server->keeper = keeper;
    server->pool = pool;
    server->number = number;
    server->status = 'I';
    server->made = loop_now(loop);
    server->instance = place->instance ? *place->instance : 0;
    ring_init(&server->link);
    prepared_init(&server->prepared);
    ring_init(&server->cancels);
    server_enter(server, SERVER_LOGIN);
    server->dial =
        dial_start(loop, server_host(place), place->port, place->connect_timeout, dialled, server);
    return server;
}

void server_logged_in(struct server *server)
{
    login_free(server->login);
    server->login = NULL;
    server->logged_in = loop_now(server->loop);
    stream_own(server->stream, &server_events, server);
    server->keeper->ready(server);
}

void server_login_failed(struct server *server, const struct err *err)
{
    server_close(server);
    server->keeper->refused(server, err);
}

void server_hold(struct server *server, const struct server_events *events, void *owner)
{
    server->events = events;
    server->owner = owner;
}

void server_release(struct server *server)
{
    server->events = NULL;
    server->owner = NULL;
    server->alias = 0;
    if (server->stream)
        stream_resume(server->stream);
}

static void close_later(struct timer *timer)
{
    struct server *server = timer->owner;

    timer_close(timer);
    mem_free(timer);
    closed(server);
}

void server_close(struct server *server)
{
    static const uint8_t terminate[] = {MSG_TERMINATE, 0, 0, 0, 4};
    struct slice part = slice_of(terminate, sizeof(terminate));

    if (server->state == SERVER_CLOSING)
        return;
    server_enter(server, SERVER_CLOSING);
    server->events = NULL;
    if (server->stream) {
        stream_own(server->stream, &server_events, server);
        stream_send(server->stream, &part, 1);
        stream_close(server->stream);
        return;
    }
    /* Nothing is connected yet: it is freed in a turn of its own, since callers still look at it.
     */
    if (server->dial)
        dial_cancel(server->dial);
    struct timer *timer = mem_new(sizeof(*timer));

    timer_init(timer, server->loop, close_later, server);
    timer_start(timer, 0);
}

void server_send(struct server *server, const struct slice *parts, unsigned count)
{
    struct run run = {0};

    server->queries++;
    stream_send(server->stream, parts, count);
    /* What was added while it skips is skipped, and what is not sent at all may be first in line.
     */
    forget_skipped(server);
    hand_over_fakes(server, &run);
    hand_over(server, &run);
}

void server_pause(struct server *server)
{
    stream_pause(server->stream);
}

void server_resume(struct server *server)
{
    stream_resume(server->stream);
}

void server_set_unnamed(struct server *server, struct statement *statement)
{
    if (statement)
        statement_ref(statement);
    statement_unref(server->unnamed);
    server->unnamed = statement;
}

void server_forget_statements(struct server *server)
{
    prepared_clear(&server->prepared);
    server_set_unnamed(server, NULL);
    server->kit = 0;
}

void server_forget_vars(struct server *server)
{
    server->matched = 0;
    for (unsigned i = 0; i < server->vars.count; i++)
        if (server->vars.at[i].ours)
            vars_remove(&server->vars, slice_text(server->vars.at[i--].name));
}

void server_reset(struct server *server)
{
    struct buf out = {0};
    struct slice part;

    server_enter(server, SERVER_RESET);
    server_forget_statements(server);
    server_forget_vars(server);
    server->soiled_by = server->sequences_of = 0;
    write_query(&out, SLICE("DISCARD ALL"));
    part = buf_slice(&out);
    owed_add(&server->owed, OWED_QUERY, OWED_SWALLOW, NULL);
    server_send(server, &part, 1);
    buf_clear(&out);
}
