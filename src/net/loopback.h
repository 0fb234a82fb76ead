/* Two streams in memory whose ends are each other's peers, so that whole conversations run without
 * a socket. Bytes are handed over in turns of loopback_turn, never inside a send. */
#pragma once

#include "net/stream.h"

struct loopback_pair {
    struct stream *a, *b;
};

/* Both begin paused and unowned. */
struct loopback_pair loopback_new(void);
/* Hands over what is queued at the end `stream` to its peer, if that reads; true where something
 * happened. Closed ends are freed here. */
bool loopback_turn(struct stream *stream);
