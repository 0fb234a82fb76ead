/* What a client calls its prepared statements. Names are the client's own: two clients' "S_1" have
 * nothing in common. */
#pragma once

#include "base/map.h"
#include "pool/prepared.h"

struct names_change;

/* A zeroed struct names is an empty one. */
struct names {
    struct map map;
    struct names_change *changes; /* of the exchange that is not over yet, oldest first */
    unsigned nchanges, cap;
};

void names_clear(struct names *names);
/* NULL where the client has none of that name. */
struct statement *names_find(const struct names *names, struct slice name);
void names_each(struct names *names,
                void (*each)(void *with, struct slice name, struct statement *statement),
                void *with);
/* Every name of the one statement is one of the other. */
void names_replace(struct names *names, struct statement *old, struct statement *by);
/* A Parse and a Close, which may still fail: `number` tells in which order they went out. A
 * reference is taken. */
void names_set(struct names *names, struct slice name, struct statement *statement,
               unsigned number);
void names_close(struct names *names, struct slice name, unsigned number);
/* At once and for good. */
void names_remove(struct names *names, struct slice name);
/* Of the changes of numbers under `end` only those under `done` came to be: the others are taken
 * back. `parse`: the one of that number was the Parse that failed; one without a name has taken the
 * former one away. */
void names_fail(struct names *names, unsigned done, unsigned end, bool parse);
/* The exchange is over: what it changed, by numbers under `end`, stays. */
void names_settle(struct names *names, unsigned end);
