/* Looks at the topology as it is now; asks no node. */
#include "stats/health.h"

#include "stats/escape.h"

static void put_text(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "\"%s\":\"", name);
    escape_json(out, value);
    buf_put(out, "\"", 1);
}

static void put_node(struct buf *out, const struct database *database, const struct node *node)
{
    buf_put(out, "{", 1);
    put_text(out, "database", database->name);
    buf_put(out, ",", 1);
    put_text(out, "node", node->name);
    buf_put(out, ",", 1);
    put_text(out, "role", node->role == NODE_PRIMARY ? "primary" : "replica");
    buf_put(out, ",", 1);
    put_text(out, "why", node->trouble);
    buf_put(out, "}", 1);
}

static bool primaries_up(const struct rooms *rooms)
{
    for (unsigned i = 0; i < rooms->ndatabases; i++) {
        if (!topology_node(rooms->databases[i].topology, 0)->up)
            return false;
    }
    return true;
}

bool health_write(const struct rooms *rooms, struct buf *out)
{
    bool well = primaries_up(rooms), first = true;

    buf_printf(out, "{\"status\":\"%s\",\"down\":[", well ? "ok" : "down");
    for (unsigned i = 0; i < rooms->ndatabases; i++) {
        const struct database *database = &rooms->databases[i];

        for (unsigned n = 0; n < topology_count(database->topology); n++) {
            const struct node *node = topology_node(database->topology, n);

            if (node->up)
                continue;
            if (!first)
                buf_put(out, ",", 1);
            put_node(out, database, node);
            first = false;
        }
    }
    buf_put(out, "]}\n", 3);
    return well;
}
