/* Which replica is chosen, how log positions are read, and how lag is told from them. */
#include "route/choose.h"

#include "base/clock.h"
#include "base/mem.h"
#include "route/levels.h"
#include "route/lsn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { NODES = 4 };

/* The choice asks a topology for nothing but its nodes; this is one without connections. */
struct topology {
    struct node nodes[NODES];
    unsigned count;
};

unsigned topology_count(const struct topology *topology)
{
    return topology->count;
}

struct node *topology_node(struct topology *topology, unsigned i)
{
    return &topology->nodes[i];
}

#define MAX_LAG INT64_C(1000)
#define NOW     INT64_C(50000)

struct replica {
    int priority;
    bool up;
    uint64_t lsn;
    int64_t age, lag;
};

static const struct {
    const char *what;
    struct replica replicas[NODES - 1];
    unsigned count;
    uint64_t need;
    unsigned turn;
    enum choice choice;
    unsigned node;
} choices[] = {
    {"no replica", {{0}}, 0, 0, 0, CHOICE_NONE, 0},
    {"one, down", {{1, false, 100, 0, 0}}, 1, 0, 0, CHOICE_NONE, 0},
    {"one, at the need", {{1, true, 100, 0, 0}}, 1, 100, 0, CHOICE_MADE, 1},
    {"one, just short of it", {{1, true, 99, 0, 0}}, 1, 100, 0, CHOICE_LAG, 0},
    {"no need, but no position", {{1, true, 0, 0, 0}}, 1, 0, 0, CHOICE_LAG, 0},
    {"its lag unknown", {{1, true, 100, 0, -1}}, 1, 100, 0, CHOICE_LAG, 0},
    {"its lag at the limit", {{1, true, 100, 0, MAX_LAG}}, 1, 100, 0, CHOICE_MADE, 1},
    {"its lag over the limit", {{1, true, 100, 0, MAX_LAG + 1}}, 1, 100, 0, CHOICE_LAG, 0},
    {"polled at the limit", {{1, true, 100, MAX_LAG, 0}}, 1, 100, 0, CHOICE_MADE, 1},
    {"polled too long ago", {{1, true, 100, MAX_LAG + 1, 0}}, 1, 100, 0, CHOICE_LAG, 0},
    {"the lower number first",
     {{2, true, 100, 0, 0}, {1, true, 100, 0, 0}, {3, true, 100, 0, 0}},
     3,
     100,
     7,
     CHOICE_MADE,
     2},
    {"the next one where the first lags",
     {{1, true, 99, 0, 0}, {2, true, 100, 0, 0}},
     2,
     100,
     0,
     CHOICE_MADE,
     2},
    {"the next one where the first is down",
     {{1, false, 100, 0, 0}, {2, true, 100, 0, 0}},
     2,
     100,
     0,
     CHOICE_MADE,
     2},
    {"equals take turns: first",
     {{1, true, 100, 0, 0}, {2, true, 100, 0, 0}, {1, true, 100, 0, 0}},
     3,
     100,
     4,
     CHOICE_MADE,
     1},
    {"equals take turns: second",
     {{1, true, 100, 0, 0}, {2, true, 100, 0, 0}, {1, true, 100, 0, 0}},
     3,
     100,
     5,
     CHOICE_MADE,
     3},
    {"a lagging equal loses its turn",
     {{1, true, 99, 0, 0}, {1, true, 100, 0, 0}},
     2,
     100,
     0,
     CHOICE_MADE,
     2},
    {"down and lagging", {{1, false, 100, 0, 0}, {1, true, 99, 0, 0}}, 2, 100, 0, CHOICE_LAG, 0},
};

static void test_choices(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        /* The primary is as far as one can be and must not be chosen. */
        struct topology topology = {.count = choices[i].count + 1,
                                    .nodes = {{.up = true, .lsn = UINT64_MAX, .polled = NOW}}};
        struct node *node = NULL;
        enum choice choice;

        for (unsigned j = 0; j < choices[i].count; j++) {
            const struct replica *from = &choices[i].replicas[j];

            topology.nodes[j + 1] = (struct node){.role = NODE_REPLICA,
                                                  .priority = from->priority,
                                                  .up = from->up,
                                                  .lsn = from->lsn,
                                                  .polled = NOW - from->age,
                                                  .lag = from->lag};
        }
        choice = choose_replica(
            &topology,
            &(struct choosing){
                .lsn = choices[i].need, .max_lag = MAX_LAG, .now = NOW, .turn = choices[i].turn},
            &node);
        if (choice != choices[i].choice ||
            node != (choices[i].node ? &topology.nodes[choices[i].node] : NULL))
            fail_msg("%s: choice %d", choices[i].what, choice);
    }
}

static void test_texts(void **state)
{
    static const struct {
        const char *text;
        uint64_t lsn;
    } texts[] = {
        {"0/0", 0},
        {"0/16B3748", 0x16B3748},
        {"16/b374D848", UINT64_C(0x16B374D848)},
        {"FFFFFFFF/FFFFFFFF", UINT64_MAX},
    };
    static const char *const wrong[] = {"",     "/",    "0",     "0/",
                                        "/0",   "0/G",  "0/0/0", "0/123456789",
                                        " 0/0", "0/0 ", "0/-1",  "\x10/\x10"};
    uint64_t lsn;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_true(lsn_parse(slice_text(texts[i].text), &lsn));
        assert_true(lsn == texts[i].lsn);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(lsn_parse(slice_text(wrong[i]), &lsn));
    assert_false(lsn_parse(slice_of("0/\0", 3), &lsn));
}

static void test_page_headers(void **state)
{
    static const struct {
        uint64_t from, to;
    } positions[] = {
        {0x3000028, 0x3000000}, /* a segment's first page */
        {0x3000018, 0x3000018}, /* inside its header: not a place */
        {0x3002018, 0x3002000}, /* any other page */
        {0x3002028, 0x3002028}, /* a record of 16 bytes more */
        {0x3002000, 0x3002000},
        {0x3000050, 0x3000050},
        {UINT64_C(0x16FFFFE018), UINT64_C(0x16FFFFE000)},
        {UINT64_C(0x1700000028), UINT64_C(0x1700000000)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(positions) / sizeof(positions[0]); i++)
        assert_true(lsn_normal(positions[i].from, 8192, 16 << 20) == positions[i].to);
    assert_true(lsn_normal(0x3002018, 16384, 16 << 20) == 0x3002018);
    assert_true(lsn_normal(0x3100028, 8192, 1 << 20) == 0x3100000);
}

static void test_lag(void **state)
{
    struct levels levels = {.count = 0};

    (void)state;
    assert_true(levels_lag(&levels, 100, 5) == -1);
    assert_true(levels_age(&levels, 5) == -1);
    levels_add(&levels, 10, 100);
    levels_add(&levels, 20, 200);
    levels_add(&levels, 30, 200); /* idle */
    levels_add(&levels, 40, 300);
    assert_true(levels_lag(&levels, 99, 50) == -1);
    assert_true(levels_lag(&levels, 100, 50) == 40);
    assert_true(levels_lag(&levels, 199, 50) == 40);
    assert_true(levels_lag(&levels, 200, 50) == 20);
    assert_true(levels_lag(&levels, 300, 50) == 0);
    assert_true(levels_lag(&levels, 999, 50) == 0);
    assert_true(levels_lag(&levels, 200, 25) == 0); /* polled before the primary moved on */
    assert_true(levels_age(&levels, 50) == 10);
}

/* However long the history, a lag is never told shorter than it is, and at most half as long again.
 */
static void test_long_lag(void **state)
{
    enum { STEPS = 100000 };
    struct levels levels = {.count = 0};

    (void)state;
    for (int64_t i = 1; i <= STEPS; i++)
        levels_add(&levels, i, (uint64_t)i);
    for (int64_t lag = 1; lag < STEPS; lag = lag * 3 / 2 + 1) {
        int64_t told = levels_lag(&levels, (uint64_t)(STEPS - lag), STEPS);

        if (told < lag || told > lag * 3 / 2)
            fail_msg("a lag of %lld is told as %lld", (long long)lag, (long long)told);
    }
    assert_true(levels_lag(&levels, STEPS - 10, STEPS) == 10);
    assert_true(levels_lag(&levels, STEPS / 2, STEPS) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choices),      cmocka_unit_test(test_texts),
        cmocka_unit_test(test_page_headers), cmocka_unit_test(test_lag),
        cmocka_unit_test(test_long_lag),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
