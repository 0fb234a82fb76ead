/* EXPLAIN ROUTE: what pgtier would do with a statement at this moment, and why. Runs nothing. */
#pragma once

#include "admin/console.h"
#include "base/err.h"

/* True where `text` begins EXPLAIN ROUTE, whatever the case, spaces and comments; `rest` is what
 * follows. Cheap for every other text. */
bool explain_is(struct slice text, struct slice *rest);

/* `rest` may begin with (DATABASE name, USER name, APPLICATION name) where it comes over the
 * console; `session` is of a real database, or NULL. Writes the whole table, or gives false with
 * *err and nothing written. */
bool explain_run(struct rooms *rooms, struct session *session, struct slice rest, struct buf *out,
                 struct err *err);
