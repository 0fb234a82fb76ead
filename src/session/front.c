/* What stands in front of a session's request in the same packet, so that its server is as the
 * session takes it to be: settings, sequences, channels, BEGIN, names that a text speaks of; and
 * the question for columns, on whose answer it depends whether the request is sent. */
#include "session/front.h"

#include "session/conversation.h"
#include "session/inventory.h"
#include "session/prepare.h"
#include "wire/types.h"
#include "wire/write.h"

const char owed_settings[] = "settings", owed_columns[] = "columns";

/* In a transaction a RESET has gone to the server's own values, not to those that the client came
 * with. */
static void put_startup(struct load *load, struct session *session)
{
    struct buf sql = {0};

    if (vars_match_some(&load->server->vars, &session->rewound, &sql))
        load_query(load, &sql);
    vars_clear(&session->rewound);
    buf_clear(&sql);
}

/* What is set next is read in this encoding: it is set by itself, and first. */
static void put_encoding(struct load *load, struct session *session)
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
static void put_settings(struct load *load, struct session *session)
{
    struct server *server = load->server;
    struct buf sql = {0};

    if (server->status == 'T' && session->rewound.count && !session->midway)
        put_startup(load, session);
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
        put_encoding(load, session);
        vars_match(&server->vars, &session->vars, &sql);
    }
    if (buf_len(&sql))
        load_query(load, &sql);
    buf_clear(&sql);
    server->matched = session->wanted;
}

/* What another session's nextval has left is nobody else's: neither for who asks, nor for who will,
 * where anybody is known to ask. */
static void put_sequences(struct load *load, struct session *session, const struct request *request)
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
static void put_begin(struct load *load, struct session *session, const struct request *request)
{
    if (!session->begun)
        return;
    begin_opens(session, request, session->node->role == NODE_REPLICA);
    load_query(load, &session->begin);
    session->begun = false;
}

/* What the session listens to, its server as well, for as long as somebody asks for it there. */
static void put_channels(struct load *load, struct session *session, const struct request *request)
{
    struct buf sql = {0};

    if (hearing_shows(session, request, &sql))
        load_query(load, &sql);
    buf_clear(&sql);
}

void front_take_back(struct load *load, struct session *session, const struct request *request)
{
    if (!hearing_hides(session, request))
        return;
    write_query(load->scratch, SLICE("UNLISTEN *"));
    load_owe(load, OWED_QUERY, OWED_SWALLOW, 0);
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
static void put_comparison(struct load *load, struct request *request,
                           const struct message *message)
{
    request->compared = request->comparing = true;
    load_make_sure(load, message);
    write_target(load->scratch, MSG_DESCRIBE, 'S', slice_text(message->statement->name));
    load_owe(load, OWED_DESCRIBE_STATEMENT, OWED_SWALLOW, message->statement->id);
    write_empty(load->scratch, MSG_SYNC);
    load_owe(load, OWED_SYNC, OWED_SWALLOW, (uint64_t)(uintptr_t)owed_columns);
}

void front_put(struct load *load, struct session *session, const struct request *request)
{
    put_settings(load, session);
    put_sequences(load, session, request);
    put_channels(load, session, request);
    put_begin(load, session, request);
}

bool front_compare(struct load *load, const struct session *session, struct request *request)
{
    const struct message *message = is_to_compare(session, request, load->server);

    if (message)
        put_comparison(load, request, message);
    return message;
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
        load_owe(load, OWED_CLOSE, OWED_SWALLOW, 0);
    } else if (statement->body) {
        if (spelling->request->asks_names && is_plain(name))
            buf_put_slice(&quoted, name);
        else
            put_quoted(&quoted, name);
        load_by_sql(load, statement, buf_slice(&quoted));
        buf_clear(&quoted);
        /* One that can't be prepared any more takes none of the others with it. */
        load_sync(load);
        load_end_by_sql(load);
    } else {
        write_parse(load->scratch, name, statement->text, statement->oids);
        load_owe(load, OWED_PARSE, OWED_SWALLOW, 0);
        load_sync(load);
    }
}

/* What the server has of ours is out of sight: it is told again where it is needed. */
static void put_bare(struct load *load)
{
    struct buf sql = {0};

    buf_printf(&sql, "DEALLOCATE ALL");
    load_query(load, &sql);
    buf_clear(&sql);
    server_forget_statements(load->server);
}

/* The names that occur in it are the server's as well while it runs. */
void front_spell(struct load *load, struct session *session, const struct request *request,
                 bool ends)
{
    struct spelling spelling = {load, request, ends};

    if ((!request->spells && !request->asks_names) || request->open || session->midway ||
        session->status == 'E' || (!request->spells && session->status != 'I'))
        return;
    if (request->asks_names && !ends)
        put_bare(load);
    names_each(&session->names, spell, &spelling);
    load_sync(load);
}
