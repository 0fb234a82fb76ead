/* Builds, runs and ends the rooms. Everything here happens once, or at a reload; nothing of it lies
 * on the way of a request. */
#include "app/proxy.h"

#include "admin/console.h"
#include "app/check.h"
#include "app/settings.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/listener.h"
#include "session/channels.h"
#include "session/feed.h"
#include "session/member.h"
#include "session/request.h"
#include "session/session.h"
#include "stats/pages.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

enum { SIGNALS = 3 };

struct proxy {
    const char *path;
    struct settings *settings;
    struct rooms rooms;
    struct listener *listener;
    struct meter meter;
    struct gather gather;
    struct admin admin;
    struct http *http;
    struct loop_signal *signals[SIGNALS];
    struct timer ending;
};

/* ---- databases ---- */

static void primary_found(void *owner)
{
    struct database *database = owner;

    if (database->fleet)
        member_start(database);
}

static void ledger_opened(void *owner, uint64_t floor)
{
    struct database *database = owner;

    database_opened(database, floor);
    if (!ledger_is_open(database->ledger))
        return;
    log_info("ledger", "database %s: open from %X/%X on", database->name, (unsigned)(floor >> 32),
             (unsigned)floor);
}

static void ledger_closed(void *owner)
{
    database_shut(owner);
}

static void catalog_came(void *owner, struct catalog *catalog)
{
    database_set_catalog(owner, catalog);
}

static void free_plan(void *plan)
{
    plan_free(plan);
}

static struct pool_settings pool_settings(const struct settings *settings)
{
    return (struct pool_settings){settings->pool.size, settings->pool.wait_timeout,
                                  settings->pool.idle_timeout, settings->pool.connect_timeout};
}

static bool open_topology(struct database *database, const struct settings_database *from)
{
    struct topology_node *replicas = mem_array(from->nreplicas, sizeof(*replicas));
    struct topology_settings settings = {
        .database = from->name,
        .primary = {from->primary.url, from->primary.priority, from->primary.location},
        .replicas = replicas,
        .nreplicas = from->nreplicas,
        .found = primary_found,
        .opened = ledger_opened,
        .shut = ledger_closed,
        .catalog = catalog_came,
        .owner = database,
    };
    const char *why = NULL;

    for (unsigned i = 0; i < from->nreplicas; i++)
        replicas[i] = (struct topology_node){from->replicas[i].url, from->replicas[i].priority,
                                             from->replicas[i].location};
    database->topology = topology_new(database->rooms->loop, &settings, &why);
    mem_free(replicas);
    if (!database->topology)
        log_error("app", "database %s: %s", from->name, why);
    return database->topology != NULL;
}

static bool join_fleet(struct proxy *proxy, struct database *database)
{
    const char *ledger = proxy->settings->freshness.ledger, *why = NULL;

    if (strcmp(ledger, "memory") == 0 || member_new(database, ledger, &why))
        return true;
    log_error("app", "freshness.ledger: %s", why);
    return false;
}

static bool open_database(struct proxy *proxy, struct database *database,
                          const struct settings_database *from)
{
    struct pool_settings pools = pool_settings(proxy->settings);

    database->name = mem_text(from->name, strlen(from->name));
    database->hash = hash_slice(slice_text(from->name));
    database->rooms = &proxy->rooms;
    database->max_lag = from->max_lag;
    database->has_replicas = from->nreplicas > 0;
    ring_init(&database->transactions);
    noteds_init(&database->noteds);
    database->ledger = ledger_new(proxy->settings->limits.ledger_cells);
    shapes_init(&database->shapes, proxy->settings->limits.shapes, free_plan);
    database->pools = pool_set_new(proxy->rooms.loop, &pools);
    if (!open_topology(database, from) || !join_fleet(proxy, database))
        return false;
    if (from->feed == FEED_NOTIFY)
        database->feed = feed_new(database);
    else if (from->feed == FEED_WAL)
        database->feed = feed_new_wal(database, from->feed_keep);
    return true;
}

static void close_database(struct database *database)
{
    if (database->fleet)
        fleet_leave(database->fleet);
    transactions_forget(database);
    channels_free(database);
    feed_free(database->feed);
    database->feed = NULL;
    if (database->pools)
        pool_set_free(database->pools);
    database->pools = NULL;
}

static void free_database(struct database *database)
{
    if (database->topology)
        member_free(database);
    if (database->topology)
        topology_free(database->topology);
    database_set_catalog(database, NULL);
    shapes_clear(&database->shapes);
    search_paths_clear(&database->paths);
    map_clear(&database->statements.map);
    ledger_free(database->ledger);
    mem_free((void *)database->name);
}

/* ---- rooms ---- */

static void took_client(void *owner, struct stream *stream)
{
    struct proxy *proxy = owner;

    session_new(&proxy->rooms, stream);
}

static bool add_users(struct proxy *proxy)
{
    const struct settings *settings = proxy->settings;
    struct users *before = proxy->rooms.users;

    proxy->rooms.users = users_new(settings->auth.kind == AUTH_SCRAM ? USER_SCRAM : USER_TRUST);
    if (before)
        users_follow(proxy->rooms.users, before);
    for (unsigned i = 0; i < settings->auth.nusers; i++) {
        const struct settings_user *user = &settings->auth.users[i];

        if (users_add(proxy->rooms.users, user->name, user->password))
            continue;
        log_error("app", "auth.users: the secret of user \"%s\" is malformed", user->name);
        return false;
    }
    return true;
}

static bool open_cache(struct proxy *proxy)
{
    struct cache_settings settings = {proxy->settings->cache.store, proxy->settings->cache.memory,
                                      proxy->settings->cache.max_entry,
                                      proxy->settings->cache.timeout};
    const char *why = NULL;

    proxy->rooms.cache = cache_new(proxy->rooms.loop, &settings, &why);
    if (!proxy->rooms.cache)
        log_error("app", "cache.store: %s", why);
    return proxy->rooms.cache != NULL;
}

static bool open_databases(struct proxy *proxy)
{
    struct rooms *rooms = &proxy->rooms;

    rooms->ndatabases = proxy->settings->ndatabases;
    rooms->databases = mem_array(rooms->ndatabases, sizeof(*rooms->databases));
    for (unsigned i = 0; i < rooms->ndatabases; i++)
        if (!open_database(proxy, &rooms->databases[i], &proxy->settings->databases[i]))
            return false;
    return true;
}

static bool open_http(struct proxy *proxy)
{
    struct http_options options = {proxy->settings->metrics.address, proxy->settings->metrics.port,
                                   pages_answer, &proxy->gather};
    struct err err;

    if (!options.port)
        return true;
    proxy->http = http_new(proxy->rooms.loop, &options, &err);
    if (!proxy->http)
        log_error("app", "metrics: %s", err.message);
    return proxy->http != NULL;
}

static bool open_listener(struct proxy *proxy)
{
    struct err err;

    proxy->listener = listener_new(proxy->rooms.loop, proxy->settings->listen.address,
                                   proxy->settings->listen.port, took_client, proxy, &err);
    if (!proxy->listener)
        log_error("app", "%s", err.message);
    return proxy->listener != NULL;
}

static void tell_settings(void *owner,
                          void (*line)(void *with, const char *key, const char *value,
                                       const char *preset, const char *reload),
                          void *with)
{
    struct proxy *proxy = owner;

    settings_each(proxy->settings, line, with);
}

static bool reload(void *owner, struct buf *faults);

static void prepare_records(struct proxy *proxy)
{
    proxy->gather = (struct gather){
        .rooms = &proxy->rooms,
        .meter = &proxy->meter,
        .version = PGTIER_VERSION,
        .started = clock_wall(),
    };
    proxy->admin.gather = &proxy->gather;
    proxy->admin.settings = tell_settings;
    proxy->admin.reload = reload;
    proxy->admin.owner = proxy;
    proxy->rooms.console = console_of(&proxy->admin);
    proxy->rooms.sink = meter_sink(&proxy->meter);
}

/* What may change while we run. */
static void apply(struct proxy *proxy)
{
    const struct settings *settings = proxy->settings;
    struct rooms *rooms = &proxy->rooms;
    struct pool_settings pools = pool_settings(settings);

    rooms->max_clients = settings->listen.max_clients;
    rooms->max_request = settings->limits.request;
    rooms->wait_timeout = settings->pool.wait_timeout;
    rooms->location = settings->listen.location;
    rooms->session_pooling = settings->pool.mode == POOL_SESSION;
    proxy->gather.targets =
        (struct targets){settings->targets.cache_hit_ratio, settings->targets.cache_response_time};
    proxy->admin.users = settings->admin.users;
    proxy->admin.nusers = settings->admin.nusers;
    for (unsigned i = 0; i < rooms->ndatabases; i++)
        pool_set_change(rooms->databases[i].pools, &pools);
    rooms_set_rules(rooms, settings->rules);
}

/* ---- reload ---- */

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* What was bound, connected or opened at the start stays as it is until the next start. */
static void warn_of_unchanged(const struct settings *before, const struct settings *after)
{
    if (!is_same_text(before->listen.address, after->listen.address) ||
        before->listen.port != after->listen.port || before->metrics.port != after->metrics.port ||
        !is_same_text(before->cache.store, after->cache.store) ||
        !is_same_text(before->freshness.ledger, after->freshness.ledger) ||
        before->ndatabases != after->ndatabases)
        log_warning("app", "listen, metrics, databases, cache.store and freshness.ledger change at "
                           "the next start");
}

static bool take_users(struct proxy *proxy)
{
    struct users *before = proxy->rooms.users;

    if (add_users(proxy)) {
        users_free(before);
        return true;
    }
    users_free(proxy->rooms.users);
    proxy->rooms.users = before;
    return false;
}

static bool reload(void *owner, struct buf *faults)
{
    struct proxy *proxy = owner;
    struct diag diag = {.file = proxy->path};
    struct settings *before = proxy->settings, *after = settings_load(proxy->path, &diag);

    if (after) {
        proxy->settings = after;
        if (!take_users(proxy)) {
            diag_add(&diag, 0, 0, "auth.users: a secret is malformed");
            settings_free(after);
            after = NULL;
        }
    }
    if (!after) {
        proxy->settings = before;
        diag_print(&diag, faults);
        diag_clear(&diag);
        return false;
    }
    warn_of_unchanged(before, after);
    apply(proxy);
    settings_free(before);
    log_info("app", "%s was read anew", proxy->path);
    return true;
}

static void reload_by_signal(struct proxy *proxy)
{
    struct buf faults = {0};

    if (!reload(proxy, &faults)) {
        struct slice text = buf_slice(&faults);

        log_error("app", "nothing was changed: the settings are at fault");
        while (text.len) {
            const uint8_t *end = memchr(text.at, '\n', text.len);
            size_t len = end ? (size_t)(end - text.at) : text.len;

            log_error("app", "%.*s", (int)len, (const char *)text.at);
            text = slice_skip(text, end ? len + 1 : len);
        }
    }
    buf_clear(&faults);
}

/* ---- run and end ---- */

/* The second signal does not wait for anything. */
static void stop_now(struct timer *timer)
{
    struct proxy *proxy = timer->owner;

    loop_stop(proxy->rooms.loop);
}

enum { END_MS = 1500 };

static void end(struct proxy *proxy)
{
    if (!proxy->listener) {
        loop_stop(proxy->rooms.loop);
        return;
    }
    log_info("app", "ending: %u clients are told", proxy->rooms.nsessions);
    listener_close(proxy->listener);
    proxy->listener = NULL;
    session_end_all(&proxy->rooms);
    for (unsigned i = 0; i < proxy->rooms.ndatabases; i++)
        close_database(&proxy->rooms.databases[i]);
    timer_init(&proxy->ending, proxy->rooms.loop, stop_now, proxy);
    timer_start(&proxy->ending, END_MS * CLOCK_MS);
}

static void caught(void *owner, int number)
{
    if (number == SIGHUP)
        reload_by_signal(owner);
    else
        end(owner);
}

static void catch_signals(struct proxy *proxy)
{
    static const int numbers[SIGNALS] = {SIGHUP, SIGTERM, SIGINT};

    signal(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < SIGNALS; i++)
        proxy->signals[i] = loop_signal_new(proxy->rooms.loop, numbers[i], caught, proxy);
}

/* Every client may need a server beside its own descriptor. */
static void raise_descriptors(const struct settings *settings)
{
    struct rlimit limit;
    rlim_t wanted = settings->listen.max_clients * 2 + 256;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted)
        log_warning("app", "only %llu open files are allowed, listen.max_clients %u may need %llu",
                    (unsigned long long)limit.rlim_cur, settings->listen.max_clients,
                    (unsigned long long)wanted);
}

static bool open_rooms(struct proxy *proxy)
{
    struct rooms *rooms = &proxy->rooms;

    rooms->loop = loop_new();
    ring_init(&rooms->sessions);
    ring_init(&rooms->spare);
    prepare_records(proxy);
    catch_signals(proxy);
    raise_descriptors(proxy->settings);
    if (!add_users(proxy) || !open_cache(proxy) || !open_databases(proxy))
        return false;
    apply(proxy);
    return open_http(proxy) && open_listener(proxy);
}

static void close_rooms(struct proxy *proxy)
{
    struct rooms *rooms = &proxy->rooms;

    if (proxy->listener)
        end(proxy);
    timer_close(&proxy->ending);
    http_free(proxy->http);
    for (unsigned i = 0; i < SIGNALS; i++)
        loop_signal_close(proxy->signals[i]);
    for (unsigned i = 0; rooms->databases && i < rooms->ndatabases; i++)
        close_database(&rooms->databases[i]);
    for (unsigned i = 0; rooms->databases && i < rooms->ndatabases; i++)
        if (rooms->databases[i].rooms)
            free_database(&rooms->databases[i]);
    if (rooms->cache)
        cache_free(rooms->cache);
    loop_run(rooms->loop);
    loop_free(rooms->loop);
    request_free_spare(rooms);
    buf_clear(&rooms->scratch);
    map_clear(&rooms->keys);
    mem_free(rooms->databases);
    users_free(rooms->users);
    gates_free(rooms->gates);
    if (rooms->rules)
        rules_unref(rooms->rules);
    meter_clear(&proxy->meter);
}

int proxy_run(const char *path)
{
    struct proxy proxy = {.path = path};
    struct diag diag = {.file = path};
    bool good;

    proxy.settings = settings_load(path, &diag);
    if (!proxy.settings) {
        check_print(&diag);
        return 1;
    }
    good = open_rooms(&proxy);
    if (good) {
        log_info("app", "pgtier %s listens on %s port %d", PGTIER_VERSION,
                 proxy.settings->listen.address, listener_port(proxy.listener));
        loop_run(proxy.rooms.loop);
    }
    close_rooms(&proxy);
    settings_free(proxy.settings);
    log_info("app", "ended");
    return good ? 0 : 1;
}
