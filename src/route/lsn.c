/* Pure. */
#include "route/lsn.h"

enum { PAGE_HEADER = 24, SEGMENT_HEADER = 40 };

static const char DIGITS[] = "0123456789abcdefABCDEF";

static bool parse_half(struct slice text, uint64_t *half)
{
    if (text.len < 1 || text.len > 8)
        return false;
    *half = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *digit = strchr(DIGITS, text.at[i]);
        uint64_t value = digit ? (uint64_t)(digit - DIGITS) : 0;

        if (!digit || !*digit)
            return false;
        *half = *half << 4 | (value < 16 ? value : value - 6);
    }
    return true;
}

bool lsn_parse(struct slice text, uint64_t *lsn)
{
    const uint8_t *slash = text.len ? memchr(text.at, '/', text.len) : NULL;
    uint64_t high, low;
    size_t before;

    if (!slash)
        return false;
    before = (size_t)(slash - text.at);
    if (!parse_half(slice_first(text, before), &high) ||
        !parse_half(slice_skip(text, before + 1), &low))
        return false;
    *lsn = high << 32 | low;
    return true;
}

uint64_t lsn_normal(uint64_t lsn, uint32_t block, uint32_t segment)
{
    if (lsn % segment == SEGMENT_HEADER)
        return lsn - SEGMENT_HEADER;
    if (lsn % block == PAGE_HEADER && lsn % segment > block)
        return lsn - PAGE_HEADER;
    return lsn;
}
