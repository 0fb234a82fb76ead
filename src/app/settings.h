/* The settings of a file, whole and checked: what app builds the rooms from. */
#pragma once

#include "conf/diag.h"
#include "rules/rules.h"

enum pool_mode { POOL_TRANSACTION, POOL_SESSION };
enum feed_kind { FEED_NONE, FEED_NOTIFY, FEED_WAL };
enum auth_kind { AUTH_TRUST, AUTH_SCRAM };

struct settings_user {
    const char *name;
    const char *password; /* plain, or a SCRAM-SHA-256$ secret; NULL: none */
};

struct settings_node {
    const char *url;
    int priority;         /* lower first */
    const char *location; /* NULL: not told */
};

struct settings_database {
    const char *name;
    struct settings_node primary;
    const struct settings_node *replicas; /* those whose url came out empty are left out */
    unsigned nreplicas;
    int64_t max_lag; /* ns */
    enum feed_kind feed;
    uint64_t feed_keep; /* bytes of WAL */
};

struct settings {
    struct {
        const char *address; /* listen: { address, port, max_clients } */
        int port;
        unsigned max_clients;
        const char *location; /* of this process; empty: not told */
    } listen;
    struct {
        enum auth_kind kind; /* auth: { type: trust | scram-sha-256, users: [..] } */
        const struct settings_user *users;
        unsigned nusers;
    } auth;
    struct {
        const char *const *users; /* admin: { users: [..] }: who may use the console */
        unsigned nusers;
    } admin;
    struct {
        const char *address; /* metrics: { address, port }; port 0: off */
        int port;
    } metrics;
    struct {
        enum pool_mode mode;
        unsigned size;
        int64_t wait_timeout, idle_timeout, connect_timeout;
    } pool;
    struct {
        const char *store;
        uint64_t memory, max_entry;
        int64_t timeout;
    } cache;
    struct {
        const char *ledger; /* memory, redis (that of the store), or a url of Redis */
    } freshness;
    struct {
        uint64_t shapes;  /* limits: bytes of known shapes */
        uint64_t request; /* bytes of a request that are read whole to understand it */
        uint64_t ledger_cells;
    } limits;
    struct {
        double cache_hit_ratio;
        int64_t cache_response_time;
        unsigned concurrent_users;
    } targets;
    const struct settings_database *databases;
    unsigned ndatabases;
    struct rules *rules;
    void *memory; /* private */
};

/* Reads and checks a file; every fault goes to `diag` with file, line and column. NULL where there
 * is any. Free with settings_free, which also gives back the rules. */
struct settings *settings_load(const char *path, struct diag *diag);
void settings_free(struct settings *settings);
/* The first one where `name` is NULL; NULL where there is none of that name. */
const struct settings_database *settings_database(const struct settings *settings,
                                                  const char *name);
/* The sections of the file in its usual order, with the forms of what stands in them. */
struct field;
void settings_sections(void (*each)(void *with, const struct field *section), void *with);
/* One line "key<TAB>value<TAB>default<TAB>when a change applies" per setting, passwords masked. */
void settings_each(const struct settings *settings,
                   void (*line)(void *with, const char *key, const char *value, const char *preset,
                                const char *reload),
                   void *with);
