/* libpq without blocking: PQconnectPoll steps a login, PQsendQuery and single-row mode run one
 * query at a time. Refuses to resolve names through libpq, which would block, and to pipeline: what
 * is asked here is small and rare, and one query in flight is easy to time out. */
#include "net/control.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/resolve.h"

#include <libpq-fe.h>
#include <stdio.h>

enum state { WAITING, RESOLVING, CONNECTING, UP };
enum { ASK_NONE, ASK_QUEUED, ASK_RUNNING };
enum { WHY = 256, TRIES_OF_TLS = 3 };

#define BACKOFF_LEAST (100 * CLOCK_MS)
#define BACKOFF_MOST  (5 * CLOCK_SEC)

struct control {
    struct loop *loop;
    struct control_options options;
    char *url, *name;
    enum state state;
    struct timer timer; /* by state: the next attempt, or when to give up */
    int64_t backoff;
    int64_t rest; /* loop time before which nothing is dialled */
    unsigned attempts;
    struct resolve *resolve;
    char address[RESOLVE_TEXT]; /* empty: a Unix socket, or hostaddr was given */
    PGconn *conn;
    struct watch watch;
    struct control_ask *first, *last;
    bool busy;                   /* libpq works on a query, forgotten or not */
    bool streams;                /* .. which goes on for as long as the connection does */
    struct control_ask *running; /* NULL where it was forgotten */
    char fault[WHY];             /* of the running query; empty: none */
    char notice[WHY];            /* the last FATAL that came unasked */
    bool doomed;                 /* the timer drops the connection, because of `fault` */
};

/* The first line of what libpq says. */
static void note(char to[WHY], const char *text)
{
    snprintf(to, WHY, "%.*s", (int)strcspn(text, "\n"), text);
}

static void push(struct control *control, struct control_ask *ask)
{
    ask->next = NULL;
    ask->state = ASK_QUEUED;
    if (control->last)
        control->last->next = ask;
    else
        control->first = ask;
    control->last = ask;
}

static void unlink_ask(struct control *control, struct control_ask *ask)
{
    struct control_ask *before = NULL;

    for (struct control_ask *at = control->first; at != ask; at = at->next)
        before = at;
    if (before)
        before->next = ask->next;
    else
        control->first = ask->next;
    if (control->last == ask)
        control->last = before;
    ask->next = NULL;
    ask->state = ASK_NONE;
}

static void tell_failed(struct control *control, const char *why)
{
    struct control_ask *ask = control->running;

    control->running = NULL;
    if (ask) {
        ask->state = ASK_NONE;
        ask->failed(ask->owner, why);
    }
}

static void fail_all(struct control *control, const char *why)
{
    tell_failed(control, why);
    while (control->first) {
        struct control_ask *ask = control->first;

        unlink_ask(control, ask);
        ask->failed(ask->owner, why);
    }
}

static void hang_up(struct control *control)
{
    watch_close(&control->watch);
    if (control->resolve)
        resolve_cancel(control->resolve);
    control->resolve = NULL;
    PQfinish(control->conn);
    control->conn = NULL;
    control->busy = control->streams = false;
    control->doomed = false;
    control->state = WAITING;
}

/* Between 3/4 and 5/4 of the back-off, so that many proxies don't knock at once. */
static int64_t jittered(int64_t backoff)
{
    return backoff * 3 / 4 + clock_now() % (backoff / 2);
}

static void drop(struct control *control, const char *text)
{
    int64_t rest = control->rest - loop_now(control->loop), pause = jittered(control->backoff);
    char why[WHY];

    note(why, control->notice[0] ? control->notice : text);
    hang_up(control);
    timer_start(&control->timer, pause > rest ? pause : rest);
    control->backoff *= 2;
    if (control->backoff > BACKOFF_MOST)
        control->backoff = BACKOFF_MOST;
    fail_all(control, why);
    control->options.down(control->options.owner, why);
}

/* Drops it in the next turn, so that nobody is called from within his own call. libpq may have
 * closed the socket already, so it is no longer watched. */
static void doom(struct control *control, const char *why)
{
    if (control->doomed)
        return;
    watch_close(&control->watch);
    control->doomed = true;
    if (why != control->fault)
        note(control->fault, why);
    timer_start(&control->timer, 0);
}

static void flush(struct control *control)
{
    int rest = PQflush(control->conn);

    if (rest < 0)
        doom(control, PQerrorMessage(control->conn));
    else
        watch_set(&control->watch, rest ? WATCH_READ | WATCH_WRITE : WATCH_READ);
}

static void start_next(struct control *control)
{
    struct control_ask *ask = control->first;

    if (!ask || control->busy || control->doomed || control->state != UP)
        return;
    unlink_ask(control, ask);
    ask->state = ASK_RUNNING;
    control->running = ask;
    control->busy = true;
    control->fault[0] = '\0';
    timer_start(&control->timer, control->options.query_timeout);
    if (!PQsendQuery(control->conn, ask->sql)) {
        doom(control, PQerrorMessage(control->conn));
        return;
    }
    PQsetSingleRowMode(control->conn);
    flush(control);
}

/* The asker may forget his query while he is told of its rows. */
static void tell_rows(struct control *control, const PGresult *result)
{
    struct slice fields[CONTROL_FIELDS];
    int count = PQnfields(result) < CONTROL_FIELDS ? PQnfields(result) : CONTROL_FIELDS;

    for (int row = 0; row < PQntuples(result); row++) {
        for (int i = 0; i < count; i++) {
            bool null = PQgetisnull(result, row, i);

            fields[i] = slice_of(null ? NULL : PQgetvalue(result, row, i),
                                 null ? 0 : (size_t)PQgetlength(result, row, i));
        }
        if (control->running && control->running->row)
            control->running->row(control->running->owner, fields, (unsigned)count);
    }
}

static void start_stream(struct control *control)
{
    control->streams = true;
    control->backoff = BACKOFF_LEAST;
    timer_stop(&control->timer);
}

static void take_result(struct control *control, const PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_SINGLE_TUPLE:
    case PGRES_TUPLES_OK:
        tell_rows(control, result);
        break;
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
        break;
    case PGRES_FATAL_ERROR:
        note(control->fault, PQresultErrorMessage(result));
        break;
    case PGRES_COPY_BOTH:
        if (control->options.streamed) {
            start_stream(control);
            break;
        }
        /* fall through */
    default:
        doom(control, "a control connection was asked to copy");
    }
}

static void finish(struct control *control)
{
    struct control_ask *ask = control->running;

    control->busy = false;
    timer_stop(&control->timer);
    if (control->fault[0]) {
        tell_failed(control, control->fault);
        return;
    }
    control->backoff = BACKOFF_LEAST;
    control->running = NULL;
    if (ask) {
        ask->state = ASK_NONE;
        ask->done(ask->owner);
    }
}

static void hear(struct control *control)
{
    bool any = false;
    PGnotify *notify;

    if (!control->options.heard)
        return;
    while (!control->doomed && (notify = PQnotifies(control->conn))) {
        control->options.heard(control->options.owner, slice_text(notify->relname),
                               slice_text(notify->extra), (uint32_t)notify->be_pid);
        PQfreemem(notify);
        any = true;
    }
    if (any)
        control->options.told(control->options.owner);
}

static void read_stream(struct control *control)
{
    char *data = NULL;
    bool any = false;
    int len = 0;

    while (!control->doomed && (len = PQgetCopyData(control->conn, &data, 1)) > 0) {
        control->options.streamed(control->options.owner, slice_of(data, (size_t)len));
        PQfreemem(data);
        any = true;
    }
    if (any)
        control->options.told(control->options.owner);
    if (len < 0)
        doom(control,
             len == -1 ? "the server has ended the stream" : PQerrorMessage(control->conn));
}

void control_put(struct control *control, struct slice data)
{
    if (!control->streams || control->doomed)
        return;
    if (PQputCopyData(control->conn, (const char *)data.at, (int)data.len) < 0)
        doom(control, PQerrorMessage(control->conn));
    else
        flush(control);
}

static void collect(struct control *control)
{
    while (control->busy && !control->streams && !control->doomed && !PQisBusy(control->conn)) {
        PGresult *result = PQgetResult(control->conn);

        if (result) {
            take_result(control, result);
        } else {
            hear(control);
            finish(control);
        }
        PQclear(result);
    }
    hear(control);
    if (control->streams)
        read_stream(control);
    if (PQstatus(control->conn) == CONNECTION_BAD)
        doom(control, control->fault[0] ? control->fault : PQerrorMessage(control->conn));
    start_next(control);
}

/* With TLS a record may be longer than libpq's buffer had room for; its rest then waits inside
 * OpenSSL, where no poll sees it. */
static bool read_all(struct control *control)
{
    int tries = PQsslInUse(control->conn) ? TRIES_OF_TLS : 1;

    while (tries-- > 0)
        if (!PQconsumeInput(control->conn))
            return false;
    return true;
}

static void work(struct control *control)
{
    if (control->doomed)
        return;
    if (!read_all(control)) {
        PQisBusy(control->conn); /* reads the last words, if any, into `notice` */
        drop(control, PQerrorMessage(control->conn));
        return;
    }
    flush(control);
    collect(control);
}

static void become_up(struct control *control)
{
    timer_stop(&control->timer);
    PQsetnonblocking(control->conn, 1);
    watch_set(&control->watch, WATCH_READ);
    control->state = UP;
    control->options.up(control->options.owner);
}

static void ready(struct watch *watch, int events);

/* libpq may have closed its socket and opened another one, even under the same number: whatever is
 * watched is watched anew after each of its steps. */
static void watch_again(struct control *control, int events)
{
    if (watch_init(&control->watch, control->loop, PQsocket(control->conn), ready, control))
        watch_set(&control->watch, events);
    else
        doom(control, "its socket can't be watched");
}

static void step(struct control *control)
{
    watch_close(&control->watch);
    switch (PQconnectPoll(control->conn)) {
    case PGRES_POLLING_READING:
        watch_again(control, WATCH_READ);
        break;
    case PGRES_POLLING_WRITING:
        watch_again(control, WATCH_WRITE);
        break;
    case PGRES_POLLING_OK:
        watch_again(control, 0);
        if (!control->doomed)
            become_up(control);
        break;
    default:
        drop(control, PQerrorMessage(control->conn));
    }
}

static void ready(struct watch *watch, int events)
{
    struct control *control = watch->owner;

    (void)events; /* libpq finds out itself */
    if (control->state == CONNECTING)
        step(control);
    else
        work(control);
}

/* What comes unasked; a FATAL is why the connection is about to be lost. */
static void hear_notice(void *owner, const PGresult *result)
{
    struct control *control = owner;
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

    if (severity && strcmp(severity, "FATAL") == 0)
        note(control->notice, PQresultErrorMessage(result));
}

static const char *setting(const PQconninfoOption *settings, const char *keyword)
{
    for (; settings->keyword; settings++)
        if (strcmp(settings->keyword, keyword) == 0)
            return settings->val && *settings->val ? settings->val : NULL;
    return NULL;
}

enum { KEYWORDS = 64 };

struct keywords {
    const char *names[KEYWORDS], *values[KEYWORDS];
    unsigned count;
};

static void put(struct keywords *keywords, const char *name, const char *value)
{
    if (!value || !*value || keywords->count == KEYWORDS - 1)
        return;
    keywords->names[keywords->count] = name;
    keywords->values[keywords->count++] = value;
}

/* What comes later wins. Whatever the url leaves open must not come from the environment, where the
 * data path would not look for it. GSSAPI would ask name servers and key distribution centres while
 * the loop stands still. */
static void connect_to(struct control *control, const PQconninfoOption *settings)
{
    struct keywords keywords = {.count = 0};

    put(&keywords, "gssencmode", "disable");
    put(&keywords, "host", "localhost");
    put(&keywords, "port", "5432");
    put(&keywords, "dbname", setting(settings, "user"));
    for (const PQconninfoOption *s = settings; s->keyword; s++)
        put(&keywords, s->keyword, s->val);
    put(&keywords, "hostaddr", control->address);
    put(&keywords, "application_name", control->name);
    put(&keywords, "replication", control->options.replication ? "database" : NULL);
    control->conn = PQconnectStartParams(keywords.names, keywords.values, 0);
}

static void dial(struct control *control, const PQconninfoOption *settings)
{
    connect_to(control, settings);
    control->notice[0] = '\0';
    if (PQstatus(control->conn) == CONNECTION_BAD) {
        drop(control, control->conn ? PQerrorMessage(control->conn) : "out of memory");
        return;
    }
    PQsetNoticeReceiver(control->conn, hear_notice, control);
    control->state = CONNECTING;
    watch_again(control, WATCH_WRITE);
}

/* NULL with `why` where the url is none; free with PQconninfoFree. */
static PQconninfoOption *parse(const struct control *control, char why[WHY])
{
    char *fault = NULL;
    PQconninfoOption *settings = PQconninfoParse(control->url, &fault);

    if (!settings)
        note(why, fault ? fault : "out of memory");
    PQfreemem(fault);
    return settings;
}

static void resolved(void *owner, const struct addresses *addresses, const char *why)
{
    struct control *control = owner;
    PQconninfoOption *settings;
    char fault[WHY];

    control->resolve = NULL;
    if (!addresses->count) {
        drop(control, why);
        return;
    }
    memcpy(control->address, addresses->at[control->attempts++ % addresses->count],
           sizeof(control->address));
    settings = parse(control, fault);
    if (settings)
        dial(control, settings);
    else
        drop(control, fault);
    PQconninfoFree(settings);
}

static void begin(struct control *control)
{
    char fault[WHY];
    PQconninfoOption *settings = parse(control, fault);
    const char *host;

    if (!settings) {
        drop(control, fault);
        return;
    }
    timer_start(&control->timer, control->options.connect_timeout);
    host = setting(settings, "host");
    if (!host)
        host = "localhost";
    control->address[0] = '\0';
    if (setting(settings, "hostaddr") || *host == '/' || *host == '@') {
        dial(control, settings);
    } else {
        control->state = RESOLVING;
        control->resolve = resolve_start(control->loop, host, resolved, control);
    }
    PQconninfoFree(settings);
}

static void tick(struct timer *timer)
{
    struct control *control = timer->owner;
    char why[WHY];

    if (control->doomed) {
        memcpy(why, control->fault, sizeof(why));
        drop(control, why);
    } else if (control->state == WAITING) {
        begin(control);
    } else if (control->state == UP) {
        snprintf(why, sizeof(why), "no answer within %lld ms",
                 (long long)(control->options.query_timeout / CLOCK_MS));
        drop(control, why);
    } else {
        snprintf(why, sizeof(why), "not logged in within %lld ms",
                 (long long)(control->options.connect_timeout / CLOCK_MS));
        drop(control, why);
    }
}

struct control *control_new(struct loop *loop, const struct control_options *options)
{
    struct control *control = mem_new(sizeof(*control));

    control->loop = loop;
    control->options = *options;
    control->url = mem_text(options->url, strlen(options->url));
    control->name = mem_text(options->name, strlen(options->name));
    control->backoff = BACKOFF_LEAST;
    timer_init(&control->timer, loop, tick, control);
    timer_start(&control->timer, 0);
    return control;
}

void control_free(struct control *control)
{
    hang_up(control);
    timer_close(&control->timer);
    fail_all(control, "the control connection is closed");
    mem_free(control->url);
    mem_free(control->name);
    mem_free(control);
}

bool control_is_up(const struct control *control)
{
    return control->state == UP && !control->doomed;
}

const char *control_address(const struct control *control)
{
    return control->state == UP && control->address[0] ? control->address : NULL;
}

void control_drop(struct control *control, const char *why)
{
    if (control->state == UP)
        doom(control, why);
}

bool control_rest(struct control *control, int64_t duration, const char *why)
{
    control->rest = loop_now(control->loop) + duration;
    if (control->state == WAITING) {
        timer_start(&control->timer, duration);
        return false;
    }
    doom(control, why);
    return true;
}

bool control_ask(struct control *control, struct control_ask *ask)
{
    if (!control_is_up(control))
        return false;
    push(control, ask);
    start_next(control);
    return true;
}

void control_forget(struct control *control, struct control_ask *ask)
{
    if (ask->state == ASK_QUEUED)
        unlink_ask(control, ask);
    else if (ask->state == ASK_RUNNING)
        control->running = NULL;
    ask->state = ASK_NONE;
}
