/* Makes foreign texts harmless inside quotes. Does not write the quotes. */
#include "stats/escape.h"

/* The length of the character that begins at `at`, by the table of well-formed sequences of the
 * Unicode standard (3-7); 0 where none does. Stops at the NUL, which continues nothing. */
static size_t character(const uint8_t *at)
{
    uint8_t low = 0x80, high = 0xbf;
    size_t len = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

    if (len > 1 && (at[0] < 0xc2 || at[0] > 0xf4))
        return 0;
    if (at[0] == 0xe0)
        low = 0xa0;
    else if (at[0] == 0xed)
        high = 0x9f;
    else if (at[0] == 0xf0)
        low = 0x90;
    else if (at[0] == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < len; i++) {
        if (at[i] < low || at[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return len;
}

static size_t put_character(struct buf *out, const char *text)
{
    size_t len = character((const uint8_t *)text);

    if (len == 0) {
        buf_put(out, "\xef\xbf\xbd", 3);
        return 1;
    }
    buf_put(out, text, len);
    return len;
}

void escape_label(struct buf *out, const char *text)
{
    while (*text) {
        if (*text == '\n')
            buf_put(out, "\\n", 2);
        else if (*text == '"' || *text == '\\')
            buf_printf(out, "\\%c", *text);
        else {
            text += put_character(out, text);
            continue;
        }
        text++;
    }
}

void escape_json(struct buf *out, const char *text)
{
    while (*text) {
        if ((uint8_t)*text < 0x20 || *text == 0x7f)
            buf_printf(out, "\\u%04x", (unsigned)*text);
        else if (*text == '"' || *text == '\\')
            buf_printf(out, "\\%c", *text);
        else {
            text += put_character(out, text);
            continue;
        }
        text++;
    }
}
