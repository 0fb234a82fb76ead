/* Durations and sizes, both ways. */
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    const char *text;
    int64_t ns;        /* -1: refused */
    const char *again; /* as it is written */
} durations[] = {
    {"0", 0, "0s"},
    {"0s", 0, "0s"},
    {"1ns", 1, "1ns"},
    {"1us", 1000, "1us"},
    {"0.5us", 500, "500ns"},
    {"300ms", 300000000, "300ms"},
    {"300 ms", 300000000, "300ms"},
    {"  5 min ", 300000000000, "5min"},
    {"5m", 300000000000, "5min"},
    {"1.5s", 1500000000, "1.5s"},
    {"1500ms", 1500000000, "1.5s"},
    {"1.25s", 1250000000, "1.25s"},
    {"61s", 61000000000, "61s"},
    {"90s", 90000000000, "1.5min"},
    {"100s", 100000000000, "100s"},
    {"1h", 3600000000000, "1h"},
    {"1d", 86400000000000, "1d"},
    {"2w", 1209600000000000, "14d"},
    {"12.3456789ms", 12345678, "12.35ms"},
    {"1.05s", 1050000000, "1.05s"},
    {"106751d", 9223286400000000000, "106751d"},
    {"", -1, NULL},
    {"s", -1, NULL},
    {"5", -1, NULL},
    {"-5s", -1, NULL},
    {"+5s", -1, NULL},
    {"5 S", -1, NULL},
    {"5M", -1, NULL},
    {"5sec", -1, NULL},
    {"1.s", -1, NULL},
    {".5s", -1, NULL},
    {"1..5s", -1, NULL},
    {"1h30m", -1, NULL},
    {"1 0s", -1, NULL},
    {"0x1s", -1, NULL},
    {"1.0123456789s", -1, NULL},
    {"106752d", -1, NULL},
    {"9223372036854775808ns", -1, NULL},
    {"99999999999999999999999s", -1, NULL},
};

static void durations_are_read_and_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(durations) / sizeof(*durations); i++) {
        struct slice text = slice_text(durations[i].text);
        int64_t ns = -1;
        char again[24];

        if (units_duration(text, &ns) != (durations[i].ns >= 0))
            fail_msg("\"%s\" was %s", durations[i].text, durations[i].again ? "refused" : "read");
        if (durations[i].ns < 0)
            continue;
        assert_true(ns == durations[i].ns);
        units_duration_text(ns, again);
        assert_string_equal(again, durations[i].again);
    }
}

static const struct {
    const char *text;
    bool good;
    uint64_t bytes;
    const char *again;
} sizes[] = {
    {"0", true, 0, "0B"},
    {"7", true, 7, "7B"},
    {"7B", true, 7, "7B"},
    {"512kB", true, 512 << 10, "512kB"},
    {"512 KB", true, 512 << 10, "512kB"},
    {"1024kB", true, 1 << 20, "1MB"},
    {"1.5MB", true, 3 << 19, "1.5MB"},
    {"64mb", true, 64 << 20, "64MB"},
    {"2GB", true, 2ULL << 30, "2GB"},
    {"3TB", true, 3ULL << 40, "3TB"},
    {"1025", true, 1025, "1025B"},
    {"123456789", true, 123456789, "117.74MB"},
    {"18446744073709551615", true, UINT64_MAX, "16777216TB"},
    {"", false, 0, NULL},
    {"kB", false, 0, NULL},
    {"-1kB", false, 0, NULL},
    {"1.5", false, 0, NULL},
    {"1k", false, 0, NULL},
    {"1KiB", false, 0, NULL},
    {"1 k B", false, 0, NULL},
    {"18446744073709551616", false, 0, NULL},
    {"16777216TB", false, 0, NULL},
};

static void sizes_are_read_and_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        uint64_t bytes = 1;
        char again[24];

        if (units_size(slice_text(sizes[i].text), &bytes) != sizes[i].good)
            fail_msg("\"%s\" was %s", sizes[i].text, sizes[i].good ? "refused" : "read");
        if (!sizes[i].good)
            continue;
        assert_true(bytes == sizes[i].bytes);
        units_size_text(bytes, again);
        assert_string_equal(again, sizes[i].again);
    }
}

static void odd_durations_are_written(void **state)
{
    char text[24];

    (void)state;
    units_duration_text(-300000000, text);
    assert_string_equal(text, "-300ms");
    units_duration_text(INT64_MAX, text);
    assert_string_equal(text, "106751.99d");
    units_duration_text(INT64_MIN, text);
    assert_string_equal(text, "-106751.99d");
    units_duration_text(999999, text);
    assert_string_equal(text, "1000us");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_read_and_written),
        cmocka_unit_test(sizes_are_read_and_written),
        cmocka_unit_test(odd_durations_are_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
