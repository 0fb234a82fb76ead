#include "session/feed_source.h"

#include "base/log.h"
#include "base/mem.h"

static const char CHANNEL[] = "pgtier_feed";

/* What is heard by notifications. */
struct hears {
    struct feed feed;
    struct control_ask listen;
    struct touch *latest; /* what was heard in this turn */
};

static struct hears *hears_of(void *owner)
{
    return owner;
}

/* ---- what is heard ---- */

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

/* It was committed before it was heard: the primary shows it already. */
static void told(void *owner)
{
    struct hears *hears = hears_of(owner);
    struct touch *latest = hears->latest;

    hears->latest = NULL;
    if (latest)
        touch_end(latest, &hears->feed.ended);
}

/* Who may notify may say anything: what is no such statement may have written everything. */
static void heard(void *owner, struct slice channel, struct slice payload, uint32_t pid)
{
    struct hears *hears = hears_of(owner);
    struct feed *feed = &hears->feed;

    if (!slice_is(channel, CHANNEL))
        return;
    feed->figures.told++;
    if (is_ours(feed, pid)) {
        feed->figures.own++;
        return;
    }
    if (hears->latest && touch_is_full(hears->latest))
        told(hears);
    if (!hears->latest)
        hears->latest = touch_new(feed->database);
    if (slice_is(payload, "DDL"))
        touch_ddl(hears->latest);
    else
        feed->figures.unread += !touch_statement(hears->latest, payload);
}

/* ---- whether it is heard ---- */

static void up(void *owner)
{
    struct hears *hears = hears_of(owner);

    ear_ask(hears->feed.ear, &hears->listen);
}

static void listens(void *owner)
{
    feed_listens(&hears_of(owner)->feed);
}

static void failed(void *owner, const char *why)
{
    ear_drop(hears_of(owner)->feed.ear, why);
}

static void lost(void *owner, const char *why)
{
    (void)why;
    told(owner);
    feed_go_deaf(&hears_of(owner)->feed);
}

static void close_hears(struct feed *feed)
{
    struct hears *hears = hears_of(feed);

    ear_forget(feed->ear, &hears->listen);
    ear_close(feed->ear);
    touch_free(hears->latest);
}

struct feed *feed_new(struct database *database)
{
    static const struct ear_events events = {.up = up, .heard = heard, .told = told, .lost = lost};
    struct hears *hears = mem_new(sizeof(*hears));

    hears->listen = (struct control_ask){
        .sql = "LISTEN pgtier_feed", .done = listens, .failed = failed, .owner = hears};
    feed_begin(&hears->feed, database, close_hears, &events);
    return &hears->feed;
}

/* ---- of either source ---- */

void feed_begin(struct feed *feed, struct database *database, void (*close)(struct feed *feed),
                const struct ear_events *events)
{
    feed->database = database;
    feed->generation = 1;
    feed->close = close;
    feed->ear = topology_feed(database->topology);
    ring_init(&feed->ended);
    ring_init(&feed->wishes);
    feed_go_deaf(feed);
    ear_open(feed->ear, events, feed);
}

void feed_go_deaf(struct feed *feed)
{
    if (feed->figures.listens)
        log_warning(
            "feed",
            "%s: no cache and no replica until writes that bypass pgtier are heard of again",
            feed->database->name);
    feed->figures.listens = 0;
    if (feed->deaf)
        return;
    feed->deaf = touch_new(feed->database);
    touch_everything(feed->deaf, true); /* others may hear well */
}

/* Whatever was written while nobody listened is behind the LSN that is asked for now. */
void feed_listens(struct feed *feed)
{
    feed->figures.listens = 1;
    log_info("feed", "%s: writes that bypass pgtier are heard of", feed->database->name);
    if (!feed->deaf)
        return;
    touch_tell(feed->deaf);
    touch_end(feed->deaf, &feed->ended);
    feed->deaf = NULL;
}

void feed_free(struct feed *feed)
{
    if (!feed)
        return;
    feed->close(feed);
    touch_free_all(&feed->ended);
    touch_free(feed->deaf);
    mem_free(feed);
}

/* ---- who relies on it ---- */

const struct footprint_fed *feed_tells(const struct feed *feed, uint64_t *generation)
{
    if (!feed || !feed->fed.count)
        return NULL;
    *generation = feed->generation;
    return &feed->fed;
}

void feed_await(struct feed *feed, struct feed_wish *wish)
{
    if (!feed->fed.count || wish->generation != feed->generation) {
        wish->told(wish, false);
        return;
    }
    wish->passed = false;
    wish->queued = true;
    ring_init(&wish->link);
    ring_append(&feed->wishes, &wish->link);
    feed->await(feed);
}

void feed_wish_leave(struct feed_wish *wish)
{
    if (wish->queued)
        ring_leave(&wish->link);
    wish->queued = false;
}

void feed_turn(struct feed *feed)
{
    struct ring *first;

    feed->generation++;
    feed->fed.count = 0;
    while ((first = ring_first(&feed->wishes))) {
        struct feed_wish *wish = RING_OF(first, struct feed_wish, link);

        feed_wish_leave(wish);
        wish->told(wish, false);
    }
}

void feed_figures(const struct feed *feed, struct feed_figures *figures)
{
    *figures = feed->figures;
}
