/* SHOW CLIENTS: who is connected, and what they are doing. */
#include "admin/show_tables.h"
#include "admin/table.h"
#include "session/session.h"

struct walk {
    struct table table;
    int64_t now;
};

static void line(void *with, const struct session_figures *figures)
{
    struct walk *walk = with;
    struct table *table = &walk->table;

    table_count(table, figures->number);
    table_text(table, figures->user);
    table_text(table, figures->database);
    table_text(table, figures->application_name);
    table_text(table, figures->peer);
    table_text(table, figures->state);
    table_ms(table, walk->now - figures->since);
    table_text(table, figures->pinned);
    table_count(table, figures->requests);
    table_ms(table, walk->now - figures->connected);
    table_text(table, figures->node);
    if (figures->node)
        table_count(table, figures->server_pid);
    else
        table_text(table, NULL);
    table_count(table, figures->queued);
    table_row(table);
}

void show_clients(const struct admin *admin, unsigned limit, struct buf *out)
{
    static const char *const columns[] = {"number",      "user",   "database", "application_name",
                                          "peer",        "state",  "state_ms", "pinned",
                                          "requests",    "age_ms", "node",     "server_pid",
                                          "queued_bytes"};
    struct rooms *rooms = admin->gather->rooms;
    struct walk walk = {.now = loop_now(rooms->loop)};

    (void)limit;
    table_begin(&walk.table, out, columns, sizeof(columns) / sizeof(columns[0]));
    session_each(rooms, line, &walk);
    table_end(&walk.table, "SHOW");
}
