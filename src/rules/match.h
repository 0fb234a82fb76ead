/* What a query must be for an operation to name it. Compiled by load.c; the part that does not
 * depend on values is decided once per shape. Pure. */
#pragma once

#include "rules/network.h"
#include "rules/rules.h"
#include "sql/catalog.h"
#include "sql/shape.h"

struct names {
    const char *const *at;
    unsigned count;
};

/* All that is given must hold. */
struct operation_match {
    uint64_t statements;                 /* bit i: enum statement_kind i; 0: any */
    const struct relation *relation;     /* NULL: any */
    struct names sets;                   /* columns that it sets or inserts, all of them */
    struct names reads;                  /* columns that it reads, all of them */
    struct names where;                  /* columns pinned to known values, all of them */
    const char *json_column, *json_path; /* a path into a column; the path NULL: any */
    int aggregate;                       /* 1, 0, or -1: either */
    uint32_t tiers;                      /* its tiers are known, and all among these; 0: any */
    struct names roles, databases, applications, hints; /* one of them; empty: any */
    const struct network *clients;                      /* in one of them; none: from anywhere */
    unsigned nclients;
    unsigned transactions; /* bit i: enum asker_transaction i; 0: any */
};

/* Why it does not match, what is looked at first before what is looked at last: name, in words */
#define MISMATCHES(X)                                                                              \
    X(STATEMENT, "another kind of statement")                                                      \
    X(RELATION, "another relation")                                                                \
    X(WHERE, "a column of `where` is not pinned")                                                  \
    X(SETS, "a column of `sets` is not set")                                                       \
    X(AGGREGATE, "`aggregate`")                                                                    \
    X(JSON_PATH, "`json_path` is not taken")                                                       \
    X(READS, "a column of `reads` is not read")                                                    \
    X(TIER, "its tier")                                                                            \
    X(DATABASE, "the database")                                                                    \
    X(ROLE, "the role")                                                                            \
    X(APPLICATION, "the application's name")                                                       \
    X(HINT, "the hint")                                                                            \
    X(CLIENT, "the client's address")                                                              \
    X(TRANSACTION, "the transaction's state")

enum mismatch {
#define X(name, text) MISMATCH_##name,
    MISMATCHES(X)
#undef X
        MATCHES
};
const char *mismatch_text(enum mismatch mismatch);

struct asker;
struct plan;

/* MATCHES where the plan's shape may be named by it, the tiers and the asker still to be looked at.
 * An INSERT without a column list sets every column. */
enum mismatch match_shape(const struct operation_match *match, const struct plan *plan);
/* The rest. `tiers` is 0 where they are not known. */
enum mismatch match_asker(const struct operation_match *match, uint32_t tiers,
                          const struct asker *asker);
/* True where whatever `narrow` matches, `wide` matches as well. */
bool match_covers(const struct operation_match *wide, const struct operation_match *narrow);
