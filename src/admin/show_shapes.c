/* SHOW SHAPES: what is really running, most time first, and why it is or is not cached. */
#include "admin/shape_list.h"
#include "admin/show_tables.h"
#include "admin/table.h"
#include "base/mem.h"

#include <inttypes.h>

/* The kinds of its statements, each once in a row: "begin, update, commit". */
static void kinds(struct table *table, const struct shape *shape)
{
    struct buf text = {0};

    for (unsigned i = 0; i < shape->nstatements && i < 8; i++)
        buf_printf(&text, "%s%s", i ? ", " : "",
                   statement_kind_text((enum statement_kind)shape->statements[i]));
    if (shape->nstatements > 8)
        buf_printf(&text, ", ...");
    table_slice(table, buf_slice(&text));
    buf_clear(&text);
}

static uint32_t largest_under(const uint32_t *counts, uint32_t bound)
{
    uint32_t most = 0;

    for (unsigned i = 0; i < PLAN_REASON_COUNT; i++)
        if (counts[i] < bound && counts[i] > most)
            most = counts[i];
    return most;
}

/* "write_pending 12, lag 3", the most first. */
static void put_counts(struct table *table, const uint32_t *counts)
{
    uint32_t last = UINT32_MAX, most;
    struct buf text = {0};

    /* Those of equal counts are told together. */
    while ((most = largest_under(counts, last))) {
        for (unsigned i = 0; i < PLAN_REASON_COUNT; i++)
            if (counts[i] == most)
                buf_printf(&text, "%s%s %u", buf_len(&text) ? ", " : "",
                           plan_reason_code((enum plan_reason)i), most);
        last = most;
    }
    if (buf_len(&text))
        table_slice(table, buf_slice(&text));
    else
        table_text(table, NULL);
    buf_clear(&text);
}

/* Who answered, and all reasons that there were, with how often. */
static void counts(struct table *table, const struct meter_shape *seen)
{
    table_count(table, seen ? seen->sources[SOURCE_REPLICA] : 0);
    table_count(table, seen ? seen->sources[SOURCE_PRIMARY] : 0);
    if (!seen) {
        table_text(table, NULL);
        table_text(table, NULL);
        return;
    }
    put_counts(table, seen->primary_by);
    put_counts(table, seen->uncached_by);
}

/* What the latest request met; of a shape that was never asked for, what its plan says. */
static void verdict(struct table *table, const struct plan *plan, const struct known_shape *known)
{
    const struct meter_shape *seen = known->histogram;
    enum plan_reason primary = seen ? seen->primary : plan->primary;
    enum plan_reason uncached = seen ? seen->uncached : plan->uncached;
    bool anywhere = plan->primary == PLAN_NONE && !known->not_on_standby;

    table_text(table, plan->read ? "read" : "write");
    table_text(table, seen ? seen->operation : NULL);
    table_text(table, anywhere ? "any" : "primary");
    table_text(table, primary == PLAN_NONE ? NULL : plan_reason_code(primary));
    table_yes(table, uncached == PLAN_NONE);
    table_text(table, uncached == PLAN_NONE ? NULL : plan_reason_code(uncached));
}

/* Where a session of its own path has its names looked for. */
static void path(struct table *table, const struct search_path *path)
{
    struct buf text = {0};

    for (unsigned i = 0; path && i < path->nschemas; i++)
        buf_printf(&text, "%s%s", i ? ", " : "", path->schemas[i]);
    buf_put(&text, "", 1);
    table_text(table, path ? (const char *)buf_slice(&text).at : NULL);
    buf_clear(&text);
}

static void line(struct table *table, struct database *database, struct known_shape *known,
                 uint64_t all_ns)
{
    const struct meter_shape *seen = known->histogram;
    const struct plan *plan = database_plan(database, known);

    table_text(table, database->name);
    table_printf(table, "%016" PRIx64, known->shape->hash.high);
    table_count(table, known->calls);
    table_count(table, known->hits);
    table_count(table, known->rows);
    table_count(table, known->bytes);
    table_ms(table, (int64_t)known->total_ns);
    table_ms(table, seen ? (int64_t)histo_quantile(&seen->times, 0.50) : -1);
    table_ms(table, seen ? (int64_t)histo_quantile(&seen->times, 0.99) : -1);
    kinds(table, known->shape);
    verdict(table, plan, known);
    table_text(table, known->shape->text);
    table_share(table, all_ns ? (double)known->total_ns / (double)all_ns : -1);
    counts(table, seen);
    path(table, known->path);
    table_row(table);
}

void show_shapes(const struct admin *admin, unsigned limit, struct buf *out)
{
    static const char *const columns[] = {"database",
                                          "shape",
                                          "calls",
                                          "hits",
                                          "rows",
                                          "bytes",
                                          "total_ms",
                                          "p50_ms",
                                          "p99_ms",
                                          "kind",
                                          "does",
                                          "operation",
                                          "may_run_on",
                                          "primary_reason",
                                          "cached",
                                          "uncached_reason",
                                          "text",
                                          "time_pct",
                                          "replica",
                                          "primary",
                                          "primary_reasons",
                                          "uncached_reasons",
                                          "search_path"};
    struct table table;
    struct shape_list list = shape_list(admin->gather->rooms);

    table_begin(&table, out, columns, sizeof(columns) / sizeof(columns[0]));
    for (unsigned i = 0; i < list.count && i < limit; i++)
        line(&table, list.at[i].database, list.at[i].known, list.total_ns);
    mem_free(list.at);
    table_end(&table, "SHOW");
}
