/* Who may go now: of each operation that has a limit so many requests are at work at a time, and
 * the others wait in their order. Knows no clock, no client and no rules. */
#pragma once

#include "base/ring.h"

#include <stdbool.h>

struct gates;

/* A gate for each of `count` limits; 0 stands for none. */
struct gates *gates_new(const unsigned *limits, unsigned count);
/* Whoever has passes of it may outlive this: it is freed with the last of them. */
void gates_free(struct gates *gates);

/* A wish to go, in the caller's storage, from gate_enter to gate_leave. Zeroed: none. */
struct pass {
    /* After GATE_WAIT: it may go. Never before gate_enter has returned. */
    void (*admitted)(struct pass *pass);
    void *owner;
    /* private */
    struct gates *gates;
    unsigned at;
    bool waits;
    struct ring link;
};
enum gate_verdict { GATE_OPEN, GATE_WAIT };
/* `forced`: it goes, whatever the limit, and counts: who waits could hold what those inside wait
 * for. */
enum gate_verdict gate_enter(struct gates *gates, unsigned at, struct pass *pass, bool forced);
/* Legal in any state: waiting, inside (the first who waits may go), and none. */
void gate_leave(struct pass *pass);

/* How many are inside, and how many wait. */
void gate_figures(const struct gates *gates, unsigned at, unsigned *inside, unsigned *waiting);
