/* What a client says of its own statements: tags in a comment of the text (sqlcommenter,
 * google.github.io/sqlcommenter/spec), and settings of the session whose names begin with
 * "pgtier.". A hint never makes a write a read, nor an answer older than the rules of the ledger
 * allow for the freshness that it asks for. Pure. */
#pragma once

#include "base/slice.h"
#include "rules/rules.h"

/* The settings, each of which is a tag "pgtier.name" as well: name, values in words */
#define HINTS(X)                                                                                   \
    X(CACHE, "cache", "on or off")                                                                 \
    X(ROUTE, "route", "primary, replica or default")                                               \
    X(FRESHNESS, "freshness", "causal, unbounded, default, or a bound as in 10s")                  \
    X(TIER, "tier", "the name of a tier")                                                          \
    X(USER, "user_id", "the user whose tier counts")                                               \
    X(OPERATION, "operation", "a name that rules match as `hint`")

enum hint {
#define X(name, word, values) HINT_##name,
    HINTS(X)
#undef X
        HINT_COUNT
};

struct asker;
struct plan;
struct verdict;

enum hint_route { HINT_ROUTE_DEFAULT, HINT_ROUTE_PRIMARY, HINT_ROUTE_REPLICA };

enum { HINT_ROOM = 512 };

/* Zeroed: nothing is said. */
struct hints {
    bool no_cache;
    enum hint_route route;
    bool has_freshness;
    enum freshness freshness;
    int64_t bound; /* ns, of FRESH_BOUND */
    struct slice tier, user, operation;
    struct slice traceparent; /* W3C trace context, as it came; of tags only */
    struct slice wrong;       /* the last tag that was not understood; for explanations */
    uint16_t used;            /* of `room` */
    char room[HINT_ROOM];     /* values that were written with escapes */
};

/* The hint that a setting's name names; HINT_COUNT: it is none of ours. Names are compared without
 * regard to case. */
enum hint hint_named(struct slice setting);
/* Whether it is of ours: its name begins with "pgtier.". */
bool hint_is_ours(struct slice setting);
const char *hint_text(enum hint hint);   /* without the prefix */
const char *hint_values(enum hint hint); /* which it may have, in words */

/* Takes a setting's value, which must live as long as the hints do. An empty one says nothing.
 * False where it is none that the setting may have: the hints stay as they are. */
bool hint_set(struct hints *hints, enum hint hint, struct slice value);

/* Takes the tags of a comment's inside, over those that are there: tier, user_id,
 * operation and traceparent by these names, all hints by "pgtier.name". Other tags are others'.
 * What is not understood changes nothing but `wrong`. The comment must live as long as the hints
 * do, and so must the hints where they are: slices point into them. */
void hint_read(struct hints *hints, struct slice tags);

/* The asker says this; NULL: nothing. */
void hint_asks(const struct hints *hints, struct asker *asker);

/* What the rules have decided, as the client would have it. */
void hint_judge(const struct hints *hints, const struct plan *plan, struct verdict *verdict);
