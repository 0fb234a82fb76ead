/* The facts of a statement text, found once by parsing it: what it is, never what to do. Immutable
 * after shape_new. Names are folded as PostgreSQL folds them and NUL-terminated. Value indexes are
 * positions in struct values of any text of this shape. */
#pragma once

#include "base/hash.h"
#include "sql/value.h"

/* One statement's kind. name, text in explanations and rules */
#define STATEMENT_KINDS(X)                                                                         \
    X(EMPTY, "empty")                                                                              \
    X(SELECT, "select")                                                                            \
    X(INSERT, "insert")                                                                            \
    X(UPDATE, "update")                                                                            \
    X(DELETE, "delete")                                                                            \
    X(MERGE, "merge")                                                                              \
    X(TRUNCATE, "truncate")                                                                        \
    X(COPY_FROM, "copy from")                                                                      \
    X(COPY_TO, "copy to")                                                                          \
    X(BEGIN, "begin")                                                                              \
    X(COMMIT, "commit")                                                                            \
    X(ROLLBACK, "rollback")                                                                        \
    X(SAVEPOINT, "savepoint") /* also RELEASE and ROLLBACK TO */                                   \
    X(SET, "set")             /* SET, RESET and their kin, but SET LOCAL and SET TRANSACTION */    \
    X(SET_LOCAL, "set local") /* ends with the transaction */                                      \
    X(SHOW, "show")                                                                                \
    X(EXPLAIN, "explain")                                                                          \
    X(PREPARE, "prepare")                                                                          \
    X(EXECUTE, "execute")                                                                          \
    X(DEALLOCATE, "deallocate")                                                                    \
    X(DISCARD, "discard")                                                                          \
    X(DECLARE, "declare") /* a cursor */                                                           \
    X(FETCH, "fetch")     /* FETCH, MOVE, CLOSE */                                                 \
    X(LISTEN, "listen")   /* also UNLISTEN */                                                      \
    X(NOTIFY, "notify")                                                                            \
    X(LOCK, "lock")                                                                                \
    X(LOAD, "load")                                                                                \
    X(PREPARE_TRANSACTION, "prepare transaction")                                                  \
    X(COMMIT_PREPARED, "commit prepared")                                                          \
    X(ROLLBACK_PREPARED, "rollback prepared")                                                      \
    X(DO, "do")                                                                                    \
    X(CALL, "call")                                                                                \
    X(DDL, "ddl")                                                                                  \
    X(MAINTENANCE, "maintenance") /* VACUUM, ANALYZE, CHECKPOINT, CLUSTER, REINDEX */              \
    X(UTILITY, "utility")         /* any other */                                                  \
    X(UNPARSABLE, "unparsable")

enum statement_kind {
#define X(name, text) STATEMENT_##name,
    STATEMENT_KINDS(X)
#undef X
        STATEMENT_KIND_COUNT
};

const char *statement_kind_text(enum statement_kind kind);

enum { GIVEN_UNKNOWN = -1, GIVEN_DEFAULT = -2, GIVEN_NULL = -3 };

/* How an occurrence of a relation is used. */
enum ref_use { REF_READ, REF_INSERT, REF_UPDATE, REF_DELETE, REF_TRUNCATE, REF_COPY_FROM };

/* column = value, or column IN (values), by a top-level AND of the occurrence's WHERE (or of an
 * inner join's ON; of an outer join's ON only for the nullable side). */
struct shape_pin {
    const char *column;
    const char *cast; /* the type the values are cast to (one that value_type_named knows), NULL
                         where none is; a value behind any other cast makes no pin */
    const int16_t *values; /* value indexes; one that is the first of a list means all of it */
    unsigned nvalues;
    bool array; /* the one value is an array: column = ANY (value) */
};

/* A pin whose column is not qualified, where there are several occurrences: it is of the one that
 * alone has a column of that name. */
struct shape_loose {
    struct shape_pin pin;
    const uint16_t *refs; /* the occurrences that the name may be looked for in, all of its level */
    unsigned nrefs;
    unsigned from, to; /* of which the pin holds: a range of `refs` */
};

/* column = other, by a top-level AND, for every row that `ref` contributes: what pins other pins
 * column, where both are of one type. */
struct shape_equal {
    unsigned ref, source; /* occurrences */
    const char *column, *other;
};

/* A value that an INSERT or UPDATE gives behind a cast to a type that value_type_named knows. A
 * cast can change a value ('07'::int4 into a text column), so given is GIVEN_UNKNOWN there; this
 * one may be used where the column is of the cast's own type. */
struct shape_given {
    unsigned row, column; /* as in shape_ref.given */
    int16_t value;
    const char *cast;
};

/* One occurrence of a relation: in FROM, or as the target of a write. MERGE and ON CONFLICT DO
 * UPDATE give one occurrence per kind of write. */
struct shape_ref {
    const char *schema; /* NULL: to be found by search_path */
    const char *name;
    enum ref_use use;
    unsigned statement;           /* index in shape.statements */
    bool locked;                  /* FOR UPDATE / FOR SHARE reaches it */
    const struct shape_pin *pins; /* of a READ, UPDATE or DELETE; every one of them holds. In an ON
                                     CONFLICT (key) DO UPDATE: key = what the INSERT gives for it */
    unsigned npins;
    /* INSERT: the columns given and, row by row, their values; UPDATE: the columns set, one row.
     * given[row * width + column] is a value index or GIVEN_x. An INSERT without a column list
     * has `positional`: its values are of the table's columns in their order. INSERT .. SELECT has
     * nrows 0. */
    const char *const *columns;
    unsigned ncolumns, nrows;
    unsigned width; /* values of a row: ncolumns, or where they are positional how many there are */
    const int16_t *given;
    bool positional; /* ncolumns is 0 then, nrows the number of rows; with a width of 0 none of
                        their values is known */
    const struct shape_given *casts;
    unsigned ncasts;
};

/* professional_data->'financialMetrics'->>'annualRevenue'. Literal keys right behind -> ->> #> #>>
 * are part of the shape: no placeholders, not among the values. */
struct shape_path {
    const char *column;
    const char *path; /* keys joined by '.'; '?' for one that is not such a literal */
};

struct shape_function { /* called anywhere in the text, aggregates included */
    const char *schema; /* NULL: by search_path */
    const char *name;
    int nargs;      /* -1: not known */
    bool aggregate; /* known from the grammar or by name as an aggregate of PostgreSQL */
    bool attribute; /* written x.name or (expr).name: a call where no such column is meant, and a
                       function of that name exists */
    int row;        /* .. the occurrence that x names, whose column hides the function; or -1 */
};

/* What a text may leave on the session that runs it, beyond the end of its transaction. Of the
 * first six a server can tell whether they are there. */
enum leaves {
    LEAVES_SETTINGS = 1 << 0, /* settings that the text does not name, or that it sets back */
    LEAVES_TEMPORARY = 1 << 1,
    LEAVES_LOCKS = 1 << 2,
    LEAVES_CURSORS = 1 << 3,
    LEAVES_PREPARED = 1 << 4,
    LEAVES_CHANNELS = 1 << 5,
    LEAVES_TOLD = (1 << 6) - 1,
    LEAVES_LIBRARY = 1 << 6,
    LEAVES_SEED = 1 << 7,
    LEAVES_OTHER = 1 << 8,     /* a backup, a replication origin, a temporary slot */
    LEAVES_SEQUENCES = 1 << 9, /* what currval and lastval tell */
    LEAVES_UNSEEN = 1 << 10,   /* a setting of a name that is computed */
};

/* A setting that a text sets, by its name in the text or by a value of it. */
struct shape_setting {
    const char *name; /* NULL: `value` is the name */
    int16_t value;
    bool local; /* until the end of the transaction */
};

struct shape {
    struct hash128 hash;
    unsigned nvalues; /* placeholders */
    size_t bytes;     /* what it costs in memory */
    const char *text; /* normalised text with $1, $2.. for values, cut at 2 kB; for SHOW SHAPES */

    const uint8_t *statements; /* enum statement_kind of each statement */
    unsigned nstatements;

    const struct shape_ref *refs;
    unsigned nrefs;
    const char *const *columns; /* names of columns read anywhere, without doubles; those that may
                                   be calls ("x.name") are among the functions as well */
    unsigned ncolumns;
    const struct shape_path *paths;
    unsigned npaths;
    const struct shape_function *functions;
    unsigned nfunctions;
    const char *const *types; /* type names used in casts, without doubles */
    unsigned ntypes;
    const char *const *metrics; /* aggregates as "avg(health_score)", in order of appearance */
    unsigned nmetrics;

    const struct shape_loose *loose;
    unsigned nloose;
    const struct shape_equal *equals;
    unsigned nequals;

    const struct shape_setting *settings; /* set or reset */
    unsigned nsettings;
    uint16_t leaves; /* enum leaves */
    uint16_t ends;   /* .. that the text may end */

    bool star;           /* reads all columns of something */
    bool aggregates;     /* an aggregate or GROUP BY, at any level */
    bool writes;         /* some statement may change rows, or is not known not to */
    bool returns;        /* RETURNING stands in it */
    bool locks;          /* FOR UPDATE / SHARE, LOCK */
    bool session;        /* leaves something on the session: SET, PREPARE, LISTEN, temp table,
                            DECLARE WITH HOLD, LOAD, session advisory lock, set_config(.., false) */
    bool transaction;    /* holds BEGIN, COMMIT, ROLLBACK, SAVEPOINT or two-phase statements */
    bool volatile_time;  /* SQL value functions: CURRENT_TIMESTAMP, CURRENT_SCHEMA, ... */
    bool asks_role;      /* .. CURRENT_USER, SESSION_USER, CURRENT_CATALOG */
    bool unknown;        /* something in it was not understood: counts as a write to everything */
    bool explains_write; /* EXPLAIN ANALYZE of a write (a plain EXPLAIN is a read) */
    bool asks_sequences; /* calls currval or lastval */
    bool notifies;       /* NOTIFY, or calls pg_notify */
    bool asks_channels;  /* calls pg_listening_channels */
    bool plain;     /* one SELECT of one relation and nothing else (no join, subquery, WITH, set
                       operation, grouping, aggregate): each row of the result is one of its rows */
    bool read_only; /* BEGIN or SET TRANSACTION .. READ ONLY */
    bool chain;     /* COMMIT or ROLLBACK AND CHAIN */
    const char *isolation; /* what BEGIN or SET TRANSACTION asks for ("repeatable read"), or NULL */
    const char *set_name;  /* the setting's name where the text is one SET or RESET ("role", "all";
                              words of several are upper-case: "TRANSACTION"), or NULL */
    const char *set_word;  /* the one value of a SET where it is a word (off), or NULL */
    int16_t set_value;     /* .. where it is a literal: its value index, or -1 */
    bool set_default;      /* .. which goes back to its default: RESET, SET .. TO DEFAULT */
};

/* Parses `text` (whose fingerprint is `hash`, with `values` its values) in full, every statement of
 * it. Never NULL: what does not parse is a shape of one UNPARSABLE statement that is unknown. */
struct shape *shape_new(struct slice text, struct hash128 hash, const struct values *values);
void shape_free(struct shape *shape);
