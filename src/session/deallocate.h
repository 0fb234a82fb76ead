/* Reads DEALLOCATE, of which a client's names of prepared statements must know. */
#pragma once

#include "base/slice.h"

enum { DEALLOCATE_NAME = 256 };

struct deallocate {
    bool all;
    char name[DEALLOCATE_NAME]; /* as the client's Parse would have it */
    size_t len;
};

/* DEALLOCATE [PREPARE] { name | ALL } and no more than spaces and a semicolon around it. False: it
 * is something else, or holds a comment, or a name of DEALLOCATE_NAME bytes. Pure. */
bool deallocate_read(struct slice text, struct deallocate *out);
