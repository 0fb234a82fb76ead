/* Entries in this process's memory, bounded by bytes. */
#pragma once

#include "cache/store.h"

/* At most `max` bytes in all; least recently used goes first, of a class that is over its own bound
 * the least recently used of that class. */
struct store *memory_store_new(uint64_t max);
