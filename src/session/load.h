/* What goes to a server in one send, and what the server then owes. Small messages are copied
 * together, large ones are pointed at. */
#pragma once

#include "pool/server.h"
#include "session/request.h"

/* The name of a statement that no server has. */
#define NOBODY "(of nobody here)"

enum { LOAD_PARTS = 64 };

struct load {
    struct server *server;
    bool unsure; /* what its unnamed statement is: a Parse before this request may yet be skipped */
    struct buf *scratch; /* the end of the load, to be written to */
    /* private */
    size_t sent; /* of scratch: up to here it is in parts */
    struct {
        const uint8_t *at; /* NULL: in scratch at `from` */
        size_t from, len;
    } parts[LOAD_PARTS];
    unsigned count;
};

/* Bytes that stay where they are until load_send. */
void load_put(struct load *load, struct slice bytes);
/* There is room for two parts more, with nothing between them. */
void load_make_room(struct load *load);
void load_send(struct load *load);
/* An answer that the server will give; `about`: a statement's id, or one of owed_x. */
void load_owe(struct load *load, enum owed_kind kind, enum owed_fate fate, uint64_t about);

/* A Sync whose answer is ours. */
void load_sync(struct load *load);
/* A Query of settings, whose answer is ours. */
void load_query(struct load *load, const struct buf *sql);

/* The Parse of a statement, under its own name or none. */
void load_statement(struct load *load, struct statement *statement, bool named,
                    enum owed_fate fate);
/* The same for one that SQL's PREPARE made, under any name as it is written in SQL. */
void load_by_sql(struct load *load, struct statement *statement, struct slice name);
/* load_by_sql's own statement, should the PREPARE have failed, is to be closed behind a Sync. */
void load_end_by_sql(struct load *load);
/* The server has it from now on: the oldest goes along to be closed if that is one too many. */
void load_note_prepared(struct load *load, struct statement *statement);
/* The statement that the message speaks of is there, when the message comes. */
bool load_has(struct load *load, const struct message *message);
/* The server has not seen what the message speaks of: it is told first, in the same packet. */
void load_make_sure(struct load *load, const struct message *message);
