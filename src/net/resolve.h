/* Names of hosts to addresses, without blocking the loop. */
#pragma once

#include "net/loop.h"

struct resolve;

enum { RESOLVE_MAX = 8, RESOLVE_TEXT = 46 };

/* The numeric forms of a host's addresses, in the resolver's order. */
struct addresses {
    char at[RESOLVE_MAX][RESOLVE_TEXT];
    unsigned count;
};

/* `done` comes later, never before resolve_start has returned, with the addresses (valid until it
 * returns), or with count 0 and why. The request is over then. Numeric hosts go the same way. */
struct resolve *resolve_start(struct loop *loop, const char *host,
                              void (*done)(void *owner, const struct addresses *addresses,
                                           const char *why),
                              void *owner);
void resolve_cancel(struct resolve *resolve); /* `done` is not called */
