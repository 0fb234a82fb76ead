/* Blocks in a chain; a piece larger than a block gets a block of its own. */
#include "conf/arena.h"

#include "base/mem.h"

enum { BLOCK = 4096, ALIGN = 16 };

struct block {
    struct block *next;
    size_t used, size;
    _Alignas(ALIGN) uint8_t at[];
};

struct arena {
    struct block *blocks; /* the first is the one that has room */
    size_t bytes;
};

struct arena *arena_new(void)
{
    return mem_new(sizeof(struct arena));
}

void arena_free(struct arena *arena)
{
    struct block *next;

    if (!arena)
        return;
    for (struct block *block = arena->blocks; block; block = next) {
        next = block->next;
        mem_free(block);
    }
    mem_free(arena);
}

static struct block *add_block(struct arena *arena, size_t least)
{
    size_t size = least > BLOCK ? least : BLOCK;
    struct block *block = mem_new(sizeof(struct block) + size);

    block->size = size;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->bytes += sizeof(struct block) + size;
    return block;
}

void *arena_take(struct arena *arena, size_t size)
{
    struct block *block = arena->blocks;
    size_t whole = (size + ALIGN - 1) / ALIGN * ALIGN;
    void *piece;

    if (!block || block->size - block->used < whole)
        block = add_block(arena, whole);
    piece = block->at + block->used;
    block->used += whole;
    return piece;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    return arena_take(arena, count * size);
}

char *arena_slice(struct arena *arena, struct slice text)
{
    char *copy = arena_take(arena, text.len + 1);

    if (text.len > 0)
        memcpy(copy, text.at, text.len);
    return copy;
}

char *arena_text(struct arena *arena, const char *text)
{
    return arena_slice(arena, slice_text(text));
}

size_t arena_bytes(const struct arena *arena)
{
    return arena->bytes;
}
