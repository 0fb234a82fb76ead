/* `pgtier explain FILE "SQL"`: what would be done with a statement, by the file alone. */
#pragma once

/* Asks no server: declared relations are taken for ordinary tables, their dimensions for columns of
 * the type that the statement's values have. The exit status: 0, or 1 where the file has faults. */
int explain_file(const char *path, const char *sql);
