/* PostgreSQL 15's lexical rules: bytes of a text in, one token after the other out. It knows no
 * grammar and never allocates. */
#pragma once

#include "base/slice.h"

enum token_kind {
    TOKEN_END,
    TOKEN_BAD,    /* unterminated, or a number with letters behind it; nothing follows */
    TOKEN_WORD,   /* an identifier or keyword without quotes */
    TOKEN_NCHAR,  /* the N of N'..', which is the keyword nchar; its string follows */
    TOKEN_QUOTED, /* "..", U&".." */
    TOKEN_STRING, /* '..', E'..', $tag$..$tag$ */
    TOKEN_OTHER,  /* B'..', X'..', U&'..', and a string continued on a further line */
    TOKEN_INTEGER,
    TOKEN_NUMBER,   /* any other numeric literal */
    TOKEN_PARAM,    /* $1 */
    TOKEN_OPERATOR, /* operators and the single characters of the grammar, ::, := and .. */
    TOKEN_STRAY,    /* a byte that has no meaning outside of quotes */
};

struct token {
    uint8_t kind;       /* enum token_kind */
    bool value;         /* a literal or parameter that is a placeholder of the shape */
    bool escaped;       /* STRING: the inner bytes hold '' or a backslash escape */
    bool backslash;     /* STRING: E'..' */
    uint32_t number;    /* PARAM; 0 where it is out of range */
    uint32_t pos;       /* of the first byte */
    struct slice all;   /* as written */
    struct slice inner; /* STRING: what is between the quotes */
};

struct lexer {
    const uint8_t *from, *at, *end;
    bool arrow; /* the last token was -> ->> #> or #>> */
    bool bad;
    struct slice tags; /* the inside of the last block comment so far that may hold tags: it ends in
                          a quote (sqlcommenter) */
};

/* The text must be under 4 GB and stay where it is as long as tokens are used. */
void lexer_init(struct lexer *lexer, struct slice text);

/* The next token; END for ever after the last one, BAD for ever after a bad one. A string or
 * integer right behind -> ->> #> #>> is a key of a path: a part of the shape, not a value of it. */
void lexer_next(struct lexer *lexer, struct token *token);

/* Writes the word as the server folds it: a-z for A-Z, any other byte as it is. `end` is the end of
 * the text it stands in; `to` has room for word.len + LEXER_SLACK bytes, of which those behind the
 * word are spoilt. */
void lexer_fold(uint8_t *to, struct slice word, const uint8_t *end);

enum { LEXER_SLACK = 16 };
