/* Memory that is given back at once: what a shape is made of. */
#pragma once

#include "base/slice.h"

struct arena {
    struct arena_block *blocks;
    size_t bytes; /* taken from the system */
};

/* A zeroed struct arena is an empty one. The memory is zeroed and lives until arena_clear. Cannot
 * fail. */
void *arena_take(struct arena *arena, size_t size);
char *arena_text(struct arena *arena, struct slice text);
/* A copy of `count` members of `size`; NULL where there are none. */
void *arena_copy(struct arena *arena, const void *from, size_t count, size_t size);
void arena_clear(struct arena *arena);
