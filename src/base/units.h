/* Durations and sizes as people write them: "300ms", "1h", "512kB", "5 min". */
#pragma once

#include "base/slice.h"

/* us, ms, s, min or m, h, d, w; a bare number is refused except 0. Nanoseconds out. False: not of that form,
 * negative, or too large. */
bool units_duration(struct slice text, int64_t *ns);
/* B, kB, MB, GB, TB in powers of 1024 as PostgreSQL counts them; a bare number is bytes. */
bool units_size(struct slice text, uint64_t *bytes);
/* The shortest exact or rounded form, NUL-terminated: "300ms", "1.5s"; "512kB". */
void units_duration_text(int64_t ns, char out[24]);
void units_size_text(uint64_t bytes, char out[24]);
