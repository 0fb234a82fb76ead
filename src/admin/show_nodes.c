/* SHOW NODES: the hosts behind every database, as their last poll left them. */
#include "admin/show_tables.h"
#include "admin/table.h"

#include <inttypes.h>

static void line(struct table *table, const char *database, const struct node *node, int64_t now)
{
    table_text(table, database);
    table_text(table, node->name);
    table_text(table, node->role == NODE_PRIMARY ? "primary" : "replica");
    table_printf(table, "%d", node->priority);
    table_text(table, node->location);
    table_yes(table, node->up);
    if (node->lsn > 0)
        table_printf(table, "%" PRIX32 "/%" PRIX32, (uint32_t)(node->lsn >> 32),
                     (uint32_t)node->lsn);
    else
        table_text(table, NULL);
    table_ms(table, node->role == NODE_REPLICA ? node->lag : -1);
    table_ms(table, node->polled > 0 ? now - node->polled : -1);
    table_count(table, node->polls);
    table_count(table, node->losses);
    table_yes(table, node->paused);
    table_text(table, node->trouble[0] ? node->trouble : NULL);
    table_row(table);
}

void show_nodes(const struct admin *admin, unsigned limit, struct buf *out)
{
    static const char *const columns[] = {
        "database", "node",          "role",  "priority", "location", "up",     "lsn",
        "lag_ms",   "polled_ms_ago", "polls", "losses",   "paused",   "trouble"};
    const struct rooms *rooms = admin->gather->rooms;
    int64_t now = loop_now(rooms->loop);
    struct table table;

    (void)limit;
    table_begin(&table, out, columns, sizeof(columns) / sizeof(columns[0]));
    for (unsigned i = 0; i < rooms->ndatabases; i++) {
        const struct database *database = &rooms->databases[i];

        for (unsigned n = 0; n < topology_count(database->topology); n++)
            line(&table, database->name, topology_node(database->topology, n), now);
    }
    table_end(&table, "SHOW");
}
