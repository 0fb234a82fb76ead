/* Many small pieces of memory that are given back all at once. */
#pragma once

#include "base/slice.h"

struct keep;

struct keep *keep_new(void);
void keep_free(struct keep *keep); /* NULL is allowed */

/* Zeroed, aligned for anything, valid until keep_free. Cannot fail. */
void *keep_take(struct keep *keep, size_t size) __attribute__((returns_nonnull));
void *keep_array(struct keep *keep, size_t count, size_t size) __attribute__((returns_nonnull));
/* A NUL-terminated copy. Cannot fail. */
char *keep_slice(struct keep *keep, struct slice text);
char *keep_text(struct keep *keep, const char *text);
/* What it costs, in bytes. */
size_t keep_bytes(const struct keep *keep);
