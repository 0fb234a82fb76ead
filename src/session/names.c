/* A client's names of statements. */
#include "session/names.h"

#include "base/hash.h"
#include "base/mem.h"

struct named {
    struct map_link link;
    struct statement *statement;
    uint64_t request;
    unsigned parse;
    size_t len;
    char name[];
};

static struct named *find(const struct names *names, struct slice name)
{
    for (struct map_link *at = map_first(&names->map, hash_slice(name)); at; at = map_next(at)) {
        struct named *named = MAP_OF(at, struct named, link);

        if (slice_same(slice_of(named->name, named->len), name))
            return named;
    }
    return NULL;
}

static void free_named(struct map_link *link, void *with)
{
    struct named *named = MAP_OF(link, struct named, link);

    (void)with;
    statement_unref(named->statement);
    mem_free(named);
}

void names_clear(struct names *names)
{
    map_each(&names->map, free_named, NULL);
    map_clear(&names->map);
}

struct statement *names_find(const struct names *names, struct slice name)
{
    struct named *named = find(names, name);

    return named ? named->statement : NULL;
}

void names_set(struct names *names, struct slice name, struct statement *statement,
               uint64_t request, unsigned parse)
{
    struct named *named = find(names, name);

    statement_ref(statement);
    if (named) {
        statement_unref(named->statement);
    } else {
        named = mem_new(sizeof(*named) + name.len);
        named->len = name.len;
        if (name.len)
            memcpy(named->name, name.at, name.len);
        map_add(&names->map, &named->link, hash_slice(name));
    }
    named->statement = statement;
    named->request = request;
    named->parse = parse;
}

void names_remove(struct names *names, struct slice name)
{
    struct named *named = find(names, name);

    if (!named)
        return;
    map_remove(&names->map, &named->link);
    free_named(&named->link, NULL);
}

struct failed {
    struct names *names;
    uint64_t request;
    unsigned done;
    struct named *found;
};

static void find_failed(struct map_link *link, void *with)
{
    struct failed *failed = with;
    struct named *named = MAP_OF(link, struct named, link);

    if (named->request == failed->request && named->parse >= failed->done)
        failed->found = named;
}

void names_fail(struct names *names, uint64_t request, unsigned done)
{
    struct failed failed = {names, request, done, NULL};

    do {
        failed.found = NULL;
        map_each(&names->map, find_failed, &failed);
        if (failed.found) {
            map_remove(&names->map, &failed.found->link);
            free_named(&failed.found->link, NULL);
        }
    } while (failed.found);
}
