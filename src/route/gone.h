/* Waits until backends that may have committed unheard are gone from the primary, then for an LSN
 * polled after that. */
#pragma once

#include "base/buf.h"
#include "route/wishes.h"

/* In the owner's storage. */
struct gone {
    struct wishes *wishes;
    /* private */
    struct gone_wish *first;
    struct control_ask ask;
    struct buf sql;
    struct timer timer;
    bool asking;
    int64_t pause;
};

void gone_init(struct gone *gone, struct loop *loop, struct wishes *wishes);
void gone_clear(struct gone *gone);
void gone_add(struct gone *gone, struct gone_wish *wish);
void gone_leave(struct gone *gone, struct gone_wish *wish);
/* The primary came up. */
void gone_go(struct gone *gone);
/* Another instance is the primary now: no backend of the former one is left. */
void gone_all(struct gone *gone);
