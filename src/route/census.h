/* Fetches the primary's catalog over a connection of its own, so that a long answer keeps no LSN
 * waiting. */
#pragma once

#include "route/probe.h"

/* In the owner's storage. */
struct census {
    struct probe *primary;
    const char *database;
    int64_t interval;
    void (*taken)(void *owner, struct catalog *catalog); /* takes its own reference */
    void *owner;
    /* private */
    struct control *control; /* NULL until the primary first came up */
    struct control_ask who, rows;
    struct identity heard;
    struct catalog *catalog; /* being built */
    struct timer timer;
    struct loop *loop;
    const char *url;
    bool wanted, asking, identified, broken, complained;
};

/* `url` stays the caller's, until census_clear. */
void census_init(struct census *census, struct loop *loop, struct probe *primary, const char *url,
                 const char *database, int64_t interval,
                 void (*taken)(void *owner, struct catalog *catalog), void *owner);
void census_clear(struct census *census);
/* The catalog may have changed, or the primary came up: fetched soon, once for many calls; a call
 * while a fetch is under way makes one more follow it. */
void census_want(struct census *census);
