/* `pgtier advise FILE|URL`: SHOW ADVICE of a pgtier that runs. */
#pragma once

/* Asks the console at the URL, or of the pgtier that was started with FILE, as the first of its
 * `admin.users`, and prints what it advises. The exit status: 0, or 1 where it does not answer. */
int advise(const char *where);
