/* Durations and sizes as people write them: "300ms", "1h", "512kB", "5 min". */
#pragma once

#include "base/slice.h"

/* ns, us, ms, s, min or m, h, d, w; a bare number is refused except 0; up to nine decimals.
 * Nanoseconds out. False: not of that form, negative, or too large. */
bool units_duration(struct slice text, int64_t *ns);
/* B, kB, MB, GB, TB, in either case, in powers of 1024 as PostgreSQL counts them; a bare number is
 * bytes. */
bool units_size(struct slice text, uint64_t *bytes);
/* The shortest exact form, or one rounded to hundredths, NUL-terminated: "300ms", "1.5s"; "512kB".
 * Both are read by the functions above, but for the sign of a negative duration. */
void units_duration_text(int64_t ns, char out[24]);
void units_size_text(uint64_t bytes, char out[24]);
