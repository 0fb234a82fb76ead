/* SHOW: the console's tables by name. */
#pragma once

#include "admin/console.h"
#include "base/err.h"

/* `rest` is what follows SHOW, without the `;`. Writes the whole table, or gives false with *err
 * and nothing written. */
bool show_run(const struct admin *admin, struct slice rest, struct buf *out, struct err *err);
