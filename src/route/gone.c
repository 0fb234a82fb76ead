/* A backend leaves pg_stat_activity after its transaction has ended, so its absence there says that
 * nothing of it can become visible any more. The first look notes when the backend of that pid
 * began, so that a later one with the same pid is not waited for. Where backend_start is hidden
 * from us (no pg_read_all_stats) a later backend of the same pid is waited for too. */
#include "route/gone.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum { LISTED = 1, ASKED = 2, KNOWN = 4, SEEN = 8 };

#define PAUSE_LEAST (5 * CLOCK_MS)
#define PAUSE_MOST  (500 * CLOCK_MS)

static void unlink_wish(struct gone *gone, struct gone_wish *wish)
{
    struct gone_wish *before = NULL;

    for (struct gone_wish *at = gone->first; at != wish; at = at->next)
        before = at;
    if (before)
        before->next = wish->next;
    else
        gone->first = wish->next;
    wish->next = NULL;
    wish->state = 0;
}

static void pass_on(struct gone *gone, struct gone_wish *wish)
{
    unlink_wish(gone, wish);
    wishes_add(gone->wishes, &wish->lsn);
}

static void look(struct gone *gone)
{
    struct probe *primary = gone->wishes->primary;

    if (gone->asking || !gone->first || !primary->node.up)
        return;
    buf_clear(&gone->sql);
    buf_put_slice(&gone->sql, SLICE("SELECT pid, backend_start FROM pg_catalog.pg_stat_activity"
                                    " WHERE pid IN (0"));
    for (struct gone_wish *wish = gone->first; wish; wish = wish->next) {
        buf_printf(&gone->sql, ", %u", wish->pid);
        wish->state = (wish->state | ASKED) & ~SEEN;
    }
    buf_put(&gone->sql, ")", 2);
    gone->ask.sql = (const char *)buf_slice(&gone->sql).at;
    gone->asking = control_ask(primary->control, &gone->ask);
}

static void look_in_time(struct timer *timer)
{
    look(timer->owner);
}

static void see(struct gone_wish *wish, struct slice began)
{
    char text[sizeof(wish->before)];

    snprintf(text, sizeof(text), "%.*s", (int)began.len, began.at ? (const char *)began.at : "");
    if (!(wish->state & KNOWN)) {
        memcpy(wish->before, text, sizeof(text));
        wish->state |= KNOWN | SEEN;
    } else if (strcmp(wish->before, text) == 0) {
        wish->state |= SEEN;
    }
}

static void hear(void *owner, const struct slice *fields, unsigned count)
{
    struct gone *gone = owner;
    char text[16];

    if (count != 2 || !fields[0].at)
        return;
    snprintf(text, sizeof(text), "%.*s", (int)fields[0].len, (const char *)fields[0].at);
    for (struct gone_wish *wish = gone->first; wish; wish = wish->next)
        if ((wish->state & ASKED) && wish->pid == strtoul(text, NULL, 10))
            see(wish, fields[1]);
}

/* Those that came while this look was under way were not looked for. */
static void judge(void *owner)
{
    struct gone *gone = owner;
    struct gone_wish *next;

    gone->asking = false;
    for (struct gone_wish *wish = gone->first; wish; wish = next) {
        next = wish->next;
        if ((wish->state & ASKED) && !(wish->state & SEEN))
            pass_on(gone, wish);
    }
    if (!gone->first)
        return;
    timer_start(&gone->timer, gone->pause);
    gone->pause = gone->pause * 2 < PAUSE_MOST ? gone->pause * 2 : PAUSE_MOST;
}

static void fail(void *owner, const char *why)
{
    struct gone *gone = owner;

    (void)why; /* the next of the primary's own polls fails too, and says so */
    gone->asking = false;
    for (struct gone_wish *wish = gone->first; wish; wish = wish->next)
        wish->state &= ~ASKED;
    timer_start(&gone->timer, PAUSE_MOST);
}

void gone_init(struct gone *gone, struct loop *loop, struct wishes *wishes)
{
    *gone = (struct gone){.wishes = wishes, .pause = PAUSE_LEAST};
    gone->ask = (struct control_ask){.row = hear, .done = judge, .failed = fail, .owner = gone};
    timer_init(&gone->timer, loop, look_in_time, gone);
}

void gone_clear(struct gone *gone)
{
    control_forget(gone->wishes->primary->control, &gone->ask);
    timer_close(&gone->timer);
    while (gone->first)
        unlink_wish(gone, gone->first);
    buf_clear(&gone->sql);
}

void gone_add(struct gone *gone, struct gone_wish *wish)
{
    wish->state = LISTED;
    wish->next = gone->first;
    gone->first = wish;
    gone->pause = PAUSE_LEAST;
    if (!gone->asking)
        timer_start(&gone->timer, 0);
}

void gone_leave(struct gone *gone, struct gone_wish *wish)
{
    if (wish->state & LISTED)
        unlink_wish(gone, wish);
    wishes_leave(&wish->lsn);
}

void gone_go(struct gone *gone)
{
    timer_start(&gone->timer, 0);
}

void gone_all(struct gone *gone)
{
    while (gone->first)
        pass_on(gone, gone->first);
}
