/* Settings files, right and faulty: values, defaults, and every fault with its place. Runs in
 * tests/unit, so that the shipped file is at ../../conf/pgtier.yaml. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "app/settings.h"

static char path[] = "/tmp/test_settings_XXXXXX";

static void write_file(const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static struct settings *load(const char *text, struct diag *diag)
{
    write_file(text);
    *diag = (struct diag){.file = "f"};
    return settings_load(path, diag);
}

#define SECRET                                                                                     \
    "SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=:"    \
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

#define LEAST "databases: { app: { primary: \"postgresql://app@h/app\" } }\nauth: { type: trust }\n"

static void take_presets(void **state)
{
    struct diag diag;
    struct settings *settings = load(LEAST, &diag);

    (void)state;
    assert_non_null(settings);
    assert_string_equal(settings->listen.address, "127.0.0.1");
    assert_int_equal(settings->listen.port, 6432);
    assert_int_equal(settings->listen.max_clients, 5000);
    assert_int_equal(settings->auth.kind, AUTH_TRUST);
    assert_int_equal(settings->metrics.port, 0);
    assert_int_equal(settings->pool.mode, POOL_TRANSACTION);
    assert_int_equal(settings->pool.size, 25);
    assert_int_equal(settings->pool.wait_timeout, INT64_C(60000000000));
    assert_int_equal(settings->pool.idle_timeout, INT64_C(300000000000));
    assert_string_equal(settings->cache.store, "memory");
    assert_int_equal(settings->cache.memory, 256 << 20);
    assert_int_equal(settings->limits.ledger_cells, 1000000);
    assert_int_equal(settings->ndatabases, 1);
    assert_int_equal(settings->databases[0].nreplicas, 0);
    assert_int_equal(settings->databases[0].max_lag, INT64_C(5000000000));
    assert_int_equal(settings->rules->reads, ROUTE_REPLICA);
    assert_int_equal(settings->rules->freshness, FRESH_CAUSAL);
    assert_int_equal(settings->rules->noperations, 0);
    settings_free(settings);
}

static void take_values(void **state)
{
    struct diag diag;
    struct settings *settings;

    (void)state;
    setenv("TEST_URL", "postgresql://r@h2/app", 1);
    unsetenv("TEST_NONE");
    settings = load("databases:\n"
                    "  app:\n"
                    "    primary: { url: postgresql://app@h/app, location: here }\n"
                    "    replicas:\n"
                    "      - ${TEST_URL}\n"
                    "      - { url: \"${TEST_NONE}\", priority: 7 }\n"
                    "      - \"${TEST_NONE:-}\"\n"
                    "      - { url: \"${TEST_URL}\", priority: 3 }\n"
                    "    max_lag: 1500ms\n"
                    "auth:\n"
                    "  type: scram-sha-256\n"
                    "  users:\n"
                    "    - { name: a, password: secret }\n"
                    "    - { name: b, password: '" SECRET "' }\n"
                    "admin: { users: a }\n"
                    "targets: { cache_hit_ratio: 85%, concurrent_users: 500 }\n"
                    "pool: { mode: session, size: 3 }\n"
                    "cache: { store: redis://h:6379 }\n"
                    "defaults: { reads: primary, freshness: 3s }\n",
                    &diag);
    assert_non_null(settings);
    assert_string_equal(settings->databases[0].primary.location, "here");
    assert_int_equal(settings->databases[0].nreplicas, 2);
    assert_string_equal(settings->databases[0].replicas[0].url, "postgresql://r@h2/app");
    assert_int_equal(settings->databases[0].replicas[0].priority, 1);
    assert_int_equal(settings->databases[0].replicas[1].priority, 3);
    assert_int_equal(settings->databases[0].max_lag, INT64_C(1500000000));
    assert_int_equal(settings->auth.nusers, 2);
    assert_string_equal(settings->auth.users[1].password, SECRET);
    assert_string_equal(settings->admin.users[0], "a");
    assert_true(settings->targets.cache_hit_ratio > 0.84 &&
                settings->targets.cache_hit_ratio < 0.86);
    assert_int_equal(settings->targets.concurrent_users, 500);
    assert_int_equal(settings->pool.mode, POOL_SESSION);
    assert_int_equal(settings->rules->reads, ROUTE_PRIMARY);
    assert_int_equal(settings->rules->freshness, FRESH_BOUND);
    assert_int_equal(settings->rules->bound, INT64_C(3000000000));
    settings_free(settings);
}

#define RULES                                                                                      \
    "relations:\n"                                                                                 \
    "  evals: { dimensions: [id, user_id], unique: [id] }\n"                                       \
    "  app.users: { dimensions: [id] }\n"                                                          \
    "tiers: { names: [basic, pro], column: evals.tier }\n"

static const struct {
    const char *text;   /* behind LEAST, which is two lines */
    const char *faults; /* every one of them */
} FAULTY[] = {
    {"lisen: {}\n", "f:3:1: unknown key `lisen`: did you mean `listen`?\n"},
    {"pool: { mode: sesion, size: many, wait_timeout: 5, idle_timeout: -1s }\n",
     "f:3:15: `pool.mode` does not know `sesion`: did you mean `session`?\n"
     "f:3:29: `pool.size` must be a whole number, not `many`\n"
     "f:3:49: `pool.wait_timeout` must be a duration as in 300ms, 5s or 1h, not `5`\n"
     "f:3:66: `pool.idle_timeout` must be a duration as in 300ms, 5s or 1h, not `-1s`\n"},
    {"pool: { size: 0 }\nlisten: { port: 65536 }\n",
     "f:3:15: `pool.size` must be from 1 to 100000, not 0\n"
     "f:4:17: `listen.port` must be from 1 to 65535, not 65536\n"},
    {"pool: [1]\nlisten:\n  port: [1]\n  address: { a: b }\n",
     "f:3:7: `pool` must be a map of keys, not a list\n"
     "f:5:9: `listen.port` must be a single value, not a list\n"
     "f:6:12: `listen.address` must be a single value, not a map\n"},
    {"cache: { memory: lots, timeout: 20, max_entry: 1 }\n",
     "f:3:18: `cache.memory` must be a size as in 512kB or 100MB, not `lots`\n"
     "f:3:33: `cache.timeout` must be a duration as in 300ms, 5s or 1h, not `20`\n"
     "f:3:48: `cache.max_entry` must be from 1kB to 512MB, not 1\n"},
    {"targets: { cache_hit_ratio: 185% }\n",
     "f:3:29: `targets.cache_hit_ratio` must be a share as in 85%, not `185%`\n"},
    {"cache: { store: memroy }\n",
     "f:3:17: `cache.store` must be memory, or redis://host:port: it does not begin with a scheme "
     "as in postgresql://\n"},
    {"cache: { store: \"rediss://h\" }\n",
     "f:3:17: `cache.store`: Redis over TLS (rediss://) is not possible, since hiredis is built "
     "without it; use a Unix socket, or a tunnel to redis://\n"},
    {"cache: { store: \"http://h\" }\n",
     "f:3:17: `cache.store` must begin with redis://, not http://\n"},
    {"listen:\n  address:\n", "f:4:11: `listen.address` is empty\n"},
    {"listen: { address: \"${TEST_NONE}\", port: \"${TEST_NONE}\" }\n",
     "f:3:20: the variable TEST_NONE is not set (${TEST_NONE:-...} would give a default)\n"
     "f:3:42: the variable TEST_NONE is not set (${TEST_NONE:-...} would give a default)\n"},
    /* relations and tiers */
    {"relations:\n  a: { dimensions: [x, y, x], unique: [z, y] }\n  s.a: {}\n",
     "f:4:27: dimension `x` stands twice here\n"
     "f:4:40: `unique` names what is no dimension: `z`: did you mean `x`?\n"
     "f:5:3: relation `s.a` is declared above already, with or without its schema\n"},
    {"relations:\n  a: { dimensions: [a, b, c, d, e, f, g, h, i] }\n",
     "f:4:45: a relation has at most 8 dimensions\n"},
    {RULES "operations:\n  x: { match: { relation: eval, tier: [pro, por] } }\n",
     "f:8:27: unknown relation `eval`: did you mean `evals`?\n"
     "f:8:45: unknown tier `por`: did you mean `pro`?\n"},
    {"tiers: { names: [a, a], column: evals.tier }\n", "f:3:17: `tiers.names` holds `a` twice\n"
                                                       "f:3:33: unknown relation `evals`\n"},
    {"tiers: { names: [a], column: tier }\n",
     "f:3:30: `tiers.column` must be relation.column, not `tier`\n"},
    {"tiers: { column: x.tier }\n", "f:3:8: `tiers.names` is missing: the tiers, lowest first\n"
                                    "f:3:18: unknown relation `x`\n"},
    /* cache classes */
    {RULES "cache: { classes: { c: { key: \"a:{id}:{usr_id}\", tll: 1h, max_size: big } } }\n",
     "f:7:24: `cache.classes.c.ttl` is missing: how long an entry is kept at most\n"
     "f:7:31: `{usr_id}` is neither a declared dimension, nor {metric}, nor {path}\n"
     "f:7:50: unknown key `tll`: did you mean `ttl`?\n"
     "f:7:69: `cache.classes.c.max_size` must be a size as in 512kB or 100MB, not `big`\n"},
    {RULES "cache: { classes: { c: { key: \"a:{id\", ttl: 1h, tier: gold, compress: maybe } } }\n",
     "f:7:31: a { of the key is not closed\n"
     "f:7:55: unknown tier `gold`\n"
     "f:7:71: `cache.classes.c.compress` must be true or false, not `maybe`\n"},
    /* operations */
    {RULES "operations:\n"
           "  a: { target: 3 }\n"
           "  b: { match: {}, cache: nothing, route: replca, freshness: soon, tagret: 1s }\n",
     "f:8:6: `operations.a.match` is missing: what a query must be to be named so\n"
     "f:8:16: `operations.a.target` must be a duration as in 300ms, 5s or 1h, not `3`\n"
     "f:9:26: unknown cache class `nothing`\n"
     "f:9:42: unknown route `replca`: did you mean `replica`?\n"
     "f:9:61: `freshness` must be causal, unbounded, or a bound as in 10s, not `soon`\n"
     "f:9:67: unknown key `tagret`: did you mean `target`?\n"},
    {RULES "operations:\n"
           "  a: { match: { statement: [selct, insert], where: { id: 7 }, aggregate: 2 } }\n"
           "  b: { match: { statement: select, sets: x, database: ap } }\n"
           "  c: { match: { statement: insert, where: { id: known } } }\n",
     "f:8:29: unknown statement kind `selct`: did you mean `select`?\n"
     "f:8:52: `where` never holds for a statement of this kind\n"
     "f:8:58: `where.id` must be known, not `7`\n"
     "f:8:74: `aggregate` must be true or false, not `2`\n"
     "f:9:42: `sets` never holds for a statement of this kind\n"
     "f:9:55: unknown database `ap`: did you mean `app`?\n"
     "f:10:43: `where` never holds for a statement of this kind\n"},
    {RULES "operations:\n"
           "  wide: { match: { statement: select, relation: evals } }\n"
           "  narrow: { match: { statement: select, relation: evals, where: { id: known } } }\n"
           "  other: { match: { statement: [select, update], relation: evals } }\n",
     "f:9:3: operation `narrow` is never reached: `wide` in line 8 matches all that it would\n"},
    {RULES "operations:\n"
           "  all: { match: {}, target: 3 }\n"
           "  json: { match: { json_path: a.b, tier: pro } }\n",
     "f:8:29: `operations.all.target` must be a duration as in 300ms, 5s or 1h, not `3`\n"
     "f:9:3: operation `json` is never reached: `all` in line 8 matches all that it would\n"},
    {RULES "operations:\n"
           "  a: { match: { json_path: doc.x, role: [a, b], tier: [basic, pro] } }\n"
           "  b: { match: { json_path: doc.x.y, role: a, tier: pro } }\n"
           "  c: { match: { json_path: doc, role: a, tier: pro } }\n"
           "  d: { match: { json_path: doc.xy, role: a, tier: pro } }\n",
     "f:9:3: operation `b` is never reached: `a` in line 8 matches all that it would\n"
     "f:11:3: operation `d` is never reached: `c` in line 10 matches all that it would\n"},
    {"defaults: { writes: replica, freshness: never }\n",
     "f:3:21: `defaults.writes` does not know `replica`\n"
     "f:3:41: `defaults.freshness` must be causal, unbounded, or a bound as in 10s, not `never`\n"},
};

static void tell_faults(void **state)
{
    (void)state;
    unsetenv("TEST_NONE");
    for (size_t i = 0; i < sizeof(FAULTY) / sizeof(*FAULTY); i++) {
        struct buf text = {0}, said = {0};
        struct diag diag;

        buf_printf(&text, "%s%s", LEAST, FAULTY[i].text);
        buf_put(&text, "", 1);
        assert_null(load((const char *)text.at, &diag));
        diag_print(&diag, &said);
        buf_put(&said, "", 1);
        assert_string_equal((const char *)said.at, FAULTY[i].faults);
        buf_clear(&said);
        buf_clear(&text);
        diag_clear(&diag);
    }
}

/* Without LEAST: what databases and users must be. */
static const struct {
    const char *text, *faults;
} HEADS[] = {
    {"auth: { type: trust }\n",
     "f: `databases` is missing: at least one database with its primary\n"},
    {"databases: {}\nauth: { type: trust }\n",
     "f:1:12: `databases` is missing: at least one database with its primary\n"},
    {"databases: { app: { replicas: [] } }\nauth: { type: trust }\n",
     "f:1:19: `databases.app.primary` is missing: its url, "
     "postgresql://user:password@host:port/database, or { url, location }\n"},
    {"databases: { pgtier: { primary: \"mysql://u@h\" } }\nauth: { type: trust }\n",
     "f:1:14: `pgtier` is the console's own database: name it otherwise\n"
     "f:1:33: `databases.pgtier.primary` must begin with postgresql:// or postgres://, not "
     "mysql://\n"},
    {"databases: { a: { primary: \"postgresql://u:secret@h:port/a\", replicas: postgresql://h } }\n"
     "auth: { type: trust }\n",
     "f:1:28: `databases.a.primary` is no url: its port is not a number from 1 to 65535\n"
     "f:1:72: `databases.a.replicas` must be a list, not a value\n"},
    {"databases: { a: { primary: \"postgresql://h/a\", replicas: [ { url: \"postgresql:///a\", "
     "prio: 1 } ] } }\nauth: { type: trust }\n",
     "f:1:28: `databases.a.primary` names no user\n"
     "f:1:67: `databases.a.replicas` names no host\n"
     "f:1:86: unknown key `prio`\n"},
    {"databases: { a: { primary: \"postgresql://u@h/a\" } }\n",
     "f: `auth.users` is empty, so that nobody could log in by scram-sha-256\n"},
    {"databases: { a: { primary: \"postgresql://u@h/a\" } }\n"
     "auth: { users: [ { name: a, password: b }, { name: b }, { name: a, password: c }, "
     "{ pasword: x } ] }\n",
     "f:2:44: `b` has no password, without which nobody logs in by scram-sha-256\n"
     "f:2:57: user `a` stands twice here\n"
     "f:2:83: `auth.users.name` is missing: the user's name\n"
     "f:2:85: unknown key `pasword`: did you mean `password`?\n"},
    {"databases: { a: { primary: \"postgresql://u@h/a\" } }\n"
     "auth: { users: [ { name: a, password: SCRAM-SHA-256$4096:salt$x:y } ] }\n",
     "f:2:39: the secret of `a` is not of the form SCRAM-SHA-256$iterations:salt$stored:server\n"},
    {"[a, b]\n", "f:1:1: the file must be a map of sections, not a list\n"},
};

static void tell_faulty_heads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(HEADS) / sizeof(*HEADS); i++) {
        struct buf said = {0};
        struct diag diag;

        assert_null(load(HEADS[i].text, &diag));
        diag_print(&diag, &said);
        buf_put(&said, "", 1);
        assert_string_equal((const char *)said.at, HEADS[i].faults);
        buf_clear(&said);
        diag_clear(&diag);
    }
}

static void miss_file(void **state)
{
    struct diag diag = {0};

    (void)state;
    assert_null(settings_load("/nowhere/at/all.yaml", &diag));
    assert_string_equal(diag.faults[0].text, "cannot be opened: No such file or directory");
    diag_clear(&diag);
}

static void put_line(void *with, const char *key, const char *value, const char *preset,
                     const char *reload)
{
    buf_printf(with, "%s=%s (%s, %s)\n", key, value, preset, reload);
}

static void take_shipped(void **state)
{
    struct diag diag = {0};
    struct settings *settings;
    struct buf text = {0};
    const char *lines;

    (void)state;
    setenv("DATABASE_PRIMARY_URL", "postgresql://app:secret@127.0.0.1:5432/app", 1);
    unsetenv("DATABASE_READ_REPLICA_1_URL");
    unsetenv("DATABASE_READ_REPLICA_2_URL");
    unsetenv("REDIS_URL");
    settings = settings_load("../../conf/pgtier.yaml", &diag);
    assert_non_null(settings);
    assert_int_equal(settings->rules->noperations, 12);
    assert_int_equal(settings->rules->nclasses, 4);
    assert_int_equal(settings->rules->nrelations, 3);
    settings_each(settings, put_line, &text);
    buf_put(&text, "", 1);
    lines = (const char *)text.at;
    assert_null(strstr(lines, "secret"));
    assert_non_null(
        strstr(lines, "databases.app.primary.url=postgresql://app:***@127.0.0.1:5432/app"));
    assert_non_null(strstr(lines, "pool.size=25 (25, reload)\n"));
    buf_clear(&text);
    settings_free(settings);
}

/* Docs are checked against the tables: a key without a word on it is a fault. */
static void find_undocumented(void **state)
{
    struct diag diag;
    struct settings *settings = load(LEAST, &diag);
    struct buf text = {0};
    char *reference, *save = NULL;
    FILE *file = fopen("../../docs/settings.md", "re");
    size_t got;

    (void)state;
    assert_non_null(file);
    reference = calloc(1, 1 << 20);
    got = fread(reference, 1, (1 << 20) - 1, file);
    fclose(file);
    assert_true(got > 0);
    settings_each(settings, put_line, &text);
    buf_put(&text, "", 1);
    for (char *line = strtok_r((char *)text.at, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        char key[128];
        char *name;

        snprintf(key, sizeof(key), "%.*s", (int)strcspn(line, "="), line);
        name = strrchr(key, '.') + 1;
        snprintf(key, sizeof(key), "`%s`", name);
        if (!strstr(reference, key))
            fail_msg("docs/settings.md does not tell of %s", key);
    }
    free(reference);
    buf_clear(&text);
    settings_free(settings);
}

static int make_file(void **state)
{
    (void)state;
    return mkstemp(path) < 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take_presets),      cmocka_unit_test(take_values),
        cmocka_unit_test(tell_faults),       cmocka_unit_test(tell_faulty_heads),
        cmocka_unit_test(miss_file),         cmocka_unit_test(take_shipped),
        cmocka_unit_test(find_undocumented),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
