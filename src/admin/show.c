/* Finds the table a SHOW wants. Writes none of them itself but the list of them. */
#include "admin/show.h"

#include "admin/command.h"
#include "admin/show_tables.h"
#include "admin/table.h"
#include "conf/diag.h"

#include <stdio.h>

static void show_help(const struct admin *admin, unsigned limit, struct buf *out);

/* A list of which one may ask for the first so many lines has a preset of how many. */
static const struct show {
    const char *noun;
    unsigned limit; /* 0: no list of that kind */
    void (*run)(const struct admin *admin, unsigned limit, struct buf *out);
    const char *text;
} shows[] = {
    {"TARGETS", 0, show_targets, "operations: latency by tier and source, beside their targets"},
    {"RULES", 0, show_rules, "operations in their order: how often each matched, and what it does"},
    {"POOLS", 0, show_pools, "servers and queues by node and user"},
    {"CLIENTS", 0, show_clients, "who is connected, and what they are doing"},
    {"SERVERS", 0, show_servers, "connections to PostgreSQL"},
    {"NODES", 0, show_nodes, "primaries and replicas: up, position, lag"},
    {"CACHE", 0, show_cache, "cache classes: entries, hits, misses"},
    {"SHAPES", 50, show_shapes, "statements by total time, and why they are (not) cached"},
    {"ADVICE", 0, show_advice, "what would gain most by being kept, as settings to paste"},
    {"STATS", 0, show_stats, "totals by source, tier and reason; ledgers"},
    {"CONFIG", 0, show_config, "settings in force, and when a change applies"},
    {"VERSION", 0, show_version, "version and uptime"},
    {"HELP", 0, show_help, "this list"},
};

enum { SHOWS = sizeof(shows) / sizeof(shows[0]) };

static void help_line(struct table *table, const char *command, const char *text)
{
    table_text(table, command);
    table_text(table, text);
    table_row(table);
}

static void show_help(const struct admin *admin, unsigned limit, struct buf *out)
{
    static const char *const columns[] = {"command", "shows"};
    char command[64];
    struct table table;

    (void)admin;
    (void)limit;
    table_begin(&table, out, columns, 2);
    for (unsigned i = 0; i < SHOWS; i++) {
        snprintf(command, sizeof(command), "SHOW %s%s", shows[i].noun,
                 shows[i].limit ? " [count]" : "");
        help_line(&table, command, shows[i].text);
    }
    help_line(&table, "EXPLAIN ROUTE [(DATABASE name, USER name, APPLICATION name)] sql",
              "what pgtier would do with a statement, and why; without running it");
    help_line(&table, "EXPLAIN ROUTE ANALYZE sql",
              "from a client of its database: runs the statement, and tells what became of it");
    help_line(&table, "CACHE STATS", "the same as SHOW CACHE");
    help_line(&table, "CACHE FLUSH [class] [column=value ...]",
              "removes entries: all, of a class, with these values in their keys");
    help_line(&table, "RELOAD", "reads the settings file anew; faults change nothing");
    table_end(&table, "SHOW");
}

static const struct show *find(struct slice noun)
{
    for (unsigned i = 0; i < SHOWS; i++) {
        if (slice_is_nocase(noun, shows[i].noun))
            return &shows[i];
    }
    return NULL;
}

static void unknown(struct slice noun, struct err *err)
{
    const char *names[SHOWS], *nearest;
    char word[64];

    snprintf(word, sizeof(word), "%.*s", (int)slice_first(noun, 40).len, (const char *)noun.at);
    for (char *c = word; *c; c++)
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
    for (unsigned i = 0; i < SHOWS; i++)
        names[i] = shows[i].noun;
    nearest = diag_nearest(word, names, SHOWS);
    err_set(err, "42601", "there is no SHOW %s", word);
    if (nearest)
        err_hint(err, "Did you mean SHOW %s? SHOW HELP lists the commands.", nearest);
    else
        err_hint(err, "SHOW HELP lists the commands.");
}

/* A count after the noun; false: what stands there is none. */
static bool read_limit(const struct show *show, struct slice word, unsigned *limit)
{
    *limit = show->limit;
    if (word.len == 0)
        return true;
    if (show->limit == 0 || word.len > 6)
        return false;
    *limit = 0;
    for (size_t i = 0; i < word.len; i++) {
        if (word.at[i] < '0' || word.at[i] > '9')
            return false;
        *limit = *limit * 10 + (word.at[i] - '0');
    }
    return *limit > 0;
}

bool show_run(const struct admin *admin, struct slice rest, struct buf *out, struct err *err)
{
    struct slice noun = command_word(&rest), word = command_word(&rest);
    const struct show *show = noun.len > 0 ? find(noun) : find(SLICE("HELP"));
    unsigned limit;

    if (!show) {
        unknown(noun, err);
        return false;
    }
    if (!read_limit(show, word, &limit) || command_word(&rest).len > 0) {
        err_set(err, "42601", "SHOW %s does not take \"%.*s\"", show->noun,
                (int)slice_first(word, 40).len, (const char *)word.at);
        err_hint(err, "SHOW HELP lists the commands.");
        return false;
    }
    show->run(admin, limit, out);
    return true;
}
