/* A plan while it is made, and what plan.h keeps private of it; of the files of this room only. */
#pragma once

#include "conf/keep.h"
#include "rules/match.h"
#include "rules/plan.h"

/* Where a request tells its tier: values that all must be tier names. */
struct tier_values {
    const int16_t *values; /* value indexes, or GIVEN_x */
    unsigned nvalues;
    bool array; /* the one value is an array of them */
};

/* The parsed text of a view or a policy. */
struct plan_text {
    struct shape *shape;
    struct plan_text *next;
};

struct plan_memory {
    struct keep *keep;
    struct plan_text *texts;             /* by which relations stand for others */
    const struct operation **candidates; /* whose shape part matches, in the file's order */
    unsigned ncandidates;
    struct tier_values *tiers; /* none: no tier is told; all of them must be known */
    unsigned ntiers;
    uint32_t implied; /* tiers of what it touches */
    uint32_t events;  /* of the rules whose shape part matches */
    bool minds_tier;  /* whether a candidate matches, or may be cached, depends on the tier */
    bool aggregates;  /* an aggregate is called, be it as an attribute or one of the user's */
};

static inline struct plan_memory *plan_memory(const struct plan *plan)
{
    return plan->memory;
}

/* The first reason stays. */
void plan_on_primary(struct plan *plan, enum plan_reason reason);
void plan_uncached(struct plan *plan, enum plan_reason reason);
/* Both: on the primary and not cached. */
void plan_apart(struct plan *plan, enum plan_reason reason);
/* Both, and bound to the primary for what it does beside reading and writing rows. */
void plan_bound(struct plan *plan, enum plan_reason reason);
/* A write that nobody can bound. */
void plan_everything(struct plan *plan, enum plan_reason reason);
/* A read of one knows not what. */
void plan_anything(struct plan *plan, enum plan_reason reason);

/* effects.c: what the statements, functions and types of the shape may do. */
void plan_effects(struct plan *plan);
/* The same for the query of a view, or the condition of a policy: what tells only of the role and
 * its settings is let pass there, since cached answers are kept apart by both. */
void plan_effects_within(struct plan *plan, const struct shape *shape, bool policy);
/* What the rules say that a function called by the shape itself writes, or NULL. */
const struct touched *plan_touched(const struct plan *plan, const struct shape_function *function);
/* expand.c: the occurrences of the shape, and behind each those that it stands for. */
void plan_expand(struct plan *plan);
/* resolve.c: the refs against the catalog. */
void plan_resolve(struct plan *plan);
/* Which of its dimensions a column is, or -1; and what the catalog says of that. */
int plan_dimension(const struct relation *relation, const char *column);
struct plan_dim plan_dim_of(const struct plan_ref *ref, const struct catalog_relation *found,
                            unsigned dimension);
/* pins.c: what pins their columns. */
void plan_pins(struct plan *plan);
/* Which of a row's values an INSERT or UPDATE gives for a column, GIVEN_NONE where it gives none,
 * GIVEN_SOMEHOW where it may give one that is not known. */
enum { GIVEN_NONE = -1, GIVEN_SOMEHOW = -2 };
int plan_given_at(const struct plan_ref *ref, const char *column);
/* events.c: which may come to pass; then, of a request, which do. */
void plan_choose_events(struct plan *plan);
uint32_t plan_events(const struct plan *plan, uint32_t tiers, const struct asker *asker);
/* tier.c: finds where the tier is told; then, of a request, its tiers as bits, 0 where they are not
 * known. */
void plan_tier_sources(struct plan *plan);
uint32_t plan_tiers(const struct plan *plan, const struct values *values, const struct asker *asker,
                    enum tier_source *from);
