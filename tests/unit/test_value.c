#include "sql/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    INT2 = 21,
    INT4 = 23,
    INT8 = 20,
    TEXT = 25,
    NAME = 19,
    BPCHAR = 1042,
    NUMERIC = 1700,
    UUID = 2950,
    BOOL = 16
};

#define INTEGER(text)                                                                              \
    {                                                                                              \
        .kind = VALUE_INTEGER, .bytes = SLICE(text)                                                \
    }
#define NUMBER(text)                                                                               \
    {                                                                                              \
        .kind = VALUE_NUMBER, .bytes = SLICE(text)                                                 \
    }
#define STRING(text)                                                                               \
    {                                                                                              \
        .kind = VALUE_STRING, .bytes = SLICE(text)                                                 \
    }
#define QUOTED(text)                                                                               \
    {                                                                                              \
        .kind = VALUE_STRING, .escaped = true, .bytes = SLICE(text)                                \
    }
#define ESCAPED(text)                                                                              \
    {                                                                                              \
        .kind = VALUE_STRING, .escaped = true, .backslash = true, .bytes = SLICE(text)             \
    }
#define BOUND(text, type)                                                                          \
    {                                                                                              \
        .kind = VALUE_TEXT, .oid = type, .bytes = SLICE(text)                                      \
    }
#define BINARY(text, type)                                                                         \
    {                                                                                              \
        .kind = VALUE_BINARY, .oid = type, .bytes = SLICE(text)                                    \
    }

#define A_UUID "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"

static const struct {
    struct value value;
    enum value_type type;
    const char *canon; /* NULL: none */
} table[] = {
    {INTEGER("7"), TYPE_INT4, "7"},
    {INTEGER("007"), TYPE_INT4, "7"},
    {INTEGER("0"), TYPE_INT8, "0"},
    {INTEGER("32768"), TYPE_INT2, NULL},
    {INTEGER("32767"), TYPE_INT2, "32767"},
    {INTEGER("2147483648"), TYPE_INT4, NULL},
    {INTEGER("2147483648"), TYPE_INT8, "2147483648"},
    {INTEGER("9223372036854775807"), TYPE_INT8, "9223372036854775807"},
    {INTEGER("9223372036854775808"), TYPE_INT8, NULL},
    {INTEGER("99999999999999999999999999"), TYPE_INT8, NULL},
    {INTEGER("7"), TYPE_TEXT, NULL},
    {INTEGER("1"), TYPE_BOOL, NULL},
    {INTEGER("7"), TYPE_NONE, NULL},
    {NUMBER("7.0"), TYPE_INT4, NULL},
    {STRING("7"), TYPE_INT4, "7"},
    {STRING(" -07 "), TYPE_INT4, "-7"},
    {STRING("-0"), TYPE_INT4, "0"},
    {STRING("+3"), TYPE_INT2, "3"},
    {STRING(""), TYPE_INT4, NULL},
    {STRING("-"), TYPE_INT4, NULL},
    {STRING("7a"), TYPE_INT4, NULL},
    {STRING("1e3"), TYPE_INT4, NULL},
    {STRING("0x10"), TYPE_INT4, NULL},
    {STRING("1_000"), TYPE_INT4, NULL},
    {ESCAPED("\\x37"), TYPE_INT4, "7"},
    {ESCAPED("\\067"), TYPE_INT4, "7"},
    {ESCAPED("\\u0037"), TYPE_INT4, "7"},
    {BOUND("7", 0), TYPE_INT4, "7"},
    {BOUND("07", INT4), TYPE_INT8, "7"},
    {BOUND("7", NUMERIC), TYPE_INT4, NULL},
    {BOUND("7", TEXT), TYPE_INT4, NULL},
    {BINARY("\0\7", 0), TYPE_INT2, "7"},
    {BINARY("\xff\xff\xff\xff", INT4), TYPE_INT4, "-1"},
    {BINARY("\0\0\0\0\0\0\0\7", INT8), TYPE_INT4, "7"},
    {BINARY("\0\0\0\1\0\0\0\0", INT8), TYPE_INT4, NULL},
    {BINARY("\0\0\0\7", INT8), TYPE_INT8, NULL},
    {BINARY("\0\0\0\0\0\0\0\0", NUMERIC), TYPE_INT8, NULL},
    {BINARY("\0\7\0", 0), TYPE_INT4, NULL},
    {STRING(A_UUID), TYPE_UUID, A_UUID},
    {STRING("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"), TYPE_UUID, A_UUID},
    {STRING("{a0eebc999c0b4ef8bb6d6bb9bd380a11}"), TYPE_UUID, A_UUID},
    {STRING("a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11"), TYPE_UUID, A_UUID},
    {STRING("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1"), TYPE_UUID, NULL},
    {STRING("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 "), TYPE_UUID, NULL},
    {STRING("a-0eebc999c0b4ef8bb6d6bb9bd380a11"), TYPE_UUID, NULL},
    {STRING("{a0eebc999c0b4ef8bb6d6bb9bd380a11"), TYPE_UUID, NULL},
    {BINARY("\xa0\xee\xbc\x99\x9c\x0b\x4e\xf8\xbb\x6d\x6b\xb9\xbd\x38\x0a\x11", UUID), TYPE_UUID,
     A_UUID},
    {BINARY("\xa0\xee\xbc\x99\x9c\x0b\x4e\xf8\xbb\x6d\x6b\xb9\xbd\x38\x0a\x11", 0), TYPE_UUID,
     A_UUID},
    {BINARY("\xa0", UUID), TYPE_UUID, NULL},
    {BOUND(A_UUID, TEXT), TYPE_UUID, NULL},
    {STRING("t"), TYPE_BOOL, "t"},
    {STRING(" TRUE "), TYPE_BOOL, "t"},
    {STRING("off"), TYPE_BOOL, "f"},
    {STRING("tr"), TYPE_BOOL, NULL},
    {BINARY("\1", BOOL), TYPE_BOOL, "t"},
    {BINARY("\0", 0), TYPE_BOOL, "f"},
    {BOUND("t", BOOL), TYPE_BOOL, "t"},
    {BOUND("t", TEXT), TYPE_BOOL, NULL},
    {STRING("pro"), TYPE_TEXT, "pro"},
    {STRING(""), TYPE_TEXT, ""},
    {STRING("a\\b"), TYPE_TEXT, "a\\b"},
    {QUOTED("it''s"), TYPE_TEXT, "it's"},
    {ESCAPED("a\\\\b\\t\\'c''d\\q"), TYPE_TEXT, "a\\b\t'c'dq"},
    {ESCAPED("\\u00e9"), TYPE_TEXT, NULL},
    {ESCAPED("\\xe9"), TYPE_TEXT, NULL},
    {ESCAPED("\\u12"), TYPE_TEXT, NULL},
    {ESCAPED("\\000"), TYPE_TEXT, NULL},
    {ESCAPED("\\"), TYPE_TEXT, NULL},
    {STRING("pro "), TYPE_TEXT, NULL},
    {STRING("caf\xc3\xa9"), TYPE_TEXT, NULL},
    {BOUND("pro", 0), TYPE_TEXT, "pro"},
    {BOUND("07", INT4), TYPE_TEXT, NULL},
    {BOUND("pro", BPCHAR), TYPE_TEXT, NULL},
    {BOUND("pro", NAME), TYPE_TEXT, NULL},
    {BINARY("pro", TEXT), TYPE_TEXT, "pro"},
    {BINARY("pro", INT4), TYPE_TEXT, NULL},
    {{.kind = VALUE_NULL}, TYPE_TEXT, NULL},
    {{.kind = VALUE_PARAM, .number = 1}, TYPE_INT4, NULL},
    {{.kind = VALUE_OTHER, .bytes = SLICE("x'07'")}, TYPE_INT4, NULL},
    {{.kind = VALUE_OTHER, .bytes = SLICE("U&'a'")}, TYPE_TEXT, NULL},
};

static void test_canon(void **state)
{
    char out[CANON_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        int len = value_canon(&table[i].value, table[i].type, out);
        int expected = table[i].canon ? (int)strlen(table[i].canon) : -1;

        if (len != expected || (len > 0 && memcmp(out, table[i].canon, (size_t)len) != 0))
            fail_msg("row %zu: %d bytes, %.*s", i, len, len > 0 ? len : 0, out);
    }
}

static void test_too_long(void **state)
{
    char text[CANON_MAX + 1], out[CANON_MAX];
    struct value value = {.kind = VALUE_STRING};

    (void)state;
    memset(text, 'a', sizeof(text));
    value.bytes = slice_of(text, CANON_MAX);
    assert_int_equal(value_canon(&value, TYPE_TEXT, out), CANON_MAX);
    value.bytes = slice_of(text, CANON_MAX + 1);
    assert_int_equal(value_canon(&value, TYPE_TEXT, out), -1);
}

static void test_plain(void **state)
{
    const struct value quoted = QUOTED("it''s"), bound = BOUND("caf\xc3\xa9", 0);
    const struct value number = BINARY("\0\0\1\0", INT4), null = {.kind = VALUE_NULL};
    char out[8];

    (void)state;
    assert_int_equal(value_plain(&quoted, out, sizeof(out)), 4);
    assert_memory_equal(out, "it's", 4);
    assert_int_equal(value_plain(&quoted, out, 3), -1);
    assert_int_equal(value_plain(&bound, out, sizeof(out)), 5);
    assert_int_equal(value_plain(&number, out, sizeof(out)), 3);
    assert_memory_equal(out, "256", 3);
    assert_int_equal(value_plain(&null, out, sizeof(out)), -1);
}

static void test_moves(void **state)
{
    const struct value now = STRING("now"), noon = BOUND("  Yesterday noon", 0);
    const struct value hidden = ESCAPED("n\\157w"), day = STRING("2025-01-01"), n = INTEGER("1");

    const struct value array = STRING("{n\\ow}"), range = BOUND("[n\"o\"w,)", 0);
    const struct value json = STRING("{\"a\": 1}"), n92 = BINARY("\0\0\0\\", INT4);

    (void)state;
    assert_true(value_moves(&array));
    assert_true(value_moves(&range));
    assert_false(value_moves(&json));
    assert_false(value_moves(&n92));
    assert_true(value_moves(&now));
    assert_true(value_moves(&noon));
    assert_true(value_moves(&hidden));
    assert_false(value_moves(&day));
    assert_false(value_moves(&n));
}

/* Arrays; elements as text with a blank behind each, "-" for NULL, "!" where they end badly, and
 * NULL for what is no array. */
static const struct {
    struct value array;
    const char *elements;
} arrays[] = {
    {STRING("{1,2,3}"), "1 2 3 "},
    {STRING(" { 1 , 2 } "), "1 2 "},
    {STRING("{}"), ""},
    {STRING("{ }"), ""},
    {STRING("{a b,\"c,d\",\"e\\\"f\",\"\"}"), "a b c,d e\"f  "},
    {STRING("{1,NULL,null,\"NULL\"}"), "1 - - NULL "},
    {STRING("{1,}"), "1 !"},
    {STRING("{1,2"), "1 !"},
    {STRING("{1}x"), "!"},
    {STRING("{}x"), "!"},
    {STRING("{{1},{2}}"), "!"},
    {STRING("{a\\b}"), "!"},
    {STRING("{\"a"), "!"},
    {STRING("[2:3]={1,2}"), NULL},
    {STRING("1"), NULL},
    {QUOTED("{''}"), NULL},
    {INTEGER("1"), NULL},
    {BOUND("{1,2}", 1007), "1 2 "},
    {BOUND("{1,2}", 0), "1 2 "},
    {BOUND("{1,2}", TEXT), NULL},
    {BINARY("\0\0\0\1"
            "\0\0\0\1"
            "\0\0\0\x17"
            "\0\0\0\3"
            "\0\0\0\1"
            "\0\0\0\4\0\0\0\7"
            "\377\377\377\377"
            "\0\0\0\4\0\0\1\0",
            1007),
     "7 - 256 "},
    {BINARY("\0\0\0\0"
            "\0\0\0\0"
            "\0\0\0\x17",
            1007),
     ""},
    {BINARY("\0\0\0\2"
            "\0\0\0\0"
            "\0\0\0\x17",
            1007),
     NULL},
    {BINARY("\0\0\0\1"
            "\0\0\0\0"
            "\0\0\0\x17"
            "\0\0\0\1"
            "\0\0\0\1"
            "\0\0\0\5"
            "ab",
            1007),
     "!"},
    {BINARY("\0\0\0\1", 1007), NULL},
};

static void test_arrays(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(arrays) / sizeof(*arrays); i++) {
        struct elements elements;
        struct value value;
        char found[256] = "", plain[CANON_MAX];
        enum element next = ELEMENT_VALUE;

        assert_int_equal(elements_begin(&elements, &arrays[i].array), arrays[i].elements != NULL);
        while (arrays[i].elements && next != ELEMENT_END && next != ELEMENT_BAD) {
            int len;

            next = elements_next(&elements, &value);
            len = next == ELEMENT_VALUE ? value_plain(&value, plain, sizeof(plain)) : 0;
            assert_true(len >= 0);
            if (next == ELEMENT_VALUE)
                sprintf(found + strlen(found), "%.*s ", len, plain);
            else if (next == ELEMENT_NULL)
                strcat(found, "- ");
            else if (next == ELEMENT_BAD)
                strcat(found, "!");
        }
        if (arrays[i].elements && strcmp(found, arrays[i].elements) != 0)
            fail_msg("row %zu: \"%s\", not \"%s\"", i, found, arrays[i].elements);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canon), cmocka_unit_test(test_too_long), cmocka_unit_test(test_plain),
        cmocka_unit_test(test_moves), cmocka_unit_test(test_arrays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
