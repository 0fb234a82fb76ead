/* A two-way stream of bytes: a socket, or one end of a pair in memory. */
#pragma once

#include "base/buf.h"
#include "net/loop.h"

struct stream;

enum { STREAM_HIGH = 256 * 1024, STREAM_LOW = 64 * 1024 };

/* How a stream speaks to its owner. */
struct stream_events {
    /* Bytes came; valid until the call returns. The owner works off or copies all of them. */
    void (*bytes)(void *owner, struct slice bytes);
    /* What was queued has fallen under STREAM_LOW after it had been over STREAM_HIGH. */
    void (*drained)(void *owner);
    /* The peer closed (`why` NULL) or the connection failed. Nothing is read or sent any more; the
     * owner closes it. */
    void (*ended)(void *owner, const char *why);
    /* After stream_close: the stream is freed when this returns; the last call. */
    void (*closed)(void *owner);
};

/* What a kind of stream can do; for net/ only. */
struct stream_kind {
    void (*send)(struct stream *stream, const struct slice *parts, unsigned count);
    void (*read)(struct stream *stream, bool on);
    void (*close)(struct stream *stream);
};

struct stream {
    const struct stream_kind *kind;
    const struct stream_events *events;
    void *owner;
    char peer[80]; /* "127.0.0.1:5432", "unix" */
    size_t queued; /* bytes sent but not yet taken by the kernel */
    bool paused, high, ended, closing;
};

/* Whose events they are from now on. */
void stream_own(struct stream *stream, const struct stream_events *events, void *owner);

/* Sends in order, with one system call where nothing is queued; what the kernel does not take is
 * copied and sent later. Nothing happens after the stream has ended or is closing. */
void stream_send(struct stream *stream, const struct slice *parts, unsigned count);
void stream_send_buf(struct stream *stream, struct buf *buf); /* and empties it */

/* Reading stops and starts; a stream begins paused until its first resume. Idempotent. */
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);

/* What is queued is still sent (for 5 s at most), nothing is read; then `closed`. Idempotent. */
void stream_close(struct stream *stream);
