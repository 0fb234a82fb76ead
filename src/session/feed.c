#include "session/feed.h"

#include "base/log.h"
#include "base/mem.h"
#include "route/ear.h"

static const char CHANNEL[] = "pgtier_feed";

/* Over this many cells another one is begun: a union that is full would be everything. */
enum { CELLS_FULL = FOOTPRINT_CELLS };

/* Cells that have been written, until it is known how new a replica must be to show it. */
struct touch {
    struct feed *feed;
    struct footprint_write write;
    struct lsn_wish lsn;
    struct ring link;
    struct fleet_mark mark; /* where the ledger is a fleet's */
};

struct feed {
    struct database *database;
    struct ear *ear;
    struct control_ask listen;
    struct touch *deaf;   /* everything, while nobody listens */
    struct touch *latest; /* what was heard in this turn */
    struct ring touches;  /* those whose LSN is asked for */
    struct feed_figures figures;
};

static void forget(struct fleet_mark *mark)
{
    struct touch *touch = mark->owner;

    ring_leave(&touch->link);
    mem_free(touch);
}

static struct touch *new_touch(struct feed *feed)
{
    struct touch *touch = mem_new(sizeof(*touch));

    touch->feed = feed;
    touch->mark.write = &touch->write;
    touch->mark.ended = forget;
    touch->mark.owner = touch;
    ring_init(&touch->link);
    return touch;
}

/* A touch is told to a fleet by whoever hears of it, and comes to each of its members more than
 * once. */
static void begin(struct touch *touch, const struct footprint_write *added)
{
    struct database *database = touch->feed->database;

    ledger_begin(database->ledger, added);
    if (database->fleet)
        fleet_begin(database->fleet, &touch->mark, added, false);
}

static void end_at(struct lsn_wish *wish, uint64_t lsn)
{
    struct touch *touch = wish->owner;
    struct database *database = touch->feed->database;

    if (database->fleet) {
        fleet_commit(database->fleet, &touch->mark, lsn);
        return;
    }
    ledger_commit(database->ledger, &touch->write, lsn);
    forget(&touch->mark);
}

/* It was committed before it was heard: the primary shows it already. */
static void end(struct touch *touch)
{
    struct database *database = touch->feed->database;

    touch->lsn.told = end_at;
    touch->lsn.owner = touch;
    ring_append(&touch->feed->touches, &touch->link);
    if (database->has_replicas)
        topology_lsn(database->topology, &touch->lsn);
    else
        end_at(&touch->lsn, 0);
}

/* ---- what is heard ---- */

static bool is_told_so(const struct shape *shape)
{
    return shape->nstatements == 1 && !shape->unknown &&
           (shape->statements[0] == STATEMENT_UPDATE || shape->statements[0] == STATEMENT_TRUNCATE);
}

/* Who may notify may say anything: what is no such statement may have written everything. */
static void judge(struct feed *feed, struct slice payload, struct footprint_write *added)
{
    struct database *database = feed->database;
    struct values values;
    struct pinned pinned;
    struct known_shape *known = shapes_find(&database->shapes, payload, NULL, &values);

    if (is_told_so(known->shape)) {
        const struct plan *plan = database_plan(database, known);

        plan_pinned(plan, &values, &pinned);
        footprint_write(plan, &pinned, NULL, &feed->latest->write, added);
    } else {
        feed->figures.unread++;
        footprint_everything(&feed->latest->write, added);
    }
    known_shape_unref(known);
}

struct whose_pid {
    uint32_t pid;
    bool ours;
};

static void look_at(void *with, const struct pool_place *place, const struct server *server)
{
    struct whose_pid *whose = with;

    (void)place;
    whose->ours |= server->pid == whose->pid;
}

/* What was written through us the ledger knows already, and sooner. */
static bool is_ours(const struct feed *feed, uint32_t pid)
{
    struct whose_pid whose = {pid, false};

    pool_set_servers(feed->database->pools, look_at, &whose);
    return whose.ours;
}

static void told(void *owner)
{
    struct feed *feed = owner;
    struct touch *latest = feed->latest;

    feed->latest = NULL;
    if (latest)
        end(latest);
}

static void heard(void *owner, struct slice channel, struct slice payload, uint32_t pid)
{
    struct feed *feed = owner;
    struct footprint_write added;

    if (!slice_is(channel, CHANNEL))
        return;
    feed->figures.told++;
    if (is_ours(feed, pid)) {
        feed->figures.own++;
        return;
    }
    if (feed->latest && feed->latest->write.ncells >= CELLS_FULL)
        told(feed);
    if (!feed->latest)
        feed->latest = new_touch(feed);
    judge(feed, payload, &added);
    begin(feed->latest, &added);
}

/* ---- whether it is heard ---- */

static void go_deaf(struct feed *feed)
{
    struct footprint_write added;

    feed->figures.listens = 0;
    if (feed->deaf)
        return;
    feed->deaf = new_touch(feed);
    footprint_everything(&feed->deaf->write, &added);
    ledger_begin(feed->database->ledger, &added); /* others may hear well */
}

static void up(void *owner)
{
    struct feed *feed = owner;

    ear_ask(feed->ear, &feed->listen);
}

/* Whatever was written while nobody listened is behind the LSN that is asked for now. */
static void listens(void *owner)
{
    struct feed *feed = owner;

    feed->figures.listens = 1;
    log_info("feed", "%s: writes that bypass pgtier are heard of", feed->database->name);
    if (feed->deaf && feed->database->fleet)
        fleet_begin(feed->database->fleet, &feed->deaf->mark, &feed->deaf->write, false);
    if (feed->deaf)
        end(feed->deaf);
    feed->deaf = NULL;
}

static void failed(void *owner, const char *why)
{
    struct feed *feed = owner;

    ear_drop(feed->ear, why);
}

static void lost(void *owner, const char *why)
{
    struct feed *feed = owner;

    (void)why;
    told(feed);
    if (feed->figures.listens)
        log_warning(
            "feed",
            "%s: no cache and no replica until writes that bypass pgtier are heard of again",
            feed->database->name);
    go_deaf(feed);
}

struct feed *feed_new(struct database *database)
{
    static const struct ear_events events = {up, heard, told, lost};
    struct feed *feed = mem_new(sizeof(*feed));

    feed->database = database;
    feed->ear = topology_feed(database->topology);
    ring_init(&feed->touches);
    feed->listen = (struct control_ask){
        .sql = "LISTEN pgtier_feed", .done = listens, .failed = failed, .owner = feed};
    go_deaf(feed);
    ear_open(feed->ear, &events, feed);
    return feed;
}

static void free_touch(struct touch *touch)
{
    if (!touch)
        return;
    fleet_forget(&touch->mark);
    ring_leave(&touch->link);
    mem_free(touch);
}

void feed_free(struct feed *feed)
{
    struct ring *first;

    if (!feed)
        return;
    ear_forget(feed->ear, &feed->listen);
    ear_close(feed->ear);
    while ((first = ring_first(&feed->touches))) {
        struct touch *touch = RING_OF(first, struct touch, link);

        topology_lsn_leave(feed->database->topology, &touch->lsn);
        free_touch(touch);
    }
    free_touch(feed->deaf);
    free_touch(feed->latest);
    mem_free(feed);
}

void feed_figures(const struct feed *feed, struct feed_figures *figures)
{
    *figures = feed->figures;
}
