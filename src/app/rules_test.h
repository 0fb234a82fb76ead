/* `pgtier rules test FILE CASES`: are the decisions those that the DBA expects? */
#pragma once

#include <stdbool.h>

/* Tells each case that differs, what it expects and what there is instead; `verbose`: every case.
 * With a dump of the catalog, or NULL. The exit status: 0 where all hold, 1 where one does not, 2
 * where a file has faults. */
int rules_test(const char *path, const char *dump, const char *cases, bool verbose);
