/* A row of (time, LSN), both growing. When it is full, what lies closer together than a quarter of
 * its age is thinned out: some 200 entries span years, and a lag is rounded up, never down. */
#include "route/levels.h"

#include <string.h>

enum { FINENESS = 4 };

/* From the newest to the oldest, packing what is kept at the end; then all of it moves to the
 * front. What does not fit even so is the oldest. */
static void thin_out(struct levels *levels)
{
    unsigned kept = LEVELS - 1;
    int64_t now = levels->of[kept].at;

    for (unsigned i = LEVELS - 1; i-- > 1;) {
        int64_t older = levels->of[i - 1].at;

        if (levels->of[kept].at - older > (now - older) / FINENESS)
            levels->of[--kept] = levels->of[i];
    }
    if (kept > 1)
        levels->of[--kept] = levels->of[0];
    levels->count = LEVELS - kept;
    memmove(levels->of, levels->of + kept, levels->count * sizeof(levels->of[0]));
}

void levels_add(struct levels *levels, int64_t at, uint64_t lsn)
{
    unsigned last = levels->count - 1;

    /* An idle primary: to be here is to be level until now. */
    if (levels->count && levels->of[last].lsn == lsn) {
        levels->of[last].at = at;
        return;
    }
    if (levels->count && levels->of[last].at == at)
        return;
    if (levels->count == LEVELS)
        thin_out(levels);
    levels->of[levels->count].at = at;
    levels->of[levels->count++].lsn = lsn;
}

int64_t levels_lag(const struct levels *levels, uint64_t lsn, int64_t at)
{
    unsigned i = levels->count;

    while (i > 0 && levels->of[i - 1].lsn > lsn)
        i--;
    if (i == 0)
        return -1;
    if (i == levels->count)
        return 0;
    return at > levels->of[i - 1].at ? at - levels->of[i - 1].at : 0;
}

int64_t levels_age(const struct levels *levels, int64_t at)
{
    int64_t newest = levels->count ? levels->of[levels->count - 1].at : 0;

    if (!levels->count)
        return -1;
    return at > newest ? at - newest : 0;
}
