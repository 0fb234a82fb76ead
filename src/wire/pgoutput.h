/* What a logical replication connection with the plugin pgoutput says (PostgreSQL, "Logical
 * Replication Message Formats", protocol version 1, and "Streaming Replication Protocol"). Slices
 * point into what is read. Pure, without allocation. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

/* One CopyData of the stream. */
struct stream_message {
    bool data;           /* XLogData; else a keepalive */
    uint64_t position;   /* keepalive: the server's end of WAL; data: where it starts */
    bool reply;          /* keepalive: the server wants to hear from us at once */
    struct slice change; /* of data */
};
bool stream_read(struct slice bytes, struct stream_message *message);
/* A standby status update: all before `position` need not be kept. `reply`: the server is to answer
 * with a keepalive. */
void stream_put_status(struct buf *out, uint64_t position, int64_t micros, bool reply);

enum change_kind {
    CHANGE_BEGIN = 'B',
    CHANGE_COMMIT = 'C',
    CHANGE_RELATION = 'R',
    CHANGE_INSERT = 'I',
    CHANGE_UPDATE = 'U',
    CHANGE_DELETE = 'D',
    CHANGE_TRUNCATE = 'T',
    CHANGE_MESSAGE = 'M',
    CHANGE_OTHER = 'O', /* of no account: an origin, a type */
};

struct change {
    enum change_kind kind;
    uint32_t xid;              /* BEGIN */
    uint64_t end;              /* COMMIT: behind its record */
    uint32_t relation;         /* RELATION and rows: oid */
    struct slice prefix, text; /* MESSAGE, of pg_logical_emit_message */
    struct slice schema, name; /* RELATION; the schema of pg_catalog is empty */
    uint8_t identity;          /* RELATION: pg_class.relreplident */
    unsigned ncolumns;         /* RELATION */
    struct slice columns;      /* .. for change_column */
    uint8_t had; /* rows: 'K' (key columns), 'O' (the whole row) of `before`; 0: it is not told */
    struct slice before, after; /* rows, for change_value; UPDATE has `after`, DELETE `before` */
    unsigned ntables;           /* TRUNCATE */
    struct slice tables;        /* .. oids of 4 bytes */
};
/* False where it is not of that form. */
bool change_read(struct slice bytes, struct change *change);

struct change_column {
    bool key; /* of the replica identity */
    struct slice name;
};
/* Takes the next off `columns`; false at the end. */
bool change_column(struct slice *columns, struct change_column *column);

/* The value of the column at `place` of a row; false where the row has none that is told: `null`,
 * one stored apart that did not change, or in a form that is not text. */
bool change_value(struct slice row, unsigned place, struct slice *value, bool *null);
