/* What one proxy of a fleet tells the others: records, one behind the other in a message. Numbers
 * are little-endian. Pure. */
#pragma once

#include "base/buf.h"
#include "fresh/footprint.h"

enum record_type {
    RECORD_BEGIN = 'B', /* a write of the teller's begins, or grows: write, signature, ddl, cells */
    RECORD_COMMIT = 'C', /* .. is committed: write, lsn, cells (those that were spared) */
    RECORD_ABORT = 'A',  /* .. was rolled back: write */
    RECORD_HEARD = 'K',  /* the teller has heard all up to a position: number */
    RECORD_JOIN = 'J', /* the teller is new: number (1: its process was a member before), process */
    RECORD_LEAVE = 'L', /* .. is no more, and nothing of it is under way */
    RECORD_FENCE = 'F', /* somebody else is no more: number (who) */
    RECORD_OPEN = 'O',  /* the teller opens its ledger: number (its own count of that) */
};

struct record {
    enum record_type type;
    uint64_t write; /* the teller's own number */
    uint64_t number;
    uint64_t lsn, process;
    uint64_t signature; /* of the rules by which the cells are named */
    bool ddl;           /* the write may change the catalog */
    struct footprint_write cells;
};

/* Appends; of cells only those and, of a BEGIN, whether they are everything are told. */
void record_put(struct buf *out, const struct record *record);
/* Takes the first record off; false where there is none, or what is there is none (`rest` is not
 * empty then). */
bool record_get(struct slice *rest, struct record *record);
