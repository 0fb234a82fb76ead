/* Puts the measured beside the promised. Judges no single request: the meter did that when it
 * finished, against the target it had then. */
#include "stats/targets.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* A target is met where this share of the requests kept it. */
static const double SHARE = 0.95;

struct placed {
    unsigned operation, tier; /* positions in the rules */
    const struct meter_cell *cell;
};

static unsigned operation_place(const struct rules *rules, const char *name)
{
    unsigned i = 0;

    while (i < rules->noperations && strcmp(rules->operations[i].name, name) != 0)
        i++;
    return i;
}

static unsigned tier_place(const struct rules *rules, const char *name)
{
    unsigned i = 0;

    while (i < rules->ntiers && strcmp(rules->tiers[i], name) != 0)
        i++;
    return i;
}

static int compare(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;

    if (x->operation != y->operation)
        return x->operation < y->operation ? -1 : 1;
    if (x->tier != y->tier)
        return x->tier < y->tier ? -1 : 1;
    if (strcmp(x->cell->operation, y->cell->operation) != 0)
        return strcmp(x->cell->operation, y->cell->operation);
    if (strcmp(x->cell->tier, y->cell->tier) != 0)
        return strcmp(x->cell->tier, y->cell->tier);
    return (int)x->cell->source - (int)y->cell->source;
}

static void fill_times(struct target_line *line, const struct histo *times)
{
    line->count = times->count;
    line->p50 = histo_quantile(times, 0.50);
    line->p95 = histo_quantile(times, 0.95);
    line->p99 = histo_quantile(times, 0.99);
    line->max = times->max;
}

static void cell_line(const struct meter_cell *cell, struct target_line *line)
{
    *line = (struct target_line){.operation = cell->operation,
                                 .tier = cell->tier,
                                 .source = source_text(cell->source),
                                 .target = cell->target,
                                 .measured = -1,
                                 .met = -1};
    fill_times(line, &cell->times);
    if (cell->target > 0 && line->count > 0) {
        line->measured = 1.0 - (double)cell->over / (double)line->count;
        line->met = line->measured >= SHARE;
    }
}

struct walk {
    const struct placed *placed;
    unsigned count, at;
    void (*each)(void *with, const struct target_line *line);
    void *with;
};

static void cells_of(struct walk *walk, unsigned operation)
{
    struct target_line line;

    for (; walk->at < walk->count && walk->placed[walk->at].operation == operation; walk->at++) {
        cell_line(walk->placed[walk->at].cell, &line);
        walk->each(walk->with, &line);
    }
}

static void untouched(struct walk *walk, const struct operation *operation)
{
    struct target_line line = {
        .operation = operation->name, .target = operation->target, .measured = -1, .met = -1};

    if (operation->target > 0)
        walk->each(walk->with, &line);
}

static void file_targets(const struct targets *targets, const struct meter *meter,
                         const struct walk *walk)
{
    const struct meter_totals *totals = &meter->totals;
    struct target_line ratio = {.operation = "cache_hit_ratio",
                                .ratio = targets->cache_hit_ratio,
                                .count = totals->cacheable,
                                .measured = -1,
                                .met = -1};
    struct target_line time = {.operation = "cache_response_time",
                               .source = source_text(SOURCE_CACHE),
                               .target = targets->cache_response_time,
                               .measured = -1,
                               .met = -1};
    struct histo times;

    meter_cache_times(meter, &times);
    fill_times(&time, &times);
    if (totals->cacheable > 0) {
        ratio.measured = (double)totals->hits / (double)totals->cacheable;
        ratio.met = ratio.measured >= targets->cache_hit_ratio;
    }
    if (times.count > 0) {
        time.measured = (double)histo_under(&times, (uint64_t)time.target) / (double)times.count;
        time.met = time.measured >= SHARE;
    }
    if (targets->cache_hit_ratio > 0)
        walk->each(walk->with, &ratio);
    if (targets->cache_response_time > 0)
        walk->each(walk->with, &time);
}

void targets_each(const struct targets *targets, const struct rules *rules,
                  const struct meter *meter,
                  void (*each)(void *with, const struct target_line *line), void *with)
{
    struct placed *placed = mem_array(meter->ncells + 1, sizeof(*placed));
    struct walk walk = {.placed = placed, .count = meter->ncells, .each = each, .with = with};

    for (unsigned i = 0; i < meter->ncells; i++) {
        placed[i].cell = meter->cells[i];
        placed[i].operation = operation_place(rules, meter->cells[i]->operation);
        placed[i].tier = tier_place(rules, meter->cells[i]->tier);
    }
    qsort(placed, meter->ncells, sizeof(*placed), compare);
    for (unsigned i = 0; i < rules->noperations; i++) {
        unsigned before = walk.at;

        cells_of(&walk, i);
        if (walk.at == before)
            untouched(&walk, &rules->operations[i]);
    }
    cells_of(&walk, rules->noperations);
    file_targets(targets, meter, &walk);
    mem_free(placed);
}
