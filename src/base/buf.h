/* A growing buffer with two positions: bytes are put at `tail` and taken at `head`.
 *
 *     at          head         tail         cap
 *     |  taken    |  to read   |  room      |
 *
 * An empty buffer owns no memory after buf_rest, so that what is idle costs nothing. */
#pragma once

#include <stdarg.h>

#include "base/slice.h"

struct buf {
    uint8_t *at;
    size_t head, tail, cap;
};

/* A zeroed struct buf is an empty one. Gives the memory back; the buffer can be used again. */
void buf_clear(struct buf *buf);

/* Room for at least `len` more bytes at the returned place; follow with buf_added. The place is
 * valid until the next call that puts. Cannot fail. */
uint8_t *buf_room(struct buf *buf, size_t len);
void buf_added(struct buf *buf, size_t len);

/* Copies `len` bytes to the end. Cannot fail. */
void buf_put(struct buf *buf, const void *from, size_t len);
void buf_put_slice(struct buf *buf, struct slice from);
void buf_vprintf(struct buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Drops the first `len` bytes of what is there to read. */
void buf_take(struct buf *buf, size_t len);

/* Gives the memory back if there is nothing to read. */
void buf_rest(struct buf *buf);

static inline size_t buf_len(const struct buf *buf)
{
    return buf->tail - buf->head;
}

/* What is there to read; valid until the next call that changes the buffer. */
static inline struct slice buf_slice(const struct buf *buf)
{
    return slice_of(buf->at ? buf->at + buf->head : NULL, buf->tail - buf->head);
}
