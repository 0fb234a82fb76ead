/* What somebody else has written, on its way into the ledger: its cells are pending from when it is
 * heard of, and touched once the primary is known to show it. */
#pragma once

#include "session/rooms.h"

struct touch {
    struct ring link; /* the owner's, and after touch_end in `ended` of that */
    /* private */
    struct database *database;
    struct footprint_write write;
    struct lsn_wish lsn;
    struct fleet_mark mark; /* where the ledger is a fleet's */
    bool ddl;
};

struct touch *touch_new(struct database *database);
/* Everything. `alone`: a fleet's other members are not told (yet: see touch_tell). */
void touch_everything(struct touch *touch, bool alone);
void touch_tell(struct touch *touch);
/* Tables or rights may have changed: everything, and what is known of the catalog. */
void touch_ddl(struct touch *touch);
/* What this statement, which nobody runs, would write. False: it is none that is understood, and
 * counts as everything. */
bool touch_statement(struct touch *touch, struct slice sql);
/* Another one is to be begun: what does not fit would be everything. */
bool touch_is_full(const struct touch *touch);
/* The primary shows it, at or before `lsn`: it frees itself, when it is in the ledger. */
void touch_end_at(struct touch *touch, uint64_t lsn);
/* .. at a position that is asked for; until then it is in the ring `ended`. */
void touch_end(struct touch *touch, struct ring *ended);
/* At the end of the process, before topology and ledger go; NULL is allowed. */
void touch_free(struct touch *touch);
void touch_free_all(struct ring *touches);
