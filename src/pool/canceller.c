/* Cancel requests, each on a connection of its own, which the server closes once it has carried it
 * out (PostgreSQL, "Canceling Requests in Progress"). Until then the server is nobody's: the cancel
 * could hit whatever it did next. A request whose server is gone is sent all the same, since a
 * backend does not notice a lost client while it works; but nobody waits for it. */
#include "pool/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "pool/place.h"
#include "wire/write.h"

struct cancel {
    struct ring link;      /* in server.cancels */
    struct server *server; /* NULL: gone */
    struct buf message;
    struct stream *stream; /* NULL while it is dialled */
    struct timer limit;
};

enum { CANCEL_LIMIT = 10 };

static void land(struct cancel *cancel)
{
    struct server *server = cancel->server;

    ring_leave(&cancel->link);
    timer_close(&cancel->limit);
    buf_clear(&cancel->message);
    mem_free(cancel);
    if (server && server->state == SERVER_RESET && ring_empty(&server->cancels) &&
        owed_none(&server->owed))
        server->keeper->settled(server);
}

static void closed(void *owner)
{
    land(owner);
}

static void ended(void *owner, const char *why)
{
    struct cancel *cancel = owner;

    (void)why;
    stream_close(cancel->stream);
}

static void ignore_bytes(void *owner, struct slice bytes)
{
    (void)owner;
    (void)bytes;
}

static void ignore(void *owner)
{
    (void)owner;
}

static const struct stream_events cancel_events = {ignore_bytes, ignore, ended, closed};

static void over_time(struct timer *timer)
{
    struct cancel *cancel = timer->owner;

    stream_close(cancel->stream);
}

static void dialled(void *owner, struct stream *stream, const char *why)
{
    struct cancel *cancel = owner;

    if (!stream) {
        log_warning("pool", "cannot send a cancel request: %s", why);
        land(cancel);
        return;
    }
    cancel->stream = stream;
    stream_own(stream, &cancel_events, cancel);
    stream_send_buf(stream, &cancel->message);
    stream_resume(stream);
    if (cancel->server)
        timer_start(&cancel->limit, CANCEL_LIMIT * CLOCK_SEC);
    else
        stream_close(stream);
}

void server_cancel(struct server *server)
{
    struct cancel *cancel = mem_new(sizeof(*cancel));

    cancel->server = server;
    ring_init(&cancel->link);
    ring_append(&server->cancels, &cancel->link);
    write_cancel(&cancel->message, server->pid, server->secret);
    timer_init(&cancel->limit, server->loop, over_time, cancel);
    dial_start(server->loop, server_host(server->place), server->place->port,
               server->place->connect_timeout, dialled, cancel);
}

void server_leave_cancels(struct server *server)
{
    RING_EACH(link, after, &server->cancels)
    {
        struct cancel *cancel = RING_OF(link, struct cancel, link);

        ring_leave(link);
        cancel->server = NULL;
        if (cancel->stream)
            stream_close(cancel->stream);
    }
}
