/* Each fetch first asks who answers: what does not come from the instance that is known as the
 * primary is thrown away together with the connection. */
#include "route/census.h"

#include "base/clock.h"
#include "base/log.h"

#define AFTER_FAULT (1 * CLOCK_SEC)
#define QUERY_TIME  (60 * CLOCK_SEC)

static void fetch(struct census *census)
{
    if (!census->wanted || census->asking || !census->primary->node.up || !census->control)
        return;
    census->identified = false;
    census->asking = control_ask(census->control, &census->who);
    census->wanted = !census->asking;
}

static void fetch_in_time(struct timer *timer)
{
    struct census *census = timer->owner;

    census->wanted = true;
    fetch(census);
}

static void forget(struct census *census)
{
    if (census->catalog)
        catalog_unref(census->catalog);
    census->catalog = NULL;
    census->asking = false;
}

/* One line for a fault that stays. */
static void fail(void *owner, const char *why)
{
    struct census *census = owner;

    forget(census);
    if (!census->complained && census->primary->node.up)
        log_warning("route", "%s: no catalog from %s: %s", census->database,
                    census->primary->node.name, why);
    census->complained = true;
    timer_start(&census->timer, AFTER_FAULT);
}

static void hear_identity(void *owner, const struct slice *fields, unsigned count)
{
    struct census *census = owner;

    census->identified = identity_read(&census->heard, fields, count);
}

static void have_identity(void *owner)
{
    struct census *census = owner;

    if (!census->identified || !identity_same(&census->heard, &census->primary->identity)) {
        control_drop(census->control, "it is not the instance that is the primary");
        fail(census, "another instance answers");
        return;
    }
    census->broken = false;
    census->catalog = catalog_new();
    if (!control_ask(census->control, &census->rows))
        fail(census, "its connection is lost");
}

static void hear_row(void *owner, const struct slice *fields, unsigned count)
{
    struct census *census = owner;

    if (!census->broken)
        census->broken = !catalog_add_row(census->catalog, fields, count);
}

static void have_rows(void *owner)
{
    struct census *census = owner;

    if (census->broken) {
        fail(census, "a row of it is not understood");
        return;
    }
    catalog_finish(census->catalog);
    census->complained = false;
    /* Where it was asked for anew meanwhile, these rows may be of before the change. */
    if (census->primary->node.up && !census->wanted)
        census->taken(census->owner, census->catalog);
    forget(census);
    timer_start(&census->timer, census->wanted ? 0 : census->interval);
}

static void come_up(void *owner)
{
    fetch(owner);
}

static void go_down(void *owner, const char *why)
{
    (void)owner; /* the primary's own connection tells people; a fetch was told that it failed */
    (void)why;
}

static void dial(struct census *census)
{
    struct control_options options = {
        .url = census->url,
        .name = probe_name(),
        .connect_timeout = PROBE_CONNECT_SEC * CLOCK_SEC,
        .query_timeout = QUERY_TIME,
        .up = come_up,
        .down = go_down,
        .owner = census,
    };

    census->control = control_new(census->loop, &options);
}

void census_init(struct census *census, struct loop *loop, struct probe *primary, const char *url,
                 const char *database, int64_t interval,
                 void (*taken)(void *owner, struct catalog *catalog), void *owner)
{
    *census = (struct census){.primary = primary,
                              .database = database,
                              .interval = interval,
                              .taken = taken,
                              .owner = owner,
                              .loop = loop,
                              .url = url};
    census->who = (struct control_ask){.sql = IDENTITY_QUERY,
                                       .row = hear_identity,
                                       .done = have_identity,
                                       .failed = fail,
                                       .owner = census};
    census->rows = (struct control_ask){
        .sql = CATALOG_QUERY, .row = hear_row, .done = have_rows, .failed = fail, .owner = census};
    timer_init(&census->timer, loop, fetch_in_time, census);
}

void census_clear(struct census *census)
{
    if (census->control) {
        control_forget(census->control, &census->who);
        control_forget(census->control, &census->rows);
        control_free(census->control);
    }
    forget(census);
    timer_close(&census->timer);
}

void census_want(struct census *census)
{
    census->wanted = true;
    if (!census->control)
        dial(census);
    if (!census->asking)
        timer_start(&census->timer, 0);
}
