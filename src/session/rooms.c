/* Look-ups among the rooms; builds nothing (app does). */
#include "session/rooms.h"

#include "base/log.h"
#include "base/mem.h"
#include "session/member.h"

struct database *rooms_database(struct rooms *rooms, struct slice name)
{
    for (unsigned i = 0; i < rooms->ndatabases; i++)
        if (slice_is(name, rooms->databases[i].name))
            return &rooms->databases[i];
    return NULL;
}

static void reopen(struct lsn_wish *wish, uint64_t lsn)
{
    database_opened(wish->owner, lsn);
}

/* By what rules cells are named. */
static uint64_t signature_of(const struct rules *rules)
{
    uint64_t hash = 0;

    for (unsigned i = 0; i < rules->nrelations; i++) {
        const struct relation *relation = &rules->relations[i];

        hash = hash_join(hash, hash_slice(slice_text(relation->schema ? relation->schema : "")));
        hash = hash_join(hash, hash_slice(slice_text(relation->name)));
        for (unsigned k = 0; k < relation->ndimensions; k++)
            hash = hash_join(hash_join(hash, hash_slice(slice_text(relation->dimensions[k]))),
                             relation->unique[k]);
    }
    return hash;
}

/* Reads under the new rules look at other cells than writes under the old ones have touched: nobody
 * is answered by cache or replica until a position of after the change is known. A ledger that is
 * shut is opened by the topology. */
static void start_anew(struct database *database)
{
    bool was_open = ledger_is_open(database->ledger);

    database->plan_epoch++;
    transactions_blur(database);
    if (database->fleet) {
        fleet_set_signature(database->fleet, signature_of(database->rooms->rules));
        fleet_shut(database->fleet);
    }
    ledger_shut(database->ledger);
    topology_lsn_leave(database->topology, &database->reopen);
    if (!was_open && !database->reopening)
        return;
    database->reopening = true;
    database->reopen.told = reopen;
    database->reopen.owner = database;
    topology_lsn(database->topology, &database->reopen);
}

/* Whoever is inside or waits goes on by the limits of before. */
static void set_gates(struct rooms *rooms)
{
    const struct rules *rules = rooms->rules;
    unsigned *limits = mem_new((rules->noperations + 1) * sizeof(unsigned));

    for (unsigned i = 0; i < rules->noperations; i++)
        limits[i] = rules->operations[i].limit;
    gates_free(rooms->gates);
    rooms->gates = gates_new(limits, rules->noperations);
    mem_free(limits);
}

void rooms_set_rules(struct rooms *rooms, struct rules *rules)
{
    struct rules *before = rooms->rules;

    rules_ref(rules);
    rooms->rules = rules;
    if (before)
        rules_follow(rules, before);
    rules_unref(before);
    set_gates(rooms);
    cache_set_classes(rooms->cache, rules);
    for (unsigned i = 0; i < rooms->ndatabases; i++)
        start_anew(&rooms->databases[i]);
}

static bool is_same_database(struct database *a, struct database *b)
{
    const char *one = topology_node(a->topology, 0)->dbname;
    const char *other = topology_node(b->topology, 0)->dbname;

    return topology_system(a->topology) == topology_system(b->topology) &&
           strcmp(one ? one : a->name, other ? other : b->name) == 0;
}

/* Two ledgers of one database would each miss what is written through the other: with none of them
 * open, everything is the primary's. */
static bool is_doubled(struct database *database)
{
    struct rooms *rooms = database->rooms;

    for (unsigned i = 0; i < rooms->ndatabases; i++) {
        struct database *other = &rooms->databases[i];

        if (other == database || !other->topology || !is_same_database(database, other))
            continue;
        if (!database->doubled || !other->doubled)
            log_error("ledger", "%s and %s are the same database: no cache and no replica for both",
                      database->name, other->name);
        database->doubled = other->doubled = true;
        database_shut(other);
    }
    return database->doubled;
}

void database_opened(struct database *database, uint64_t floor)
{
    if (is_doubled(database))
        return;
    topology_lsn_leave(database->topology, &database->reopen);
    database->reopening = false;
    if (database->fleet)
        member_opened(database, floor);
    else
        ledger_open(database->ledger, floor);
}

void database_shut(struct database *database)
{
    topology_lsn_leave(database->topology, &database->reopen);
    database->reopening = false;
    if (database->fleet)
        fleet_shut(database->fleet);
    ledger_shut(database->ledger);
}

uint64_t database_name_space(const struct database *database)
{
    return database->fleet ? fleet_epoch(database->fleet)
                           : cache_name_space(database->rooms->cache);
}

void database_set_catalog(struct database *database, struct catalog *catalog)
{
    if (catalog) {
        catalog_ref(catalog);
        database->generation += database->digest && database->digest != catalog_digest(catalog);
        database->digest = catalog_digest(catalog);
    }
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
    known->plan = plan_new(database->rooms->rules, database->ddl ? NULL : database->catalog,
                           known->shape, known->path);
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
    struct rooms *rooms = database->rooms;

    database->ddl--;
    database_set_catalog(database, NULL);
    topology_catalog_changed(database->topology);
    /* Roles and their memberships are of all databases of a cluster. */
    for (unsigned i = 0; i < rooms->ndatabases; i++)
        if (&rooms->databases[i] != database &&
            topology_system(rooms->databases[i].topology) == topology_system(database->topology))
            start_anew(&rooms->databases[i]);
}
