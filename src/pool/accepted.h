/* Sets of settings that a server has accepted, with what it said of itself under them: whoever
 * comes with the same set again need not have it tried. Bounded by bytes, the longest unused goes
 * first. */
#pragma once

#include "base/map.h"
#include "base/ring.h"
#include "pool/vars.h"

struct accepted {
    struct map map;
    struct ring order; /* the latest used first */
    size_t bytes;
};

void accepted_init(struct accepted *accepted);
void accepted_clear(struct accepted *accepted); /* forgets all; usable again */
/* What was told under `set`, compared byte by byte; NULL where it is not known. Valid until the
 * next accepted_add or accepted_clear. */
const struct vars *accepted_find(struct accepted *accepted, struct slice set);
/* `told` is taken over and emptied. The newest is always kept, whatever its size. */
void accepted_add(struct accepted *accepted, struct slice set, struct vars *told);
