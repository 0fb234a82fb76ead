/* What the DBA's file says about relations, tiers, operations and caching: compiled, immutable,
 * shared by reference and replaced whole at a reload. Loaded by rules/load.c from conf's tree. */
#pragma once

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIMENSIONS_MAX = 8, TIERS_MAX = 16, EVENTS_MAX = 32 };

/* What something writes beside what it names, each as a whole. */
struct touched {
    const struct relation_name {
        const char *schema; /* NULL: in any schema */
        const char *name;
    } * at;
    unsigned count;
    bool said; /* else nobody knows */
};

struct relation {
    const char *schema; /* NULL where the file names none */
    const char *name;
    const char *dimensions[DIMENSIONS_MAX]; /* most selective first */
    bool unique[DIMENSIONS_MAX];            /* declared so; the catalog must agree */
    unsigned ndimensions;
    struct touched touches; /* by its triggers, and by what its defaults and checks call */
};

enum route { ROUTE_PRIMARY, ROUTE_REPLICA };
const char *route_text(enum route route);

enum freshness { FRESH_CAUSAL, FRESH_BOUND, FRESH_UNBOUNDED };

struct cache_class {
    const char *name;
    const char *key; /* "prof_eval:{user_id}:{id}" */
    int64_t ttl;     /* ns */
    uint32_t tiers;  /* bit i: tier i may be cached; 0: any query, its tier known or not */
    bool compress;
    uint64_t max_size; /* bytes of all entries of the class in a memory store; 0: no own bound */
    unsigned index;
};

/* Which of the replicas that are new enough. */
enum prefer {
    PREFER_TURN,    /* of the best priority, one after the other */
    PREFER_NEAREST, /* of this pgtier's own location first */
    PREFER_IDLE     /* the one with the fewest requests of ours at work */
};

/* What a client is told in place of an answer. */
struct denial {
    const char *sqlstate; /* NULL: nothing is denied */
    const char *message, *hint;
};

/* How often an operation named a request (of one with `shadow`: would have). */
struct tally {
    uint64_t hits;
    int64_t last; /* clock_wall; 0: never */
    double owed;  /* of a line in the log, see rules_logs */
};

struct operation_match;

struct operation {
    const char *name;
    const struct operation_match *match;
    int64_t target;                  /* ns; 0: none */
    const struct cache_class *cache; /* NULL: not cached */
    bool has_route;
    enum route route;
    enum prefer prefer;
    enum freshness freshness;
    int64_t bound;   /* ns, of FRESH_BOUND */
    int64_t timeout; /* ns until it is cancelled with 57014; 0: never */
    unsigned limit;  /* of it at work at a time, others wait; 0: any number */
    struct denial deny;
    double log;  /* share of its requests that are logged, 0..1 */
    bool shadow; /* is counted, and decides nothing: the next that matches does */
    unsigned index;
    unsigned line; /* in the file, for explanations */
};

/* A write that is counted by a name. */
struct event {
    const char *name;
    const struct operation_match *match;
};

/* What a statement that reads or writes it is of: a column, or any of the relation. */
struct implied_tier {
    const struct relation *relation;
    const char *column; /* NULL: any */
    unsigned tier;
};

/* Whose role or which database it is. */
struct named_tier {
    const char *name;
    unsigned tier;
};

/* Where a user's tier is told: by the row of the relation whose key is the user. */
struct tier_user {
    const struct relation *relation; /* NULL: nowhere */
    const char *key, *tier;          /* columns; the key is a dimension of it */
    const char *column; /* by which other relations name their user ("user_id"), or NULL */
    const struct cache_class *cache; /* that keeps it */
};

/* One of the user's of which it is said what it changes. */
struct said_function {
    const char *schema; /* NULL: in any schema */
    const char *name;
    struct touched touches; /* not `said`: it changes nothing, on whatever server it runs */
};

struct rules {
    unsigned refs;
    const struct relation *relations;
    unsigned nrelations;
    const char *tiers[TIERS_MAX]; /* lowest first */
    unsigned ntiers;
    const char *tier_relation, *tier_column; /* NULL where the file names none */
    const struct implied_tier *implied;
    unsigned nimplied;
    const struct named_tier *role_tiers, *database_tiers;
    unsigned nrole_tiers, ndatabase_tiers;
    struct tier_user tier_user;
    const struct operation *operations;
    unsigned noperations;
    const struct cache_class *classes;
    unsigned nclasses;
    const struct said_function *functions;
    unsigned nfunctions;
    const struct event *events;
    unsigned nevents;
    uint64_t *event_counts;   /* by their index; they change too */
    struct tally *tallies;    /* by operation.index; the one thing that changes */
    enum route reads, writes; /* for what no operation says otherwise */
    enum freshness freshness;
    int64_t bound;
};

void rules_ref(struct rules *rules);
void rules_unref(struct rules *rules);
/* NULL where no relation of that name is declared. schema NULL matches any. */
const struct relation *rules_relation(const struct rules *rules, const char *schema,
                                      const char *name);
/* What is said of the function that is called, or NULL; schema NULL: by search_path, which a name
 * that the file writes with a schema does not stand for. */
const struct said_function *rules_function(const struct rules *rules, const char *schema,
                                           const char *name);
/* .. it is one that changes nothing. */
bool rules_safe(const struct rules *rules, const char *schema, const char *name);
/* The bit of a tier by its name; 0 where there is none of that name. */
uint32_t rules_tier(const struct rules *rules, struct slice name);
/* True for those requests of an operation that belong in the log, by its share: one in so many. */
bool rules_logs(const struct rules *rules, const struct operation *operation);
/* Those of these bits have come to pass once more. */
void rules_count_events(const struct rules *rules, uint32_t events);
/* Goes on counting where `before` has counted for operations and events of the same names. */
void rules_follow(struct rules *rules, const struct rules *before);
