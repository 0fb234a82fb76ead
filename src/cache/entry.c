/* Entries as heap objects and as blobs. A blob, all numbers little-endian:
 *
 *      0  magic "pgt3"      4  flags      5  reserved
 *      8  key, low         16  key, high                24  checksum of all other bytes
 *     32  columns (len)    36  rows (len) 40  complete (len)    44  payload (len)
 *     48  took              56  stamp
 *     64  payload: the three texts, or their zstd frame
 *
 * The version is in the magic. Whoever reads a blob trusts no byte of it before the checksum held,
 * and no length after. */
#include "cache/entry.h"

#include "base/mem.h"

#include <endian.h>
#include <zstd.h>

enum {
    BLOB_HEAD = 64,
    BLOB_CHECKSUM = 24,
    BLOB_COMPRESSED = 1,
    BLOB_ROW = 2,
    BLOB_FLAGS = BLOB_COMPRESSED | BLOB_ROW,
    ZSTD_LEVEL = 1,
};
static const char magic[4] = {'p', 'g', 't', '3'};

struct packer {
    ZSTD_CCtx *compressor;
    ZSTD_DCtx *decompressor;
};

static size_t message_bytes(const struct entry *entry)
{
    return entry->columns.len + entry->rows.len + entry->complete.len;
}

/* A heap entry whose messages are still to be filled in. */
static struct kept *make(size_t columns, size_t rows, size_t complete)
{
    size_t size = sizeof(struct kept) + columns + rows + complete;
    struct kept *kept = mem_new(size);
    uint8_t *at = (uint8_t *)(kept + 1);

    kept->refs = 1;
    kept->size = size;
    kept->entry.columns = slice_of(at, columns);
    kept->entry.rows = slice_of(at + columns, rows);
    kept->entry.complete = slice_of(at + columns + rows, complete);
    return kept;
}

static uint8_t *messages_of(struct kept *kept)
{
    return (uint8_t *)(kept + 1);
}

static void put_messages(uint8_t *at, const struct entry *entry)
{
    memcpy(at, entry->columns.at, entry->columns.len);
    at += entry->columns.len;
    if (entry->rows.len > 0)
        memcpy(at, entry->rows.at, entry->rows.len);
    memcpy(at + entry->rows.len, entry->complete.at, entry->complete.len);
}

struct kept *kept_new(const struct entry *entry)
{
    struct kept *kept = make(entry->columns.len, entry->rows.len, entry->complete.len);

    put_messages(messages_of(kept), entry);
    kept->entry.stamp = entry->stamp;
    kept->entry.row = entry->row;
    kept->entry.took = entry->took;
    return kept;
}

struct kept *kept_ref(struct kept *kept)
{
    kept->refs++;
    return kept;
}

void kept_unref(struct kept *kept)
{
    if (kept && --kept->refs == 0)
        mem_free(kept);
}

struct packer *packer_new(void)
{
    struct packer *packer = mem_new(sizeof(*packer));

    packer->compressor = ZSTD_createCCtx();
    packer->decompressor = ZSTD_createDCtx();
    return packer;
}

void packer_free(struct packer *packer)
{
    ZSTD_freeCCtx(packer->compressor);
    ZSTD_freeDCtx(packer->decompressor);
    mem_free(packer);
}

static void put_u32(uint8_t *at, uint32_t number)
{
    number = htole32(number);
    memcpy(at, &number, sizeof(number));
}

static void put_u64(uint8_t *at, uint64_t number)
{
    number = htole64(number);
    memcpy(at, &number, sizeof(number));
}

static uint32_t get_u32(const uint8_t *at)
{
    uint32_t number;

    memcpy(&number, at, sizeof(number));
    return le32toh(number);
}

static uint64_t get_u64(const uint8_t *at)
{
    uint64_t number;

    memcpy(&number, at, sizeof(number));
    return le64toh(number);
}

static uint64_t checksum(const uint8_t *blob, size_t len)
{
    uint64_t head = hash_bytes(blob, BLOB_CHECKSUM);

    return hash_bytes_seed(blob + BLOB_CHECKSUM + 8, len - BLOB_CHECKSUM - 8, head);
}

/* Writes the payload at `at` and returns its length; `*flags` tells of what form it is. */
static size_t put_payload(struct packer *packer, const struct entry *entry, uint8_t *at,
                          bool compress, uint8_t *flags)
{
    size_t len = message_bytes(entry), packed;
    uint8_t *plain;

    if (!compress || len <= PACK_COMPRESS || !packer->compressor) {
        put_messages(at, entry);
        return len;
    }
    plain = mem_new(len);
    put_messages(plain, entry);
    packed = ZSTD_compressCCtx(packer->compressor, at, len, plain, len, ZSTD_LEVEL);
    if (ZSTD_isError(packed)) { /* it does not get smaller, which is one of the errors */
        memcpy(at, plain, len);
        packed = len;
    } else {
        *flags |= BLOB_COMPRESSED;
    }
    mem_free(plain);
    return packed;
}

bool packer_pack(struct packer *packer, const struct entry *entry, struct hash128 key,
                 bool compress, struct buf *out)
{
    size_t payload;
    uint8_t *blob, flags = entry->row ? BLOB_ROW : 0;

    if (message_bytes(entry) > UINT32_MAX)
        return false;
    blob = buf_room(out, BLOB_HEAD + message_bytes(entry));
    payload = put_payload(packer, entry, blob + BLOB_HEAD, compress, &flags);
    memcpy(blob, magic, sizeof(magic));
    blob[4] = flags;
    memset(blob + 5, 0, 3);
    put_u64(blob + 8, key.low);
    put_u64(blob + 16, key.high);
    put_u32(blob + 32, (uint32_t)entry->columns.len);
    put_u32(blob + 36, (uint32_t)entry->rows.len);
    put_u32(blob + 40, (uint32_t)entry->complete.len);
    put_u32(blob + 44, (uint32_t)payload);
    put_u64(blob + 48, entry->took);
    put_u64(blob + 56, entry->stamp);
    put_u64(blob + BLOB_CHECKSUM, checksum(blob, BLOB_HEAD + payload));
    buf_added(out, BLOB_HEAD + payload);
    return true;
}

static bool is_blob(struct slice blob, struct hash128 key)
{
    return blob.len >= BLOB_HEAD && memcmp(blob.at, magic, sizeof(magic)) == 0 &&
           (blob.at[4] & ~BLOB_FLAGS) == 0 && get_u64(blob.at + 8) == key.low &&
           get_u64(blob.at + 16) == key.high &&
           get_u64(blob.at + BLOB_CHECKSUM) == checksum(blob.at, blob.len);
}

/* Exactly `len` bytes at `to`, or false. */
static bool get_payload(struct packer *packer, struct slice payload, bool compressed, uint8_t *to,
                        size_t len)
{
    if (compressed)
        return packer->decompressor &&
               ZSTD_decompressDCtx(packer->decompressor, to, len, payload.at, payload.len) == len;
    if (payload.len != len)
        return false;
    if (len > 0)
        memcpy(to, payload.at, len);
    return true;
}

struct kept *packer_unpack(struct packer *packer, struct slice blob, struct hash128 key,
                           uint64_t max)
{
    size_t columns, rows, complete;
    struct slice payload;
    struct kept *kept;

    if (!is_blob(blob, key))
        return NULL;
    columns = get_u32(blob.at + 32);
    rows = get_u32(blob.at + 36);
    complete = get_u32(blob.at + 40);
    if (blob.len != BLOB_HEAD + get_u32(blob.at + 44) || columns + rows + complete > max)
        return NULL;
    kept = make(columns, rows, complete);
    payload = slice_skip(blob, BLOB_HEAD);
    kept->entry.stamp = get_u64(blob.at + 56);
    kept->entry.row = blob.at[4] & BLOB_ROW;
    kept->entry.took = get_u64(blob.at + 48);
    if (get_payload(packer, payload, blob.at[4] & BLOB_COMPRESSED, messages_of(kept),
                    columns + rows + complete))
        return kept;
    kept_unref(kept);
    return NULL;
}
