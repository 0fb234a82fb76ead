#include "sql/arena.h"

#include "base/mem.h"

#include <stdalign.h>

enum { BLOCK_SIZE = 1024 };

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    alignas(max_align_t) uint8_t at[];
};

static struct arena_block *add_block(struct arena *arena, size_t least)
{
    size_t size = least > BLOCK_SIZE ? least : BLOCK_SIZE;
    struct arena_block *block = mem_new(sizeof(*block) + size);

    block->size = size;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->bytes += sizeof(*block) + size;
    return block;
}

void *arena_take(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->blocks;
    void *at;

    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (!block || block->size - block->used < size)
        block = add_block(arena, size);
    at = block->at + block->used;
    block->used += size;
    return at;
}

char *arena_text(struct arena *arena, struct slice text)
{
    char *copy = arena_take(arena, text.len + 1);

    if (text.len)
        memcpy(copy, text.at, text.len);
    return copy;
}

void *arena_copy(struct arena *arena, const void *from, size_t count, size_t size)
{
    void *copy;

    if (count == 0)
        return NULL;
    copy = arena_take(arena, count * size);
    memcpy(copy, from, count * size);
    return copy;
}

void arena_clear(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *block = arena->blocks;

        arena->blocks = block->next;
        mem_free(block);
    }
    arena->bytes = 0;
}
