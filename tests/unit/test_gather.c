/* The metrics page and the health page of rooms built by hand, read back strictly. */
#include "base/mem.h"
#include "stats/health.h"
#include "stats/pages.h"

#include <stddef.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "exposition.h"
#include "house.h"

static struct exposition *page_of(struct house *house)
{
    struct exposition *in = mem_new(sizeof(*in));
    struct http_page page = {.status = 200};

    assert_true(pages_answer(&house->gather, "/metrics", &page));
    assert_int_equal(page.status, 200);
    assert_string_equal(page.type, "text/plain; version=0.0.4; charset=utf-8");
    if (!exposition_read(in, (const char *)buf_slice(&page.body).at, buf_len(&page.body)))
        fail_msg("%s", in->fault);
    buf_clear(&page.body);
    return in;
}

static double value_of(const struct exposition *in, const char *series)
{
    const struct exposition_sample *sample = exposition_find(in, series, "");

    if (!sample)
        fail_msg("no series %s", series);
    return sample->value;
}

static void an_idle_house_has_a_whole_page(void **state)
{
    static const char *const zero[] = {
        "pgtier_clients{state=\"idle\",",
        "pgtier_clients{state=\"relay\",",
        "pgtier_writes_total{",
        "pgtier_uncached_total{reason=\"write\",",
        "pgtier_node_up{database=\"app\",node=\"127.0.0.1:1\",role=\"primary\",",
        "pgtier_node_up{database=\"app\",node=\"127.0.0.1:2\",role=\"replica\",",
        "pgtier_ledger_open{database=\"app\",",
        "pgtier_ledger_cells{database=\"app\",",
        "pgtier_cache_hits_total{class=\"evaluation\",",
        "pgtier_shapes{database=\"app\",",
        "pgtier_step_seconds_count{step=\"relay\",",
    };
    struct exposition *in;
    struct house house;

    (void)state;
    house_build(&house);
    in = page_of(&house);
    for (size_t i = 0; i < sizeof(zero) / sizeof(*zero); i++)
        assert_int_equal(value_of(in, zero[i]), 0);
    assert_int_equal(value_of(in, "pgtier_build_info{version=\"1.2.3\","), 1);
    assert_int_equal(value_of(in, "pgtier_clients_max{"), 100);
    assert_int_equal(value_of(in, "pgtier_cache_up{"), 1);
    assert_true(value_of(in, "process_resident_memory_bytes{") > 1000000);
    assert_true(value_of(in, "process_open_fds{") >= 3);
    mem_free(in);
    house_clear(&house);
}

static void what_is_not_known_has_no_sample(void **state)
{
    struct exposition *in;
    struct house house;
    struct node *replica;

    (void)state;
    house_build(&house);
    replica = topology_node(house.database.topology, 1);
    replica->lag = -1;
    in = page_of(&house);
    assert_null(exposition_find(
        in, "pgtier_node_lag_seconds{database=\"app\",node=\"127.0.0.1:2\",role=\"replica\",", ""));
    mem_free(in);
    replica->lag = 1500 * CLOCK_MS;
    replica->lsn = 0x300000028;
    replica->up = true;
    in = page_of(&house);
    assert_true(value_of(in, "pgtier_node_lag_seconds{database=\"app\",node=\"127.0.0.1:2\","
                             "role=\"replica\",") == 1.5);
    assert_true(value_of(in, "pgtier_node_lsn_bytes{database=\"app\",node=\"127.0.0.1:2\","
                             "role=\"replica\",") == (double)0x300000028);
    assert_null(exposition_find(
        in, "pgtier_node_lag_seconds{database=\"app\",node=\"127.0.0.1:1\",role=\"primary\",", ""));
    mem_free(in);
    house_clear(&house);
}

static void requests_are_on_the_page(void **state)
{
    struct exposition *in;
    struct house house;

    (void)state;
    house_build(&house);
    house.gather.targets = (struct targets){0.85, 50 * CLOCK_MS};
    house_request(&house, 0, SOURCE_CACHE, 1);
    house_request(&house, 0, SOURCE_CACHE, 400);
    house_request(&house, 0, SOURCE_PRIMARY, 20);
    house_request(&house, -1, SOURCE_PRIMARY, 1);
    in = page_of(&house);
#define FETCH_CACHE "{operation=\"fetch\",tier=\"none\",source=\"cache\","
    assert_int_equal(value_of(in, "pgtier_request_seconds_count" FETCH_CACHE), 2);
    assert_int_equal(value_of(in, "pgtier_request_over_target_total" FETCH_CACHE), 1);
    assert_int_equal(value_of(in, "pgtier_request_failed_total" FETCH_CACHE), 0);
    assert_int_equal(exposition_find(in, "pgtier_request_seconds_bucket" FETCH_CACHE, "0.3")->value,
                     1);
    assert_null(exposition_find(in,
                                "pgtier_request_over_target_total{operation=\"none\","
                                "tier=\"none\",source=\"primary\",",
                                ""));
    assert_int_equal(value_of(in, "pgtier_cacheable_total{"), 3);
    assert_int_equal(value_of(in, "pgtier_cache_answers_total{"), 2);
    assert_true(value_of(in, "pgtier_operation_target_seconds{operation=\"list\",") == 0.8);
    assert_true(value_of(in, "pgtier_cache_hit_ratio_target{") == 0.85);
    assert_true(value_of(in, "pgtier_cache_response_target_seconds{") == 0.05);
    mem_free(in);
    house_clear(&house);
}

static void foreign_names_break_nothing(void **state)
{
    struct pool_place place = {.node = "h:1", .host = "h", .port = 1, .dbname = "a\"b\nc"};
    unsigned instance = 0;
    struct exposition *in;
    struct house house;

    (void)state;
    house_build(&house);
    place.instance = &instance;
    place.user = "x\xff\\";
    pool_of(house.database.pools, &place);
    place.user = "y";
    pool_of(house.database.pools, &place);
    in = page_of(&house);
    assert_int_equal(value_of(in,
                              "pgtier_pool_size{database=\"app\",node=\"h:1\",dbname=\"a\\\"b\\nc"
                              "\",user=\"x\xef\xbf\xbd\\\\\","),
                     5);
    mem_free(in);
    house_clear(&house);
}

static void health_is_that_of_primaries(void **state)
{
    static const struct {
        bool primary, replica;
        unsigned status;
        const char *body;
    } cases[] = {
        {true, true, 200, "{\"status\":\"ok\",\"down\":[]}\n"},
        {true, false, 200,
         "{\"status\":\"ok\",\"down\":[{\"database\":\"app\",\"node\":\"127.0.0.1:2\","
         "\"role\":\"replica\",\"why\":\"so \\\"it\\\" is\"}]}\n"},
        {false, true, 503,
         "{\"status\":\"down\",\"down\":[{\"database\":\"app\",\"node\":\"127.0.0.1:1\","
         "\"role\":\"primary\",\"why\":\"gone\"}]}\n"},
        {false, false, 503,
         "{\"status\":\"down\",\"down\":[{\"database\":\"app\",\"node\":\"127.0.0.1:1\","
         "\"role\":\"primary\",\"why\":\"gone\"},{\"database\":\"app\",\"node\":\"127.0.0.1:2\","
         "\"role\":\"replica\",\"why\":\"so \\\"it\\\" is\"}]}\n"},
    };
    struct house house;

    (void)state;
    house_build(&house);
    strcpy(topology_node(house.database.topology, 0)->trouble, "gone");
    strcpy(topology_node(house.database.topology, 1)->trouble, "so \"it\" is");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct http_page page = {.status = 200};

        topology_node(house.database.topology, 0)->up = cases[i].primary;
        topology_node(house.database.topology, 1)->up = cases[i].replica;
        assert_true(pages_answer(&house.gather, "/healthz", &page));
        assert_int_equal(page.status, cases[i].status);
        assert_string_equal(page.type, "application/json");
        assert_int_equal(buf_len(&page.body), strlen(cases[i].body));
        assert_memory_equal(buf_slice(&page.body).at, cases[i].body, strlen(cases[i].body));
        buf_clear(&page.body);
    }
    house_clear(&house);
}

static void there_are_two_pages(void **state)
{
    static const char *const others[] = {"/", "", "/metrics/", "/Metrics", "/healthz/x"};
    struct house house;

    (void)state;
    house_build(&house);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        struct http_page page = {.status = 200};

        assert_false(pages_answer(&house.gather, others[i], &page));
    }
    house_clear(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_house_has_a_whole_page),
        cmocka_unit_test(what_is_not_known_has_no_sample),
        cmocka_unit_test(requests_are_on_the_page),
        cmocka_unit_test(foreign_names_break_nothing),
        cmocka_unit_test(health_is_that_of_primaries),
        cmocka_unit_test(there_are_two_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
