/* Finds the borders of tokens as PostgreSQL 15 with standard_conforming_strings does. It doesn't
 * check escapes, lengths or encodings: what the server refuses may pass here, and is refused there.
 */
#include "sql/lexer.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { START = 1, CONT = 2, SPACE = 4, OPER = 8, DIGIT = 16, SELF = 32, COMMENT = 64 };

#define LETTER (START | CONT)

static const uint8_t classes[256] = {
    ['a' ... 'z'] = LETTER,
    ['A' ... 'Z'] = LETTER,
    ['_'] = LETTER,
    [0x80 ... 0xff] = LETTER,
    ['0' ... '9'] = CONT | DIGIT,
    ['$'] = CONT,
    [' '] = SPACE,
    ['\t'] = SPACE,
    ['\n'] = SPACE,
    ['\r'] = SPACE,
    ['\f'] = SPACE,
    ['~'] = OPER,
    ['!'] = OPER,
    ['@'] = OPER,
    ['#'] = OPER,
    ['^'] = OPER,
    ['&'] = OPER,
    ['|'] = OPER,
    ['`'] = OPER,
    ['?'] = OPER,
    ['+'] = OPER,
    ['-'] = OPER | COMMENT,
    ['*'] = OPER,
    ['/'] = OPER | COMMENT,
    ['%'] = OPER,
    ['<'] = OPER,
    ['>'] = OPER,
    ['='] = OPER,
    [','] = SELF,
    ['('] = SELF,
    [')'] = SELF,
    ['['] = SELF,
    [']'] = SELF,
    ['.'] = SELF,
    [';'] = SELF,
    [':'] = SELF,
};

#define ROW8(n)  (n), (n) + 1, (n) + 2, (n) + 3, (n) + 4, (n) + 5, (n) + 6, (n) + 7
#define ROW32(n) ROW8(n), ROW8((n) + 8), ROW8((n) + 16), ROW8((n) + 24)

static const uint8_t fold[256] = {
    ROW32(0), ROW32(32), '@', 'a', 'b',       'c',        'd',        'e',        'f',        'g',
    'h',      'i',       'j', 'k', 'l',       'm',        'n',        'o',        'p',        'q',
    'r',      's',       't', 'u', 'v',       'w',        'x',        'y',        'z',        '[',
    '\\',     ']',       '^', '_', ROW32(96), ROW32(128), ROW32(160), ROW32(192), ROW32(224),
};

void lexer_init(struct lexer *lexer, struct slice text)
{
    if (!text.at)
        text = SLICE(""); /* to NULL nothing may be added, not even 0 */
    *lexer = (struct lexer){.from = text.at, .at = text.at, .end = text.at + text.len};
}

/* Behind a block comment that begins at `at`, NULL where it doesn't end. Comments nest. */
static const uint8_t *skip_block(const uint8_t *at, const uint8_t *end)
{
    size_t depth = 1;

    for (at += 2; end - at >= 2;) {
        if (at[0] == '*' && at[1] == '/') {
            at += 2;
            if (--depth == 0)
                return at;
        } else if (at[0] == '/' && at[1] == '*') {
            at += 2;
            depth++;
        } else {
            at++;
        }
    }
    return NULL;
}

static const uint8_t *skip_line(const uint8_t *at, const uint8_t *end)
{
    while (at < end && *at != '\n' && *at != '\r')
        at++;
    return at;
}

/* The comment is kept in mind if it ends as tags do, in a quote. */
static const uint8_t *take_block(struct lexer *lexer, const uint8_t *at)
{
    const uint8_t *behind = skip_block(at, lexer->end), *last = behind ? behind - 3 : at;

    while (last > at && (classes[*last] & SPACE))
        last--;
    if (*last == '\'')
        lexer->tags = slice_of(at + 2, (size_t)(behind - at) - 4);
    return behind;
}

/* The next byte that is neither space nor comment, NULL where a comment doesn't end. */
static const uint8_t *skip_space(struct lexer *lexer)
{
    const uint8_t *at = lexer->at, *end = lexer->end;

    while (at < end && (classes[*at] & (SPACE | COMMENT))) {
        if (classes[*at] & SPACE) {
            at++;
        } else if (end - at > 1 && at[0] == '-' && at[1] == '-') {
            at = skip_line(at + 2, end);
        } else if (end - at > 1 && at[0] == '/' && at[1] == '*') {
            at = take_block(lexer, at);
            if (!at)
                return NULL;
        } else {
            break;
        }
    }
    return at;
}

/* How a quoted token may hold its own quote. */
enum escapes { ESCAPES_NONE, ESCAPES_DOUBLED, ESCAPES_BACKSLASH };

/* Behind the closing quote of what begins at `at`, NULL where it doesn't end. */
static const uint8_t *skip_quotes(const uint8_t *at, const uint8_t *end, uint8_t quote,
                                  enum escapes escapes, bool *escaped)
{
    while (at < end) {
        if (escapes != ESCAPES_BACKSLASH) {
            at = memchr(at, quote, (size_t)(end - at));
            if (!at)
                return NULL;
        }
        if (*at == quote) {
            if (end - at < 2 || at[1] != quote || escapes == ESCAPES_NONE)
                return at + 1;
            *escaped = true;
            at++;
        } else if (*at == '\\') {
            *escaped = true;
            at++;
        }
        at++;
    }
    return NULL;
}

/* A string goes on where nothing but space with a line's end in it stands before the next quote;
 * comments of one line count as space. NULL where it doesn't; else behind that quote. */
static const uint8_t *continuation(const uint8_t *at, const uint8_t *end)
{
    bool line = false;

    while (at < end) {
        if (*at == '\n' || *at == '\r') {
            line = true;
            at++;
        } else if (classes[*at] & SPACE) {
            at++;
        } else if (*at == '-' && end - at > 1 && at[1] == '-') {
            at = skip_line(at + 2, end);
            if (at == end)
                return NULL;
        } else {
            return *at == '\'' && line ? at + 1 : NULL;
        }
    }
    return NULL;
}

static const uint8_t *bad(struct token *token, const uint8_t *end)
{
    token->kind = TOKEN_BAD;
    return end;
}

/* at is behind the opening quote. */
static const uint8_t *take_string(struct token *token, const uint8_t *at, const uint8_t *end,
                                  uint8_t kind, enum escapes escapes)
{
    const uint8_t *inner = at;
    const uint8_t *more;

    token->kind = kind;
    token->backslash = escapes == ESCAPES_BACKSLASH;
    at = skip_quotes(at, end, '\'', escapes, &token->escaped);
    if (!at)
        return bad(token, end);
    token->inner = slice_of(inner, (size_t)(at - 1 - inner));
    while ((more = continuation(at, end))) {
        token->kind = TOKEN_OTHER;
        at = skip_quotes(more, end, '\'', escapes, &token->escaped);
        if (!at)
            return bad(token, end);
    }
    return at;
}

static const uint8_t *take_quoted(struct token *token, const uint8_t *at, const uint8_t *end)
{
    token->kind = TOKEN_QUOTED;
    at = skip_quotes(at, end, '"', ESCAPES_DOUBLED, &token->escaped);
    return at ? at : bad(token, end);
}

/* $tag$..$tag$; NULL where no such string begins at `at`. */
static const uint8_t *take_dollar(struct token *token, const uint8_t *at, const uint8_t *end)
{
    const uint8_t *tag = at++;
    size_t len;

    if (at < end && (classes[*at] & START)) {
        while (at < end && (classes[*at] & CONT) && *at != '$')
            at++;
    }
    if (at == end || *at != '$')
        return NULL;
    at++;
    len = (size_t)(at - tag);
    token->inner.at = at;
    at = memmem(at, (size_t)(end - at), tag, len);
    if (!at)
        return bad(token, end);
    token->kind = TOKEN_STRING;
    token->inner.len = (size_t)(at - token->inner.at);
    return at + len;
}

static const uint8_t *skip_digits(const uint8_t *at, const uint8_t *end)
{
    while (at < end && (classes[*at] & DIGIT))
        at++;
    return at;
}

static const uint8_t *no_letters(struct token *token, const uint8_t *at, const uint8_t *end)
{
    return at < end && (classes[*at] & START) ? bad(token, end) : at;
}

static const uint8_t *take_number(struct token *token, const uint8_t *at, const uint8_t *end)
{
    token->kind = TOKEN_INTEGER;
    at = skip_digits(at, end);
    if (at < end && *at == '.') {
        if (end - at > 1 && at[1] == '.')
            return at; /* 1..2 is a range of integers */
        token->kind = TOKEN_NUMBER;
        at = skip_digits(at + 1, end);
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        const uint8_t *digits = at + 1;

        if (digits < end && (*digits == '+' || *digits == '-'))
            digits++;
        at = skip_digits(digits, end);
        if (at == digits)
            return bad(token, end);
        token->kind = TOKEN_NUMBER;
    }
    return no_letters(token, at, end);
}

static const uint8_t *take_param(struct token *token, const uint8_t *at, const uint8_t *end)
{
    uint64_t number = 0;

    token->kind = TOKEN_PARAM;
    for (; at < end && (classes[*at] & DIGIT); at++) {
        if (number <= UINT32_MAX)
            number = number * 10 + (*at - '0');
    }
    token->number = number <= INT32_MAX ? (uint32_t)number : 0;
    return no_letters(token, at, end);
}

/* + and - end an operator of several characters only if it holds one that is not of SQL. */
static size_t without_sign(const uint8_t *at, size_t len)
{
    if (len < 2 || (at[len - 1] != '+' && at[len - 1] != '-'))
        return len;
    for (size_t i = 0; i + 1 < len; i++) {
        if (strchr("~!@#^&|`?%", at[i]))
            return len;
    }
    while (len > 1 && (at[len - 1] == '+' || at[len - 1] == '-'))
        len--;
    return len;
}

static const uint8_t *take_operator(struct token *token, const uint8_t *at, const uint8_t *end)
{
    size_t left = (size_t)(end - at);
    size_t len = 1;

    token->kind = TOKEN_OPERATOR;
    for (; len < left && (classes[at[len]] & OPER); len++) {
        if (at[len - 1] == '-' && at[len] == '-')
            break;
        if (at[len - 1] == '/' && at[len] == '*')
            break;
    }
    /* a comment that begins within the run ends the operator before it */
    if (len > 1 && len < left && (classes[at[len]] & OPER))
        len--;
    return at + without_sign(at, len);
}

static const uint8_t *take_self(struct token *token, const uint8_t *at, const uint8_t *end)
{
    token->kind = TOKEN_OPERATOR;
    if (end - at > 1) {
        if (at[0] == ':' && (at[1] == ':' || at[1] == '='))
            return at + 2;
        if (at[0] == '.' && at[1] == '.')
            return at + 2;
    }
    return at + 1;
}

#ifdef __SSE2__
/* 0xff where a byte lies in from .. from + count - 1. */
static __m128i within(__m128i bytes, char from, char count)
{
    __m128i offset = _mm_sub_epi8(bytes, _mm_set1_epi8(from));

    return _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8((char)(count - 1))), offset);
}

/* Which of 16 bytes may go on a word, a bit each: the classes CONT in one step. Words are most of a
 * text, and a loop over bytes is mispredicted at the end of nearly every one. */
static unsigned word_bits(const uint8_t *at)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    __m128i cont = _mm_or_si128(within(lower, 'a', 26), within(bytes, '0', 10));

    cont = _mm_or_si128(cont, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('_')));
    cont = _mm_or_si128(cont, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('$')));
    return (unsigned)(_mm_movemask_epi8(cont) | _mm_movemask_epi8(bytes));
}
#endif

static const uint8_t *skip_word(const uint8_t *at, const uint8_t *end)
{
#ifdef __SSE2__
    while (end - at >= 16) {
        unsigned bits = word_bits(at);

        if (bits != 0xffff)
            return at + __builtin_ctz(~bits);
        at += 16;
    }
#endif
    while (at < end && (classes[*at] & CONT))
        at++;
    return at;
}

void lexer_fold(uint8_t *to, struct slice word, const uint8_t *end)
{
    size_t i = 0;

#ifdef __SSE2__
    for (; i < word.len && end - (word.at + i) >= 16; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(word.at + i));
        __m128i upper = _mm_and_si128(within(bytes, 'A', 26), _mm_set1_epi8(0x20));

        _mm_storeu_si128((__m128i *)(void *)(to + i), _mm_or_si128(bytes, upper));
    }
#else
    (void)end;
#endif
    for (; i < word.len; i++)
        to[i] = fold[word.at[i]];
}

static const uint8_t *take_word(struct token *token, const uint8_t *at, const uint8_t *end)
{
    token->kind = TOKEN_WORD;
    return skip_word(at, end);
}

/* A letter that may open a literal: E'', B'', X'', N'', U&'', U&"". */
static const uint8_t *take_prefixed(struct token *token, const uint8_t *at, const uint8_t *end)
{
    size_t left = (size_t)(end - at);

    if (left > 1 && at[1] == '\'') {
        switch (*at) {
        case 'e':
        case 'E':
            return take_string(token, at + 2, end, TOKEN_STRING, ESCAPES_BACKSLASH);
        case 'b':
        case 'B':
        case 'x':
        case 'X':
            return take_string(token, at + 2, end, TOKEN_OTHER, ESCAPES_NONE);
        case 'n':
        case 'N':
            token->kind = TOKEN_NCHAR;
            return at + 1;
        default:
            break;
        }
    }
    if (left > 2 && (*at == 'u' || *at == 'U') && at[1] == '&') {
        if (at[2] == '\'')
            return take_string(token, at + 3, end, TOKEN_OTHER, ESCAPES_DOUBLED);
        if (at[2] == '"')
            return take_quoted(token, at + 3, end);
    }
    return take_word(token, at, end);
}

static const uint8_t *take(struct token *token, const uint8_t *at, const uint8_t *end)
{
    uint8_t c = *at;
    uint8_t class = classes[c];

    if (class & START)
        return take_prefixed(token, at, end);
    if (class & DIGIT)
        return take_number(token, at, end);
    if (class & OPER)
        return take_operator(token, at, end);
    if (class & SELF) {
        if (c == '.' && end - at > 1 && (classes[at[1]] & DIGIT))
            return take_number(token, at, end);
        return take_self(token, at, end);
    }
    if (c == '\'')
        return take_string(token, at + 1, end, TOKEN_STRING, ESCAPES_DOUBLED);
    if (c == '"')
        return take_quoted(token, at + 1, end);
    if (c == '$') {
        const uint8_t *behind;

        if (end - at > 1 && (classes[at[1]] & DIGIT))
            return take_param(token, at + 1, end);
        behind = take_dollar(token, at, end);
        if (behind)
            return behind;
    }
    token->kind = TOKEN_STRAY;
    return at + 1;
}

static bool is_arrow(const struct token *token)
{
    const uint8_t *at = token->all.at;
    size_t len = token->all.len;

    return token->kind == TOKEN_OPERATOR && (len == 2 || (len == 3 && at[2] == '>')) &&
           at[1] == '>' && (at[0] == '-' || at[0] == '#');
}

static bool is_placeholder(const struct token *token, bool arrow)
{
    switch (token->kind) {
    case TOKEN_STRING:
    case TOKEN_INTEGER:
        return !arrow;
    case TOKEN_OTHER:
    case TOKEN_NUMBER:
    case TOKEN_PARAM:
        return true;
    default:
        return false;
    }
}

void lexer_next(struct lexer *lexer, struct token *token)
{
    const uint8_t *at = lexer->bad ? NULL : skip_space(lexer);

    *token = (struct token){.kind = at ? TOKEN_END : TOKEN_BAD};
    if (at && at < lexer->end)
        lexer->at = take(token, at, lexer->end);
    else
        lexer->at = at = lexer->end;
    lexer->bad = token->kind == TOKEN_BAD;
    token->pos = (uint32_t)(at - lexer->from);
    token->all = slice_of(at, (size_t)(lexer->at - at));
    token->value = is_placeholder(token, lexer->arrow);
    lexer->arrow = is_arrow(token);
}
