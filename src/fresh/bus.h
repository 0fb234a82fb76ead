/* clang-format off */
/* One member's part in a fleet's log in Redis: how it joins, keeps its lease, tells and hears. What
 * the records say is somebody else's to understand.
 *
 * Keys, all of one database of one cluster (`name`):
 *     pgtier:fleet:1:{name}          a hash: epoch, seq (of the last message), opens
 *     pgtier:fleet:1:{name}:members  a hash: id -> "lease process"; a lease is in ms of Redis
 *     pgtier:fleet:1:{name}:log      a stream: the messages, numbered by seq without a gap
 *
 * An epoch ends with the Redis that it began in (its run_id) and with any of the keys: then nobody
 * is a member any more, and whoever comes first begins another one. All else follows from the
 * lease: a member may trust what it has heard until the first of all members' leases runs out, and
 * one that cannot tell waits until its own surely has. */
/* clang-format on */
#pragma once

#include "base/buf.h"
#include "net/loop.h"

enum { BUS_MEMBERS = 64, BUS_LEASE_MS = 2000 };

struct bus;

struct bus_member {
    uint64_t id, process;
    int64_t lease; /* ms of Redis' clock */
};

/* What Redis said; it said so between the clock_now of `asked` and of `told`. */
struct bus_state {
    uint64_t seq;
    int64_t now, opens; /* ms of Redis' clock; nobody's write may go on before `opens` */
    int64_t asked, told;
    struct bus_member members[BUS_MEMBERS];
    unsigned nmembers;
};

struct bus_events {
    /* The first message of this member, by which it joins; `again`: this process may have been
     * another member before. */
    void (*joining)(void *owner, bool again, struct buf *message);
    /* It is a member; `state` knows it, and messages are heard from behind state.seq on. */
    void (*joined)(void *owner, const struct bus_state *state);
    /* Its lease was renewed: every fifth of one. */
    void (*beaten)(void *owner, const struct bus_state *state);
    /* False where it is not understood: the member is lost. */
    bool (*heard)(void *owner, uint64_t seq, uint64_t from, struct slice message);
    /* No further message is at hand. */
    void (*quiet)(void *owner);
    /* It is no member any more; what it told last may have been heard or not. It joins again. */
    void (*lost)(void *owner, const char *why);
};

/* NULL where the url is none of Redis, with *why. `process` is told to the others. */
struct bus *bus_new(struct loop *loop, const char *url, uint64_t process,
                    const struct bus_events *events, void *owner, const char **why);
void bus_free(struct bus *bus);
/* Joins the fleet of this name, and again whenever it is lost. Under another name: the former one
 * is left first. */
void bus_start(struct bus *bus, const char *name);
/* 0: it is no member. */
uint64_t bus_id(const struct bus *bus);
/* Of its epoch; only what was kept in one and the same may be compared by positions. */
uint64_t bus_epoch(const struct bus *bus);
/* Nobody trusts anything any more for which this member would have to be heard. False too where it
 * never was one. */
bool bus_lapsed(const struct bus *bus);
/* Goes out at once, or with others that are told while one is under way. Only as a member. */
void bus_tell(struct bus *bus, struct slice records);
/* `member`'s lease has run out: it is removed, and `records` are told, once. */
void bus_fence(struct bus *bus, const struct bus_member *member, struct slice records);
/* Gives up being a member: `lost` follows before it returns. */
void bus_lose(struct bus *bus, const char *why);
/* The end: `records` are told, if it is a member, and nothing else happens. */
void bus_leave(struct bus *bus, struct slice records);
