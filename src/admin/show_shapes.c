/* SHOW SHAPES: what is really running, most time first, and why it is or is not cached. */
#include "admin/show_tables.h"
#include "admin/table.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>

struct noted {
    struct database *database;
    struct known_shape *known;
};

static int compare(const void *a, const void *b)
{
    const struct known_shape *x = ((const struct noted *)a)->known;
    const struct known_shape *y = ((const struct noted *)b)->known;

    if (x->total_ns != y->total_ns)
        return x->total_ns > y->total_ns ? -1 : 1;
    return x->calls == y->calls ? 0 : x->calls > y->calls ? -1 : 1;
}

static unsigned note(struct rooms *rooms, struct noted **noted)
{
    unsigned count = 0, total = 0;

    for (unsigned i = 0; i < rooms->ndatabases; i++)
        total += (unsigned)rooms->databases[i].shapes.map.count;
    *noted = mem_array(total + 1, sizeof(**noted));
    for (unsigned i = 0; i < rooms->ndatabases; i++) {
        struct database *database = &rooms->databases[i];

        RING_EACH(link, after, &database->shapes.recent)
        {
            if (count < total)
                (*noted)[count++] =
                    (struct noted){database, RING_OF(link, struct known_shape, recent)};
        }
    }
    qsort(*noted, count, sizeof(**noted), compare);
    return count;
}

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

static void line(struct table *table, struct database *database, struct known_shape *known)
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
    table_row(table);
}

void show_shapes(const struct admin *admin, unsigned limit, struct buf *out)
{
    static const char *const columns[] = {
        "database", "shape",           "calls", "hits", "rows",      "bytes",      "total_ms",
        "p50_ms",   "p99_ms",          "kind",  "does", "operation", "may_run_on", "primary_reason",
        "cached",   "uncached_reason", "text"};
    struct table table;
    struct noted *noted;
    unsigned count = note(admin->gather->rooms, &noted);

    table_begin(&table, out, columns, sizeof(columns) / sizeof(columns[0]));
    for (unsigned i = 0; i < count && i < limit; i++)
        line(&table, noted[i].database, noted[i].known);
    mem_free(noted);
    table_end(&table, "SHOW");
}
