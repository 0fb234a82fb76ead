/* Accepts; refuses to know what the connections are for. */
#include "net/listener.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/socket.h"

enum { BACKLOG = 1024 };

struct listener {
    uv_tcp_t uv;
    struct loop *loop;
    void (*took)(void *owner, struct stream *stream);
    void *owner;
};

static void unowned(void *owner)
{
    (void)owner;
}

static const struct stream_events unowned_events = {.closed = unowned};

static void accept_one(uv_stream_t *uv, int status)
{
    struct listener *listener = uv->data;
    struct socket *socket;

    if (status < 0) {
        log_warning("listener", "cannot accept: %s", uv_strerror(status));
        return;
    }
    socket = socket_new(listener->loop, false);
    stream_own(&socket->stream, &unowned_events, NULL);
    if (uv_accept(uv, &socket->uv) < 0) {
        stream_close(&socket->stream);
        return;
    }
    socket_connected(socket);
    listener->took(listener->owner, &socket->stream);
}

static void free_listener(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static int listen_on(struct listener *listener, const char *address, int port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } at;
    int fault = uv_ip4_addr(address, port, &at.in);

    if (fault)
        fault = uv_ip6_addr(address, port, &at.in6);
    if (!fault)
        fault = uv_tcp_bind(&listener->uv, &at.any, 0);
    if (!fault)
        fault = uv_listen((uv_stream_t *)&listener->uv, BACKLOG, accept_one);
    return fault;
}

struct listener *listener_new(struct loop *loop, const char *address, int port,
                              void (*took)(void *owner, struct stream *stream), void *owner,
                              struct err *err)
{
    struct listener *listener = mem_new(sizeof(*listener));
    int fault;

    listener->loop = loop;
    listener->took = took;
    listener->owner = owner;
    uv_tcp_init(loop_uv(loop), &listener->uv);
    listener->uv.data = listener;
    fault = listen_on(listener, address, port);
    if (!fault)
        return listener;
    err_set(err, "08000", "cannot listen on %s port %d: %s", address, port, uv_strerror(fault));
    err_hint(err, "Give listen.address an address of this host and listen.port a free port.");
    listener_close(listener);
    return NULL;
}

int listener_port(const struct listener *listener)
{
    struct sockaddr_storage at;
    int len = sizeof(at);

    if (uv_tcp_getsockname(&listener->uv, (struct sockaddr *)&at, &len) < 0)
        return 0;
    return at.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&at)->sin6_port)
                                    : ntohs(((struct sockaddr_in *)&at)->sin_port);
}

void listener_close(struct listener *listener)
{
    uv_close((uv_handle_t *)&listener->uv, free_listener);
}
