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
    /* Of the cell at this place it is known by now that it stands for nothing that was written: at
     * the end it is pending no more, and is not touched. */
    bool spared[FOOTPRINT_CELLS * 2];
    bool fed[FOOTPRINT_CELLS * 2]; /* .. it will be, once a feed has told of the commit */
    bool everything;  /* CELL_ALL and CELL_ANY are among the cells and stand for what is not */
    uint16_t nvalues; /* from FOOTPRINT_VALUES on a value touches its whole dimension */
};

void footprint_read(const struct plan *plan, const struct pinned *pinned,
                    struct footprint_read *read);

/* A read of which nobody knows what it will look at. */
void footprint_read_anything(struct footprint_read *read);
/* .. of no relation: only a write of everything matters to it. */
void footprint_read_nothing(struct footprint_read *read);

/* What the rows that a write returns may tell: values of the one table that it writes which its
 * text does not give. Plain, so that it outlives the plan. */
struct footprint_telling {
    uint32_t table; /* its oid */
    unsigned count;
    struct {
        uint32_t column; /* its pg_attribute.attnum */
        enum value_type type;
        uint64_t value, rest[2]; /* the seed of its values' cells; those that stand for all */
        uint8_t dimension;
    } dims[DIMENSIONS_MAX];
};
/* Its count is 0 where nothing can be told by rows, or nothing need be. */
void footprint_telling(const struct plan *plan, const struct pinned *pinned,
                       struct footprint_telling *telling);

/* Tables of which a feed tells every change of a row, as it was and as it is: their oids. */
struct footprint_fed {
    const uint32_t *oids;
    unsigned count;
};

/* Adds what one request writes to the union in `write`; `added` is overwritten with those cells
 * that were not in it. A union that is full becomes everything. `telling`, or NULL: the cells that
 * stand for what it may tell are spared, if nothing else needs them; whoever asks for that must
 * say for each of its dims what was told. `fed`, or NULL: those that stand for what is not known of
 * such tables are marked. */
void footprint_write(const struct plan *plan, const struct pinned *pinned,
                     const struct footprint_telling *telling, const struct footprint_fed *fed,
                     struct footprint_write *write, struct footprint_write *added);
/* A row has this value in telling.dims[dim]; `added` as in footprint_write. */
void footprint_told(const struct footprint_telling *telling, unsigned dim, struct slice value,
                    struct footprint_write *write, struct footprint_write *added);
/* Not all rows tell of it: it may have had any value. */
void footprint_untold(const struct footprint_telling *telling, unsigned dim,
                      struct footprint_write *write);
/* .. nor of anything. */
void footprint_unspare(struct footprint_write *write);
/* Some of it a feed will tell, and nobody else has; `yet`: be it that somebody else may. */
bool footprint_is_fed(const struct footprint_write *write, bool yet);
/* The feed has told. */
void footprint_spare_fed(struct footprint_write *write);
/* A write that nobody can bound; as footprint_write. */
void footprint_everything(struct footprint_write *write, struct footprint_write *added);
