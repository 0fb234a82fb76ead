/* hiredis's async connection on our loop. It knows neither names nor timeouts nor coming back:
 * names are resolved first, every request has a deadline, and a connection that misses one is
 * dropped with all that was asked over it. Replies come in the order of the requests, so the first
 * one's deadline is the only one to watch. */
#include "net/redis.h"

#include "base/clock.h"
#include "base/crypt.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/ring.h"
#include "net/loop.h"
#include "net/resolve.h"

#include <hiredis/async.h>
#include <stdio.h>
#include <stdlib.h>

#define CONNECT_TIMEOUT (2 * CLOCK_SEC)
#define FIRST_DELAY     (100 * CLOCK_MS)
#define LAST_DELAY      (5 * CLOCK_SEC)
enum { MAX_UNANSWERED = 16 * 1024 * 1024 }; /* bytes of requests */

enum { SENTINEL_PORT = 26379 };

enum state { DOWN, RESOLVING, CONNECTING, GREETING, UP };

struct redis {
    struct loop *loop;
    char *host, *user, *password;
    char *master, *sentinels; /* NULL: no Sentinel is asked, or no further one */
    char *at;                 /* the host that is connected to, or is about to be */
    int at_port;
    bool asking; /* that is a Sentinel */
    int port, database;
    int64_t timeout, delay;
    enum state state;
    struct resolve *resolve;   /* while RESOLVING */
    redisAsyncContext *server; /* from CONNECTING on */
    struct link *link;         /* of `server` */
    struct ring requests;      /* in the order they were sent */
    size_t unanswered;         /* bytes of them */
    unsigned attempts;         /* so that each goes to the next of several addresses */
    unsigned turn;             /* which Sentinel is next */
    unsigned greetings;        /* replies to our login that are still owed */
    struct timer timer;        /* DOWN: try again; UP: the first deadline; between: connecting */
    bool timing;               /* UP: the timer runs */
    bool told;                 /* the log knows that the server is away */
    bool complained;           /* the log knows that it refuses what we ask */
};

struct request {
    struct redis *redis;
    struct ring ring;
    struct redis_ask *ask;         /* NULL: a SET, or forgotten */
    struct redis_scan *scan;       /* NULL: none */
    struct redis_command *command; /* NULL: none */
    int64_t deadline;
    size_t bytes;
};

/* hiredis's wishes for events of one connection, as one watch. */
struct link {
    struct redis *redis;
    redisAsyncContext *server;
    struct watch watch;
    int events;
};

static void start(struct redis *redis);
static void drop(struct redis *redis, const char *why);

/* Events. */

static void become_ready(struct watch *watch, int events)
{
    struct link *link = watch->owner;
    struct redis *redis = link->redis;

    if (events & WATCH_READ)
        redisAsyncHandleRead(link->server);
    if (redis->link != link)
        return; /* that was its end */
    if (events & WATCH_WRITE)
        redisAsyncHandleWrite(link->server);
}

static void want(struct link *link, int events)
{
    if (events == link->events)
        return;
    link->events = events;
    watch_set(&link->watch, events);
}

static void add_read(void *with)
{
    struct link *link = with;

    want(link, link->events | WATCH_READ);
}

static void del_read(void *with)
{
    struct link *link = with;

    want(link, link->events & ~WATCH_READ);
}

static void add_write(void *with)
{
    struct link *link = with;

    want(link, link->events | WATCH_WRITE);
}

static void del_write(void *with)
{
    struct link *link = with;

    want(link, link->events & ~WATCH_WRITE);
}

/* hiredis calls this before it closes the descriptor. */
static void clean_up(void *with)
{
    struct link *link = with;

    watch_close(&link->watch);
    if (link->redis->link == link)
        link->redis->link = NULL;
    link->server->ev.data = NULL;
    mem_free(link);
}

static bool attach(struct redis *redis, redisAsyncContext *server)
{
    struct link *link = mem_new(sizeof(*link));

    link->redis = redis;
    link->server = server;
    if (!watch_init(&link->watch, redis->loop, server->c.fd, become_ready, link)) {
        mem_free(link);
        return false;
    }
    redis->link = link;
    server->ev.data = link;
    server->ev.addRead = add_read;
    server->ev.delRead = del_read;
    server->ev.addWrite = add_write;
    server->ev.delWrite = del_write;
    server->ev.cleanup = clean_up;
    return true;
}

/* Being away and coming back. */

/* Between half of the delay and all of it, so that a fleet does not come back in step. */
static int64_t jittered(int64_t delay)
{
    uint32_t random;

    crypt_random(&random, sizeof(random));
    return delay / 2 + delay / 2 * (int64_t)(random >> 8) / (1 << 24);
}

static void tell(struct redis *redis, const char *why)
{
    if (!redis->told)
        log_warning("redis", "%s:%d is away: %s", redis->at, redis->at_port, why);
    redis->told = true;
}

/* The connection is no more; its requests have been answered or are about to be by hiredis. */
static void lose(struct redis *redis, const char *why)
{
    if (redis->state == DOWN)
        return;
    tell(redis, why);
    redis->state = DOWN;
    redis->server = NULL;
    redis->timing = false;
    timer_start(&redis->timer, jittered(redis->delay));
    redis->delay = redis->delay * 2 < LAST_DELAY ? redis->delay * 2 : LAST_DELAY;
}

static void drop(struct redis *redis, const char *why)
{
    redisAsyncContext *server = redis->server;

    lose(redis, why);
    if (server)
        redisAsyncFree(server); /* answers all requests with nothing */
}

static void connected(const redisAsyncContext *server, int status);
static void disconnected(const redisAsyncContext *server, int status);

static const char *fault_of(const redisAsyncContext *server)
{
    return server->err ? server->errstr : "the server closed the connection";
}

static void connect_to(struct redis *redis, const char *address)
{
    redisAsyncContext *server = *address == '/' ? redisAsyncConnectUnix(address)
                                                : redisAsyncConnect(address, redis->at_port);

    if (!server || server->err || !attach(redis, server)) {
        char why[128];

        snprintf(why, sizeof(why), "%s",
                 server && server->err ? server->errstr : "no connection could be made");
        if (server)
            redisAsyncFree(server);
        lose(redis, why);
        return;
    }
    redis->server = server;
    redis->state = CONNECTING;
    server->data = redis;
    redisAsyncSetDisconnectCallback(server, disconnected);
    redisAsyncSetConnectCallback(server, connected);
    timer_start(&redis->timer, CONNECT_TIMEOUT);
}

static void resolved(void *owner, const struct addresses *addresses, const char *why)
{
    struct redis *redis = owner;

    redis->resolve = NULL;
    if (addresses->count > 0)
        connect_to(redis, addresses->at[redis->attempts++ % addresses->count]);
    else
        lose(redis, why);
}

static void go_to(struct redis *redis, const char *host, size_t len, int port)
{
    mem_free(redis->at);
    redis->at = mem_text(host, len);
    redis->at_port = port;
    redis->state = RESOLVING;
    if (*redis->at == '/')
        connect_to(redis, redis->at);
    else
        redis->resolve = resolve_start(redis->loop, redis->at, resolved, redis);
}

/* "host", "host:port" or "[address]:port", the `len` bytes of it. */
static void go_to_sentinel(struct redis *redis, const char *text, size_t len)
{
    const char *colon = memrchr(text, ':', len);
    bool bare = colon && memchr(text, ':', len) != colon && text[0] != '['; /* an IPv6 address */
    int port = colon && !bare ? atoi(colon + 1) : 0;
    size_t host = colon && !bare ? (size_t)(colon - text) : len;

    if (host > 2 && text[0] == '[' && text[host - 1] == ']') {
        text++;
        host -= 2;
    }
    go_to(redis, text, host, port > 0 ? port : SENTINEL_PORT);
}

static void start(struct redis *redis)
{
    const char *at = redis->sentinels;
    unsigned nth;

    redis->asking = redis->master != NULL;
    if (!redis->asking || !at) {
        go_to(redis, redis->host, strlen(redis->host), redis->port);
        return;
    }
    /* One after the other: the first one, then those of the list. */
    for (nth = redis->turn++; nth > 0 && at; nth--) {
        size_t len = strcspn(at, ",");

        if (nth == 1) {
            go_to_sentinel(redis, at, len);
            return;
        }
        at = at[len] ? at + len + 1 : NULL;
    }
    redis->turn = 1;
    go_to(redis, redis->host, strlen(redis->host), redis->port);
}

static void disconnected(const redisAsyncContext *server, int status)
{
    struct redis *redis = server->data;

    (void)status;
    if (redis->server == server)
        lose(redis, fault_of(server));
}

/* Login. */

static void come_up(struct redis *redis)
{
    timer_stop(&redis->timer);
    redis->state = UP;
    redis->timing = redis->complained = false;
    if (redis->told)
        log_info("redis", "%s:%d is back", redis->at, redis->at_port);
    redis->told = false;
}

static void greeted(redisAsyncContext *server, void *reply, void *with)
{
    struct redis *redis = with;
    redisReply *answer = reply;

    if (!answer || redis->server != server)
        return;
    if (answer->type == REDIS_REPLY_ERROR)
        drop(redis, answer->str);
    else if (--redis->greetings == 0)
        come_up(redis);
}

/* One that was the master may be a replica now, and takes no entries. */
static void told_role(redisAsyncContext *server, void *reply, void *with)
{
    struct redis *redis = with;
    redisReply *answer = reply;

    if (answer && redis->server == server && answer->type == REDIS_REPLY_ARRAY &&
        answer->elements > 0 && answer->element[0]->type == REDIS_REPLY_STRING &&
        strcmp(answer->element[0]->str, "master") != 0)
        drop(redis, "it is no master any more");
    else
        greeted(server, reply, with);
}

/* Leaves out what there is no need for; PING shows that the server serves. */
static void greet(struct redis *redis)
{
    redisAsyncContext *server = redis->server;
    char database[16];

    redis->state = GREETING;
    redis->greetings = 1;
    snprintf(database, sizeof(database), "%d", redis->database);
    if (redis->password) {
        const char *words[] = {"AUTH", redis->user ? redis->user : redis->password,
                               redis->password};

        redis->greetings++;
        redisAsyncCommandArgv(server, greeted, redis, redis->user ? 3 : 2, words, NULL);
    }
    if (redis->database > 0) {
        redis->greetings++;
        redisAsyncCommand(server, greeted, redis, "SELECT %s", database);
    }
    if (redis->master) {
        redis->greetings++;
        redisAsyncCommand(server, told_role, redis, "ROLE");
    }
    redisAsyncCommand(server, greeted, redis, "PING");
}

/* The Sentinel's word: address and port, or nothing. It is left for the master. */
static void told_master(redisAsyncContext *server, void *reply, void *with)
{
    struct redis *redis = with;
    redisReply *answer = reply, *host, *port;

    if (!answer || redis->server != server)
        return;
    if (answer->type != REDIS_REPLY_ARRAY || answer->elements != 2 ||
        answer->element[0]->type != REDIS_REPLY_STRING ||
        answer->element[1]->type != REDIS_REPLY_STRING) {
        drop(redis, answer->type == REDIS_REPLY_ERROR ? answer->str
                                                      : "this Sentinel knows no such master");
        return;
    }
    host = answer->element[0];
    port = answer->element[1];
    redis->server = NULL;
    redis->asking = false;
    redisAsyncDisconnect(server);
    go_to(redis, host->str, host->len, atoi(port->str));
}

static void ask_sentinel(struct redis *redis)
{
    redisAsyncCommand(redis->server, told_master, redis, "SENTINEL get-master-addr-by-name %s",
                      redis->master);
}

static void connected(const redisAsyncContext *server, int status)
{
    struct redis *redis = server->data;

    if (redis->server != server)
        return;
    if (status == REDIS_OK && redis->asking)
        ask_sentinel(redis);
    else if (status == REDIS_OK)
        greet(redis);
    else
        lose(redis, fault_of(server)); /* hiredis frees it when we return */
}

static void watch_deadlines(struct redis *redis)
{
    struct ring *first = ring_first(&redis->requests);
    int64_t now = loop_now(redis->loop);
    struct request *request = RING_OF(first, struct request, ring);

    redis->timing = true;
    timer_start(&redis->timer, request->deadline > now ? request->deadline - now : 0);
}

static void fire(struct timer *timer)
{
    struct redis *redis = timer->owner;
    struct ring *first = ring_first(&redis->requests);
    int64_t now = loop_now(redis->loop);

    redis->timing = false;
    if (redis->state == DOWN) {
        start(redis);
    } else if (redis->state != UP) {
        drop(redis, "it does not answer a connection");
    } else if (first) {
        struct request *request = RING_OF(first, struct request, ring);

        if (request->deadline <= now) {
            drop(redis, "it did not answer in time");
            return;
        }
        watch_deadlines(redis);
    }
}

struct redis *redis_new(struct loop *loop, const struct redis_options *options)
{
    struct redis *redis = mem_new(sizeof(*redis));

    redis->loop = loop;
    redis->host = mem_text(options->host, strlen(options->host));
    if (options->user)
        redis->user = mem_text(options->user, strlen(options->user));
    if (options->password)
        redis->password = mem_text(options->password, strlen(options->password));
    if (options->master)
        redis->master = mem_text(options->master, strlen(options->master));
    if (options->sentinels)
        redis->sentinels = mem_text(options->sentinels, strlen(options->sentinels));
    redis->port = options->port;
    redis->database = options->database;
    redis->timeout = options->timeout;
    redis->delay = FIRST_DELAY;
    ring_init(&redis->requests);
    timer_init(&redis->timer, loop, fire, redis);
    start(redis);
    return redis;
}

void redis_free(struct redis *redis)
{
    redisAsyncContext *server = redis->server;
    struct ring *link = redis->requests.next;

    for (; link != &redis->requests; link = link->next) {
        struct request *request = RING_OF(link, struct request, ring);

        if (request->command)
            request->command->request = NULL;
        request->command = NULL;
        request->ask = NULL;
    }
    redis->state = DOWN;
    redis->server = NULL;
    if (redis->resolve)
        resolve_cancel(redis->resolve);
    if (server)
        redisAsyncFree(server);
    timer_close(&redis->timer);
    mem_free(redis->host);
    mem_free(redis->at);
    mem_free(redis->master);
    mem_free(redis->sentinels);
    mem_free(redis->user);
    mem_free(redis->password);
    mem_free(redis);
}

void redis_drop(struct redis *redis, const char *why)
{
    if (redis->state != DOWN)
        drop(redis, why);
}

bool redis_is_up(const struct redis *redis)
{
    return redis->state == UP;
}

/* Requests. */

static void complain(struct redis *redis, const char *text)
{
    if (!redis->complained)
        log_warning("redis", "%s:%d refuses a request: %s", redis->at, redis->at_port, text);
    redis->complained = true;
}

static void take_page(struct redis *redis, struct redis_scan *scan, const redisReply *page);

static void replied(redisAsyncContext *server, void *reply, void *with)
{
    struct request *request = with;
    struct redis *redis = request->redis;
    struct redis_ask *ask = request->ask;
    struct redis_scan *scan = request->scan;
    struct redis_command *command = request->command;
    redisReply *answer = reply;
    struct slice value = {NULL, 0};
    bool demoted =
        answer && answer->type == REDIS_REPLY_ERROR && strncmp(answer->str, "READONLY", 8) == 0;

    if (!answer && redis->server == server)
        lose(redis, fault_of(server)); /* hiredis is taking it down */
    if (answer)
        redis->delay = FIRST_DELAY; /* not before: one that greets fast may still be slow */
    if (answer && answer->type == REDIS_REPLY_ERROR && !command)
        complain(redis, answer->str);
    if (answer && answer->type == REDIS_REPLY_STRING && answer->str)
        value = slice_of(answer->str, (size_t)answer->len);
    ring_leave(&request->ring);
    redis->unanswered -= request->bytes;
    mem_free(request);
    if (ask)
        ask->done(ask, value);
    if (scan)
        take_page(redis, scan, answer);
    if (command) {
        command->request = NULL;
        command->done(command, reply);
    }
    if (demoted && redis->server == server)
        drop(redis, "it has become a replica");
}

static struct request *send_request(struct redis *redis, struct redis_ask *ask, int count,
                                    const char **words, const size_t *lens)
{
    struct request *request;
    size_t bytes = sizeof(*request);

    for (int i = 0; i < count; i++)
        bytes += lens[i];
    if (redis->state != UP || redis->unanswered + bytes > MAX_UNANSWERED)
        return NULL;
    request = mem_new(sizeof(*request));
    request->redis = redis;
    request->ask = ask;
    request->bytes = bytes;
    request->deadline = loop_now(redis->loop) + redis->timeout;
    ring_init(&request->ring);
    if (redisAsyncCommandArgv(redis->server, replied, request, count, words, lens) != REDIS_OK) {
        mem_free(request);
        return NULL;
    }
    ring_append(&redis->requests, &request->ring);
    redis->unanswered += bytes;
    if (ask)
        ask->request = request;
    if (!redis->timing)
        watch_deadlines(redis);
    return request;
}

bool redis_get(struct redis *redis, struct redis_ask *ask, struct slice key)
{
    const char *words[] = {"GET", (const char *)key.at};
    const size_t lens[] = {3, key.len};

    return send_request(redis, ask, 2, words, lens) != NULL;
}

void redis_forget(struct redis_ask *ask)
{
    struct request *request = ask->request;

    request->ask = NULL;
}

bool redis_set(struct redis *redis, struct slice key, struct slice value, int64_t ttl)
{
    char ms[24];
    const char *words[] = {"SET", (const char *)key.at, (const char *)value.at, "PX", ms};
    size_t lens[] = {3, key.len, value.len, 2, 0};

    lens[4] =
        (size_t)snprintf(ms, sizeof(ms), "%lld", (long long)(ttl < CLOCK_MS ? 1 : ttl / CLOCK_MS));
    return send_request(redis, NULL, 5, words, lens) != NULL;
}

bool redis_unlink(struct redis *redis, struct slice key)
{
    const char *words[] = {"UNLINK", (const char *)key.at};
    const size_t lens[] = {6, key.len};

    return send_request(redis, NULL, 2, words, lens) != NULL;
}

enum redis_kind redis_reply_kind(const struct redis_reply *reply)
{
    const redisReply *answer = (const redisReply *)reply;

    switch (answer ? answer->type : REDIS_REPLY_NIL) {
    case REDIS_REPLY_ERROR:
        return REDIS_FAULT;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        return REDIS_TEXT;
    case REDIS_REPLY_INTEGER:
        return REDIS_NUMBER;
    case REDIS_REPLY_ARRAY:
        return REDIS_LIST;
    default:
        return REDIS_NOTHING;
    }
}

struct slice redis_reply_text(const struct redis_reply *reply)
{
    const redisReply *answer = (const redisReply *)reply;
    enum redis_kind kind = redis_reply_kind(reply);

    return kind == REDIS_TEXT || kind == REDIS_FAULT ? slice_of(answer->str, answer->len)
                                                     : slice_of(NULL, 0);
}

int64_t redis_reply_number(const struct redis_reply *reply)
{
    const redisReply *answer = (const redisReply *)reply;

    if (redis_reply_kind(reply) == REDIS_NUMBER)
        return answer->integer;
    return redis_reply_kind(reply) == REDIS_TEXT ? strtoll(answer->str, NULL, 10) : 0;
}

unsigned redis_reply_count(const struct redis_reply *reply)
{
    const redisReply *answer = (const redisReply *)reply;

    return redis_reply_kind(reply) == REDIS_LIST ? (unsigned)answer->elements : 0;
}

const struct redis_reply *redis_reply_at(const struct redis_reply *reply, unsigned i)
{
    const redisReply *answer = (const redisReply *)reply;

    return i < redis_reply_count(reply) ? (const struct redis_reply *)answer->element[i] : NULL;
}

enum { WORDS_MAX = 16 };

bool redis_send(struct redis *redis, struct redis_command *command, const struct slice *words,
                unsigned count, int64_t timeout)
{
    const char *texts[WORDS_MAX];
    size_t lens[WORDS_MAX];
    struct request *request;

    for (unsigned i = 0; i < count; i++) {
        texts[i] = words[i].len ? (const char *)words[i].at : "";
        lens[i] = words[i].len;
    }
    request = send_request(redis, NULL, (int)count, texts, lens);
    if (!request)
        return false;
    request->command = command;
    command->request = request;
    if (timeout)
        request->deadline = loop_now(redis->loop) + timeout;
    return true;
}

void redis_abandon(struct redis_command *command)
{
    struct request *request = command->request;

    if (request)
        request->command = NULL;
    command->request = NULL;
}

static bool next_page(struct redis *redis, struct redis_scan *scan, const char *cursor)
{
    const char *words[] = {"SCAN", cursor, "MATCH", scan->pattern, "COUNT", "500"};
    const size_t lens[] = {4, strlen(cursor), 5, strlen(scan->pattern), 5, 3};
    struct request *request = send_request(redis, NULL, 6, words, lens);

    if (request)
        request->scan = scan;
    return request != NULL;
}

/* An array of the next cursor, "0" at the end, and of an array of keys. */
static void take_page(struct redis *redis, struct redis_scan *scan, const redisReply *page)
{
    bool good = page && page->type == REDIS_REPLY_ARRAY && page->elements == 2 &&
                page->element[0]->type == REDIS_REPLY_STRING &&
                page->element[1]->type == REDIS_REPLY_ARRAY;

    for (size_t i = 0; good && i < page->element[1]->elements; i++) {
        const redisReply *key = page->element[1]->element[i];

        if (key->type == REDIS_REPLY_STRING)
            scan->found(scan, slice_of(key->str, key->len));
    }
    if (good && strcmp(page->element[0]->str, "0") != 0 &&
        next_page(redis, scan, page->element[0]->str))
        return;
    mem_free(scan->pattern);
    scan->done(scan);
}

bool redis_scan(struct redis *redis, struct redis_scan *scan, const char *pattern)
{
    scan->redis = redis;
    scan->pattern = mem_text(pattern, strlen(pattern));
    if (next_page(redis, scan, "0"))
        return true;
    mem_free(scan->pattern);
    return false;
}
