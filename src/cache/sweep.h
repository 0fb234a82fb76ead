/* Which entries are to be removed, told by the readable part of their keys. */
#pragma once

#include "base/buf.h"
#include "rules/rules.h"

enum { SWEEP_PINS = 8, SWEEP_NAME = 64, SWEEP_VALUE = 192 };

/* A column of the classes' patterns and the value that is to stand there. */
struct sweep_pin {
    char column[SWEEP_NAME], value[SWEEP_VALUE];
};

struct sweep {
    const struct rules *rules;
    const struct cache_class *class; /* NULL: of all that have those columns in their pattern */
    struct sweep_pin pins[SWEEP_PINS];
    unsigned npins;
};

/* Whether entries of a class may be meant: it has these columns in its pattern. */
bool sweep_concerns(const struct sweep *sweep, const struct cache_class *class);
/* Whether an entry of this key is to go. Several values of one column, as of an IN list, stand with
 * commas between: one of them is enough. */
bool sweep_wants(const struct sweep *sweep, const char *key);
/* A pattern of Redis' MATCH for the keys of a class that may be meant; false: none of it is. */
bool sweep_pattern(const struct sweep *sweep, const struct cache_class *class, struct buf *out);
