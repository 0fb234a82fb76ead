/* A stream over a libuv handle. Tries the kernel first and queues only what it does not take; never
 * leaves the set of watched descriptors while it is read. Does not know what the bytes mean. */
#include "net/socket.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>

enum { PARTS_MAX = 64, CLOSE_LIMIT_MS = 5000, LINGER_MS = 1000 };

static struct socket *socket_of(struct stream *stream)
{
    return (struct socket *)stream;
}

static void end(struct socket *socket, const char *why)
{
    struct stream *stream = &socket->stream;

    if (stream->ended)
        return;
    stream->ended = true;
    uv_read_stop(&socket->uv);
    if (!stream->closing)
        stream->events->ended(stream->owner, why);
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct socket *socket = handle->data;

    (void)suggested;
    *buf = uv_buf_init((char *)loop_read_buffer(socket->loop), LOOP_READ);
}

static void take_bytes(uv_stream_t *uv, ssize_t len, const uv_buf_t *buf)
{
    struct socket *socket = uv->data;

    if (len > 0)
        socket->stream.events->bytes(socket->stream.owner, slice_of(buf->base, (size_t)len));
    else if (len == UV_EOF)
        end(socket, NULL);
    else if (len < 0)
        end(socket, uv_strerror((int)len));
}

static void read_socket(struct stream *stream, bool on)
{
    struct socket *socket = socket_of(stream);

    if (on)
        uv_read_start(&socket->uv, give_buffer, take_bytes);
    else
        uv_read_stop(&socket->uv);
}

static void finish_close(struct socket *socket);
static void write_waiting(struct socket *socket);

static void wrote(uv_write_t *write, int status)
{
    struct socket *socket = write->data;
    struct stream *stream = &socket->stream;

    socket->in_write = false;
    stream->queued -= buf_len(&socket->writing);
    buf_clear(&socket->writing);
    if (status < 0) {
        stream->queued = 0;
        buf_clear(&socket->waiting);
        end(socket, uv_strerror(status));
    }
    if (buf_len(&socket->waiting))
        write_waiting(socket);
    else if (stream->closing)
        finish_close(socket);
    if (stream->high && stream->queued < STREAM_LOW && !stream->closing) {
        stream->high = false;
        if (!stream->ended)
            stream->events->drained(stream->owner);
    }
}

static void write_waiting(struct socket *socket)
{
    uv_buf_t buf;

    socket->writing = socket->waiting;
    socket->waiting = (struct buf){0};
    buf = uv_buf_init((char *)socket->writing.at + socket->writing.head,
                      (unsigned)buf_len(&socket->writing));
    socket->in_write = true;
    socket->write.data = socket;
    uv_write(&socket->write, &socket->uv, &buf, 1, wrote);
}

static void queue_rest(struct socket *socket, const uv_buf_t *bufs, unsigned count, size_t skip)
{
    for (unsigned i = 0; i < count; i++) {
        size_t len = bufs[i].len;

        if (skip >= len) {
            skip -= len;
            continue;
        }
        buf_put(&socket->waiting, bufs[i].base + skip, len - skip);
        socket->stream.queued += len - skip;
        skip = 0;
    }
}

static void send_few(struct socket *socket, const struct slice *parts, unsigned count)
{
    uv_buf_t bufs[PARTS_MAX];
    size_t total = 0;
    int sent = 0;

    for (unsigned i = 0; i < count; i++) {
        bufs[i] = uv_buf_init((char *)parts[i].at, (unsigned)parts[i].len);
        total += parts[i].len;
    }
    if (!total)
        return;
    /* A failure is not told from here, where the owner does not expect it: the write that follows
     * fails in the same way and tells. */
    if (!socket->in_write)
        sent = uv_try_write(&socket->uv, bufs, count);
    if (sent < 0)
        sent = 0;
    if ((size_t)sent == total)
        return;
    queue_rest(socket, bufs, count, (size_t)sent);
    if (!socket->in_write)
        write_waiting(socket);
}

static void send_socket(struct stream *stream, const struct slice *parts, unsigned count)
{
    for (unsigned at = 0; at < count; at += PARTS_MAX)
        send_few(socket_of(stream), parts + at, count - at < PARTS_MAX ? count - at : PARTS_MAX);
}

static void free_limit(uv_handle_t *handle)
{
    mem_free(handle);
}

static void closed(uv_handle_t *handle)
{
    struct socket *socket = handle->data;

    if (socket->stream.events)
        socket->stream.events->closed(socket->stream.owner);
    buf_clear(&socket->writing);
    buf_clear(&socket->waiting);
    mem_free(socket);
}

static void close_now(struct socket *socket)
{
    if (socket->limit) {
        uv_close((uv_handle_t *)socket->limit, free_limit);
        socket->limit = NULL;
    }
    if (!uv_is_closing(&socket->handle))
        uv_close(&socket->handle, closed);
}

static void over_limit(uv_timer_t *timer)
{
    close_now(timer->data);
}

static void drop_bytes(uv_stream_t *uv, ssize_t len, const uv_buf_t *buf)
{
    (void)buf;
    if (len < 0)
        close_now(uv->data);
}

static void was_shut(uv_shutdown_t *shutdown, int status)
{
    if (status < 0)
        close_now(shutdown->data);
}

static void set_limit(struct socket *socket, uint64_t ms)
{
    if (!socket->limit) {
        socket->limit = mem_new(sizeof(*socket->limit));
        uv_timer_init(loop_uv(socket->loop), socket->limit);
        socket->limit->data = socket;
    }
    uv_timer_start(socket->limit, over_limit, ms, 0);
}

/* Says goodbye and waits a moment for the peer's: closing with bytes unread would make the kernel
 * reset the connection, and the peer would lose the error message that we sent last. */
static void finish_close(struct socket *socket)
{
    if (socket->stream.ended || uv_is_closing(&socket->handle) || !uv_is_writable(&socket->uv)) {
        close_now(socket);
        return;
    }
    socket->shutdown.data = socket;
    if (uv_shutdown(&socket->shutdown, &socket->uv, was_shut) < 0 ||
        uv_read_start(&socket->uv, give_buffer, drop_bytes) < 0) {
        close_now(socket);
        return;
    }
    set_limit(socket, LINGER_MS);
}

static void close_socket(struct stream *stream)
{
    struct socket *socket = socket_of(stream);

    uv_read_stop(&socket->uv);
    if (socket->in_write && !stream->ended)
        set_limit(socket, CLOSE_LIMIT_MS);
    else
        finish_close(socket);
}

static const struct stream_kind socket_kind = {send_socket, read_socket, close_socket};

struct socket *socket_new(struct loop *loop, bool unix_domain)
{
    struct socket *socket = mem_new(sizeof(*socket));

    if (unix_domain)
        uv_pipe_init(loop_uv(loop), &socket->pipe, 0);
    else
        uv_tcp_init(loop_uv(loop), &socket->tcp);
    socket->handle.data = socket;
    socket->loop = loop;
    socket->stream.kind = &socket_kind;
    socket->stream.paused = true;
    return socket;
}

static void name_peer(struct socket *socket)
{
    struct sockaddr_storage peer;
    int len = sizeof(peer);
    char name[64] = "unknown";
    char *out = socket->stream.peer;

    if (socket->handle.type != UV_TCP) {
        snprintf(out, sizeof(socket->stream.peer), "unix");
        return;
    }
    if (uv_tcp_getpeername(&socket->tcp, (struct sockaddr *)&peer, &len) < 0)
        return;
    if (peer.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&peer;

        uv_ip6_name(in6, name, sizeof(name));
        snprintf(out, sizeof(socket->stream.peer), "[%s]:%d", name, ntohs(in6->sin6_port));
    } else {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&peer;

        uv_ip4_name(in, name, sizeof(name));
        snprintf(out, sizeof(socket->stream.peer), "%s:%d", name, ntohs(in->sin_port));
    }
}

void socket_connected(struct socket *socket)
{
    if (socket->handle.type == UV_TCP) {
        uv_tcp_nodelay(&socket->tcp, 1);
        uv_tcp_keepalive(&socket->tcp, 1, 60);
    }
    name_peer(socket);
}
