/* Reads the sections that build the rooms, each by its table; hands the rest of the tree to the
 * rules. The tables are also what SHOW CONFIG and the reference in docs/rules.md are made of. */
#include "app/settings.h"

#include <stdio.h>

#include "base/mem.h"
#include "conf/keep.h"
#include "conf/field.h"
#include "conf/url.h"
#include "rules/load.h"
#include "wire/scram.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define AT(member)   .at = offsetof(struct settings, member)
#define MINUTES      (60 * INT64_C(1000000000))
#define MILLIS       INT64_C(1000000)

/* --- the tables --- */

static const char *const AUTH_KINDS[] = {"trust", "scram-sha-256", NULL};
static const char *const POOL_MODES[] = {"transaction", "session", NULL};

static const struct field LISTEN[] = {
    {.name = "address",
     .type = FIELD_TEXT,
     AT(listen.address),
     .preset = "127.0.0.1",
     .reload = FIELD_RESTART,
     .help = "address on which clients are accepted"},
    {.name = "port",
     .type = FIELD_NUMBER,
     AT(listen.port),
     .least = 1,
     .most = 65535,
     .preset = "6432",
     .reload = FIELD_RESTART,
     .help = "port on which clients are accepted"},
    {.name = "max_clients",
     .type = FIELD_NUMBER,
     AT(listen.max_clients),
     .least = 1,
     .most = 1000000,
     .preset = "5000",
     .help = "clients at a time; more are refused with 53300"},
    {.name = "location",
     .type = FIELD_TEXT,
     AT(listen.location),
     .preset = "",
     .help = "where this pgtier runs: `route: nearest` means replicas of the same location"},
};

struct auth_section {
    int kind;
    const struct yaml *users;
};

static const struct field USER[] = {
    {.name = "name",
     .type = FIELD_TEXT,
     .at = offsetof(struct settings_user, name),
     .help = "the user's name"},
    {.name = "password",
     .type = FIELD_SECRET,
     .at = offsetof(struct settings_user, password),
     .preset = "",
     .help = "plain, or as in pg_authid: SCRAM-SHA-256$..."},
};

#define MAP(table)                                                                                 \
    {                                                                                              \
        .kind = FORM_MAP, .fields = table, .nfields = COUNT(table)                                 \
    }
static const struct form USER_MAP = MAP(USER);
static const struct form USERS = {.kind = FORM_LIST, .of = &USER_MAP};

static const struct field AUTH[] = {
    {.name = "type",
     .type = FIELD_WORD,
     .at = offsetof(struct auth_section, kind),
     .words = AUTH_KINDS,
     .preset = "scram-sha-256",
     .help = "trust: a client is who it says it is; scram-sha-256: it must prove it"},
    {.name = "users",
     .type = FIELD_NODE,
     .at = offsetof(struct auth_section, users),
     .preset = "",
     .form = &USERS,
     .help = "who may log in"},
};

struct admin_section {
    const struct yaml *users;
};

static const struct field ADMIN[] = {
    {.name = "users",
     .type = FIELD_NODE,
     .at = offsetof(struct admin_section, users),
     .preset = "",
     .form = &FORM_OF_NAMES,
     .help = "who may use the console, the database pgtier"},
};

static const struct field METRICS[] = {
    {.name = "address",
     .type = FIELD_TEXT,
     AT(metrics.address),
     .preset = "127.0.0.1",
     .reload = FIELD_RESTART,
     .help = "address of /metrics and /healthz"},
    {.name = "port",
     .type = FIELD_NUMBER,
     AT(metrics.port),
     .least = 0,
     .most = 65535,
     .preset = "0",
     .reload = FIELD_RESTART,
     .help = "port of /metrics and /healthz, 0: off"},
};

static const struct field POOL[] = {
    {.name = "mode",
     .type = FIELD_WORD,
     AT(pool.mode),
     .words = POOL_MODES,
     .preset = "transaction",
     .help = "how long a client keeps a server"},
    {.name = "size",
     .type = FIELD_NUMBER,
     AT(pool.size),
     .least = 1,
     .most = 100000,
     .preset = "25",
     .help = "servers per node, database and user"},
    {.name = "wait_timeout",
     .type = FIELD_DURATION,
     AT(pool.wait_timeout),
     .least = MILLIS,
     .most = 1440 * MINUTES,
     .preset = "60s",
     .help = "how long a request waits for a server"},
    {.name = "idle_timeout",
     .type = FIELD_DURATION,
     AT(pool.idle_timeout),
     .least = MILLIS,
     .most = 1440 * MINUTES,
     .preset = "5m",
     .help = "when an unused server is closed"},
    {.name = "connect_timeout",
     .type = FIELD_DURATION,
     AT(pool.connect_timeout),
     .least = MILLIS,
     .most = 60 * MINUTES,
     .preset = "5s",
     .help = "how long a server may take to let us in"},
};

static const struct field CACHE[] = {
    {.name = "store",
     .type = FIELD_URL,
     AT(cache.store),
     .preset = "memory",
     .reload = FIELD_RESTART,
     .help = "memory, or redis://[user:password@]host:port[/db]; the host may be a Unix socket "
             "(%2Frun%2Fredis.sock), or with `?master=name` "
             "a Sentinel (`&sentinels=host:port,..` names more)"},
    {.name = "memory",
     .type = FIELD_SIZE,
     AT(cache.memory),
     .least = 1 << 16,
     .most = INT64_C(1) << 44,
     .preset = "256MB",
     .reload = FIELD_RESTART,
     .help = "bytes of the memory store"},
    {.name = "max_entry",
     .type = FIELD_SIZE,
     AT(cache.max_entry),
     .least = 1 << 10,
     .most = INT64_C(1) << 29,
     .preset = "1MB",
     .reload = FIELD_RESTART,
     .help = "a larger answer is not kept"},
    {.name = "timeout",
     .type = FIELD_DURATION,
     AT(cache.timeout),
     .least = MILLIS,
     .most = MINUTES,
     .preset = "20ms",
     .reload = FIELD_RESTART,
     .help = "how long a request waits for Redis before it goes on without"},
    {.name = "classes",
     .type = FIELD_ELSEWHERE,
     .preset = "",
     .form = &FORM_OF_CLASSES,
     .help = "by name: what is kept, under which key and for how long"},
};

static const struct field FRESHNESS[] = {
    {.name = "ledger",
     .type = FIELD_URL,
     AT(freshness.ledger),
     .preset = "memory",
     .reload = FIELD_RESTART,
     .help = "what was last written where: memory (of this process, the only one in front of its "
             "databases), or shared by a fleet of them through redis (the one of cache.store) or "
             "redis://.. as there"},
};

static const struct field LIMITS[] = {
    {.name = "shapes",
     .type = FIELD_SIZE,
     AT(limits.shapes),
     .least = 1 << 16,
     .most = INT64_C(1) << 40,
     .preset = "64MB",
     .reload = FIELD_RESTART,
     .help = "bytes of statements that are known by their shape"},
    {.name = "request",
     .type = FIELD_SIZE,
     AT(limits.request),
     .least = 1 << 10,
     .most = INT64_C(1) << 30,
     .preset = "1MB",
     .help = "a larger request goes to the primary unread, as a write to everything"},
    {.name = "ledger_cells",
     .type = FIELD_COUNT,
     AT(limits.ledger_cells),
     .least = 1 << 10,
     .most = INT64_C(1) << 32,
     .preset = "1000000",
     .reload = FIELD_RESTART,
     .help = "cells of the ledger; older ones leave a floor"},
};

static const struct field TARGETS[] = {
    {.name = "cache_hit_ratio",
     .type = FIELD_SHARE,
     AT(targets.cache_hit_ratio),
     .preset = "0%",
     .help = "share of cacheable reads that the cache should answer, 0%: no target"},
    {.name = "cache_response_time",
     .type = FIELD_DURATION,
     AT(targets.cache_response_time),
     .least = 0,
     .most = 60 * MINUTES,
     .preset = "0",
     .help = "how long an answer of the cache should take at most, 0: no target"},
    {.name = "concurrent_users",
     .type = FIELD_NUMBER,
     AT(targets.concurrent_users),
     .least = 0,
     .most = 1000000,
     .preset = "0",
     .help = "clients at a time that should be served, 0: no target"},
};

static const char *const FEEDS[] = {"none", "notify", "wal", NULL};

struct database_section {
    const struct yaml *primary, *replicas;
    int64_t max_lag;
    int feed;
    uint64_t feed_keep;
};

static const struct field NODE[] = {
    {.name = "url",
     .type = FIELD_URL,
     .at = offsetof(struct settings_node, url),
     .reload = FIELD_RESTART,
     .help = "postgresql://user:password@host:port/database"},
    {.name = "priority",
     .type = FIELD_NUMBER,
     .at = offsetof(struct settings_node, priority),
     .least = 0,
     .most = 1000,
     .preset = "1",
     .reload = FIELD_RESTART,
     .help = "lower ones are taken first"},
    {.name = "location",
     .type = FIELD_TEXT,
     .at = offsetof(struct settings_node, location),
     .preset = "",
     .reload = FIELD_RESTART,
     .help = "where it stands, for people and for `route: nearest`"},
};

static const struct form NODE_MAP = MAP(NODE);
static const struct form *const NODE_FORMS[] = {&FORM_OF_TEXT, &NODE_MAP, NULL};
static const struct form A_NODE = {.kind = FORM_EITHER, .forms = NODE_FORMS};
static const struct form NODES = {.kind = FORM_LIST, .of = &A_NODE};

static const struct field DATABASE[] = {
    {.name = "primary",
     .type = FIELD_NODE,
     .at = offsetof(struct database_section, primary),
     .reload = FIELD_RESTART,
     .form = &A_NODE,
     .help = "its url, postgresql://user:password@host:port/database, or { url, location }"},
    {.name = "replicas",
     .type = FIELD_NODE,
     .at = offsetof(struct database_section, replicas),
     .preset = "",
     .reload = FIELD_RESTART,
     .form = &NODES,
     .help = "a list of urls, or of { url, priority, location }; one whose url comes out empty is "
             "left out"},
    {.name = "max_lag",
     .type = FIELD_DURATION,
     .at = offsetof(struct database_section, max_lag),
     .least = MILLIS,
     .most = 1440 * MINUTES,
     .preset = "5s",
     .reload = FIELD_RESTART,
     .help = "a replica that is further behind is not used"},
    {.name = "feed",
     .type = FIELD_WORD,
     .at = offsetof(struct database_section, feed),
     .words = FEEDS,
     .preset = "none",
     .reload = FIELD_RESTART,
     .help = "what tells of writes that bypass pgtier: notify (the triggers of `pgtier feed "
             "install`), wal (its publication), or none"},
    {.name = "feed_keep",
     .type = FIELD_SIZE,
     .at = offsetof(struct database_section, feed_keep),
     .least = 1 << 20,
     .most = INT64_C(1) << 50,
     .preset = "1GB",
     .reload = FIELD_RESTART,
     .help = "WAL that the primary may keep for the feed wal; over it the feed begins anew"},
};

static const struct form LISTEN_MAP = MAP(LISTEN), METRICS_MAP = MAP(METRICS), POOL_MAP = MAP(POOL),
                         CACHE_MAP = MAP(CACHE), FRESHNESS_MAP = MAP(FRESHNESS),
                         LIMITS_MAP = MAP(LIMITS), TARGETS_MAP = MAP(TARGETS), AUTH_MAP = MAP(AUTH),
                         ADMIN_MAP = MAP(ADMIN), DATABASE_MAP = MAP(DATABASE);
static const struct form DATABASES = {.kind = FORM_NAMED, .of = &DATABASE_MAP};

/* The file; `relations`, `tiers`, `defaults` and `operations` are the rules' own. */
static const struct field SECTIONS[] = {
    {.name = "listen", .form = &LISTEN_MAP, .help = "where clients come"},
    {.name = "databases", .form = &DATABASES, .help = "by name: what clients may connect to"},
    {.name = "auth", .form = &AUTH_MAP, .help = "who may connect"},
    {.name = "admin", .form = &ADMIN_MAP, .help = "the console"},
    {.name = "metrics", .form = &METRICS_MAP, .help = "Prometheus' page"},
    {.name = "pool", .form = &POOL_MAP, .help = "connections to servers"},
    {.name = "limits", .form = &LIMITS_MAP, .help = "memory that is bounded"},
    {.name = "cache", .form = &CACHE_MAP, .help = "where answers are kept"},
    {.name = "freshness", .form = &FRESHNESS_MAP, .help = "who knows what was written"},
    {.name = "targets", .form = &TARGETS_MAP, .help = "what is promised: SHOW TARGETS compares"},
};

/* Sections whose values lie in struct settings itself. */
static bool is_plain(const struct field *section)
{
    return section->form->kind == FORM_MAP && section->form != &AUTH_MAP &&
           section->form != &ADMIN_MAP;
}

void settings_sections(void (*each)(void *with, const struct field *section), void *with)
{
    for (unsigned i = 0; i < COUNT(SECTIONS); i++)
        each(with, &SECTIONS[i]);
    for (unsigned i = 0; i < RULES_NSECTIONS; i++)
        each(with, &RULES_SECTIONS[i]);
}

/* --- loading --- */

struct loading {
    struct settings *settings;
    struct keep *keep;
    struct diag *diag;
    const struct yaml *root;
};

static void check_sections(struct loading *loading)
{
    const char *names[COUNT(SECTIONS) + 16];
    unsigned count = 0;

    for (unsigned i = 0; i < COUNT(SECTIONS); i++)
        names[count++] = SECTIONS[i].name;
    for (unsigned i = 0; i < RULES_NSECTIONS; i++)
        names[count++] = RULES_SECTIONS[i].name;
    for (const struct yaml *child = loading->root->first; child; child = child->next) {
        bool known = false;

        for (unsigned i = 0; i < count && !known; i++)
            known = strcmp(names[i], child->key) == 0;
        if (!known)
            field_unknown_key(child, names, count, loading->diag);
    }
}

static void check_url(struct loading *loading, const struct yaml *node, const char *path)
{
    const char *why;
    struct url url;

    if (node->kind != YAML_SCALAR || node->unset || !*node->text)
        return;
    if (!url_parse(node->text, &url, &why)) {
        diag_add(loading->diag, node->line, node->column, "`%s` is no url: %s", path, why);
        return;
    }
    if (!url_is_postgres(&url))
        diag_add(loading->diag, node->line, node->column,
                 "`%s` must begin with postgresql:// or postgres://, not %s://", path, url.scheme);
    else if (!url.host)
        diag_add(loading->diag, node->line, node->column, "`%s` names no host", path);
    else if (!url.user)
        diag_add(loading->diag, node->line, node->column, "`%s` names no user", path);
    url_clear(&url);
}

static void load_node(struct loading *loading, struct settings_node *to, const struct yaml *node,
                      const char *path)
{
    struct yaml *url;

    if (node->kind == YAML_SCALAR) {
        const char *text = field_text(node, path, loading->diag);

        *to = (struct settings_node){.priority = 1};
        if (text)
            to->url = keep_text(loading->keep, text);
        check_url(loading, node, path);
        return;
    }
    fields_read(NODE, COUNT(NODE), node, path, to, loading->keep, loading->diag);
    url = yaml_child(node, "url");
    if (url)
        check_url(loading, url, path);
}

/* A replica's url that comes out empty: it is left out, whatever else is said of it. */
static bool is_left_out(const struct yaml *replica)
{
    const struct yaml *url = replica->kind == YAML_MAP ? yaml_child(replica, "url") : replica;

    return url && url->kind == YAML_SCALAR && !*url->text;
}

static void load_replicas(struct loading *loading, struct settings_database *database,
                          const struct yaml *list, const char *path)
{
    struct settings_node *replicas;

    if (list->kind == YAML_SCALAR && list->empty)
        return;
    if (list->kind != YAML_LIST) {
        diag_add(loading->diag, list->line, list->column, "`%s` must be a list, not %s", path,
                 yaml_kind_text(list));
        return;
    }
    replicas = keep_array(loading->keep, list->count + 1, sizeof(*replicas));
    database->replicas = replicas;
    for (const struct yaml *item = list->first; item; item = item->next)
        if (!is_left_out(item))
            load_node(loading, &replicas[database->nreplicas++], item, path);
}

static void load_database(struct loading *loading, struct settings_database *database,
                          const struct yaml *node)
{
    struct database_section section = {0};
    char path[128], below[160];

    snprintf(path, sizeof(path), "databases.%s", node->key);
    database->name = keep_text(loading->keep, node->key);
    if (strcmp(node->key, "pgtier") == 0 || strcmp(node->key, "pgbouncer") == 0)
        diag_add(loading->diag, node->key_line, node->key_column,
                 "`%s` is the console's own database: name it otherwise", node->key);
    fields_read(DATABASE, COUNT(DATABASE), node, path, &section, loading->keep, loading->diag);
    database->max_lag = section.max_lag;
    database->feed = (enum feed_kind)section.feed;
    database->feed_keep = section.feed_keep;
    snprintf(below, sizeof(below), "%s.primary", path);
    if (section.primary)
        load_node(loading, &database->primary, section.primary, below);
    snprintf(below, sizeof(below), "%s.replicas", path);
    if (section.replicas)
        load_replicas(loading, database, section.replicas, below);
}

static void load_databases(struct loading *loading)
{
    const struct yaml *node = yaml_child(loading->root, "databases");
    struct settings_database *databases;

    if (!field_is_map(node, "databases", loading->diag))
        return;
    if (!node || node->count == 0) {
        diag_add(loading->diag, node ? node->line : 0, node ? node->column : 0,
                 "`databases` is missing: at least one database with its primary");
        return;
    }
    databases = keep_array(loading->keep, node->count, sizeof(*databases));
    loading->settings->databases = databases;
    for (const struct yaml *child = node->first; child; child = child->next)
        load_database(loading, &databases[loading->settings->ndatabases++], child);
}

static void check_secret(struct loading *loading, const struct settings_user *user,
                         const struct yaml *node)
{
    struct scram_secret secret;

    if (user->password && strncmp(user->password, "SCRAM-SHA-256$", 14) == 0 &&
        !scram_secret_parse(slice_text(user->password), &secret))
        diag_add(loading->diag, node->line, node->column,
                 "the secret of `%s` is not of the form "
                 "SCRAM-SHA-256$iterations:salt$stored:server",
                 user->name);
}

static void check_user(struct loading *loading, const struct settings_user *users, unsigned count,
                       const struct yaml *node)
{
    const struct settings_user *user = &users[count];
    const struct yaml *password = yaml_child(node, "password");

    if (password)
        check_secret(loading, user, password);
    if (loading->settings->auth.kind == AUTH_SCRAM && !user->password &&
        !(password && password->unset))
        diag_add(loading->diag, node->line, node->column,
                 "`%s` has no password, without which nobody logs in by scram-sha-256", user->name);
    for (unsigned i = 0; i < count; i++)
        if (users[i].name && strcmp(users[i].name, user->name) == 0)
            diag_add(loading->diag, node->line, node->column, "user `%s` stands twice here",
                     user->name);
}

static void load_users(struct loading *loading, const struct yaml *list)
{
    struct settings_user *users;
    unsigned count = 0;

    if (list->kind == YAML_SCALAR && list->empty)
        return;
    if (list->kind != YAML_LIST) {
        diag_add(loading->diag, list->line, list->column,
                 "`auth.users` must be a list of { name, password }, not %s", yaml_kind_text(list));
        return;
    }
    users = keep_array(loading->keep, list->count + 1, sizeof(*users));
    for (const struct yaml *item = list->first; item; item = item->next) {
        fields_read(USER, COUNT(USER), item, "auth.users", &users[count], loading->keep,
                    loading->diag);
        if (users[count].name)
            check_user(loading, users, count++, item);
    }
    loading->settings->auth.users = users;
    loading->settings->auth.nusers = count;
}

static void load_auth(struct loading *loading)
{
    const struct yaml *node = yaml_child(loading->root, "auth");
    struct auth_section section = {0};

    fields_read(AUTH, COUNT(AUTH), node, "auth", &section, loading->keep, loading->diag);
    loading->settings->auth.kind = (enum auth_kind)section.kind;
    if (section.users)
        load_users(loading, section.users);
    if (section.kind == AUTH_SCRAM && (!section.users || section.users->count == 0))
        diag_add(loading->diag, node ? node->line : 0, node ? node->column : 0,
                 "`auth.users` is empty, so that nobody could log in by scram-sha-256");
}

struct admins {
    struct loading *loading;
    const char **at;
    unsigned count;
};

static void add_admin(void *with, const struct yaml *node, const char *text)
{
    struct admins *admins = with;

    (void)node;
    admins->at[admins->count++] = keep_text(admins->loading->keep, text);
}

static void load_admin(struct loading *loading)
{
    struct admin_section section = {0};
    struct admins admins = {.loading = loading};

    fields_read(ADMIN, COUNT(ADMIN), yaml_child(loading->root, "admin"), "admin", &section,
                loading->keep, loading->diag);
    if (!section.users)
        return;
    admins.at = keep_array(loading->keep, section.users->count + 1, sizeof(char *));
    field_list(section.users, "admin.users", loading->diag, add_admin, &admins);
    loading->settings->admin.users = admins.at;
    loading->settings->admin.nusers = admins.count;
}

/* A word, or a url of Redis; hiredis as it is built here speaks no TLS. */
static void check_redis(struct loading *loading, const struct yaml *node, const char *path,
                        const char *words, const char *text)
{
    const char *why;
    struct url url;

    if (!url_parse(text, &url, &why)) {
        diag_add(loading->diag, node->line, node->column,
                 "`%s` must be %s, or redis://host:port: %s", path, words, why);
        return;
    }
    if (strcmp(url.scheme, "rediss") == 0)
        diag_add(loading->diag, node->line, node->column,
                 "`%s`: Redis over TLS (rediss://) is not possible, since hiredis is built "
                 "without it; use a Unix socket, or a tunnel to redis://",
                 path);
    else if (strcmp(url.scheme, "redis") != 0)
        diag_add(loading->diag, node->line, node->column,
                 "`%s` must begin with redis://, not %s://", path, url.scheme);
    else if (!url.host)
        diag_add(loading->diag, node->line, node->column, "`%s` names no host", path);
    url_clear(&url);
}

static void check_store(struct loading *loading)
{
    const struct yaml *node = yaml_child(yaml_child(loading->root, "cache"), "store");
    const char *store = loading->settings->cache.store;

    if (node && !node->unset && store && strcmp(store, "memory") != 0)
        check_redis(loading, node, "cache.store", "memory", store);
}

static void check_ledger(struct loading *loading)
{
    const struct yaml *node = yaml_child(yaml_child(loading->root, "freshness"), "ledger");
    const char *ledger = loading->settings->freshness.ledger;
    const char *store = loading->settings->cache.store;

    if (!node || node->unset || !ledger || strcmp(ledger, "memory") == 0)
        return;
    if (strcmp(ledger, "redis") != 0)
        check_redis(loading, node, "freshness.ledger", "memory or redis", ledger);
    else if (store && strcmp(store, "memory") == 0)
        diag_add(loading->diag, node->line, node->column,
                 "`freshness.ledger` is the Redis of `cache.store`, which is memory: name one "
                 "here, redis://host:port");
    else
        loading->settings->freshness.ledger = store;
}

struct excuses {
    const struct yaml *databases;
};

static bool is_excused(const struct yaml *node, void *with)
{
    const struct excuses *excuses = with;
    const struct yaml *list;

    if (*node->text || !excuses->databases)
        return false;
    for (const struct yaml *db = excuses->databases->first; db; db = db->next) {
        list = yaml_child(db, "replicas");
        for (const struct yaml *item = list ? list->first : NULL; item; item = item->next)
            if (item == node || yaml_child(item, "url") == node)
                return true;
    }
    return false;
}

static void load_all(struct loading *loading)
{
    struct excuses excuses = {yaml_child(loading->root, "databases")};

    check_sections(loading);
    for (unsigned i = 0; i < COUNT(SECTIONS); i++)
        if (is_plain(&SECTIONS[i]))
            fields_read(SECTIONS[i].form->fields, SECTIONS[i].form->nfields,
                        yaml_child(loading->root, SECTIONS[i].name), SECTIONS[i].name,
                        loading->settings, loading->keep, loading->diag);
    check_store(loading);
    check_ledger(loading);
    load_auth(loading);
    load_admin(loading);
    load_databases(loading);
    loading->settings->rules = rules_load(loading->root, loading->diag);
    fields_unset(loading->root, is_excused, &excuses, loading->diag);
}

struct settings *settings_load(const char *path, struct diag *diag)
{
    struct loading loading = {.diag = diag, .keep = keep_new()};
    unsigned before = diag->count;

    if (!diag->file)
        diag->file = path;
    loading.settings = keep_take(loading.keep, sizeof(struct settings));
    loading.root = yaml_read(path, loading.keep, diag);
    if (loading.root && loading.root->kind != YAML_MAP)
        diag_add(diag, loading.root->line, loading.root->column,
                 "the file must be a map of sections, not %s", yaml_kind_text(loading.root));
    else if (loading.root)
        load_all(&loading);
    loading.settings->memory = loading.keep;
    if (diag->count > before) {
        settings_free(loading.settings);
        return NULL;
    }
    return loading.settings;
}

void settings_free(struct settings *settings)
{
    if (!settings)
        return;
    rules_unref(settings->rules);
    keep_free(settings->memory);
}

/* --- showing --- */

struct show {
    void (*line)(void *with, const char *key, const char *value, const char *preset,
                 const char *reload);
    void *with;
};

static void show_field(const struct show *show, const char *path, const struct field *field,
                       const void *from)
{
    struct buf value = {0};
    char key[256];

    if (field->type == FIELD_NODE || field->type == FIELD_ELSEWHERE)
        return;
    snprintf(key, sizeof(key), "%s.%s", path, field->name);
    field_show(field, from, &value);
    buf_put(&value, "", 1);
    show->line(show->with, key, (const char *)value.at, field->preset ? field->preset : "",
               field_reload_text(field->reload));
    buf_clear(&value);
}

static void show_fields(const struct show *show, const char *path, const struct field *fields,
                        unsigned count, const void *from)
{
    for (unsigned i = 0; i < count; i++)
        show_field(show, path, &fields[i], from);
}

static void show_database(const struct show *show, const struct settings_database *database)
{
    struct database_section section = {.max_lag = database->max_lag,
                                       .feed = (int)database->feed,
                                       .feed_keep = database->feed_keep};
    char path[200], below[230];

    snprintf(path, sizeof(path), "databases.%s", database->name);
    snprintf(below, sizeof(below), "%s.primary", path);
    show_fields(show, below, NODE, 1, &database->primary);
    for (unsigned i = 0; i < database->nreplicas; i++) {
        snprintf(below, sizeof(below), "%s.replicas.%u", path, i + 1);
        show_fields(show, below, NODE, COUNT(NODE), &database->replicas[i]);
    }
    show_fields(show, path, DATABASE, COUNT(DATABASE), &section);
}

static void show_names(const struct show *show, const char *key, struct buf *names)
{
    buf_put(names, "", 1);
    show->line(show->with, key, (const char *)names->at, "", "reload");
    buf_clear(names);
}

static void show_people(const struct show *show, const struct settings *settings)
{
    struct auth_section auth = {.kind = settings->auth.kind};
    struct buf names = {0};

    show_fields(show, "auth", AUTH, COUNT(AUTH), &auth);
    for (unsigned i = 0; i < settings->auth.nusers; i++)
        buf_printf(&names, "%s%s", i ? ", " : "", settings->auth.users[i].name);
    show_names(show, "auth.users", &names);
    for (unsigned i = 0; i < settings->admin.nusers; i++)
        buf_printf(&names, "%s%s", i ? ", " : "", settings->admin.users[i]);
    show_names(show, "admin.users", &names);
}

void settings_each(const struct settings *settings,
                   void (*line)(void *with, const char *key, const char *value, const char *preset,
                                const char *reload),
                   void *with)
{
    struct show show = {line, with};

    for (unsigned i = 0; i < COUNT(SECTIONS); i++) {
        if (is_plain(&SECTIONS[i]))
            show_fields(&show, SECTIONS[i].name, SECTIONS[i].form->fields,
                        SECTIONS[i].form->nfields, settings);
        for (unsigned k = 0; SECTIONS[i].form == &DATABASES && k < settings->ndatabases; k++)
            show_database(&show, &settings->databases[k]);
        if (SECTIONS[i].form == &AUTH_MAP)
            show_people(&show, settings);
    }
    line(with, "defaults.reads", route_text(settings->rules->reads), "replica", "reload");
    line(with, "defaults.writes", route_text(settings->rules->writes), "primary", "reload");
}

const struct settings_database *settings_database(const struct settings *settings, const char *name)
{
    for (unsigned i = 0; i < settings->ndatabases; i++)
        if (!name || strcmp(settings->databases[i].name, name) == 0)
            return &settings->databases[i];
    return NULL;
}
