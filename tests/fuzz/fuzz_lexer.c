/* Token borders against the server's own scanner, where that accepts the text; and that a
 * fingerprint's values lie within the text. */
#include "base/mem.h"
#include "sql/finger.h"
#include "sql/lexer.h"

#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void fail(const char *text, const char *why, size_t at)
{
    fprintf(stderr, "%s at %zu in: %s\n", why, at, text);
    abort();
}

static bool is_comment(const PgQuery__ScanToken *token)
{
    return token->token == PG_QUERY__TOKEN__SQL_COMMENT ||
           token->token == PG_QUERY__TOKEN__C_COMMENT;
}

/* The scanner says nothing sound of where U&'..' and U&".." end; the next token's begin does. */
static bool has_end(const struct token *token)
{
    return token->all.len < 2 || (token->all.at[0] | 0x20) != 'u' || token->all.at[1] != '&';
}

/* libpg_query's scanner doesn't let a string go on behind a comment, as the server does. */
static bool goes_on_behind_comment(const struct token *token)
{
    return token->kind == TOKEN_OTHER && memmem(token->all.at, token->all.len, "--", 2);
}

/* Comments need no compare: the tokens between them show where they are. */
static void compare(const char *text, size_t len, const PgQuery__ScanResult *result)
{
    struct lexer lexer;
    struct token token;

    lexer_init(&lexer, slice_of(text, len));
    for (size_t i = 0; i < result->n_tokens; i++) {
        const PgQuery__ScanToken *theirs = result->tokens[i];

        if (is_comment(theirs))
            continue;
        lexer_next(&lexer, &token);
        if (token.kind == TOKEN_BAD || token.kind == TOKEN_END)
            fail(text, "ended early", (size_t)theirs->start);
        if (token.pos != (uint32_t)theirs->start)
            fail(text, "another border", (size_t)theirs->start);
        if (goes_on_behind_comment(&token))
            return;
        if (has_end(&token) && token.pos + token.all.len != (size_t)theirs->end)
            fail(text, "another end", (size_t)theirs->end);
    }
    lexer_next(&lexer, &token);
    if (token.kind != TOKEN_END)
        fail(text, "went on", token.pos);
}

static void check_values(struct slice text)
{
    static struct values values; /* large */
    struct hash128 hash;

    finger_text(text, &hash, &values);
    for (unsigned i = 0; i < values.count && i < VALUES_MAX; i++) {
        const struct value *value = &values.at[i];

        if (value->pos > text.len || value->bytes.at < text.at ||
            value->bytes.at + value->bytes.len > text.at + text.len)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text = mem_text(bytes, len);
    size_t end = strlen(text);
    PgQueryScanResult scan;

    check_values(slice_of(bytes, len));
    scan = pg_query_scan(text);
    if (!scan.error) {
        PgQuery__ScanResult *result =
            pg_query__scan_result__unpack(NULL, scan.pbuf.len, (const uint8_t *)scan.pbuf.data);

        if (result) {
            compare(text, end, result);
            pg_query__scan_result__free_unpacked(result, NULL);
        }
    }
    pg_query_free_scan_result(scan);
    mem_free(text);
    return 0;
}
