/* Which cells of the ledger a read depends on and which a write touches (the words are those of
 * src/fresh/README.md). A cell is named by a 64-bit hash; two cells of one hash are touched together,
 * which is coarse and never wrong. Pure. */
#pragma once

#include "rules/plan.h"

enum { FOOTPRINT_CELLS = 96, FOOTPRINT_VALUES = 64 };

/* A read: for every occurrence of a relation one or more alternatives (its pinned dimensions, or the
 * whole relation), each a set of cells. One alternative that is unchanged proves its occurrence
 * unchanged; every occurrence must be. */
struct footprint_read {
    uint16_t ncells;
    uint64_t cells[FOOTPRINT_CELLS];
    uint8_t occurrence[FOOTPRINT_CELLS], alternative[FOOTPRINT_CELLS]; /* ascending */
    bool anything; /* depends on (database, any): is not cached */
};

/* A write, or the union of a transaction's writes. */
struct footprint_write {
    uint16_t ncells;
    uint64_t cells[FOOTPRINT_CELLS * 2];
    bool everything; /* (database, *) and (database, any) stand for all of them */
    uint16_t nvalues; /* over FOOTPRINT_VALUES, or full: everything */
};

void footprint_read(const struct plan *plan, const struct pinned *pinned,
                    struct footprint_read *read);

/* Adds what one statement batch writes to the union in `write` (zeroed: an empty one), and to `added`
 * only those cells that were not in it. */
void footprint_write(const struct plan *plan, const struct pinned *pinned,
                     struct footprint_write *write, struct footprint_write *added);
/* A write that nobody can bound. */
void footprint_everything(struct footprint_write *write, struct footprint_write *added);
