/* Relay: what goes to the server of a request (names of statements replaced, what it has answered
 * for it), sent at once. Rows never pass here; see reply.c. */
#include "session/conversation.h"
#include "session/front.h"
#include "session/inventory.h"
#include "session/prepare.h"
#include "wire/frame.h"
#include "wire/read.h"
#include "wire/types.h"
#include "wire/write.h"

static void load_parse(struct load *load, const struct message *message, struct slice whole)
{
    struct read_parse parse;

    if (message->duplicate && read_parse(slice_skip(whole, FRAME_HEAD), &parse)) {
        /* The server says that it exists, as it would have of the client's own name, unless there
         * is more against the text. */
        load_make_sure(load, message);
        write_parse(load->scratch, slice_text(message->statement->name), parse.text, parse.oids);
        load_owe(load, OWED_PARSE, OWED_FORWARD, 0);
    } else if (load_has(load, message) && load->server->status == 'E' &&
               !begin_is_end(message->statement->text)) {
        /* It has failed, and takes nothing more: the server says so. */
        load_put(load, whole);
        load_owe(load, OWED_PARSE, OWED_FORWARD, 0);
    } else if (load_has(load, message)) {
        load_owe(load, OWED_PARSE, OWED_FAKE, 0);
    } else {
        load_statement(load, message->statement, message->named, OWED_FORWARD);
    }
}

/* A name that the client has not given is no server's either, whatever stands there for others. */
static void load_nameless(struct load *load, const struct message *message)
{
    if (message->statement || message->named)
        return;
    write_target(load->scratch, MSG_CLOSE, 'S', SLICE(""));
    load_owe(load, OWED_CLOSE, OWED_SWALLOW, 0);
    server_set_unnamed(load->server, NULL);
}

static void load_bind(struct load *load, const struct request *request,
                      const struct message *message, struct slice whole)
{
    struct slice body = slice_skip(whole, FRAME_HEAD);
    bool last = message == &request->messages[request->nmessages - 1];

    if (message->statement) {
        load_make_sure(load, message);
    }
    load_nameless(load, message);
    load_owe(load, OWED_BIND, OWED_FORWARD, 0);
    if ((!message->statement || !message->named) && !message->foreign) {
        load_put(load, whole);
        return;
    }
    load_make_room(load);
    /* Only the head is written anew; `rest` of a large one stays where it is. */
    write_bind(load->scratch, slice_text((const char *)body.at),
               message->foreign ? SLICE(NOBODY) : slice_text(message->statement->name),
               (struct slice){0}, body.len - message->rest + (last ? request->later : 0));
    load_put(load, slice_skip(body, message->rest));
}

static void load_target(struct load *load, const struct message *message, struct slice whole)
{
    bool describe = message->type == MSG_DESCRIBE;

    if (message->foreign && !describe) {
        load_owe(load, OWED_CLOSE, OWED_FAKE, 0);
    } else if (message->foreign) {
        write_target(load->scratch, MSG_DESCRIBE, 'S', SLICE(NOBODY));
        load_owe(load, OWED_DESCRIBE_STATEMENT, OWED_FORWARD, 0);
    } else if (message->what == 'P' || !message->statement) {
        if (message->what == 'S' && describe)
            load_nameless(load, message);
        load_put(load, whole);
        load_owe(load,
                 !describe              ? OWED_CLOSE
                 : message->what == 'P' ? OWED_DESCRIBE_PORTAL
                                        : OWED_DESCRIBE_STATEMENT,
                 OWED_FORWARD, 0);
    } else if (describe) {
        load_make_sure(load, message);
        write_target(load->scratch, MSG_DESCRIBE, 'S',
                     message->named ? slice_text(message->statement->name) : SLICE(""));
        load_owe(load, OWED_DESCRIBE_STATEMENT, OWED_FORWARD,
                 message->named ? message->statement->id : 0);
    } else {
        /* Other clients may use it under another name: the server keeps it. */
        load_owe(load, OWED_CLOSE, OWED_FAKE, 0);
    }
}

/* Who leads a flight wants the row description for those who will ask for it; a write, to know its
 * rows' columns. */
static void load_execute(struct load *load, const struct request *request, struct slice whole)
{
    if ((request->leads || request->harvests) && !request->describes) {
        write_target(load->scratch, MSG_DESCRIBE, 'P', SLICE(""));
        load_owe(load, OWED_DESCRIBE_PORTAL, OWED_SWALLOW, 0);
    }
    load_put(load, whole);
    load_owe(load, OWED_EXECUTE, OWED_FORWARD, 0);
}

/* A Query with another name in it. */
static void put_renamed(struct load *load, const struct message *message, struct slice whole)
{
    struct slice text = slice_skip(whole, FRAME_HEAD);
    size_t begin = write_begin(load->scratch, MSG_QUERY);
    bool quoted = text.at[message->name_at] == '"';

    buf_put_slice(load->scratch, slice_first(text, message->name_at));
    /* In quotes where it stood in quotes: what is next to it may be a word. */
    quoted |= message->use == PREPARE_FOREIGN;
    buf_put(load->scratch, "\"", quoted);
    buf_put_slice(load->scratch, message->use == PREPARE_FOREIGN
                                     ? SLICE(NOBODY)
                                     : slice_text(message->statement->name));
    buf_put(load->scratch, "\"", quoted);
    buf_put_slice(load->scratch, slice_skip(text, message->name_at + message->name_len));
    write_end(load->scratch, begin);
}

static void load_text(struct load *load, const struct request *request,
                      const struct message *message, struct slice whole)
{
    struct statement *statement = message->statement;
    bool clashes = message->use == PREPARE_CLASHES;
    struct buf name = {0};

    if (message->use == PREPARE_RUNS && !prepared_has(&load->server->prepared, statement)) {
        load_statement(load, statement, true, OWED_SWALLOW);
        load_sync(load);
    } else if (message->use == PREPARE_MAKES && prepared_has(&load->server->prepared, statement)) {
        write_target(load->scratch, MSG_CLOSE, 'S', slice_text(statement->name));
        load_owe(load, OWED_CLOSE, OWED_SWALLOW, 0);
    } else if (message->use == PREPARE_MAKES) {
        load_note_prepared(load, statement);
    } else if (clashes) {
        prepare_spell(request, message, &name);
        write_parse(load->scratch, buf_slice(&name), SLICE(""), SLICE(""));
        load_owe(load, OWED_PARSE, OWED_SWALLOW, 0);
        load_sync(load);
    }
    load_owe(load, OWED_QUERY, OWED_FORWARD, message->use == PREPARE_MAKES ? statement->id : 0);
    if (message->use == PREPARE_NONE || clashes)
        load_put(load, whole);
    else
        put_renamed(load, message, whole);
    server_set_unnamed(load->server, NULL);
    if (clashes) {
        write_target(load->scratch, MSG_CLOSE, 'S', buf_slice(&name));
        load_owe(load, OWED_CLOSE, OWED_SWALLOW, 0);
        load_sync(load);
    }
    buf_clear(&name);
}

static void load_message(struct load *load, const struct request *request,
                         const struct message *message)
{
    struct slice whole = request_slice(request, message);

    switch (message->type) {
    case MSG_PARSE:
        load_parse(load, message, whole);
        return;
    case MSG_BIND:
        load_bind(load, request, message, whole);
        return;
    case MSG_DESCRIBE:
    case MSG_CLOSE:
        load_target(load, message, whole);
        return;
    case MSG_EXECUTE:
        load_execute(load, request, whole);
        return;
    case MSG_SYNC:
        load_owe(load, OWED_SYNC, OWED_FORWARD, 0);
        break;
    case MSG_QUERY:
        load_text(load, request, message, whole);
        return;
    case MSG_FUNCTION:
        load_owe(load, OWED_FUNCTION, OWED_FORWARD, 0);
        break;
    }
    load_put(load, whole);
}

enum outcome enter_relay(struct session *session)
{
    struct request *request = session->request;
    struct server *server = session->take.server;
    struct load load = {.server = server, .scratch = &session->rooms->scratch};
    bool first;
    bool replica = session->node->role == NODE_REPLICA;

    request->trail.source = replica ? SOURCE_REPLICA : SOURCE_PRIMARY;
    request->answered_by = session->node->name;
    request->holding = (replica && request->moves) || occupied_concerns(session, request);
    request->checking = replica && request->moves && request->verdict.freshness == FRESH_CAUSAL;
    /* An answer that may be old is nobody's but the asker's. */
    if (replica && !request->checking && request->leads) {
        cache_drop(&request->ask);
        request->leads = false;
    }
    server_hold(server, &reply_events, session);
    load.unsure = !session->midway && owed_awaits(&server->owed, OWED_PARSE, NULL);
    server->alias = session->pid;
    if (session->notifies)
        server->notifier = session->pid;
    first = owed_ours(&server->owed);
    /* Behind others of the session the server is as it should be. */
    if (first)
        front_put(&load, session, request);
    if (first && front_compare(&load, session, request)) {
        load_send(&load);
        return STEP_WAIT;
    }
    front_spell(&load, session, request, false);
    if (request->spells)
        prepare_drop(session, request);
    for (unsigned i = 0; i < request->nmessages; i++)
        load_message(&load, request, &request->messages[i]);
    front_spell(&load, session, request, true);
    front_take_back(&load, session, request);
    inventory_ride(session, request, load.scratch);
    session->passing = request->later;
    session->passing_drop = false;
    if (request->open)
        session->midway = true;
    load_send(&load);
    /* Answers that we gave for the server go out with its own, unless none will come. */
    if (request->open)
        outbox_flush(session);
    session_flow(session);
    return request->open ? STEP_ANSWERED : STEP_WAIT;
}

void relay_abort(struct session *session)
{
    struct server *server = session->take.server;
    struct load load = {.server = server, .scratch = &session->rooms->scratch};
    size_t begin = write_begin(load.scratch, MSG_EXECUTE);

    write_cstr(load.scratch, SLICE(NOBODY));
    write_u32(load.scratch, 0);
    write_end(load.scratch, begin);
    load_owe(&load, OWED_EXECUTE, OWED_SWALLOW, 0);
    load_sync(&load);
    load_send(&load);
    session->status = 'E';
}

void relay_pass(struct session *session, struct slice bytes)
{
    if (session->take.server)
        stream_send(session->take.server->stream, &bytes, 1);
    session_flow(session);
}
