#include "session/noted.h"

#include "base/mem.h"

void noteds_init(struct noteds *noteds)
{
    ring_init(&noteds->ring);
    noteds->count = 0;
}

static struct noted *take(struct noteds *noteds, struct noted *noted)
{
    ring_leave(&noted->link);
    noteds->count--;
    return noted;
}

struct noted *noteds_take(struct noteds *noteds, const char *gid)
{
    RING_EACH(link, after, &noteds->ring)
    {
        struct noted *noted = RING_OF(link, struct noted, link);

        if (strcmp(noted->gid, gid) == 0)
            return take(noteds, noted);
    }
    return NULL;
}

static struct noted *take_oldest(struct noteds *noteds)
{
    return take(noteds, RING_OF(ring_first(&noteds->ring), struct noted, link));
}

void noteds_put(struct noteds *noteds, struct noted *noted)
{
    mem_free(noteds_take(noteds, noted->gid));
    if (noteds->count == NOTED_MAX)
        mem_free(take_oldest(noteds));
    ring_append(&noteds->ring, &noted->link);
    noteds->count++;
}

void noteds_clear(struct noteds *noteds)
{
    while (noteds->count)
        mem_free(take_oldest(noteds));
}
