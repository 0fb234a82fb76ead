/* Cancel requests, each on a connection of its own, which the server closes once it has carried it
 * out (PostgreSQL, "Canceling Requests in Progress"). Until then the server is nobody's: the cancel
 * could hit whatever it did next. */
#include "pool/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "pool/place.h"
#include "wire/write.h"

struct cancel {
    struct server *server;
    struct stream *stream;
    struct timer timer;
};

enum { CANCEL_LIMIT = 10 };

static void cancel_landed(struct cancel *cancel)
{
    struct server *server = cancel->server;

    timer_close(&cancel->timer);
    mem_free(cancel);
    server->cancels--;
    if (server->closed && !server->cancels)
        server_free(server);
    else if (server->state == SERVER_RESET && !server->cancels && owed_none(&server->owed))
        server->keeper->settled(server);
}

static void cancel_closed(void *owner)
{
    cancel_landed(owner);
}

static void cancel_ended(void *owner, const char *why)
{
    struct cancel *cancel = owner;

    (void)why;
    stream_close(cancel->stream);
}

static void cancel_bytes(void *owner, struct slice bytes)
{
    (void)owner;
    (void)bytes;
}

static void cancel_drained(void *owner)
{
    (void)owner;
}

static const struct stream_events cancel_events = {cancel_bytes, cancel_drained, cancel_ended,
                                                   cancel_closed};

static void cancel_over_time(struct timer *timer)
{
    struct cancel *cancel = timer->owner;

    stream_close(cancel->stream);
}

static void cancel_dialled(void *owner, struct stream *stream, const char *why)
{
    struct cancel *cancel = owner;
    struct buf out = {0};

    if (!stream) {
        log_warning("pool", "cannot cancel at %s: %s", cancel->server->place->node, why);
        cancel_landed(cancel);
        return;
    }
    cancel->stream = stream;
    stream_own(stream, &cancel_events, cancel);
    write_cancel(&out, cancel->server->pid, cancel->server->secret);
    stream_send_buf(stream, &out);
    buf_clear(&out);
    stream_resume(stream);
    timer_start(&cancel->timer, CANCEL_LIMIT * CLOCK_SEC);
}

void server_cancel(struct server *server)
{
    struct cancel *cancel = mem_new(sizeof(*cancel));

    cancel->server = server;
    server->cancels++;
    timer_init(&cancel->timer, server->loop, cancel_over_time, cancel);
    dial_start(server->loop, server_host(server->place), server->place->port,
               server->place->connect_timeout, cancel_dialled, cancel);
}
