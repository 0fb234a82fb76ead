/* Relay: builds what goes to the server (names of statements replaced, what it lacks put in front,
 * what it has answered for it) and sends it at once. Rows never pass here; see reply.c. */
#include "session/conversation.h"
#include "session/inventory.h"
#include "session/prepare.h"
#include "wire/frame.h"
#include "wire/read.h"
#include "wire/types.h"
#include "wire/write.h"

/* The name of a statement that no server has. */
#define NOBODY "(of nobody here)"

enum { COPY_UNDER = 4096, LOAD_PARTS = 64 };

const char owed_settings[] = "settings", owed_columns[] = "columns";

/* What goes to the server: small messages are copied together, large ones are pointed at. */
struct load {
    struct server *server;
    bool unsure; /* what its unnamed statement is: a Parse before this request may yet be skipped */
    struct buf *scratch;
    size_t sent; /* of scratch: up to here it is in parts */
    struct {
        const uint8_t *at; /* NULL: in scratch at `from` */
        size_t from, len;
    } parts[LOAD_PARTS];
    unsigned count;
};

static void close_run(struct load *load)
{
    size_t end = buf_len(load->scratch);

    if (end == load->sent)
        return;
    load->parts[load->count].at = NULL;
    load->parts[load->count].from = load->sent;
    load->parts[load->count++].len = end - load->sent;
    load->sent = end;
}

static void send_load(struct load *load)
{
    struct slice parts[LOAD_PARTS];

    close_run(load);
    for (unsigned i = 0; i < load->count; i++) {
        const uint8_t *at = load->parts[i].at;

        parts[i] = slice_of(at ? at : buf_slice(load->scratch).at + load->parts[i].from,
                            load->parts[i].len);
    }
    server_send(load->server, parts, load->count);
    load->count = 0;
    load->sent = 0;
    buf_take(load->scratch, buf_len(load->scratch));
}

static void put(struct load *load, struct slice bytes)
{
    if (bytes.len < COPY_UNDER) {
        buf_put_slice(load->scratch, bytes);
        return;
    }
    if (load->count + 2 >= LOAD_PARTS)
        send_load(load);
    close_run(load);
    load->parts[load->count].at = bytes.at;
    load->parts[load->count++].len = bytes.len;
}

static void owe(struct load *load, enum owed_kind kind, enum owed_fate fate, uint64_t about)
{
    owed_add(&load->server->owed, kind, fate, (void *)(uintptr_t)about);
}

/* One statement too many: the oldest goes along to be closed. */
static void note_prepared(struct load *load, struct statement *statement)
{
    struct statement *oldest = prepared_add(&load->server->prepared, statement);

    if (!oldest)
        return;
    write_target(load->scratch, MSG_CLOSE, 'S', slice_text(oldest->name));
    owe(load, OWED_CLOSE, OWED_SWALLOW, 0);
    statement_unref(oldest);
}

static const struct slice own = {(const uint8_t *)"pgtier_prepare", 14};

/* What PREPARE made is told by PREPARE again, whose types are names: behind an Execute of the
 * extended protocol, which ends no batch. */
static void put_by_sql(struct load *load, struct statement *statement, struct slice name)
{
    struct buf sql = {0};
    size_t begin;

    buf_printf(&sql, "PREPARE ");
    buf_put_slice(&sql, name);
    buf_put_slice(&sql, statement->text);
    write_parse(load->scratch, own, buf_slice(&sql), SLICE(""));
    owe(load, OWED_PARSE, OWED_SWALLOW, 0);
    write_bind(load->scratch, own, own, slice_of("\0\0\0\0\0\0", 6), 0);
    owe(load, OWED_BIND, OWED_SWALLOW, 0);
    begin = write_begin(load->scratch, MSG_EXECUTE);
    write_cstr(load->scratch, own);
    write_u32(load->scratch, 0);
    write_end(load->scratch, begin);
    owe(load, OWED_EXECUTE, OWED_SWALLOW, slice_is(name, statement->name) ? statement->id : 0);
    write_target(load->scratch, MSG_CLOSE, 'P', own);
    owe(load, OWED_CLOSE, OWED_SWALLOW, 0);
    write_target(load->scratch, MSG_CLOSE, 'S', own);
    owe(load, OWED_CLOSE, OWED_SWALLOW, 0);
    buf_clear(&sql);
}

static void put_sync(struct load *load)
{
    write_empty(load->scratch, MSG_SYNC);
    owe(load, OWED_SYNC, OWED_SWALLOW, 0);
}

static void put_parse(struct load *load, struct statement *statement, bool named,
                      enum owed_fate fate)
{
    if (statement->body) {
        put_by_sql(load, statement, slice_text(statement->name));
        note_prepared(load, statement);
        return;
    }
    write_parse(load->scratch, named ? slice_text(statement->name) : SLICE(""), statement->text,
                statement->oids);
    owe(load, OWED_PARSE, fate, named ? statement->id : 0);
    if (named)
        note_prepared(load, statement);
    else
        server_set_unnamed(load->server, statement);
    load->unsure &= named;
}

static bool has(struct load *load, const struct message *message)
{
    return message->named ? prepared_has(&load->server->prepared, message->statement)
                          : load->server->unnamed == message->statement && !load->unsure;
}

/* The server has not seen what the message speaks of: it is told first, in the same packet. */
static void make_sure(struct load *load, const struct message *message)
{
    if (!has(load, message))
        put_parse(load, message->statement, message->named, OWED_SWALLOW);
}

static void load_parse(struct load *load, const struct message *message, struct slice whole)
{
    struct read_parse parse;

    if (message->duplicate && read_parse(slice_skip(whole, FRAME_HEAD), &parse)) {
        /* The server says that it exists, as it would have of the client's own name, unless there
         * is more against the text. */
        make_sure(load, message);
        write_parse(load->scratch, slice_text(message->statement->name), parse.text, parse.oids);
        owe(load, OWED_PARSE, OWED_FORWARD, 0);
    } else if (has(load, message) && load->server->status == 'E' &&
               !begin_is_end(message->statement->text)) {
        /* It has failed, and takes nothing more: the server says so. */
        put(load, whole);
        owe(load, OWED_PARSE, OWED_FORWARD, 0);
    } else if (has(load, message)) {
        owe(load, OWED_PARSE, OWED_FAKE, 0);
    } else {
        put_parse(load, message->statement, message->named, OWED_FORWARD);
    }
}

/* A name that the client has not given is no server's either, whatever stands there for others. */
static void load_nameless(struct load *load, const struct message *message)
{
    if (message->statement || message->named)
        return;
    write_target(load->scratch, MSG_CLOSE, 'S', SLICE(""));
    owe(load, OWED_CLOSE, OWED_SWALLOW, 0);
    server_set_unnamed(load->server, NULL);
}

static void load_bind(struct load *load, const struct request *request,
                      const struct message *message, struct slice whole)
{
    struct slice body = slice_skip(whole, FRAME_HEAD);
    bool last = message == &request->messages[request->nmessages - 1];

    if (message->statement) {
        make_sure(load, message);
    }
    load_nameless(load, message);
    owe(load, OWED_BIND, OWED_FORWARD, 0);
    if ((!message->statement || !message->named) && !message->foreign) {
        put(load, whole);
        return;
    }
    if (load->count + 2 >= LOAD_PARTS)
        send_load(load);
    /* Only the head is written anew; `rest` of a large one stays where it is. */
    write_bind(load->scratch, slice_text((const char *)body.at),
               message->foreign ? SLICE(NOBODY) : slice_text(message->statement->name),
               (struct slice){0}, body.len - message->rest + (last ? request->later : 0));
    put(load, slice_skip(body, message->rest));
}

static void load_target(struct load *load, const struct message *message, struct slice whole)
{
    bool describe = message->type == MSG_DESCRIBE;

    if (message->foreign && !describe) {
        owe(load, OWED_CLOSE, OWED_FAKE, 0);
    } else if (message->foreign) {
        write_target(load->scratch, MSG_DESCRIBE, 'S', SLICE(NOBODY));
        owe(load, OWED_DESCRIBE_STATEMENT, OWED_FORWARD, 0);
    } else if (message->what == 'P' || !message->statement) {
        if (message->what == 'S' && describe)
            load_nameless(load, message);
        put(load, whole);
        owe(load,
            !describe              ? OWED_CLOSE
            : message->what == 'P' ? OWED_DESCRIBE_PORTAL
                                   : OWED_DESCRIBE_STATEMENT,
            OWED_FORWARD, 0);
    } else if (describe) {
        make_sure(load, message);
        write_target(load->scratch, MSG_DESCRIBE, 'S',
                     message->named ? slice_text(message->statement->name) : SLICE(""));
        owe(load, OWED_DESCRIBE_STATEMENT, OWED_FORWARD,
            message->named ? message->statement->id : 0);
    } else {
        /* Other clients may use it under another name: the server keeps it. */
        owe(load, OWED_CLOSE, OWED_FAKE, 0);
    }
}

/* Who leads a flight wants the row description for those who will ask for it. */
static void load_execute(struct load *load, const struct request *request, struct slice whole)
{
    if (request->leads && !request->describes) {
        write_target(load->scratch, MSG_DESCRIBE, 'P', SLICE(""));
        owe(load, OWED_DESCRIBE_PORTAL, OWED_SWALLOW, 0);
    }
    put(load, whole);
    owe(load, OWED_EXECUTE, OWED_FORWARD, 0);
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
        put_parse(load, statement, true, OWED_SWALLOW);
        put_sync(load);
    } else if (message->use == PREPARE_MAKES && prepared_has(&load->server->prepared, statement)) {
        write_target(load->scratch, MSG_CLOSE, 'S', slice_text(statement->name));
        owe(load, OWED_CLOSE, OWED_SWALLOW, 0);
    } else if (message->use == PREPARE_MAKES) {
        note_prepared(load, statement);
    } else if (clashes) {
        prepare_spell(request, message, &name);
        write_parse(load->scratch, buf_slice(&name), SLICE(""), SLICE(""));
        owe(load, OWED_PARSE, OWED_SWALLOW, 0);
        put_sync(load);
    }
    owe(load, OWED_QUERY, OWED_FORWARD, message->use == PREPARE_MAKES ? statement->id : 0);
    if (message->use == PREPARE_NONE || clashes)
        put(load, whole);
    else
        put_renamed(load, message, whole);
    server_set_unnamed(load->server, NULL);
    if (clashes) {
        write_target(load->scratch, MSG_CLOSE, 'S', buf_slice(&name));
        owe(load, OWED_CLOSE, OWED_SWALLOW, 0);
        put_sync(load);
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
        owe(load, OWED_SYNC, OWED_FORWARD, 0);
        break;
    case MSG_QUERY:
        load_text(load, request, message, whole);
        return;
    case MSG_FUNCTION:
        owe(load, OWED_FUNCTION, OWED_FORWARD, 0);
        break;
    }
    put(load, whole);
}

static void load_query(struct load *load, const struct buf *sql)
{
    write_query(load->scratch, buf_slice(sql));
    owe(load, OWED_QUERY, OWED_SWALLOW, (uint64_t)(uintptr_t)owed_settings);
    server_set_unnamed(load->server, NULL);
}

/* ---- texts that speak of names and are not rewritten ---- */

struct spelling {
    struct load *load;
    const struct request *request;
    bool ends;
};

static bool is_plain(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!(name.at[i] >= 'a' && name.at[i] <= 'z') && name.at[i] != '_' &&
            !(i && name.at[i] >= '0' && name.at[i] <= '9'))
            return false;
    return true;
}

static void put_quoted(struct buf *out, struct slice name)
{
    buf_put(out, "\"", 1);
    for (size_t i = 0; i < name.len; i++)
        buf_put(out, name.at[i] == '"' ? "\"\"" : (const char *)&name.at[i],
                name.at[i] == '"' ? 2 : 1);
    buf_put(out, "\"", 1);
}

static void spell(void *with, struct slice name, struct statement *statement)
{
    struct spelling *spelling = with;
    struct load *load = spelling->load;
    struct buf quoted = {0};

    if (!name.len || (!spelling->request->asks_names && !prepare_occurs(spelling->request, name)))
        return;
    if (spelling->ends) {
        write_target(load->scratch, MSG_CLOSE, 'S', name);
        owe(load, OWED_CLOSE, OWED_SWALLOW, 0);
    } else if (statement->body) {
        if (spelling->request->asks_names && is_plain(name))
            buf_put_slice(&quoted, name);
        else
            put_quoted(&quoted, name);
        put_by_sql(load, statement, buf_slice(&quoted));
        buf_clear(&quoted);
        /* One that can't be prepared any more takes none of the others with it. */
        put_sync(load);
        write_target(load->scratch, MSG_CLOSE, 'S', own);
        owe(load, OWED_CLOSE, OWED_SWALLOW, 0);
    } else {
        write_parse(load->scratch, name, statement->text, statement->oids);
        owe(load, OWED_PARSE, OWED_SWALLOW, 0);
        put_sync(load);
    }
}

/* What the server has of ours is out of sight: it is told again where it is needed. */
static void load_bare(struct load *load)
{
    struct buf sql = {0};

    buf_printf(&sql, "DEALLOCATE ALL");
    load_query(load, &sql);
    buf_clear(&sql);
    server_forget_statements(load->server);
}

/* The names that occur in it are the server's as well while it runs. */
static void load_spelled(struct load *load, struct session *session, const struct request *request,
                         bool ends)
{
    struct spelling spelling = {load, request, ends};

    if ((!request->spells && !request->asks_names) || request->open || session->midway ||
        session->status == 'E' || (!request->spells && session->status != 'I'))
        return;
    if (request->asks_names && !ends)
        load_bare(load);
    names_each(&session->names, spell, &spelling);
    put_sync(load);
}

/* In a transaction a RESET has gone to the server's own values, not to those that the client came
 * with. */
static void load_startup(struct load *load, struct session *session)
{
    struct buf sql = {0};

    if (vars_match_some(&load->server->vars, &session->rewound, &sql))
        load_query(load, &sql);
    vars_clear(&session->rewound);
    buf_clear(&sql);
}

/* What is set next is read in this encoding: it is set by itself, and first. */
static void load_encoding(struct load *load, struct session *session)
{
    struct slice name = SLICE("client_encoding");
    const struct var *wanted = vars_find(&session->vars, name);
    const struct var *has = vars_find(&load->server->vars, name);
    struct vars one = {0};
    struct buf sql = {0};

    if (!wanted || (has && strcmp(wanted->value, has->value) == 0))
        return;
    vars_set(&one, name, slice_text(wanted->value), false);
    if (vars_match_some(&load->server->vars, &one, &sql))
        load_query(load, &sql);
    vars_clear(&one);
    buf_clear(&sql);
}

/* Makes the server's settings those of the session, ahead of its first message. */
static void load_settings(struct load *load, struct session *session)
{
    struct server *server = load->server;
    struct buf sql = {0};

    if (server->status == 'T' && session->rewound.count && !session->midway)
        load_startup(load, session);
    if (server->status != 'I' || session->midway)
        return;
    if (server->soiled_by && server->soiled_by != session->number) {
        buf_printf(&sql, "RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL;");
        load_query(load, &sql);
        buf_take(&sql, buf_len(&sql));
        vars_clear(&server->vars);
        server->matched = 0;
        server->soiled_by = 0;
    }
    if (server->matched != session->wanted) {
        load_encoding(load, session);
        vars_match(&server->vars, &session->vars, &sql);
    }
    if (buf_len(&sql))
        load_query(load, &sql);
    buf_clear(&sql);
    server->matched = session->wanted;
}

/* What another session's nextval has left is nobody else's: neither for who asks, nor for who will,
 * where anybody is known to ask. */
static void load_sequences(struct load *load, struct session *session,
                           const struct request *request)
{
    struct server *server = load->server;
    bool uses = inventory_uses_sequences(session);
    bool minds = request->asks_sequences || (uses && session->database->asks_sequences);
    struct buf sql = {0};

    if (server->status == 'E' || session->midway)
        return;
    if (minds && server->sequences_of && server->sequences_of != session->number) {
        buf_printf(&sql, "DISCARD SEQUENCES");
        load_query(load, &sql);
        buf_clear(&sql);
        server->sequences_of = 0;
    }
    if (uses)
        server->sequences_of = session->number;
}

/* The server's first of the transaction. */
static void load_begin(struct load *load, struct session *session, const struct request *request,
                       bool replica)
{
    if (!session->begun)
        return;
    begin_opens(session, request, replica);
    load_query(load, &session->begin);
    session->begun = false;
}

/* What the session listens to, its server as well, for as long as somebody asks for it there. */
static void load_channels(struct load *load, struct session *session, const struct request *request)
{
    struct buf sql = {0};

    if (hearing_shows(session, request, &sql))
        load_query(load, &sql);
    buf_clear(&sql);
}

static void unload_channels(struct load *load, struct session *session,
                            const struct request *request)
{
    if (!hearing_hides(session, request))
        return;
    write_query(load->scratch, SLICE("UNLISTEN *"));
    owe(load, OWED_QUERY, OWED_SWALLOW, 0);
}

/* The statement of a client that reads its rows as it was told they are, on a server that prepares
 * it only now: they may be others. NULL: nothing is to be compared. */
static const struct message *is_to_compare(const struct session *session,
                                           const struct request *request, struct server *server)
{
    if (request->compared || !request->synced || request->open || session->status == 'E' ||
        session->midway || !request_relies(request))
        return NULL;
    for (unsigned i = 0; i < request->nmessages; i++) {
        const struct message *message = &request->messages[i];

        if (message->type == MSG_BIND && message->named && message->statement &&
            !prepared_has(&server->prepared, message->statement))
            return message;
    }
    return NULL;
}

/* Before anything of the request is sent, which may change rows. */
static void load_comparison(struct load *load, struct request *request,
                            const struct message *message)
{
    request->compared = request->comparing = true;
    make_sure(load, message);
    write_target(load->scratch, MSG_DESCRIBE, 'S', slice_text(message->statement->name));
    owe(load, OWED_DESCRIBE_STATEMENT, OWED_SWALLOW, message->statement->id);
    write_empty(load->scratch, MSG_SYNC);
    owe(load, OWED_SYNC, OWED_SWALLOW, (uint64_t)(uintptr_t)owed_columns);
}

enum outcome enter_relay(struct session *session)
{
    struct request *request = session->request;
    struct server *server = session->take.server;
    struct load load = {.server = server, .scratch = &session->rooms->scratch};
    const struct message *compared;
    bool first;
    bool replica = session->node->role == NODE_REPLICA;

    request->trail.source = replica ? SOURCE_REPLICA : SOURCE_PRIMARY;
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
    if (first) {
        load_settings(&load, session);
        load_sequences(&load, session, request);
        load_channels(&load, session, request);
        load_begin(&load, session, request, replica);
    }
    compared = first ? is_to_compare(session, request, server) : NULL;
    if (compared) {
        load_comparison(&load, request, compared);
        send_load(&load);
        return STEP_WAIT;
    }
    load_spelled(&load, session, request, false);
    if (request->spells)
        prepare_drop(session, request);
    for (unsigned i = 0; i < request->nmessages; i++)
        load_message(&load, request, &request->messages[i]);
    load_spelled(&load, session, request, true);
    unload_channels(&load, session, request);
    inventory_ride(session, request, load.scratch);
    session->passing = request->later;
    session->passing_drop = false;
    if (request->open)
        session->midway = true;
    send_load(&load);
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
    owe(&load, OWED_EXECUTE, OWED_SWALLOW, 0);
    put_sync(&load);
    send_load(&load);
    session->status = 'E';
}

void relay_pass(struct session *session, struct slice bytes)
{
    if (session->take.server)
        stream_send(session->take.server->stream, &bytes, 1);
    session_flow(session);
}
