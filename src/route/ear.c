/* Each login first asks who answers: only the instance that is known as the primary is listened to.
 * Texts are UTF-8, whatever the database has. */
#include "route/ear.h"

#include "base/clock.h"
#include "base/log.h"
#include "route/probe.h"

#define EAR_NAME "pgtier listener"
/* A slot is made once all that runs on the primary has ended. */
enum { STREAM_QUERY_SEC = 60 };

static bool is_primary(const struct ear *ear)
{
    return ear->identified && ear->primary->identity.started[0] &&
           identity_same(&ear->who_is, &ear->primary->identity);
}

static void hear_identity(void *owner, const struct slice *fields, unsigned count)
{
    struct ear *ear = owner;

    ear->identified = identity_read(&ear->who_is, fields, count);
}

static void have_identity(void *owner)
{
    struct ear *ear = owner;

    if (is_primary(ear))
        control_ask(ear->control, &ear->encode);
    else
        control_drop(ear->control, "it is not the instance that is the primary");
}

static void have_encoding(void *owner)
{
    struct ear *ear = owner;

    ear->up = true;
    ear->complained = false;
    log_info("route", "%s: a connection to %s listens", ear->database, ear->primary->node.name);
    ear->events->up(ear->owner);
}

/* Where the connection is lost anyway the drop does nothing. */
static void fail(void *owner, const char *why)
{
    struct ear *ear = owner;

    control_drop(ear->control, why);
}

static void come_up(void *owner)
{
    struct ear *ear = owner;

    ear->identified = false;
    control_ask(ear->control, &ear->who);
}

/* One line for a fault that stays. */
static void go_down(void *owner, const char *why)
{
    struct ear *ear = owner;

    if (ear->up || !ear->complained)
        log_warning("route", "%s: the connection to %s that listens is %s: %s", ear->database,
                    ear->primary->node.name, ear->up ? "lost" : "not to be had", why);
    ear->up = false;
    ear->complained = true;
    ear->events->lost(ear->owner, why);
}

static void heard(void *owner, struct slice channel, struct slice payload, uint32_t pid)
{
    struct ear *ear = owner;

    ear->events->heard(ear->owner, channel, payload, pid);
}

static void streamed(void *owner, struct slice data)
{
    struct ear *ear = owner;

    ear->events->streamed(ear->owner, data);
}

static void told(void *owner)
{
    struct ear *ear = owner;

    ear->events->told(ear->owner);
}

void ear_init(struct ear *ear, struct loop *loop, struct probe *primary, const char *url,
              const char *database)
{
    *ear = (struct ear){.loop = loop, .primary = primary, .url = url, .database = database};
    ear->who = (struct control_ask){.sql = IDENTITY_QUERY,
                                    .row = hear_identity,
                                    .done = have_identity,
                                    .failed = fail,
                                    .owner = ear};
    ear->encode = (struct control_ask){.sql = "SET client_encoding TO 'UTF8'",
                                       .done = have_encoding,
                                       .failed = fail,
                                       .owner = ear};
}

void ear_clear(struct ear *ear)
{
    ear_close(ear);
}

void ear_open(struct ear *ear, const struct ear_events *events, void *owner)
{
    struct control_options options = {
        .url = ear->url,
        .name = EAR_NAME,
        .connect_timeout = PROBE_CONNECT_SEC * CLOCK_SEC,
        .query_timeout = (events->streamed ? STREAM_QUERY_SEC : PROBE_QUERY_SEC) * CLOCK_SEC,
        .up = come_up,
        .down = go_down,
        .heard = events->heard ? heard : NULL,
        .replication = events->streamed != NULL,
        .streamed = events->streamed ? streamed : NULL,
        .told = told,
        .owner = ear,
    };

    if (ear->control)
        return;
    ear->events = events;
    ear->owner = owner;
    ear->complained = false;
    ear->control = control_new(ear->loop, &options);
}

void ear_close(struct ear *ear)
{
    struct control *control = ear->control;

    if (!control)
        return;
    control_forget(control, &ear->who);
    control_forget(control, &ear->encode);
    control_free(control);
    ear->control = NULL;
    ear->up = false;
}

bool ear_ask(struct ear *ear, struct control_ask *ask)
{
    return ear->up && control_ask(ear->control, ask);
}

void ear_put(struct ear *ear, struct slice data)
{
    if (ear->control)
        control_put(ear->control, data);
}

void ear_forget(struct ear *ear, struct control_ask *ask)
{
    if (ear->control)
        control_forget(ear->control, ask);
}

void ear_drop(struct ear *ear, const char *why)
{
    if (ear->control)
        control_drop(ear->control, why);
}

void ear_check(struct ear *ear)
{
    if (ear->up && !is_primary(ear))
        ear_drop(ear, "another instance is the primary");
}
