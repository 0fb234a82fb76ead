/* `pgtier feed install|remove FILE [DATABASE]`: the triggers that tell of writes which bypass
 * pgtier (sql/feed.sql), on the tables that the file declares, their partitions and children. */
#pragma once

#include <stdbool.h>

/* Asks the primary of the database (NULL: the first one of the file), in one transaction. The exit
 * status: 0, or 1 where the file has faults or the server refuses. */
int feed_command(bool install, const char *path, const char *database);
