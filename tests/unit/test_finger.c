#include "base/mem.h"
#include "sql/finger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct values values;

static bool same_hash(const char *a, const char *b)
{
    struct hash128 left, right;

    finger_text(slice_text(a), &left, &values);
    finger_text(slice_text(b), &right, &values);
    return left.low == right.low && left.high == right.high;
}

static void test_same(void **state)
{
    static const char *const pairs[][2] = {
        {"select * from t where id = 7", "select * from t where id = $1"},
        {"select * from t where id = 7", "SELECT  *\nFROM T /* x */ WHERE id=$9 -- y"},
        {"select 'a', 1, 1.5, b'1'", "select $1, $2, $3, $4"},
        {"select e'a\\'b', $$x$$", "select 'q', 'r'"},
        {"select 'a'\n'b'", "select 'c'"},
        {"a+-1", "a + - $1"},
        {"insert into t values (1, 'x')", "insert into t values ($2, $1)"},
        {"select N'a'", "select n'b'"},
        {"", "/* nothing */"},
        {"a -> 'k'", "a->'k'"},
        {"a in (1)", "a in ($1, 'x', 3.5)"},
        {"a in (1, 2) and b = $1", "a in (1, 2, 3, 4) and b = $1"},
        {"a in ($1, $2) and b = $2", "a in ($1, $2, $3) and b = $2"},
        {"a in (1, 2 + 3)", "a in (1, 7, 2 + 3)"},
        {"a in ((1, 2), (3, 4))", "a in ((5, 6), (7, 8))"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
        assert_true(same_hash(pairs[i][0], pairs[i][1]));
}

static void test_different(void **state)
{
    static const char *const pairs[][2] = {
        {"select 1", "select 1, 1"},
        {"select a", "select b"},
        {"select a", "select \"a\""},
        {"select \"A\"", "select \"a\""},
        {"select ab", "select a b"},
        {"a+-1", "a +/**/- b"},
        {"a@-1", "a @ - 1"},
        {"select 1 .5", "select 1.5"},
        {"a < = b", "a <= b"},
        {"a = $1 and b = $2", "a = $1 and b = $1"},
        {"a = $1 and b = $1 and c = $2", "a = $1 and b = $2 and c = $1"},
        {"a -> 'k'", "a -> 'l'"},
        {"a -> 'k'", "a -> $1"},
        {"a -> 'k'", "a -> 1"},
        {"select n'a'", "select n 'a'"},
        {"select u&\"a\"", "select \"a\""},
        {"select 1", "select \x01"},
        {"select 1", "select \"\x01\""},
        {"select a.b", "select a b"},
        {"select -1", "select 1"},
        {"a in (1, 2)", "f (1, 2)"},
        {"a in (1)", "a in (1 + 2)"},
        {"a in (1, 2)", "a in (1, 2"},
        {"a in (1, -2)", "a in (1, 2)"},
        {"a in (1, null)", "a in (1, 2)"},
        {"a in (1, null, 2)", "a in (1, null, 2, 3)"},
        {"a in ($1, $1)", "a in ($1, $2)"},
        {"a in ($1, $2) and b = $2", "a in ($1, $2) and b = $1"},
        {"a in ($1, $2) and b = $2", "a in ($1, $2) and b = $3"},
        {"a in ((1, 2), (3, 4))", "a in ((1, 2))"},
        {"f (1, 2)", "f (1, 2, 3)"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
        assert_false(same_hash(pairs[i][0], pairs[i][1]));
}

static void test_values(void **state)
{
    const char *text = "select $2, 'it''s', E'a\\n', 7, 1.5, x'ff', $q$z$q$, a->'k'";
    struct hash128 hash;

    (void)state;
    assert_true(finger_text(slice_text(text), &hash, &values));
    assert_int_equal(values.count, 7);
    assert_true(values.complete);
    assert_int_equal(values.at[0].kind, VALUE_PARAM);
    assert_int_equal(values.at[0].number, 2);
    assert_int_equal(values.at[0].pos, 7);
    assert_int_equal(values.at[1].kind, VALUE_STRING);
    assert_true(values.at[1].escaped);
    assert_true(slice_is(values.at[1].bytes, "it''s"));
    assert_true(values.at[2].backslash);
    assert_true(slice_is(values.at[2].bytes, "a\\n"));
    assert_int_equal(values.at[2].pos, strchr(text, 'E') - text);
    assert_int_equal(values.at[3].kind, VALUE_INTEGER);
    assert_true(slice_is(values.at[3].bytes, "7"));
    assert_int_equal(values.at[4].kind, VALUE_NUMBER);
    assert_int_equal(values.at[5].kind, VALUE_OTHER);
    assert_true(slice_is(values.at[5].bytes, "x'ff'"));
    assert_true(slice_is(values.at[6].bytes, "z"));
}

static void test_lists(void **state)
{
    const char *text = "a = 1 and b in (2, $3, 'x') and c in (5) and d in (6, 7) and e = 8";
    static const char *const bytes[] = {"1", "2", "5", "6", "8", "$3", "x", "7"};
    static const unsigned placeholders[] = {0, 1, 2, 3, 4, 1, 1, 3}, lists[] = {0, 3, 1, 2, 0};
    struct hash128 hash;

    (void)state;
    assert_true(finger_text(slice_text(text), &hash, &values));
    assert_int_equal(values.count, 5);
    assert_int_equal(values.more, 3);
    assert_true(values.complete);
    assert_int_equal(values_stored(&values), 8);
    for (unsigned i = 0; i < 8; i++) {
        assert_true(slice_is(values.at[i].bytes, bytes[i]));
        assert_int_equal(values_placeholder(&values, i), placeholders[i]);
    }
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(values.at[i].list, lists[i]);
    assert_ptr_equal(values_get(&values, 1, 2), &values.at[6]);
    assert_ptr_equal(values_get(&values, 3, 1), &values.at[7]);
    assert_null(values_get(&values, 1, 3));
    assert_null(values_get(&values, 2, 1));
    assert_null(values_get(&values, 5, 0));
    assert_null(values_get(&values, -1, 0));
}

static void test_long_list(void **state)
{
    char *text = mem_new(1000);
    struct hash128 hash;

    (void)state;
    strcat(text, "a in (0");
    for (int i = 1; i < VALUES_MAX; i++)
        strcat(text, ", 1");
    strcat(text, ")");
    assert_true(finger_text(slice_text(text), &hash, &values));
    assert_true(values.complete);
    assert_int_equal(values_stored(&values), VALUES_MAX);
    strcat(text, " and b = 7");
    assert_true(finger_text(slice_text(text), &hash, &values));
    assert_int_equal(values.count, 2);
    assert_int_equal(values.at[0].list, VALUES_MAX);
    assert_false(values.complete);
    assert_int_equal(values_stored(&values), 2);
    assert_null(values_get(&values, 0, 1));
    assert_true(slice_is(values_get(&values, 1, 0)->bytes, "7"));
    mem_free(text);
}

static void test_unreadable(void **state)
{
    static const char *const texts[] = {"select 'a", "select /* x", "select \"a", "select 1a"};
    struct hash128 hash, raw;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        assert_false(finger_text(slice_text(texts[i]), &hash, &values));
        raw = hash128_bytes(texts[i], strlen(texts[i]));
        assert_true(hash.low == raw.low && hash.high == raw.high);
        assert_int_equal(values.count, 0);
    }
}

static void test_many_values(void **state)
{
    char *text = mem_new(1000);
    struct hash128 hash;

    (void)state;
    for (int i = 0; i < 100; i++)
        strcat(text, "1,");
    assert_true(finger_text(slice_text(text), &hash, &values));
    assert_int_equal(values.count, 100);
    assert_false(values.complete);
    mem_free(text);
}

/* Over several blocks: a difference anywhere shows, and letter case doesn't. */
static void test_long_text(void **state)
{
    enum { LEN = 5000 };
    char *a = mem_new(LEN + 1), *b = mem_new(LEN + 1);

    (void)state;
    for (int i = 0; i < LEN; i++) {
        a[i] = i % 7 ? (char)('a' + i % 26) : ' ';
        b[i] = i % 7 && i % 3 ? (char)('A' + i % 26) : a[i];
    }
    assert_true(same_hash(a, b));
    for (int i = 0; i < LEN; i += 97) {
        char was = b[i];

        b[i] = b[i] == ' ' ? '_' : '0';
        assert_false(same_hash(a, b));
        b[i] = was;
    }
    mem_free(a);
    mem_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),        cmocka_unit_test(test_different),
        cmocka_unit_test(test_values),      cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_lists),       cmocka_unit_test(test_long_list),
        cmocka_unit_test(test_many_values), cmocka_unit_test(test_long_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
