/* EXPLAIN ROUTE: what pgtier would do with a statement at this moment, and why; with ANALYZE, what
 * it has done. Runs nothing itself. */
#pragma once

#include "admin/console.h"
#include "base/err.h"

/* True where `text` begins EXPLAIN ROUTE, whatever the case, spaces and comments; `rest` is what
 * follows. Cheap for every other text. */
bool explain_is(struct slice text, struct slice *rest);

/* Takes ANALYZE off what follows EXPLAIN ROUTE; false where it isn't there. */
bool explain_analyzes(struct slice *rest);
/* Whether a statement may be run for it: one that reads or changes rows, and is no batch. */
bool explain_may_run(struct session *session, struct slice sql, struct err *err);

/* `rest` may begin with (DATABASE name, USER name, APPLICATION name) where it comes over the
 * console; `session` is of a real database, or NULL. Writes rows and CommandComplete, or gives
 * false with *err and nothing written. */
bool explain_run(struct rooms *rooms, struct session *session, struct slice rest, struct buf *out,
                 struct err *err);
/* The same of a statement that the session has just run. */
void explain_ran(struct session *session, struct slice sql, const struct trail *trail,
                 const char *node, struct buf *out);
