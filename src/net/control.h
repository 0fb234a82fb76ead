/* Control connections: one libpq connection to a node on which short queries of our own run one
 * after the other, without ever blocking the loop. The data path never uses it. */
#pragma once

#include "net/loop.h"

struct control;

enum { CONTROL_FIELDS = 64 };

struct control_options {
    const char *url;                            /* a connection URI or key=value string */
    const char *name;                           /* application_name */
    int64_t connect_timeout, query_timeout;     /* ns; a query over its time drops the connection */
    void (*up)(void *owner);                    /* logged in */
    void (*down)(void *owner, const char *why); /* lost or refused; tried again with back-off */
    /* A notification came; its texts are valid until the call returns. Those that came before the
     * end of a query's answer are told before its `done`. `told` follows when none is left of what
     * was read. Both NULL where nobody listens. */
    void (*heard)(void *owner, struct slice channel, struct slice payload, uint32_t pid);
    void (*told)(void *owner);
    /* With `replication` it is one for logical replication, on which SQL may be asked as well: once
     * a query of it has begun to stream (its ask is not told of that), each CopyData that comes is
     * told here, and then `told`. It streams until the connection is lost. */
    bool replication;
    void (*streamed)(void *owner, struct slice data);
    void *owner;
};

/* Starts connecting at once and again whenever lost, with back-off and jitter (100 ms to 5 s). Host
 * names are resolved without blocking and handed to libpq as addresses (hostaddr), one an attempt,
 * in turn. The texts are copied. It must not be freed from within one of its own calls. */
struct control *control_new(struct loop *loop, const struct control_options *options);
/* Outstanding queries get their `failed`; no call comes after it returns. */
void control_free(struct control *control);
bool control_is_up(const struct control *control);
/* The numeric address that it is connected to, valid until it is lost; NULL while it is down or
 * where it is a Unix socket. */
const char *control_address(const struct control *control);
/* Gives this connection up as if it were lost: `down` comes later, never before control_drop has
 * returned. Nothing where it is not up. */
void control_drop(struct control *control, const char *why);

/* The same, in whatever state it is, and nothing is dialled before `duration` is over. Returns
 * whether there was a connection, or the beginning of one. */
bool control_rest(struct control *control, int64_t duration, const char *why);

/* A query in the caller's storage, one at a time: `row` for each row of its result (text, .at NULL
 * for NULL, valid until the call returns; at most CONTROL_FIELDS of them), then `done`. Exactly one
 * of done and failed is called, later, never before control_ask has returned. */
struct control_ask {
    const char *sql; /* one statement, or several without rows; valid until the end */
    void (*row)(void *owner, const struct slice *fields, unsigned count); /* may be NULL */
    void (*done)(void *owner);
    void (*failed)(void *owner, const char *why);
    void *owner;
    /* private */
    void *next;
    int state;
};
/* False where the connection is down: nothing is called. */
bool control_ask(struct control *control, struct control_ask *ask);
/* Sends CopyData where it streams; else nothing. */
void control_put(struct control *control, struct slice data);
/* The asker no longer cares; legal at any time, also when it was never asked. */
void control_forget(struct control *control, struct control_ask *ask);
