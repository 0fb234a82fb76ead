#include "base/mem.h"
#include "sql/shapes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static unsigned plans_freed;

static void free_plan(void *plan)
{
    mem_free(plan);
    plans_freed++;
}

static struct known_shape *find(struct shapes *shapes, const char *text)
{
    static struct values values;

    return shapes_find(shapes, slice_text(text), NULL, &values);
}

static void test_one_shape(void **state)
{
    struct shapes shapes;
    struct known_shape *literal, *param;

    (void)state;
    shapes_init(&shapes, 1 << 20, free_plan);
    literal = find(&shapes, "select * from t where id = 7");
    param = find(&shapes, "SELECT * FROM t WHERE id=$1");
    assert_ptr_equal(literal, param);
    assert_int_equal(shapes.parsed, 1);
    assert_int_equal(shapes.map.count, 1);
    known_shape_unref(literal);
    known_shape_unref(param);
    shapes_clear(&shapes);
}

static void test_bounded(void **state)
{
    struct shapes shapes;
    char text[64];

    (void)state;
    shapes_init(&shapes, 64 * 1024, free_plan);
    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof(text), "select a%d from t where id = 7", i);
        known_shape_unref(find(&shapes, text));
        assert_true(shapes.bytes <= shapes.max_bytes);
    }
    assert_int_equal(shapes.parsed, 500);
    assert_int_equal(shapes.evicted + shapes.map.count, 500);
    assert_true(shapes.map.count > 5);
    known_shape_unref(find(&shapes, "select a499 from t where id = 8"));
    assert_int_equal(shapes.parsed, 500);
    shapes_clear(&shapes);
    assert_int_equal(shapes.bytes, 0);
}

/* The one that was used last stays, whenever it was first seen. */
static void test_least_recent_goes(void **state)
{
    struct shapes shapes;
    char text[64];

    (void)state;
    shapes_init(&shapes, 32 * 1024, free_plan);
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof(text), "select a%d from t", i);
        known_shape_unref(find(&shapes, text));
        known_shape_unref(find(&shapes, "select 'kept'"));
    }
    assert_int_equal(shapes.parsed, 201);
    shapes_clear(&shapes);
}

static void test_outlives_eviction(void **state)
{
    struct shapes shapes;
    struct known_shape *held;
    char text[64];

    (void)state;
    plans_freed = 0;
    shapes_init(&shapes, 16 * 1024, free_plan);
    held = find(&shapes, "select * from held where id = 7");
    held->plan = mem_new(16);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "select a%d from t", i);
        known_shape_unref(find(&shapes, text));
    }
    assert_int_equal(plans_freed, 0);
    assert_string_equal(held->shape->refs[0].name, "held");
    shapes_clear(&shapes);
    assert_int_equal(plans_freed, 0);
    known_shape_unref(held);
    assert_int_equal(plans_freed, 1);
}

static void test_unreadable_is_shared(void **state)
{
    enum { LONG = 1024 * 1024 + 1 };
    struct shapes shapes;
    struct known_shape *broken, *other;
    struct values values;
    char *text = mem_new(LONG + 1);

    (void)state;
    memset(text, ' ', LONG);
    shapes_init(&shapes, 1 << 20, free_plan);
    broken = find(&shapes, "select 'a");
    other = shapes_find(&shapes, slice_of(text, LONG), NULL, &values);
    assert_ptr_equal(broken, other);
    assert_true(broken->shape->unknown && broken->shape->writes);
    assert_int_equal(values.count, 0);
    assert_int_equal(shapes.map.count, 0);
    known_shape_unref(broken);
    known_shape_unref(other);
    shapes_clear(&shapes);
    mem_free(text);
}

/* A literal that is wrong makes no shape unknown for the texts in which it is right. */
static void test_unparsable_spoils_nothing(void **state)
{
    static const char *const wrong = "select * from t where a = e'\\u12' and id = 7";
    struct shapes shapes;
    struct known_shape *first, *second, *again;

    (void)state;
    shapes_init(&shapes, 1 << 20, free_plan);
    first = find(&shapes, wrong);
    second = find(&shapes, "select * from t where a = 'x' and id = 7");
    assert_true(first->shape->unknown);
    assert_false(second->shape->unknown);
    again = find(&shapes, "select nothing from where");
    assert_ptr_equal(again, find(&shapes, "select nothing from where"));
    assert_int_equal(shapes.parsed, 3);
    known_shape_unref(again);
    known_shape_unref(again);
    known_shape_unref(first);
    known_shape_unref(second);
    shapes_clear(&shapes);
}

/* Texts that would make a tree too deep for recursion, each by another way. */
static void test_deep_texts(void **state)
{
    static const struct {
        const char *head, *each, *tail, *close;
    } rows[] = {
        {"select ", "(", "1", ")"},
        {"select ", "(select ", "1", ")"},
        {"select ", "f(", "1", ")"},
        {"select 1", " + 1", "", ""},
        {"select ", "- ", "1", ""},
        {"select ", "not ", "true", ""},
        {"select 1", " union select 1, 1", "", ""},
        {"select 1 from t", " join t on a and b", "", ""},
        {"select ", "case when a and b then ", "1", " end"},
        {"select a", ".b + t.and", "", ""},
        {"select a", "::int", "", ""},
        {"select a", " is null", "", ""},
        {"select a", "[1", "", "]"},
        {"select a", " collate \"C\"", "", ""},
        {"select a", " at time zone 'x'", "", ""},
        {"select * from ", "(", "t", " join t on true)"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        enum { TIMES = 30000 };
        size_t each = strlen(rows[i].each), close = strlen(rows[i].close);
        char *text = mem_new(200 + TIMES * (each + close));
        char *at = stpcpy(text, rows[i].head);
        struct shapes shapes;
        struct known_shape *known;

        for (int n = 0; n < TIMES; n++)
            at = stpcpy(at, rows[i].each);
        at = stpcpy(at, rows[i].tail);
        for (int n = 0; n < TIMES; n++)
            at = stpcpy(at, rows[i].close);
        shapes_init(&shapes, 1 << 20, free_plan);
        known = find(&shapes, text);
        assert_true(known->shape->unknown && known->shape->writes);
        known_shape_unref(known);
        shapes_clear(&shapes);
        mem_free(text);
    }
}

/* Long and flat is fine. */
static void test_wide_texts(void **state)
{
    static const char *const rows[][2] = {
        {"insert into t (a, b) values (1, 2)", ", ($1::uuid, -1)"},
        {"select * from t where a = 1", " and b = 2"},
        {"select * from t where a = 1", " or b = c + 2 * d"},
        {"update t set a = case when a = 1 then 2", " when id = 7 then 8 + 1"},
        {"select 1", ", f(a::int, b || c)"},
        {"select 1 from t where a in (1", ", 2"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        enum { TIMES = 4000 };
        char *text = mem_new(200 + TIMES * strlen(rows[i][1]));
        char *at = stpcpy(text, rows[i][0]);
        struct shapes shapes;
        struct known_shape *known;

        for (int n = 0; n < TIMES; n++)
            at = stpcpy(at, rows[i][1]);
        if (i == 3)
            at = stpcpy(at, " end");
        if (i == 5)
            at = stpcpy(at, ")");
        shapes_init(&shapes, 1 << 20, free_plan);
        known = find(&shapes, text);
        if (known->shape->unknown)
            fail_msg("row %zu", i);
        known_shape_unref(known);
        shapes_clear(&shapes);
        mem_free(text);
    }
}

/* All wait while one text is parsed: it has so many tokens at most. */
static void test_too_many_tokens(void **state)
{
    enum { TIMES = 30000 };
    char *text = mem_new(16 + TIMES * 4), *at = stpcpy(text, "select 1");
    struct shapes shapes;
    struct known_shape *known;

    (void)state;
    for (int n = 0; n < TIMES; n++)
        at = stpcpy(at, ", 1");
    shapes_init(&shapes, 1 << 20, free_plan);
    known = find(&shapes, text);
    assert_true(known->shape->unknown && known->shape->writes);
    known_shape_unref(known);
    shapes_clear(&shapes);
    mem_free(text);
}

static void test_normalised_text(void **state)
{
    struct shapes shapes;
    struct known_shape *known;

    (void)state;
    shapes_init(&shapes, 1 << 20, free_plan);
    known = find(&shapes, "SELECT a.b,f(1) FROM T /* x */ WHERE \"Id\"='x' AND d->'k' IN (2,3);");
    assert_string_equal(known->shape->text, "select a.b, f ($1) from t where \"Id\" = $2 and d -> "
                                            "'k' in ($3, ..);");
    known_shape_unref(known);
    shapes_clear(&shapes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_shape),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_least_recent_goes),
        cmocka_unit_test(test_outlives_eviction),
        cmocka_unit_test(test_unreadable_is_shared),
        cmocka_unit_test(test_unparsable_spoils_nothing),
        cmocka_unit_test(test_deep_texts),
        cmocka_unit_test(test_wide_texts),
        cmocka_unit_test(test_too_many_tokens),
        cmocka_unit_test(test_normalised_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
