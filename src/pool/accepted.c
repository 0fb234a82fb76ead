/* A map by the hash of a set, a ring by use. Does not know what a set means. */
#include "pool/accepted.h"

#include "base/hash.h"
#include "base/mem.h"

enum { BYTES_MAX = 256 * 1024 };

struct entry {
    struct map_link link;
    struct ring order;
    struct slice set; /* owned */
    struct vars told;
    size_t bytes;
};

void accepted_init(struct accepted *accepted)
{
    *accepted = (struct accepted){0};
    ring_init(&accepted->order);
}

static void drop(struct accepted *accepted, struct entry *entry)
{
    map_remove(&accepted->map, &entry->link);
    ring_leave(&entry->order);
    accepted->bytes -= entry->bytes;
    vars_clear(&entry->told);
    mem_free((void *)entry->set.at);
    mem_free(entry);
}

void accepted_clear(struct accepted *accepted)
{
    struct ring *first;

    while ((first = ring_first(&accepted->order)))
        drop(accepted, RING_OF(first, struct entry, order));
    map_clear(&accepted->map);
}

static struct entry *find(struct accepted *accepted, struct slice set)
{
    for (struct map_link *at = map_first(&accepted->map, hash_slice(set)); at; at = map_next(at)) {
        struct entry *entry = MAP_OF(at, struct entry, link);

        if (slice_same(entry->set, set))
            return entry;
    }
    return NULL;
}

const struct vars *accepted_find(struct accepted *accepted, struct slice set)
{
    struct entry *entry = find(accepted, set);

    if (!entry)
        return NULL;
    ring_leave(&entry->order);
    ring_prepend(&accepted->order, &entry->order);
    return &entry->told;
}

static size_t size_of(const struct entry *entry)
{
    size_t size = sizeof(*entry) + entry->set.len;

    for (unsigned i = 0; i < entry->told.count; i++)
        size +=
            sizeof(struct var) + strlen(entry->told.at[i].name) + strlen(entry->told.at[i].value);
    return size;
}

void accepted_add(struct accepted *accepted, struct slice set, struct vars *told)
{
    struct entry *entry = find(accepted, set);

    if (entry)
        drop(accepted, entry);
    entry = mem_new(sizeof(*entry));
    entry->set = slice_of(mem_text(set.at, set.len), set.len);
    entry->told = *told;
    *told = (struct vars){0};
    entry->bytes = size_of(entry);
    map_add(&accepted->map, &entry->link, hash_slice(set));
    ring_prepend(&accepted->order, &entry->order);
    accepted->bytes += entry->bytes;
    while (accepted->bytes > BYTES_MAX && accepted->order.prev != &entry->order)
        drop(accepted, RING_OF(accepted->order.prev, struct entry, order));
}
