/* Pinned and given values in canonical form: all of a dimension's or none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "rules/plan.h"
#include "sql/finger.h"

/* The values of "1, 'a', $1": index 0, 1, 2. */
static struct values values_of(const char *text)
{
    struct values values = {0};
    struct hash128 hash;

    assert_true(finger_text(slice_text(text), &hash, &values));
    return values;
}

struct dim_row {
    int dimension; /* -1: no more */
    enum value_type type;
    int16_t values[4];
    unsigned nvalues;
};

struct row {
    const char *text;
    struct dim_row pins[3], given[3];
    const char *expected;
};

#define NONE                                                                                       \
    {                                                                                              \
        {                                                                                          \
            -1, TYPE_NONE, {0}, 0                                                                  \
        }                                                                                          \
    }
#define END                                                                                        \
    {                                                                                              \
        -1, TYPE_NONE, {0}, 0                                                                      \
    }

static const struct row ROWS[] = {
    {"1, 2", {{0, TYPE_INT4, {0}, 1}, END}, NONE, "p01 g00 0=1"},
    {"1, 2", {{0, TYPE_INT4, {0, 1}, 2}, END}, NONE, "p01 g00 0=1 0=2"},
    {"1, 2", {{0, TYPE_INT4, {0}, 1}, {2, TYPE_INT8, {1}, 1}, END}, NONE, "p05 g00 0=1 2=2"},
    /* a part of a dimension's values proves nothing */
    {"1, 'x'", {{0, TYPE_INT4, {0, 1}, 2}, END}, NONE, "p00 g00"},
    {"1, 'x'", {{0, TYPE_INT4, {0, 1}, 2}, {1, TYPE_TEXT, {1}, 1}, END}, NONE, "p02 g00 1=x"},
    /* both hold, so that one that is known will do */
    {"'x', 7", {{0, TYPE_INT4, {0}, 1}, {0, TYPE_INT4, {1}, 1}, END}, NONE, "p01 g00 0=7"},
    {"6, 7", {{0, TYPE_INT4, {0}, 1}, {0, TYPE_INT4, {1}, 1}, END}, NONE, "p01 g00 0=6"},
    /* out of range, unbound, of no type, not there */
    {"99999999999", {{0, TYPE_INT4, {0}, 1}, END}, NONE, "p00 g00"},
    {"99999999999", {{0, TYPE_INT8, {0}, 1}, END}, NONE, "p01 g00 0=99999999999"},
    {"$1", {{0, TYPE_INT4, {0}, 1}, END}, NONE, "p00 g00"},
    {"1", {{0, TYPE_NONE, {0}, 1}, END}, NONE, "p00 g00"},
    {"1", {{0, TYPE_INT4, {1}, 1}, END}, NONE, "p00 g00"},
    {"1", {{0, TYPE_INT4, {GIVEN_NULL}, 1}, END}, NONE, "p00 g00"},
    /* given: NULL is known and equals nothing; a default is not known */
    {"1", NONE, {{0, TYPE_INT4, {0, GIVEN_NULL}, 2}, END}, "p00 g01 +0=1"},
    {"1", NONE, {{0, TYPE_INT4, {GIVEN_NULL}, 1}, END}, "p00 g01"},
    {"1", NONE, {{0, TYPE_INT4, {0, GIVEN_DEFAULT}, 2}, END}, "p00 g00"},
    {"1", NONE, {{0, TYPE_INT4, {GIVEN_UNKNOWN}, 1}, END}, "p00 g00"},
    {"1, 2", {{0, TYPE_INT4, {0}, 1}, END}, {{0, TYPE_INT4, {1}, 1}, END}, "p01 g01 0=1 +0=2"},
    {"'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'",
     {{1, TYPE_UUID, {0}, 1}, END},
     NONE,
     "p02 g00 1=a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
};

static unsigned make_dims(const struct dim_row *rows, struct plan_dim *dims)
{
    unsigned count = 0;

    for (; count < 3 && rows[count].dimension >= 0 && rows[count].nvalues > 0; count++)
        dims[count] = (struct plan_dim){.dimension = (uint8_t)rows[count].dimension,
                                        .type = rows[count].type,
                                        .values = rows[count].values,
                                        .nvalues = rows[count].nvalues};
    return count;
}

static void pin(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++) {
        struct values values = values_of(ROWS[i].text);
        struct plan_dim pins[3], given[3];
        struct plan_ref ref = {.pins = pins, .given = given};
        struct plan plan = {.refs = &ref, .nrefs = 1};
        struct pinned pinned;
        struct buf out = {0};

        ref.npins = make_dims(ROWS[i].pins, pins);
        ref.ngiven = make_dims(ROWS[i].given, given);
        plan_pinned(&plan, &values, &pinned);
        buf_printf(&out, "p%02x g%02x", pinned.pins[0], pinned.given[0]);
        for (unsigned j = 0; j < pinned.count; j++)
            buf_printf(&out, " %s%u=%.*s", pinned.values[j].given ? "+" : "",
                       pinned.values[j].dimension, pinned.values[j].len,
                       pinned.bytes + pinned.values[j].at);
        buf_put(&out, "", 1);
        assert_string_equal((const char *)out.at, ROWS[i].expected);
        buf_clear(&out);
    }
}

/* Over 16 refs, over 64 values and over 2 kB: not known, and never half known. */
static void bound(void **state)
{
    static const int16_t first[] = {0};
    int16_t many[PINNED_MAX + 1];
    struct plan_ref refs[18] = {0};
    struct plan_dim dim = {.type = TYPE_INT4, .values = first, .nvalues = 1}, wide = dim;
    struct plan plan = {.refs = refs, .nrefs = 18};
    struct values values = values_of("5");
    struct pinned pinned;

    (void)state;
    for (unsigned i = 0; i < 18; i++)
        refs[i] = (struct plan_ref){.pins = &dim, .npins = 1};
    plan_pinned(&plan, &values, &pinned);
    assert_int_equal(pinned.count, 16);
    assert_int_equal(pinned.pins[15], 1);

    memset(many, 0, sizeof(many));
    wide.values = many;
    wide.nvalues = PINNED_MAX + 1;
    refs[0].pins = &wide;
    plan_pinned(&plan, &values, &pinned);
    assert_int_equal(pinned.pins[0], 0);
    assert_int_equal(pinned.pins[1], 1);
    assert_int_equal(pinned.count, 15);
}

static void bound_bytes(void **state)
{
    static const int16_t first[] = {0};
    char text[256];
    struct plan_ref refs[16] = {0};
    struct plan_dim dim = {.type = TYPE_TEXT, .values = first, .nvalues = 1};
    struct plan plan = {.refs = refs, .nrefs = 16};
    struct values values;
    struct pinned pinned;

    (void)state;
    snprintf(text, sizeof(text), "'%0200d'", 7);
    values = values_of(text);
    for (unsigned i = 0; i < 16; i++)
        refs[i] = (struct plan_ref){.pins = &dim, .npins = 1};
    plan_pinned(&plan, &values, &pinned);
    assert_int_equal(pinned.count, PINNED_BYTES / 200);
    assert_int_equal(pinned.pins[9], 1);
    assert_int_equal(pinned.pins[10], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pin), cmocka_unit_test(bound),
                                       cmocka_unit_test(bound_bytes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
