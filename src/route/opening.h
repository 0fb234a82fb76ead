/* From "the primary is there" to a floor: waits until all that was under way when it was found has
 * ended, then for its insert LSN. */
#pragma once

#include "base/buf.h"
#include "route/wishes.h"

/* In the owner's storage. */
struct opening {
    struct wishes *wishes;
    const char *database;
    void (*opened)(void *owner, uint64_t floor);
    void *owner;
    /* private */
    struct control_ask first, wait, who;
    struct lsn_wish floor;
    struct timer timer;
    struct buf wait_sql, who_sql;
    char *xmax, *writers;
    bool ended;
    int64_t pause, complained;
};

void opening_init(struct opening *opening, struct loop *loop, struct wishes *wishes,
                  const char *database, void (*opened)(void *owner, uint64_t floor), void *owner);
void opening_clear(struct opening *opening);
/* Begins, or begins anew. */
void opening_start(struct opening *opening);
/* The primary is lost: `opened` does not come. */
void opening_stop(struct opening *opening);
