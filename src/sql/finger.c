/* Hashes the tokens of a text, each ended by a NUL, words folded and values replaced by a mark. The
 * stream is gathered in a block on the stack; a text of several blocks is hashed as a chain, each
 * block behind the hash of those before it. */
#include "sql/finger.h"

#include "sql/lexer.h"

enum {
    BLOCK = 1024,
    /* bytes that stand for themselves in no token's first place */
    MARK_VALUE = 1,
    MARK_AGAIN = 2, /* a parameter that stood in the text before; which one follows */
    MARK_STRAY = 3,
    MARK_NCHAR = 4,
};

struct stream {
    size_t len;
    const uint8_t *end; /* of the text */
    uint8_t at[BLOCK + LEXER_SLACK];
};

static void flush(struct stream *stream)
{
    struct hash128 before = hash128_bytes(stream->at, stream->len);

    memcpy(stream->at, &before, sizeof(before));
    stream->len = sizeof(before);
}

static void put_byte(struct stream *stream, uint8_t byte)
{
    if (stream->len == BLOCK)
        flush(stream);
    stream->at[stream->len++] = byte;
}

static void put_raw(struct stream *stream, struct slice bytes)
{
    if (bytes.len == 1) {
        put_byte(stream, bytes.at[0]);
        return;
    }
    while (bytes.len) {
        size_t part = BLOCK - stream->len;

        if (part > bytes.len)
            part = bytes.len;
        memcpy(stream->at + stream->len, bytes.at, part);
        stream->len += part;
        bytes = slice_skip(bytes, part);
        if (bytes.len)
            flush(stream);
    }
}

/* A word that crosses the block's end is folded a piece at a time. */
static void put_word(struct stream *stream, struct slice word)
{
    while (word.len) {
        size_t part = BLOCK - stream->len;

        if (part > word.len)
            part = word.len;
        lexer_fold(stream->at + stream->len, slice_first(word, part), stream->end);
        stream->len += part;
        word = slice_skip(word, part);
        if (word.len)
            flush(stream);
    }
}

/* Which earlier value is the same parameter, -1 where none is. */
static int seen(const struct values *values, uint32_t number)
{
    unsigned count = values->count < VALUES_MAX ? values->count : VALUES_MAX;

    for (unsigned i = 0; i < count; i++) {
        if (values->at[i].kind == VALUE_PARAM && values->at[i].number == number)
            return (int)i;
    }
    return -1;
}

static enum value_kind kind_of(const struct token *token)
{
    switch (token->kind) {
    case TOKEN_INTEGER:
        return VALUE_INTEGER;
    case TOKEN_NUMBER:
        return VALUE_NUMBER;
    case TOKEN_STRING:
        return VALUE_STRING;
    case TOKEN_PARAM:
        return VALUE_PARAM;
    default:
        return VALUE_OTHER;
    }
}

static void note(struct values *values, const struct token *token)
{
    if (values->count < VALUES_MAX) {
        values->at[values->count] = (struct value){
            .kind = (uint8_t)kind_of(token),
            .escaped = token->escaped,
            .backslash = token->backslash,
            .number = token->number,
            .pos = token->pos,
            .bytes = token->kind == TOKEN_STRING ? token->inner : token->all,
        };
    }
    values->count++;
}

static void put_value(struct stream *stream, struct values *values, const struct token *token)
{
    int same = token->kind == TOKEN_PARAM ? seen(values, token->number) : -1;

    if (same >= 0) {
        put_byte(stream, MARK_AGAIN);
        put_byte(stream, (uint8_t)same);
    } else {
        put_byte(stream, MARK_VALUE);
    }
    note(values, token);
}

static void put_token(struct stream *stream, struct values *values, const struct token *token)
{
    if (token->value) {
        put_value(stream, values, token);
    } else if (token->kind == TOKEN_WORD) {
        put_word(stream, token->all);
    } else if (token->kind == TOKEN_NCHAR) {
        put_byte(stream, MARK_NCHAR);
    } else {
        if (token->kind == TOKEN_STRAY)
            put_byte(stream, MARK_STRAY);
        put_raw(stream, token->all);
    }
    put_byte(stream, '\0');
}

static bool unreadable(struct slice text, struct hash128 *hash, struct values *values)
{
    values->count = 0;
    values->complete = false;
    values->tags = (struct slice){0};
    *hash = hash128_bytes(text.at, text.len);
    return false;
}

bool finger_text(struct slice text, struct hash128 *hash, struct values *values)
{
    struct stream stream;
    struct lexer lexer;
    struct token token;

    if (!text.at)
        text = SLICE("");
    stream.len = 0;
    stream.end = text.at + text.len;
    values->count = 0;
    lexer_init(&lexer, text);
    for (;;) {
        lexer_next(&lexer, &token);
        if (token.kind == TOKEN_END)
            break;
        if (token.kind == TOKEN_BAD)
            return unreadable(text, hash, values);
        put_token(&stream, values, &token);
    }
    values->complete = values->count <= VALUES_MAX;
    values->tags = lexer.tags;
    *hash = hash128_bytes(stream.at, stream.len);
    return true;
}
