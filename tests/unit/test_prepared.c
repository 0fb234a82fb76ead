/* Statements by text and types, and what a server is known to have of them. */
#include "pool/prepared.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

static const uint8_t int4[] = {0, 0, 0, 23}, text[] = {0, 0, 0, 25};

static void one_text_is_one_statement(void **state)
{
    struct statements all = {0};
    struct slice sql = SLICE("select $1"), ints = slice_of(int4, 4), texts = slice_of(text, 4);
    struct statement *a = statement_of(&all, sql, ints, 0), *b = statement_of(&all, sql, ints, 0);
    struct statement *c = statement_of(&all, sql, texts, 0);
    struct statement *d = statement_of(&all, sql, SLICE(""), 0);

    (void)state;
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    assert_ptr_not_equal(a, d);
    assert_string_equal(a->name, "pgtier_1");
    assert_string_equal(c->name, "pgtier_2");
    assert_int_equal(a->noids, 1);
    assert_int_equal(d->noids, 0);
    assert_true(slice_same(a->text, sql));
    assert_true(slice_same(a->oids, ints));
    statement_unref(a);
    statement_unref(b);
    statement_unref(c);
    statement_unref(d);
    statement_unref(NULL);
    assert_int_equal(all.bytes, 0);
    map_clear(&all.map);
}

static void settings_tell_statements_apart(void **state)
{
    struct statements all = {0};
    struct statement *a = statement_of(&all, SLICE("select '1/2/3'::date"), SLICE(""), 1);
    struct statement *b = statement_of(&all, SLICE("select '1/2/3'::date"), SLICE(""), 2);
    struct statement *c = statement_of(&all, SLICE("select '1/2/3'::date"), SLICE(""), 1);

    (void)state;
    assert_ptr_not_equal(a, b);
    assert_ptr_equal(a, c);
    assert_string_not_equal(a->name, b->name);
    statement_unref(a);
    statement_unref(b);
    statement_unref(c);
    assert_int_equal(all.bytes, 0);
    map_clear(&all.map);
}

/* What PREPARE has made is told by PREPARE again, even where a Parse would have the same text. */
static void by_sql_is_another_statement(void **state)
{
    struct statements all = {0};
    struct slice body = SLICE(" (int) as select $1");
    struct statement *a = statement_by_sql(&all, body, 10, 0);
    struct statement *b = statement_by_sql(&all, body, 10, 0);
    struct statement *c = statement_by_sql(&all, body, 10, 7);
    struct statement *d = statement_of(&all, body, SLICE(""), 0);

    (void)state;
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    assert_ptr_not_equal(a, d);
    assert_int_equal(a->body, 10);
    assert_int_equal(d->body, 0);
    assert_true(slice_same(a->text, body));
    assert_int_equal(a->noids, 0);
    statement_unref(a);
    statement_unref(b);
    statement_unref(c);
    statement_unref(d);
    assert_int_equal(all.bytes, 0);
    map_clear(&all.map);
}

static void renewed_ones_are_found_instead(void **state)
{
    struct statements all = {0};
    struct slice ints = slice_of(int4, 4);
    struct statement *old = statement_of(&all, SLICE("select $1"), ints, 3);
    struct statement *new = statement_renew(old, 3);
    struct statement *found = statement_of(&all, SLICE("select $1"), ints, 3);
    struct statement *again = statement_renew(new, 4);

    (void)state;
    assert_ptr_not_equal(old, new);
    assert_ptr_equal(new, found);
    assert_true(slice_same(new->text, old->text));
    assert_true(slice_same(new->oids, old->oids));
    assert_string_equal(new->name, "pgtier_2");
    assert_string_equal(again->name, "pgtier_3");
    statement_unref(found);
    /* Under other settings it is found where it was renewed for these. */
    found = statement_of(&all, SLICE("select $1"), ints, 4);
    assert_ptr_equal(found, again);
    statement_unref(found);
    found = statement_of(&all, SLICE("select $1"), ints, 3);
    assert_string_equal(found->name, "pgtier_4");
    statement_unref(found);
    statement_unref(old);
    statement_unref(new);
    statement_unref(again);
    assert_int_equal(all.bytes, 0);
    map_clear(&all.map);
}

static void renewed_by_sql_it_is_by_sql(void **state)
{
    struct statements all = {0};
    struct statement *old = statement_by_sql(&all, SLICE(" as select 1"), 4, 0);
    struct statement *new = statement_renew(old, 0);
    struct statement *twice = statement_renew(old, 0);

    (void)state;
    assert_int_equal(new->body, 4);
    /* The old one is retired already: who has it renewed as well gets the same. */
    assert_ptr_equal(new, twice);
    statement_unref(old);
    statement_unref(new);
    statement_unref(twice);
    assert_int_equal(all.bytes, 0);
    map_clear(&all.map);
}

static unsigned freed;

static void free_facts(void *facts)
{
    assert_string_equal(facts, "facts");
    freed++;
}

static void facts_go_with_the_last_reference(void **state)
{
    struct statements all = {0};
    struct statement *one = statement_of(&all, SLICE("select 1"), SLICE(""), 0);

    (void)state;
    freed = 0;
    one->facts = "facts";
    one->free_facts = free_facts;
    statement_unref(statement_ref(one));
    assert_int_equal(freed, 0);
    statement_unref(one);
    assert_int_equal(freed, 1);
    /* A name is never given twice, since a server may still have the statement that had it. */
    one = statement_of(&all, SLICE("select 1"), SLICE(""), 0);
    assert_string_equal(one->name, "pgtier_2");
    assert_null(one->facts);
    statement_unref(one);
    map_clear(&all.map);
}

static struct statement *numbered(struct statements *all, unsigned number)
{
    char sql[32];

    snprintf(sql, sizeof(sql), "select %u", number);
    return statement_of(all, slice_text(sql), SLICE(""), 0);
}

static void add(struct statements *all, struct prepared *prepared, unsigned number,
                unsigned expected_out)
{
    struct statement *statement = numbered(all, number), *out = prepared_add(prepared, statement);
    char sql[32] = "";

    if (out)
        snprintf(sql, sizeof(sql), "select %u", expected_out);
    assert_int_equal(out != NULL, expected_out > 0);
    if (out)
        assert_true(slice_is(out->text, sql));
    statement_unref(out);
    statement_unref(statement);
}

static bool has(struct statements *all, struct prepared *prepared, unsigned number)
{
    struct statement *statement = numbered(all, number);
    bool found = prepared_has(prepared, statement);

    statement_unref(statement);
    return found;
}

static void the_least_recently_used_goes(void **state)
{
    struct statements all = {0};
    struct prepared prepared;

    (void)state;
    prepared_init(&prepared);
    for (unsigned i = 1; i <= PREPARED_MAX; i++)
        add(&all, &prepared, i, 0);
    assert_int_equal(prepared.count, PREPARED_MAX);
    assert_true(has(&all, &prepared, 1)); /* which makes 2 the oldest */
    add(&all, &prepared, 1001, 2);
    add(&all, &prepared, 1002, 3);
    assert_false(has(&all, &prepared, 2));
    assert_true(has(&all, &prepared, 1));
    assert_int_equal(prepared.count, PREPARED_MAX);
    prepared_clear(&prepared);
    assert_int_equal(prepared.count, 0);
    assert_int_equal(all.bytes, 0);
    map_clear(&all.map);
}

static void finding_by_number(void **state)
{
    struct statements all = {0};
    struct prepared prepared;
    struct statement *one = numbered(&all, 1);

    (void)state;
    prepared_init(&prepared);
    assert_null(prepared_find(&prepared, one->id));
    add(&all, &prepared, 1, 0);
    assert_ptr_equal(prepared_find(&prepared, one->id), one);
    /* To be found is not to be used. */
    for (unsigned i = 2; i <= PREPARED_MAX; i++)
        add(&all, &prepared, i, 0);
    assert_non_null(prepared_find(&prepared, one->id));
    add(&all, &prepared, 1001, 1);
    assert_null(prepared_find(&prepared, one->id));
    prepared_clear(&prepared);
    statement_unref(one);
    assert_int_equal(all.bytes, 0);
    map_clear(&all.map);
}

static void removing_by_number(void **state)
{
    struct statements all = {0};
    struct prepared prepared;
    struct statement *one = numbered(&all, 1);

    (void)state;
    prepared_init(&prepared);
    add(&all, &prepared, 1, 0);
    prepared_remove(&prepared, one->id + 1);
    assert_true(prepared_has(&prepared, one));
    prepared_remove(&prepared, one->id);
    prepared_remove(&prepared, one->id);
    assert_false(prepared_has(&prepared, one));
    assert_int_equal(prepared.count, 0);
    add(&all, &prepared, 1, 0);
    assert_true(prepared_has(&prepared, one));
    prepared_clear(&prepared);
    statement_unref(one);
    assert_int_equal(all.bytes, 0);
    map_clear(&all.map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_text_is_one_statement),
        cmocka_unit_test(facts_go_with_the_last_reference),
        cmocka_unit_test(the_least_recently_used_goes),
        cmocka_unit_test(removing_by_number),
        cmocka_unit_test(finding_by_number),
        cmocka_unit_test(settings_tell_statements_apart),
        cmocka_unit_test(by_sql_is_another_statement),
        cmocka_unit_test(renewed_ones_are_found_instead),
        cmocka_unit_test(renewed_by_sql_it_is_by_sql),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
