/* What a query must be for an operation to name it. Compiled by load.c; the part that does not
 * depend on values is decided once per shape. Pure. */
#pragma once

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
    struct names roles, databases, applications; /* one of them; empty: any */
};

/* True where a shape may be named by it, the tiers and the asker still to be looked at.
 An
 * INSERT without a column list sets every column. */
bool match_shape(const struct operation_match *match, const struct shape *shape);
/* The rest. `tiers` is 0 where they are not known. */
bool match_asker(const struct operation_match *match, uint32_t tiers, const char *database,
                 const char *user, const char *application_name);
/* True where whatever `narrow` matches, `wide` matches as well. */
bool match_covers(const struct operation_match *wide, const struct operation_match *narrow);
