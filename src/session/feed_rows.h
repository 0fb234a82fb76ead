/* Rows that the WAL tells of, worded as the triggers of sql/feed.sql word them: an UPDATE that
 * nobody runs, judged as any other statement. */
#pragma once

#include "session/touch.h"
#include "wire/pgoutput.h"

/* In the owner's storage; zeroed but for the database. */
struct feed_rows {
    struct database *database;
    /* private */
    struct buf published, statement;
};

/* A table of which rows follow. */
void feed_rows_relation(struct feed_rows *rows, const struct change *change);
/* INSERT, UPDATE, DELETE, TRUNCATE. False: it is not understood, and counts as everything. */
bool feed_rows_touch(struct feed_rows *rows, const struct change *change, struct touch *touch);
/* Their transaction is over. */
void feed_rows_end(struct feed_rows *rows);
/* The stream is; what comes next tells its tables anew. */
void feed_rows_clear(struct feed_rows *rows);
