/* What all streams share: positions and owners. The kinds are in socket.c and loopback.c. */
#include "net/stream.h"

void stream_own(struct stream *stream, const struct stream_events *events, void *owner)
{
    stream->events = events;
    stream->owner = owner;
}

void stream_send(struct stream *stream, const struct slice *parts, unsigned count)
{
    if (stream->ended || stream->closing || count == 0)
        return;
    stream->kind->send(stream, parts, count);
    if (stream->queued > STREAM_HIGH)
        stream->high = true;
}

void stream_send_buf(struct stream *stream, struct buf *buf)
{
    struct slice part = buf_slice(buf);

    if (part.len)
        stream_send(stream, &part, 1);
    buf_take(buf, part.len);
}

void stream_pause(struct stream *stream)
{
    if (stream->paused || stream->closing)
        return;
    stream->paused = true;
    stream->kind->read(stream, false);
}

void stream_resume(struct stream *stream)
{
    if (!stream->paused || stream->closing || stream->ended)
        return;
    stream->paused = false;
    stream->kind->read(stream, true);
}

void stream_close(struct stream *stream)
{
    if (stream->closing)
        return;
    stream->closing = true;
    stream->kind->close(stream);
}
