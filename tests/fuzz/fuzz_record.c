/* What other proxies tell, as it might come out of a Redis that anybody can write to. What is read
 * is written again as the same bytes. */
#include "fresh/record.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct record record;
    struct buf again = {0};

    for (;;) {
        struct slice before = rest;

        if (!record_get(&rest, &record))
            break;
        buf_clear(&again);
        record_put(&again, &record);
        if (buf_len(&again) != before.len - rest.len || record.cells.ncells > FOOTPRINT_CELLS * 2)
            abort();
    }
    buf_clear(&again);
    return 0;
}
