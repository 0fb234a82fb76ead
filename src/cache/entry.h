/* An answer: whole messages as the server sent them, the ledger's stamp from when it was asked
 * for, and its forms on the heap and as a blob for a foreign store. */
#pragma once

#include "base/buf.h"
#include "base/hash.h"

/* Slices into somebody else's bytes. */
struct entry {
    struct slice columns;  /* RowDescription */
    struct slice rows;     /* DataRows */
    struct slice complete; /* CommandComplete */
    uint64_t stamp;
    bool row;      /* it holds at least one row */
    uint64_t took; /* ns that its first asker waited for it: what a hit saves */
};

/* An entry on the heap, shared by reference and immutable. */
struct kept {
    unsigned refs;
    size_t size; /* bytes that it costs */
    struct entry entry;
};

/* A copy with one reference, the caller's. */
struct kept *kept_new(const struct entry *entry);
struct kept *kept_ref(struct kept *kept);
void kept_unref(struct kept *kept); /* NULL is allowed */

/* Makes and reads blobs; one a thread. */
struct packer;
struct packer *packer_new(void);
void packer_free(struct packer *packer);

/* Entries over this many bytes are compressed where that is asked for. */
enum { PACK_COMPRESS = 2048 };

/* Appends the blob of an entry of this key. False where it can't be had (over 4 GB): nothing usable
 * is in `out` then. */
bool packer_pack(struct packer *packer, const struct entry *entry, struct hash128 key,
                 bool compress, struct buf *out);
/* The entry in a blob of this key, at most `max` bytes of messages; NULL where the bytes are
 * anything else: another version, another key, cut, changed. */
struct kept *packer_unpack(struct packer *packer, struct slice blob, struct hash128 key,
                           uint64_t max);
