/* The name of an entry: a part for people and a 128-bit hash of all that decides the answer's
 * bytes. Pure. */
#pragma once

#include "base/hash.h"
#include "rules/rules.h"
#include "sql/shape.h"

enum { KEY_MAX = 512 };

struct key {
    struct hash128 hash;
    uint16_t len;
    char text[KEY_MAX]; /* "prof_eval:42:7:<32 hex digits>", NUL-terminated */
};

/* A pinned column and its canonical value, for the placeholders of the pattern. */
struct key_pin {
    const char *column;
    struct slice value;
};

struct key_parts {
    uint64_t name_space; /* random per process, so that entries are nobody else's */
    struct slice database, user;
    uint64_t settings; /* hash of the session settings that change results */
    const struct shape *shape;
    const struct values *values; /* all of them: kind, declared type and bytes are hashed */
    struct slice results;        /* result format codes of the Bind as they stand; empty: text */
    const struct cache_class *cache;
    const struct key_pin *pins;
    unsigned npins;
};

/* Writes a value as it stands in a key, cut to what fits; returns the length. */
size_t key_write(struct slice value, char *out, size_t cap);
/* A part of the readable text is cut, and bytes in it that are not printable or are ':' are written
 * as %XX; the hash is over everything, uncut. Cannot fail. */
void key_make(const struct key_parts *parts, struct key *key);
