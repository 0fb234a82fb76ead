/* Statements by text and parameter types, and the set of them that one server has. */
#include "pool/prepared.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdio.h>

static uint64_t hash_of(struct slice text, struct slice oids)
{
    return hash_join(hash_slice(text), hash_slice(oids));
}

static struct slice copy(struct slice from)
{
    return slice_of(mem_text(from.at, from.len), from.len);
}

static struct statement *find_or_make(struct statements *in, struct slice text, struct slice oids,
                                      uint32_t body, uint64_t under)
{
    uint64_t hash = hash_join(hash_join(hash_of(text, oids), body), under);
    struct statement *statement;

    for (struct map_link *at = map_first(&in->map, hash); at; at = map_next(at)) {
        statement = MAP_OF(at, struct statement, link);
        if (!statement->retired && statement->body == body && statement->under == under &&
            slice_same(statement->text, text) && slice_same(statement->oids, oids))
            return statement_ref(statement);
    }
    statement = mem_new(sizeof(*statement));
    statement->id = ++in->last_id;
    snprintf(statement->name, sizeof(statement->name), "pgtier_%llu",
             (unsigned long long)statement->id);
    statement->text = copy(text);
    statement->oids = copy(oids);
    statement->noids = (uint16_t)(oids.len / 4);
    statement->body = body;
    statement->under = under;
    statement->in = in;
    statement->refs = 1;
    map_add(&in->map, &statement->link, hash);
    in->bytes += sizeof(*statement) + text.len + oids.len;
    return statement;
}

struct statement *statement_of(struct statements *in, struct slice text, struct slice oids,
                               uint64_t under)
{
    return find_or_make(in, text, oids, 0, under);
}

struct statement *statement_by_sql(struct statements *in, struct slice text, size_t body,
                                   uint64_t under)
{
    return find_or_make(in, text, SLICE(""), (uint32_t)body, under);
}

struct statement *statement_renew(struct statement *statement, uint64_t under)
{
    statement->retired = true;
    return find_or_make(statement->in, statement->text, statement->oids, statement->body, under);
}

struct statement *statement_ref(struct statement *statement)
{
    statement->refs++;
    return statement;
}

void statement_unref(struct statement *statement)
{
    if (!statement || --statement->refs)
        return;
    map_remove(&statement->in->map, &statement->link);
    statement->in->bytes -= sizeof(*statement) + statement->text.len + statement->oids.len;
    if (statement->facts && statement->free_facts)
        statement->free_facts(statement->facts);
    mem_free((void *)statement->text.at);
    mem_free((void *)statement->oids.at);
    mem_free(statement);
}

struct held {
    struct map_link link;
    struct ring recent;
    struct statement *statement;
};

static struct held *find(const struct prepared *prepared, uint64_t id)
{
    struct map_link *at = map_first(&prepared->map, id);

    return at ? MAP_OF(at, struct held, link) : NULL;
}

static struct statement *take_out(struct prepared *prepared, struct held *held)
{
    struct statement *statement = held->statement;

    map_remove(&prepared->map, &held->link);
    ring_leave(&held->recent);
    prepared->count--;
    mem_free(held);
    return statement;
}

void prepared_init(struct prepared *prepared)
{
    *prepared = (struct prepared){0};
    ring_init(&prepared->recent);
}

void prepared_clear(struct prepared *prepared)
{
    struct ring *oldest;

    while ((oldest = ring_first(&prepared->recent)))
        statement_unref(take_out(prepared, RING_OF(oldest, struct held, recent)));
    map_clear(&prepared->map);
}

bool prepared_has(struct prepared *prepared, const struct statement *statement)
{
    struct held *held = find(prepared, statement->id);

    if (!held)
        return false;
    ring_leave(&held->recent);
    ring_append(&prepared->recent, &held->recent);
    return true;
}

struct statement *prepared_find(const struct prepared *prepared, uint64_t id)
{
    struct held *held = find(prepared, id);

    return held ? held->statement : NULL;
}

struct statement *prepared_add(struct prepared *prepared, struct statement *statement)
{
    struct held *held = mem_new(sizeof(*held));

    held->statement = statement_ref(statement);
    map_add(&prepared->map, &held->link, statement->id);
    ring_append(&prepared->recent, &held->recent);
    if (++prepared->count <= PREPARED_MAX)
        return NULL;
    return take_out(prepared, RING_OF(ring_first(&prepared->recent), struct held, recent));
}

void prepared_remove(struct prepared *prepared, uint64_t id)
{
    struct held *held = find(prepared, id);

    if (held)
        statement_unref(take_out(prepared, held));
}
