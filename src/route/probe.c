/* One control connection, two queries: the identity once a login, then the poll. A query that fails
 * costs the connection, so that there is one way back from every fault. */
#include "route/probe.h"

#include "base/clock.h"
#include "base/crypt.h"
#include "base/mem.h"
#include "route/lsn.h"

#include <stdio.h>
#include <stdlib.h>

const char IDENTITY_QUERY[] =
    "SELECT s.system_identifier, pg_catalog.pg_postmaster_start_time(), i.wal_block_size,"
    " i.bytes_per_wal_segment"
    " FROM pg_catalog.pg_control_system() s, pg_catalog.pg_control_init() i";

/* The timeline of a standby is the one that it is sent, else the one of its last restartpoint: both
 * are the primary's only once the standby's history is the primary's. OFFSET 0 keeps the role asked
 * once. */
static const char POLL_QUERY[] =
    "SELECT r, CASE WHEN r THEN pg_catalog.pg_last_wal_replay_lsn()"
    " ELSE pg_catalog.pg_current_wal_insert_lsn() END,"
    " CASE WHEN r THEN coalesce((SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver),"
    " (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()))"
    " ELSE ('x' || pg_catalog.substr(pg_catalog.pg_walfile_name("
    "pg_catalog.pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int END,"
    " CASE WHEN r THEN pg_catalog.pg_is_wal_replay_paused() ELSE false END,"
    " CASE WHEN r THEN (1e6 * extract(epoch FROM pg_catalog.clock_timestamp()"
    " - pg_catalog.pg_last_xact_replay_timestamp()))::bigint END"
    " FROM (SELECT pg_catalog.pg_is_in_recovery() AS r OFFSET 0) role";

static bool read_number(struct slice field, uint64_t *number)
{
    char text[24], *end;

    if (!field.at || field.len == 0 || field.len >= sizeof(text))
        return false;
    memcpy(text, field.at, field.len);
    text[field.len] = '\0';
    *number = strtoull(text, &end, 10);
    return *end == '\0';
}

bool identity_read(struct identity *identity, const struct slice *fields, unsigned count)
{
    uint64_t block, segment;

    if (count != 4 || !read_number(fields[0], &identity->system) || !fields[1].at ||
        !read_number(fields[2], &block) || !read_number(fields[3], &segment))
        return false;
    if (block < 512 || segment < block || segment > UINT32_MAX)
        return false;
    snprintf(identity->started, sizeof(identity->started), "%.*s", (int)fields[1].len,
             (const char *)fields[1].at);
    identity->block = (uint32_t)block;
    identity->segment = (uint32_t)segment;
    return true;
}

bool identity_same(const struct identity *a, const struct identity *b)
{
    return a->system == b->system && strcmp(a->started, b->started) == 0;
}

static void hear_identity(void *owner, const struct slice *fields, unsigned count)
{
    struct probe *probe = owner;

    probe->identified = identity_read(&probe->heard, fields, count);
}

static void take_identity(void *owner)
{
    struct probe *probe = owner;

    if (!probe->identified) {
        control_drop(probe->control, "it does not tell its system identifier");
        return;
    }
    if (!identity_same(&probe->heard, &probe->identity))
        probe->node.instance++;
    probe->identity = probe->heard;
    probe_again(probe, 0);
}

static bool is_true(struct slice field)
{
    return slice_is(field, "t");
}

static bool read_report(const struct probe *probe, const struct slice *fields, unsigned count,
                        struct report *report)
{
    uint64_t timeline, age;

    if (count != 5 || !fields[0].at || !read_number(fields[2], &timeline))
        return false;
    report->in_recovery = is_true(fields[0]);
    report->timeline = (uint32_t)timeline;
    report->paused = is_true(fields[3]);
    report->commit_age = -1;
    if (fields[4].at && fields[4].len && fields[4].at[0] == '-')
        report->commit_age = 0; /* its clock is behind the primary's */
    else if (read_number(fields[4], &age) && age < INT64_MAX / 1000)
        report->commit_age = (int64_t)age * 1000;
    report->lsn = 0;
    if (fields[1].at && !lsn_parse(fields[1], &report->lsn))
        return false;
    if (!report->in_recovery)
        report->lsn = lsn_normal(report->lsn, probe->identity.block, probe->identity.segment);
    return true;
}

static void hear_report(void *owner, const struct slice *fields, unsigned count)
{
    struct probe *probe = owner;

    probe->heard_report = read_report(probe, fields, count, &probe->report);
}

static void take_report(void *owner)
{
    struct probe *probe = owner;

    probe->polling = false;
    if (!probe->heard_report) {
        control_drop(probe->control, "its answer to a poll is not understood");
        return;
    }
    probe->report.asked = probe->asked;
    probe->node.polls++;
    probe->events->seen(probe->owner, probe);
}

/* Where the connection is lost anyway the drop does nothing. */
static void fail(void *owner, const char *why)
{
    struct probe *probe = owner;

    probe->polling = false;
    control_drop(probe->control, why);
}

static void ask(struct timer *timer)
{
    struct probe *probe = timer->owner;

    probe->due = INT64_MAX;
    probe->heard_report = false;
    probe->asked = loop_now(probe->loop);
    probe->polling = control_ask(probe->control, &probe->poll);
}

static void come_up(void *owner)
{
    struct probe *probe = owner;
    const char *address = control_address(probe->control);

    snprintf(probe->node.address, sizeof(probe->node.address), "%s", address ? address : "");
    probe->identified = false;
    control_ask(probe->control, &probe->who);
}

static void go_down(void *owner, const char *why)
{
    struct probe *probe = owner;

    timer_stop(&probe->timer);
    probe->due = INT64_MAX;
    probe->node.losses += probe->identified;
    probe->identified = false;
    probe->node.address[0] = '\0';
    probe->events->lost(probe->owner, probe, why);
}

static const char *first_of(const char *a, const char *b, const char *c)
{
    return a ? a : b ? b : c;
}

/* Whatever the url leaves open is filled in here, so that the control connection and the servers of
 * the pools go to the same place. */
static bool read_url(struct probe *probe, const struct topology_node *from, const char **why)
{
    struct node *node = &probe->node;
    const char *port;

    if (!url_parse(from->url, &probe->url, why))
        return false;
    port = url_option(&probe->url, "port");
    node->host = first_of(url_option(&probe->url, "hostaddr"), url_option(&probe->url, "host"),
                          first_of(probe->url.host, "localhost", NULL));
    node->port = probe->url.port ? probe->url.port : port ? atoi(port) : 5432;
    node->user = first_of(url_option(&probe->url, "user"), probe->url.user, NULL);
    node->password = first_of(url_option(&probe->url, "password"), probe->url.password, NULL);
    node->dbname = first_of(url_option(&probe->url, "dbname"), probe->url.database, node->user);
    if (!url_is_postgres(&probe->url))
        *why = "it does not begin with postgresql://";
    else if (!node->user)
        *why = "it names no user";
    else
        return true;
    url_clear(&probe->url);
    return false;
}

bool probe_init(struct probe *probe, struct loop *loop, const struct topology_node *from,
                enum node_role role, const struct probe_events *events, void *owner,
                const char **why)
{
    struct control_options options = {
        .url = from->url,
        .name = probe_name(),
        .connect_timeout = PROBE_CONNECT_SEC * CLOCK_SEC,
        .query_timeout = PROBE_QUERY_SEC * CLOCK_SEC,
        .up = come_up,
        .down = go_down,
        .owner = probe,
    };

    *probe = (struct probe){.loop = loop, .events = events, .owner = owner, .due = INT64_MAX};
    if (!read_url(probe, from, why))
        return false;
    snprintf(probe->node.name, sizeof(probe->node.name),
             strchr(probe->node.host, ':') ? "[%s]:%d" : "%s:%d", probe->node.host,
             probe->node.port);
    probe->node.role = role;
    probe->node.priority = from->priority;
    probe->location = from->location ? mem_text(from->location, strlen(from->location)) : NULL;
    probe->node.location = probe->location;
    probe->node.lag = -1;
    snprintf(probe->node.trouble, sizeof(probe->node.trouble), "not connected yet");
    probe->who = (struct control_ask){.sql = IDENTITY_QUERY,
                                      .row = hear_identity,
                                      .done = take_identity,
                                      .failed = fail,
                                      .owner = probe};
    probe->poll = (struct control_ask){
        .sql = POLL_QUERY, .row = hear_report, .done = take_report, .failed = fail, .owner = probe};
    timer_init(&probe->timer, loop, ask, probe);
    probe->control = control_new(loop, &options);
    return true;
}

void probe_clear(struct probe *probe)
{
    control_forget(probe->control, &probe->who);
    control_forget(probe->control, &probe->poll);
    control_free(probe->control);
    timer_close(&probe->timer);
    url_clear(&probe->url);
    mem_free(probe->location);
}

void probe_again(struct probe *probe, int64_t delay)
{
    int64_t due = loop_now(probe->loop) + delay;

    if (!probe->identified || probe->polling || due >= probe->due)
        return;
    probe->due = due;
    timer_start(&probe->timer, delay); /* one that lies in the past fires at once */
}

int64_t probe_asked(const struct probe *probe)
{
    return probe->asked;
}

uint64_t probe_process(void)
{
    static uint64_t process;

    if (!process)
        crypt_random(&process, sizeof(process));
    return process;
}

void probe_name_of(uint64_t process, char name[PROBE_NAME_MAX])
{
    snprintf(name, PROBE_NAME_MAX, "pgtier control %016llx", (unsigned long long)process);
}

const char *probe_name(void)
{
    static char name[PROBE_NAME_MAX];

    probe_name_of(probe_process(), name);
    return name;
}
