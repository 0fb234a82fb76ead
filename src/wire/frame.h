/* Cuts a stream of bytes into messages: a type byte, a length that counts itself, a body. */
#pragma once

#include "base/slice.h"

enum { FRAME_HEAD = 5 };

struct frame {
    uint8_t type;
    size_t total;       /* bytes of the whole message, its head included */
    struct slice whole; /* what of it is there: from the type byte on, at most `total` bytes */
};

enum frame_state {
    FRAME_WHOLE, /* `frame.whole` holds all of it */
    FRAME_PART,  /* the head is there and the rest is not: type and total are known */
    FRAME_NONE,  /* fewer than FRAME_HEAD bytes are there */
    FRAME_BAD,   /* a length under 4 or over 1 GB - 1: the stream can't be followed any more */
};

/* Looks at the first message of `in`, which stays untouched. Pure. */
enum frame_state frame_look(struct slice in, struct frame *frame);

/* The body of a whole frame. */
static inline struct slice frame_body(const struct frame *frame)
{
    return slice_skip(frame->whole, FRAME_HEAD);
}

/* The same for the packets that come before a login, which have no type byte: `total` is set,
 * `type` is 0, `whole` starts at the length. FRAME_BAD: under 8 or over WIRE_STARTUP_MAX bytes. */
enum frame_state frame_look_startup(struct slice in, struct frame *frame);
