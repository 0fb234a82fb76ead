/* Trails in, figures out; and the report of targets that is made of them. */
#include "base/clock.h"
#include "base/mem.h"
#include "stats/meter.h"
#include "stats/targets.h"

#include <stddef.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct cache_class class_one = {.name = "one"};
static const struct operation operations[] = {
    {.name = "fetch", .target = 300 * CLOCK_MS, .index = 0},
    {.name = "list", .target = 800 * CLOCK_MS, .index = 1},
    {.name = "free", .index = 2},
};
static const struct rules rules = {.refs = 1,
                                   .tiers = {"basic", "professional"},
                                   .ntiers = 2,
                                   .operations = operations,
                                   .noperations = 3};

/* A request of `operation` that took `ms`. */
static struct trail trail_of(int operation, int tier, enum source source, int64_t ms)
{
    return (struct trail){.rules = &rules,
                          .operation = operation < 0 ? NULL : &operations[operation],
                          .tier = tier,
                          .source = source,
                          .rows = 2,
                          .bytes = 100,
                          .began = CLOCK_SEC,
                          .ended = CLOCK_SEC + ms * CLOCK_MS};
}

static void add(struct meter *meter, int operation, int tier, enum source source, int64_t ms)
{
    struct trail trail = trail_of(operation, tier, source, ms);
    struct trail_sink sink = meter_sink(meter);

    sink.finished(sink.owner, &trail);
}

static const struct meter_cell *cell_of(const struct meter *meter, const char *operation,
                                        const char *tier, enum source source)
{
    for (unsigned i = 0; i < meter->ncells; i++) {
        const struct meter_cell *cell = meter->cells[i];

        if (strcmp(cell->operation, operation) == 0 && strcmp(cell->tier, tier) == 0 &&
            cell->source == source)
            return cell;
    }
    return NULL;
}

static void requests_are_told_apart(void **state)
{
    struct meter meter = {0};

    (void)state;
    for (int i = 0; i < 3; i++)
        add(&meter, 0, 1, SOURCE_CACHE, 1);
    add(&meter, 0, 1, SOURCE_PRIMARY, 10);
    add(&meter, 0, 0, SOURCE_CACHE, 1);
    add(&meter, 1, 1, SOURCE_CACHE, 1);
    add(&meter, -1, -1, SOURCE_REPLICA, 1);
    assert_int_equal(meter.ncells, 5);
    assert_int_equal(cell_of(&meter, "fetch", "professional", SOURCE_CACHE)->times.count, 3);
    assert_int_equal(cell_of(&meter, "fetch", "professional", SOURCE_CACHE)->rows, 6);
    assert_int_equal(cell_of(&meter, "none", "none", SOURCE_REPLICA)->bytes, 100);
    assert_null(cell_of(&meter, "fetch", "none", SOURCE_CACHE));
    meter_clear(&meter);
}

static void what_is_over_its_target_is_counted(void **state)
{
    struct meter meter = {0};
    const struct meter_cell *cell;

    (void)state;
    add(&meter, 0, -1, SOURCE_PRIMARY, 299);
    add(&meter, 0, -1, SOURCE_PRIMARY, 300);
    add(&meter, 0, -1, SOURCE_PRIMARY, 301);
    add(&meter, 2, -1, SOURCE_PRIMARY, 100000);
    cell = cell_of(&meter, "fetch", "none", SOURCE_PRIMARY);
    assert_int_equal(cell->over, 1);
    assert_int_equal(cell->target, 300 * CLOCK_MS);
    assert_int_equal(cell->times.max, 301 * CLOCK_MS);
    assert_int_equal(cell_of(&meter, "free", "none", SOURCE_PRIMARY)->over, 0);
    meter_clear(&meter);
}

/* The new file's rules live elsewhere in memory and order their operations otherwise. */
static void figures_survive_a_reload(void **state)
{
    struct operation *moved = mem_array(2, sizeof(*moved));
    struct rules *fresh = mem_new(sizeof(*fresh));
    struct meter meter = {0};
    struct trail trail;
    char *name = mem_text("fetch", 5);

    (void)state;
    add(&meter, 0, 1, SOURCE_CACHE, 1);
    moved[1] = (struct operation){.name = name, .target = CLOCK_SEC, .index = 1};
    *fresh = (struct rules){.operations = moved, .noperations = 2};
    fresh->tiers[0] = "professional";
    fresh->ntiers = 1;
    trail = trail_of(0, 0, SOURCE_CACHE, 1);
    trail.rules = fresh;
    trail.operation = &moved[1];
    meter_add(&meter, &trail);
    mem_free(name);
    mem_free(moved);
    mem_free(fresh);
    assert_int_equal(meter.ncells, 1);
    assert_int_equal(meter.cells[0]->times.count, 2);
    assert_int_equal(meter.cells[0]->target, CLOCK_SEC);
    assert_string_equal(meter.cells[0]->operation, "fetch");
    meter_clear(&meter);
}

static void totals_tell_why(void **state)
{
    struct meter meter = {0};
    struct trail trail = trail_of(0, 1, SOURCE_CACHE, 1);

    (void)state;
    trail.cache = &class_one;
    meter_add(&meter, &trail);
    trail.source = SOURCE_REPLICA;
    trail.led = true;
    meter_add(&meter, &trail);
    trail.source = SOURCE_CACHE;
    trail.led = false;
    trail.joined = true;
    meter_add(&meter, &trail);
    trail = trail_of(-1, -1, SOURCE_PRIMARY, 1);
    trail.uncached = PLAN_WRITE;
    trail.primary = PLAN_WRITE;
    trail.write = trail.failed = trail.asked_again = true;
    meter_add(&meter, &trail);
    trail = trail_of(-1, -1, SOURCE_NONE, 1);
    meter_add(&meter, &trail);
    assert_int_equal(meter.totals.requests, 5);
    assert_int_equal(meter.totals.cacheable, 3);
    assert_int_equal(meter.totals.hits, 2);
    assert_int_equal(meter.totals.led, 1);
    assert_int_equal(meter.totals.joined, 1);
    assert_int_equal(meter.totals.writes, 1);
    assert_int_equal(meter.totals.failed, 1);
    assert_int_equal(meter.totals.asked_again, 1);
    assert_int_equal(meter.totals.uncached[PLAN_WRITE], 1);
    assert_int_equal(meter.totals.uncached[PLAN_NONE], 0);
    assert_int_equal(meter.totals.primary[PLAN_WRITE], 1);
    assert_int_equal(meter.totals.sources[SOURCE_NONE], 1);
    meter_clear(&meter);
}

static void steps_not_entered_are_not_timed(void **state)
{
    struct meter meter = {0};
    struct trail trail = trail_of(0, 1, SOURCE_CACHE, 1);

    (void)state;
    trail.spent[STEP_JUDGE] = 500;
    trail.spent[STEP_ANSWER] = 700;
    meter_add(&meter, &trail);
    assert_int_equal(meter.steps[STEP_JUDGE].count, 1);
    assert_int_equal(meter.steps[STEP_ANSWER].max, 700);
    assert_int_equal(meter.steps[STEP_RELAY].count, 0);
    meter_clear(&meter);
}

static void shapes_learn_what_they_cost(void **state)
{
    struct meter meter = {0};
    struct known_shape known = {0};
    struct trail trail = trail_of(0, 1, SOURCE_CACHE, 1);
    struct meter_shape *seen;

    (void)state;
    trail.known = &known;
    meter_add(&meter, &trail);
    trail.source = SOURCE_PRIMARY;
    trail.uncached = PLAN_TIER;
    trail.primary = PLAN_LAG;
    trail.ended = trail.began + 9 * CLOCK_MS;
    meter_add(&meter, &trail);
    seen = known.histogram;
    assert_int_equal(known.calls, 2);
    assert_int_equal(known.hits, 1);
    assert_int_equal(known.rows, 4);
    assert_int_equal(known.bytes, 200);
    assert_int_equal(known.total_ns, 10 * CLOCK_MS);
    assert_int_equal(seen->times.count, 2);
    assert_string_equal(seen->operation, "fetch");
    assert_int_equal(seen->uncached, PLAN_TIER);
    assert_int_equal(seen->primary, PLAN_LAG);
    mem_free(known.histogram);
    meter_clear(&meter);
}

static void names_come_from_their_lists(void **state)
{
    (void)state;
    assert_string_equal(step_text(STEP_INSPECT), "inspect");
    assert_string_equal(step_text(STEP_RELAY), "relay");
    assert_string_equal(source_text(SOURCE_NONE), "none");
    assert_string_equal(source_text(SOURCE_PRIMARY), "primary");
}

/* ---- targets ------------------------------------------------------------------------------- */

struct lines {
    char text[4096];
};

static void note(void *with, const struct target_line *line)
{
    struct lines *lines = with;
    size_t at = strlen(lines->text);

    snprintf(lines->text + at, sizeof(lines->text) - at, "%s %s %s %d n=%d share=%.2f met=%d\n",
             line->operation, line->tier ? line->tier : "-", line->source ? line->source : "-",
             (int)(line->target / CLOCK_MS), (int)line->count, line->measured, line->met);
}

static void lines_are_in_the_order_of_the_rules(void **state)
{
    struct targets targets = {.cache_hit_ratio = 0.85, .cache_response_time = 50 * CLOCK_MS};
    struct meter meter = {0};
    struct lines lines = {""};

    (void)state;
    add(&meter, -1, -1, SOURCE_PRIMARY, 5);
    add(&meter, 2, -1, SOURCE_REPLICA, 5);
    add(&meter, 0, 1, SOURCE_PRIMARY, 400);
    add(&meter, 0, 0, SOURCE_CACHE, 1);
    add(&meter, 0, 1, SOURCE_CACHE, 60);
    targets_each(&targets, &rules, &meter, note, &lines);
    assert_string_equal(lines.text, "fetch basic cache 300 n=1 share=1.00 met=1\n"
                                    "fetch professional cache 300 n=1 share=1.00 met=1\n"
                                    "fetch professional primary 300 n=1 share=0.00 met=0\n"
                                    "list - - 800 n=0 share=-1.00 met=-1\n"
                                    "free none replica 0 n=1 share=-1.00 met=-1\n"
                                    "none none primary 0 n=1 share=-1.00 met=-1\n"
                                    "cache_hit_ratio - - 0 n=0 share=-1.00 met=-1\n"
                                    "cache_response_time - cache 50 n=2 share=0.50 met=0\n");
    meter_clear(&meter);
}

static void the_hit_ratio_is_of_cacheable_reads(void **state)
{
    struct targets targets = {.cache_hit_ratio = 0.85};
    struct meter meter = {0};
    struct lines lines = {""};
    struct trail trail = trail_of(2, -1, SOURCE_CACHE, 1);

    (void)state;
    trail.cache = &class_one;
    for (int i = 0; i < 9; i++)
        meter_add(&meter, &trail);
    trail.source = SOURCE_PRIMARY;
    meter_add(&meter, &trail);
    trail.cache = NULL;
    meter_add(&meter, &trail);
    targets_each(&targets, &rules, &meter, note, &lines);
    assert_non_null(strstr(lines.text, "cache_hit_ratio - - 0 n=10 share=0.90 met=1\n"));
    assert_null(strstr(lines.text, "cache_response_time"));
    meter_clear(&meter);
}

static void a_few_slow_ones_do_not_miss_a_target(void **state)
{
    struct targets targets = {.cache_hit_ratio = 0};
    struct meter meter = {0};
    struct lines lines = {""};

    (void)state;
    for (int i = 0; i < 95; i++)
        add(&meter, 0, -1, SOURCE_PRIMARY, 1);
    for (int i = 0; i < 5; i++)
        add(&meter, 0, -1, SOURCE_PRIMARY, 301);
    targets_each(&targets, &rules, &meter, note, &lines);
    assert_non_null(strstr(lines.text, "fetch none primary 300 n=100 share=0.95 met=1\n"));
    add(&meter, 0, -1, SOURCE_PRIMARY, 301);
    lines.text[0] = '\0';
    targets_each(&targets, &rules, &meter, note, &lines);
    assert_non_null(strstr(lines.text, "fetch none primary 300 n=101 share=0.94 met=0\n"));
    meter_clear(&meter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_told_apart),
        cmocka_unit_test(what_is_over_its_target_is_counted),
        cmocka_unit_test(figures_survive_a_reload),
        cmocka_unit_test(totals_tell_why),
        cmocka_unit_test(steps_not_entered_are_not_timed),
        cmocka_unit_test(shapes_learn_what_they_cost),
        cmocka_unit_test(names_come_from_their_lists),
        cmocka_unit_test(lines_are_in_the_order_of_the_rules),
        cmocka_unit_test(the_hit_ratio_is_of_cacheable_reads),
        cmocka_unit_test(a_few_slow_ones_do_not_miss_a_target),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
