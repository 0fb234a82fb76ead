/* Which cells of the ledger a read depends on and which a write touches (the words are those of
 * src/fresh/README.md). A cell is named by a 64-bit hash; two cells of one hash are touched
 * together, which is coarse and never wrong. Pure. */
#pragma once

#include "rules/plan.h"

enum { FOOTPRINT_CELLS = 96, FOOTPRINT_VALUES = 64 };

/* The two cells of the database itself: (database, *) and (database, any). */
enum { CELL_ALL = 1, CELL_ANY = 2 };

/* A read: for every occurrence of a relation one or more alternatives (its pinned dimensions, or
 * the whole relation), each a set of cells. One alternative that is unchanged proves its occurrence
 * unchanged; every occurrence must be. (database, *) is occurrence 0 of every read. */
struct footprint_read {
    uint16_t ncells;
    uint64_t cells[FOOTPRINT_CELLS];
    uint8_t occurrence[FOOTPRINT_CELLS], alternative[FOOTPRINT_CELLS]; /* ascending */
    /* The cell (relation, dimension, new) of a plain SELECT pinned to one value of a key: where the
     * answer held its row, no insert can change it. It counts only for an empty answer. */
    bool only_if_empty[FOOTPRINT_CELLS];
    bool anything; /* depends on (database, any): is not cached */
};

/* A write, or the union of a transaction's writes. Zeroed: one that touches nothing. */
struct footprint_write {
    uint16_t ncells;
    uint64_t cells[FOOTPRINT_CELLS * 2];
    bool everything;  /* CELL_ALL and CELL_ANY are among the cells and stand for what is not */
    uint16_t nvalues; /* from FOOTPRINT_VALUES on a value touches its whole dimension */
};

void footprint_read(const struct plan *plan, const struct pinned *pinned,
                    struct footprint_read *read);

/* A read of which nobody knows what it will look at. */
void footprint_read_anything(struct footprint_read *read);

/* Adds what one request writes to the union in `write`; `added` is overwritten with those cells
 * that were not in it. A union that is full becomes everything. */
void footprint_write(const struct plan *plan, const struct pinned *pinned,
                     struct footprint_write *write, struct footprint_write *added);
/* A write that nobody can bound; as footprint_write. */
void footprint_everything(struct footprint_write *write, struct footprint_write *added);
