/* With the lexer alone: what the grammar says of the text its shape has told. */
#include "session/listen.h"

#include "sql/lexer.h"

static bool is_word(const struct token *token, const char *word)
{
    return token->kind == TOKEN_WORD && slice_is_nocase(token->all, word);
}

static bool is_sign(const struct token *token, uint8_t sign)
{
    return token->kind == TOKEN_OPERATOR && token->all.len == 1 && token->all.at[0] == sign;
}

/* A name is cut before the character that does not fit, in UTF-8. */
static void cut(struct listen_name *name, const uint8_t *bytes, size_t len)
{
    name->cut = len >= LISTEN_NAME;
    if (name->cut) {
        len = LISTEN_NAME - 1;
        while (len && (bytes[len] & 0xc0) == 0x80)
            len--;
    }
    memcpy(name->text, bytes, len);
    name->text[len] = '\0';
    name->len = len;
}

enum { SPELT_MAX = 4 * LISTEN_NAME };

/* Names much longer than they may be, and U&"..", are left to the server. */
static bool take_name(const struct token *token, struct listen_name *name)
{
    const uint8_t *at = token->all.at;
    uint8_t bytes[SPELT_MAX];
    size_t len = token->all.len, used = 0;

    if (len > SPELT_MAX)
        return false;
    if (token->kind == TOKEN_WORD) {
        for (size_t i = 0; i < len; i++)
            bytes[used++] = (uint8_t)(at[i] >= 'A' && at[i] <= 'Z' ? at[i] - 'A' + 'a' : at[i]);
    } else if (token->kind == TOKEN_QUOTED && len > 2 && at[0] == '"') {
        for (size_t i = 1; i + 1 < len; i++) {
            bytes[used++] = at[i];
            i += at[i] == '"';
        }
    }
    cut(name, bytes, used);
    return used > 0;
}

enum listen_what listen_read(struct slice text, struct listen_name *name)
{
    enum listen_what what = LISTEN_TO;
    struct lexer lexer;
    struct token token;

    lexer_init(&lexer, text);
    do
        lexer_next(&lexer, &token);
    while (is_sign(&token, ';'));
    if (is_word(&token, "unlisten"))
        what = LISTEN_NO_MORE;
    else if (!is_word(&token, "listen"))
        return LISTEN_ELSE;
    lexer_next(&lexer, &token);
    if (what == LISTEN_NO_MORE && is_sign(&token, '*'))
        what = LISTEN_TO_NOTHING;
    else if (!take_name(&token, name))
        return LISTEN_ELSE;
    do
        lexer_next(&lexer, &token);
    while (is_sign(&token, ';'));
    return token.kind == TOKEN_END ? what : LISTEN_ELSE;
}

void listen_each_end(struct slice text, void (*each)(void *with, const struct listen_name *name),
                     void *with)
{
    struct listen_name name;
    struct lexer lexer;
    struct token token;

    lexer_init(&lexer, text);
    for (;;) {
        lexer_next(&lexer, &token);
        if (token.kind == TOKEN_END || token.kind == TOKEN_BAD)
            return;
        if (!is_word(&token, "unlisten"))
            continue;
        lexer_next(&lexer, &token);
        if (is_sign(&token, '*'))
            each(with, NULL);
        else if (take_name(&token, &name))
            each(with, &name);
    }
}
