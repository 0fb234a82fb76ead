/* Streams over libuv's sockets; for net/ only. */
#pragma once

#include "net/stream.h"

#include <uv.h>

struct socket {
    struct stream stream;
    union {
        uv_handle_t handle;
        uv_stream_t uv;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
    struct loop *loop;
    uv_write_t write;
    uv_shutdown_t shutdown;
    uv_timer_t *limit;  /* of a close that waits */
    struct buf writing; /* with libuv */
    struct buf waiting; /* for its turn */
    bool in_write;
};

/* An unconnected one; `unix_domain`: of a Unix socket. Free it by stream_close. */
struct socket *socket_new(struct loop *loop, bool unix_domain);
/* It is connected: fills in the peer's name and sets TCP_NODELAY and keep-alive. */
void socket_connected(struct socket *socket);
