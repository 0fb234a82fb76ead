/* Families are trees: whoever has two parents makes its family one that nobody stands for. */
#include "sql/links.h"

#include "base/mem.h"

#include <stdlib.h>

enum { SEVERAL = -2, NONE = -1 };

/* Members of one family lead to one place, over others of it. */
static size_t head_of(size_t *heads, size_t at)
{
    while (heads[at] != at) {
        heads[at] = heads[heads[at]];
        at = heads[at];
    }
    return at;
}

struct link_place {
    uint32_t oid;
    size_t at;
};

static int compare_places(const void *a, const void *b)
{
    const struct link_place *left = a, *right = b;

    return (left->oid > right->oid) - (left->oid < right->oid);
}

void links_init(struct links *links, struct catalog_relation *relations, size_t count,
                struct arena *arena)
{
    *links = (struct links){relations, count, arena, mem_new((count + 1) * sizeof(*links->places))};
    for (size_t i = 0; i < count; i++)
        links->places[i] = (struct link_place){relations[i].oid, i};
    qsort(links->places, count, sizeof(*links->places), compare_places);
}

void links_clear(struct links *links)
{
    mem_free(links->places);
}

static long place_of(const struct links *links, uint32_t oid)
{
    struct link_place key = {.oid = oid};
    const struct link_place *found =
        oid ? bsearch(&key, links->places, links->count, sizeof(key), compare_places) : NULL;

    return found ? (long)found->at : NONE;
}

struct catalog_relation *links_find(const struct links *links, uint32_t oid)
{
    long at = place_of(links, oid);

    return at < 0 ? NULL : &links->relations[at];
}

struct families {
    const struct links *links;
    size_t *heads;
    long *parents;                   /* NONE, SEVERAL, or a place */
    struct catalog_relation **roots; /* by head; NULL: none */
};

static void join(struct families *families, const struct link *pair)
{
    long child = place_of(families->links, pair->oid);
    long parent = place_of(families->links, pair->other);

    if (child < 0)
        return;
    /* A parent of a schema that is not looked at is one that nothing is known of. */
    families->parents[child] = families->parents[child] == NONE && parent >= 0 ? parent : SEVERAL;
    if (parent >= 0)
        families->heads[head_of(families->heads, (size_t)child)] =
            head_of(families->heads, (size_t)parent);
}

static bool stands_for_all(const struct catalog_relation *root,
                           const struct catalog_relation *member)
{
    return root->persistence == member->persistence && member->kind != 'f';
}

/* What a member may do, a write to its parent may do, and the other way round. */
static void gather(struct catalog_relation *root, const struct catalog_relation *member)
{
    root->triggers |= member->triggers;
    root->rules |= member->rules;
    root->row_security |= member->row_security;
    root->write_calls |= member->write_calls;
    root->read_calls |= member->read_calls;
}

static void find_roots(struct families *families)
{
    const struct links *links = families->links;

    for (size_t i = 0; i < links->count; i++)
        if (families->parents[i] == NONE)
            families->roots[head_of(families->heads, i)] = &links->relations[i];
    for (size_t i = 0; i < links->count; i++)
        if (families->parents[i] == SEVERAL)
            families->roots[head_of(families->heads, i)] = NULL;
    for (size_t i = 0; i < links->count; i++) {
        size_t head = head_of(families->heads, i);

        if (families->roots[head] && !stands_for_all(families->roots[head], &links->relations[i]))
            families->roots[head] = NULL;
    }
}

/* A key of a parent says nothing of its children's rows, but where they are its partitions. */
static void forget_keys(struct catalog_relation *relation)
{
    struct catalog_column *columns = (struct catalog_column *)relation->columns;

    for (unsigned i = 0; i < relation->ncolumns; i++)
        columns[i].unique = false;
}

void links_families(const struct links *links, const struct link *pairs, size_t count)
{
    size_t n = links->count + 1;
    struct families families = {links, mem_new(n * sizeof(size_t)), mem_new(n * sizeof(long)),
                                mem_new(n * sizeof(void *))};

    for (size_t i = 0; i < links->count; i++) {
        families.heads[i] = i;
        families.parents[i] = NONE;
    }
    for (size_t i = 0; i < count; i++)
        join(&families, &pairs[i]);
    find_roots(&families);
    for (size_t i = 0; i < links->count; i++) {
        struct catalog_relation *root = families.roots[head_of(families.heads, i)];

        links->relations[i].family = root;
        if (root)
            gather(root, &links->relations[i]);
        if (root && root != &links->relations[i] && root->kind != 'p')
            forget_keys(root);
    }
    mem_free(families.heads);
    mem_free(families.parents);
    mem_free(families.roots);
}

/* One that follows a table, under the table's family. */
struct following {
    const struct catalog_relation *table;
    struct catalog_follower follower;
};

static int compare_following(const void *a, const void *b)
{
    const struct following *left = a, *right = b;

    return (left->table > right->table) - (left->table < right->table);
}

static const struct catalog_relation *family_of(const struct links *links, uint32_t oid)
{
    const struct catalog_relation *relation = links_find(links, oid);

    return relation ? relation->family : NULL;
}

static void give(const struct links *links, const struct following *first, size_t count)
{
    struct catalog_follower *followers = arena_take(links->arena, count * sizeof(*followers));
    struct catalog_relation *table = (struct catalog_relation *)first->table;

    for (size_t i = 0; i < count; i++)
        followers[i] = first[i].follower;
    table->followers = followers;
    table->nfollowers = (unsigned)count;
}

void links_followers(const struct links *links, const struct link *pairs, size_t count)
{
    struct following *all = mem_new((count + 1) * sizeof(*all));

    for (size_t i = 0; i < count; i++) {
        all[i] = (struct following){family_of(links, pairs[i].oid), pairs[i].follower};
        all[i].follower.relation = family_of(links, pairs[i].other);
    }
    qsort(all, count, sizeof(*all), compare_following);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i; end < count && all[end].table == all[i].table; end++)
            ;
        if (all[i].table)
            give(links, &all[i], end - i);
    }
    mem_free(all);
}
