/* A few words by hand: only their order counts here, and what is odd is left to the server. */
#include "session/deallocate.h"

#include <ctype.h>

static void skip_spaces(struct slice *text)
{
    while (text->len && isspace(*text->at))
        *text = slice_skip(*text, 1);
}

static bool is_word(uint8_t c)
{
    return isalnum(c) || c == '_' || c == '$' || c >= 0x80;
}

/* The next plain word, or an empty one. */
static struct slice take_word(struct slice *text)
{
    struct slice word = {text->at, 0};

    while (word.len < text->len && is_word(text->at[word.len]))
        word.len++;
    *text = slice_skip(*text, word.len);
    skip_spaces(text);
    return word;
}

static bool put(struct deallocate *out, uint8_t c)
{
    if (out->len == DEALLOCATE_NAME - 1)
        return false;
    out->name[out->len++] = (char)c;
    out->name[out->len] = '\0';
    return true;
}

static bool take_quoted(struct slice *text, struct deallocate *out)
{
    size_t at = 1;

    for (; at < text->len; at++) {
        if (text->at[at] == '"' && (at + 1 == text->len || text->at[at + 1] != '"'))
            break;
        at += text->at[at] == '"';
        if (!put(out, text->at[at]))
            return false;
    }
    if (at >= text->len)
        return false;
    *text = slice_skip(*text, at + 1);
    skip_spaces(text);
    return out->len > 0;
}

/* As the grammar folds an identifier that is not quoted. */
static bool fold(struct slice word, struct deallocate *out)
{
    for (size_t i = 0; i < word.len; i++)
        if (!put(out, (uint8_t)tolower(word.at[i])))
            return false;
    return word.len > 0 && !isdigit(word.at[0]) && word.at[0] != '$';
}

static bool take_name(struct slice *text, struct deallocate *out)
{
    struct slice word;

    if (text->len && *text->at == '"')
        return take_quoted(text, out);
    word = take_word(text);
    out->all = slice_is_nocase(word, "all");
    return fold(word, out);
}

bool deallocate_read(struct slice text, struct deallocate *out)
{
    struct slice before;

    *out = (struct deallocate){.all = false};
    skip_spaces(&text);
    if (!slice_is_nocase(take_word(&text), "deallocate"))
        return false;
    before = text;
    if (!slice_is_nocase(take_word(&text), "prepare"))
        text = before;
    if (!take_name(&text, out))
        return false;
    while (text.len && *text.at == ';') {
        text = slice_skip(text, 1);
        skip_spaces(&text);
    }
    return text.len == 0;
}
