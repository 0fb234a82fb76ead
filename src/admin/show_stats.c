/* SHOW STATS: totals since the start, as (scope, name, value). */
#include "admin/show_tables.h"
#include "admin/table.h"
#include "session/feed.h"

#include <stdio.h>

static void line(struct table *table, const char *scope, const char *name, uint64_t value)
{
    table_text(table, scope);
    table_text(table, name);
    table_count(table, value);
    table_row(table);
}

static void totals(struct table *table, const struct meter_totals *totals)
{
    line(table, "total", "requests", totals->requests);
    line(table, "total", "writes", totals->writes);
    line(table, "total", "failed", totals->failed);
    line(table, "total", "rows", totals->rows);
    line(table, "total", "bytes", totals->bytes);
    line(table, "total", "cacheable", totals->cacheable);
    line(table, "total", "cache_hits", totals->hits);
    line(table, "total", "flights_led", totals->led);
    line(table, "total", "flights_joined", totals->joined);
    line(table, "total", "asked_again", totals->asked_again);
    for (unsigned i = 0; i < SOURCE_COUNT; i++)
        line(table, "source", source_text((enum source)i), totals->sources[i]);
}

static uint64_t of_tier(const struct meter *meter, const char *tier)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < meter->ncells; i++) {
        if (strcmp(meter->cells[i]->tier, tier) == 0)
            count += meter->cells[i]->times.count;
    }
    return count;
}

static void tiers(struct table *table, const struct rules *rules, const struct meter *meter)
{
    for (unsigned i = 0; i < rules->ntiers; i++)
        line(table, "tier", rules->tiers[i], of_tier(meter, rules->tiers[i]));
    line(table, "tier", "none", of_tier(meter, "none"));
}

static void reasons(struct table *table, const char *scope, const uint64_t *counts)
{
    for (unsigned i = 0; i < PLAN_REASON_COUNT; i++) {
        if (counts[i] > 0)
            line(table, scope, plan_reason_code((enum plan_reason)i), counts[i]);
    }
}

static void ledger(struct table *table, const struct database *database)
{
    struct ledger_figures figures;
    char scope[128];

    snprintf(scope, sizeof(scope), "ledger %s", database->name);
    ledger_figures(database->ledger, &figures);
    line(table, scope, "open", ledger_serves(database->ledger));
    line(table, scope, "cells", figures.cells);
    line(table, scope, "pending", figures.pending);
    line(table, scope, "begun", figures.begun);
    line(table, scope, "committed", figures.committed);
    line(table, scope, "aborted", figures.aborted);
    line(table, scope, "evicted", figures.evicted);
}

static void fleet(struct table *table, const struct database *database)
{
    struct fleet_figures figures;
    char scope[128];

    if (!database->fleet)
        return;
    snprintf(scope, sizeof(scope), "fleet %s", database->name);
    fleet_figures(database->fleet, &figures);
    line(table, scope, "members", figures.members);
    line(table, scope, "lapsed", figures.lapsed);
    line(table, scope, "trusted", figures.trusted);
    line(table, scope, "told", figures.told);
    line(table, scope, "heard", figures.heard);
    line(table, scope, "waits", figures.waits);
    line(table, scope, "losses", figures.losses);
    line(table, scope, "fenced", figures.fenced);
}

static void feed(struct table *table, const struct database *database)
{
    struct feed_figures figures;
    char scope[128];

    if (!database->feed)
        return;
    snprintf(scope, sizeof(scope), "feed %s", database->name);
    feed_figures(database->feed, &figures);
    line(table, scope, "listens", figures.listens);
    line(table, scope, "told", figures.told);
    line(table, scope, "own", figures.own);
    line(table, scope, "unread", figures.unread);
    line(table, scope, "retained", figures.retained);
    line(table, scope, "given up", figures.given_up);
}

static void shapes(struct table *table, const struct database *database)
{
    char scope[128];

    snprintf(scope, sizeof(scope), "shapes %s", database->name);
    line(table, scope, "known", database->shapes.map.count);
    line(table, scope, "bytes", database->shapes.bytes);
    line(table, scope, "parsed", database->shapes.parsed);
    line(table, scope, "evicted", database->shapes.evicted);
}

void show_stats(const struct admin *admin, unsigned limit, struct buf *out)
{
    static const char *const columns[] = {"scope", "name", "value"};
    const struct rooms *rooms = admin->gather->rooms;
    const struct meter *meter = admin->gather->meter;
    struct table table;

    (void)limit;
    table_begin(&table, out, columns, 3);
    totals(&table, &meter->totals);
    tiers(&table, rooms->rules, meter);
    reasons(&table, "uncached", meter->totals.uncached);
    reasons(&table, "primary", meter->totals.primary);
    for (unsigned i = 0; i < rooms->rules->nevents; i++)
        line(&table, "event", rooms->rules->events[i].name, rooms->rules->event_counts[i]);
    line(&table, "clients", "connected", rooms->nsessions);
    line(&table, "clients", "logging_in", rooms->nlogins);
    line(&table, "clients", "refused", rooms->refused);
    for (unsigned i = 0; i < rooms->ndatabases; i++) {
        ledger(&table, &rooms->databases[i]);
        fleet(&table, &rooms->databases[i]);
        feed(&table, &rooms->databases[i]);
        shapes(&table, &rooms->databases[i]);
    }
    table_end(&table, "SHOW");
}
