/* The console: what a client of the virtual database `pgtier` (or `pgbouncer`) may ask. Answers
 * simple queries with tables of text; docs/console.md describes them. */
#pragma once

#include "session/rooms.h"
#include "stats/gather.h"

/* What the console tells of, and what it may set off; filled in by app, which may change it between
 * two turns of the loop. */
struct admin {
    const struct gather *gather;
    const char *const *users; /* who may use it; nobody where there are none */
    unsigned nusers;
    /* Calls `line` for each setting; strings need only live until it returns. */
    void (*settings)(void *owner,
                     void (*line)(void *with, const char *key, const char *value,
                                  const char *preset, const char *reload),
                     void *with);
    /* Reads the file anew; false: nothing has changed, and `faults` holds why, a line each. */
    bool (*reload)(void *owner, struct buf *faults);
    void *owner;
};

/* For rooms.console; `admin` must outlive it. */
struct console console_of(struct admin *admin);
