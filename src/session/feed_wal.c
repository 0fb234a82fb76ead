/* The primary's WAL as a source: a temporary logical slot of our own connection, which the primary
 * forgets with it, so that nothing is ever kept for a pgtier that is not there. A commit comes here
 * before it is visible on the primary: its cells are pending until a snapshot has seen its end. */
#include "session/feed_rows.h"
#include "session/feed_source.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "route/probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TICK       (20 * CLOCK_MS) /* until it streams */
#define BEAT       (1 * CLOCK_SEC)
#define SILENCE    (10 * CLOCK_SEC) /* .. is over what the connection may be good for */
#define SEE_AGAIN  (1 * CLOCK_MS)
#define ASK_AGAIN  (5 * CLOCK_MS) /* how far it has come, while somebody waits for it */
#define LOOK_AFTER (5 * CLOCK_SEC)

/* What is behind a commit in the WAL may stay in the primary's memory for seconds, and is not
 * streamed before it is on disk: a commit takes it there. So many times ASK_AGAIN are waited. */
enum { NUDGE_AFTER = 10 };
static const char NUDGE[] = "SELECT pg_catalog.pg_logical_emit_message(true, 'pgtier_nudge', '')";

/* 2000-01-01, from where PostgreSQL counts, in microseconds. */
#define EPOCH INT64_C(946684800000000)

/* Whole transactions, until the primary shows them. */
struct batch {
    struct ring touches;
    struct buf xids; /* uint32_t */
    uint64_t end;
};

struct wal_feed {
    struct feed feed;
    struct control_ask check, make, start, first, see, look, nudge;
    struct timer timer; /* beats */
    struct timer ask;   /* .. for those who wait */
    struct timer again; /* .. to see again */
    char slot[48], sql[160], look_sql[512];
    unsigned attempt;
    unsigned asked; /* times how far it has come, since somebody waits */
    struct feed_rows rows;
    struct touch *latest;     /* of the transaction that comes */
    uint32_t xid;             /* .. its number */
    struct batch heard, seen; /* the second is asked for */
    uint64_t confirmed;       /* all before need not be sent again */
    uint64_t passed;          /* .. has come */
    uint64_t moved, ended;    /* batches: asked for, and in the ledger */
    uint64_t keep;
    int64_t heard_at, looked_at;
    bool streams, ready, visible, warned;
    /* What had ended in the WAL when the slot was made, and was not visible yet, is not streamed:
     * all that a snapshot taken then showed as running must have ended. */
    bool opening, noted;
};

static struct wal_feed *wal_feed_of(void *owner)
{
    return owner;
}

static struct touch *latest(struct wal_feed *stream)
{
    if (!stream->latest)
        stream->latest = touch_new(stream->feed.database);
    return stream->latest;
}

/* Anybody may emit one. */
static void take_message(struct wal_feed *stream, const struct change *change)
{
    if (!slice_is(change->prefix, "pgtier_feed"))
        return;
    touch_ddl(latest(stream));
    feed_turn(&stream->feed);
}

/* ---- who waits for it ---- */

/* A wish that has been passed still waits for the batch that holds what has come until then. */
static void pass_wishes(struct wal_feed *stream)
{
    RING_EACH(at, after, &stream->feed.wishes)
    {
        struct feed_wish *wish = RING_OF(at, struct feed_wish, link);

        if (!wish->passed && stream->passed >= wish->lsn) {
            wish->passed = true;
            wish->batch = stream->moved + !ring_empty(&stream->heard.touches);
        }
        if (!wish->passed || stream->ended < wish->batch)
            continue;
        feed_wish_leave(wish);
        wish->told(wish, true);
    }
}

static void put_status(struct wal_feed *stream, bool reply);

/* What it was asked before does not matter any more. */
static void ask_once(struct wal_feed *stream, struct control_ask *ask)
{
    topology_ask_leave(stream->feed.database->topology, ask);
    topology_ask(stream->feed.database->topology, ask);
}

static void ask_again(struct timer *timer)
{
    struct wal_feed *stream = wal_feed_of(timer->owner);

    if (ring_empty(&stream->feed.wishes))
        return;
    put_status(stream, true);
    if (++stream->asked == NUDGE_AFTER)
        ask_once(stream, &stream->nudge);
    timer_start(&stream->ask, ASK_AGAIN);
}

static void await(struct feed *feed)
{
    struct wal_feed *stream = wal_feed_of(feed);

    pass_wishes(stream);
    if (ring_empty(&feed->wishes))
        return;
    stream->asked = 0;
    ask_again(&stream->ask);
}

/* ---- until the primary shows it ---- */

static void see(struct wal_feed *stream);

static void take_commit(struct wal_feed *stream, const struct change *change)
{
    feed_rows_end(&stream->rows);
    stream->heard.end = stream->passed = change->end;
    if (!stream->latest)
        return;
    ring_append(&stream->heard.touches, &stream->latest->link);
    buf_put(&stream->heard.xids, &stream->xid, sizeof(stream->xid));
    stream->latest = NULL;
}

/* ---- which tables it tells exactly ---- */

static const char LIST[] =
    "SELECT c.oid FROM pg_catalog.pg_publication p"
    " JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid"
    " JOIN pg_catalog.pg_class c ON c.oid = r.prrelid"
    " WHERE p.pubname = 'pgtier_feed' AND p.pubinsert AND p.pubupdate AND p.pubdelete"
    " AND p.pubtruncate AND r.prqual IS NULL AND r.prattrs IS NULL"
    " AND c.relreplident = 'f' AND c.relkind = 'r' AND c.relpersistence = 'p'"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE c.oid IN (inhrelid, inhparent))"
    " AND" FEED_TELLS_DDL;

/* A snapshot is "xmin:xmax:xip,xip..", whose numbers count further than those of a commit. */
static bool is_running(const char *snapshot, uint32_t xid)
{
    char *at;
    bool running;

    strtoull(snapshot, &at, 10);
    running = *at != ':' || (int32_t)(xid - (uint32_t)strtoull(at + 1, &at, 10)) >= 0;
    while (!running && *at && at[1])
        running = (uint32_t)strtoull(at + 1, &at, 10) == xid;
    return running;
}

static void hear_snapshot(void *owner, const struct slice *fields, unsigned count)
{
    struct wal_feed *stream = wal_feed_of(owner);
    struct slice left = buf_slice(&stream->seen.xids);
    char *snapshot;

    if (count != 1 || !fields[0].at)
        return;
    snapshot = mem_text((const char *)fields[0].at, fields[0].len);
    stream->visible = true;
    for (; stream->visible && left.len; left = slice_skip(left, sizeof(uint32_t))) {
        uint32_t xid;

        memcpy(&xid, left.at, sizeof(xid));
        stream->visible = !is_running(snapshot, xid);
    }
    mem_free(snapshot);
}

static void end_batch(struct wal_feed *stream)
{
    struct ring *first;

    while ((first = ring_first(&stream->seen.touches))) {
        ring_leave(first);
        touch_end_at(RING_OF(first, struct touch, link), stream->seen.end);
    }
    stream->confirmed = stream->seen.end;
    buf_clear(&stream->seen.xids);
    stream->ended = stream->moved;
    pass_wishes(stream);
    feed_list(&stream->feed);
}

static void have_seen(void *owner)
{
    struct wal_feed *stream = wal_feed_of(owner);

    if (!stream->visible) {
        timer_start(&stream->again, SEE_AGAIN);
        return;
    }
    if (stream->opening) {
        stream->opening = false;
        buf_clear(&stream->seen.xids);
        feed_listens(&stream->feed);
    } else {
        end_batch(stream);
    }
    see(stream);
}

static void hear_first(void *owner, const struct slice *fields, unsigned count)
{
    struct wal_feed *stream = wal_feed_of(owner);
    char *at, *text = count == 1 ? mem_text((const char *)fields[0].at, fields[0].len) : NULL;

    at = text ? strrchr(text, ':') : NULL;
    while (at && *at && at[1]) {
        uint32_t xid = (uint32_t)strtoull(at + 1, &at, 10);

        buf_put(&stream->seen.xids, &xid, sizeof(xid));
    }
    mem_free(text);
}

static void see_again(struct timer *timer);

static void have_first(void *owner)
{
    wal_feed_of(owner)->noted = true;
    see_again(&wal_feed_of(owner)->again);
}

/* The primary's control connection is away: what is heard stays pending. */
static void fail_see(void *owner, const char *why)
{
    struct wal_feed *stream = wal_feed_of(owner);

    (void)why;
    timer_start(&stream->again, TICK);
}

static void see_again(struct timer *timer)
{
    struct wal_feed *stream = wal_feed_of(timer->owner);

    stream->visible = false;
    if (!topology_ask(stream->feed.database->topology,
                      stream->opening && !stream->noted ? &stream->first : &stream->see))
        timer_start(&stream->again, TICK);
}

static void move(struct ring *from, struct ring *to)
{
    struct ring *first;

    while ((first = ring_first(from))) {
        ring_leave(first);
        ring_append(to, first);
    }
}

static void see(struct wal_feed *stream)
{
    if (stream->opening || !ring_empty(&stream->seen.touches) || ring_empty(&stream->heard.touches))
        return;
    move(&stream->heard.touches, &stream->seen.touches);
    stream->moved++;
    stream->seen.xids = stream->heard.xids;
    stream->heard.xids = (struct buf){0};
    stream->seen.end = stream->heard.end;
    see_again(&stream->again);
}

/* ---- the stream ---- */

static void take_change(struct wal_feed *stream, struct slice bytes)
{
    struct change change;

    if (!change_read(bytes, &change)) {
        ear_drop(stream->feed.ear, "what the primary streams is not understood");
        return;
    }
    switch (change.kind) {
    case CHANGE_BEGIN:
        stream->xid = change.xid;
        break;
    case CHANGE_COMMIT:
        take_commit(stream, &change);
        break;
    case CHANGE_RELATION:
        feed_rows_relation(&stream->rows, &change);
        break;
    case CHANGE_INSERT:
    case CHANGE_UPDATE:
    case CHANGE_DELETE:
    case CHANGE_TRUNCATE:
        stream->feed.figures.told++;
        stream->feed.figures.unread += !feed_rows_touch(&stream->rows, &change, latest(stream));
        break;
    case CHANGE_MESSAGE:
        take_message(stream, &change);
        break;
    case CHANGE_OTHER:
        break;
    }
}

static void put_status(struct wal_feed *stream, bool reply)
{
    struct buf out = {0};

    stream_put_status(&out, stream->confirmed, clock_wall() / 1000 - EPOCH, reply);
    ear_put(stream->feed.ear, buf_slice(&out));
    buf_clear(&out);
}

static bool is_settled(const struct wal_feed *stream)
{
    return !stream->latest && ring_empty(&stream->heard.touches) &&
           ring_empty(&stream->seen.touches);
}

static void streamed(void *owner, struct slice data)
{
    struct wal_feed *stream = wal_feed_of(owner);
    struct stream_message message;

    stream->heard_at = clock_now();
    if (!stream->ready) {
        stream->ready = stream->opening = true;
        stream->noted = false;
        see_again(&stream->again);
    }
    if (!stream_read(data, &message)) {
        ear_drop(stream->feed.ear, "what the primary streams is not understood");
        return;
    }
    if (message.data) {
        take_change(stream, message.change);
        return;
    }
    if (is_settled(stream) && message.position > stream->confirmed)
        stream->confirmed = message.position;
    if (message.position > stream->passed)
        stream->passed = message.position;
    if (message.reply)
        put_status(stream, false);
}

static void told(void *owner)
{
    see(owner);
    pass_wishes(owner);
}

/* ---- how much the primary keeps ---- */

static void hear_look(void *owner, const struct slice *fields, unsigned count)
{
    struct wal_feed *stream = wal_feed_of(owner);
    char why[128];

    if (count != 2 || !fields[0].at)
        return;
    stream->feed.figures.retained = strtoull((const char *)fields[0].at, NULL, 10);
    if (!stream->warned && slice_is(fields[1], "-1"))
        log_warning("feed",
                    "%s: the primary sets no bound to the WAL that it keeps for slots: set "
                    "max_slot_wal_keep_size there, for when pgtier hangs",
                    stream->feed.database->name);
    stream->warned = true;
    if (stream->feed.figures.retained <= stream->keep)
        return;
    stream->feed.figures.given_up++;
    snprintf(why, sizeof(why), "the primary keeps %" PRIu64 " MB of WAL for it, over feed_keep",
             stream->feed.figures.retained >> 20);
    log_error("feed", "%s: given up, and begun anew: %s; a long transaction may be the cause",
              stream->feed.database->name, why);
    ear_drop(stream->feed.ear, why);
}

static void have_looked(void *owner)
{
    (void)owner;
}

static void fail_look(void *owner, const char *why)
{
    (void)owner;
    (void)why;
}

static void look(struct wal_feed *stream, int64_t now)
{
    if (now - stream->looked_at < LOOK_AFTER)
        return;
    stream->looked_at = now;
    ask_once(stream, &stream->look);
}

/* ---- from the beginning to the end ---- */

static void beat(struct timer *timer)
{
    struct wal_feed *stream = wal_feed_of(timer->owner);
    int64_t now = clock_now();

    if (!stream->streams)
        return;
    put_status(stream, true);
    if (stream->ready) {
        look(stream, now);
        feed_list(&stream->feed);
    }
    if (stream->ready && now - stream->heard_at > SILENCE)
        ear_drop(stream->feed.ear, "the primary has not been heard of for 10 s");
    timer_start(&stream->timer, stream->ready ? BEAT : TICK);
}

static void up(void *owner)
{
    struct wal_feed *stream = wal_feed_of(owner);

    stream->visible = false;
    ear_ask(stream->feed.ear, &stream->check);
}

static void hear_check(void *owner, const struct slice *fields, unsigned count)
{
    (void)fields;
    wal_feed_of(owner)->visible = count == 1;
}

static void have_checked(void *owner)
{
    struct wal_feed *stream = wal_feed_of(owner);

    if (!stream->visible) {
        ear_drop(stream->feed.ear,
                 "there is no publication pgtier_feed: see `pgtier feed install`");
        return;
    }
    snprintf(stream->slot, sizeof(stream->slot), "pgtier_%016" PRIx64 "_%u", probe_process(),
             ++stream->attempt);
    snprintf(stream->sql, sizeof(stream->sql),
             "CREATE_REPLICATION_SLOT %s TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT",
             stream->slot);
    ear_ask(stream->feed.ear, &stream->make);
}

static void have_slot(void *owner)
{
    struct wal_feed *stream = wal_feed_of(owner);

    snprintf(stream->sql, sizeof(stream->sql),
             "START_REPLICATION SLOT %s LOGICAL 0/0"
             " (proto_version '1', publication_names 'pgtier_feed', messages 'true')",
             stream->slot);
    snprintf(stream->look_sql, sizeof(stream->look_sql),
             "SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), "
             "restart_lsn)::bigint, (SELECT setting FROM pg_catalog.pg_settings"
             " WHERE name = 'max_slot_wal_keep_size') FROM pg_catalog.pg_replication_slots"
             " WHERE slot_name = '%s'",
             stream->slot);
    ear_ask(stream->feed.ear, &stream->start);
    stream->streams = true;
    stream->heard_at = clock_now();
    timer_start(&stream->timer, TICK);
}

/* It begins to stream, and is not heard of otherwise. */
static void have_started(void *owner)
{
    (void)owner;
}

static void failed(void *owner, const char *why)
{
    ear_drop(wal_feed_of(owner)->feed.ear, why);
}

static void end_touches(struct wal_feed *stream, struct batch *batch)
{
    struct ring *first;

    while ((first = ring_first(&batch->touches)))
        touch_end(RING_OF(first, struct touch, link), &stream->feed.ended);
    buf_clear(&batch->xids);
}

/* Everything is being written now, so that whether what has come is visible yet is of no account.
 */
static void lost(void *owner, const char *why)
{
    struct wal_feed *stream = wal_feed_of(owner);
    struct topology *topology = stream->feed.database->topology;

    (void)why;
    stream->streams = stream->ready = stream->opening = false;
    stream->confirmed = stream->passed = 0;
    timer_stop(&stream->timer);
    timer_stop(&stream->again);
    topology_ask_leave(topology, &stream->first);
    topology_ask_leave(topology, &stream->see);
    feed_rows_clear(&stream->rows);
    feed_go_deaf(&stream->feed);
    feed_turn(&stream->feed);
    end_touches(stream, &stream->heard);
    end_touches(stream, &stream->seen);
    stream->ended = stream->moved;
    if (stream->latest)
        touch_end(stream->latest, &stream->feed.ended);
    stream->latest = NULL;
}

static void close_stream(struct feed *feed)
{
    struct wal_feed *stream = wal_feed_of(feed);

    ear_forget(feed->ear, &stream->check);
    ear_forget(feed->ear, &stream->make);
    ear_forget(feed->ear, &stream->start);
    ear_close(feed->ear);
    topology_ask_leave(feed->database->topology, &stream->first);
    topology_ask_leave(feed->database->topology, &stream->see);
    topology_ask_leave(feed->database->topology, &stream->look);
    topology_ask_leave(feed->database->topology, &stream->nudge);
    timer_close(&stream->timer);
    timer_close(&stream->ask);
    timer_close(&stream->again);
    touch_free(stream->latest);
    touch_free_all(&stream->heard.touches);
    touch_free_all(&stream->seen.touches);
    buf_clear(&stream->heard.xids);
    buf_clear(&stream->seen.xids);
    feed_rows_clear(&stream->rows);
}

static struct control_ask query(struct wal_feed *stream, const char *sql,
                                void (*row)(void *owner, const struct slice *fields,
                                            unsigned count),
                                void (*done)(void *owner))
{
    return (struct control_ask){
        .sql = sql, .row = row, .done = done, .failed = failed, .owner = stream};
}

struct feed *feed_new_wal(struct database *database, uint64_t keep)
{
    static const struct ear_events events = {
        .up = up, .streamed = streamed, .told = told, .lost = lost};
    struct wal_feed *stream = mem_new(sizeof(*stream));

    stream->keep = keep;
    stream->rows.database = database;
    stream->check =
        query(stream, "SELECT 1 FROM pg_catalog.pg_publication WHERE pubname = 'pgtier_feed'",
              hear_check, have_checked);
    stream->make = query(stream, stream->sql, NULL, have_slot);
    stream->start = query(stream, stream->sql, NULL, have_started);
    stream->see =
        query(stream, "SELECT pg_catalog.pg_current_snapshot()::text", hear_snapshot, have_seen);
    stream->see.failed = fail_see;
    stream->first = query(stream, stream->see.sql, hear_first, have_first);
    stream->first.failed = fail_see;
    stream->look = query(stream, stream->look_sql, hear_look, have_looked);
    stream->look.failed = fail_look;
    stream->nudge = query(stream, NUDGE, NULL, have_looked);
    stream->nudge.failed = fail_look;
    stream->feed.await = await;
    stream->feed.close = close_stream;
    ring_init(&stream->heard.touches);
    ring_init(&stream->seen.touches);
    timer_init(&stream->timer, database->rooms->loop, beat, stream);
    timer_init(&stream->ask, database->rooms->loop, ask_again, stream);
    timer_init(&stream->again, database->rooms->loop, see_again, stream);
    feed_begin(&stream->feed, database, LIST, &events);
    return &stream->feed;
}
