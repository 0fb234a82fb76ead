/* Judges what the probes report: who has his role, whose position counts. A position counts while
 * the node replays the timeline that the primary writes: after a failover the same LSN means
 * something else on the old one. */
#include "route/topology.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "route/census.h"
#include "route/ear.h"
#include "route/gone.h"
#include "route/levels.h"
#include "route/opening.h"

#include <stdarg.h>
#include <stdio.h>

#define POLL_INTERVAL    (100 * CLOCK_MS)
#define HURRY_INTERVAL   (2 * CLOCK_MS)
#define CATALOG_INTERVAL (30 * CLOCK_SEC)

/* A wait of t ns polls every t / PATIENCE: often at first, ever more rarely where a replica is held
 * back for long. */
enum { PATIENCE = 8 };

struct topology {
    struct loop *loop;
    struct topology_settings settings;
    char *database, *url;
    struct probe *probes; /* 0 is the primary */
    unsigned count;
    uint32_t timeline; /* that the primary writes; 0: it has not been seen yet */
    unsigned instance; /* of the primary when it was last up; 0: it never was */
    bool open;         /* `opened` was told, and `shut` not since */
    struct levels levels;
    struct wishes wishes;
    struct gone gone;
    struct opening opening;
    struct census census;
    struct ear ear, feed;
    uint64_t goal; /* the newest LSN that somebody needs of a replica */
    bool hurrying;
    uint64_t mark; /* the goal when this hurry began, at `since` */
    int64_t since;
};

static struct probe *primary_of(struct topology *topology)
{
    return &topology->probes[0];
}

static void forget_position(struct node *node)
{
    node->lsn = 0;
    node->lag = -1;
    node->paused = false;
}

/* Logs a trouble once. */
static void set_trouble(struct topology *topology, struct node *node, const char *trouble)
{
    bool was_up = node->up;

    node->up = false;
    forget_position(node);
    if (!was_up && strcmp(node->trouble, trouble) == 0)
        return;
    snprintf(node->trouble, sizeof(node->trouble), "%s", trouble);
    log_warning("route", "%s: %s %s is %s: %s", topology->database,
                node->role == NODE_PRIMARY ? "primary" : "replica", node->name,
                was_up ? "lost" : "not usable", node->trouble);
}

static void set_up(struct topology *topology, struct node *node)
{
    node->up = true;
    node->trouble[0] = '\0';
    log_info("route", "%s: %s %s is up", topology->database,
             node->role == NODE_PRIMARY ? "primary" : "replica", node->name);
}

static void primary_down(struct topology *topology, const char *why)
{
    bool was_open = topology->open;

    opening_stop(&topology->opening);
    topology->open = false;
    set_trouble(topology, &primary_of(topology)->node, why);
    if (was_open)
        topology->settings.shut(topology->settings.owner);
}

/* Whatever was known of positions may be of another history. */
static void start_anew(struct topology *topology, uint32_t timeline)
{
    topology->timeline = timeline;
    topology->levels.count = 0;
    topology->goal = 0;
    topology->hurrying = false;
    for (unsigned i = 1; i < topology->count; i++) {
        forget_position(&topology->probes[i].node);
        probe_again(&topology->probes[i], 0);
    }
}

static void primary_up(struct topology *topology, struct probe *probe)
{
    if (topology->timeline && topology->timeline != probe->report.timeline)
        probe->node.instance++;
    start_anew(topology, probe->report.timeline);
    if (topology->instance && topology->instance != probe->node.instance)
        gone_all(&topology->gone);
    topology->instance = probe->node.instance;
    set_up(topology, &probe->node);
    wishes_go(&topology->wishes);
    gone_go(&topology->gone);
    census_want(&topology->census);
    ear_check(&topology->ear);
    ear_check(&topology->feed);
    if (topology->settings.found)
        topology->settings.found(topology->settings.owner);
    opening_start(&topology->opening);
}

static void judge_primary(struct topology *topology, struct probe *probe)
{
    if (probe->report.in_recovery) {
        primary_down(topology, "it is a standby (in recovery), but configured as the primary");
        return;
    }
    if (!probe->node.up)
        primary_up(topology, probe);
    levels_add(&topology->levels, probe->report.asked, probe->report.lsn);
}

/* NULL where it may answer. */
static const char *fault_of(const struct topology *topology, const struct probe *probe,
                            char text[160])
{
    const struct report *report = &probe->report;

    if (!report->in_recovery)
        return "it is not in recovery (promoted?), but configured as a replica";
    if (probe->identity.system != topology->probes[0].identity.system)
        return "its system identifier is not the primary's: it replays another cluster";
    if (report->timeline == topology->timeline)
        return NULL;
    snprintf(text, 160, "it is known to replay timeline %u, the primary writes %u",
             report->timeline, topology->timeline);
    return text;
}

/* Level with the newest known position is 0 only while the primary can be asked. */
static int64_t lag_of(struct topology *topology, const struct report *report)
{
    int64_t lag = levels_lag(&topology->levels, report->lsn, report->asked);

    if (lag < 0)
        return report->commit_age;
    if (lag == 0 && !primary_of(topology)->node.up)
        return levels_age(&topology->levels, report->asked);
    return lag;
}

static void judge_replica(struct topology *topology, struct probe *probe)
{
    struct node *node = &probe->node;
    char text[sizeof(node->trouble)];
    const char *fault;

    /* Not worth a log line: at the start somebody has to be first. */
    if (probe->report.in_recovery && !topology->timeline) {
        snprintf(node->trouble, sizeof(node->trouble), "the primary has not been seen yet");
        return;
    }
    fault = fault_of(topology, probe, text);
    if (fault) {
        set_trouble(topology, node, fault);
        return;
    }
    if (!node->up)
        set_up(topology, node);
    node->lsn = probe->report.lsn;
    node->polled = probe->report.asked;
    node->lag = lag_of(topology, &probe->report);
    node->paused = probe->report.paused;
}

static uint64_t best_of(const struct topology *topology)
{
    uint64_t best = 0;

    for (unsigned i = 1; i < topology->count; i++)
        if (topology->probes[i].node.up && topology->probes[i].node.lsn > best)
            best = topology->probes[i].node.lsn;
    return best;
}

static int64_t pace(const struct topology *topology)
{
    int64_t pause;

    if (!topology->hurrying)
        return topology->settings.poll_interval;
    pause = (loop_now(topology->loop) - topology->since) / PATIENCE;
    if (pause < topology->settings.hurry_interval)
        pause = topology->settings.hurry_interval;
    return pause < topology->settings.poll_interval ? pause : topology->settings.poll_interval;
}

static void hurry_from(struct topology *topology)
{
    topology->hurrying = true;
    topology->mark = topology->goal;
    topology->since = loop_now(topology->loop);
}

/* As long as the replicas come forward, each new goal is hurried for afresh. */
static void rest_or_hurry(struct topology *topology)
{
    uint64_t best = best_of(topology);

    if (!topology->hurrying || best < topology->mark)
        return;
    if (best >= topology->goal)
        topology->hurrying = false;
    else
        hurry_from(topology);
}

static void seen(void *owner, struct probe *probe)
{
    struct topology *topology = owner;

    if (probe->node.role == NODE_PRIMARY) {
        judge_primary(topology, probe);
        probe_again(probe, topology->settings.poll_interval);
    } else {
        judge_replica(topology, probe);
        rest_or_hurry(topology);
        probe_again(probe, probe->node.up ? pace(topology) : topology->settings.poll_interval);
    }
}

static void lost(void *owner, struct probe *probe, const char *why)
{
    struct topology *topology = owner;

    if (probe->node.role == NODE_PRIMARY)
        primary_down(topology, why);
    else
        set_trouble(topology, &probe->node, why);
}

static const struct probe_events events = {seen, lost};

static void polled(void *owner, int64_t asked, uint64_t lsn)
{
    struct topology *topology = owner;

    levels_add(&topology->levels, asked, lsn);
}

static void opened(void *owner, uint64_t floor)
{
    struct topology *topology = owner;

    topology->open = true;
    log_info("route", "%s: open from %X/%X on", topology->database, (unsigned)(floor >> 32),
             (unsigned)floor);
    topology->settings.opened(topology->settings.owner, floor);
}

static void catalog_taken(void *owner, struct catalog *catalog)
{
    struct topology *topology = owner;

    topology->settings.catalog(topology->settings.owner, catalog);
}

static int64_t or_else(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

static void take_settings(struct topology *topology, const struct topology_settings *settings)
{
    topology->settings = *settings;
    topology->database = mem_text(settings->database, strlen(settings->database));
    topology->url = mem_text(settings->primary.url, strlen(settings->primary.url));
    topology->settings.poll_interval = or_else(settings->poll_interval, POLL_INTERVAL);
    topology->settings.hurry_interval = or_else(settings->hurry_interval, HURRY_INTERVAL);
    topology->settings.catalog_interval = or_else(settings->catalog_interval, CATALOG_INTERVAL);
}

static void free_probes(struct topology *topology)
{
    for (unsigned i = 0; i < topology->count; i++)
        probe_clear(&topology->probes[i]);
    mem_free(topology->probes);
    mem_free(topology->database);
    mem_free(topology->url);
    mem_free(topology);
}

struct topology *topology_new(struct loop *loop, const struct topology_settings *settings,
                              const char **why)
{
    struct topology *topology = mem_new(sizeof(*topology));
    struct probe *primary;

    topology->loop = loop;
    take_settings(topology, settings);
    topology->probes = mem_array(settings->nreplicas + 1, sizeof(*topology->probes));
    for (unsigned i = 0; i <= settings->nreplicas; i++) {
        if (!probe_init(&topology->probes[i], loop,
                        i ? &settings->replicas[i - 1] : &settings->primary,
                        i ? NODE_REPLICA : NODE_PRIMARY, &events, topology, why)) {
            free_probes(topology);
            return NULL;
        }
        topology->count++;
    }
    primary = primary_of(topology);
    wishes_init(&topology->wishes, loop, primary, polled, topology);
    gone_init(&topology->gone, loop, &topology->wishes);
    opening_init(&topology->opening, loop, &topology->wishes, topology->database, opened, topology);
    census_init(&topology->census, loop, primary, topology->url, topology->database,
                topology->settings.catalog_interval, catalog_taken, topology);
    ear_init(&topology->ear, loop, primary, topology->url, topology->database);
    ear_init(&topology->feed, loop, primary, topology->url, topology->database);
    return topology;
}

void topology_free(struct topology *topology)
{
    opening_clear(&topology->opening);
    gone_clear(&topology->gone);
    wishes_clear(&topology->wishes);
    census_clear(&topology->census);
    ear_clear(&topology->ear);
    ear_clear(&topology->feed);
    free_probes(topology);
}

unsigned topology_count(const struct topology *topology)
{
    return topology->count;
}

struct node *topology_node(struct topology *topology, unsigned i)
{
    return &topology->probes[i].node;
}

uint64_t topology_system(const struct topology *topology)
{
    return topology->probes[0].identity.system;
}

void topology_hurry(struct topology *topology, uint64_t lsn)
{
    int64_t due;

    if (lsn > topology->goal)
        topology->goal = lsn;
    if (best_of(topology) >= topology->goal)
        return;
    if (!topology->hurrying)
        hurry_from(topology);
    due = pace(topology) - loop_now(topology->loop);
    for (unsigned i = 1; i < topology->count; i++) {
        struct probe *probe = &topology->probes[i];

        if (probe->node.up)
            probe_again(probe, due + probe_asked(probe));
    }
}

unsigned topology_step_aside(struct topology *topology, const char *dbname, int64_t duration)
{
    static const char why[] = "it stands aside for a statement that wants the database for itself";
    struct probe *primary = primary_of(topology);
    unsigned count = 0;

    if (strcmp(primary->node.dbname, dbname) != 0)
        return 0;
    count += control_rest(primary->control, duration, why);
    if (topology->census.control)
        count += control_rest(topology->census.control, duration, why);
    return count;
}

bool topology_ask(struct topology *topology, struct control_ask *ask)
{
    struct probe *primary = primary_of(topology);

    return primary->node.up && control_ask(primary->control, ask);
}

void topology_ask_leave(struct topology *topology, struct control_ask *ask)
{
    control_forget(primary_of(topology)->control, ask);
}

void topology_reopen(struct topology *topology)
{
    if (primary_of(topology)->node.up)
        opening_start(&topology->opening);
}

void topology_catalog_changed(struct topology *topology)
{
    census_want(&topology->census);
}

struct ear *topology_feed(struct topology *topology)
{
    return &topology->feed;
}

struct ear *topology_ear(struct topology *topology)
{
    return &topology->ear;
}

void topology_lsn(struct topology *topology, struct lsn_wish *wish)
{
    wishes_add(&topology->wishes, wish);
}

void topology_gone(struct topology *topology, struct gone_wish *wish)
{
    gone_add(&topology->gone, wish);
}

void topology_lsn_leave(struct topology *topology, struct lsn_wish *wish)
{
    (void)topology;
    wishes_leave(wish);
}

void topology_gone_leave(struct topology *topology, struct gone_wish *wish)
{
    gone_leave(&topology->gone, wish);
}
