/* Positions in the write-ahead log: their text and their place among page headers. */
#pragma once

#include "base/slice.h"

/* "16/B374D848". False where it is not of that form. */
bool lsn_parse(struct slice text, uint64_t *lsn);

/* An insert position can stand just behind the header of a page (`block` bytes each) or of a
 * segment's first page, where no record ends, so that an idle standby never arrives there: it is
 * moved back to the page's begin, where the last record did end. */
uint64_t lsn_normal(uint64_t lsn, uint32_t block, uint32_t segment);
