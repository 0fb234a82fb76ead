/* `pgtier catalog FILE [DATABASE]`: what a database's catalog says, as a text that `explain` and
 * `rules test` read in its place. */
#pragma once

struct catalog;

/* Asks the primary of the database (NULL: the first one of the file) and writes to standard output.
 * The exit status: 0, or 1 where the file has faults or the server does not answer. */
int catalog_file_write(const char *path, const char *database);
/* NULL where it is no such file, which is told on standard error. Free with catalog_unref. */
struct catalog *catalog_file_load(const char *dump);
