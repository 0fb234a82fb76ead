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
        cmocka_unit_test(test_many_values), cmocka_unit_test(test_long_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
