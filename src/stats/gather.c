/* Walks the rooms and writes what their figures say. A family is written whole before the next one
 * begins, as the format wants it, so what is walked once (pools, clients) is noted first. */
#include "stats/gather.h"

#include "base/mem.h"
#include "session/channels.h"
#include "session/feed.h"
#include "session/session.h"
#include "stats/process.h"
#include "stats/prometheus.h"

#include <stddef.h>

/* A member of a struct of figures as a family of its own. */
struct figure {
    const char *name;
    enum prometheus_kind kind;
    const char *help;
    size_t at;
    enum { U32, U64, NS } type;
};

#define COUNTER PROMETHEUS_COUNTER
#define GAUGE   PROMETHEUS_GAUGE

#define AT(member) offsetof(struct pool_figures, member)
static const struct figure pool_families[] = {
    {"pgtier_pool_size", GAUGE, "Servers the pool may have.", AT(size), U32},
    {"pgtier_pool_idle", GAUGE, "Servers nobody has.", AT(idle), U32},
    {"pgtier_pool_taken", GAUGE, "Servers that a client has.", AT(taken), U32},
    {"pgtier_pool_logins", GAUGE, "Servers logging in.", AT(logins), U32},
    {"pgtier_pool_waiting", GAUGE, "Clients waiting for a server.", AT(waiting), U32},
    {"pgtier_pool_longest_wait_seconds", GAUGE, "How long the first in the queue has waited.",
     AT(longest_wait), NS},
    {"pgtier_pool_takes_total", COUNTER, "Times a server was lent.", AT(takes), U64},
    {"pgtier_pool_waits_total", COUNTER, "Times a client had to wait for one.", AT(waits), U64},
    {"pgtier_pool_wait_seconds_total", COUNTER, "Time clients have waited.", AT(wait_ns), NS},
    {"pgtier_pool_timeouts_total", COUNTER, "Waits that ran out.", AT(timeouts), U64},
    {"pgtier_pool_login_failures_total", COUNTER, "Logins that a node refused.", AT(login_failures),
     U64},
    {"pgtier_pool_servers_made_total", COUNTER, "Connections opened.", AT(servers_made), U64},
};
#undef AT

#define AT(member) offsetof(struct cache_class_figures, member)
static const struct figure class_families[] = {
    {"pgtier_cache_hits_total", COUNTER, "Requests answered by an entry.", AT(hits), U64},
    {"pgtier_cache_misses_total", COUNTER, "Requests no entry could answer.", AT(misses), U64},
    {"pgtier_cache_waits_total", COUNTER, "Requests that waited for another's fetch.", AT(waits),
     U64},
    {"pgtier_cache_stored_total", COUNTER, "Entries made.", AT(stored), U64},
    {"pgtier_cache_rejected_total", COUNTER, "Answers not kept: too large or not plain rows.",
     AT(rejected), U64},
    {"pgtier_cache_evicted_total", COUNTER, "Entries that made room.", AT(evicted), U64},
    {"pgtier_cache_invalid_total", COUNTER, "Entries found, and outdated by a write.", AT(invalid),
     U64},
    {"pgtier_cache_entries", GAUGE, "Entries in the memory store.", AT(entries), U64},
    {"pgtier_cache_bytes", GAUGE, "Bytes of them.", AT(bytes), U64},
    {"pgtier_cache_saved_seconds_total", COUNTER,
     "What those who were answered from entries would have waited, by what the first one did.",
     AT(saved), NS},
};
#undef AT

#define AT(member) offsetof(struct ledger_figures, member)
static const struct figure ledger_families[] = {
    {"pgtier_ledger_cells", GAUGE, "Cells the ledger remembers.", AT(cells), U64},
    {"pgtier_ledger_pending", GAUGE, "Cells with a write under way.", AT(pending), U64},
    {"pgtier_ledger_begun_total", COUNTER, "Writes announced.", AT(begun), U64},
    {"pgtier_ledger_committed_total", COUNTER, "Writes committed.", AT(committed), U64},
    {"pgtier_ledger_aborted_total", COUNTER, "Writes rolled back.", AT(aborted), U64},
    {"pgtier_ledger_evicted_total", COUNTER, "Cells that made room.", AT(evicted), U64},
};
#undef AT

#define AT(member) offsetof(struct fleet_figures, member)
static const struct figure fleet_families[] = {
    {"pgtier_fleet_members", GAUGE, "Of the fleet, as this member sees it; 0: it is none.",
     AT(members), U64},
    {"pgtier_fleet_lapsed", GAUGE, "Of those, not heard of: nobody uses cache or replica.",
     AT(lapsed), U64},
    {"pgtier_fleet_trusted", GAUGE, "1: what this member knows may be relied on.", AT(trusted),
     U64},
    {"pgtier_fleet_told_total", COUNTER, "Records told to the others.", AT(told), U64},
    {"pgtier_fleet_heard_total", COUNTER, "Records heard, its own among them.", AT(heard), U64},
    {"pgtier_fleet_waits_total", COUNTER, "Writes that waited for others to hear of them.",
     AT(waits), U64},
    {"pgtier_fleet_losses_total", COUNTER, "Times that it was no member any more.", AT(losses),
     U64},
    {"pgtier_fleet_fenced_total", COUNTER, "Members that were found to be gone.", AT(fenced), U64},
};
#undef AT

#define AT(member) offsetof(struct feed_figures, member)
static const struct figure feed_families[] = {
    {"pgtier_feed_listens", GAUGE, "1: writes that bypass pgtier are heard of.", AT(listens), U64},
    {"pgtier_feed_told_total", COUNTER, "Notifications of writes, or changed rows.", AT(told), U64},
    {"pgtier_feed_own_total", COUNTER, "Of those, of writes through pgtier.", AT(own), U64},
    {"pgtier_feed_unread_total", COUNTER, "Of those, not understood: they count as everything.",
     AT(unread), U64},
    {"pgtier_feed_retained_bytes", GAUGE, "WAL that the primary keeps for the feed wal.",
     AT(retained), U64},
    {"pgtier_feed_given_up_total", COUNTER, "Times that this was over feed_keep.", AT(given_up),
     U64},
};
#undef AT

#define AT(member) offsetof(struct channels_figures, member)
static const struct figure channel_families[] = {
    {"pgtier_channels", GAUGE, "Channels that are listened to for clients.", AT(channels), U32},
    {"pgtier_channel_listeners", GAUGE, "Clients that they are listened to for.", AT(listeners),
     U32},
    {"pgtier_notifications_total", COUNTER, "Notifications for them, counted for each client.",
     AT(heard), U64},
};
#undef AT

#define AT(member) offsetof(struct meter_totals, member)
static const struct figure total_families[] = {
    {"pgtier_writes_total", COUNTER, "Requests that may have changed rows.", AT(writes), U64},
    {"pgtier_rows_total", COUNTER, "Rows sent to clients.", AT(rows), U64},
    {"pgtier_sent_bytes_total", COUNTER, "Bytes of answers sent to clients.", AT(bytes), U64},
    {"pgtier_flights_led_total", COUNTER, "Fetches that others could wait for.", AT(led), U64},
    {"pgtier_flights_joined_total", COUNTER, "Requests answered by another's fetch.", AT(joined),
     U64},
    {"pgtier_asked_again_total", COUNTER, "Reads a replica answered too new or with an error.",
     AT(asked_again), U64},
    {"pgtier_cacheable_total", COUNTER, "Reads with a cache class.", AT(cacheable), U64},
    {"pgtier_cache_answers_total", COUNTER, "Of those, answered by the cache.", AT(hits), U64},
};
#undef AT

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void family(struct buf *out, const struct figure *figure)
{
    prometheus_family(out, figure->name, figure->kind, figure->help);
}

static void sample(struct buf *out, const struct figure *figure, const struct label *labels,
                   unsigned nlabels, const void *figures)
{
    const void *at = (const char *)figures + figure->at;

    if (figure->type == U32)
        prometheus_count(out, figure->name, labels, nlabels, *(const unsigned *)at);
    else if (figure->type == U64)
        prometheus_count(out, figure->name, labels, nlabels, *(const uint64_t *)at);
    else
        prometheus_value(out, figure->name, labels, nlabels, (double)*(const int64_t *)at / 1e9);
}

static void lone(struct buf *out, const char *name, enum prometheus_kind kind, const char *help,
                 double value)
{
    prometheus_family(out, name, kind, help);
    prometheus_value(out, name, NULL, 0, value);
}

/* ---- requests ------------------------------------------------------------------------------ */

static unsigned cell_labels(const struct meter_cell *cell, struct label labels[3])
{
    labels[0] = (struct label){"operation", cell->operation};
    labels[1] = (struct label){"tier", cell->tier};
    labels[2] = (struct label){"source", source_text(cell->source)};
    return 3;
}

static void requests(const struct meter *meter, struct buf *out)
{
    struct label labels[3];
    unsigned n;

    prometheus_family(out, "pgtier_request_seconds", PROMETHEUS_HISTOGRAM,
                      "Time from a request's last byte to the last byte of its answer.");
    for (unsigned i = 0; i < meter->ncells; i++) {
        n = cell_labels(meter->cells[i], labels);
        prometheus_histogram(out, "pgtier_request_seconds", labels, n, &meter->cells[i]->times);
    }
    prometheus_family(out, "pgtier_request_over_target_total", COUNTER,
                      "Requests that took longer than their operation's target.");
    for (unsigned i = 0; i < meter->ncells; i++) {
        if (meter->cells[i]->target <= 0)
            continue;
        n = cell_labels(meter->cells[i], labels);
        prometheus_count(out, "pgtier_request_over_target_total", labels, n, meter->cells[i]->over);
    }
    prometheus_family(out, "pgtier_request_failed_total", COUNTER,
                      "Requests that ended with an error.");
    for (unsigned i = 0; i < meter->ncells; i++) {
        n = cell_labels(meter->cells[i], labels);
        prometheus_count(out, "pgtier_request_failed_total", labels, n, meter->cells[i]->failed);
    }
}

static void steps(const struct meter *meter, struct buf *out)
{
    prometheus_family(out, "pgtier_step_seconds", PROMETHEUS_HISTOGRAM,
                      "Time requests spent in each step.");
    for (unsigned i = 0; i < STEP_COUNT; i++) {
        struct label label = {"step", step_text((enum step_name)i)};

        prometheus_histogram(out, "pgtier_step_seconds", &label, 1, &meter->steps[i]);
    }
}

static void reasons(const char *name, const char *help, const uint64_t *counts, struct buf *out)
{
    prometheus_family(out, name, COUNTER, help);
    for (unsigned i = 0; i < PLAN_REASON_COUNT; i++) {
        struct label label = {"reason", plan_reason_code((enum plan_reason)i)};

        prometheus_count(out, name, &label, 1, counts[i]);
    }
}

static void totals(const struct meter *meter, struct buf *out)
{
    for (unsigned i = 0; i < COUNT(total_families); i++) {
        family(out, &total_families[i]);
        sample(out, &total_families[i], NULL, 0, &meter->totals);
    }
    reasons("pgtier_uncached_total", "Requests without a cache class, by why.",
            meter->totals.uncached, out);
    reasons("pgtier_primary_total", "Requests the primary answered, by why.", meter->totals.primary,
            out);
}

static void targets(const struct gather *gather, struct buf *out)
{
    const struct rules *rules = gather->rooms->rules;

    prometheus_family(out, "pgtier_operation_target_seconds", GAUGE, "The target of an operation.");
    for (unsigned i = 0; rules && i < rules->noperations; i++) {
        struct label label = {"operation", rules->operations[i].name};

        if (rules->operations[i].target > 0)
            prometheus_value(out, "pgtier_operation_target_seconds", &label, 1,
                             (double)rules->operations[i].target / 1e9);
    }
    if (gather->targets.cache_hit_ratio > 0)
        lone(out, "pgtier_cache_hit_ratio_target", GAUGE,
             "The share of cacheable reads that the cache should answer.",
             gather->targets.cache_hit_ratio);
    if (gather->targets.cache_response_time > 0)
        lone(out, "pgtier_cache_response_target_seconds", GAUGE,
             "The target of answers from the cache.",
             (double)gather->targets.cache_response_time / 1e9);
}

/* ---- clients ------------------------------------------------------------------------------- */

/* The states of sessions: the steps, and those between requests. */
static const char *const other_states[] = {"login", "idle", "idle in transaction", "other"};

enum { PINS_MAX = 32 };
enum { STATES = STEP_COUNT + COUNT(other_states) };

static const char *state_name(unsigned i)
{
    return i < STEP_COUNT ? step_text((enum step_name)i) : other_states[i - STEP_COUNT];
}

struct client_counts {
    unsigned states[STATES], pins[PINS_MAX];
};

static void count_client(void *with, const struct session_figures *figures)
{
    struct client_counts *counts = with;
    unsigned i = 0;

    while (i + 1 < STATES && strcmp(state_name(i), figures->state) != 0)
        i++;
    counts->states[i]++;
    for (unsigned pin = 0; figures->pinned && session_pin_text(pin); pin++)
        counts->pins[pin] += session_pin_text(pin) == figures->pinned;
}

static void clients(struct rooms *rooms, struct buf *out)
{
    struct client_counts counts = {.pins = {0}};

    session_each(rooms, count_client, &counts);
    prometheus_family(out, "pgtier_clients", GAUGE, "Clients by what they are doing.");
    for (unsigned i = 0; i < STATES; i++) {
        struct label label = {"state", state_name(i)};

        prometheus_count(out, "pgtier_clients", &label, 1, counts.states[i]);
    }
    prometheus_family(out, "pgtier_clients_pinned", GAUGE,
                      "Clients that keep their server, by why.");
    for (unsigned pin = 0; session_pin_text(pin); pin++) {
        struct label label = {"reason", session_pin_text(pin)};

        prometheus_count(out, "pgtier_clients_pinned", &label, 1, counts.pins[pin]);
    }
    lone(out, "pgtier_clients_max", GAUGE, "Clients that are let in.", rooms->max_clients);
    prometheus_family(out, "pgtier_clients_refused_total", COUNTER,
                      "Clients turned away by max_clients.");
    prometheus_count(out, "pgtier_clients_refused_total", NULL, 0, rooms->refused);
}

/* ---- pools --------------------------------------------------------------------------------- */

struct noted_pool {
    const char *database;
    struct pool_figures figures;
};

struct noted_pools {
    const char *database;
    struct noted_pool *at;
    unsigned count;
};

static void note_pool(void *with, const struct pool_figures *figures)
{
    struct noted_pools *pools = with;

    pools->at = mem_grow(pools->at, (pools->count + 1) * sizeof(*pools->at));
    pools->at[pools->count++] = (struct noted_pool){pools->database, *figures};
}

static void pools(const struct rooms *rooms, struct buf *out)
{
    struct noted_pools noted = {.count = 0};

    for (unsigned i = 0; i < rooms->ndatabases; i++) {
        noted.database = rooms->databases[i].name;
        if (rooms->databases[i].pools)
            pool_set_each(rooms->databases[i].pools, note_pool, &noted);
    }
    for (unsigned f = 0; f < COUNT(pool_families); f++) {
        family(out, &pool_families[f]);
        for (unsigned i = 0; i < noted.count; i++) {
            const struct pool_place *place = noted.at[i].figures.place;
            struct label labels[] = {{"database", noted.at[i].database},
                                     {"node", place->node},
                                     {"dbname", place->dbname},
                                     {"user", place->user}};

            sample(out, &pool_families[f], labels, 4, &noted.at[i].figures);
        }
    }
    mem_free(noted.at);
}

/* ---- nodes --------------------------------------------------------------------------------- */

enum node_figure { NODE_UP, NODE_LAG, NODE_LSN, NODE_POLLS, NODE_LOSSES, NODE_FIGURES };

static const struct {
    const char *name;
    enum prometheus_kind kind;
    const char *help;
} node_families[NODE_FIGURES] = {
    [NODE_UP] = {"pgtier_node_up", GAUGE, "1: the node is there and has its role."},
    [NODE_LAG] = {"pgtier_node_lag_seconds", GAUGE, "How far it may be behind the primary."},
    [NODE_LSN] = {"pgtier_node_lsn_bytes", GAUGE, "The WAL position it has replayed."},
    [NODE_POLLS] = {"pgtier_node_polls_total", COUNTER, "Times it was asked for its position."},
    [NODE_LOSSES] = {"pgtier_node_losses_total", COUNTER, "Control connections lost."},
};

static void node_sample(struct buf *out, enum node_figure what, const struct label *labels,
                        const struct node *node)
{
    const char *name = node_families[what].name;

    switch (what) {
    case NODE_UP:
        prometheus_count(out, name, labels, 3, node->up);
        break;
    case NODE_LAG: /* what is not known has no sample */
        if (node->role == NODE_REPLICA && node->lag >= 0)
            prometheus_value(out, name, labels, 3, (double)node->lag / 1e9);
        break;
    case NODE_LSN:
        if (node->lsn > 0)
            prometheus_count(out, name, labels, 3, node->lsn);
        break;
    case NODE_POLLS:
        prometheus_count(out, name, labels, 3, node->polls);
        break;
    default:
        prometheus_count(out, name, labels, 3, node->losses);
        break;
    }
}

/* A host that the file lists twice gives one series, not two of one name. */
static bool seen_before(struct topology *topology, unsigned n)
{
    const struct node *node = topology_node(topology, n);

    for (unsigned i = 0; i < n; i++) {
        const struct node *other = topology_node(topology, i);

        if (other->role == node->role && strcmp(other->name, node->name) == 0)
            return true;
    }
    return false;
}

static void nodes_of(const struct database *database, enum node_figure what, struct buf *out)
{
    unsigned count = database->topology ? topology_count(database->topology) : 0;

    for (unsigned i = 0; i < count; i++) {
        const struct node *node = topology_node(database->topology, i);
        struct label labels[] = {{"database", database->name},
                                 {"node", node->name},
                                 {"role", node->role == NODE_PRIMARY ? "primary" : "replica"}};

        if (!seen_before(database->topology, i))
            node_sample(out, what, labels, node);
    }
}

static void nodes(const struct rooms *rooms, struct buf *out)
{
    for (unsigned what = 0; what < NODE_FIGURES; what++) {
        prometheus_family(out, node_families[what].name, node_families[what].kind,
                          node_families[what].help);
        for (unsigned i = 0; i < rooms->ndatabases; i++)
            nodes_of(&rooms->databases[i], (enum node_figure)what, out);
    }
}

/* ---- what is kept -------------------------------------------------------------------------- */

static void ledgers(const struct rooms *rooms, struct buf *out)
{
    prometheus_family(out, "pgtier_ledger_open", GAUGE,
                      "0: the primary is not known, so that nothing but it may answer.");
    for (unsigned i = 0; i < rooms->ndatabases; i++) {
        struct label label = {"database", rooms->databases[i].name};

        if (rooms->databases[i].ledger)
            prometheus_count(out, "pgtier_ledger_open", &label, 1,
                             ledger_serves(rooms->databases[i].ledger));
    }
    for (unsigned f = 0; f < COUNT(ledger_families); f++) {
        family(out, &ledger_families[f]);
        for (unsigned i = 0; i < rooms->ndatabases; i++) {
            struct label label = {"database", rooms->databases[i].name};
            struct ledger_figures figures;

            if (!rooms->databases[i].ledger)
                continue;
            ledger_figures(rooms->databases[i].ledger, &figures);
            sample(out, &ledger_families[f], &label, 1, &figures);
        }
    }
}

static void fleets(const struct rooms *rooms, struct buf *out)
{
    for (unsigned f = 0; f < COUNT(fleet_families); f++) {
        family(out, &fleet_families[f]);
        for (unsigned i = 0; i < rooms->ndatabases; i++) {
            struct label label = {"database", rooms->databases[i].name};
            struct fleet_figures figures;

            if (!rooms->databases[i].fleet)
                continue;
            fleet_figures(rooms->databases[i].fleet, &figures);
            sample(out, &fleet_families[f], &label, 1, &figures);
        }
    }
}

static void events(const struct rooms *rooms, struct buf *out)
{
    prometheus_family(out, "pgtier_events_total", COUNTER, "Writes of a name of the rules.");
    for (unsigned i = 0; rooms->rules && i < rooms->rules->nevents; i++) {
        struct label label = {"event", rooms->rules->events[i].name};

        prometheus_count(out, "pgtier_events_total", &label, 1, rooms->rules->event_counts[i]);
    }
}

static void feeds(const struct rooms *rooms, struct buf *out)
{
    for (unsigned f = 0; f < COUNT(feed_families); f++) {
        family(out, &feed_families[f]);
        for (unsigned i = 0; i < rooms->ndatabases; i++) {
            struct label label = {"database", rooms->databases[i].name};
            struct feed_figures figures;

            if (!rooms->databases[i].feed)
                continue;
            feed_figures(rooms->databases[i].feed, &figures);
            sample(out, &feed_families[f], &label, 1, &figures);
        }
    }
}

static void channels(const struct rooms *rooms, struct buf *out)
{
    for (unsigned f = 0; f < COUNT(channel_families); f++) {
        family(out, &channel_families[f]);
        for (unsigned i = 0; i < rooms->ndatabases; i++) {
            struct label label = {"database", rooms->databases[i].name};
            struct channels_figures figures;

            channels_figures(&rooms->databases[i], &figures);
            sample(out, &channel_families[f], &label, 1, &figures);
        }
    }
}

static void cache(const struct rooms *rooms, struct buf *out)
{
    const struct rules *rules = rooms->rules;

    if (!rooms->cache || !rules)
        return;
    lone(out, "pgtier_cache_up", GAUGE, "0: the store does not answer.",
         strstr(cache_store_state(rooms->cache), "away") == NULL);
    for (unsigned f = 0; f < COUNT(class_families); f++) {
        family(out, &class_families[f]);
        for (unsigned i = 0; i < rules->nclasses; i++) {
            struct label label = {"class", rules->classes[i].name};
            struct cache_class_figures figures;

            cache_figures(rooms->cache, &rules->classes[i], &figures);
            sample(out, &class_families[f], &label, 1, &figures);
        }
    }
}

static void shape_family(const struct rooms *rooms, const char *name, enum prometheus_kind kind,
                         const char *help, uint64_t (*value)(const struct shapes *shapes),
                         struct buf *out)
{
    prometheus_family(out, name, kind, help);
    for (unsigned i = 0; i < rooms->ndatabases; i++) {
        struct label label = {"database", rooms->databases[i].name};

        prometheus_count(out, name, &label, 1, value(&rooms->databases[i].shapes));
    }
}

static uint64_t shapes_count(const struct shapes *shapes)
{
    return shapes->map.count;
}

static uint64_t shapes_bytes(const struct shapes *shapes)
{
    return shapes->bytes;
}

static uint64_t shapes_parsed(const struct shapes *shapes)
{
    return shapes->parsed;
}

static uint64_t shapes_evicted(const struct shapes *shapes)
{
    return shapes->evicted;
}

static void shapes(const struct rooms *rooms, struct buf *out)
{
    shape_family(rooms, "pgtier_shapes", GAUGE, "Shapes of statements known.", shapes_count, out);
    shape_family(rooms, "pgtier_shapes_bytes", GAUGE, "Bytes of them.", shapes_bytes, out);
    shape_family(rooms, "pgtier_shapes_parsed_total", COUNTER, "Texts parsed for their shape.",
                 shapes_parsed, out);
    shape_family(rooms, "pgtier_shapes_evicted_total", COUNTER, "Shapes that made room.",
                 shapes_evicted, out);
}

/* ---- the process --------------------------------------------------------------------------- */

static void process(const struct gather *gather, struct buf *out)
{
    struct label version = {"version", gather->version};
    struct process_figures figures;

    process_figures(&figures);
    prometheus_family(out, "pgtier_build_info", GAUGE, "Always 1; the version is its label.");
    prometheus_count(out, "pgtier_build_info", &version, 1, 1);
    lone(out, "process_start_time_seconds", GAUGE, "When the process started, since 1970.",
         (double)gather->started / 1e9);
    lone(out, "process_cpu_seconds_total", COUNTER, "Processor time, user and system.",
         figures.cpu_seconds);
    lone(out, "process_resident_memory_bytes", GAUGE, "Memory in use.",
         (double)figures.resident_bytes);
    lone(out, "process_open_fds", GAUGE, "Open file descriptors.", figures.open_fds);
    lone(out, "process_max_fds", GAUGE, "File descriptors that may be open.",
         (double)figures.max_fds);
}

void gather_metrics(const struct gather *gather, struct buf *out)
{
    process(gather, out);
    requests(gather->meter, out);
    totals(gather->meter, out);
    steps(gather->meter, out);
    targets(gather, out);
    clients(gather->rooms, out);
    pools(gather->rooms, out);
    nodes(gather->rooms, out);
    ledgers(gather->rooms, out);
    fleets(gather->rooms, out);
    feeds(gather->rooms, out);
    events(gather->rooms, out);
    channels(gather->rooms, out);
    cache(gather->rooms, out);
    shapes(gather->rooms, out);
}
