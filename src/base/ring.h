/* A doubly linked ring whose links live in the members. A link that is in no ring points at
 * itself, so that leaving twice does no harm. Cannot fail. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct ring {
    struct ring *next, *prev;
};

#define RING_OF(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))

/* Walks a ring; the body may take `at` itself out, and nothing else. `after` is the walk's own. */
#define RING_EACH(at, after, head)                                                                 \
    for (struct ring *at = (head)->next, *after = at->next; at != (head);                          \
         at = after, after = at->next)

static inline void ring_init(struct ring *ring)
{
    ring->next = ring->prev = ring;
}

static inline bool ring_empty(const struct ring *ring)
{
    return ring->next == ring;
}

static inline void ring_leave(struct ring *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    ring_init(link);
}

/* The link may be in no other ring. */
static inline void ring_append(struct ring *ring, struct ring *link)
{
    link->prev = ring->prev;
    link->next = ring;
    ring->prev->next = link;
    ring->prev = link;
}

static inline void ring_prepend(struct ring *ring, struct ring *link)
{
    ring_append(ring->next, link);
}

/* NULL where the ring is empty. */
static inline struct ring *ring_first(struct ring *ring)
{
    return ring->next == ring ? NULL : ring->next;
}
