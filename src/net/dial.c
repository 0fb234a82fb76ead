/* Resolves, connects to one address after the other, and hands the stream on. */
#include "net/dial.h"

#include "base/mem.h"
#include "net/resolve.h"
#include "net/socket.h"

#include <stdio.h>

struct dial {
    struct loop *loop;
    struct timer timer;
    struct resolve *resolve;
    struct socket *socket; /* connecting */
    struct addresses addresses;
    unsigned next;
    char path[108]; /* of a Unix socket; empty: TCP */
    int port;
    int64_t timeout;
    void (*done)(void *owner, struct stream *stream, const char *why);
    void *owner;
};

/* libuv's request outlives a cancelled dial. */
struct attempt {
    uv_connect_t uv;
    struct dial *dial; /* NULL: nobody waits */
    struct socket *socket;
};

static void unowned(void *owner)
{
    (void)owner;
}

static const struct stream_events unowned_events = {.closed = unowned};

static void free_dial(struct dial *dial)
{
    timer_close(&dial->timer);
    if (dial->resolve)
        resolve_cancel(dial->resolve);
    if (dial->socket)
        stream_close(&dial->socket->stream);
    mem_free(dial);
}

static void finish(struct dial *dial, struct socket *socket, const char *why)
{
    void (*done)(void *, struct stream *, const char *) = dial->done;
    void *owner = dial->owner;

    dial->socket = NULL;
    free_dial(dial);
    done(owner, socket ? &socket->stream : NULL, why);
}

static void try_next(struct dial *dial, const char *why);

static void connected(uv_connect_t *uv, int status)
{
    struct attempt *attempt = uv->data;
    struct socket *socket = attempt->socket;
    struct dial *dial = socket->stream.owner;

    mem_free(attempt);
    if (!dial)
        return; /* cancelled: the socket is being closed */
    if (status == 0) {
        socket_connected(socket);
        finish(dial, socket, NULL);
        return;
    }
    socket->stream.owner = NULL;
    dial->socket = NULL;
    stream_close(&socket->stream);
    try_next(dial, uv_strerror(status));
}

static bool connect_tcp(struct dial *dial, struct attempt *attempt, const char *address)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } to;

    if (uv_ip4_addr(address, dial->port, &to.in) < 0 &&
        uv_ip6_addr(address, dial->port, &to.in6) < 0)
        return false;
    return uv_tcp_connect(&attempt->uv, &attempt->socket->tcp, &to.any, connected) == 0;
}

/* Connects to the next address there is; tells why the last one failed when there is none. */
static void try_next(struct dial *dial, const char *why)
{
    bool local = dial->path[0] != '\0';

    while (dial->next < (local ? 1 : dial->addresses.count)) {
        unsigned at = dial->next++;
        struct attempt *attempt = mem_new(sizeof(*attempt));
        struct socket *socket = socket_new(dial->loop, local);

        stream_own(&socket->stream, &unowned_events, dial);
        attempt->uv.data = attempt;
        attempt->socket = socket;
        dial->socket = socket;
        if (local) {
            uv_pipe_connect(&attempt->uv, &socket->pipe, dial->path, connected);
            return;
        }
        if (connect_tcp(dial, attempt, dial->addresses.at[at]))
            return;
        mem_free(attempt);
        socket->stream.owner = NULL;
        dial->socket = NULL;
        stream_close(&socket->stream);
        why = "the connection could not be started";
    }
    finish(dial, NULL, why);
}

static void resolved(void *owner, const struct addresses *addresses, const char *why)
{
    struct dial *dial = owner;

    dial->resolve = NULL;
    dial->addresses = *addresses;
    try_next(dial, why);
}

static void over_time(struct timer *timer)
{
    struct dial *dial = timer->owner;

    if (dial->socket) {
        dial->socket->stream.owner = NULL;
        stream_close(&dial->socket->stream);
    }
    finish(dial, NULL, "timed out");
}

static void start_local(struct timer *timer)
{
    struct dial *dial = timer->owner;

    timer->fired = over_time;
    timer_start(timer, dial->timeout);
    try_next(dial, "no such socket");
}

struct dial *dial_start(struct loop *loop, const char *host, int port, int64_t timeout,
                        void (*done)(void *owner, struct stream *stream, const char *why),
                        void *owner)
{
    struct dial *dial = mem_new(sizeof(*dial));

    dial->loop = loop;
    dial->port = port;
    dial->timeout = timeout;
    dial->done = done;
    dial->owner = owner;
    if (host[0] == '/') {
        snprintf(dial->path, sizeof(dial->path), "%s/.s.PGSQL.%d", host, port);
        timer_init(&dial->timer, loop, start_local, dial);
        timer_start(&dial->timer, 0);
        return dial;
    }
    timer_init(&dial->timer, loop, over_time, dial);
    timer_start(&dial->timer, timeout);
    dial->resolve = resolve_start(loop, host, resolved, dial);
    return dial;
}

void dial_cancel(struct dial *dial)
{
    if (dial->socket)
        dial->socket->stream.owner = NULL;
    free_dial(dial);
}
