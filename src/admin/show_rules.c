/* SHOW RULES: the operations in the file's order, how often each was the first that matched, and
 * what each does. */
#include "admin/show_tables.h"
#include "admin/table.h"
#include "base/clock.h"
#include "base/units.h"

#include <time.h>

static const char *const columns[] = {"rule", "line", "hits", "last_match", "shadow", "does"};

enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

static void put_time(struct table *table, int64_t wall)
{
    time_t seconds = wall / CLOCK_SEC;
    char text[32];
    struct tm tm;

    if (wall)
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S+00", gmtime_r(&seconds, &tm));
    table_text(table, wall ? text : NULL);
}

static void put_duration(struct buf *out, const char *what, int64_t ns)
{
    char text[24];

    units_duration_text(ns, text);
    if (ns)
        buf_printf(out, ", %s %s", what, text);
}

static void put_freshness(struct buf *out, const struct operation *operation)
{
    if (operation->freshness == FRESH_BOUND)
        put_duration(out, "freshness", operation->bound);
    else if (operation->freshness == FRESH_UNBOUNDED)
        buf_printf(out, ", freshness unbounded");
}

static const char *wanted_route(const struct operation *operation)
{
    if (operation->prefer == PREFER_NEAREST)
        return "nearest";
    return operation->prefer == PREFER_IDLE ? "least_busy" : route_text(operation->route);
}

/* As the file has it, in the order of its keys. */
static void put_acts(struct table *table, const struct operation *operation)
{
    struct buf out = {0};

    if (operation->deny.sqlstate)
        buf_printf(&out, ", deny %s", operation->deny.sqlstate);
    put_duration(&out, "target", operation->target);
    if (operation->cache)
        buf_printf(&out, ", cache %s", operation->cache->name);
    if (operation->has_route)
        buf_printf(&out, ", route %s", wanted_route(operation));
    put_freshness(&out, operation);
    put_duration(&out, "timeout", operation->timeout);
    if (operation->limit)
        buf_printf(&out, ", limit %u", operation->limit);
    if (operation->log > 0)
        buf_printf(&out, ", log %g%%", operation->log * 100);
    table_slice(table, slice_skip(buf_slice(&out), buf_len(&out) ? 2 : 0));
    buf_clear(&out);
}

void show_rules(const struct admin *admin, unsigned limit, struct buf *out)
{
    const struct rules *rules = admin->gather->rooms->rules;
    struct table table;

    (void)limit;
    table_begin(&table, out, columns, COLUMNS);
    for (unsigned i = 0; i < rules->noperations; i++) {
        const struct operation *operation = &rules->operations[i];

        table_text(&table, operation->name);
        table_count(&table, operation->line);
        table_count(&table, rules->tallies[i].hits);
        put_time(&table, rules->tallies[i].last);
        table_yes(&table, operation->shadow);
        put_acts(&table, operation);
        table_row(&table);
    }
    table_end(&table, "SHOW");
}
