/* What one database's own catalog says of relations and functions: an immutable snapshot built from
 * the rows of CATALOG_QUERY, read by whoever compiles plans. Knows no connection. */
#pragma once

#include "base/slice.h"
#include "sql/search_path.h"
#include "sql/value.h"

/* The query whose rows feed catalog_add_row; one statement, text results. */
extern const char CATALOG_QUERY[];

struct catalog_column {
    const char *name;
    enum value_type type; /* TYPE_NONE where it may not be a dimension */
    bool unique;          /* alone a full, immediate, valid, non-partial unique index */
    bool generated;
    bool has_default; /* a default or identity makes it up where it is not given */
    uint32_t number;  /* pg_attribute.attnum; 0: not known */
    int place;        /* among its table's columns, from 0; -1: not known */
};

struct catalog_relation;

/* A table whose rows change with those of another one, by a foreign key. */
struct catalog_follower {
    const struct catalog_relation *relation; /* its family; NULL: one that nothing is known of */
    const char *column;                      /* of the other one: the key's */
    bool on_delete, on_update;
};

struct catalog_relation {
    const char *schema, *name;
    uint32_t oid;
    char kind;        /* pg_class.relkind */
    char persistence; /* pg_class.relpersistence */
    bool inherits;    /* has a parent or a child, or is partitioned */
    /* The topmost of those that it inherits from or is a part of: their rows are taken for one
     * table's, and what is true of one of them, it has. Itself where there are none; NULL where
     * there is no one that could stand for all. */
    const struct catalog_relation *family;
    bool triggers; /* user triggers other than pgtier's own (names that begin "pgtier_") */
    bool rules;    /* rewrite rules */
    bool row_security;
    bool sequences;   /* a default of it takes the next of a sequence */
    bool write_calls; /* a default or check calls a function of the user's that may do anything */
    bool read_calls;  /* a policy, view or rule does */
    const struct catalog_follower *followers; /* of its family: one for each column of a key */
    unsigned nfollowers;
    const char *definition;      /* of a view: its query; NULL where that is not known */
    const char *const *policies; /* of row-level security: conditions of reads, parsed as one of its
                                    own would be; NULL ones are not known */
    unsigned npolicies;
    const struct catalog_column *columns;
    unsigned ncolumns;
};

/* All functions that a call may be of, taken together: the worst of them. Of which types its
 * arguments are is not looked at. */
struct catalog_function {
    const char *name;
    char volatility;      /* 'i', 's' or 'v': the worst of that name in pg_catalog; else '\0' */
    bool user;            /* some schema other than pg_catalog has one */
    char user_volatility; /* the worst of those */
    bool aggregate;
    bool leaving;         /* the source of a user's one may leave something on the session */
    bool computed;        /* .. a setting of a name that it computes */
    const char *settings; /* .. names with dots that it may set, parted by blanks; NULL: none */
};

struct catalog;

struct catalog *catalog_new(void);
/* One row of CATALOG_QUERY; a NULL field has .at NULL. False where it is not of that form. */
bool catalog_add_row(struct catalog *catalog, const struct slice *fields, unsigned count);
/* Sorts and indexes; call once after the last row, before any look-up. */
void catalog_finish(struct catalog *catalog);
/* A hash of all its rows: another one where anything has changed. */
uint64_t catalog_digest(const struct catalog *catalog);
void catalog_ref(struct catalog *catalog);
void catalog_unref(struct catalog *catalog);

/* schema NULL: the one that is found by the path; with no path (NULL) the one relation of that name
 * in any schema but pg_toast and pg_temp. NULL where there is none, or which one is not sure: more
 * than one, or the path's first one in a schema that its user may not be allowed to look at.
 * Without a path pg_catalog names come first. */
const struct catalog_relation *catalog_relation(const struct catalog *catalog,
                                                const struct search_path *path, const char *schema,
                                                const char *name);
const struct catalog_column *catalog_column(const struct catalog_relation *relation,
                                            const char *name);
/* What a call with so many arguments (-1: any number) may be of; without a schema in those of the
 * path, without a path (NULL) in any. False where no function may be meant. */
bool catalog_function(const struct catalog *catalog, const struct search_path *path,
                      const char *schema, const char *name, int nargs,
                      struct catalog_function *found);
/* True where operators, casts or types that users made could run user code unseen. */
bool catalog_user_operators(const struct catalog *catalog);
/* True where one of those may do anything: its function is not immutable, and any statement may run
 * it. */
bool catalog_loose_operators(const struct catalog *catalog);
/* True where a cast to a domain may: its default or check calls such a function. */
bool catalog_loose_domains(const struct catalog *catalog);
