/* Two rings: a wish that comes while a poll is under way waits for the next one, since that poll
 * may have been answered before the wish came. A failed poll's riders wait again. */
#include "route/wishes.h"

#include "base/clock.h"
#include "route/lsn.h"

#define AFTER_FAULT (100 * CLOCK_MS)

static void ring_start(struct lsn_wish *head)
{
    head->next = head->prev = head;
}

static void append(struct lsn_wish *head, struct lsn_wish *wish)
{
    struct lsn_wish *last = head->prev;

    wish->prev = last;
    wish->next = head;
    last->next = wish;
    head->prev = wish;
    wish->queued = true;
}

static bool is_empty(const struct lsn_wish *head)
{
    return head->next == head;
}

void wishes_leave(struct lsn_wish *wish)
{
    struct lsn_wish *next = wish->next, *prev = wish->prev;

    if (!wish->queued)
        return;
    prev->next = next;
    next->prev = prev;
    wish->next = wish->prev = NULL;
    wish->queued = false;
}

static void move_all(struct lsn_wish *from, struct lsn_wish *to)
{
    while (!is_empty(from)) {
        struct lsn_wish *wish = from->next;

        wishes_leave(wish);
        append(to, wish);
    }
}

static void send(struct wishes *wishes)
{
    if (wishes->asking || is_empty(&wishes->waiting) || !wishes->primary->node.up)
        return;
    wishes->heard = false;
    wishes->asked = loop_now(wishes->primary->loop);
    wishes->asking = control_ask(wishes->primary->control, &wishes->ask);
    if (wishes->asking)
        move_all(&wishes->waiting, &wishes->riding);
}

static void send_in_time(struct timer *timer)
{
    send(timer->owner);
}

static void hear(void *owner, const struct slice *fields, unsigned count)
{
    struct wishes *wishes = owner;

    wishes->heard = count == 1 && fields[0].at && lsn_parse(fields[0], &wishes->lsn);
}

static void fail(void *owner, const char *why)
{
    struct wishes *wishes = owner;

    (void)why; /* the next of the primary's own polls fails too, and says so */
    wishes->asking = false;
    move_all(&wishes->waiting, &wishes->riding);
    move_all(&wishes->riding, &wishes->waiting);
    timer_start(&wishes->timer, AFTER_FAULT);
}

static void tell(void *owner)
{
    struct wishes *wishes = owner;
    const struct identity *identity = &wishes->primary->identity;
    uint64_t lsn;

    if (!wishes->heard) {
        fail(wishes, "no LSN");
        return;
    }
    lsn = lsn_normal(wishes->lsn, identity->block, identity->segment);
    wishes->polled(wishes->owner, wishes->asked, lsn);
    while (!is_empty(&wishes->riding)) {
        struct lsn_wish *wish = wishes->riding.next;

        wishes_leave(wish);
        wish->told(wish, lsn);
    }
    wishes->asking = false;
    send(wishes);
}

void wishes_init(struct wishes *wishes, struct loop *loop, struct probe *primary,
                 void (*polled)(void *owner, int64_t asked, uint64_t lsn), void *owner)
{
    *wishes = (struct wishes){.primary = primary, .polled = polled, .owner = owner};
    wishes->ask = (struct control_ask){.sql = "SELECT pg_catalog.pg_current_wal_insert_lsn()",
                                       .row = hear,
                                       .done = tell,
                                       .failed = fail,
                                       .owner = wishes};
    ring_start(&wishes->waiting);
    ring_start(&wishes->riding);
    timer_init(&wishes->timer, loop, send_in_time, wishes);
}

void wishes_clear(struct wishes *wishes)
{
    control_forget(wishes->primary->control, &wishes->ask);
    timer_close(&wishes->timer);
    while (!is_empty(&wishes->waiting))
        wishes_leave(wishes->waiting.next);
    while (!is_empty(&wishes->riding))
        wishes_leave(wishes->riding.next);
}

void wishes_add(struct wishes *wishes, struct lsn_wish *wish)
{
    append(&wishes->waiting, wish);
    if (!wishes->asking)
        timer_start(&wishes->timer, 0);
}

void wishes_go(struct wishes *wishes)
{
    timer_start(&wishes->timer, 0);
}
