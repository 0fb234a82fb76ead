/* `pgtier check FILE`: is the file right? */
#pragma once

#include "conf/diag.h"

/* Prints every fault on stderr, or one line on stdout. The exit status: 0, or 1 where there are
 * faults. */
int check_file(const char *path);
/* Prints the faults on stderr and forgets them. */
void check_print(struct diag *diag);
