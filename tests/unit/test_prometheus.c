/* The text format, read back by a strict reader; and foreign texts inside it. */
#include "base/clock.h"
#include "base/mem.h"
#include "stats/escape.h"
#include "stats/prometheus.h"

#include <stddef.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "exposition.h"

static void expect(const struct buf *page, const char *text)
{
    assert_int_equal(buf_len(page), strlen(text));
    assert_memory_equal(buf_slice(page).at, text, strlen(text));
}

static void samples_look_as_they_should(void **state)
{
    struct label labels[] = {{"a", "x"}, {"b", "y"}};
    struct buf page = {0};

    (void)state;
    prometheus_family(&page, "some_total", PROMETHEUS_COUNTER, "What there is.");
    prometheus_count(&page, "some_total", NULL, 0, UINT64_MAX);
    prometheus_count(&page, "some_total", labels, 2, 0);
    prometheus_family(&page, "share", PROMETHEUS_GAUGE, "A part.");
    prometheus_value(&page, "share", labels, 1, 0.25);
    expect(&page, "# HELP some_total What there is.\n"
                  "# TYPE some_total counter\n"
                  "some_total 18446744073709551615\n"
                  "some_total{a=\"x\",b=\"y\"} 0\n"
                  "# HELP share A part.\n"
                  "# TYPE share gauge\n"
                  "share{a=\"x\"} 0.25\n");
    buf_clear(&page);
}

static void labels_are_escaped(void **state)
{
    static const struct {
        const char *in, *label, *json;
    } cases[] = {
        {"plain", "plain", "plain"},
        {"", "", ""},
        {"a\"b\\c\nd", "a\\\"b\\\\c\\nd", "a\\\"b\\\\c\\u000ad"},
        {"\t\x7f", "\t\x7f", "\\u0009\\u007f"},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x98", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x98",
         "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x98"},
        {"\xff", "\xef\xbf\xbd", "\xef\xbf\xbd"},
        {"\xc3", "\xef\xbf\xbd", "\xef\xbf\xbd"},                             /* cut off */
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd"}, /* overlong */
        {"\xed\xa0\x80x", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx",
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx"}, /* a surrogate */
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* over 10ffff */
        {"\xe2\x82\"", "\xef\xbf\xbd\xef\xbf\xbd\\\"", "\xef\xbf\xbd\xef\xbf\xbd\\\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct buf out = {0};

        escape_label(&out, cases[i].in);
        expect(&out, cases[i].label);
        buf_clear(&out);
        escape_json(&out, cases[i].in);
        expect(&out, cases[i].json);
        buf_clear(&out);
    }
}

static void histograms_are_read_back(void **state)
{
    static const int64_t values[] = {1,
                                     40000,
                                     60000,
                                     2 * CLOCK_MS,
                                     290 * CLOCK_MS,
                                     299 * CLOCK_MS,
                                     310 * CLOCK_MS,
                                     100 * CLOCK_SEC};
    struct exposition *in = mem_new(sizeof(*in));
    struct label labels[] = {{"operation", "fetch"}};
    struct histo histo = {0}, empty = {0};
    struct buf page = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
        histo_add(&histo, (uint64_t)values[i]);
    prometheus_family(&page, "t_seconds", PROMETHEUS_HISTOGRAM, "Times.");
    prometheus_histogram(&page, "t_seconds", labels, 1, &histo);
    prometheus_histogram(&page, "t_seconds", NULL, 0, &empty);
    if (!exposition_read(in, (const char *)buf_slice(&page).at, buf_len(&page)))
        fail_msg("%s", in->fault);
    assert_int_equal(exposition_find(in, "t_seconds_count{operation=\"fetch\",", "")->value, 8);
    assert_int_equal(exposition_find(in, "t_seconds_bucket{operation=\"fetch\",", "5e-05")->value,
                     2);
    assert_int_equal(exposition_find(in, "t_seconds_bucket{operation=\"fetch\",", "0.3")->value, 6);
    assert_int_equal(exposition_find(in, "t_seconds_bucket{operation=\"fetch\",", "30")->value, 7);
    assert_int_equal(exposition_find(in, "t_seconds_count{", "")->value, 0);
    assert_true(exposition_find(in, "t_seconds_sum{operation=\"fetch\",", "")->value > 100.9);
    buf_clear(&page);
    mem_free(in);
}

static void the_reader_finds_faults(void **state)
{
    static const char *const broken[] = {
        "a 1",
        "a 1\n",
        "# HELP a x\na 1\n",
        "# HELP a x\n# TYPE a gauge\nb 1\n",
        "# HELP a x\n# TYPE a counter\na 1\n",
        "# HELP a_total x\n# TYPE a_total counter\na_total -1\n",
        "# HELP a x\n# TYPE a gauge\na 1\na 1\n",
        "# HELP a x\n# TYPE a gauge\na{b=\"x\" 1\n",
        "# HELP a x\n# TYPE a gauge\na{b=\"x\",b=\"y\"} 1\n",
        "# HELP a x\n# TYPE a gauge\na{b=\"x\\t\"} 1\n",
        "# HELP a x\n# TYPE a gauge\na one\n",
        "# HELP a x\n# TYPE a gauge\na 1\n# HELP a x\n# TYPE a gauge\na{b=\"x\"} 1\n",
        "# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\n"
        "a_sum 1\na_count 1\n",
        "# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 2\n"
        "a_sum 1\na_count 1\n",
    };
    struct exposition *in = mem_new(sizeof(*in));

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
        assert_false(exposition_read(in, broken[i], strlen(broken[i])));
    mem_free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_look_as_they_should),
        cmocka_unit_test(labels_are_escaped),
        cmocka_unit_test(histograms_are_read_back),
        cmocka_unit_test(the_reader_finds_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
