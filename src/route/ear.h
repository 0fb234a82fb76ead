/* The connection by which a database hears notifications, or its stream of changes: to the primary,
 * and of its own, so that what is lost with it is its own. It knows no channel; what it is asked is
 * SQL of its owner's. */
#pragma once

#include "route/probe.h"

struct ear_events {
    /* It is in, and listens to nothing. */
    void (*up)(void *owner);
    /* As in net/control.h; with `streamed` it is one for replication. */
    void (*heard)(void *owner, struct slice channel, struct slice payload, uint32_t pid);
    void (*streamed)(void *owner, struct slice data);
    void (*told)(void *owner);
    /* Lost, or not to be had; it is tried again until ear_close. */
    void (*lost)(void *owner, const char *why);
};

/* In the topology's storage. */
struct ear {
    bool up;
    /* private */
    struct loop *loop;
    struct probe *primary;
    const char *url, *database;
    const struct ear_events *events;
    void *owner;
    struct control *control; /* NULL: nobody wants it */
    struct control_ask who, encode;
    struct identity who_is;
    bool identified, complained;
};

/* `url` and `database` stay the caller's, until ear_clear. */
void ear_init(struct ear *ear, struct loop *loop, struct probe *primary, const char *url,
              const char *database);
void ear_clear(struct ear *ear);
/* Dials, where it does not already. No call comes before ear_open has returned. */
void ear_open(struct ear *ear, const struct ear_events *events, void *owner);
/* No call comes any more, but `failed` of what is being asked: forget that before. Not to be called
 * from within one of its own calls. */
void ear_close(struct ear *ear);
/* False where it is not up: nothing is called. */
bool ear_ask(struct ear *ear, struct control_ask *ask);
void ear_forget(struct ear *ear, struct control_ask *ask);
/* As control_put. */
void ear_put(struct ear *ear, struct slice data);
/* Gives the connection up: `lost` comes later. */
void ear_drop(struct ear *ear, const char *why);
/* The primary came up, maybe as another instance: what is connected to the former one is lost. */
void ear_check(struct ear *ear);
