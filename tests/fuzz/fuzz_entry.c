/* Blobs from a foreign store. First as they come; then with their checksum made right, so that what
 * lies behind it is reached too. */
#include "cache/entry.h"

#include "base/mem.h"

#include <stdlib.h>

enum { MAX = 1 << 16, HEAD = 64, CHECKSUM = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(struct packer *packer, struct slice blob, struct hash128 key)
{
    struct kept *kept = packer_unpack(packer, blob, key, MAX);
    struct buf again = {0};

    if (!kept)
        return;
    if (kept->entry.columns.len + kept->entry.rows.len + kept->entry.complete.len > MAX ||
        !packer_pack(packer, &kept->entry, key, blob.len % 2, &again))
        abort();
    buf_clear(&again);
    kept_unref(kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct packer *packer; /* for the life of the program */
    struct hash128 key = {0};
    uint8_t *blob;
    uint64_t sum;

    if (!packer)
        packer = packer_new();
    look(packer, slice_of(data, size), key);
    if (size < HEAD)
        return 0;
    blob = mem_new(size);
    memcpy(blob, data, size);
    memcpy(blob, "pgt3", 4);
    memset(blob + 8, 0, sizeof(key));
    sum = hash_bytes_seed(blob + CHECKSUM + 8, size - CHECKSUM - 8, hash_bytes(blob, CHECKSUM));
    memcpy(blob + CHECKSUM, &sum, sizeof(sum));
    look(packer, slice_of(blob, size), key);
    mem_free(blob);
    return 0;
}
