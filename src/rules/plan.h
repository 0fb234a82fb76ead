/* The verdict on a shape: what does not depend on values is decided once, the rest in a few
 * compares per request. Pure. */
#pragma once

#include "rules/rules.h"
#include "sql/catalog.h"
#include "sql/shape.h"

/* Why a read is not cached, or goes to the primary; the codes are labels of metrics and
 * explanations. name, code, sentence */
#define PLAN_REASONS(X)                                                                            \
    X(NONE, "none", "nothing stands in the way")                                                   \
    X(WRITE, "write", "it may change rows")                                                        \
    X(UNPARSABLE, "unparsable", "the grammar of PostgreSQL 15 does not accept it")                 \
    X(UNKNOWN, "unknown", "it holds something whose effects are not known")                        \
    X(NO_CATALOG, "no_catalog", "the database's catalog is not known yet")                         \
    X(SESSION, "session", "it changes or depends on the session's state")                          \
    X(TRANSACTION, "transaction", "it runs inside a transaction")                                  \
    X(BATCH, "batch", "several statements run as one request")                                     \
    X(LOCKS, "locks", "it locks rows")                                                             \
    X(VOLATILE, "volatile_function", "it calls a volatile function")                               \
    X(LOCAL, "server_function", "it calls a function that tells of the server that it runs on")    \
    X(TIME, "time_dependent", "its result depends on time or session")                             \
    X(USER_FUNCTION, "user_function", "it calls a function that is not PostgreSQL's own")          \
    X(RELATION, "relation_unknown", "a relation in it is not an ordinary table, or not known")     \
    X(SYSTEM, "system_relation", "it reads the system catalog")                                    \
    X(ROW_SECURITY, "row_security", "row-level security applies to a relation in it")              \
    X(NO_RULE, "no_rule", "no operation with a cache class matches it")                            \
    X(TIER, "tier", "its tier is not one of the cache class")                                      \
    X(RULE, "rule", "the rules say so")                                                            \
    X(HINT, "hint", "the client asks for it")                                                      \
    X(NOT_ON_STANDBY, "not_on_standby", "a standby refused it before")                             \
    X(VALUES, "too_many_values", "it has more than 64 values")                                     \
    X(PROTOCOL, "protocol", "the request is not a plain Query or Parse, Bind, Execute, Sync")      \
    X(PENDING, "write_pending",                                                                    \
      "a write that it depends on has just been committed or is under way")                        \
    X(LAG, "replica_lag", "no replica has replayed what it needs")                                 \
    X(NO_REPLICA, "no_replica", "no replica is healthy")                                           \
    X(CACHE_AWAY, "cache_away", "the cache store does not answer")

enum plan_reason {
#define X(name, code, text) PLAN_##name,
    PLAN_REASONS(X)
#undef X
        PLAN_REASON_COUNT
};
const char *plan_reason_code(enum plan_reason reason);
const char *plan_reason_text(enum plan_reason reason);

/* A dimension pinned, set or inserted. */
struct plan_dim {
    uint8_t dimension;     /* index in relation.dimensions */
    enum value_type type;  /* of the column; TYPE_NONE: nothing is known of its values */
    bool unique;           /* declared and true in the catalog */
    bool array;            /* the one value is an array of those */
    const int16_t *values; /* value indexes (of a list: all of it), or GIVEN_x */
    unsigned nvalues;
};

/* One occurrence of a relation, resolved. */
struct plan_ref {
    const struct shape_ref *ref;
    const struct catalog_relation *named; /* as the catalog shows it; or NULL */
    const struct catalog_relation *table; /* its family; or NULL */
    bool added; /* it is not in the text: a view's, a policy's, or a table that follows another */
    bool stood_for; /* a view: what its query reads is added behind it, and says all */
    const struct relation *relation; /* NULL: not declared, or not proved to be what it says */
    uint64_t id;                     /* names the relation: a hash of schema.name */
    bool certain; /* the catalog shows an ordinary table, so that `id` is all there is to it */
    const struct shape_pin *known; /* all that pins it: those of `ref`, and what the catalog tells
                                      of columns that are not qualified or equal to others */
    unsigned nknown;
    const struct plan_dim *pins; /* READ, UPDATE, DELETE: declared dimensions pinned by those */
    unsigned npins;
    const struct plan_dim *given; /* INSERT: a dimension's values row by row; UPDATE: dimensions
                                     that SET assigns. A dimension not in it: INSERT leaves it
                                     to the server (DEFAULT); UPDATE leaves it as it is */
    unsigned ngiven;
    bool upsert; /* INSERT .. ON CONFLICT DO UPDATE is in the same statement */
    bool alone;  /* READ: its statement is a plain SELECT of this one relation, no aggregate,
                    no grouping, no set operation, no LIMIT/OFFSET 0 games: row or no row */
};

struct plan {
    const struct rules *rules;      /* referenced */
    const struct catalog *catalog;  /* referenced; NULL: nothing known */
    const struct shape *shape;      /* outlives the plan */
    const struct search_path *path; /* that names of the shape are looked for in; NULL: not known */
    struct plan_ref *refs; /* those of the shape, in its order, then those that were added */
    unsigned nrefs;
    bool read;       /* proved to change no row: else it is a write. So are what only belongs to a
                        transaction or session (BEGIN, SET, LISTEN, NOTIFY, FETCH, VACUUM) and what
                        locks (FOR UPDATE, LOCK): they touch no cell, and `primary` keeps them there */
    bool everything; /* a write that nobody can bound: touches (database, *) */
    bool bound;    /* on a standby it is something else, or nothing, even where nothing is written:
                      NOTIFY, an advisory lock, what a user's function may do */
    bool anything; /* a read whose relations are not all certain: depends on (database, any) */
    enum plan_reason primary;  /* why only on the primary, NONE: may run on a standby */
    enum plan_reason uncached; /* why not cached whatever the values, NONE: the operation decides */
    void *memory;              /* private */
};

/* Compiles. `catalog` may be NULL: then every relation is uncertain. `path` may be NULL, and else
 * outlives the plan. Give back with plan_free. */
struct plan *plan_new(struct rules *rules, struct catalog *catalog, const struct shape *shape,
                      const struct search_path *path);
void plan_free(struct plan *plan);
/* True where the call x.name is surely of a column of the relation x, and so is none. */
bool plan_is_column(const struct catalog *catalog, const struct search_path *path,
                    const struct shape *shape, const struct shape_function *function);

struct hints;

/* The transaction that a statement stands in: name, word in the file */
#define ASKER_TRANSACTIONS(X)                                                                      \
    X(ALONE, "none")                                                                               \
    X(READ_ONLY, "read_only")                                                                      \
    X(READ_WRITE, "read_write")

enum asker_transaction {
#define X(name, word) ASKER_##name,
    ASKER_TRANSACTIONS(X)
#undef X
};

/* Who asks; strings may be empty, not NULL. */
struct asker {
    const char *database, *user, *application_name;
    const char
        *address; /* the client's, as stream.peer; "10.0.0.7:4711", "[::1]:4711", "unix" or empty */
    enum asker_transaction transaction;
    uint32_t user_tier; /* bit of the tier of the user it names, where that was looked up */
    struct slice operation, tier; /* hints: what the client says that this is; empty: nothing */
    const struct hints *hints;    /* all that it says (hint.h); NULL: nothing */
};

/* What tells the tier, the first of these: name, in words */
#define TIER_SOURCES(X)                                                                            \
    X(NONE, "nothing")                                                                             \
    X(HINT, "a hint")                                                                              \
    X(VALUE, "its values")                                                                         \
    X(COLUMN, "what it touches")                                                                   \
    X(USER, "its user")                                                                            \
    X(ROLE, "the role")                                                                            \
    X(DATABASE, "the database")

enum tier_source {
#define X(name, text) TIER_##name,
    TIER_SOURCES(X)
#undef X
        TIER_SOURCE_COUNT
};
const char *tier_source_text(enum tier_source source);

enum { SHADOWS_MAX = 8 };

struct verdict {
    const struct operation *operation; /* NULL: none matched */
    /* Those with `shadow` that would have been it; no more than SHADOWS_MAX are noted. */
    const struct operation *shadows[SHADOWS_MAX];
    unsigned nshadows;
    uint32_t events; /* bits of rules.events that it is, where it is a write */
    int tier;        /* index in rules.tiers, or -1 */
    enum tier_source tier_from;
    const struct cache_class *cache; /* NULL: not cached, see `uncached` */
    enum plan_reason uncached;
    enum route route;         /* where the rules want it; PRIMARY always for writes */
    enum plan_reason primary; /* why PRIMARY */
    enum freshness freshness;
    int64_t bound;
};

/* Decides by the values. Costs a few compares; does not allocate, and counts nothing. */
void plan_judge(const struct plan *plan, const struct values *values, const struct asker *asker,
                struct verdict *verdict);
/* A request was named so, at `now` (clock_wall): the tallies of its operation and shadows grow. */
void verdict_count(const struct verdict *verdict, const struct rules *rules, int64_t now);

/* The user whose tier would be of use to know: whom a hint or the query names, where nothing that
 * comes before tells the tier, and something that may match depends on it. Writes the name in its
 * canonical form, of at most `cap` bytes, and returns its length; -1: nothing is to be looked up.
 * Counts as nothing where plan_minds_user is false, which costs one look. */
int plan_user(const struct plan *plan, const struct values *values, const struct asker *asker,
              char *out, size_t cap);
bool plan_minds_user(const struct plan *plan);

/* The pinned and given values of a request in canonical form, made once and used by footprint and
 * cache key. A value that has no canonical form is not in it, and its dimension counts as unpinned
 * (or, given, as unknown). */
enum { PINNED_MAX = 64, PINNED_BYTES = 2048 };
struct pinned {
    struct {
        uint8_t ref, dimension; /* index in plan.refs; in its relation's dimensions */
        bool given;             /* from plan_ref.given, else from .pins */
        uint16_t at, len;       /* in `bytes` */
    } values[PINNED_MAX];
    unsigned count;
    char bytes[PINNED_BYTES];
    /* Bit d of pins[ref] / given[ref]: every value of dimension d is here. */
    uint8_t pins[16], given[16];
};
/* Refs beyond the 16th, and dimensions that do not fit, count as not known. */
void plan_pinned(const struct plan *plan, const struct values *values, struct pinned *pinned);
