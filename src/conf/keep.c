/* Blocks in a chain; a piece larger than a block gets a block of its own. */
#include "conf/keep.h"

#include "base/mem.h"

enum { BLOCK = 4096, ALIGN = 16 };

struct block {
    struct block *next;
    size_t used, size;
    _Alignas(ALIGN) uint8_t at[];
};

struct keep {
    struct block *blocks; /* the first is the one that has room */
    size_t bytes;
};

struct keep *keep_new(void)
{
    return mem_new(sizeof(struct keep));
}

void keep_free(struct keep *keep)
{
    struct block *next;

    if (!keep)
        return;
    for (struct block *block = keep->blocks; block; block = next) {
        next = block->next;
        mem_free(block);
    }
    mem_free(keep);
}

static struct block *add_block(struct keep *keep, size_t least)
{
    size_t size = least > BLOCK ? least : BLOCK;
    struct block *block = mem_new(sizeof(struct block) + size);

    block->size = size;
    block->next = keep->blocks;
    keep->blocks = block;
    keep->bytes += sizeof(struct block) + size;
    return block;
}

void *keep_take(struct keep *keep, size_t size)
{
    struct block *block = keep->blocks;
    size_t whole = (size + ALIGN - 1) / ALIGN * ALIGN;
    void *piece;

    if (!block || block->size - block->used < whole)
        block = add_block(keep, whole);
    piece = block->at + block->used;
    block->used += whole;
    return piece;
}

void *keep_array(struct keep *keep, size_t count, size_t size)
{
    return keep_take(keep, count * size);
}

char *keep_slice(struct keep *keep, struct slice text)
{
    char *copy = keep_take(keep, text.len + 1);

    if (text.len > 0)
        memcpy(copy, text.at, text.len);
    return copy;
}

char *keep_text(struct keep *keep, const char *text)
{
    return keep_slice(keep, slice_text(text));
}

size_t keep_bytes(const struct keep *keep)
{
    return keep->bytes;
}
