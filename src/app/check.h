/* `pgtier check FILE`: is the file right? */
#pragma once

/* Prints every fault on stderr, or one line on stdout. The exit status: 0, or 1 where there are faults. */
int check_file(const char *path);
