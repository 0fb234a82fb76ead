/* Histograms: no quantile is under the true one, and none is over it by more than a bucket. */
#include "base/histo.h"

#include <stddef.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void an_empty_one_is_zero(void **state)
{
    struct histo histo = {0};

    (void)state;
    assert_int_equal(histo_quantile(&histo, 0.5), 0);
    assert_int_equal(histo_under(&histo, UINT64_MAX), 0);
}

static void one_value_is_every_quantile(void **state)
{
    static const uint64_t values[] = {0,       1,          15,         16,         17,
                                      1000000, 1048575,    1048576,    1048577,    999999999,
                                      1 << 30, 1ULL << 42, 1ULL << 43, 1ULL << 50, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        struct histo histo = {0};

        histo_add(&histo, values[i]);
        assert_true(histo_quantile(&histo, 0) == values[i]);
        assert_true(histo_quantile(&histo, 0.5) == values[i]);
        assert_true(histo_quantile(&histo, 1) == values[i]);
        assert_int_equal(histo_under(&histo, values[i]), 1);
        if (values[i] && values[i] <= 1ULL << 43)
            assert_int_equal(histo_under(&histo, values[i] / 2), 0);
    }
}

/* 1 us to 100 ms in steps of 1 us: the value of each rank is known. */
static void quantiles_are_near_and_never_under(void **state)
{
    static const double qs[] = {0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 1};
    struct histo histo = {0};
    const uint64_t count = 100000, step = 1000;

    (void)state;
    for (uint64_t i = 1; i <= count; i++)
        histo_add(&histo, i * step);
    assert_int_equal(histo.count, count);
    assert_int_equal(histo.max, count * step);
    assert_true(histo.sum == step * count * (count + 1) / 2);
    for (size_t i = 0; i < sizeof(qs) / sizeof(*qs); i++) {
        uint64_t exact = (uint64_t)(qs[i] * (double)count) * step, found;

        found = histo_quantile(&histo, qs[i]);
        assert_true(found >= exact);
        assert_true(found <= (exact > step ? exact : step) * 17 / 16 + step);
        assert_true(found <= histo.max);
    }
}

static void counts_under_a_limit_are_near(void **state)
{
    struct histo histo = {0};
    uint64_t last = 0;

    (void)state;
    for (uint64_t i = 1; i <= 10000; i++)
        histo_add(&histo, i * 1000);
    for (uint64_t i = 1; i <= 10000; i += 7) {
        uint64_t under = histo_under(&histo, i * 1000);

        assert_true(under >= i && under <= i * 17 / 16 + 1 && under >= last);
        last = under;
    }
    assert_int_equal(histo_under(&histo, UINT64_MAX), 10000);
}

static void merging_is_as_adding_all_to_one(void **state)
{
    struct histo a = {0}, b = {0}, both = {0};

    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        histo_add(i % 3 ? &a : &b, i * i * i);
        histo_add(&both, i * i * i);
    }
    histo_merge(&a, &b);
    assert_memory_equal(&a, &both, sizeof(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_is_zero),
        cmocka_unit_test(one_value_is_every_quantile),
        cmocka_unit_test(quantiles_are_near_and_never_under),
        cmocka_unit_test(counts_under_a_limit_are_near),
        cmocka_unit_test(merging_is_as_adding_all_to_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
