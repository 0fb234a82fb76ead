/* A plan and its verdict in words: what `pgtier explain` and the console's EXPLAIN ROUTE print. */
#pragma once

#include "base/buf.h"
#include "rules/plan.h"

/* Adds lines "name: value". The values are printed as the request gives them: this is for whoever
 * may see the request itself. */
void describe_plan(const struct plan *plan, const struct values *values, const struct asker *asker,
                   struct buf *out);
/* The readable part of the key that the answer would have; `-` for what the query does not pin. */
void describe_key(const struct plan *plan, const struct values *values,
                  const struct cache_class *class, struct buf *out);
