/* Takes console texts apart. Knows no command. */
#include "admin/command.h"

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word(uint8_t c)
{
    return c == '_' || c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

/* The length of the comment at the start of `text`, as PostgreSQL nests them; 0: there is none. One
 * that does not end takes all. */
static size_t comment(struct slice text)
{
    unsigned depth = 0;
    size_t i = 0;

    if (text.len >= 2 && text.at[0] == '-' && text.at[1] == '-') {
        while (i < text.len && text.at[i] != '\n')
            i++;
        return i;
    }
    while (i + 1 < text.len) {
        if (text.at[i] == '/' && text.at[i + 1] == '*')
            depth++, i += 2;
        else if (depth > 0 && text.at[i] == '*' && text.at[i + 1] == '/')
            depth--, i += 2;
        else
            i++;
        if (depth == 0)
            return i > 1 ? i : 0;
    }
    return text.len;
}

struct slice command_trim(struct slice text)
{
    while (text.len > 0) {
        size_t skip = is_space(text.at[0]) ? 1 : 0;

        if (skip == 0 && (text.at[0] == '-' || text.at[0] == '/'))
            skip = comment(text);
        if (skip == 0)
            break;
        text = slice_skip(text, skip);
    }
    return text;
}

/* The length of what is quoted at the start of `text`, quotes included; a quote that does not end
 * takes all. */
static size_t quoted(struct slice text)
{
    for (size_t i = 1; i < text.len; i++) {
        if (text.at[i] == text.at[0])
            return i + 1;
    }
    return text.len;
}

struct slice command_word(struct slice *left)
{
    struct slice text = command_trim(*left), word;
    size_t len = 0;

    if (text.len > 0 && (text.at[0] == '\'' || text.at[0] == '"')) {
        len = quoted(text);
        word = slice_first(slice_skip(text, 1), len >= 2 ? len - 2 : 0);
    } else {
        while (len < text.len && is_word(text.at[len]))
            len++;
        if (len == 0 && text.len > 0)
            len = 1;
        word = slice_first(text, len);
    }
    *left = slice_skip(text, len);
    return word;
}

struct slice command_cut(struct slice *left)
{
    struct slice text = *left;
    size_t i = 0;

    while (i < text.len && text.at[i] != ';') {
        uint8_t c = text.at[i];
        size_t skip = 0;

        if (c == '\'' || c == '"')
            skip = quoted(slice_skip(text, i));
        else if (c == '-' || c == '/')
            skip = comment(slice_skip(text, i));
        i += skip ? skip : 1;
    }
    *left = slice_skip(text, i < text.len ? i + 1 : i);
    return slice_first(text, i);
}
