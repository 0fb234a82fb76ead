/* All that is to be said to the connection goes in rounds: one text with the LISTENs and UNLISTENs
 * that have come together, and whoever waits hears when it is through. One round is out at a time.
 * Decides nothing about requests; see hearing.c. */
#include "session/channels.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "route/ear.h"
#include "session/conversation.h"
#include "wire/frame.h"
#include "wire/types.h"
#include "wire/write.h"

#include <stdio.h>

/* How long a LISTEN waits for a connection; how often one on which nothing happens is asked whether
 * it is there; how much is kept for a client that does not read. */
#define PATIENCE (10 * CLOCK_SEC)
#define BEAT     (10 * CLOCK_SEC)
enum { HEARD_MAX = 8 * 1024 * 1024 };

struct channels {
    struct database *database;
    struct ear *ear;
    struct map map;      /* struct channel */
    struct ring changed; /* .. to be said in the next round */
    struct ring hearers; /* those with channels */
    struct ring telling; /* .. who have just heard something */
    struct ring waiting; /* for the next round, or for the one that is out */
    struct ring going;
    struct control_ask round;
    struct buf sql, note;
    bool out;
    struct timer patience, beat;
    char why[160]; /* the connection was last lost, or not to be had */
    unsigned nhearers;
    uint64_t heard;
};

struct channel {
    struct map_link link;
    struct ring changed;
    struct ring hearings; /* struct hearing.here */
    unsigned wanted;      /* sessions that wait for it */
    bool said;            /* the connection listens to it, or was told to */
    size_t len;
    char name[LISTEN_NAME];
};

/* A session that listens to a channel. */
struct hearing {
    struct ring here, mine;
    struct channel *channel;
    struct hearer *hearer;
};

/* What a session has here, from its first LISTEN on. */
struct hearer {
    struct session *session;
    struct ring link;       /* in channels.hearers */
    struct ring hearings;   /* struct hearing.mine */
    struct ring telling;    /* in channels.telling */
    struct ring waiting;    /* in channels.waiting or .going */
    struct channel *wanted; /* .. for this; NULL: for the round alone */
    int64_t since;
    struct buf heard; /* NotificationResponses for the client */
    struct buf put;   /* .. that are in its outbox */
};

static struct channels *channels_of(const struct session *session)
{
    return session->database->channels;
}

/* ---- channels ---- */

static struct channel *find(const struct channels *channels, struct slice name)
{
    struct map_link *at = map_first(&channels->map, hash_slice(name));

    for (; at; at = map_next(at)) {
        struct channel *channel = MAP_OF(at, struct channel, link);

        if (slice_same(slice_of(channel->name, channel->len), name))
            return channel;
    }
    return NULL;
}

static struct channel *find_or_make(struct channels *channels, const struct listen_name *name)
{
    struct slice text = slice_of(name->text, name->len);
    struct channel *channel = find(channels, text);

    if (channel)
        return channel;
    channel = mem_new(sizeof(*channel));
    ring_init(&channel->changed);
    ring_init(&channel->hearings);
    memcpy(channel->name, name->text, name->len);
    channel->len = name->len;
    map_add(&channels->map, &channel->link, hash_slice(text));
    return channel;
}

static bool is_wanted(const struct channel *channel)
{
    return channel->wanted || !ring_empty(&channel->hearings);
}

/* Who wants it has changed: it may have to be said, or may be forgotten. */
static void touch(struct channels *channels, struct channel *channel)
{
    if (is_wanted(channel) != channel->said) {
        if (ring_empty(&channel->changed))
            ring_append(&channels->changed, &channel->changed);
        return;
    }
    ring_leave(&channel->changed);
    if (channel->said)
        return;
    map_remove(&channels->map, &channel->link);
    mem_free(channel);
}

static struct hearing *hearing_of(const struct hearer *hearer, const struct channel *channel)
{
    RING_EACH(link, after, &hearer->hearings)
    {
        struct hearing *hearing = RING_OF(link, struct hearing, mine);

        if (hearing->channel == channel)
            return hearing;
    }
    return NULL;
}

static void hear_from_now(struct channels *channels, struct hearer *hearer, struct channel *channel)
{
    struct hearing *hearing;

    if (hearing_of(hearer, channel))
        return;
    hearing = mem_new(sizeof(*hearing));
    hearing->channel = channel;
    hearing->hearer = hearer;
    ring_append(&channel->hearings, &hearing->here);
    ring_append(&hearer->hearings, &hearing->mine);
    if (!ring_empty(&hearer->link))
        return;
    ring_append(&channels->hearers, &hearer->link);
    channels->nhearers++;
}

static void hear_no_more(struct channels *channels, struct hearing *hearing)
{
    struct hearer *hearer = hearing->hearer;
    struct channel *channel = hearing->channel;

    ring_leave(&hearing->here);
    ring_leave(&hearing->mine);
    mem_free(hearing);
    touch(channels, channel);
    if (!ring_empty(&hearer->hearings))
        return;
    ring_leave(&hearer->link);
    channels->nhearers--;
}

/* ---- rounds ---- */

static void put_name(struct buf *sql, const struct channel *channel)
{
    buf_put(sql, "\"", 1);
    for (size_t i = 0; i < channel->len; i++)
        buf_put(sql, channel->name[i] == '"' ? "\"\"" : &channel->name[i],
                channel->name[i] == '"' ? 2 : 1);
    buf_put(sql, "\"", 1);
}

static void write_changes(struct channels *channels)
{
    struct ring *first;

    while ((first = ring_first(&channels->changed))) {
        struct channel *channel = RING_OF(first, struct channel, changed);

        channel->said = !channel->said;
        buf_printf(&channels->sql, channel->said ? "LISTEN " : "UNLISTEN ");
        put_name(&channels->sql, channel);
        buf_put(&channels->sql, ";", 1);
        touch(channels, channel);
    }
}

static void move_all(struct ring *to, struct ring *from)
{
    struct ring *first;

    while ((first = ring_first(from))) {
        ring_leave(first);
        ring_append(to, first);
    }
}

/* The next round, where one is due. */
static void go(struct channels *channels)
{
    if (channels->out || !channels->ear->up ||
        (ring_empty(&channels->changed) && ring_empty(&channels->waiting)))
        return;
    buf_take(&channels->sql, buf_len(&channels->sql));
    write_changes(channels);
    if (!buf_len(&channels->sql))
        buf_printf(&channels->sql, "SELECT");
    buf_put(&channels->sql, "", 1);
    channels->round.sql = (const char *)buf_slice(&channels->sql).at;
    move_all(&channels->going, &channels->waiting);
    /* Where it is lost this very moment, `lost` takes all of it back. */
    channels->out = true;
    ear_ask(channels->ear, &channels->round);
}

/* Who has waited longest comes first. */
static void watch_patience(struct channels *channels)
{
    struct ring *first = ring_first(&channels->waiting);

    if (first)
        timer_start(&channels->patience, RING_OF(first, struct hearer, waiting)->since + PATIENCE -
                                             loop_now(channels->database->rooms->loop));
}

static void stop_wanting(struct channels *channels, struct hearer *hearer)
{
    struct channel *channel = hearer->wanted;

    ring_leave(&hearer->waiting);
    hearer->wanted = NULL;
    if (!channel)
        return;
    channel->wanted--;
    touch(channels, channel);
}

static void round_done(void *owner)
{
    struct channels *channels = owner;
    struct ring *first;

    channels->out = false;
    while ((first = ring_first(&channels->going))) {
        struct hearer *hearer = RING_OF(first, struct hearer, waiting);

        if (hearer->wanted)
            hear_from_now(channels, hearer, hearer->wanted);
        stop_wanting(channels, hearer);
        hearing_done(hearer->session);
    }
    go(channels);
}

/* What it listens to is not known: it is made anew, and `lost` sees to the rest. */
static void round_failed(void *owner, const char *why)
{
    struct channels *channels = owner;

    ear_drop(channels->ear, why);
}

static void give_up(struct timer *timer)
{
    struct channels *channels = timer->owner;
    int64_t now = loop_now(channels->database->rooms->loop);
    struct ring *first;

    while ((first = ring_first(&channels->waiting))) {
        struct hearer *hearer = RING_OF(first, struct hearer, waiting);

        if (now - hearer->since < PATIENCE)
            break;
        stop_wanting(channels, hearer);
        hearing_failed(hearer->session, channels->why);
    }
    watch_patience(channels);
}

/* A connection that nobody needs is closed; of one on which nothing happens nobody would know that
 * its other end is gone. */
static void beat(struct timer *timer)
{
    struct channels *channels = timer->owner;

    if (!channels->map.count && !channels->out && ring_empty(&channels->waiting)) {
        timer_stop(&channels->beat);
        ear_close(channels->ear);
        return;
    }
    if (channels->out || !channels->ear->up)
        return;
    go(channels);
    if (channels->out)
        return;
    channels->round.sql = "SELECT";
    channels->out = ear_ask(channels->ear, &channels->round);
}

/* ---- what the connection says ---- */

static void up(void *owner)
{
    go(owner);
}

/* The process that a client knows as the one that sent it. */
static uint32_t sender_of(const struct channels *channels, uint32_t pid)
{
    const struct database *database = channels->database;
    const struct server *server =
        pool_set_server(database->pools, topology_node(database->topology, 0)->name, pid);

    return server && server->notifier ? server->notifier : pid;
}

static void heard(void *owner, struct slice name, struct slice payload, uint32_t pid)
{
    struct channels *channels = owner;
    struct channel *channel = find(channels, name);
    size_t begin;

    if (!channel || ring_empty(&channel->hearings))
        return;
    buf_take(&channels->note, buf_len(&channels->note));
    begin = write_begin(&channels->note, REPLY_NOTIFICATION);
    write_u32(&channels->note, sender_of(channels, pid));
    write_cstr(&channels->note, name);
    write_cstr(&channels->note, payload);
    write_end(&channels->note, begin);
    RING_EACH(link, after, &channel->hearings)
    {
        struct hearer *hearer = RING_OF(link, struct hearing, here)->hearer;

        buf_put_slice(&hearer->heard, buf_slice(&channels->note));
        if (ring_empty(&hearer->telling))
            ring_append(&channels->telling, &hearer->telling);
        channels->heard++;
    }
}

static void told(void *owner)
{
    struct channels *channels = owner;
    struct ring *first;

    while ((first = ring_first(&channels->telling))) {
        struct hearer *hearer = RING_OF(first, struct hearer, telling);

        ring_leave(first);
        channels_tell(hearer->session);
    }
}

static void forget_said(struct map_link *link, void *with)
{
    struct channel *channel = MAP_OF(link, struct channel, link);
    struct channels *channels = with;

    channel->said = false;
    if (ring_empty(&channel->changed))
        ring_append(&channels->changed, &channel->changed);
}

/* What was sent meanwhile nobody knows. Who listens hears it as of a connection of its own that was
 * lost; who waits was promised nothing yet. */
static void lost(void *owner, const char *why)
{
    struct channels *channels = owner;
    struct ring *first;
    struct err err;

    snprintf(channels->why, sizeof(channels->why), "%s", why);
    channels->out = false;
    move_all(&channels->going, &channels->waiting);
    move_all(&channels->waiting, &channels->going);
    map_each(&channels->map, forget_said, channels);
    RING_EACH(link, after, &channels->changed)
    touch(channels, RING_OF(link, struct channel, changed));
    err_set(&err, "57P01", "terminating connection because notifications may have been lost");
    err_detail(&err, "The connection that listens for this database was lost: %s.", why);
    while ((first = ring_first(&channels->hearers)))
        session_fatal(RING_OF(first, struct hearer, link)->session, &err);
    watch_patience(channels);
}

static const struct ear_events events = {.up = up, .heard = heard, .told = told, .lost = lost};

/* ---- for sessions ---- */

static struct channels *open_channels(struct database *database)
{
    struct channels *channels = database->channels;

    if (!channels) {
        channels = database->channels = mem_new(sizeof(*channels));
        channels->database = database;
        channels->ear = topology_ear(database->topology);
        ring_init(&channels->changed);
        ring_init(&channels->hearers);
        ring_init(&channels->telling);
        ring_init(&channels->waiting);
        ring_init(&channels->going);
        channels->round =
            (struct control_ask){.done = round_done, .failed = round_failed, .owner = channels};
        timer_init(&channels->patience, database->rooms->loop, give_up, channels);
        timer_init(&channels->beat, database->rooms->loop, beat, channels);
        snprintf(channels->why, sizeof(channels->why), "it is not connected yet");
    }
    ear_open(channels->ear, &events, channels);
    timer_repeat(&channels->beat, BEAT);
    return channels;
}

static struct hearer *hearer_of(struct session *session)
{
    struct hearer *hearer = session->hearer;

    if (hearer)
        return hearer;
    hearer = session->hearer = mem_new(sizeof(*hearer));
    hearer->session = session;
    ring_init(&hearer->link);
    ring_init(&hearer->hearings);
    ring_init(&hearer->telling);
    ring_init(&hearer->waiting);
    return hearer;
}

static void wait_for_round(struct channels *channels, struct hearer *hearer)
{
    hearer->since = loop_now(channels->database->rooms->loop);
    ring_append(&channels->waiting, &hearer->waiting);
    watch_patience(channels);
    go(channels);
}

void channels_listen(struct session *session, const struct listen_name *name)
{
    struct channels *channels = open_channels(session->database);
    struct hearer *hearer = hearer_of(session);

    hearer->wanted = find_or_make(channels, name);
    hearer->wanted->wanted++;
    touch(channels, hearer->wanted);
    wait_for_round(channels, hearer);
}

void channels_wait(struct session *session)
{
    wait_for_round(open_channels(session->database), hearer_of(session));
}

void channels_stop_waiting(struct session *session)
{
    if (session->hearer && !ring_empty(&session->hearer->waiting)) {
        stop_wanting(channels_of(session), session->hearer);
        go(channels_of(session));
    }
}

/* Of one channel; the others stay in their order. */
static void forget_heard(struct hearer *hearer, struct slice name)
{
    struct slice left = buf_slice(&hearer->heard);
    struct buf kept = {0};
    struct frame frame;

    while (frame_look(left, &frame) == FRAME_WHOLE) {
        const char *text = (const char *)frame_body(&frame).at + 4; /* behind the pid */

        if (!slice_is(name, text))
            buf_put_slice(&kept, frame.whole);
        left = slice_skip(left, frame.total);
    }
    buf_clear(&hearer->heard);
    hearer->heard = kept;
}

void channels_unlisten(struct session *session, const struct listen_name *name)
{
    struct channels *channels = session->database->channels;
    struct hearer *hearer = session->hearer;

    if (!hearer)
        return;
    if (name)
        forget_heard(hearer, slice_of(name->text, name->len));
    else
        buf_clear(&hearer->heard);
    RING_EACH(link, after, &hearer->hearings)
    {
        struct hearing *hearing = RING_OF(link, struct hearing, mine);

        if (!name || slice_same(slice_of(hearing->channel->name, hearing->channel->len),
                                slice_of(name->text, name->len)))
            hear_no_more(channels, hearing);
    }
    go(channels);
}

void channels_leave(struct session *session)
{
    struct hearer *hearer = session->hearer;

    if (!hearer)
        return;
    channels_stop_waiting(session);
    channels_unlisten(session, NULL);
    ring_leave(&hearer->telling);
    buf_clear(&hearer->heard);
    buf_clear(&hearer->put);
    mem_free(hearer);
    session->hearer = NULL;
}

bool channels_any(const struct session *session)
{
    return session->hearer && !ring_empty(&session->hearer->hearings);
}

bool channels_has(const struct session *session, struct slice name)
{
    const struct channel *channel = session->hearer ? find(channels_of(session), name) : NULL;

    return channel && hearing_of(session->hearer, channel);
}

void channels_each(const struct session *session, void (*each)(void *with, struct slice name),
                   void *with)
{
    if (!session->hearer)
        return;
    RING_EACH(link, after, &session->hearer->hearings)
    {
        const struct channel *channel = RING_OF(link, struct hearing, mine)->channel;

        each(with, slice_of(channel->name, channel->len));
    }
}

/* ---- to the client ---- */

/* As a server would: between requests, outside of transactions. */
static bool may_tell(const struct session *session)
{
    return !session->request && session->status == 'I' && !session->midway && !session->skipping &&
           !session->copying && session->client->queued <= STREAM_HIGH;
}

static void end_slow(struct session *session)
{
    struct err err;

    err_set(&err, "54000", "too many notifications wait for this connection");
    err_detail(&err, "More than %d MB are kept that it has not taken.", HEARD_MAX >> 20);
    err_hint(&err, "Read notifications as they come, and end transactions soon.");
    session_fatal(session, &err);
}

void channels_tell(struct session *session)
{
    struct hearer *hearer = session->hearer;

    if (!hearer || !buf_len(&hearer->heard) || session->ending)
        return;
    if (!may_tell(session)) {
        if (buf_len(&hearer->heard) > HEARD_MAX)
            end_slow(session);
        return;
    }
    outbox_flush(session);
    stream_send_buf(session->client, &hearer->heard);
    buf_rest(&hearer->heard);
}

void channels_put(struct session *session)
{
    struct hearer *hearer = session->hearer;

    if (!hearer || !buf_len(&hearer->heard) || session->status != 'I')
        return;
    /* The outbox points at what is put: it may not grow there. */
    if (buf_len(&hearer->put) || session->out.count == PARTS_MAX)
        outbox_flush(session);
    buf_clear(&hearer->put);
    hearer->put = hearer->heard;
    hearer->heard = (struct buf){0};
    outbox_put(session, buf_slice(&hearer->put));
}

void channels_sent(struct session *session)
{
    if (session->hearer)
        buf_clear(&session->hearer->put);
}

/* ---- of the whole ---- */

void channels_figures(const struct database *database, struct channels_figures *figures)
{
    const struct channels *channels = database->channels;

    *figures = (struct channels_figures){0};
    if (!channels)
        return;
    figures->channels = (unsigned)channels->map.count;
    figures->listeners = channels->nhearers;
    figures->heard = channels->heard;
}

static void free_channel(struct map_link *link, void *with)
{
    (void)with;
    mem_free(MAP_OF(link, struct channel, link));
}

void channels_free(struct database *database)
{
    struct channels *channels = database->channels;

    if (!channels)
        return;
    ear_forget(channels->ear, &channels->round);
    ear_close(channels->ear);
    timer_close(&channels->patience);
    timer_close(&channels->beat);
    map_each(&channels->map, free_channel, NULL);
    map_clear(&channels->map);
    buf_clear(&channels->sql);
    buf_clear(&channels->note);
    mem_free(channels);
    database->channels = NULL;
}
