#include "session/feed_rows.h"

#include "base/mem.h"

/* A transaction that changes more rows of one table is told as one that changes all of it. */
enum { ROWS_MAX = 256 };

/* A table that changes came of. */
struct published {
    uint32_t oid;
    char *schema, *name;
    struct buf columns; /* as change_column reads them */
    unsigned rows;      /* that the transaction has changed */
};

/* ---- tables ---- */

static struct published *published_at(struct feed_rows *rows, unsigned *count)
{
    *count = (unsigned)(buf_len(&rows->published) / sizeof(struct published));
    return (struct published *)(void *)(rows->published.at + rows->published.head);
}

static struct published *find_published(struct feed_rows *rows, uint32_t oid)
{
    unsigned count;
    struct published *all = published_at(rows, &count);

    for (unsigned i = 0; i < count; i++)
        if (all[i].oid == oid)
            return &all[i];
    return NULL;
}

static void clear_published(struct published *published)
{
    mem_free(published->schema);
    mem_free(published->name);
    buf_clear(&published->columns);
}

static void forget_published(struct feed_rows *rows)
{
    unsigned count;
    struct published *all = published_at(rows, &count);

    for (unsigned i = 0; i < count; i++)
        clear_published(&all[i]);
    buf_clear(&rows->published);
}

void feed_rows_relation(struct feed_rows *rows, const struct change *change)
{
    struct published *known = find_published(rows, change->relation);
    struct published now = {.oid = change->relation, .rows = known ? known->rows : 0};

    now.schema = change->schema.len ? mem_text((const char *)change->schema.at, change->schema.len)
                                    : mem_text("pg_catalog", 10);
    now.name = mem_text((const char *)change->name.at, change->name.len);
    buf_put_slice(&now.columns, change->columns);
    if (!known) {
        buf_put(&rows->published, &now, sizeof(now));
        return;
    }
    clear_published(known);
    *known = now;
}

/* ---- rows, worded as the triggers of sql/feed.sql word them ---- */

static void put_quoted(struct buf *out, struct slice text, char quote)
{
    buf_put(out, &quote, 1);
    for (size_t i = 0; i < text.len; i++) {
        buf_put(out, &text.at[i], 1);
        if (text.at[i] == (uint8_t)quote)
            buf_put(out, &quote, 1);
    }
    buf_put(out, &quote, 1);
}

static void put_table(struct buf *out, const struct published *published)
{
    put_quoted(out, slice_text(published->schema), '"');
    buf_put(out, ".", 1);
    put_quoted(out, slice_text(published->name), '"');
}

/* Where it is among the columns; -1: nowhere. */
static int place_of(const struct published *published, const char *name, bool *key)
{
    struct slice rest = buf_slice(&published->columns);
    struct change_column column;

    for (int place = 0; change_column(&rest, &column); place++)
        if (slice_is(column.name, name)) {
            *key = column.key;
            return place;
        }
    return -1;
}

/* What a column was and is, as far as the change tells. */
struct told_values {
    struct slice values[2];
    unsigned count;
};

static bool take_value(struct told_values *told, struct slice row, unsigned place)
{
    bool null;
    bool there = change_value(row, place, &told->values[told->count], &null);

    told->count += there;
    return there || null;
}

/* False where it may have had another value. A row of which nothing is told as it was has the key
 * that it had. */
static bool tell_values(const struct change *change, unsigned place, bool key,
                        struct told_values *told)
{
    told->count = 0;
    if (change->kind != CHANGE_DELETE && !take_value(told, change->after, place))
        return false;
    if (change->kind == CHANGE_INSERT)
        return true;
    if (change->had == 'O' || (change->had == 'K' && key))
        return take_value(told, change->before, place);
    return change->kind == CHANGE_UPDATE && !change->had && key;
}

static void put_dimension(struct feed_rows *rows, const struct published *published,
                          const char *name, const struct change *change, bool *any)
{
    struct buf *out = &rows->statement;
    struct told_values told;
    bool key = false;
    int place = place_of(published, name, &key);

    if (place < 0 || !tell_values(change, (unsigned)place, key, &told) || told.count == 0)
        return;
    buf_printf(out, *any ? " AND " : " WHERE ");
    put_quoted(out, slice_text(name), '"');
    buf_printf(out, " IN (");
    for (unsigned i = 0; i < told.count; i++) {
        if (i)
            buf_put(out, ",", 1);
        put_quoted(out, told.values[i], '\'');
    }
    buf_printf(out, ")");
    *any = true;
}
/* False: it is not understood, and counts as everything. */
static bool touch_worded(struct feed_rows *rows, struct touch *touch)
{
    return touch_statement(touch, buf_slice(&rows->statement));
}

static void begin_statement(struct feed_rows *rows, const char *verb,
                            const struct published *published)
{
    buf_take(&rows->statement, buf_len(&rows->statement));
    buf_printf(&rows->statement, "%s ", verb);
    if (published)
        put_table(&rows->statement, published);
}

static bool touch_row(struct feed_rows *rows, const struct change *change, struct touch *touch)
{
    struct published *published = find_published(rows, change->relation);
    const struct relation *relation;
    bool any = false;

    if (published && published->rows++ > ROWS_MAX)
        return true;
    begin_statement(rows, "UPDATE", published);
    if (!published)
        return touch_worded(rows, touch);
    buf_printf(&rows->statement, " SET pgtier_feed = 0");
    relation = rules_relation(rows->database->rooms->rules, published->schema, published->name);
    for (unsigned i = 0; relation && published->rows <= ROWS_MAX && i < relation->ndimensions; i++)
        put_dimension(rows, published, relation->dimensions[i], change, &any);
    return touch_worded(rows, touch);
}

static bool touch_truncated(struct feed_rows *rows, const struct change *change,
                            struct touch *touch)
{
    bool understood = true;

    for (unsigned i = 0; i < change->ntables; i++) {
        const uint8_t *at = change->tables.at + 4 * (size_t)i;
        uint32_t oid = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];

        begin_statement(rows, "TRUNCATE", find_published(rows, oid));
        understood &= touch_worded(rows, touch);
    }
    return understood;
}

bool feed_rows_touch(struct feed_rows *rows, const struct change *change, struct touch *touch)
{
    return change->kind == CHANGE_TRUNCATE ? touch_truncated(rows, change, touch)
                                           : touch_row(rows, change, touch);
}

void feed_rows_end(struct feed_rows *rows)
{
    unsigned count;
    struct published *all = published_at(rows, &count);

    for (unsigned i = 0; i < count; i++)
        all[i].rows = 0;
}

void feed_rows_clear(struct feed_rows *rows)
{
    forget_published(rows);
    buf_clear(&rows->statement);
}
