/* The shapes seen in one database, found by fingerprint, bounded by bytes. */
#pragma once

#include "base/map.h"
#include "base/ring.h"
#include "sql/search_path.h"
#include "sql/shape.h"

/* A shape and what the layers above keep beside it. Referenced by whoever holds it, so that it
 * outlives its eviction. */
struct known_shape {
    struct shape *shape;
    const struct search_path *path; /* that its names are looked for in; NULL: not known */
    void *plan;                     /* rules' verdict for it; freed through shapes.free_plan */
    uint64_t plan_epoch;            /* which rules and catalog it was compiled for */
    bool not_on_standby;            /* a standby refused it once (25006, 0A000, 55000) */
    bool not_to_open; /* a transaction that began with it on a standby needed the primary */
    /* what SHOW SHAPES tells */
    uint64_t calls, hits, rows, bytes, total_ns;
    void *histogram; /* struct histo *, made at the first call */
    /* private */
    struct map_link link;
    struct ring recent;
    unsigned refs;
    void (*free_plan)(void *plan);
};

struct shapes {
    struct map map;
    struct ring recent; /* most recent last */
    size_t bytes, max_bytes;
    uint64_t parsed, evicted;
    void (*free_plan)(void *plan);
    struct known_shape *unreadable; /* shared by all texts that are too long or don't lex */
};

void shapes_init(struct shapes *shapes, size_t max_bytes, void (*free_plan)(void *plan));
void shapes_clear(struct shapes *shapes);

/* The shape of `text` under a path: looked up by fingerprint, parsed if unseen. Fills `values`. The
 * result is referenced for the caller: give it back with known_shape_unref. A text over SURVEY_MAX
 * bytes (1 MB) is never lexed: it gets a shared shape that is unknown, as does one that cannot be
 * lexed. Never NULL. */
struct known_shape *shapes_find(struct shapes *shapes, struct slice text,
                                const struct search_path *path, struct values *values);
struct known_shape *known_shape_ref(struct known_shape *known);
void known_shape_unref(struct known_shape *known);
