/* Two connections: one on which a command blocks until there are messages, and one for all else, so
 * that what is told is told in order. Every script asks first whether its caller is still a member
 * of this epoch: a command that was delayed for however long does nothing once it is not. */
#include "fresh/bus.h"

#include "base/clock.h"
#include "base/crypt.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/redis.h"

#include <stdio.h>
#include <stdlib.h>

#define BEAT    (BUS_LEASE_MS / 5 * CLOCK_MS)
#define RETRY   (100 * CLOCK_MS)
#define PATIENT (BUS_LEASE_MS / 2 * CLOCK_MS)

#define LIST_MESSAGES "256" /* at a time */
#define LOG_MESSAGES  "16384"

/* KEYS: the fleet, members, log. ARGV: run_id, id, lease, process, message, length of a lease. What
 * this process was before is no member any more. Without a list of members nobody knows who else
 * may still rely on what he heard: that is another epoch, which waits for them. Its positions begin
 * at the time (in us): whatever was noted at one of an older epoch is older than all of them. */
static const char JOIN[] =
    "local t = redis.call('TIME')\n"
    "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
    "local epoch = redis.call('HGET', KEYS[1], 'epoch')\n"
    "if not epoch or string.sub(epoch, 1, #ARGV[1]) ~= ARGV[1] or"
    " redis.call('EXISTS', KEYS[2], KEYS[3]) < 2 then\n"
    "  redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])\n"
    "  epoch = ARGV[1] .. '.' .. t[1] .. '.' .. t[2]\n"
    "  local first = string.format('%.0f', t[1] * 1000000 + t[2])\n"
    "  redis.call('HSET', KEYS[1], 'epoch', epoch, 'seq', first, 'opens', now + ARGV[6])\n"
    "end\n"
    "local members = redis.call('HGETALL', KEYS[2])\n"
    "for i = 1, #members, 2 do\n"
    "  if string.match(members[i + 1], ' (.*)$') == ARGV[4] then\n"
    "    redis.call('HDEL', KEYS[2], members[i])\n"
    "  end\n"
    "end\n"
    "redis.call('HSET', KEYS[2], ARGV[2], ARGV[3] .. ' ' .. ARGV[4])\n"
    "local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)\n"
    "redis.call('XADD', KEYS[3], 'MAXLEN', '~', " LOG_MESSAGES
    ", string.format('%.0f-0', seq), ARGV[2], ARGV[5])\n"
    "return {now, seq, redis.call('HGET', KEYS[1], 'opens'), redis.call('HGETALL', KEYS[2]),"
    " epoch}";

/* What begins all others. ARGV: epoch, id. */
#define AS_MEMBER                                                                                  \
    "if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then\n"                                    \
    "  return redis.error_reply('GONE it is another epoch')\n"                                     \
    "end\n"                                                                                        \
    "local mine = redis.call('HGET', KEYS[2], ARGV[2])\n"                                          \
    "if not mine then return redis.error_reply('GONE the others went on without it') end\n"

/* ARGV: .., lease. A lease that has run out is not renewed: others have acted upon that. */
static const char RENEW[] =
    AS_MEMBER "local t = redis.call('TIME')\n"
              "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
              "local lease, rest = string.match(mine, '^(%d+) (.*)$')\n"
              "if tonumber(lease) < now then\n"
              "  return redis.error_reply('GONE its lease has run out')\n"
              "end\n"
              "if tonumber(ARGV[3]) > tonumber(lease) then\n"
              "  redis.call('HSET', KEYS[2], ARGV[2], ARGV[3] .. ' ' .. rest)\n"
              "end\n"
              "return {now, redis.call('HGET', KEYS[1], 'seq'), redis.call('HGET', KEYS[1],"
              " 'opens'), redis.call('HGETALL', KEYS[2])}";

#define PUT_MESSAGE(number)                                                                        \
    "local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)\n"                                       \
    "redis.call('XADD', KEYS[3], 'MAXLEN', '~', " LOG_MESSAGES                                     \
    ", string.format('%.0f-0', seq), ARGV[2], ARGV["                                               \
    "" number "])\n"                                                                               \
    "return seq"

/* ARGV: .., message. */
static const char TELL[] = AS_MEMBER PUT_MESSAGE("3");
static const char LEAVE[] = AS_MEMBER "redis.call('HDEL', KEYS[2], ARGV[2])\n" PUT_MESSAGE("3");

/* ARGV: .., the other's id, its lease and process, message. */
static const char FENCE[] =
    AS_MEMBER "local t = redis.call('TIME')\n"
              "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
              "local other = redis.call('HGET', KEYS[2], ARGV[3])\n"
              "if other ~= ARGV[4] or tonumber(string.match(other, '^%d+')) >= now then\n"
              "  return 0\n"
              "end\n"
              "redis.call('HDEL', KEYS[2], ARGV[3])\n" PUT_MESSAGE("5");

enum stage { IDLE, AWAY, ASKING_RUN, ASKING_TIME, JOINING, MEMBER, LEFT };

struct bus {
    struct loop *loop;
    struct redis *talk, *hear;
    const struct bus_events *events;
    void *owner;
    struct timer timer;
    char *name, *fleet, *members, *log; /* NULL: not started */
    uint64_t process, id;
    bool again; /* this process has tried to be a member before */
    char run_id[64], epoch[160];
    enum stage stage;
    struct redis_command greet, renew, tell, fence, read;
    int64_t greeted_at, renewed_at;
    bool same_run; /* the hearing connection is to the same Redis */
    uint64_t last; /* message that was heard */
    struct buf queue;
    /* Redis' clock was `now` (ms) between `asked` and `told` of ours. */
    int64_t now, asked, told;
    int64_t lapses; /* clock_now when no lease of ours can still hold; 0: there was none */
    bool complained;
};

static void fail(struct bus *bus, const char *why);
static void listen(struct bus *bus);

/* What is under way is nobody's any more. */
static void stop(struct bus *bus)
{
    redis_abandon(&bus->greet);
    redis_abandon(&bus->renew);
    redis_abandon(&bus->tell);
    redis_abandon(&bus->fence);
    redis_abandon(&bus->read);
    buf_clear(&bus->queue);
    bus->same_run = false;
}

/* ---- words of commands ---- */

enum { WORDS = 16 };

struct words {
    struct slice at[WORDS];
    unsigned count;
    char numbers[WORDS][24];
};

static void word(struct words *words, struct slice text)
{
    words->at[words->count++] = text;
}

static void word_text(struct words *words, const char *text)
{
    word(words, slice_text(text));
}

static void word_number(struct words *words, uint64_t number, bool is_id)
{
    char *text = words->numbers[words->count];

    snprintf(text, sizeof(words->numbers[0]), is_id ? "%016llx" : "%llu",
             (unsigned long long)number);
    word_text(words, text);
}

static void script(struct words *words, const struct bus *bus, const char *text)
{
    words->count = 0;
    word_text(words, "EVAL");
    word_text(words, text);
    word_text(words, "3");
    word_text(words, bus->fleet);
    word_text(words, bus->members);
    word_text(words, bus->log);
}

static void as_member(struct words *words, const struct bus *bus, const char *text)
{
    script(words, bus, text);
    word_text(words, bus->epoch);
    word_number(words, bus->id, true);
}

/* ---- clocks ---- */

static void set_clock(struct bus *bus, int64_t now, int64_t asked)
{
    bus->now = now;
    bus->asked = asked;
    bus->told = clock_now();
}

/* A lease from now on, by Redis' clock, which is not ahead of what we take it for; and when it
 * ends, for which that clock is not behind of what we take it for. */
static int64_t next_lease(struct bus *bus)
{
    int64_t lease = bus->now + (clock_now() - bus->asked) / CLOCK_MS + 1 + BUS_LEASE_MS;
    int64_t lapses = bus->told + (lease - bus->now + 1) * CLOCK_MS;

    if (lapses > bus->lapses)
        bus->lapses = lapses;
    return lease;
}

bool bus_lapsed(const struct bus *bus)
{
    return bus->lapses && clock_now() > bus->lapses;
}

/* ---- joining ---- */

static const char *fault_of(const struct redis_reply *reply, char text[160])
{
    struct slice fault = redis_reply_text(reply);

    if (redis_reply_kind(reply) != REDIS_FAULT)
        return reply ? "an answer is not understood" : "Redis is away";
    snprintf(text, 160, "%.*s", (int)fault.len, (const char *)fault.at);
    return text;
}

/* From INFO: "run_id:<40 digits>\r\n". */
static bool read_run(const struct redis_reply *reply, char run_id[64])
{
    static const char key[] = "run_id:";
    struct slice text = redis_reply_text(reply);
    const char *at = text.len ? memmem(text.at, text.len, key, sizeof(key) - 1) : NULL;
    size_t len = 0;

    if (!at)
        return false;
    at += sizeof(key) - 1;
    while (at + len < (const char *)text.at + text.len && at[len] != '\r' && len < 63)
        len++;
    memcpy(run_id, at, len);
    run_id[len] = '\0';
    return len > 0;
}

static void ask_run(struct redis *redis, struct redis_command *command)
{
    const struct slice words[] = {SLICE("INFO"), SLICE("server")};

    redis_send(redis, command, words, 2, PATIENT);
}

static bool read_member(const struct redis_reply *id, const struct redis_reply *value,
                        struct bus_member *member)
{
    struct slice text = redis_reply_text(value);
    long long lease;
    unsigned long long process;

    if (!text.len || !redis_reply_text(id).len ||
        sscanf((const char *)text.at, "%lld %llx", &lease, &process) != 2)
        return false;
    member->id = strtoull((const char *)redis_reply_text(id).at, NULL, 16);
    member->lease = lease;
    member->process = process;
    return true;
}

/* now, seq, opens, members. False where there are more of these than there is room for, too. */
static bool read_state(struct bus *bus, const struct redis_reply *reply, int64_t asked,
                       struct bus_state *state)
{
    const struct redis_reply *members = redis_reply_at(reply, 3);

    state->now = redis_reply_number(redis_reply_at(reply, 0));
    state->seq = (uint64_t)redis_reply_number(redis_reply_at(reply, 1));
    state->opens = redis_reply_number(redis_reply_at(reply, 2));
    state->nmembers = 0;
    if (state->now <= 0 || state->seq == 0 || redis_reply_count(members) / 2 > BUS_MEMBERS)
        return false;
    for (unsigned i = 0; i + 1 < redis_reply_count(members); i += 2)
        if (!read_member(redis_reply_at(members, i), redis_reply_at(members, i + 1),
                         &state->members[state->nmembers++]))
            return false;
    set_clock(bus, state->now, asked);
    state->asked = bus->asked;
    state->told = bus->told;
    return true;
}

static void joined(struct redis_command *command, const struct redis_reply *reply)
{
    struct bus *bus = command->owner;
    struct slice epoch = redis_reply_text(redis_reply_at(reply, 4));
    struct bus_state state;
    char text[160];

    if (!epoch.len || epoch.len >= sizeof(bus->epoch) ||
        !read_state(bus, reply, bus->greeted_at, &state)) {
        fail(bus, fault_of(reply, text));
        return;
    }
    memcpy(bus->epoch, epoch.at, epoch.len);
    bus->epoch[epoch.len] = '\0';
    bus->stage = MEMBER;
    bus->last = state.seq;
    bus->complained = false;
    bus->same_run = false;
    timer_start(&bus->timer, BEAT);
    bus->events->joined(bus->owner, &state);
    listen(bus);
}

static void join(struct bus *bus)
{
    struct buf message = {0};
    struct words words;

    bus->stage = JOINING;
    crypt_random(&bus->id, sizeof(bus->id));
    bus->id |= 1; /* 0 is nobody */
    bus->events->joining(bus->owner, bus->again, &message);
    script(&words, bus, JOIN);
    word_text(&words, bus->run_id);
    word_number(&words, bus->id, true);
    word_number(&words, (uint64_t)next_lease(bus), false);
    word_number(&words, bus->process, true);
    word(&words, buf_slice(&message));
    word_number(&words, BUS_LEASE_MS, false);
    bus->again = true;
    bus->greeted_at = clock_now();
    bus->greet.done = joined;
    if (!redis_send(bus->talk, &bus->greet, words.at, words.count, PATIENT))
        fail(bus, "Redis is away");
    buf_clear(&message);
}

static void have_time(struct redis_command *command, const struct redis_reply *reply)
{
    struct bus *bus = command->owner;
    int64_t seconds = redis_reply_number(redis_reply_at(reply, 0));
    char text[160];

    if (seconds <= 0) {
        fail(bus, fault_of(reply, text));
        return;
    }
    set_clock(bus, seconds * 1000 + redis_reply_number(redis_reply_at(reply, 1)) / 1000,
              bus->greeted_at);
    join(bus);
}

static void have_run(struct redis_command *command, const struct redis_reply *reply)
{
    static const struct slice words[] = {SLICE("TIME")};
    struct bus *bus = command->owner;
    char text[160];

    if (!read_run(reply, bus->run_id)) {
        fail(bus, fault_of(reply, text));
        return;
    }
    bus->stage = ASKING_TIME;
    bus->greeted_at = clock_now();
    bus->greet.done = have_time;
    if (!redis_send(bus->talk, &bus->greet, words, 1, PATIENT))
        fail(bus, "Redis is away");
}

static void begin(struct bus *bus)
{
    bus->stage = ASKING_RUN;
    bus->greet.done = have_run;
    ask_run(bus->talk, &bus->greet);
}

/* ---- telling ---- */

static void told(struct redis_command *command, const struct redis_reply *reply);

static void tell(struct bus *bus)
{
    struct words words;

    if (bus->stage != MEMBER || bus->tell.request || buf_len(&bus->queue) == 0)
        return;
    as_member(&words, bus, TELL);
    word(&words, buf_slice(&bus->queue));
    bus->tell.done = told;
    if (redis_send(bus->talk, &bus->tell, words.at, words.count, PATIENT))
        buf_clear(&bus->queue);
    else
        fail(bus, "Redis is away");
}

static void told(struct redis_command *command, const struct redis_reply *reply)
{
    struct bus *bus = command->owner;
    char text[160];

    if (redis_reply_kind(reply) == REDIS_NUMBER)
        tell(bus);
    else
        fail(bus, fault_of(reply, text));
}

void bus_tell(struct bus *bus, struct slice records)
{
    if (bus->stage != MEMBER)
        return;
    buf_put_slice(&bus->queue, records);
    tell(bus);
}

static void fenced(struct redis_command *command, const struct redis_reply *reply)
{
    struct bus *bus = command->owner;
    char text[160];

    if (redis_reply_kind(reply) != REDIS_NUMBER)
        fail(bus, fault_of(reply, text));
}

void bus_fence(struct bus *bus, const struct bus_member *member, struct slice records)
{
    struct words words;
    char value[64];

    if (bus->stage != MEMBER || bus->fence.request)
        return;
    snprintf(value, sizeof(value), "%lld %016llx", (long long)member->lease,
             (unsigned long long)member->process);
    as_member(&words, bus, FENCE);
    word_number(&words, member->id, true);
    word_text(&words, value);
    word(&words, records);
    bus->fence.done = fenced;
    redis_send(bus->talk, &bus->fence, words.at, words.count, PATIENT);
}

void bus_leave(struct bus *bus, struct slice records)
{
    struct words words;

    if (bus->stage == MEMBER) {
        as_member(&words, bus, LEAVE);
        word(&words, records);
        redis_send(bus->talk, &bus->greet, words.at, words.count, PATIENT);
    }
    stop(bus);
    bus->stage = LEFT;
    timer_stop(&bus->timer);
}

/* ---- the lease ---- */

static void renewed(struct redis_command *command, const struct redis_reply *reply)
{
    struct bus *bus = command->owner;
    struct bus_state state;
    char text[160];

    if (read_state(bus, reply, bus->renewed_at, &state))
        bus->events->beaten(bus->owner, &state);
    else
        fail(bus, fault_of(reply, text));
}

static void renew(struct bus *bus)
{
    struct words words;

    if (bus->renew.request)
        return;
    as_member(&words, bus, RENEW);
    bus->renewed_at = clock_now();
    word_number(&words, (uint64_t)next_lease(bus), false);
    bus->renew.done = renewed;
    if (!redis_send(bus->talk, &bus->renew, words.at, words.count, PATIENT))
        fail(bus, "Redis is away");
}

/* ---- hearing ---- */

/* [[key, [[seq-0, [from, message]], ..]]]. False: what is missing was not kept long enough. */
static bool hear(struct bus *bus, const struct redis_reply *reply)
{
    const struct redis_reply *messages = redis_reply_at(redis_reply_at(reply, 0), 1);

    for (unsigned i = 0; i < redis_reply_count(messages); i++) {
        const struct redis_reply *message = redis_reply_at(messages, i);
        const struct redis_reply *fields = redis_reply_at(message, 1);
        uint64_t seq = (uint64_t)redis_reply_number(redis_reply_at(message, 0));
        struct slice from = redis_reply_text(redis_reply_at(fields, 0));

        if (seq != bus->last + 1 || redis_reply_count(fields) != 2 || !from.len)
            return false;
        bus->last = seq;
        if (!bus->events->heard(bus->owner, seq, strtoull((const char *)from.at, NULL, 16),
                                redis_reply_text(redis_reply_at(fields, 1))))
            return false;
        if (bus->stage != MEMBER)
            return true; /* lost by what it heard */
    }
    return true;
}

static void read_on(struct redis_command *command, const struct redis_reply *reply)
{
    struct bus *bus = command->owner;

    if (bus->stage != MEMBER)
        return;
    if (redis_reply_kind(reply) == REDIS_FAULT ||
        (redis_reply_kind(reply) == REDIS_LIST && !hear(bus, reply))) {
        fail(bus, "messages are missing or not understood");
        return;
    }
    if (bus->stage != MEMBER)
        return;
    if (!reply)
        bus->same_run = false;
    else
        bus->events->quiet(bus->owner);
    listen(bus);
}

static void same_run(struct redis_command *command, const struct redis_reply *reply)
{
    struct bus *bus = command->owner;
    char run_id[64];

    bus->same_run = read_run(reply, run_id) && strcmp(run_id, bus->run_id) == 0;
    if (reply && !bus->same_run)
        redis_drop(bus->hear, "it is another Redis than before");
    listen(bus);
}

/* Where that connection is away the next beat tries again. */
static void listen(struct bus *bus)
{
    char last[32], block[16];
    struct slice words[] = {SLICE("XREAD"), SLICE("COUNT"), SLICE(LIST_MESSAGES),
                            SLICE("BLOCK"), {NULL, 0},      SLICE("STREAMS"),
                            {NULL, 0},      {NULL, 0}};

    if (bus->stage != MEMBER || bus->read.request || !redis_is_up(bus->hear))
        return;
    if (!bus->same_run) {
        bus->read.done = same_run;
        ask_run(bus->hear, &bus->read);
        return;
    }
    snprintf(last, sizeof(last), "%llu-0", (unsigned long long)bus->last);
    snprintf(block, sizeof(block), "%d", BUS_LEASE_MS / 5);
    words[4] = slice_text(block);
    words[6] = slice_text(bus->log);
    words[7] = slice_text(last);
    bus->read.done = read_on;
    redis_send(bus->hear, &bus->read, words, 8, PATIENT);
}

/* ---- from the beginning to the end ---- */

static void fail(struct bus *bus, const char *why)
{
    bool was_member = bus->stage == MEMBER;

    if (bus->stage <= AWAY || bus->stage == LEFT)
        return;
    if (!bus->complained)
        log_warning("fleet", "%s: not in the fleet: %s", bus->name, why);
    bus->complained = true;
    stop(bus);
    bus->stage = AWAY;
    timer_start(&bus->timer, RETRY);
    if (was_member)
        bus->events->lost(bus->owner, why);
}

void bus_lose(struct bus *bus, const char *why)
{
    fail(bus, why);
}

static void fire(struct timer *timer)
{
    struct bus *bus = timer->owner;

    if (bus->stage == MEMBER) {
        timer_start(&bus->timer, BEAT);
        renew(bus);
        listen(bus);
    } else if (bus->stage == AWAY) {
        timer_start(&bus->timer, RETRY);
        if (redis_is_up(bus->talk))
            begin(bus);
    }
}

static void free_names(struct bus *bus)
{
    mem_free(bus->name);
    mem_free(bus->fleet);
    mem_free(bus->members);
    mem_free(bus->log);
}

static char *key_of(const char *name, const char *what)
{
    char text[256];

    snprintf(text, sizeof(text), "pgtier:fleet:1:{%s}%s", name, what);
    return mem_text(text, strlen(text));
}

void bus_start(struct bus *bus, const char *name)
{
    if (bus->stage == LEFT || (bus->name && strcmp(bus->name, name) == 0))
        return;
    bus_lose(bus, "it is another database now");
    free_names(bus);
    bus->name = mem_text(name, strlen(name));
    bus->fleet = key_of(name, "");
    bus->members = key_of(name, ":members");
    bus->log = key_of(name, ":log");
    bus->stage = AWAY;
    timer_start(&bus->timer, 0);
}

struct bus *bus_new(struct loop *loop, const char *url, uint64_t process,
                    const struct bus_events *events, void *owner, const char **why)
{
    struct redis *talk = redis_new_url(loop, url, BUS_LEASE_MS / 2 * CLOCK_MS, why);
    struct bus *bus;

    if (!talk)
        return NULL;
    bus = mem_new(sizeof(*bus));
    bus->loop = loop;
    bus->talk = talk;
    bus->hear = redis_new_url(loop, url, BUS_LEASE_MS / 2 * CLOCK_MS, why);
    bus->process = process;
    bus->events = events;
    bus->owner = owner;
    bus->greet.owner = bus->renew.owner = bus->tell.owner = bus->fence.owner = bus->read.owner =
        bus;
    timer_init(&bus->timer, loop, fire, bus);
    return bus;
}

void bus_free(struct bus *bus)
{
    stop(bus);
    redis_free(bus->talk);
    redis_free(bus->hear);
    timer_close(&bus->timer);
    free_names(bus);
    mem_free(bus);
}

uint64_t bus_id(const struct bus *bus)
{
    return bus->stage == MEMBER ? bus->id : 0;
}

uint64_t bus_epoch(const struct bus *bus)
{
    return hash_slice(slice_text(bus->epoch));
}
