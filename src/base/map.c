#include "base/map.h"

#include "base/mem.h"

enum { FIRST_SIZE = 16 };

static struct map_link **slot_of(const struct map *map, uint64_t hash)
{
    return &map->slots[hash & (map->size - 1)];
}

static void resize(struct map *map, size_t size)
{
    struct map next = {mem_array(size, sizeof(*next.slots)), map->count, size};

    for (size_t i = 0; i < map->size; i++) {
        struct map_link *link = map->slots[i];

        while (link) {
            struct map_link *after = link->next;
            struct map_link **slot = slot_of(&next, link->hash);

            link->next = *slot;
            *slot = link;
            link = after;
        }
    }
    mem_free(map->slots);
    *map = next;
}

struct map_link *map_first(const struct map *map, uint64_t hash)
{
    struct map_link *link = map->size ? *slot_of(map, hash) : NULL;

    while (link && link->hash != hash)
        link = link->next;
    return link;
}

struct map_link *map_next(const struct map_link *link)
{
    uint64_t hash = link->hash;

    do
        link = link->next;
    while (link && link->hash != hash);
    return (struct map_link *)link;
}

void map_add(struct map *map, struct map_link *link, uint64_t hash)
{
    struct map_link **slot;

    if (map->count >= map->size)
        resize(map, map->size ? map->size * 2 : FIRST_SIZE);
    slot = slot_of(map, hash);
    link->hash = hash;
    link->next = *slot;
    *slot = link;
    map->count++;
}

void map_remove(struct map *map, struct map_link *link)
{
    struct map_link **at = slot_of(map, link->hash);

    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    link->next = NULL;
    map->count--;
}

void map_each(struct map *map, void (*each)(struct map_link *link, void *with), void *with)
{
    for (size_t i = 0; i < map->size; i++) {
        struct map_link *link = map->slots[i];

        while (link) {
            struct map_link *after = link->next;

            each(link, with);
            link = after;
        }
    }
}

void map_clear(struct map *map)
{
    mem_free(map->slots);
    *map = (struct map){0};
}
