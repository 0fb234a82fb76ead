/* Writes messages for a server and notes what it owes for them. A statement goes to it under the
 * name that it has for all clients. Does not decide what is sent. */
#include "session/load.h"

#include "session/conversation.h"
#include "wire/types.h"
#include "wire/write.h"

enum { COPY_UNDER = 4096 };

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

void load_send(struct load *load)
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

void load_make_room(struct load *load)
{
    if (load->count + 2 >= LOAD_PARTS)
        load_send(load);
}

void load_put(struct load *load, struct slice bytes)
{
    if (bytes.len < COPY_UNDER) {
        buf_put_slice(load->scratch, bytes);
        return;
    }
    load_make_room(load);
    close_run(load);
    load->parts[load->count].at = bytes.at;
    load->parts[load->count++].len = bytes.len;
}

void load_owe(struct load *load, enum owed_kind kind, enum owed_fate fate, uint64_t about)
{
    owed_add(&load->server->owed, kind, fate, (void *)(uintptr_t)about);
}

/* One statement too many: the oldest goes along to be closed. */
void load_note_prepared(struct load *load, struct statement *statement)
{
    struct statement *oldest = prepared_add(&load->server->prepared, statement);

    if (!oldest)
        return;
    write_target(load->scratch, MSG_CLOSE, 'S', slice_text(oldest->name));
    load_owe(load, OWED_CLOSE, OWED_SWALLOW, 0);
    statement_unref(oldest);
}

static const struct slice own = {(const uint8_t *)"pgtier_prepare", 14};

/* What PREPARE made is told by PREPARE again, whose types are names: behind an Execute of the
 * extended protocol, which ends no batch. */
void load_by_sql(struct load *load, struct statement *statement, struct slice name)
{
    struct buf sql = {0};
    size_t begin;

    buf_printf(&sql, "PREPARE ");
    buf_put_slice(&sql, name);
    buf_put_slice(&sql, statement->text);
    write_parse(load->scratch, own, buf_slice(&sql), SLICE(""));
    load_owe(load, OWED_PARSE, OWED_SWALLOW, 0);
    write_bind(load->scratch, own, own, slice_of("\0\0\0\0\0\0", 6), 0);
    load_owe(load, OWED_BIND, OWED_SWALLOW, 0);
    begin = write_begin(load->scratch, MSG_EXECUTE);
    write_cstr(load->scratch, own);
    write_u32(load->scratch, 0);
    write_end(load->scratch, begin);
    load_owe(load, OWED_EXECUTE, OWED_SWALLOW, slice_is(name, statement->name) ? statement->id : 0);
    write_target(load->scratch, MSG_CLOSE, 'P', own);
    load_owe(load, OWED_CLOSE, OWED_SWALLOW, 0);
    write_target(load->scratch, MSG_CLOSE, 'S', own);
    load_owe(load, OWED_CLOSE, OWED_SWALLOW, 0);
    buf_clear(&sql);
}

void load_sync(struct load *load)
{
    write_empty(load->scratch, MSG_SYNC);
    load_owe(load, OWED_SYNC, OWED_SWALLOW, 0);
}

void load_end_by_sql(struct load *load)
{
    write_target(load->scratch, MSG_CLOSE, 'S', own);
    load_owe(load, OWED_CLOSE, OWED_SWALLOW, 0);
}

void load_query(struct load *load, const struct buf *sql)
{
    write_query(load->scratch, buf_slice(sql));
    load_owe(load, OWED_QUERY, OWED_SWALLOW, (uint64_t)(uintptr_t)owed_settings);
    server_set_unnamed(load->server, NULL);
}

void load_statement(struct load *load, struct statement *statement, bool named, enum owed_fate fate)
{
    if (statement->body) {
        load_by_sql(load, statement, slice_text(statement->name));
        load_note_prepared(load, statement);
        return;
    }
    write_parse(load->scratch, named ? slice_text(statement->name) : SLICE(""), statement->text,
                statement->oids);
    load_owe(load, OWED_PARSE, fate, named ? statement->id : 0);
    if (named)
        load_note_prepared(load, statement);
    else
        server_set_unnamed(load->server, statement);
    load->unsure &= named;
}

bool load_has(struct load *load, const struct message *message)
{
    return message->named ? prepared_has(&load->server->prepared, message->statement)
                          : load->server->unnamed == message->statement && !load->unsure;
}

/* The server has not seen what the message speaks of: it is told first, in the same packet. */
void load_make_sure(struct load *load, const struct message *message)
{
    if (!load_has(load, message))
        load_statement(load, message->statement, message->named, OWED_SWALLOW);
}
