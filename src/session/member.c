#include "session/member.h"

#include "base/log.h"
#include "base/mem.h"
#include "route/probe.h"

#include <stdio.h>

/* Whether the primary knows a process, asked for one at a time. */
struct look {
    struct database *database;
    struct control_ask ask;
    char sql[160];
    uint64_t process;
    bool asking, there;
};

static void lost(void *owner)
{
    database_shut(owner);
}

static void anew(void *owner)
{
    struct database *database = owner;

    database_shut(database);
    topology_reopen(database->topology);
}

static void opened(void *owner)
{
    struct database *database = owner;

    database->reopening = false;
    log_info("ledger", "database %s: open, in a fleet", database->name);
}

static void ddl(void *owner, bool begins)
{
    struct database *database = owner;

    if (begins) {
        database_ddl_begins(database);
        return;
    }
    database->generation++;
    database_ddl_ended(database);
}

static void hear_there(void *owner, const struct slice *fields, unsigned count)
{
    struct look *look = owner;

    (void)fields;
    (void)count;
    look->there = true;
}

static void have_looked(void *owner)
{
    struct look *look = owner;

    look->asking = false;
    fleet_seen(look->database->fleet, look->process, look->there);
}

static void fail(void *owner, const char *why)
{
    struct look *look = owner;

    (void)why;
    look->asking = false;
}

static void look_for(void *owner, uint64_t process)
{
    struct database *database = owner;
    struct look *look = database->look;
    char name[PROBE_NAME_MAX];

    if (look->asking)
        return;
    probe_name_of(process, name);
    snprintf(look->sql, sizeof(look->sql),
             "SELECT 1 FROM pg_catalog.pg_stat_activity WHERE application_name = '%s' LIMIT 1",
             name);
    look->process = process;
    look->there = false;
    look->ask = (struct control_ask){
        .sql = look->sql, .row = hear_there, .done = have_looked, .failed = fail, .owner = look};
    look->asking = topology_ask(database->topology, &look->ask);
}

static bool is_registered(void *owner)
{
    struct database *database = owner;

    return topology_node(database->topology, 0)->up;
}

bool member_new(struct database *database, const char *url, const char **why)
{
    static const struct fleet_events events = {lost, anew, opened, ddl, look_for, is_registered};
    struct fleet_settings settings = {
        .loop = database->rooms->loop,
        .ledger = database->ledger,
        .url = url,
        .process = probe_process(),
        .patience = &database->rooms->wait_timeout,
    };

    ledger_follow(database->ledger);
    database->fleet = fleet_new(&settings, &events, database, why);
    if (!database->fleet)
        return false;
    database->look = mem_new(sizeof(*database->look));
    database->look->database = database;
    return true;
}

void member_free(struct database *database)
{
    if (!database->fleet)
        return;
    if (database->look->asking)
        topology_ask_leave(database->topology, &database->look->ask);
    mem_free(database->look);
    fleet_free(database->fleet);
    database->look = NULL;
    database->fleet = NULL;
}

/* One cluster has one system identifier, wherever its primary is. */
void member_start(struct database *database)
{
    const char *dbname = topology_node(database->topology, 0)->dbname;
    char name[192];

    snprintf(name, sizeof(name), "%016llx/%s",
             (unsigned long long)topology_system(database->topology),
             dbname ? dbname : database->name);
    fleet_start(database->fleet, name);
}

/* Of one that is no member yet the fleet says when to begin. */
void member_opened(struct database *database, uint64_t floor)
{
    if (!fleet_is_in(database->fleet))
        return;
    database->reopening = true;
    fleet_open(database->fleet, floor);
}
