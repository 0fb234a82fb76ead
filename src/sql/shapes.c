#include "sql/shapes.h"

#include "base/mem.h"
#include "sql/finger.h"
#include "sql/survey.h"

/* Of a known shape besides its shape, about: most of it the histogram that its first call makes. */
enum { SHAPE_COST = 8 * 1024 };

static struct known_shape *new_known(struct shapes *shapes, struct shape *shape)
{
    struct known_shape *known = mem_new(sizeof(*known));

    known->shape = shape;
    known->free_plan = shapes->free_plan;
    known->refs = 1;
    ring_init(&known->recent);
    return known;
}

struct known_shape *known_shape_ref(struct known_shape *known)
{
    known->refs++;
    return known;
}

void known_shape_unref(struct known_shape *known)
{
    if (!known || --known->refs)
        return;
    if (known->plan && known->free_plan)
        known->free_plan(known->plan);
    shape_free(known->shape);
    mem_free(known->histogram);
    mem_free(known);
}

/* One shape for all texts that are not read: no tokens, nothing known. */
static struct known_shape *make_unreadable(struct shapes *shapes)
{
    struct values none = {.count = 0};

    return new_known(shapes, shape_new(SLICE("'"), hash128_bytes("'", 1), &none));
}

void shapes_init(struct shapes *shapes, size_t max_bytes, void (*free_plan)(void *plan))
{
    *shapes = (struct shapes){.max_bytes = max_bytes, .free_plan = free_plan};
    ring_init(&shapes->recent);
    shapes->unreadable = make_unreadable(shapes);
}

static void forget(struct shapes *shapes, struct known_shape *known)
{
    map_remove(&shapes->map, &known->link);
    ring_leave(&known->recent);
    shapes->bytes -= known->shape->bytes + SHAPE_COST;
    known_shape_unref(known);
}

void shapes_clear(struct shapes *shapes)
{
    struct ring *first;

    while ((first = ring_first(&shapes->recent)))
        forget(shapes, RING_OF(first, struct known_shape, recent));
    map_clear(&shapes->map);
    known_shape_unref(shapes->unreadable);
    shapes->unreadable = NULL;
}

/* The same statement is another one where its names are looked for elsewhere. */
static uint64_t hash_under(struct hash128 hash, const struct search_path *path)
{
    return path ? hash.low ^ path->link.hash : hash.low;
}

static struct known_shape *look_up(struct shapes *shapes, struct hash128 hash,
                                   const struct search_path *path)
{
    struct map_link *link = map_first(&shapes->map, hash_under(hash, path));

    for (; link; link = map_next(link)) {
        struct known_shape *known = MAP_OF(link, struct known_shape, link);

        if (known->shape->hash.high == hash.high && known->path == path)
            return known;
    }
    return NULL;
}

/* The one that is being added stays, however large it is. */
static void make_room(struct shapes *shapes, size_t bytes)
{
    while (shapes->bytes + bytes > shapes->max_bytes && !ring_empty(&shapes->recent)) {
        forget(shapes, RING_OF(ring_first(&shapes->recent), struct known_shape, recent));
        shapes->evicted++;
    }
}

/* A text that doesn't parse is kept by its bytes: another one of its fingerprint may do so, since
 * the fingerprint leaves out what is within literals. */
static struct known_shape *add(struct shapes *shapes, struct slice text, struct hash128 hash,
                               struct hash128 raw, const struct search_path *path,
                               const struct values *values)
{
    struct shape *shape = shape_new(text, hash, values);
    struct known_shape *known;
    size_t bytes;

    if (shape->statements[0] == STATEMENT_UNPARSABLE) {
        hash = raw;
        shape->hash = raw;
    }
    known = new_known(shapes, shape);
    known->path = path;
    bytes = shape->bytes + SHAPE_COST;
    shapes->parsed++;
    make_room(shapes, bytes);
    shapes->bytes += bytes;
    map_add(&shapes->map, &known->link, hash_under(hash, path));
    return known;
}

struct known_shape *shapes_find(struct shapes *shapes, struct slice text,
                                const struct search_path *path, struct values *values)
{
    struct known_shape *known;
    struct hash128 hash;

    if (text.len > SURVEY_MAX) {
        *values = (struct values){.complete = false};
        return known_shape_ref(shapes->unreadable);
    }
    if (!finger_text(text, &hash, values))
        return known_shape_ref(shapes->unreadable);
    known = look_up(shapes, hash, path);
    if (!known) {
        struct hash128 raw = hash128_bytes(text.at, text.len);

        known = look_up(shapes, raw, path);
        if (!known)
            known = add(shapes, text, hash, raw, path, values);
    }
    ring_leave(&known->recent);
    ring_append(&shapes->recent, &known->recent);
    return known_shape_ref(known);
}
