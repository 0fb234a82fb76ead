/* `pgtier explain FILE "SQL"`: what would be done with a statement, and no server is asked. */
#pragma once

/* By the file alone, or with a dump of the database's catalog (NULL: none). The exit status: 0, or
 * 1 where a file has faults. */
int explain_file(const char *path, const char *dump, const char *sql);
