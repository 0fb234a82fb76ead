/* Token borders: a text, and its tokens as "kind:bytes" with a blank between. */
#include "base/buf.h"
#include "sql/lexer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const char letters[] = {
    [TOKEN_BAD] = '!',    [TOKEN_WORD] = 'w',  [TOKEN_NCHAR] = 'n',    [TOKEN_QUOTED] = 'q',
    [TOKEN_STRING] = 's', [TOKEN_OTHER] = 'o', [TOKEN_INTEGER] = 'i',  [TOKEN_NUMBER] = 'f',
    [TOKEN_PARAM] = '$',  [TOKEN_STRAY] = '?', [TOKEN_OPERATOR] = 'p',
};

static void write_tokens(struct buf *out, const char *text)
{
    struct lexer lexer;
    struct token token;

    lexer_init(&lexer, slice_text(text));
    for (;;) {
        lexer_next(&lexer, &token);
        if (token.kind == TOKEN_END)
            break;
        if (buf_len(out))
            buf_put(out, " ", 1);
        buf_put(out, &letters[token.kind], 1);
        if (token.kind == TOKEN_BAD)
            break;
        buf_put(out, ":", 1);
        buf_put_slice(out, token.all);
    }
    buf_put(out, "", 1);
}

static const struct {
    const char *text, *tokens;
} table[] = {
    {"", ""},
    {" \t\r\n\f", ""},
    {"select 1", "w:select i:1"},
    {"a.b", "w:a p:. w:b"},
    {"_a$1\xc3\xa9", "w:_a$1\xc3\xa9"},
    {"'a''b'", "s:'a''b'"},
    {"'a\\'", "s:'a\\'"},
    {"e'a\\'b'", "s:e'a\\'b'"},
    {"E'a''b'", "s:E'a''b'"},
    {"e 'a'", "w:e s:'a'"},
    {"'a", "!"},
    {"e'a\\", "!"},
    {"e'a\\'", "!"},
    {"'a'\n'b'", "o:'a'\n'b'"},
    {"'a' \t\n  'b' 'c'", "o:'a' \t\n  'b' s:'c'"},
    {"'a' 'b'", "s:'a' s:'b'"},
    {"'a' -- x\n'b'", "o:'a' -- x\n'b'"},
    {"'a'\n-- x\n'b'", "o:'a'\n-- x\n'b'"},
    {"'a'\n-- 'b'", "s:'a'"},
    {"'a'\n/* */'b'", "s:'a' s:'b'"},
    {"'a'\n'b", "!"},
    {"e'a'\n'\\''", "o:e'a'\n'\\''"},
    {"b'01' x'1F' B'0''", "o:b'01' o:x'1F' o:B'0' !"},
    {"b'01''2'", "o:b'01' s:'2'"},
    {"n'a' N'b'", "n:n s:'a' n:N s:'b'"},
    {"u&'a' U&\"b\" u&c", "o:u&'a' q:U&\"b\" w:u p:& w:c"},
    {"u&'\\0041' uescape '!'", "o:u&'\\0041' w:uescape s:'!'"},
    {"\"a\"\"b\"", "q:\"a\"\"b\""},
    {"\"a", "!"},
    {"$$a'b$$", "s:$$a'b$$"},
    {"$a$ $b$ $$ $a$", "s:$a$ $b$ $$ $a$"},
    {"$a$ $ $a$a$a$", "s:$a$ $ $a$ w:a$a$"},
    {"$a$", "!"},
    {"$a", "?:$ w:a"},
    {"$ a", "?:$ w:a"},
    {"a$$b$$", "w:a$$b$$"},
    {"$1", "$:$1"},
    {"$12,$3", "$:$12 p:, $:$3"},
    {"$1a", "!"},
    {"$1.5", "$:$1 f:.5"},
    {"1.5 .5 1. 1e5 1E+5 1.e-5", "f:1.5 f:.5 f:1. f:1e5 f:1E+5 f:1.e-5"},
    {"1..2", "i:1 p:.. i:2"},
    {"1.5.2", "f:1.5 f:.2"},
    {"1a", "!"},
    {"0x1f", "!"},
    {"1_000", "!"},
    {"1e", "!"},
    {"1e+", "!"},
    {"1.a", "!"},
    {"-1", "p:- i:1"},
    {"a+-b", "w:a p:+ p:- w:b"},
    {"a@-b", "w:a p:@- w:b"},
    {"a<-b", "w:a p:< p:- w:b"},
    {"a*-+-b", "w:a p:* p:- p:+ p:- w:b"},
    {"a|/-b", "w:a p:|/- w:b"},
    {"a<>b a!=b a<=b a>=b a=>b",
     "w:a p:<> w:b w:a p:!= w:b w:a p:<= w:b w:a p:>= w:b w:a p:=> w:b"},
    {"a::b a:=b a:b", "w:a p::: w:b w:a p::= w:b w:a p:: w:b"},
    {"a->'b'->>1#>'{c}'#>>'{d}'", "w:a p:-> s:'b' p:->> i:1 p:#> s:'{c}' p:#>> s:'{d}'"},
    {"a->-1", "w:a p:-> p:- i:1"},
    {"a--b\nc", "w:a w:c"},
    {"a+--b\n1", "w:a p:+ i:1"},
    {"a+/*b*/1", "w:a p:+ i:1"},
    {"/* a /* b */ c */ d", "w:d"},
    {"/* a /* b */ d", "!"},
    {"/*/**/*/ 1", "i:1"},
    {"a*/b", "w:a p:*/ w:b"},
    {"(a[1],b);", "p:( w:a p:[ i:1 p:] p:, w:b p:) p:;"},
    {"a ? b ?| c", "w:a p:? w:b p:?| w:c"},
    {"\\ { \x01", "?:\\ ?:{ ?:\x01"},
    {"abcdefghijklmnopqrstuvwxyz_0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZ x",
     "w:abcdefghijklmnopqrstuvwxyz_0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZ w:x"},
};

static void test_borders(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        struct buf found = {0};

        write_tokens(&found, table[i].text);
        assert_string_equal((const char *)buf_slice(&found).at, table[i].tokens);
        buf_clear(&found);
    }
}

static void test_bad_stays_bad(void **state)
{
    struct lexer lexer;
    struct token token;

    (void)state;
    lexer_init(&lexer, SLICE("1 'a"));
    lexer_next(&lexer, &token);
    assert_int_equal(token.kind, TOKEN_INTEGER);
    for (int i = 0; i < 3; i++) {
        lexer_next(&lexer, &token);
        assert_int_equal(token.kind, TOKEN_BAD);
    }
}

/* Every byte against the definition of words, at every place of a vector of sixteen. */
static void test_words_of_any_length(void **state)
{
    uint8_t text[64];

    (void)state;
    for (unsigned c = 1; c < 256; c++) {
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80 ||
                      (c >= '0' && c <= '9') || c == '$';

        for (unsigned at = 1; at < 40; at++) {
            struct lexer lexer;
            struct token token;

            memset(text, 'a', sizeof(text));
            text[at] = (uint8_t)c;
            lexer_init(&lexer, slice_of(text, 48));
            lexer_next(&lexer, &token);
            if (at == 1 && c == '\'')
                continue;
            assert_int_equal(token.all.len, letter ? 48 : at);
        }
    }
}

static void test_fold(void **state)
{
    uint8_t text[48], folded[48 + LEXER_SLACK];

    (void)state;
    for (unsigned c = 1; c < 256; c++) {
        for (unsigned len = 1; len < 40; len++) {
            memset(text, 'Q', sizeof(text));
            text[len - 1] = (uint8_t)c;
            lexer_fold(folded, slice_of(text, len), text + 40);
            for (unsigned i = 0; i + 1 < len; i++)
                assert_int_equal(folded[i], 'q');
            assert_int_equal(folded[len - 1], c >= 'A' && c <= 'Z' ? c + 32 : c);
        }
    }
}

static void test_values_and_keys(void **state)
{
    static const struct {
        const char *text;
        unsigned values;
    } rows[] = {
        {"a = 'x'", 1},           {"a -> 'x'", 0},   {"a ->> 1", 0},       {"a -> $1", 1},
        {"a #>> '{a}' = 'b'", 1}, {"a -> U&'x'", 1}, {"a -> 'x'\n'y'", 1}, {"a -> /* */ 'x'", 0},
        {"a -> ('x')", 1},        {"a -> -1", 1},    {"a <-> 1", 1},       {"a -> 1.5", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct lexer lexer;
        struct token token;
        unsigned count = 0;

        lexer_init(&lexer, slice_text(rows[i].text));
        do {
            lexer_next(&lexer, &token);
            count += token.value;
        } while (token.kind != TOKEN_END);
        assert_int_equal(count, rows[i].values);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_borders),
        cmocka_unit_test(test_bad_stays_bad),
        cmocka_unit_test(test_words_of_any_length),
        cmocka_unit_test(test_fold),
        cmocka_unit_test(test_values_and_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
