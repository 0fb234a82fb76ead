/* One connection to a Redis server for short requests that may fail, each within a
 * time, and nothing at all while the server is away. Knows hiredis so that nobody else has to. */
#pragma once

#include "base/slice.h"

struct loop;
struct redis;

struct redis_options {
    const char *host; /* a name, an address, or the path of a Unix socket */
    int port;
    const char *master; /* that Sentinels know by this name; NULL: host and port are the server's */
    const char *sentinels; /* .. host and port are of the first one, and these are further ones:
                              "host:port,host:port"; NULL: none */
    const char *user, *password; /* NULL: none */
    int database;
    int64_t timeout; /* ns, of one request: one that takes longer costs the connection */
};

/* Sentinels are asked in turn for the master at each connection (Redis, "Guidelines for Redis
 * clients with support for Redis Sentinel"); a server that is none is left again. Starts connecting
 * at once and again whenever the connection is lost, with back-off and jitter (100 ms to 5 s). The
 * options are copied. Cannot fail. */
struct redis *redis_new(struct loop *loop, const struct redis_options *options);
/* By redis://[user:password@]host:port[/db], where the host may be the path of a Unix socket, and
 * `?master=name&sentinels=host:port,..` says that it is a Sentinel. NULL where it is none, with
 * *why. */
struct redis *redis_new_url(struct loop *loop, const char *url, int64_t timeout, const char **why);
/* No call comes after it returns. */
void redis_free(struct redis *redis);
/* True from the moment the server has taken our login until the connection is lost. */
bool redis_is_up(const struct redis *redis);
/* Gives the connection up as if it were lost, and makes another one. */
void redis_drop(struct redis *redis, const char *why);

/* A GET in the caller's storage. */
struct redis_ask {
    /* The value, valid until the call returns; .at NULL where there is none, or none was to be had.
     * Called once, never before redis_get has returned. */
    void (*done)(struct redis_ask *ask, struct slice value);
    void *request; /* private */
};
/* False where the server is away or too much is unanswered: nothing is called. */
bool redis_get(struct redis *redis, struct redis_ask *ask, struct slice key);
/* `done` is not called any more. The ask must be one that redis_get took and that is not done. */
void redis_forget(struct redis_ask *ask);

/* SET with a time to live; nobody is told how it ended. False where it was not sent. */
bool redis_set(struct redis *redis, struct slice key, struct slice value, int64_t ttl);
/* UNLINK of one key; nobody is told either. */
bool redis_unlink(struct redis *redis, struct slice key);

/* What a command was answered with; valid until the call returns. NULL is a reply of nothing. */
struct redis_reply;
enum redis_kind { REDIS_NOTHING, REDIS_FAULT, REDIS_TEXT, REDIS_NUMBER, REDIS_LIST };
enum redis_kind redis_reply_kind(const struct redis_reply *reply);
struct slice redis_reply_text(const struct redis_reply *reply); /* of TEXT and FAULT, or empty */
int64_t
redis_reply_number(const struct redis_reply *reply); /* of NUMBER and a TEXT that is one; 0 */
unsigned redis_reply_count(const struct redis_reply *reply); /* of LIST; 0 */
/* NULL where it has not so many. */
const struct redis_reply *redis_reply_at(const struct redis_reply *reply, unsigned i);

/* Any command, in the caller's storage. */
struct redis_command {
    /* Called once, never before redis_send has returned; NULL: no reply was to be had. */
    void (*done)(struct redis_command *command, const struct redis_reply *reply);
    void *owner;
    void *request; /* private; NULL: it is not under way */
};
/* `timeout` (ns) in the place of the connection's own; 0: that. False where it was not sent:
 * nothing is called. */
bool redis_send(struct redis *redis, struct redis_command *command, const struct slice *words,
                unsigned count, int64_t timeout);
/* `done` is not called any more; legal at any time. */
void redis_abandon(struct redis_command *command);

/* Walks the keys by SCAN, in the caller's storage until `done`. One may be found twice. */
struct redis_scan {
    void (*found)(struct redis_scan *scan, struct slice key);
    void (*done)(struct redis_scan *scan); /* once, also where the server went away */
    /* private */
    struct redis *redis;
    char *pattern;
};
/* `pattern` as MATCH takes it. False where it was not sent: nothing is called. */
bool redis_scan(struct redis *redis, struct redis_scan *scan, const char *pattern);
