#include "sql/shape.h"

#include "base/mem.h"
#include "sql/analyse.h"

/* A shape lies in front of the arena that holds what it points to. */
struct owned_shape {
    struct shape shape;
    struct arena arena;
};

const char *statement_kind_text(enum statement_kind kind)
{
    static const char *const texts[] = {
#define X(name, text) text,
        STATEMENT_KINDS(X)
#undef X
    };

    return kind < STATEMENT_KIND_COUNT ? texts[kind] : "unknown";
}

static void start(struct facts *facts, struct hash128 hash, const struct values *values,
                  const struct survey *survey)
{
    facts_init(facts, hash, values->count);
    facts->shape.text =
        arena_text(&facts->arena, slice_text((const char *)buf_slice(&survey->text).at));
}

static struct shape *finish(struct facts *facts)
{
    struct owned_shape *owned = mem_new(sizeof(*owned));

    owned->arena = facts_freeze(facts);
    owned->shape = facts->shape;
    owned->shape.bytes += sizeof(*owned) - sizeof(owned->shape);
    return &owned->shape;
}

static bool parse(struct facts *facts, struct slice text, const struct values *values,
                  const struct survey *survey)
{
    char *copy;
    bool ok;

    if (!survey->parsable)
        return false;
    copy = mem_text(text.at, text.len);
    ok = analyse_text(facts, copy, values, survey);
    mem_free(copy);
    return ok;
}

struct shape *shape_new(struct slice text, struct hash128 hash, const struct values *values)
{
    struct survey survey;
    struct facts facts;
    struct shape *shape;

    survey_init(&survey, text, values);
    start(&facts, hash, values, &survey);
    if (!parse(&facts, text, values, &survey)) {
        facts_statement(&facts, STATEMENT_UNPARSABLE);
        facts.shape.unknown = facts.shape.writes = true;
        facts.shape.leaves = LEAVES_TOLD | LEAVES_SEQUENCES;
    }
    shape = finish(&facts);
    survey_clear(&survey);
    return shape;
}

void shape_free(struct shape *shape)
{
    struct owned_shape *owned = (struct owned_shape *)(void *)shape;

    if (!shape)
        return;
    arena_clear(&owned->arena);
    mem_free(owned);
}
