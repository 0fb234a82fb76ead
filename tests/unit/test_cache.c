/* The cache as its askers see it: hits, flights, leaving at every stage, and an answer that takes
 * time (the Redis store with a server that this test plays itself). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cache/cache.h"
#include "net/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define T "T\0\0\0\6\0\0"
#define D "D\0\0\0\6\0\0"
#define C "C\0\0\0\rSELECT 1\0"

enum { NOTHING_TOLD = -1 };

static const struct cache_class classes[] = {
    {.name = "evaluation", .key = "e:{id}", .index = 0},
    {.name = "packed", .key = "p:{id}", .compress = true, .ttl = INT64_C(60000000000), .index = 1},
};
static const struct rules rules = {.classes = classes, .nclasses = 2};

/* One asker and what it was told. */
struct asker_state {
    struct cache_ask ask;
    struct key key;
    uint64_t since; /* what it depends on was touched then */
    bool valid;     /* what it says of any entry */
    bool row;       /* what it was last asked about */
    unsigned checked;
    int told;
    struct asker_state *leaves; /* from within its `done` */
    bool asks_again;
};

static bool check_valid(void *owner, uint64_t stamp, bool row)
{
    struct asker_state *asker = owner;

    asker->checked++;
    asker->row = row;
    return asker->valid && stamp >= asker->since;
}

static void be_told(struct cache_ask *ask, enum cache_verdict verdict)
{
    struct asker_state *asker = ask->owner;

    assert_int_equal(asker->told, NOTHING_TOLD);
    asker->told = verdict;
    if (asker->leaves)
        cache_leave(&asker->leaves->ask);
    if (asker->asks_again) {
        struct cache *cache = ask->in;

        cache_leave(ask);
        asker->told = NOTHING_TOLD;
        asker->asks_again = false;
        asker->told = cache_ask(cache, ask);
    }
}

static void prepare(struct asker_state *asker, unsigned id, uint64_t stamp)
{
    *asker = (struct asker_state){
        .key = {.hash = {id, id + 1}},
        .since = stamp,
        .valid = true,
        .told = NOTHING_TOLD,
    };
    asker->key.len = (uint16_t)snprintf(asker->key.text, KEY_MAX, "e:%u", id);
    asker->ask = (struct cache_ask){
        .key = &asker->key,
        .cache = &classes[0],
        .stamp = stamp,
        .joinable = true,
        .valid = check_valid,
        .done = be_told,
        .owner = asker,
        .now = 1,
    };
}

struct house {
    struct loop *loop;
    struct cache *cache;
    struct asker_state a, b, c, d;
};

static struct house *open_house(const char *store)
{
    struct house *house = calloc(1, sizeof(*house));
    struct cache_settings settings = {
        .store = store, .memory = 1 << 20, .max_entry = 10000, .timeout = 100 * CLOCK_MS};
    const char *why = NULL;

    house->loop = loop_new();
    house->cache = cache_new(house->loop, &settings, &why);
    assert_non_null(house->cache);
    cache_set_classes(house->cache, &rules);
    prepare(&house->a, 7, 1);
    prepare(&house->b, 7, 1);
    prepare(&house->c, 7, 1);
    prepare(&house->d, 8, 1);
    return house;
}

static void turn(struct house *house)
{
    for (int i = 0; i < 3; i++)
        loop_turn(house->loop);
}

static void close_house(struct house *house)
{
    cache_leave(&house->a.ask);
    cache_leave(&house->b.ask);
    cache_leave(&house->c.ask);
    cache_leave(&house->d.ask);
    cache_free(house->cache);
    turn(house);
    loop_free(house->loop);
    free(house);
}

static enum cache_verdict ask(struct house *house, struct asker_state *asker)
{
    asker->told = NOTHING_TOLD;
    return cache_ask(house->cache, &asker->ask);
}

static void record(struct asker_state *asker)
{
    cache_record(&asker->ask, 'T', SLICE(T));
    cache_record(&asker->ask, 'D', SLICE(D));
    cache_record(&asker->ask, 'C', SLICE(C));
}

static void land(struct asker_state *asker)
{
    record(asker);
    cache_land(&asker->ask, 1);
}

static struct cache_class_figures figures(struct house *house, unsigned cls)
{
    struct cache_class_figures figures;

    cache_figures(house->cache, &classes[cls], &figures);
    return figures;
}

static void hit_test(void **state)
{
    struct house *house = open_house("memory");

    (void)state;
    assert_int_equal(ask(house, &house->a), CACHE_LEAD);
    land(&house->a);
    cache_leave(&house->a.ask);
    assert_int_equal(ask(house, &house->b), CACHE_HIT);
    assert_true(slice_same(house->b.ask.entry.columns, SLICE(T)));
    assert_true(slice_same(house->b.ask.entry.rows, SLICE(D)));
    assert_true(slice_same(house->b.ask.entry.complete, SLICE(C)));
    assert_true(house->b.row);
    assert_int_equal(ask(house, &house->d), CACHE_LEAD);
    assert_int_equal(figures(house, 0).hits, 1);
    assert_int_equal(figures(house, 0).misses, 2);
    assert_int_equal(figures(house, 0).stored, 1);
    assert_int_equal(figures(house, 0).entries, 1);
    assert_string_equal(cache_store_state(house->cache), "memory");
    close_house(house);
}

/* An entry lives as long as somebody holds it, and is of no use once what it shows was touched. */
static void invalid_test(void **state)
{
    struct house *house = open_house("memory");

    (void)state;
    ask(house, &house->a);
    land(&house->a);
    assert_int_equal(ask(house, &house->b), CACHE_HIT);
    house->c.since = house->c.ask.stamp = 2;
    assert_int_equal(ask(house, &house->c), CACHE_LEAD);
    cache_record(&house->c.ask, 'T', SLICE(T));
    cache_record(&house->c.ask, 'C', SLICE(C));
    cache_land(&house->c.ask, 1);
    assert_int_equal(figures(house, 0).invalid, 1);
    assert_true(slice_same(house->b.ask.entry.rows, SLICE(D)));
    cache_leave(&house->b.ask);
    house->b.since = 3;
    assert_int_equal(ask(house, &house->b), CACHE_LEAD); /* knows of a later write */
    cache_leave(&house->b.ask);
    house->b.since = 2;
    assert_int_equal(ask(house, &house->b), CACHE_HIT);
    assert_int_equal(house->b.ask.entry.rows.len, 0);
    assert_false(house->b.row);
    close_house(house);
}

/* One fetch for three askers; they are told in the next turn, not before. */
static void flight_test(void **state)
{
    struct house *house = open_house("memory");

    (void)state;
    assert_int_equal(ask(house, &house->a), CACHE_LEAD);
    assert_int_equal(ask(house, &house->b), CACHE_WAIT);
    assert_int_equal(ask(house, &house->c), CACHE_WAIT);
    turn(house);
    assert_int_equal(house->b.told, NOTHING_TOLD);
    land(&house->a);
    assert_int_equal(house->b.told, NOTHING_TOLD);
    cache_leave(&house->a.ask);
    turn(house);
    assert_int_equal(house->a.told, NOTHING_TOLD);
    assert_int_equal(house->b.told, CACHE_HIT);
    assert_int_equal(house->c.told, CACHE_HIT);
    assert_true(slice_same(house->c.ask.entry.rows, SLICE(D)));
    assert_int_equal(figures(house, 0).waits, 2);
    assert_int_equal(figures(house, 0).misses, 1);
    assert_int_equal(figures(house, 0).hits, 0);
    close_house(house);
}

/* Nobody joins who knows of a write since, or who saw a write under way; nobody is joined who did.
 */
static void stamps_test(void **state)
{
    struct house *house = open_house("memory");

    (void)state;
    assert_int_equal(ask(house, &house->a), CACHE_LEAD);
    house->b.since = house->b.ask.stamp = 6;
    assert_int_equal(ask(house, &house->b), CACHE_LEAD);
    house->c.ask.joinable = false;
    assert_int_equal(ask(house, &house->c), CACHE_LEAD);
    prepare(&house->d, 7, 6);
    assert_int_equal(ask(house, &house->d), CACHE_WAIT); /* b's */
    /* What began earlier lands later and takes nobody's place. */
    land(&house->c);
    assert_int_equal(figures(house, 0).stored, 1);
    land(&house->b);
    land(&house->a);
    assert_int_equal(figures(house, 0).stored, 1);
    turn(house);
    assert_int_equal(house->d.told, CACHE_HIT);
    close_house(house);
}

static void unjoinable_test(void **state)
{
    struct house *house = open_house("memory");

    (void)state;
    house->a.ask.joinable = false;
    assert_int_equal(ask(house, &house->a), CACHE_LEAD);
    assert_int_equal(ask(house, &house->b), CACHE_LEAD); /* not a's */
    assert_int_equal(ask(house, &house->c), CACHE_WAIT); /* b's */
    land(&house->a);
    turn(house);
    assert_int_equal(house->c.told, NOTHING_TOLD);
    cache_leave(&house->c.ask);
    cache_leave(&house->b.ask);
    close_house(house);
}

/* A fetch that failed in whatever way sends those who wait on their own. */
static void drop_test(void **state)
{
    (void)state;
    for (int way = 0; way < 6; way++) {
        struct house *house = open_house("memory");

        assert_int_equal(ask(house, &house->a), CACHE_LEAD);
        assert_int_equal(ask(house, &house->b), CACHE_WAIT);
        cache_record(&house->a.ask, 'T', SLICE(T));
        if (way == 0)
            cache_drop(&house->a.ask);
        else if (way == 1)
            cache_leave(&house->a.ask);
        else if (way == 2)
            cache_record(&house->a.ask, 'E', SLICE("E\0\0\0\5\0"));
        else if (way == 3)
            cache_land(&house->a.ask, 1); /* not whole */
        else if (way == 4)
            cache_record(&house->a.ask, 'D', slice_of(house, 20000));
        else
            cache_record(&house->a.ask, 'T', SLICE(T));
        assert_int_equal(house->b.told, NOTHING_TOLD);
        if (way == 5)
            cache_land(&house->a.ask, 1);
        turn(house);
        assert_int_equal(house->b.told, CACHE_ALONE);
        land(&house->b); /* a no-op: it does not lead */
        land(&house->a);
        assert_int_equal(figures(house, 0).stored, 0);
        assert_int_equal(figures(house, 0).rejected, way < 2 ? 0 : 1);
        assert_int_equal(ask(house, &house->c), CACHE_LEAD);
        close_house(house);
    }
}

/* Leaving while waiting, while told but not called yet, within `done`, twice. */
static void leave_test(void **state)
{
    struct house *house = open_house("memory");

    (void)state;
    prepare(&house->d, 7, 1);
    ask(house, &house->a);
    ask(house, &house->b);
    ask(house, &house->c);
    ask(house, &house->d);
    cache_leave(&house->b.ask);
    cache_leave(&house->b.ask);
    house->c.leaves = &house->d;
    land(&house->a);
    turn(house);
    assert_int_equal(house->b.told, NOTHING_TOLD);
    assert_int_equal(house->c.told, CACHE_HIT);
    assert_int_equal(house->d.told, NOTHING_TOLD);

    prepare(&house->d, 9, 1);
    prepare(&house->b, 9, 1);
    ask(house, &house->d);
    ask(house, &house->b);
    land(&house->d);
    cache_leave(&house->b.ask); /* it is told no more */
    turn(house);
    assert_int_equal(house->b.told, NOTHING_TOLD);

    prepare(&house->b, 10, 1);
    prepare(&house->a, 10, 1);
    ask(house, &house->b);
    ask(house, &house->a);
    house->a.leaves = &house->a;
    land(&house->b);
    turn(house);
    assert_int_equal(house->a.told, CACHE_HIT);
    close_house(house);
}

/* Asking anew from within `done`. */
static void again_test(void **state)
{
    struct house *house = open_house("memory");

    (void)state;
    ask(house, &house->a);
    ask(house, &house->b);
    ask(house, &house->c);
    house->b.asks_again = house->c.asks_again = true;
    cache_leave(&house->a.ask);
    turn(house);
    assert_int_equal(house->b.told, CACHE_LEAD);
    assert_int_equal(house->c.told, CACHE_WAIT);
    close_house(house);
}

static void reload_test(void **state)
{
    struct cache_class changed[] = {{.name = "new", .key = "", .index = 0},
                                    {.name = "evaluation", .key = "", .index = 1, .ttl = 10}};
    struct rules next = {.classes = changed, .nclasses = 2};
    struct house *house = open_house("memory");
    struct cache_class_figures now;

    (void)state;
    ask(house, &house->a);
    cache_set_classes(house->cache, &next);
    land(&house->a);
    cache_figures(house->cache, &changed[1], &now);
    assert_int_equal(now.stored, 1);
    cache_figures(house->cache, &changed[0], &now);
    assert_int_equal(now.stored, 0);
    house->b.ask.now = 10;
    assert_int_equal(ask(house, &house->b), CACHE_HIT); /* by the class of the old rules */
    cache_leave(&house->b.ask);
    house->b.ask.now = 11;
    assert_int_equal(ask(house, &house->b), CACHE_LEAD); /* the new time to live */
    close_house(house);
}

static void refused_test(void **state)
{
    static const char *const stores[] = {"",
                                         "memcached",
                                         "http://h:1/",
                                         "redis:///tmp/x",
                                         "redis://127.0.0.1/abc",
                                         "redis://127.0.0.1:99999"};
    struct loop *loop = loop_new();

    (void)state;
    for (size_t i = 0; i < sizeof(stores) / sizeof(*stores); i++) {
        struct cache_settings settings = {.store = stores[i], .timeout = CLOCK_SEC};
        const char *why = NULL;

        assert_null(cache_new(loop, &settings, &why));
        assert_non_null(why);
    }
    loop_free(loop);
}

/* A Redis server of one connection, played by the test: it remembers the last SET, answers PING at
 * once and the rest when it is told to. */
struct fake {
    int listener, client;
    int port;
    uint8_t in[65536];
    size_t len;
    uint8_t value[65536]; /* of the last SET */
    size_t value_len;
    unsigned gets, sets;
    char words[8][64]; /* of the last other command */
    unsigned nwords;
};

static void fake_open(struct fake *fake, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    socklen_t len = sizeof(address);
    int on = 1;

    memset(fake, 0, sizeof(*fake));
    fake->client = -1;
    fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(fake->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(fake->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fake->listener, 8), 0);
    getsockname(fake->listener, (struct sockaddr *)&address, &len);
    fake->port = ntohs(address.sin_port);
}

static void fake_hang_up(struct fake *fake)
{
    if (fake->client >= 0)
        close(fake->client);
    fake->client = -1;
    fake->len = 0;
}

static void fake_close(struct fake *fake)
{
    fake_hang_up(fake);
    close(fake->listener);
}

static void fake_say(struct fake *fake, const char *text)
{
    assert_int_equal(write(fake->client, text, strlen(text)), (ssize_t)strlen(text));
}

static void fake_say_value(struct fake *fake)
{
    char head[32];

    snprintf(head, sizeof(head), "$%zu\r\n", fake->value_len);
    fake_say(fake, head);
    assert_int_equal(write(fake->client, fake->value, fake->value_len), (ssize_t)fake->value_len);
    fake_say(fake, "\r\n");
}

static void fake_take(struct fake *fake, uint8_t *word[], size_t lens[], unsigned count)
{
    if (lens[0] == 3 && !memcmp(word[0], "GET", 3)) {
        fake->gets++;
    } else if (lens[0] == 3 && !memcmp(word[0], "SET", 3)) {
        assert_int_equal(count, 5);
        assert_memory_equal(word[3], "PX", 2);
        assert_true(atoll((char *)word[4]) > 0);
        fake->value_len = lens[2];
        memcpy(fake->value, word[2], lens[2]);
        fake->sets++;
        fake_say(fake, "+OK\r\n");
    } else {
        fake->nwords = count;
        for (unsigned i = 0; i < count; i++)
            snprintf(fake->words[i], sizeof(*fake->words), "%.*s", (int)lens[i], word[i]);
        fake_say(fake, strcmp(fake->words[0], "PING") ? "+OK\r\n" : "+PONG\r\n");
    }
}

/* One whole command off the front of what was read. */
static bool fake_parse(struct fake *fake)
{
    uint8_t *word[8] = {NULL};
    size_t lens[8] = {0}, at = 0;
    char *end;
    long count;

    if (fake->len < 4)
        return false;
    fake->in[fake->len] = '\0';
    count = strtol((char *)fake->in + 1, &end, 10);
    at = (size_t)(end + 2 - (char *)fake->in);
    for (long i = 0; i < count; i++) {
        if (at + 4 > fake->len)
            return false;
        lens[i] = (size_t)strtol((char *)fake->in + at + 1, &end, 10);
        at = (size_t)(end + 2 - (char *)fake->in);
        word[i] = fake->in + at;
        at += lens[i] + 2;
        if (at > fake->len)
            return false;
    }
    fake_take(fake, word, lens, (unsigned)count);
    memmove(fake->in, fake->in + at, fake->len - at);
    fake->len -= at;
    return true;
}

static void fake_turn(struct fake *fake)
{
    ssize_t got;

    if (fake->client < 0)
        fake->client = accept4(fake->listener, NULL, NULL, SOCK_NONBLOCK);
    if (fake->client < 0)
        return;
    got = read(fake->client, fake->in + fake->len, sizeof(fake->in) - fake->len - 1);
    if (got == 0)
        fake_hang_up(fake);
    if (got > 0)
        fake->len += (size_t)got;
    while (fake->client >= 0 && fake_parse(fake))
        ;
}

/* Turns loop and server until `until` holds; fails after some seconds. */
#define TURN_UNTIL(house, fake, until)                                                             \
    for (int64_t end = clock_now() + 10 * CLOCK_SEC; !(until); usleep(500)) {                      \
        fake_turn(fake);                                                                           \
        loop_turn((house)->loop);                                                                  \
        if (clock_now() > end)                                                                     \
            fail_msg("never: %s", #until);                                                         \
    }

static struct house *open_redis(struct fake *fake, const char *login, const char *database)
{
    char url[64];
    struct house *house;

    signal(SIGPIPE, SIG_IGN);
    fake_open(fake, 0);
    snprintf(url, sizeof(url), "redis://%s127.0.0.1:%d%s", login, fake->port, database);
    house = open_house(url);
    assert_string_equal(cache_store_state(house->cache), "redis (away)");
    assert_int_equal(ask(house, &house->a), CACHE_LEAD); /* nobody waits for who is away */
    cache_leave(&house->a.ask);
    TURN_UNTIL(house, fake, !strcmp(cache_store_state(house->cache), "redis"));
    return house;
}

static void redis_test(void **state)
{
    struct fake fake;
    struct house *house = open_redis(&fake, "", "");

    (void)state;
    assert_int_equal(ask(house, &house->a), CACHE_WAIT);
    assert_int_equal(ask(house, &house->b), CACHE_WAIT); /* the same look-up */
    TURN_UNTIL(house, &fake, fake.gets == 1);
    fake_say(&fake, "$-1\r\n");
    TURN_UNTIL(house, &fake, house->a.told != NOTHING_TOLD);
    assert_int_equal(house->a.told, CACHE_LEAD);
    assert_int_equal(house->b.told, NOTHING_TOLD);
    land(&house->a);
    TURN_UNTIL(house, &fake, fake.sets == 1 && house->b.told == CACHE_HIT);
    assert_int_equal(fake.gets, 1);
    cache_leave(&house->a.ask);
    cache_leave(&house->b.ask);

    assert_int_equal(ask(house, &house->a), CACHE_WAIT);
    assert_int_equal(ask(house, &house->b), CACHE_WAIT);
    TURN_UNTIL(house, &fake, fake.gets == 2);
    fake_say_value(&fake);
    TURN_UNTIL(house, &fake, house->a.told == CACHE_HIT && house->b.told == CACHE_HIT);
    assert_true(slice_same(house->b.ask.entry.rows, SLICE(D)));
    assert_int_equal(house->a.ask.entry.stamp, 1);
    assert_int_equal(figures(house, 0).hits, 2);
    assert_int_equal(figures(house, 0).waits, 1);
    close_house(house);
    fake_close(&fake);
}

/* Not valid any more, garbage, an error reply: misses. */
static void redis_garbage_test(void **state)
{
    struct fake fake;
    struct house *house = open_redis(&fake, "", "");

    (void)state;
    ask(house, &house->a);
    TURN_UNTIL(house, &fake, fake.gets == 1);
    fake_say(&fake, "-LOADING Redis is loading\r\n");
    TURN_UNTIL(house, &fake, house->a.told == CACHE_LEAD);
    land(&house->a);
    TURN_UNTIL(house, &fake, fake.sets == 1);
    cache_leave(&house->a.ask);

    ask(house, &house->a);
    TURN_UNTIL(house, &fake, fake.gets == 2);
    fake.value[50] ^= 1;
    fake_say_value(&fake);
    fake.value[50] ^= 1;
    TURN_UNTIL(house, &fake, house->a.told == CACHE_LEAD);
    assert_int_equal(house->a.checked, 0);
    cache_leave(&house->a.ask);

    ask(house, &house->a);
    TURN_UNTIL(house, &fake, fake.gets == 3);
    house->a.valid = false;
    fake_say_value(&fake);
    TURN_UNTIL(house, &fake, house->a.told == CACHE_LEAD);
    assert_int_equal(house->a.checked, 1);
    assert_int_equal(figures(house, 0).invalid, 1);
    close_house(house);
    fake_close(&fake);
}

/* The one who leads the look-up leaves: the next takes its place; all leave: the reply is nobody's.
 */
static void redis_leave_test(void **state)
{
    struct fake fake;
    struct house *house = open_redis(&fake, "", "");

    (void)state;
    ask(house, &house->a);
    ask(house, &house->b);
    ask(house, &house->c);
    cache_leave(&house->a.ask);
    TURN_UNTIL(house, &fake, fake.gets == 1);
    turn(house);
    assert_int_equal(house->b.told, NOTHING_TOLD); /* the look-up is still under way */
    fake_say(&fake, "$-1\r\n");
    TURN_UNTIL(house, &fake, house->b.told == CACHE_LEAD);
    assert_int_equal(house->c.told, NOTHING_TOLD);
    land(&house->b);
    TURN_UNTIL(house, &fake, house->c.told == CACHE_HIT);
    cache_leave(&house->b.ask);
    cache_leave(&house->c.ask);

    ask(house, &house->a);
    ask(house, &house->b);
    TURN_UNTIL(house, &fake, fake.gets == 2);
    cache_leave(&house->a.ask);
    cache_leave(&house->b.ask);
    fake_say(&fake, "$-1\r\n");
    ask(house, &house->d);
    TURN_UNTIL(house, &fake, fake.gets == 3);
    fake_say(&fake, "$-1\r\n");
    TURN_UNTIL(house, &fake, house->d.told == CACHE_LEAD);
    assert_int_equal(house->a.told, NOTHING_TOLD);
    close_house(house);
    fake_close(&fake);
}

/* Told to lead but gone before the call: the next leads. */
static void redis_woken_test(void **state)
{
    struct fake fake;
    struct house *house = open_redis(&fake, "", "");

    (void)state;
    prepare(&house->d, 8, 1);
    ask(house, &house->d);
    ask(house, &house->a);
    ask(house, &house->b);
    house->d.leaves = &house->a;
    TURN_UNTIL(house, &fake, fake.gets == 2);
    fake_say(&fake, "$-1\r\n$-1\r\n"); /* one turn wakes both, and d's call makes a leave */
    TURN_UNTIL(house, &fake, house->b.told == CACHE_LEAD);
    assert_int_equal(house->a.told, NOTHING_TOLD);
    land(&house->b);
    assert_int_equal(figures(house, 0).stored, 1);
    close_house(house);
    fake_close(&fake);
}

/* A server that does not answer costs one timeout, then nobody waits; later it is tried again. */
static void redis_slow_test(void **state)
{
    struct fake fake;
    struct house *house = open_redis(&fake, "", "");
    int64_t start = clock_now();

    (void)state;
    assert_int_equal(ask(house, &house->a), CACHE_WAIT);
    assert_int_equal(ask(house, &house->d), CACHE_WAIT);
    TURN_UNTIL(house, &fake, house->a.told == CACHE_LEAD && house->d.told == CACHE_LEAD);
    assert_true(clock_now() - start < 2 * CLOCK_SEC);
    assert_true(clock_now() - start >= 99 * CLOCK_MS);
    assert_string_equal(cache_store_state(house->cache), "redis (away)");
    assert_int_equal(ask(house, &house->b), CACHE_WAIT); /* a's flight, not the server */
    land(&house->a);
    TURN_UNTIL(house, &fake, house->b.told == CACHE_HIT);
    assert_int_equal(fake.sets, 0);
    TURN_UNTIL(house, &fake, !strcmp(cache_store_state(house->cache), "redis"));
    close_house(house);
    fake_close(&fake);
}

/* The server goes down with a look-up under way, and comes back. */
static void redis_killed_test(void **state)
{
    struct fake fake;
    struct house *house = open_redis(&fake, "", "");
    int port = fake.port;

    (void)state;
    ask(house, &house->a);
    TURN_UNTIL(house, &fake, fake.gets == 1);
    fake_close(&fake);
    for (int i = 0; i < 1000 && house->a.told == NOTHING_TOLD; i++, usleep(500))
        loop_turn(house->loop);
    assert_int_equal(house->a.told, CACHE_LEAD);
    assert_int_equal(ask(house, &house->d), CACHE_LEAD);
    usleep(300000);
    turn(house);
    assert_string_equal(cache_store_state(house->cache), "redis (away)");
    fake_open(&fake, port);
    TURN_UNTIL(house, &fake, !strcmp(cache_store_state(house->cache), "redis"));
    close_house(house);
    fake_close(&fake);
}

/* The login of the URL; PING is last, so it is the SELECT before it that is looked for. */
static void redis_login_test(void **state)
{
    struct fake fake;
    struct house *house;
    unsigned seen = 0;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    fake_open(&fake, 0);
    {
        char url[64];

        snprintf(url, sizeof(url), "redis://ann:s%%3acret@127.0.0.1:%d/3", fake.port);
        house = open_house(url);
    }
    for (int i = 0; i < 4000 && strcmp(cache_store_state(house->cache), "redis");
         i++, usleep(500)) {
        loop_turn(house->loop);
        if (fake.client < 0)
            fake.client = accept4(fake.listener, NULL, NULL, SOCK_NONBLOCK);
        if (fake.client >= 0) {
            ssize_t got = read(fake.client, fake.in + fake.len, sizeof(fake.in) - fake.len - 1);

            fake.len += got > 0 ? (size_t)got : 0;
        }
        while (fake.client >= 0 && fake_parse(&fake)) {
            if (!strcmp(fake.words[0], "AUTH") && !strcmp(fake.words[1], "ann") &&
                !strcmp(fake.words[2], "s:cret"))
                seen |= 1;
            if (!strcmp(fake.words[0], "SELECT") && !strcmp(fake.words[1], "3"))
                seen |= 2;
        }
    }
    assert_int_equal(seen, 3);
    assert_string_equal(cache_store_state(house->cache), "redis");
    close_house(house);
    fake_close(&fake);
}

/* The cache goes while look-ups are under way. */
static void redis_free_test(void **state)
{
    struct fake fake;
    struct house *house = open_redis(&fake, "", "");

    (void)state;
    ask(house, &house->a);
    ask(house, &house->d);
    TURN_UNTIL(house, &fake, fake.gets == 2);
    close_house(house);
    fake_close(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hit_test),         cmocka_unit_test(invalid_test),
        cmocka_unit_test(flight_test),      cmocka_unit_test(stamps_test),
        cmocka_unit_test(unjoinable_test),  cmocka_unit_test(drop_test),
        cmocka_unit_test(leave_test),       cmocka_unit_test(again_test),
        cmocka_unit_test(reload_test),      cmocka_unit_test(refused_test),
        cmocka_unit_test(redis_test),       cmocka_unit_test(redis_garbage_test),
        cmocka_unit_test(redis_leave_test), cmocka_unit_test(redis_woken_test),
        cmocka_unit_test(redis_slow_test),  cmocka_unit_test(redis_killed_test),
        cmocka_unit_test(redis_login_test), cmocka_unit_test(redis_free_test),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
