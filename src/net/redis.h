/* One connection to a Redis server for short look-ups that may fail: GET and SET, each within a
 * time, and nothing at all while the server is away. Knows hiredis so that nobody else has to. */
#pragma once

#include "base/slice.h"

struct loop;
struct redis;

struct redis_options {
    const char *host; /* a name or an address */
    int port;
    const char *user, *password; /* NULL: none */
    int database;
    int64_t timeout; /* ns, of one request: one that takes longer costs the connection */
};

/* Starts connecting at once and again whenever the connection is lost, with back-off and jitter
 * (100 ms to 5 s). The options are copied. Cannot fail. */
struct redis *redis_new(struct loop *loop, const struct redis_options *options);
/* No call comes after it returns. */
void redis_free(struct redis *redis);
/* True from the moment the server has taken our login until the connection is lost. */
bool redis_is_up(const struct redis *redis);

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
