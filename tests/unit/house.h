/* The rooms of one database, built by hand and real: only the nodes are not there (their port is
 * closed), so that a test says what is up. */
#pragma once

#include "base/clock.h"
#include "rules/load.h"
#include "session/rooms.h"
#include "session/session.h"
#include "stats/gather.h"

#include <stdio.h>
#include <stdlib.h>

struct house {
    struct keep *keep;
    struct rooms rooms;
    struct database database;
    struct meter meter;
    struct gather gather;
};

static const char house_rules[] =
    "relations:\n"
    "  evaluations: { dimensions: [id, user_id], unique: [id] }\n"
    "tiers: { names: [basic, professional], column: evaluations.tier }\n"
    "operations:\n"
    "  fetch: { match: { statement: select, relation: evaluations, where: { id: known } },\n"
    "           target: 300ms, cache: evaluation }\n"
    "  list: { match: { statement: select, relation: evaluations }, target: 800ms }\n"
    "cache:\n"
    "  classes:\n"
    "    evaluation: { key: \"eval:{user_id}:{id}\", ttl: 1h, tier: [professional], compress: true "
    "}\n";

static inline void house_ignore(void *owner)
{
    (void)owner;
}

static inline void house_opened(void *owner, uint64_t floor)
{
    (void)owner;
    (void)floor;
}

static inline void house_catalog(void *owner, struct catalog *catalog)
{
    (void)owner;
    (void)catalog;
}

static inline void house_free_plan(void *plan)
{
    plan_free(plan);
}

static inline struct rules *house_compile(struct house *house, const char *text)
{
    struct diag diag = {.file = "test"};
    struct rules *rules;
    struct buf faults = {0};

    rules = rules_load(yaml_parse(slice_text(text), house->keep, &diag, NULL, NULL), &diag);
    diag_print(&diag, &faults);
    if (diag.count > 0) {
        fprintf(stderr, "%.*s", (int)buf_len(&faults), (const char *)buf_slice(&faults).at);
        abort();
    }
    buf_clear(&faults);
    diag_clear(&diag);
    return rules;
}

static inline void house_database(struct house *house)
{
    static const struct topology_node replica = {"postgresql://app:secret@127.0.0.1:2/app", 1,
                                                 "here"};
    struct topology_settings topology = {
        .database = "app",
        .primary = {"postgresql://app:secret@127.0.0.1:1/app", 0, NULL},
        .replicas = &replica,
        .nreplicas = 1,
        .opened = house_opened,
        .shut = house_ignore,
        .catalog = house_catalog,
    };
    struct pool_settings pools = {.size = 5,
                                  .wait_timeout = CLOCK_SEC,
                                  .idle_timeout = CLOCK_SEC,
                                  .connect_timeout = CLOCK_SEC};
    struct database *database = &house->database;
    const char *why = NULL;

    database->name = "app";
    database->rooms = &house->rooms;
    database->topology = topology_new(house->rooms.loop, &topology, &why);
    database->ledger = ledger_new(1000);
    database->pools = pool_set_new(house->rooms.loop, &pools);
    database->has_replicas = true;
    database->max_lag = 5 * CLOCK_SEC;
    shapes_init(&database->shapes, 1 << 20, house_free_plan);
    ring_init(&database->transactions);
}

static inline void house_build(struct house *house)
{
    struct cache_settings cache = {.store = "memory", .memory = 1 << 20, .max_entry = 1 << 16};
    struct rooms *rooms = &house->rooms;
    struct rules *rules;
    const char *why = NULL;

    memset(house, 0, sizeof(*house));
    house->keep = keep_new();
    rooms->loop = loop_new();
    rooms->users = users_new(USER_TRUST);
    rooms->cache = cache_new(rooms->loop, &cache, &why);
    rules = house_compile(house, house_rules);
    rooms_set_rules(rooms, rules);
    rules_unref(rules);
    rooms->wait_timeout = CLOCK_SEC;
    rooms->databases = &house->database;
    rooms->ndatabases = 1;
    rooms->max_clients = 100;
    ring_init(&rooms->sessions);
    ring_init(&rooms->spare);
    rooms->sink = meter_sink(&house->meter);
    house_database(house);
    house->gather = (struct gather){
        .rooms = rooms, .meter = &house->meter, .version = "1.2.3", .started = clock_wall()};
}

static inline void house_clear(struct house *house)
{
    pool_set_free(house->database.pools);
    topology_free(house->database.topology);
    shapes_clear(&house->database.shapes);
    search_paths_clear(&house->database.paths);
    ledger_free(house->database.ledger);
    cache_free(house->rooms.cache);
    users_free(house->rooms.users);
    rules_unref(house->rooms.rules);
    gates_free(house->rooms.gates);
    meter_clear(&house->meter);
    loop_run(house->rooms.loop);
    loop_free(house->rooms.loop);
    keep_free(house->keep);
}

/* A request of `operation` (an index in the rules; -1: none) that took `ms`. */
static inline void house_request(struct house *house, int operation, enum source source, int ms)
{
    const struct rules *rules = house->rooms.rules;
    struct trail trail = {
        .rules = rules,
        .operation = operation < 0 ? NULL : &rules->operations[operation],
        .tier = -1,
        .source = source,
        .cache = operation < 0 ? NULL : rules->operations[operation].cache,
        .rows = 1,
        .bytes = 50,
        .ended = ms * CLOCK_MS,
    };

    meter_add(&house->meter, &trail);
}
