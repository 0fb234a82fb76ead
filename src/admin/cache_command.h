/* CACHE STATS and CACHE FLUSH. */
#pragma once

#include "admin/console.h"
#include "base/err.h"

/* `rest` is what follows CACHE. Writes a whole table, or gives false with *err and nothing written.
 */
bool cache_command(const struct admin *admin, struct slice rest, struct buf *out, struct err *err);
