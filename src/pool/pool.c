/* Lends servers out. A server is in one ring of its pool by its state and moves by move() alone.
 * Waiters are served in the order they came; a server given back goes to the first of them
 * directly. */
#include "pool/pool.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

enum { STATES = SERVER_CLOSING + 1 };

static const int64_t janitor_period = CLOCK_SEC;

struct pool_set {
    struct loop *loop;
    struct pool_settings settings;
    struct map pools;
    struct map pids;   /* struct server.by_pid */
    struct ring order; /* struct pool.order */
    struct timer janitor;
    uint64_t numbers;
    unsigned servers; /* all there are, closing ones too */
    bool freeing;
};

struct pool {
    struct map_link link;
    struct ring order;
    struct pool_set *set;
    struct pool_place place;
    struct ring servers[STATES]; /* struct server.link */
    struct ring own;             /* .. of those that are one holder's, in whatever state */
    unsigned counts[STATES];
    struct ring waiters; /* struct take.link */
    unsigned waiting;
    struct timer timeout; /* of the first waiter */
    struct buf welcome;
    struct accepted accepted;
    uint64_t takes, waits, wait_ns, timeouts, login_failures, servers_made;
};

static void move(struct server *server, enum server_state to)
{
    struct pool *pool = server->pool;

    if (server->own) {
        if (ring_empty(&server->link))
            ring_append(&pool->own, &server->link);
        if (server->state != to)
            server_enter(server, to);
        return;
    }
    if (!ring_empty(&server->link)) {
        ring_leave(&server->link);
        /* The state it had is told by where it was counted, not by server->state, which
         * server_close has changed already. */
        pool->counts[server->counted]--;
    }
    server->counted = (uint8_t)to;
    pool->counts[to]++;
    if (to == SERVER_IDLE)
        ring_prepend(&pool->servers[to], &server->link);
    else
        ring_append(&pool->servers[to], &server->link);
    if (server->state != to)
        server_enter(server, to);
}

static unsigned occupied(const struct pool *pool)
{
    return pool->counts[SERVER_LOGIN] + pool->counts[SERVER_IDLE] + pool->counts[SERVER_TAKEN] +
           pool->counts[SERVER_RESET];
}

static const struct server_keeper keeper;

static void make_server(struct pool *pool)
{
    struct pool_set *set = pool->set;
    struct server *server = server_new(set->loop, &pool->place, &keeper, pool, ++set->numbers);

    set->servers++;
    pool->servers_made++;
    move(server, SERVER_LOGIN);
}

/* Logs in as many servers as there are waiters that nobody is on the way for, within the size. */
static void make_servers(struct pool *pool)
{
    while (!pool->set->freeing && pool->counts[SERVER_LOGIN] < pool->waiting &&
           occupied(pool) < pool->set->settings.size)
        make_server(pool);
}

static void watch_first(struct pool *pool)
{
    struct ring *first = ring_first(&pool->waiters);
    struct take *take;

    if (!first) {
        timer_stop(&pool->timeout);
        return;
    }
    take = RING_OF(first, struct take, link);
    timer_start(&pool->timeout,
                take->since + pool->set->settings.wait_timeout - loop_now(pool->set->loop));
}

static void stop_waiting(struct take *take)
{
    struct pool *pool = take->pool;

    ring_leave(&take->link);
    pool->waiting--;
    pool->wait_ns += (uint64_t)(loop_now(pool->set->loop) - take->since);
    watch_first(pool);
}

static void lend(struct pool *pool, struct server *server, struct take *take)
{
    move(server, SERVER_TAKEN);
    take->server = server;
    pool->takes++;
}

/* The server is as new: for the first waiter, or to rest. */
static void offer(struct server *server)
{
    struct pool *pool = server->pool;
    struct ring *first = ring_first(&pool->waiters);
    struct take *take;

    if (pool->set->freeing) {
        server_close(server);
        move(server, SERVER_CLOSING);
        return;
    }
    if (!first) {
        move(server, SERVER_IDLE);
        return;
    }
    take = RING_OF(first, struct take, link);
    stop_waiting(take);
    lend(pool, server, take);
    take->done(take, NULL);
}

static void refuse_first(struct pool *pool, const struct err *err)
{
    struct ring *first = ring_first(&pool->waiters);
    struct take *take;

    if (!first)
        return;
    take = RING_OF(first, struct take, link);
    stop_waiting(take);
    take->done(take, err);
}

/* Whom it is for has its server, or hears why not. */
static void settle_own(struct server *server, const struct err *err)
{
    struct take *take = server->taker;

    move(server, err ? SERVER_CLOSING : SERVER_TAKEN);
    server->taker = NULL;
    if (!take)
        return;
    take->coming = NULL;
    take->server = err ? NULL : server;
    take->done(take, err);
}

static uint64_t hash_pid(uint32_t pid)
{
    return hash_join(pid, 0);
}

static void keep_ready(struct server *server)
{
    struct pool *pool = server->pool;

    if (server->own) {
        settle_own(server, NULL);
        return;
    }
    if (!slice_same(buf_slice(&pool->welcome), buf_slice(&server->welcome))) {
        accepted_clear(&pool->accepted);
        buf_clear(&pool->welcome);
        buf_put_slice(&pool->welcome, buf_slice(&server->welcome));
    }
    buf_clear(&server->welcome);
    map_add(&pool->set->pids, &server->by_pid, hash_pid(server->pid));
    server->known = true;
    offer(server);
}

/* The first waiter hears why; the others get a server of their own tried. */
static void keep_refused(struct server *server, const struct err *err)
{
    struct pool *pool = server->pool;

    pool->login_failures++;
    log_warning("pool", "server %s for \"%s\": %s", pool->place.node, pool->place.user,
                err->message);
    if (server->own) {
        settle_own(server, err);
        return;
    }
    move(server, SERVER_CLOSING);
    refuse_first(pool, err);
    make_servers(pool);
}

static void keep_settled(struct server *server)
{
    if (!server->worn) {
        offer(server);
        return;
    }
    server_close(server);
    move(server, SERVER_CLOSING);
    make_servers(server->pool);
}

static void keep_gone(struct server *server)
{
    struct pool *pool = server->pool;

    move(server, SERVER_CLOSING);
    make_servers(pool);
}

static void free_set(struct pool_set *set);

static void keep_freed(struct server *server)
{
    struct pool *pool = server->pool;
    struct pool_set *set = pool->set;

    ring_leave(&server->link);
    if (server->known)
        map_remove(&set->pids, &server->by_pid);
    if (!server->own)
        pool->counts[server->counted]--;
    set->servers--;
    if (set->freeing && !set->servers)
        free_set(set);
}

static const struct server_keeper keeper = {keep_ready, keep_refused, keep_settled, keep_gone,
                                            keep_freed};

static void over_time(struct timer *timer)
{
    struct pool *pool = timer->owner;
    int64_t limit = pool->set->settings.wait_timeout;
    struct ring *first;
    struct err err;

    err_set(&err, "53300", "no server of %s became free for user \"%s\" within %lld ms",
            pool->place.node, pool->place.user, (long long)(limit / CLOCK_MS));
    err_detail(&err, "pool.size is %u, %u are in use and %u clients wait.",
               pool->set->settings.size, pool->counts[SERVER_TAKEN], pool->waiting);
    err_hint(&err, "Raise pool.size or pool.wait_timeout, or shorten transactions.");
    while ((first = ring_first(&pool->waiters))) {
        struct take *take = RING_OF(first, struct take, link);

        if (loop_now(pool->set->loop) - take->since < limit)
            break;
        pool->timeouts++;
        refuse_first(pool, &err);
    }
    watch_first(pool);
}

static void close_old(struct pool *pool)
{
    int64_t now = loop_now(pool->set->loop);
    const struct pool_settings *settings = &pool->set->settings;

    RING_EACH(link, after, &pool->servers[SERVER_IDLE])
    {
        struct server *server = RING_OF(link, struct server, link);

        if (now - server->since < settings->idle_timeout && occupied(pool) <= settings->size)
            continue;
        server_close(server);
        move(server, SERVER_CLOSING);
    }
}

static void close_late(struct pool *pool, struct ring *servers)
{
    int64_t now = loop_now(pool->set->loop);
    struct err err;

    err_set(&err, "08006", "server %s did not finish the login in time", pool->place.node);
    RING_EACH(link, after, servers)
    {
        struct server *server = RING_OF(link, struct server, link);

        /* The dialling has its own limit; this one is for what comes after. */
        if (server->state != SERVER_LOGIN ||
            now - server->made < 2 * pool->set->settings.connect_timeout)
            continue;
        server_login_failed(server, &err);
        break; /* the waiter that hears of it may have changed the ring: the rest next time */
    }
}

static void clean(struct timer *timer)
{
    struct pool_set *set = timer->owner;

    RING_EACH(link, after, &set->order)
    {
        struct pool *pool = RING_OF(link, struct pool, order);

        close_old(pool);
        close_late(pool, &pool->servers[SERVER_LOGIN]);
        close_late(pool, &pool->own);
    }
}

struct pool_set *pool_set_new(struct loop *loop, const struct pool_settings *settings)
{
    struct pool_set *set = mem_new(sizeof(*set));

    set->loop = loop;
    set->settings = *settings;
    ring_init(&set->order);
    timer_init(&set->janitor, loop, clean, set);
    timer_repeat(&set->janitor, janitor_period);
    return set;
}

static unsigned vacate(struct pool *pool)
{
    unsigned count = 0;

    RING_EACH(link, after, &pool->servers[SERVER_IDLE])
    {
        struct server *server = RING_OF(link, struct server, link);

        server_close(server);
        move(server, SERVER_CLOSING);
        count++;
    }
    return count;
}

unsigned pool_set_vacate(struct pool_set *set, const char *dbname)
{
    unsigned count = 0;

    RING_EACH(link, after, &set->order)
    {
        struct pool *pool = RING_OF(link, struct pool, order);

        if (strcmp(pool->place.dbname, dbname) == 0)
            count += vacate(pool);
    }
    return count;
}

void pool_set_change(struct pool_set *set, const struct pool_settings *settings)
{
    set->settings = *settings;
    RING_EACH(link, after, &set->order)
    make_servers(RING_OF(link, struct pool, order));
}

static void free_pool(struct pool *pool)
{
    timer_close(&pool->timeout);
    buf_clear(&pool->welcome);
    accepted_clear(&pool->accepted);
    mem_free((void *)pool->place.user);
    mem_free((void *)pool->place.password);
    mem_free(pool);
}

static void free_set(struct pool_set *set)
{
    RING_EACH(link, after, &set->order)
    free_pool(RING_OF(link, struct pool, order));
    map_clear(&set->pools);
    map_clear(&set->pids);
    mem_free(set);
}

static void close_all(struct pool *pool)
{
    for (unsigned state = 0; state < SERVER_CLOSING; state++) {
        RING_EACH(link, after, &pool->servers[state])
        {
            struct server *server = RING_OF(link, struct server, link);

            server_close(server);
            move(server, SERVER_CLOSING);
        }
    }
    RING_EACH(link, after, &pool->own)
    server_close(RING_OF(link, struct server, link));
}

void pool_set_free(struct pool_set *set)
{
    set->freeing = true;
    timer_close(&set->janitor);
    RING_EACH(link, after, &set->order)
    close_all(RING_OF(link, struct pool, order));
    if (!set->servers)
        free_set(set);
}

struct server *pool_set_server(struct pool_set *set, const char *node, uint32_t pid)
{
    for (struct map_link *at = map_first(&set->pids, hash_pid(pid)); at; at = map_next(at)) {
        struct server *server = MAP_OF(at, struct server, by_pid);

        if (server->pid == pid && strcmp(server->place->node, node) == 0)
            return server;
    }
    return NULL;
}

static bool is_same(const struct pool_place *a, const struct pool_place *b)
{
    return strcmp(a->node, b->node) == 0 && strcmp(a->dbname, b->dbname) == 0 &&
           strcmp(a->user, b->user) == 0;
}

static uint64_t hash_of(const struct pool_place *place)
{
    uint64_t hash = hash_slice(slice_text(place->node));

    hash = hash_join(hash, hash_slice(slice_text(place->dbname)));
    return hash_join(hash, hash_slice(slice_text(place->user)));
}

static struct pool *find_pool(struct pool_set *set, const struct pool_place *place, uint64_t hash)
{
    for (struct map_link *at = map_first(&set->pools, hash); at; at = map_next(at)) {
        struct pool *pool = MAP_OF(at, struct pool, link);

        if (is_same(&pool->place, place))
            return pool;
    }
    return NULL;
}

/* A reload may have brought another one: it is for the logins to come. */
static void take_password(struct pool *pool, const char *password)
{
    const char *before = pool->place.password;

    if (before == password || (before && password && strcmp(before, password) == 0))
        return;
    mem_free((void *)before);
    pool->place.password = password ? mem_text(password, strlen(password)) : NULL;
}

struct pool *pool_of(struct pool_set *set, const struct pool_place *place)
{
    uint64_t hash = hash_of(place);
    struct pool *pool = find_pool(set, place, hash);

    if (pool) {
        take_password(pool, place->password);
        return pool;
    }
    pool = mem_new(sizeof(*pool));
    pool->set = set;
    pool->place = *place;
    pool->place.connect_timeout = set->settings.connect_timeout;
    pool->place.user = mem_text(place->user, strlen(place->user));
    pool->place.password =
        place->password ? mem_text(place->password, strlen(place->password)) : NULL;
    for (unsigned state = 0; state < STATES; state++)
        ring_init(&pool->servers[state]);
    ring_init(&pool->waiters);
    ring_init(&pool->own);
    accepted_init(&pool->accepted);
    timer_init(&pool->timeout, set->loop, over_time, pool);
    map_add(&set->pools, &pool->link, hash);
    ring_append(&set->order, &pool->order);
    return pool;
}

static struct ring *find_idle(struct pool *pool, uint64_t same)
{
    struct ring *idle = &pool->servers[SERVER_IDLE];

    for (struct ring *at = idle->next; same && at != idle; at = at->next)
        if (RING_OF(at, struct server, link)->number == same)
            return at;
    return ring_first(idle);
}

enum take_verdict pool_take(struct pool *pool, struct take *take, uint64_t same)
{
    struct ring *idle = find_idle(pool, same);

    take->pool = pool;
    take->server = NULL;
    ring_init(&take->link);
    if (idle && !pool->waiting) {
        lend(pool, RING_OF(idle, struct server, link), take);
        return TAKE_HAVE;
    }
    take->since = loop_now(pool->set->loop);
    ring_append(&pool->waiters, &take->link);
    pool->waiting++;
    pool->waits++;
    if (pool->waiting == 1)
        watch_first(pool);
    make_servers(pool);
    return TAKE_WAIT;
}

void pool_take_own(struct pool *pool, struct take *take, struct slice options)
{
    struct pool_set *set = pool->set;
    struct server *server = server_new(set->loop, &pool->place, &keeper, pool, ++set->numbers);

    server->own = true;
    server->taker = take;
    server->options = slice_of(mem_text(options.at, options.len), options.len);
    set->servers++;
    pool->servers_made++;
    pool->takes++;
    move(server, SERVER_LOGIN);
    take->pool = pool;
    take->server = NULL;
    take->coming = server;
    ring_init(&take->link);
}

void pool_give(struct take *take, bool used)
{
    struct server *server = take->server;

    if ((!used && !owed_none(&server->owed)) || server->own || server->worn ||
        server->owed.doubtful || vars_hurried(&server->vars)) {
        pool_drop(take);
        return;
    }
    take->server = NULL;
    server_release(server);
    if (used) {
        move(server, SERVER_RESET);
        server_reset(server);
    } else if (!ring_empty(&server->cancels)) {
        move(server, SERVER_RESET);
    } else {
        offer(server);
    }
}

void pool_drop(struct take *take)
{
    struct server *server = take->server;
    struct pool *pool = take->pool;

    take->server = NULL;
    server_close(server);
    move(server, SERVER_CLOSING);
    make_servers(pool);
}

void pool_leave(struct take *take)
{
    if (take->server) {
        pool_drop(take);
    } else if (take->coming) {
        take->coming->taker = NULL;
        server_close(take->coming);
        move(take->coming, SERVER_CLOSING);
        take->coming = NULL;
    } else if (take->pool && !ring_empty(&take->link)) {
        stop_waiting(take);
    }
}

const struct buf *pool_welcome(const struct pool *pool)
{
    return buf_len(&pool->welcome) ? &pool->welcome : NULL;
}

struct accepted *pool_accepted(struct pool *pool)
{
    return &pool->accepted;
}

static int64_t longest_wait(struct pool *pool)
{
    struct ring *first = ring_first(&pool->waiters);

    return first ? loop_now(pool->set->loop) - RING_OF(first, struct take, link)->since : 0;
}

void pool_set_each(struct pool_set *set,
                   void (*each)(void *with, const struct pool_figures *figures), void *with)
{
    RING_EACH(link, after, &set->order)
    {
        struct pool *pool = RING_OF(link, struct pool, order);
        struct pool_figures figures = {
            .place = &pool->place,
            .size = set->settings.size,
            .idle = pool->counts[SERVER_IDLE],
            .taken = pool->counts[SERVER_TAKEN],
            .logins = pool->counts[SERVER_LOGIN] + pool->counts[SERVER_RESET],
            .waiting = pool->waiting,
            .longest_wait = longest_wait(pool),
            .takes = pool->takes,
            .waits = pool->waits,
            .wait_ns = pool->wait_ns,
            .timeouts = pool->timeouts,
            .login_failures = pool->login_failures,
            .servers_made = pool->servers_made,
        };

        each(with, &figures);
    }
}

void pool_set_servers(struct pool_set *set,
                      void (*each)(void *with, const struct pool_place *place,
                                   const struct server *server),
                      void *with)
{
    RING_EACH(link, after, &set->order)
    {
        struct pool *pool = RING_OF(link, struct pool, order);

        for (unsigned state = 0; state < SERVER_CLOSING; state++) {
            RING_EACH(at, next, &pool->servers[state])
            each(with, &pool->place, RING_OF(at, struct server, link));
        }
        RING_EACH(at, next, &pool->own)
        {
            const struct server *server = RING_OF(at, struct server, link);

            if (server->state != SERVER_CLOSING)
                each(with, &pool->place, server);
        }
    }
}
