/* A table on its way to a client: columns, then field after field, row after row. All columns are
 * text, as in PostgreSQL's own SHOW. Cannot fail. */
#pragma once

#include "base/buf.h"

enum { TABLE_COLUMNS = 24 };

struct table {
    struct buf *out;
    struct buf bytes; /* of the row being filled */
    struct {
        size_t at;
        long len; /* -1: NULL */
    } fields[TABLE_COLUMNS];
    unsigned filled, columns;
};

void table_begin(struct table *table, struct buf *out, const char *const *names, unsigned columns);
/* The next field of the row. */
void table_text(struct table *table, const char *text); /* NULL: NULL */
void table_slice(struct table *table, struct slice text);
void table_printf(struct table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void table_count(struct table *table, uint64_t value);
void table_yes(struct table *table, bool value);      /* "yes" or "no" */
void table_ms(struct table *table, int64_t ns);       /* "12.345" milliseconds; negative: NULL */
void table_share(struct table *table, double of_one); /* "99.50" per cent; negative: NULL */
/* The row is full: every column has been given. */
void table_row(struct table *table);
/* CommandComplete, and the table's memory goes. */
void table_end(struct table *table, const char *tag);
