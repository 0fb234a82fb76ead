/* How the relations of a catalog hang together; of catalog.c only. */
#pragma once

#include "sql/arena.h"
#include "sql/catalog.h"

/* A pair of relations by their oids. */
struct link {
    uint32_t oid, other;
    struct catalog_follower follower; /* of a cascade: what is known of it, but its relation */
};

struct links {
    struct catalog_relation *relations;
    size_t count;
    struct arena *arena;
    struct link_place *places; /* by oid */
};

void links_init(struct links *links, struct catalog_relation *relations, size_t count,
                struct arena *arena);
void links_clear(struct links *links);

/* `pairs`: a child and its parent. Gives each relation its family, and what is true of one member
 * to all. */
void links_families(const struct links *links, const struct link *pairs, size_t count);
/* `pairs`: a table and one that follows it. Families must be there. */
void links_followers(const struct links *links, const struct link *pairs, size_t count);
/* NULL where there is no such relation. */
struct catalog_relation *links_find(const struct links *links, uint32_t oid);
