/* SHOW CACHE: the classes of the rules and what they did. */
#include "admin/show_tables.h"
#include "admin/table.h"
#include "base/units.h"

static void tiers(struct table *table, const struct rules *rules, uint32_t set)
{
    struct buf names = {0};

    for (unsigned i = 0; i < rules->ntiers; i++) {
        if (set & (UINT32_C(1) << i))
            buf_printf(&names, "%s%s", buf_len(&names) ? ", " : "", rules->tiers[i]);
    }
    table_slice(table, buf_slice(&names));
    buf_clear(&names);
}

static void line(struct table *table, const struct rules *rules, const struct cache *cache,
                 const struct cache_class *cls)
{
    struct cache_class_figures figures;
    char ttl[24];
    uint64_t asked;

    cache_figures(cache, cls, &figures);
    units_duration_text(cls->ttl, ttl);
    asked = figures.hits + figures.misses;
    table_text(table, cls->name);
    table_text(table, cls->key);
    table_text(table, ttl);
    tiers(table, rules, cls->tiers);
    table_yes(table, cls->compress);
    table_text(table, cache_store_state(cache));
    table_count(table, figures.entries);
    table_count(table, figures.bytes);
    table_count(table, figures.hits);
    table_count(table, figures.misses);
    table_share(table, asked > 0 ? (double)figures.hits / (double)asked : -1);
    table_count(table, figures.waits);
    table_count(table, figures.stored);
    table_count(table, figures.rejected);
    table_count(table, figures.evicted);
    table_count(table, figures.invalid);
    if (cls->max_size)
        table_count(table, cls->max_size);
    else
        table_text(table, NULL);
    table_ms(table, (int64_t)figures.saved);
    table_row(table);
}

void show_cache(const struct admin *admin, unsigned limit, struct buf *out)
{
    static const char *const columns[] = {"class",   "key",      "ttl",     "tiers",    "compress",
                                          "store",   "entries",  "bytes",   "hits",     "misses",
                                          "hit_pct", "waits",    "stored",  "rejected", "evicted",
                                          "invalid", "max_size", "saved_ms"};
    const struct rooms *rooms = admin->gather->rooms;
    struct table table;

    (void)limit;
    table_begin(&table, out, columns, sizeof(columns) / sizeof(columns[0]));
    for (unsigned i = 0; rooms->cache && i < rooms->rules->nclasses; i++)
        line(&table, rooms->rules, rooms->cache, &rooms->rules->classes[i]);
    table_end(&table, "SHOW");
}
