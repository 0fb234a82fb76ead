/* A stream pair in memory. */
#include "net/loopback.h"

#include "base/mem.h"

#include <stdio.h>

struct end {
    struct stream stream;
    struct end *peer; /* NULL once it is freed */
    struct buf out;   /* on its way to the peer */
};

static void send_end(struct stream *stream, const struct slice *parts, unsigned count)
{
    struct end *end = (struct end *)stream;

    for (unsigned i = 0; i < count; i++)
        buf_put_slice(&end->out, parts[i]);
    stream->queued = buf_len(&end->out);
}

static void read_end(struct stream *stream, bool on)
{
    (void)stream;
    (void)on;
}

static void close_end(struct stream *stream)
{
    (void)stream;
}

static const struct stream_kind loopback_kind = {send_end, read_end, close_end};

struct loopback_pair loopback_new(void)
{
    struct end *a = mem_new(sizeof(*a)), *b = mem_new(sizeof(*b));

    a->peer = b;
    b->peer = a;
    a->stream.kind = b->stream.kind = &loopback_kind;
    a->stream.paused = b->stream.paused = true;
    snprintf(a->stream.peer, sizeof(a->stream.peer), "loopback");
    snprintf(b->stream.peer, sizeof(b->stream.peer), "loopback");
    return (struct loopback_pair){&a->stream, &b->stream};
}

static void free_end(struct end *end)
{
    if (end->stream.events && end->stream.events->closed)
        end->stream.events->closed(end->stream.owner);
    if (end->peer)
        end->peer->peer = NULL;
    buf_clear(&end->out);
    mem_free(end);
}

static bool deliver(struct end *end)
{
    struct end *peer = end->peer;
    struct slice bytes = buf_slice(&end->out);
    struct buf moved = end->out;

    if (!bytes.len || (peer && !peer->stream.closing && peer->stream.paused))
        return false;
    end->out = (struct buf){0};
    end->stream.queued = 0;
    if (peer && !peer->stream.closing && !peer->stream.ended)
        peer->stream.events->bytes(peer->stream.owner, bytes);
    buf_clear(&moved);
    if (end->stream.high && !end->stream.closing) {
        end->stream.high = false;
        end->stream.events->drained(end->stream.owner);
    }
    return true;
}

/* A peer that does not read yet still gets the last bytes. */
static bool has_delivered(const struct end *end)
{
    return !buf_len(&end->out) || !end->peer || end->peer->stream.closing;
}

bool loopback_turn(struct stream *stream)
{
    struct end *end = (struct end *)stream;

    if (deliver(end))
        return true;
    if (stream->closing) {
        if (!has_delivered(end))
            return false;
        free_end(end);
        return true;
    }
    if (!end->peer && !stream->ended) {
        stream->ended = true;
        stream->events->ended(stream->owner, NULL);
        return true;
    }
    return false;
}
