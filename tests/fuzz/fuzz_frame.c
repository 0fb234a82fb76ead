/* Any stream, cut anywhere: the messages found are the same, lie inside of what was given, and
 * nothing is read beyond it. */
#include "wire/frame.h"

#include "base/hash.h"
#include "wire/types.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* The messages of a stream whose first byte says in which pieces it comes, folded into one hash. */
static uint64_t walk(struct slice stream, size_t piece)
{
    struct frame frame;
    uint64_t seen = 0;
    size_t head = 0;

    for (size_t tail = 0; tail < stream.len;) {
        enum frame_state state;

        tail = stream.len - tail > piece ? tail + piece : stream.len;
        while ((state = frame_look(slice_of(stream.at + head, tail - head), &frame)) ==
               FRAME_WHOLE) {
            must(frame.total >= FRAME_HEAD && frame.whole.len == frame.total);
            must(frame.whole.at == stream.at + head && frame.total <= tail - head);
            seen = hash_join(seen, hash_slice(frame_body(&frame)) + frame.type);
            head += frame.total;
        }
        if (state == FRAME_BAD)
            return hash_join(seen, 1);
        if (state == FRAME_PART)
            must(frame.whole.len == tail - head && frame.total > frame.whole.len);
        else
            must(tail - head < FRAME_HEAD);
    }
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct frame frame;
    enum frame_state state = frame_look_startup(slice_of(at, len), &frame);

    if (state == FRAME_WHOLE || state == FRAME_PART)
        must(frame.total >= 8 && frame.total <= WIRE_STARTUP_MAX && frame.whole.len <= len);
    if (len > 1)
        must(walk(slice_of(at + 1, len - 1), at[0] + 1u) ==
             walk(slice_of(at + 1, len - 1), len - 1));
    return 0;
}
