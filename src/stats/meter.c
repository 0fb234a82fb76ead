/* Adds finished requests up. Decides nothing, prints nothing, and never looks at a clock: a trail
 * brings its times along. */
#include "stats/meter.h"

#include "base/hash.h"
#include "base/mem.h"

static void free_cell(struct meter_cell *cell)
{
    mem_free((char *)cell->operation);
    mem_free((char *)cell->tier);
    mem_free(cell);
}

void meter_clear(struct meter *meter)
{
    map_clear(&meter->map);
    for (unsigned i = 0; i < meter->ncells; i++)
        free_cell(meter->cells[i]);
    mem_free(meter->cells);
    memset(meter, 0, sizeof(*meter));
}

static const char *tier_of(const struct trail *trail)
{
    const struct rules *rules = trail->rules;

    if (!rules || trail->tier < 0 || (unsigned)trail->tier >= rules->ntiers)
        return "none";
    return rules->tiers[trail->tier];
}

static struct meter_cell *new_cell(struct meter *meter, const char *operation, const char *tier,
                                   enum source source, uint64_t hash)
{
    struct meter_cell *cell = mem_new(sizeof(*cell));

    cell->operation = mem_text(operation, strlen(operation));
    cell->tier = mem_text(tier, strlen(tier));
    cell->source = source;
    map_add(&meter->map, &cell->link, hash);
    meter->cells = mem_grow(meter->cells, (meter->ncells + 1) * sizeof(struct meter_cell *));
    meter->cells[meter->ncells++] = cell;
    return cell;
}

static struct meter_cell *cell_of(struct meter *meter, const char *operation, const char *tier,
                                  enum source source)
{
    uint64_t hash = hash_join(hash_slice(slice_text(operation)), hash_slice(slice_text(tier)));
    struct map_link *link;

    hash = hash_join(hash, source);
    for (link = map_first(&meter->map, hash); link; link = map_next(link)) {
        struct meter_cell *cell = MAP_OF(link, struct meter_cell, link);

        if (cell->source == source && strcmp(cell->operation, operation) == 0 &&
            strcmp(cell->tier, tier) == 0)
            return cell;
    }
    return new_cell(meter, operation, tier, source, hash);
}

static void add_totals(struct meter_totals *totals, const struct trail *trail)
{
    totals->requests++;
    totals->writes += trail->write;
    totals->failed += trail->failed;
    totals->rows += trail->rows;
    totals->bytes += trail->bytes;
    totals->led += trail->led;
    totals->joined += trail->joined;
    totals->asked_again += trail->asked_again;
    totals->sources[trail->source]++;
    if (trail->source == SOURCE_NONE)
        return;
    if (trail->cache) {
        totals->cacheable++;
        totals->hits += trail->source == SOURCE_CACHE;
    } else {
        totals->uncached[trail->uncached]++;
    }
    if (trail->source == SOURCE_PRIMARY)
        totals->primary[trail->primary]++;
}

static void add_values(struct meter_shape *shape, uint64_t values)
{
    uint32_t *seen = &shape->seen[values % METER_SEEN];
    uint32_t mark = (uint32_t)(values >> 32);

    shape->offered++;
    shape->repeated += *seen == mark;
    *seen = mark;
}

/* Of a request that nobody answered there is nothing to explain. */
static void add_reasons(struct meter_shape *shape, const struct trail *trail)
{
    shape->sources[trail->source]++;
    if (trail->source == SOURCE_NONE)
        return;
    if (!trail->cache)
        shape->uncached_by[trail->uncached]++;
    if (trail->source == SOURCE_PRIMARY)
        shape->primary_by[trail->primary]++;
    if (trail->values)
        add_values(shape, trail->values);
}

static void add_known(struct known_shape *known, const struct trail *trail,
                      const struct meter_cell *cell, uint64_t took)
{
    struct meter_shape *shape;

    known->calls++;
    known->hits += trail->source == SOURCE_CACHE;
    known->rows += trail->rows;
    known->bytes += trail->bytes;
    known->total_ns += took;
    if (!known->histogram)
        known->histogram = mem_new(sizeof(*shape));
    shape = known->histogram;
    histo_add(&shape->times, took);
    add_reasons(shape, trail);
    shape->operation = cell->operation;
    shape->uncached = trail->cache ? PLAN_NONE : trail->uncached;
    shape->primary = trail->source == SOURCE_PRIMARY ? trail->primary : PLAN_NONE;
}

static void add_steps(struct meter *meter, const struct trail *trail)
{
    for (unsigned i = 0; i < STEP_COUNT; i++) {
        if (trail->spent[i] > 0)
            histo_add(&meter->steps[i], (uint64_t)trail->spent[i]);
    }
}

void meter_add(struct meter *meter, const struct trail *trail)
{
    const char *operation = trail->operation ? trail->operation->name : "none";
    struct meter_cell *cell = cell_of(meter, operation, tier_of(trail), trail->source);
    int64_t took = trail->ended > trail->began ? trail->ended - trail->began : 0;

    cell->target = trail->operation ? trail->operation->target : 0;
    cell->over += cell->target > 0 && took > cell->target;
    cell->failed += trail->failed;
    cell->rows += trail->rows;
    cell->bytes += trail->bytes;
    histo_add(&cell->times, (uint64_t)took);
    add_totals(&meter->totals, trail);
    add_steps(meter, trail);
    if (trail->known)
        add_known(trail->known, trail, cell, (uint64_t)took);
}

static void finished(void *owner, const struct trail *trail)
{
    meter_add(owner, trail);
}

struct trail_sink meter_sink(struct meter *meter)
{
    return (struct trail_sink){.finished = finished, .owner = meter};
}

void meter_cache_times(const struct meter *meter, struct histo *times)
{
    memset(times, 0, sizeof(*times));
    for (unsigned i = 0; i < meter->ncells; i++) {
        if (meter->cells[i]->source == SOURCE_CACHE)
            histo_merge(times, &meter->cells[i]->times);
    }
}
