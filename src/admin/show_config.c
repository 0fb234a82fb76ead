/* SHOW CONFIG and SHOW VERSION: what runs, and with which settings. */
#include "admin/show_tables.h"
#include "admin/table.h"
#include "base/clock.h"

#include <time.h>

static void line(void *with, const char *key, const char *value, const char *preset,
                 const char *reload)
{
    struct table *table = with;

    table_text(table, key);
    table_text(table, value);
    table_text(table, preset);
    table_text(table, reload);
    table_row(table);
}

void show_config(const struct admin *admin, unsigned limit, struct buf *out)
{
    static const char *const columns[] = {"key", "value", "default", "applies"};
    struct table table;

    (void)limit;
    table_begin(&table, out, columns, 4);
    admin->settings(admin->owner, line, &table);
    table_end(&table, "SHOW");
}

void show_version(const struct admin *admin, unsigned limit, struct buf *out)
{
    static const char *const columns[] = {"version", "started", "uptime_s"};
    time_t started = (time_t)(admin->gather->started / CLOCK_SEC);
    struct table table;
    struct tm utc;
    char text[32];

    (void)limit;
    gmtime_r(&started, &utc);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S+00", &utc);
    table_begin(&table, out, columns, 3);
    table_printf(&table, "pgtier %s", admin->gather->version);
    table_text(&table, text);
    table_count(&table, (uint64_t)((clock_wall() - admin->gather->started) / CLOCK_SEC));
    table_row(&table);
    table_end(&table, "SHOW");
}
