/* What pgtier knows of PostgreSQL's own functions by name. A shipped table: it speaks of those of
 * pg_catalog only, and of all that bear the name. */
#pragma once

#include <stdbool.h>

enum function_trait {
    FUNCTION_UNLISTED, /* nothing is said: ask the catalog; a volatile one counts as WRITES */
    FUNCTION_STABLE,   /* the same rows and the same settings give the same result */
    FUNCTION_MOVING, /* depends on time, session, catalog or chance: may run anywhere, never kept */
    FUNCTION_LOCAL,  /* tells of its server, or holds it: the primary's where nothing else is chosen
                      */
    FUNCTION_BOUND,  /* changes no row, but is bound to the primary, and never kept (nextval) */
    FUNCTION_WRITES  /* may change rows or run SQL that does */
};

enum function_trait function_trait(const char *name);
/* True for PostgreSQL's own aggregates. */
bool function_aggregates(const char *name);
