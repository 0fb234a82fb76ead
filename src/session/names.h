/* What a client calls its prepared statements. Names are the client's own: two clients' "S_1" have
 * nothing in common. */
#pragma once

#include "base/map.h"
#include "pool/prepared.h"

/* A zeroed struct names is an empty one. */
struct names {
    struct map map;
};

void names_clear(struct names *names);
/* NULL where the client has none of that name. */
struct statement *names_find(const struct names *names, struct slice name);
/* Takes a reference. `request` and `parse` tell which Parse it came with: see names_fail. */
void names_set(struct names *names, struct slice name, struct statement *statement,
               uint64_t request, unsigned parse);
void names_remove(struct names *names, struct slice name);
/* Of the names set by `request`, only those of its first `done` Parses came to be. */
void names_fail(struct names *names, uint64_t request, unsigned done);
