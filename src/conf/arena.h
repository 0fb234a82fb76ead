/* Many small pieces of memory that are given back all at once. */
#pragma once

#include "base/slice.h"

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *arena); /* NULL is allowed */

/* Zeroed, aligned for anything, valid until arena_free. Cannot fail. */
void *arena_take(struct arena *arena, size_t size) __attribute__((returns_nonnull));
void *arena_array(struct arena *arena, size_t count, size_t size) __attribute__((returns_nonnull));
/* A NUL-terminated copy. Cannot fail. */
char *arena_slice(struct arena *arena, struct slice text);
char *arena_text(struct arena *arena, const char *text);
/* What it costs, in bytes. */
size_t arena_bytes(const struct arena *arena);
