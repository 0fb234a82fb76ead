/* With the lexer alone: what the grammar says of the text its shape has told. */
#include "session/deallocate.h"

#include "sql/lexer.h"

static bool is_word(const struct token *token, const char *word)
{
    return token->kind == TOKEN_WORD && slice_is_nocase(token->all, word);
}

static bool is_end(struct lexer *lexer, struct token *token)
{
    while (token->kind == TOKEN_OPERATOR && slice_is(token->all, ";"))
        lexer_next(lexer, token);
    return token->kind == TOKEN_END;
}

static bool put(struct deallocate *out, uint8_t c)
{
    if (out->len == DEALLOCATE_NAME - 1)
        return false;
    out->name[out->len++] = (char)c;
    out->name[out->len] = '\0';
    return true;
}

static bool take_name(const struct token *token, struct deallocate *out)
{
    struct slice text = token->all;

    if (token->kind == TOKEN_WORD) {
        for (size_t i = 0; i < text.len; i++) {
            uint8_t c = text.at[i];

            if (!put(out, c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c))
                return false;
        }
        return true;
    }
    if (token->kind != TOKEN_QUOTED || text.len < 3 || text.at[0] != '"')
        return false;
    for (size_t i = 1; i + 1 < text.len; i++) {
        if (!put(out, text.at[i]))
            return false;
        i += text.at[i] == '"';
    }
    return true;
}

/* DEALLOCATE PREPARE may be of the name "prepare". */
bool deallocate_read(struct slice text, struct deallocate *out)
{
    struct lexer lexer;
    struct token token, next;

    *out = (struct deallocate){.all = false};
    lexer_init(&lexer, text);
    do
        lexer_next(&lexer, &token);
    while (token.kind == TOKEN_OPERATOR && slice_is(token.all, ";"));
    if (!is_word(&token, "deallocate"))
        return false;
    lexer_next(&lexer, &token);
    lexer_next(&lexer, &next);
    if (is_word(&token, "prepare") && !is_end(&lexer, &next)) {
        token = next;
        lexer_next(&lexer, &next);
    }
    out->all = is_word(&token, "all");
    return take_name(&token, out) && is_end(&lexer, &next);
}
