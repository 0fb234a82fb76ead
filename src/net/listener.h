/* Takes connections of clients on a TCP address. */
#pragma once

#include "base/err.h"
#include "net/stream.h"

struct listener;

/* `took` gets a stream that is paused and has no owner yet. NULL where the address can't be had,
 * with *err. Port 0: any free one. */
struct listener *listener_new(struct loop *loop, const char *address, int port,
                              void (*took)(void *owner, struct stream *stream), void *owner,
                              struct err *err);
int listener_port(const struct listener *listener);
void listener_close(struct listener *listener); /* and frees it */
