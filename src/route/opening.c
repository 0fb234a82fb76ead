/* Waits for transaction ids below the first snapshot's xmax, and for transactions that already held
 * a lock by which one writes and may get an id later. An open prepared transaction is waited for as
 * well: whoever commits it does not tell the ledger of this process. */
#include "route/opening.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>

#define PAUSE_LEAST (2 * CLOCK_MS)
#define PAUSE_MOST  (100 * CLOCK_MS)
#define AFTER_FAULT (1 * CLOCK_SEC)
#define COMPLAIN    (1 * CLOCK_SEC)

static const char FIRST_QUERY[] =
    "SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot()),"
    " coalesce((SELECT array_agg(DISTINCT virtualtransaction) FROM pg_catalog.pg_locks"
    " WHERE locktype = 'relation' AND mode IN ('RowExclusiveLock', 'ShareLock',"
    " 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') AND pid IS NOT NULL"
    " AND database = (SELECT oid FROM pg_catalog.pg_database"
    " WHERE datname = pg_catalog.current_database())), '{}')";

static void hear_first(void *owner, const struct slice *fields, unsigned count)
{
    struct opening *opening = owner;

    if (count != 2 || !fields[0].at || !fields[1].at)
        return;
    mem_free(opening->xmax);
    mem_free(opening->writers);
    opening->xmax = mem_text(fields[0].at, fields[0].len);
    opening->writers = mem_text(fields[1].at, fields[1].len);
}

static const char *text_of(struct buf *buf)
{
    buf_put(buf, "", 1);
    return (const char *)buf_slice(buf).at;
}

/* Neither an xid8 nor an array of virtual transaction ids holds a quote. */
static void write_queries(struct opening *opening)
{
    buf_clear(&opening->wait_sql);
    buf_printf(&opening->wait_sql,
               "SELECT pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot()) >= '%s'::xid8"
               " AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks"
               " WHERE virtualtransaction = ANY ('%s'))",
               opening->xmax, opening->writers);
    opening->wait.sql = text_of(&opening->wait_sql);
    buf_clear(&opening->who_sql);
    buf_printf(
        &opening->who_sql,
        "SELECT string_agg(what, ', ') FROM (SELECT pg_catalog.format('pid %%s (%%s, %%s, in "
        "transaction since %%s)', pid, coalesce(nullif(application_name, ''), "
        "backend_type), coalesce(state, '?'), date_trunc('second', xact_start)) AS what"
        " FROM pg_catalog.pg_stat_activity WHERE backend_xid IS NOT NULL OR pid IN"
        " (SELECT pid FROM pg_catalog.pg_locks WHERE virtualtransaction = ANY ('%s'))"
        " UNION ALL SELECT pg_catalog.format('prepared transaction %%L of %%s', gid, "
        "prepared) FROM pg_catalog.pg_prepared_xacts LIMIT 5) waited",
        opening->writers);
    opening->who.sql = text_of(&opening->who_sql);
}

static void ask(struct opening *opening, struct control_ask *query)
{
    opening->ended = false;
    control_ask(opening->wishes->primary->control, query);
}

static void have_first(void *owner)
{
    struct opening *opening = owner;

    if (!opening->xmax) {
        timer_start(&opening->timer, AFTER_FAULT);
        return;
    }
    write_queries(opening);
    opening->pause = PAUSE_LEAST;
    opening->complained = loop_now(opening->wishes->primary->loop);
    ask(opening, &opening->wait);
}

static void hear_wait(void *owner, const struct slice *fields, unsigned count)
{
    struct opening *opening = owner;

    opening->ended = count == 1 && slice_is(fields[0], "t");
}

static void have_waited(void *owner)
{
    struct opening *opening = owner;
    struct probe *primary = opening->wishes->primary;
    int64_t now = loop_now(primary->loop);

    if (opening->ended) {
        wishes_add(opening->wishes, &opening->floor);
        return;
    }
    if (now - opening->complained >= COMPLAIN) {
        opening->complained = now;
        control_ask(primary->control, &opening->who);
    }
    timer_start(&opening->timer, opening->pause);
    opening->pause = opening->pause * 2 < PAUSE_MOST ? opening->pause * 2 : PAUSE_MOST;
}

static void hear_who(void *owner, const struct slice *fields, unsigned count)
{
    struct opening *opening = owner;

    if (count == 1 && fields[0].at)
        log_info("route", "%s: waits for what ran on %s when it was found: %.*s", opening->database,
                 opening->wishes->primary->node.name, (int)fields[0].len,
                 (const char *)fields[0].at);
}

static void have_who(void *owner)
{
    (void)owner;
}

static void fail_who(void *owner, const char *why)
{
    (void)owner;
    (void)why;
}

/* Where the primary is lost opening_stop follows. */
static void fail(void *owner, const char *why)
{
    struct opening *opening = owner;

    if (!control_is_up(opening->wishes->primary->control))
        return;
    log_warning("route", "%s: %s does not tell what runs on it: %s", opening->database,
                opening->wishes->primary->node.name, why);
    timer_start(&opening->timer, AFTER_FAULT);
}

static void go_on(struct timer *timer)
{
    struct opening *opening = timer->owner;

    ask(opening, opening->xmax ? &opening->wait : &opening->first);
}

static void have_floor(struct lsn_wish *wish, uint64_t lsn)
{
    struct opening *opening = wish->owner;

    opening->opened(opening->owner, lsn);
}

void opening_init(struct opening *opening, struct loop *loop, struct wishes *wishes,
                  const char *database, void (*opened)(void *owner, uint64_t floor), void *owner)
{
    *opening =
        (struct opening){.wishes = wishes, .database = database, .opened = opened, .owner = owner};
    opening->first = (struct control_ask){.sql = FIRST_QUERY,
                                          .row = hear_first,
                                          .done = have_first,
                                          .failed = fail,
                                          .owner = opening};
    opening->wait = (struct control_ask){
        .row = hear_wait, .done = have_waited, .failed = fail, .owner = opening};
    opening->who = (struct control_ask){
        .row = hear_who, .done = have_who, .failed = fail_who, .owner = opening};
    opening->floor = (struct lsn_wish){.told = have_floor, .owner = opening};
    timer_init(&opening->timer, loop, go_on, opening);
}

void opening_stop(struct opening *opening)
{
    struct control *control = opening->wishes->primary->control;

    control_forget(control, &opening->first);
    control_forget(control, &opening->wait);
    control_forget(control, &opening->who);
    wishes_leave(&opening->floor);
    timer_stop(&opening->timer);
    mem_free(opening->xmax);
    mem_free(opening->writers);
    opening->xmax = opening->writers = NULL;
}

void opening_start(struct opening *opening)
{
    opening_stop(opening);
    ask(opening, &opening->first);
}

void opening_clear(struct opening *opening)
{
    opening_stop(opening);
    timer_close(&opening->timer);
    buf_clear(&opening->wait_sql);
    buf_clear(&opening->who_sql);
}
