/* A client's names of statements, and what they were before the exchange that is under way. */
#include "session/names.h"

#include "base/hash.h"
#include "base/mem.h"

#include <limits.h>

struct named {
    struct map_link link;
    struct statement *statement;
    size_t len;
    char name[];
};

struct names_change {
    struct statement *before; /* referenced; NULL: there was none */
    unsigned number;
    char *name; /* NULL: the unnamed one */
    size_t len;
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
    names_settle(names, UINT_MAX);
    map_each(&names->map, free_named, NULL);
    map_clear(&names->map);
    mem_free(names->changes);
    *names = (struct names){0};
}

struct statement *names_find(const struct names *names, struct slice name)
{
    struct named *named = find(names, name);

    return named ? named->statement : NULL;
}

struct walk {
    void (*each)(void *with, struct slice name, struct statement *statement);
    void *with;
};

static void walk_one(struct map_link *link, void *with)
{
    const struct named *named = MAP_OF(link, struct named, link);
    const struct walk *walk = with;

    walk->each(walk->with, slice_of(named->name, named->len), named->statement);
}

void names_each(struct names *names,
                void (*each)(void *with, struct slice name, struct statement *statement),
                void *with)
{
    struct walk walk = {each, with};

    map_each(&names->map, walk_one, &walk);
}

struct replacement {
    struct statement *old, *by;
};

static void replace_one(struct map_link *link, void *with)
{
    struct named *named = MAP_OF(link, struct named, link);
    const struct replacement *replacement = with;

    if (named->statement != replacement->old)
        return;
    named->statement = statement_ref(replacement->by);
    statement_unref(replacement->old);
}

void names_replace(struct names *names, struct statement *old, struct statement *by)
{
    struct replacement replacement = {old, by};

    map_each(&names->map, replace_one, &replacement);
}

/* NULL takes the name away. */
static void set(struct names *names, struct slice name, struct statement *statement)
{
    struct named *named = find(names, name);

    if (statement)
        statement_ref(statement);
    if (named && !statement) {
        map_remove(&names->map, &named->link);
        free_named(&named->link, NULL);
        return;
    }
    if (!statement)
        return;
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
}

static void note(struct names *names, struct slice name, unsigned number)
{
    struct names_change *change;

    if (names->nchanges == names->cap) {
        names->cap = names->cap ? names->cap * 2 : 4;
        names->changes = mem_grow(names->changes, names->cap * sizeof(*names->changes));
    }
    change = &names->changes[names->nchanges++];
    *change = (struct names_change){names_find(names, name), number, NULL, name.len};
    if (change->before)
        statement_ref(change->before);
    if (name.len)
        change->name = mem_text(name.at, name.len);
}

void names_set(struct names *names, struct slice name, struct statement *statement, unsigned number)
{
    note(names, name, number);
    set(names, name, statement);
}

void names_close(struct names *names, struct slice name, unsigned number)
{
    if (!names_find(names, name))
        return;
    note(names, name, number);
    set(names, name, NULL);
}

void names_remove(struct names *names, struct slice name)
{
    set(names, name, NULL);
}

static void free_change(struct names_change *change)
{
    statement_unref(change->before);
    mem_free(change->name);
}

static bool same_name(const struct names_change *a, const struct names_change *b)
{
    return slice_same(slice_of(a->name, a->len), slice_of(b->name, b->len));
}

/* What the name was before is what it is now, or what it was before the next change of it. */
static void take_back(struct names *names, unsigned at)
{
    struct names_change *change = &names->changes[at];

    for (unsigned i = at + 1; i < names->nchanges; i++) {
        struct names_change *later = &names->changes[i];

        if (!same_name(later, change))
            continue;
        statement_unref(later->before);
        later->before = change->before;
        change->before = NULL;
        return;
    }
    set(names, slice_of(change->name, change->len), change->before);
}

static void forget(struct names *names, unsigned at)
{
    free_change(&names->changes[at]);
    names->nchanges--;
    memmove(&names->changes[at], &names->changes[at + 1],
            (names->nchanges - at) * sizeof(*names->changes));
}

void names_fail(struct names *names, unsigned done, unsigned end, bool parse)
{
    bool unnamed = false;

    for (unsigned i = names->nchanges; i-- > 0;) {
        const struct names_change *change = &names->changes[i];

        if (change->number < done || change->number >= end)
            continue;
        unnamed = parse && change->number == done && !change->len;
        take_back(names, i);
        forget(names, i);
    }
    if (unnamed)
        set(names, SLICE(""), NULL);
}

void names_settle(struct names *names, unsigned end)
{
    unsigned count = 0;

    while (count < names->nchanges && names->changes[count].number < end)
        free_change(&names->changes[count++]);
    names->nchanges -= count;
    if (names->nchanges)
        memmove(names->changes, names->changes + count, names->nchanges * sizeof(*names->changes));
}
