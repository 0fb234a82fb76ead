/* The schemas in which a name without one is looked for (PostgreSQL, "The Schema Search Path"), as
 * a session has set it. Equal ones are one object, so that they are compared by address. */
#pragma once

#include "base/map.h"
#include "base/slice.h"

struct search_path {
    const char *const *schemas; /* pg_catalog is among them */
    unsigned nschemas;
    /* private */
    struct map_link link;
};

/* Those of one database; zeroed, there are none. */
struct search_paths {
    struct map map;
};

/* Reads the value of the setting as the server shows it; `role` stands for "$user". NULL where it
 * is not understood, or there are too many already: then nothing is known of where names are looked
 * for. */
const struct search_path *search_path_find(struct search_paths *paths, struct slice setting,
                                           const char *role);
/* Nobody may hold one any more. */
void search_paths_clear(struct search_paths *paths);
