/* SHOW TARGETS: what was promised beside what was measured. */
#include "admin/show_tables.h"
#include "admin/table.h"
#include "base/units.h"
#include "stats/targets.h"

static const char *const columns[] = {
    "operation", "tier",     "source", "target_ms", "count",
    "p50_ms",    "p95_ms",   "p99_ms", "max_ms",    "within_target_pct",
    "target",    "measured", "met"};

enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

/* A target that is a share has no times; one without requests has no percentiles. */
static void times(struct table *table, const struct target_line *line)
{
    bool none = line->count == 0 || line->ratio > 0;

    table_ms(table, none ? -1 : (int64_t)line->p50);
    table_ms(table, none ? -1 : (int64_t)line->p95);
    table_ms(table, none ? -1 : (int64_t)line->p99);
    table_ms(table, none ? -1 : (int64_t)line->max);
    table_share(table, line->ratio > 0 ? -1 : line->measured);
}

/* Target and measure in words of their own unit: a duration and the p95, or two shares. */
static void words(struct table *table, const struct target_line *line)
{
    char text[24];

    if (line->ratio > 0) {
        table_printf(table, "%g%%", line->ratio * 100);
        if (line->measured >= 0)
            table_printf(table, "%.2f%%", line->measured * 100);
        else
            table_text(table, NULL);
        return;
    }
    if (line->target > 0)
        units_duration_text(line->target, text);
    table_text(table, line->target > 0 ? text : NULL);
    if (line->count > 0)
        units_duration_text((int64_t)line->p95, text);
    table_text(table, line->count > 0 ? text : NULL);
}

static void put(void *with, const struct target_line *line)
{
    struct table *table = with;

    table_text(table, line->operation);
    table_text(table, line->tier);
    table_text(table, line->source);
    table_ms(table, line->target > 0 ? line->target : -1);
    table_count(table, line->count);
    times(table, line);
    words(table, line);
    table_text(table, line->met < 0 ? NULL : line->met ? "yes" : "no");
    table_row(table);
}

void show_targets(const struct admin *admin, unsigned limit, struct buf *out)
{
    const struct gather *gather = admin->gather;
    struct table table;

    (void)limit;
    table_begin(&table, out, columns, COLUMNS);
    targets_each(&gather->targets, gather->rooms->rules, gather->meter, put, &table);
    table_end(&table, "SHOW");
}
