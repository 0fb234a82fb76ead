/* Prints what a topology tells, one line an event, and does what it reads from stdin:
 *
 *   topology_watch PRIMARY_URL [REPLICA_URL...]
 *
 *   nodes | lsn | gone PID | hurry LSN | catalog | choose LSN MAX_LAG_MS | quit */
#include "route/choose.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/ring.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NODES = 8 };

struct watcher {
    struct loop *loop;
    struct topology *topology;
    struct watch input;
    char line[256];
    size_t len;
    bool was_up[NODES + 1];
    struct timer timer;
    struct ring wanted; /* wishes that were not told yet */
};

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static void opened(void *owner, uint64_t floor)
{
    (void)owner;
    say("opened %llu", (unsigned long long)floor);
}

static void shut(void *owner)
{
    (void)owner;
    say("shut");
}

static void catalog(void *owner, struct catalog *taken)
{
    const struct catalog_relation *relation = catalog_relation(taken, NULL, "public", "watched");

    (void)owner;
    say("catalog %s", relation ? "has watched" : "lacks watched");
}

struct wanted {
    struct ring link;
    struct gone_wish gone;
    int64_t since;
};

static void told(struct lsn_wish *wish, uint64_t lsn)
{
    struct wanted *wanted = wish->owner;

    say("told %llu after %lld ms", (unsigned long long)lsn,
        (long long)((clock_now() - wanted->since) / CLOCK_MS));
    ring_leave(&wanted->link);
    mem_free(wanted);
}

static void leave_all(struct watcher *watcher)
{
    RING_EACH(link, after, &watcher->wanted)
    {
        struct wanted *wanted = RING_OF(link, struct wanted, link);

        topology_gone_leave(watcher->topology, &wanted->gone);
        ring_leave(link);
        mem_free(wanted);
    }
}

static struct wanted *want(struct watcher *watcher)
{
    struct wanted *wanted = mem_new(sizeof(*wanted));

    wanted->gone.lsn.told = told;
    wanted->gone.lsn.owner = wanted;
    wanted->since = clock_now();
    ring_init(&wanted->link);
    ring_append(&watcher->wanted, &wanted->link);
    return wanted;
}

static void tell_nodes(struct watcher *watcher)
{
    for (unsigned i = 0; i < topology_count(watcher->topology); i++) {
        const struct node *node = topology_node(watcher->topology, i);

        say("node %u %s instance=%u lsn=%llu lag_ms=%lld paused=%d polls=%llu losses=%llu "
            "address=%s trouble=%s",
            i, node->up ? "up" : "down", node->instance, (unsigned long long)node->lsn,
            node->lag < 0 ? -1LL : (long long)(node->lag / CLOCK_MS), node->paused,
            (unsigned long long)node->polls, (unsigned long long)node->losses, node->address,
            node->trouble);
    }
}

static void tell_choice(struct watcher *watcher, uint64_t lsn, int64_t max_lag)
{
    static const char *const texts[] = {"made", "lag", "none"};
    struct node *node = NULL;
    enum choice choice = choose_replica(
        watcher->topology,
        &(struct choosing){.lsn = lsn, .max_lag = max_lag, .now = loop_now(watcher->loop)}, &node);

    say("choice %s", texts[choice]);
}

static void obey(struct watcher *watcher, char *line)
{
    char *word = strtok(line, " "), *first = strtok(NULL, " "), *second = strtok(NULL, " ");
    uint64_t number = first ? strtoull(first, NULL, 10) : 0;

    if (!word)
        return;
    if (strcmp(word, "nodes") == 0)
        tell_nodes(watcher);
    else if (strcmp(word, "lsn") == 0)
        topology_lsn(watcher->topology, &want(watcher)->gone.lsn);
    else if (strcmp(word, "hurry") == 0)
        topology_hurry(watcher->topology, number);
    else if (strcmp(word, "catalog") == 0)
        topology_catalog_changed(watcher->topology);
    else if (strcmp(word, "choose") == 0)
        tell_choice(watcher, number, (second ? atoll(second) : 1000) * CLOCK_MS);
    else if (strcmp(word, "quit") == 0)
        loop_stop(watcher->loop);
    if (strcmp(word, "gone") == 0) {
        struct wanted *wanted = want(watcher);

        wanted->gone.pid = (uint32_t)number;
        topology_gone(watcher->topology, &wanted->gone);
    }
}

static void read_input(struct watch *watch, int events)
{
    struct watcher *watcher = watch->owner;
    ssize_t got =
        read(STDIN_FILENO, watcher->line + watcher->len, sizeof(watcher->line) - watcher->len - 1);
    char *end;

    (void)events;
    if (got <= 0) {
        loop_stop(watcher->loop);
        return;
    }
    watcher->len += (size_t)got;
    watcher->line[watcher->len] = '\0';
    while ((end = strchr(watcher->line, '\n'))) {
        *end = '\0';
        obey(watcher, watcher->line);
        watcher->len -= (size_t)(end + 1 - watcher->line);
        memmove(watcher->line, end + 1, watcher->len + 1);
    }
}

static void look(struct timer *timer)
{
    struct watcher *watcher = timer->owner;

    for (unsigned i = 0; i < topology_count(watcher->topology); i++) {
        const struct node *node = topology_node(watcher->topology, i);

        if (node->up != watcher->was_up[i])
            say("node %u is %s", i, node->up ? "up" : "down");
        watcher->was_up[i] = node->up;
    }
}

int main(int argc, char **argv)
{
    struct watcher watcher = {.loop = loop_new()};
    struct topology_node replicas[NODES] = {{0}};
    struct topology_settings settings = {.database = "test",
                                         .replicas = replicas,
                                         .opened = opened,
                                         .shut = shut,
                                         .catalog = catalog,
                                         .owner = &watcher};
    const char *why = NULL;

    if (argc < 2 || argc > NODES + 2)
        return 2;
    ring_init(&watcher.wanted);
    settings.primary.url = argv[1];
    for (int i = 2; i < argc; i++)
        replicas[settings.nreplicas++].url = argv[i];
    watcher.topology = topology_new(watcher.loop, &settings, &why);
    if (!watcher.topology) {
        say("refused: %s", why);
        loop_free(watcher.loop);
        return 1;
    }
    if (!watch_init(&watcher.input, watcher.loop, STDIN_FILENO, read_input, &watcher))
        return 1;
    watch_set(&watcher.input, WATCH_READ);
    timer_init(&watcher.timer, watcher.loop, look, &watcher);
    timer_repeat(&watcher.timer, 5 * CLOCK_MS);
    loop_run(watcher.loop);
    leave_all(&watcher);
    topology_free(watcher.topology);
    timer_close(&watcher.timer);
    watch_close(&watcher.input);
    loop_free(watcher.loop);
    return 0;
}
