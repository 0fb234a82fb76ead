/* What transactions have written that were prepared (PREPARE TRANSACTION) through this process:
 * noted under the name that COMMIT PREPARED or ROLLBACK PREPARED will give, by whoever does. */
#pragma once

#include "base/ring.h"
#include "fresh/footprint.h"

enum {
    GID_MAX = 199,  /* bytes of such a name; PostgreSQL's GIDSIZE, less its NUL */
    NOTED_MAX = 256 /* of a database; one that was forgotten counts as a write of everything */
};

struct noted {
    struct ring link; /* private */
    char gid[GID_MAX + 1];
    struct footprint_write write;
    uint64_t fed_by; /* as in the transaction */
    uint64_t stamp;  /* of the ledger before it was prepared */
};

struct noteds {
    struct ring ring;
    unsigned count;
};

void noteds_init(struct noteds *noteds);
void noteds_clear(struct noteds *noteds);
/* Takes it over, in place of another one of that name. */
void noteds_put(struct noteds *noteds, struct noted *noted);
/* The caller's from now on, to be freed with mem_free; NULL: there is none. */
struct noted *noteds_take(struct noteds *noteds, const char *gid);
