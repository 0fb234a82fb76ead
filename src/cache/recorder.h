/* An answer being written down while it passes by: RowDescription, DataRows, CommandComplete, in
 * this order. What is not of that form is never an entry. */
#pragma once

#include "cache/entry.h"

struct recorder {
    struct buf bytes;
    size_t columns_end, rows_end;
    uint8_t last; /* the type last seen, 0: none yet */
    bool spoilt;
};

/* A zeroed struct recorder is an empty one. */
void recorder_clear(struct recorder *recorder);

/* A message, or a part of one, or a run of DataRows. False once the recording is spoilt: another
 * type, another order, over `max` bytes; it holds no memory then. */
bool recorder_put(struct recorder *recorder, uint8_t type, struct slice bytes, uint64_t max);

/* The answer, if it is whole: one RowDescription, whole DataRows, one CommandComplete. Its slices
 * are valid until the recorder changes; it has no stamp. */
bool recorder_entry(const struct recorder *recorder, struct entry *entry);
