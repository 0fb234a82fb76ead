/* Reads DEALLOCATE, of which a client's names of prepared statements must know. */
#pragma once

#include "base/slice.h"

enum { DEALLOCATE_NAME = 256 };

struct deallocate {
    bool all;
    char name[DEALLOCATE_NAME]; /* as the client's Parse would have it */
    size_t len;
};

/* What a text does that is known to be one DEALLOCATE. False: it is of a form that is left to the
 * server (U&".."), or the name is of DEALLOCATE_NAME bytes. Pure. */
bool deallocate_read(struct slice text, struct deallocate *out);
