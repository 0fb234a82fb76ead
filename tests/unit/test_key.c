/* Cache keys: the readable text by a table, and every part that must make another key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cache/key.h"

#include <stdio.h>

/* Everything a key is made of, on the stack of a test. */
struct made {
    struct shape shape;
    struct values values;
    struct cache_class cls;
    struct key_pin pins[4];
    struct key_parts parts;
};

static const struct shape_path paths[] = {{"professional_data", "financialMetrics.annualRevenue"},
                                          {"business_data", "name"}};
static const char *const metrics[] = {"avg(health_score)", "count(*)"};

static void make(struct made *made, const char *pattern)
{
    *made = (struct made){
        .shape = {.hash = {11, 22}, .paths = paths, .npaths = 2, .metrics = metrics, .nmetrics = 2},
        .values = {.at = {{.kind = VALUE_INTEGER, .bytes = SLICE("7")},
                          {.kind = VALUE_STRING, .bytes = SLICE("a")}},
                   .count = 2,
                   .complete = true},
        .cls = {.name = "class", .key = pattern},
        .pins = {{"id", SLICE("7")}, {"user_id", SLICE("42")}},
    };
    made->parts = (struct key_parts){
        .name_space = 1,
        .database = SLICE("app"),
        .user = SLICE("alice"),
        .settings = 99,
        .shape = &made->shape,
        .values = &made->values,
        .cache = &made->cls,
        .pins = made->pins,
        .npins = 2,
    };
}

static const struct {
    const char *pattern, *text; /* without the hash */
} texts[] = {
    {"prof_eval:{user_id}:{id}", "prof_eval:42:7"},
    {"tier_access:{id}", "tier_access:7"},
    {"x:{nothing}:{id}", "x:-:7"},
    {"{id}", "7"},
    {"plain", "plain"},
    {"", ""},
    {"open{id", "open{id"},
    {"{id}{user_id}", "742"},
    {"agg:{user_id}:{metric}", "agg:42:avg(health_score),count(*)"},
    {"jsonb_field:{id}:{path}", "jsonb_field:7:financialMetrics.annualRevenue,name"},
};

static void text_test(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct made made;
        struct key key;
        char whole[KEY_MAX];

        make(&made, texts[i].pattern);
        key_make(&made.parts, &key);
        snprintf(whole, sizeof(whole), "%s:%016llx%016llx", texts[i].text,
                 (unsigned long long)key.hash.high, (unsigned long long)key.hash.low);
        assert_string_equal(key.text, whole);
        assert_int_equal(key.len, strlen(key.text));
    }
}

/* Bytes that could be mistaken, and lists of values. */
static void escape_test(void **state)
{
    struct made made;
    struct key key;

    (void)state;
    make(&made, "k:{id}:{user_id}");
    made.pins[0].value = SLICE("a:b%c\n\xff ");
    made.pins[1] = (struct key_pin){"user_id", SLICE("1")};
    made.pins[2] = (struct key_pin){"user_id", SLICE("2")};
    made.parts.npins = 3;
    key_make(&made.parts, &key);
    assert_memory_equal(key.text, "k:a%3Ab%25c%0A%FF%20:1,2:", 25);
    make(&made, "k:{metric}:{path}");
    made.shape.nmetrics = made.shape.npaths = 0;
    key_make(&made.parts, &key);
    assert_memory_equal(key.text, "k:-:-:", 6);
}

/* However long the values and the pattern, the text fits and ends with the hash. */
static void long_test(void **state)
{
    static char bytes[100000], pattern[2000];
    struct made made;
    struct key one, other;

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    for (size_t len = 0; len < 600; len++) {
        memset(pattern, 'p', len);
        strcpy(pattern + len, "{id}:{user_id}");
        make(&made, pattern);
        made.pins[0].value = slice_of(bytes, len % 200);
        made.pins[1].value = slice_of("\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", 24);
        key_make(&made.parts, &one);
        assert_true(one.len < KEY_MAX);
        assert_int_equal(one.len, strlen(one.text));
        assert_int_equal(one.text[one.len - 33], ':');
    }
    /* What the text does not show, the hash still knows. */
    make(&made, "{id}");
    made.values.at[1].bytes = slice_of(bytes, sizeof(bytes));
    key_make(&made.parts, &one);
    bytes[sizeof(bytes) - 1] = 'y';
    key_make(&made.parts, &other);
    assert_int_not_equal(one.hash.low, other.hash.low);
}

/* Each change alone makes a key that no other one is. */
static void change(struct made *made, unsigned which)
{
    struct value *first = &made->values.at[0], *second = &made->values.at[1];

    switch (which) {
    case 1:
        made->parts.name_space = 2;
        break;
    case 2:
        made->parts.database = SLICE("apP");
        break;
    case 3:
        made->parts.user = SLICE("bob");
        break;
    case 4:
        made->parts.settings = 98;
        break;
    case 5:
        made->shape.hash.low = 12;
        break;
    case 6:
        made->shape.hash.high = 23;
        break;
    case 7:
        first->bytes = SLICE("8");
        break;
    case 8:
        first->kind = VALUE_TEXT;
        break;
    case 9:
        first->kind = VALUE_BINARY;
        break;
    case 10:
        first->oid = 23;
        break;
    case 11:
        second->escaped = true;
        break;
    case 12:
        second->backslash = true;
        break;
    case 13:
        second->kind = VALUE_NULL;
        break;
    case 14:
        made->values.count = 1;
        break;
    case 15:
        made->values.count = 3;
        break;
    case 16:
        made->parts.results = SLICE("\0\1");
        break;
    case 17:
        made->parts.results = SLICE("\0");
        break;
    case 18:
        first->bytes = SLICE("");
        break;
    case 19:
        first->bytes = SLICE("7a"), second->bytes = SLICE("");
        break;
    case 20:
        first->bytes = SLICE("a"), second->bytes = SLICE("7");
        break;
    case 21:
        made->parts.database = SLICE("appalice"), made->parts.user = SLICE("");
        break;
    case 22:
        first->kind = VALUE_PARAM, first->number = 1;
        break;
    case 23:
        first->kind = VALUE_PARAM, first->number = 2;
        break;
    case 24:
        first->oid = 25;
        break;
    case 25:
        first->list = 1;
        break;
    case 26:
        made->values.more = 1, made->values.at[2] = *first, first->list = 2;
        break;
    case 27:
        made->values.more = 1, made->values.at[2] = *first, second->list = 2;
        break;
    default:
        break;
    }
}

static void hash_test(void **state)
{
    enum { CHANGES = 28 };
    struct hash128 seen[CHANGES];
    struct made made;
    struct key key;

    (void)state;
    for (unsigned i = 0; i < CHANGES; i++) {
        make(&made, "{id}");
        change(&made, i);
        key_make(&made.parts, &key);
        seen[i] = key.hash;
        for (unsigned k = 0; k < i; k++) {
            assert_int_not_equal(seen[k].low, seen[i].low);
            assert_int_not_equal(seen[k].high, seen[i].high);
        }
        key_make(&made.parts, &key);
        assert_int_equal(key.hash.low, seen[i].low);
        assert_int_equal(key.hash.high, seen[i].high);
    }
}

/* What the text shows is for people and decides nothing; as many values as there may be fit. */
static void same_test(void **state)
{
    struct made made;
    struct key one, other;

    (void)state;
    make(&made, "{id}");
    made.values.count = VALUES_MAX + 5;
    made.values.complete = false;
    key_make(&made.parts, &one);
    made.parts.npins = 0;
    key_make(&made.parts, &other);
    assert_int_equal(one.hash.low, other.hash.low);
    assert_int_equal(one.hash.high, other.hash.high);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_test), cmocka_unit_test(escape_test), cmocka_unit_test(long_test),
        cmocka_unit_test(hash_test), cmocka_unit_test(same_test),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
