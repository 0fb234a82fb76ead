/* Wishes for the primary's insert LSN, batched: one poll for all that came before it was sent. */
#pragma once

#include "route/probe.h"

/* In the owner's storage. */
struct wishes {
    struct probe *primary;
    void (*polled)(void *owner, int64_t asked,
                   uint64_t lsn); /* each poll, before those who wished */
    void *owner;
    /* private */
    struct lsn_wish waiting, riding; /* ring heads; those who ride on the poll under way */
    struct control_ask ask;
    struct timer timer;
    bool asking, heard;
    int64_t asked;
    uint64_t lsn;
};

void wishes_init(struct wishes *wishes, struct loop *loop, struct probe *primary,
                 void (*polled)(void *owner, int64_t asked, uint64_t lsn), void *owner);
/* Nobody is told any more. */
void wishes_clear(struct wishes *wishes);
/* Asked for in the next turn; while the primary is not up it waits for wishes_go. */
void wishes_add(struct wishes *wishes, struct lsn_wish *wish);
void wishes_leave(struct lsn_wish *wish);
/* The primary came up. */
void wishes_go(struct wishes *wishes);
