#include "base/buf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

enum { FIRST_CAP = 512 };

void buf_clear(struct buf *buf)
{
    mem_free(buf->at);
    *buf = (struct buf){0};
}

uint8_t *buf_room(struct buf *buf, size_t len)
{
    size_t held = buf_len(buf);

    if (buf->cap - buf->tail >= len && buf->at)
        return buf->at + buf->tail;
    /* Sliding pays only when it frees at least as much as it moves. */
    if (buf->head >= held && buf->cap - held >= len && buf->at) {
        memmove(buf->at, buf->at + buf->head, held);
    } else {
        size_t cap = buf->cap ? buf->cap : FIRST_CAP;
        uint8_t *at;

        while (cap - held < len)
            cap *= 2;
        at = mem_grow(NULL, cap);
        if (held)
            memcpy(at, buf->at + buf->head, held);
        mem_free(buf->at);
        buf->at = at;
        buf->cap = cap;
    }
    buf->head = 0;
    buf->tail = held;
    return buf->at + buf->tail;
}

void buf_added(struct buf *buf, size_t len)
{
    buf->tail += len;
}

void buf_put(struct buf *buf, const void *from, size_t len)
{
    if (!len)
        return;
    memcpy(buf_room(buf, len), from, len);
    buf->tail += len;
}

void buf_put_slice(struct buf *buf, struct slice from)
{
    buf_put(buf, from.at, from.len);
}

void buf_vprintf(struct buf *buf, const char *format, va_list args)
{
    va_list again;
    int len;

    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len <= 0)
        return;
    vsnprintf((char *)buf_room(buf, (size_t)len + 1), (size_t)len + 1, format, args);
    buf->tail += (size_t)len;
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_vprintf(buf, format, args);
    va_end(args);
}

void buf_take(struct buf *buf, size_t len)
{
    buf->head += len;
    if (buf->head == buf->tail)
        buf->head = buf->tail = 0;
}

void buf_rest(struct buf *buf)
{
    if (buf->head == buf->tail)
        buf_clear(buf);
}
