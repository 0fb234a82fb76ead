/* SHOW POOLS and SHOW SERVERS: what we have of PostgreSQL, and who waits for it. */
#include "admin/show_tables.h"
#include "admin/table.h"

struct walk {
    struct table table;
    const char *database;
    int64_t now;
};

static void pool_line(void *with, const struct pool_figures *figures)
{
    struct walk *walk = with;
    struct table *table = &walk->table;

    table_text(table, walk->database);
    table_text(table, figures->place->node);
    table_text(table, figures->place->dbname);
    table_text(table, figures->place->user);
    table_count(table, figures->size);
    table_count(table, figures->idle);
    table_count(table, figures->taken);
    table_count(table, figures->logins);
    table_count(table, figures->waiting);
    table_ms(table, figures->longest_wait);
    table_count(table, figures->takes);
    table_count(table, figures->waits);
    table_ms(table, (int64_t)figures->wait_ns);
    table_count(table, figures->timeouts);
    table_count(table, figures->login_failures);
    table_count(table, figures->servers_made);
    table_row(table);
}

void show_pools(const struct admin *admin, unsigned limit, struct buf *out)
{
    static const char *const columns[] = {
        "database",       "node",        "dbname",          "user",  "size",  "idle",    "taken",
        "logins",         "waiting",     "longest_wait_ms", "takes", "waits", "wait_ms", "timeouts",
        "login_failures", "servers_made"};
    const struct rooms *rooms = admin->gather->rooms;
    struct walk walk;

    (void)limit;
    table_begin(&walk.table, out, columns, sizeof(columns) / sizeof(columns[0]));
    for (unsigned i = 0; i < rooms->ndatabases; i++) {
        walk.database = rooms->databases[i].name;
        if (rooms->databases[i].pools)
            pool_set_each(rooms->databases[i].pools, pool_line, &walk);
    }
    table_end(&walk.table, "SHOW");
}

static void server_line(void *with, const struct pool_place *place, const struct server *server)
{
    struct walk *walk = with;
    struct table *table = &walk->table;
    bool ready = server->status == 'I' || server->status == 'T' || server->status == 'E';

    table_count(table, server->number);
    table_text(table, walk->database);
    table_text(table, place->node);
    table_text(table, place->dbname);
    table_text(table, place->user);
    table_text(table, server_state_text(server->state));
    table_count(table, server->pid);
    if (ready)
        table_printf(table, "%c", server->status);
    else
        table_text(table, NULL);
    table_count(table, server->prepared.count);
    table_count(table, server->queries);
    table_ms(table, walk->now - server->made);
    table_ms(table, walk->now - server->since);
    table_row(table);
}

void show_servers(const struct admin *admin, unsigned limit, struct buf *out)
{
    static const char *const columns[] = {"number",   "database", "node",   "dbname",
                                          "user",     "state",    "pid",    "status",
                                          "prepared", "requests", "age_ms", "state_ms"};
    const struct rooms *rooms = admin->gather->rooms;
    struct walk walk = {.now = loop_now(rooms->loop)};

    (void)limit;
    table_begin(&walk.table, out, columns, sizeof(columns) / sizeof(columns[0]));
    for (unsigned i = 0; i < rooms->ndatabases; i++) {
        walk.database = rooms->databases[i].name;
        if (rooms->databases[i].pools)
            pool_set_servers(rooms->databases[i].pools, server_line, &walk);
    }
    table_end(&walk.table, "SHOW");
}
