/* Look-ups among the rooms; builds nothing (app does). */
#include "session/rooms.h"

#include "base/mem.h"

struct database *rooms_database(struct rooms *rooms, struct slice name)
{
    for (unsigned i = 0; i < rooms->ndatabases; i++)
        if (slice_is(name, rooms->databases[i].name))
            return &rooms->databases[i];
    return NULL;
}

void rooms_set_rules(struct rooms *rooms, struct rules *rules)
{
    struct rules *before = rooms->rules;

    rules_ref(rules);
    rooms->rules = rules;
    rules_unref(before);
    cache_set_classes(rooms->cache, rules);
    for (unsigned i = 0; i < rooms->ndatabases; i++)
        rooms->databases[i].plan_epoch++;
}

void database_set_catalog(struct database *database, struct catalog *catalog)
{
    if (catalog)
        catalog_ref(catalog);
    if (database->catalog)
        catalog_unref(database->catalog);
    database->catalog = catalog;
    database->plan_epoch++;
}

const struct plan *database_plan(struct database *database, struct known_shape *known)
{
    if (known->plan && known->plan_epoch == database->plan_epoch)
        return known->plan;
    if (known->plan)
        plan_free(known->plan);
    /* While DDL runs the catalog that we have may be false at any moment. */
    known->plan =
        plan_new(database->rooms->rules, database->ddl ? NULL : database->catalog, known->shape);
    known->plan_epoch = database->plan_epoch;
    return known->plan;
}

void database_ddl_begins(struct database *database)
{
    database->ddl++;
    database->plan_epoch++;
}

void database_ddl_ended(struct database *database)
{
    database->ddl--;
    database_set_catalog(database, NULL);
    topology_catalog_changed(database->topology);
}
