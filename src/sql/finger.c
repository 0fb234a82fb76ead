/* Hashes the tokens of a text, each ended by a NUL, words folded and values replaced by a mark; the
 * plain values that a list behind IN begins with are one. The stream is gathered in a block on the
 * stack; a text of several blocks is hashed as a chain, each block behind the hash of those before
 * it. */
#include "sql/finger.h"

#include "sql/lexer.h"

enum {
    BLOCK = 1024,
    /* bytes that stand for themselves in no token's first place */
    MARK_VALUE = 1,
    MARK_AGAIN = 2, /* a parameter that stood in the text before; which one follows */
    MARK_STRAY = 3,
    MARK_NCHAR = 4,
    MARK_LIST = 5, /* values between the brackets of IN, however many */
};

/* Where a list of values may begin or go on. A value is held back until what follows tells whether
 * it is one of a list. */
enum list_state { LIST_NONE, LIST_IN, LIST_OPEN, LIST_FIRST, LIST_COMMA, LIST_MORE };

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

struct finger {
    struct stream stream;
    struct values *values;
    enum list_state state;
    struct token held;
    unsigned nmore; /* further values of lists; those that fit are in `more` */
    struct value more[VALUES_MAX];
    struct place {
        uint8_t placeholder, nth;
    } places[VALUES_MAX]; /* of those */
};

/* Which earlier value is the same parameter. */
static bool seen(const struct finger *finger, uint32_t number, struct place *place)
{
    const struct values *values = finger->values;
    unsigned count = values->count < VALUES_MAX ? values->count : VALUES_MAX;
    unsigned nmore = finger->nmore < VALUES_MAX ? finger->nmore : VALUES_MAX;

    for (unsigned i = 0; i < count; i++) {
        if (values->at[i].kind == VALUE_PARAM && values->at[i].number == number) {
            *place = (struct place){(uint8_t)i, 0};
            return true;
        }
    }
    for (unsigned i = 0; i < nmore; i++) {
        if (finger->more[i].kind == VALUE_PARAM && finger->more[i].number == number) {
            *place = finger->places[i];
            return true;
        }
    }
    return false;
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

static struct value value_of_token(const struct token *token)
{
    return (struct value){
        .kind = (uint8_t)kind_of(token),
        .escaped = token->escaped,
        .backslash = token->backslash,
        .number = token->number,
        .pos = token->pos,
        .bytes = token->kind == TOKEN_STRING ? token->inner : token->all,
    };
}

static void note(struct values *values, const struct token *token, uint16_t list)
{
    if (values->count < VALUES_MAX) {
        values->at[values->count] = value_of_token(token);
        values->at[values->count].list = list;
    }
    values->count++;
}

static void put_value(struct finger *finger, const struct token *token)
{
    struct place same;

    if (token->kind == TOKEN_PARAM && seen(finger, token->number, &same)) {
        put_byte(&finger->stream, MARK_AGAIN);
        put_byte(&finger->stream, same.placeholder);
        put_byte(&finger->stream, same.nth);
    } else {
        put_byte(&finger->stream, MARK_VALUE);
    }
    note(finger->values, token, 0);
}

static void put_token(struct finger *finger, const struct token *token)
{
    struct stream *stream = &finger->stream;

    if (token->value) {
        put_value(finger, token);
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

static bool is_in(const struct token *token)
{
    return token->kind == TOKEN_WORD && token->all.len == 2 && (token->all.at[0] | 0x20) == 'i' &&
           (token->all.at[1] | 0x20) == 'n';
}

static bool is_mark(const struct token *token, char mark)
{
    return token->kind == TOKEN_OPERATOR && token->all.len == 1 && token->all.at[0] == mark;
}

/* A parameter that comes again has a mark of its own, in a list as well. */
static bool may_be_listed(const struct finger *finger, const struct token *token)
{
    struct place same;

    return token->value && !(token->kind == TOKEN_PARAM && seen(finger, token->number, &same));
}

static void put_list(struct finger *finger)
{
    put_byte(&finger->stream, MARK_LIST);
    put_byte(&finger->stream, '\0');
    note(finger->values, &finger->held, 1);
}

static void put_more(struct finger *finger)
{
    struct values *values = finger->values;
    unsigned placeholder = values->count - 1;

    if (placeholder < VALUES_MAX && values->at[placeholder].list < UINT16_MAX) {
        if (finger->nmore < VALUES_MAX) {
            finger->more[finger->nmore] = value_of_token(&finger->held);
            finger->places[finger->nmore] =
                (struct place){(uint8_t)placeholder, (uint8_t)values->at[placeholder].list};
        }
        values->at[placeholder].list++;
    }
    finger->nmore++;
}

static void hold(struct finger *finger, const struct token *token, enum list_state state)
{
    finger->held = *token;
    finger->state = state;
}

/* What was held back turned out to be none of a list. */
static void put_held(struct finger *finger)
{
    if (finger->state == LIST_COMMA || finger->state == LIST_MORE) {
        put_byte(&finger->stream, ',');
        put_byte(&finger->stream, '\0');
    }
    if (finger->state == LIST_FIRST || finger->state == LIST_MORE)
        put_token(finger, &finger->held);
    finger->state = LIST_NONE;
}

/* True where the token was dealt with. */
static bool go_on(struct finger *finger, const struct token *token)
{
    bool comma = is_mark(token, ','), close = is_mark(token, ')');

    switch (finger->state) {
    case LIST_IN:
        finger->state = is_mark(token, '(') ? LIST_OPEN : LIST_NONE;
        if (finger->state == LIST_OPEN)
            put_token(finger, token);
        return finger->state == LIST_OPEN;
    case LIST_OPEN:
    case LIST_COMMA:
        if (!may_be_listed(finger, token))
            return false;
        hold(finger, token, finger->state == LIST_OPEN ? LIST_FIRST : LIST_MORE);
        return true;
    case LIST_FIRST:
    case LIST_MORE:
        if (!comma && !close)
            return false;
        if (finger->state == LIST_FIRST)
            put_list(finger);
        else
            put_more(finger);
        finger->state = comma ? LIST_COMMA : LIST_NONE;
        return comma;
    default:
        return false;
    }
}

static void see_token(struct finger *finger, const struct token *token)
{
    if (finger->state != LIST_NONE) {
        if (go_on(finger, token))
            return;
        put_held(finger);
    }
    if (is_in(token))
        finger->state = LIST_IN;
    put_token(finger, token);
}

static bool unreadable(struct slice text, struct hash128 *hash, struct values *values)
{
    *values = (struct values){.complete = false};
    *hash = hash128_bytes(text.at, text.len);
    return false;
}

static void finish(struct finger *finger)
{
    struct values *values = finger->values;

    values->complete = values->count + finger->nmore <= VALUES_MAX;
    values->more = values->complete ? finger->nmore : 0;
    if (values->more)
        memcpy(values->at + values->count, finger->more, values->more * sizeof(struct value));
}

bool finger_text(struct slice text, struct hash128 *hash, struct values *values)
{
    struct finger finger;
    struct lexer lexer;
    struct token token;

    if (!text.at)
        text = SLICE("");
    finger.stream.len = 0;
    finger.stream.end = text.at + text.len;
    finger.values = values;
    finger.state = LIST_NONE;
    finger.nmore = 0;
    values->count = 0;
    lexer_init(&lexer, text);
    for (;;) {
        lexer_next(&lexer, &token);
        if (token.kind == TOKEN_END)
            break;
        if (token.kind == TOKEN_BAD)
            return unreadable(text, hash, values);
        see_token(&finger, &token);
    }
    put_held(&finger);
    finish(&finger);
    values->tags = lexer.tags;
    *hash = hash128_bytes(finger.stream.at, finger.stream.len);
    return true;
}
