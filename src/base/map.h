/* A hash table of members that carry their own link; it never allocates per member. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_link {
    struct map_link *next;
    uint64_t hash;
};

/* A zeroed struct map is an empty one. */
struct map {
    struct map_link **slots;
    size_t count, size; /* size is a power of two, or 0 */
};

#define MAP_OF(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))

/* The first member with this hash, NULL where there is none; map_next gives the ones after it that
 * have the same hash. The caller compares keys. */
struct map_link *map_first(const struct map *map, uint64_t hash);
struct map_link *map_next(const struct map_link *link);

/* `link` stays the caller's and must be taken out before it is freed. Does not look for equals. */
void map_add(struct map *map, struct map_link *link, uint64_t hash);

/* The link must be in the map. */
void map_remove(struct map *map, struct map_link *link);

/* Calls `each` for every member; it may free the member but not change the map otherwise. */
void map_each(struct map *map, void (*each)(struct map_link *link, void *with), void *with);

/* Forgets all members, which stay the caller's, and frees the slots. */
void map_clear(struct map *map);
