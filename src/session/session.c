/* One client's conversation: from its first byte to its end, in one place. What it sends is taken
 * apart in input.c; what a request does is in steps.c and its steps. */
#include "session/conversation.h"

#include "session/channels.h"
#include "session/inventory.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/frame.h"
#include "wire/types.h"
#include "wire/write.h"

#include <stdio.h>

enum { INPUT_HIGH = 256 * 1024 };

void session_ready(struct session *session)
{
    names_settle(&session->names, ahead_changes(session));
    if (ring_empty(&session->ahead))
        session->changes = session->changes_done = 0;
    else
        session->changes_done = ahead_changes(session);
    session->exchange_failed = session->parse_failed = false;
    channels_put(session);
    outbox_put(session, outbox_ready(session->status));
}

/* ---- the client's stream ---- */

void session_flow(struct session *session)
{
    bool taking = session->passing || session->copying;
    bool full = buf_len(&session->input) > INPUT_HIGH &&
                (session->request || session->replication) && !taking;

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
        buf_take(&session->input, input_work(session, buf_slice(&session->input)));
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
    used = input_work(session, bytes);
    if (used < bytes.len && !session->ending)
        buf_put_slice(&session->input, slice_skip(bytes, used));
    session_flow(session);
}

static void drained(void *owner)
{
    struct session *session = owner;

    if (session->take.server)
        server_resume(session->take.server);
    channels_tell(session);
}

/* It has said goodbye behind what it still wants done: that is carried out, as a server would, and
 * nobody hears of it. */
static bool has_taken_leave(const struct session *session)
{
    struct slice left = buf_slice(&session->input);
    struct frame frame;

    if (!session->in || session->passing > left.len)
        return false;
    left = slice_skip(left, session->passing);
    /* Not by its last bytes alone: of half a message the end would never come. */
    while (frame_look(left, &frame) == FRAME_WHOLE) {
        if (frame.type == MSG_TERMINATE)
            return true;
        left = slice_skip(left, frame.total);
    }
    return false;
}

static void ended(void *owner, const char *why)
{
    struct session *session = owner;

    if (!why && has_taken_leave(session))
        return;
    log_debug(session->who, "the client is gone%s%s", why ? ": " : "", why ? why : "");
    session_end(session);
}

static void closed(void *owner)
{
    struct session *session = owner;

    vars_clear(&session->vars);
    vars_clear(&session->startup);
    buf_clear(&session->asked);
    vars_clear(&session->texts);
    vars_clear(&session->rewound);
    inventory_clear(session);
    hints_clear(session);
    names_clear(&session->names);
    buf_clear(&session->input);
    begin_forget(session);
    buf_clear(&session->unlistens);
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
    ring_init(&session->ahead);
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
        transaction_end(session, true); /* nothing of it was sent */
        return;
    }
    if (server->state == SERVER_TAKEN && server->status == 'I' && owed_ours(&server->owed) &&
        !session->midway && !session_is_passing(session)) {
        transaction_end(session, false);
        server->worn |= (session->pins & PINS_OF_PROCESS) != 0;
        pool_give(&session->take, true);
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
    session->midway |=
        session->request && session->request->at == STEP_RELAY && !session->request->settling;
    steps_abandon(session);
    replication_end(session);
    channels_leave(session);
    part_with_server(session);
    client_login_free(session->login);
    session->login = NULL;
    welcome_free(session);
    if (session->in)
        key_forget(session);
    ring_leave(&session->link);
    session->rooms->nsessions--;
    session->out.count = 0;
    admit_clear(session);
    stream_close(session->client);
}

void session_say(struct session *session, const char *severity, const struct err *err)
{
    struct buf out = {0};

    if (session->in && session->replication && replication_is_midway(session))
        return;
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

    if (session->take.server && (session->replication || (!request && session->midway)))
        server_cancel(session->take.server);
    if (!request || !request->waiting || request->settling)
        return;
    if (request->at == STEP_RELAY) {
        request->cancelled = session->node->role == NODE_REPLICA;
        server_cancel(session->take.server);
        return;
    }
    err_set(&request->err, "57014", "canceling statement due to user request");
    request->refused = true;
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

/* Literals become values when a statement is parsed, by these settings. */
static uint64_t hash_parsing(const struct vars *vars)
{
    static const char *const names[] = {"DateStyle",
                                        "IntervalStyle",
                                        "TimeZone",
                                        "standard_conforming_strings",
                                        "lc_monetary",
                                        "array_nulls",
                                        "xmloption",
                                        "timezone_abbreviations",
                                        "transform_null_equals",
                                        "backslash_quote"};
    uint64_t hash = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const struct var *var = vars_find(vars, slice_text(names[i]));

        hash = hash_join(hash, var ? hash_slice(slice_text(var->value)) : 0);
    }
    return hash;
}

static bool is_serializable(const struct session *session)
{
    const struct var *level = vars_find(&session->vars, SLICE("default_transaction_isolation"));

    return level && strcasecmp(level->value, "serializable") == 0;
}

uint64_t session_parsing(const struct session *session)
{
    return hash_join(session->parsing, session->database->generation);
}

/* Who the user is to the server just now. */
static const char *role_of(const struct session *session)
{
    const struct var *role = vars_find(&session->vars, SLICE("role"));
    const struct var *user = vars_find(&session->vars, SLICE("session_authorization"));

    if (role && strcmp(role->value, "none") != 0)
        return role->value;
    return user ? user->value : session->user;
}

static const struct search_path *path_of(const struct session *session)
{
    const struct var *path = vars_find(&session->vars, SLICE("search_path"));

    if (!path || !session->database)
        return NULL;
    return search_path_find(&session->database->paths, slice_text(path->value), role_of(session));
}

const struct search_path *session_path(const struct session *session)
{
    return session->odd_transaction || session->inventory ? NULL : session->path;
}

void session_touch_settings(struct session *session)
{
    session->wanted = vars_hash(&session->vars, false);
    session->settings = vars_hash(&session->vars, true);
    session->parsing = hash_parsing(&session->vars);
    session->path = path_of(session);
    session->blind = reads_otherwise(session);
    session->serializable = is_serializable(session);
    hints_refresh(session);
}

/* ---- for the console ---- */

const char *session_pin_text(unsigned pin)
{
    static const char *const texts[] = {
#define X(name, text) text,
        PINS(X)
#undef X
    };

    return pin < PIN_NONE ? texts[pin] : NULL;
}

static const char *first_pin(unsigned pins)
{
    for (unsigned pin = 0; pin < PIN_NONE; pin++)
        if (pins & PIN_BIT(pin))
            return session_pin_text(pin);
    return NULL;
}

static const char *state_text(const struct session *session)
{
    if (!session->in)
        return "login";
    if (session->replication)
        return "replication";
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
            .pinned = first_pin(session->pins),
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

void session_asker(const struct session *session, const struct values *values, struct hints *room,
                   struct asker *asker)
{
    const struct var *name = vars_find(&session->vars, SLICE("application_name"));

    *asker = (struct asker){
        .database = session->database ? session->database->name : "",
        .user = session->user,
        .application_name = name ? name->value : "",
        .address = session->client->peer,
        .transaction = session->status == 'I' ? ASKER_ALONE
                       : session->snapshot    ? ASKER_READ_ONLY
                                              : ASKER_READ_WRITE,
    };
    hint_asks(hints_of(session, values, room), asker);
}
