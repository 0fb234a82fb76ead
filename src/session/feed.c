#include "session/feed_source.h"

#include "base/crypt.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char CHANNEL[] = "pgtier_feed";

/* Every change of a row by one statement or another, of tables that are neither parts nor parents.
 */
static const char LIST[] =
    "SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relkind = 'r' AND c.relpersistence = 'p'"
    " AND (SELECT count(*) FROM pg_catalog.pg_trigger t"
    " JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid"
    " JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
    " WHERE t.tgrelid = c.oid AND t.tgenabled = 'A' AND p.proname = 'feed'"
    " AND n.nspname = 'pgtier' AND t.tgname IN ('pgtier_feed_insert', 'pgtier_feed_update',"
    " 'pgtier_feed_delete', 'pgtier_feed_truncate')) = 4"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE c.oid IN (inhrelid, inhparent))"
    " AND" FEED_TELLS_DDL;

/* What is heard by notifications. */
struct hears {
    struct feed feed;
    struct control_ask listen, fence;
    uint64_t nonce, sent; /* of the last fence; how many there were */
    bool fencing, asking; /* .. it has not come back; the query that sends it has not ended */
    char fence_sql[96];
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

/* What was committed before a fence was sent has been heard when it comes back. */
static void send_fence(struct hears *hears)
{
    if (hears->fencing || hears->asking || ring_empty(&hears->feed.wishes))
        return;
    crypt_random(&hears->nonce, sizeof(hears->nonce));
    hears->sent++;
    RING_EACH(at, after, &hears->feed.wishes)
    RING_OF(at, struct feed_wish, link)->batch = hears->sent;
    snprintf(hears->fence_sql, sizeof(hears->fence_sql),
             "SELECT pg_catalog.pg_notify('pgtier_feed', 'FENCE %016" PRIx64 "')", hears->nonce);
    hears->fencing = hears->asking = ear_ask(hears->feed.ear, &hears->fence);
}

static void await(struct feed *feed)
{
    send_fence(hears_of(feed));
}

static void take_fence(struct hears *hears, struct slice nonce)
{
    char own[20];

    snprintf(own, sizeof(own), "%016" PRIx64, hears->nonce);
    if (!hears->fencing || !slice_is(nonce, own))
        return; /* another pgtier's */
    hears->fencing = false;
    RING_EACH(at, after, &hears->feed.wishes)
    {
        struct feed_wish *wish = RING_OF(at, struct feed_wish, link);

        if (wish->batch != hears->sent)
            continue;
        feed_wish_leave(wish);
        wish->told(wish, true);
    }
    send_fence(hears);
}

/* A transaction of ours waits to be told what it has written. */
static bool is_asked_for(const struct feed *feed)
{
    return feed->database->nfed > 0;
}

/* Who may notify may say anything: what is no such statement may have written everything. */
static void heard(void *owner, struct slice channel, struct slice payload, uint32_t pid)
{
    struct hears *hears = hears_of(owner);
    struct feed *feed = &hears->feed;

    if (!slice_is(channel, CHANNEL))
        return;
    if (slice_is(slice_first(payload, 6), "FENCE ")) {
        take_fence(hears, slice_skip(payload, 6));
        return;
    }
    feed->figures.told++;
    feed_list(feed);
    if (is_ours(feed, pid)) {
        feed->figures.own++;
        if (!is_asked_for(feed))
            return;
    }
    if (hears->latest && touch_is_full(hears->latest))
        told(hears);
    if (!hears->latest)
        hears->latest = touch_new(feed->database);
    if (slice_is(payload, "DDL")) {
        touch_ddl(hears->latest);
        feed_turn(feed);
        feed_list(feed);
    } else {
        feed->figures.unread += !touch_statement(hears->latest, payload);
    }
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

/* It is a fence once it is heard, before this or after. */
static void fenced(void *owner)
{
    hears_of(owner)->asking = false;
    send_fence(owner);
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
    hears_of(owner)->fencing = hears_of(owner)->asking = false;
    feed_turn(&hears_of(owner)->feed);
}

static void close_hears(struct feed *feed)
{
    struct hears *hears = hears_of(feed);

    ear_forget(feed->ear, &hears->listen);
    ear_forget(feed->ear, &hears->fence);
    ear_close(feed->ear);
    touch_free(hears->latest);
}

struct feed *feed_new(struct database *database)
{
    static const struct ear_events events = {.up = up, .heard = heard, .told = told, .lost = lost};
    struct hears *hears = mem_new(sizeof(*hears));

    hears->listen = (struct control_ask){
        .sql = "LISTEN pgtier_feed", .done = listens, .failed = failed, .owner = hears};
    hears->fence = (struct control_ask){
        .sql = hears->fence_sql, .done = fenced, .failed = failed, .owner = hears};
    hears->feed.close = close_hears;
    hears->feed.await = await;
    feed_begin(&hears->feed, database, LIST, &events);
    return &hears->feed;
}

/* ---- of either source ---- */

static void hear_listed(void *owner, const struct slice *fields, unsigned count)
{
    struct feed *feed = owner;
    uint32_t oid = count == 1 ? (uint32_t)strtoul((const char *)fields[0].at, NULL, 10) : 0;

    buf_put(&feed->exact, &oid, sizeof(oid));
}

/* What has changed since is told, and asked for again. */
static void have_listed(void *owner)
{
    struct feed *feed = owner;

    feed->listing = false;
    if (feed->relist) {
        feed_list(feed);
        return;
    }
    feed->fed.oids = (const uint32_t *)(const void *)buf_slice(&feed->exact).at;
    feed->fed.count = (unsigned)(buf_len(&feed->exact) / sizeof(uint32_t));
}

static void fail_list(void *owner, const char *why)
{
    struct feed *feed = owner;

    (void)why;
    feed->listing = false;
    feed->relist = true;
}

void feed_list(struct feed *feed)
{
    if (!feed->relist || feed->listing || !feed->figures.listens)
        return;
    buf_clear(&feed->exact);
    feed->listing = topology_ask(feed->database->topology, &feed->list);
    feed->relist = !feed->listing;
}

void feed_begin(struct feed *feed, struct database *database, const char *list,
                const struct ear_events *events)
{
    feed->database = database;
    feed->generation = 1;
    feed->relist = true;
    feed->list = (struct control_ask){
        .sql = list, .row = hear_listed, .done = have_listed, .failed = fail_list, .owner = feed};
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
    feed_list(feed);
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
    topology_ask_leave(feed->database->topology, &feed->list);
    buf_clear(&feed->exact);
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
    feed->relist = true;
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
