/* Entries in this process's memory, bounded by bytes. */
#pragma once

#include "cache/store.h"

/* At most `max` bytes in all, and of a class at most its own bound; who goes first says shelf.h. */
struct store *memory_store_new(uint64_t max);
