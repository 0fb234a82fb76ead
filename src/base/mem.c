#include "base/mem.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

static void *must(void *at, size_t size)
{
    if (!at) {
        log_error("mem", "cannot allocate %zu bytes", size);
        abort();
    }
    return at;
}

void *mem_new(size_t size)
{
    return must(calloc(1, size ? size : 1), size);
}

void *mem_array(size_t count, size_t size)
{
    return must(calloc(count ? count : 1, size ? size : 1), size);
}

void *mem_grow(void *at, size_t size)
{
    return must(realloc(at, size ? size : 1), size);
}

char *mem_text(const void *at, size_t len)
{
    char *text = must(malloc(len + 1), len + 1);

    if (len)
        memcpy(text, at, len);
    text[len] = '\0';
    return text;
}

void mem_free(void *at)
{
    free(at);
}
