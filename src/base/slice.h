/* A view of bytes that somebody else owns; valid as long as they are. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct slice {
    const uint8_t *at;
    size_t len;
};

/* A slice of a string literal, without its NUL. */
#define SLICE(literal) ((struct slice){(const uint8_t *)("" literal), sizeof(literal) - 1})

static inline struct slice slice_of(const void *at, size_t len)
{
    return (struct slice){at, len};
}

static inline struct slice slice_text(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

static inline bool slice_same(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
    return slice_same(a, slice_text(text));
}

/* As slice_is, without regard to ASCII case. */
static inline bool slice_is_nocase(struct slice a, const char *text)
{
    return a.len == strlen(text) && strncasecmp((const char *)a.at, text, a.len) == 0;
}

/* What follows the first n bytes; n is at most s.len. */
static inline struct slice slice_skip(struct slice s, size_t n)
{
    /* An empty slice may be NULL, to which C allows nothing to be added, not even 0. */
    return (struct slice){n ? s.at + n : s.at, s.len - n};
}

static inline struct slice slice_first(struct slice s, size_t n)
{
    return (struct slice){s.at, n < s.len ? n : s.len};
}
