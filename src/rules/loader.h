/* What the parts of the loader share; nobody else's. */
#pragma once

#include "conf/field.h"
#include "rules/compiled.h"
#include "rules/match.h"

extern const struct form FORM_OF_FRESHNESS, FORM_OF_MATCH, FORM_OF_TIERS, FORM_OF_OPERATIONS,
    FORM_OF_EVENTS;

enum { LOAD_PATH = 160 };

struct loader {
    struct keep *keep;
    struct diag *diag;
    struct rules *rules;
    const struct yaml *root;
    bool unclear; /* some operation's match has a fault */
};

/* Names from a list, or from one text in place of one. */
struct names load_names(struct loader *loader, const struct yaml *node, const char *path);
/* Tier names to bits, lowest first; unknown ones are told. */
uint32_t load_tiers(struct loader *loader, const struct yaml *node, const char *path);
/* A declared relation by "name" or "schema.name", NULL where there is none, which is told. */
const struct relation *load_relation(struct loader *loader, const struct yaml *node,
                                     const char *name);
/* causal, unbounded, or a bound. */
void load_freshness(struct loader *loader, const struct yaml *node, const char *path,
                    enum freshness *freshness, int64_t *bound);
/* A cache class by its name, NULL where there is none, which is told. */
const struct cache_class *load_class_name(struct loader *loader, const struct yaml *node);
/* What an operation or event matches, by its path ("operations.x"); `node` may be NULL. */
const struct operation_match *load_match(struct loader *loader, const struct yaml *node,
                                         const char *path);
/* tiers: their names, and when relations and classes are there what tells them. */
void load_tier_names(struct loader *loader);
void load_tier_sources(struct loader *loader);
/* operations: relations, tiers and classes are there already. */
void load_operations(struct loader *loader);
/* events: the same. */
void load_events(struct loader *loader);
