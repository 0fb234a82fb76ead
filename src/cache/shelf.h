/* What a store keeps, by key, and who goes first when there is too much: the one that saves the
 * least time per byte, counted with each use and aged (L. Cherkasova, "Improving WWW Proxies
 * Performance with Greedy-Dual-Size-Frequency Caching Policy", HP Laboratories, 1998). */
#pragma once

#include "base/map.h"
#include "cache/store.h"

struct shelf_item {
    struct hash128 hash;
    struct account *account;
    struct kept *kept; /* referenced; NULL: the store has it elsewhere */
    uint64_t bytes;    /* what it costs */
    int64_t expires;
    /* private */
    struct map_link link;
    double worth, rank; /* ns that a use saves, per byte; that, uses and age: the least goes */
    uint64_t uses, turn;
    unsigned place; /* in its account's heap */
    uint16_t len;
    char text[]; /* its key, NUL-terminated */
};

struct shelf {
    struct map items;
    uint64_t bytes, max; /* max 0: no bound but those of the classes */
    uint64_t turns;
    double age;           /* the rank of the one that went last */
    struct ring accounts; /* those that have items */
    /* One is about to go that was not asked to: for want of room, or since its time is over. */
    void (*goes)(void *owner, struct shelf_item *item);
    void *owner;
};

void shelf_init(struct shelf *shelf, uint64_t max);
/* All go, and nobody is told. */
void shelf_clear(struct shelf *shelf);

/* NULL where there is none, or its time is over. */
struct shelf_item *shelf_find(struct shelf *shelf, struct hash128 hash, int64_t now);
/* It was of use. */
void shelf_use(struct shelf *shelf, struct shelf_item *item);
/* Keeps one of `bytes`, in the place of any other of this key, that took `saved` ns to have. False:
 * it is larger than what it may take. */
bool shelf_put(struct shelf *shelf, const struct key *key, struct kept *kept, uint64_t bytes,
               int64_t saved, struct account *account, int64_t now);
/* What an item costs beside what it keeps. */
uint64_t shelf_cost(const struct key *key);
void shelf_drop(struct shelf *shelf, struct shelf_item *item);
/* Drops all that `wanted` says, after `goes`; returns how many. */
uint64_t shelf_sweep(struct shelf *shelf, bool (*wanted)(void *with, const char *text), void *with);
