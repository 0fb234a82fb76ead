/* Memory that is there: every allocation succeeds or the process ends with a log line. What a
 * peer may make large is bounded before it is asked for. */
#pragma once

#include <stddef.h>

/* Cannot fail; the memory is zeroed. Free with mem_free. */
void *mem_new(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_array(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* As realloc; what is added is not zeroed. Cannot fail. */
void *mem_grow(void *at, size_t size) __attribute__((returns_nonnull));

/* A NUL-terminated copy of len bytes. Cannot fail. */
char *mem_text(const void *at, size_t len) __attribute__((malloc, returns_nonnull));

/* NULL is allowed. */
void mem_free(void *at);
