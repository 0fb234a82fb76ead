#include "wire/frame.h"

#include "wire/types.h"

enum { LENGTH_MIN = 4, LENGTH_MAX = 0x3fffffff, STARTUP_MIN = 8 };

static uint32_t length_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static enum frame_state cut(struct slice in, size_t total, struct frame *frame)
{
    frame->total = total;
    frame->whole = slice_first(in, total);
    return in.len >= total ? FRAME_WHOLE : FRAME_PART;
}

enum frame_state frame_look(struct slice in, struct frame *frame)
{
    uint32_t length;

    if (in.len < FRAME_HEAD)
        return FRAME_NONE;
    length = length_at(in.at + 1);
    if (length < LENGTH_MIN || length > LENGTH_MAX)
        return FRAME_BAD;
    frame->type = in.at[0];
    return cut(in, (size_t)length + 1, frame);
}

enum frame_state frame_look_startup(struct slice in, struct frame *frame)
{
    uint32_t length;

    if (in.len < 4)
        return FRAME_NONE;
    length = length_at(in.at);
    if (length < STARTUP_MIN || length > WIRE_STARTUP_MAX)
        return FRAME_BAD;
    frame->type = 0;
    return cut(in, length, frame);
}
