/* The tables of SHOW, each in a source of its noun; for show.c only. Columns are named in
 * docs/console.md and stay as they are. */
#pragma once

#include "admin/console.h"

void show_targets(const struct admin *admin, unsigned limit, struct buf *out);
void show_rules(const struct admin *admin, unsigned limit, struct buf *out);
void show_stats(const struct admin *admin, unsigned limit, struct buf *out);
void show_shapes(const struct admin *admin, unsigned limit, struct buf *out);
void show_advice(const struct admin *admin, unsigned limit, struct buf *out);
void show_pools(const struct admin *admin, unsigned limit, struct buf *out);
void show_servers(const struct admin *admin, unsigned limit, struct buf *out);
void show_clients(const struct admin *admin, unsigned limit, struct buf *out);
void show_nodes(const struct admin *admin, unsigned limit, struct buf *out);
void show_cache(const struct admin *admin, unsigned limit, struct buf *out);
void show_config(const struct admin *admin, unsigned limit, struct buf *out);
void show_version(const struct admin *admin, unsigned limit, struct buf *out);
