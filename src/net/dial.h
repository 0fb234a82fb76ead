/* Connects to a node: a name or address and a port, or a Unix socket's directory. */
#pragma once

#include "net/stream.h"

struct dial;

/* `done` gets a paused stream without an owner, or NULL and why; always later, never before
 * dial_start has returned. The dial is over then. */
struct dial *dial_start(struct loop *loop, const char *host, int port, int64_t timeout,
                        void (*done)(void *owner, struct stream *stream, const char *why),
                        void *owner);
void dial_cancel(struct dial *dial); /* `done` is not called */
