/* Collects the fields of one row, then writes it. */
#include "admin/table.h"

#include "wire/write.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void table_begin(struct table *table, struct buf *out, const char *const *names, unsigned columns)
{
    assert(columns <= TABLE_COLUMNS);
    *table = (struct table){.out = out, .columns = columns};
    write_columns(out, names, columns);
}

static void field(struct table *table, const char *text, size_t len)
{
    assert(table->filled < table->columns);
    table->fields[table->filled].at = buf_len(&table->bytes);
    table->fields[table->filled++].len = text ? (long)len : -1;
    if (text)
        buf_put(&table->bytes, text, len);
}

void table_text(struct table *table, const char *text)
{
    field(table, text, text ? strlen(text) : 0);
}

void table_slice(struct table *table, struct slice text)
{
    field(table, text.len ? (const char *)text.at : "", text.len);
}

void table_printf(struct table *table, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    table_text(table, text);
}

void table_count(struct table *table, uint64_t value)
{
    table_printf(table, "%" PRIu64, value);
}

void table_yes(struct table *table, bool value)
{
    table_text(table, value ? "yes" : "no");
}

void table_ms(struct table *table, int64_t ns)
{
    if (ns < 0)
        table_text(table, NULL);
    else
        table_printf(table, "%.3f", (double)ns / 1e6);
}

void table_share(struct table *table, double of_one)
{
    if (of_one < 0)
        table_text(table, NULL);
    else
        table_printf(table, "%.2f", of_one * 100);
}

void table_row(struct table *table)
{
    struct slice fields[TABLE_COLUMNS];
    const uint8_t *bytes = buf_slice(&table->bytes).at;

    assert(table->filled == table->columns);
    for (unsigned i = 0; i < table->columns; i++) {
        if (table->fields[i].len < 0)
            fields[i] = slice_of(NULL, 0);
        else if (table->fields[i].len == 0)
            fields[i] = SLICE("");
        else
            fields[i] = slice_of(bytes + table->fields[i].at, (size_t)table->fields[i].len);
    }
    write_row(table->out, fields, table->columns);
    buf_take(&table->bytes, buf_len(&table->bytes));
    table->filled = 0;
}

void table_end(struct table *table, const char *tag)
{
    buf_clear(&table->bytes);
    write_complete(table->out, tag);
}
