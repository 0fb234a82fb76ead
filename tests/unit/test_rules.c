/* The rule language beyond kind, relation and pins: who asks, from where, in what; shadows,
 * tallies, acts; where the tier comes from; networks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "conf/keep.h"
#include "rules/describe.h"
#include "rules/hint.h"
#include "rules/load.h"
#include "rules/network.h"
#include "sql/finger.h"

static const char *const CATALOG[][7] = {
    {"r", "public", "evaluations", "1", "r", "p", ""},
    {"c", "1", "id", "int4", "u", NULL, NULL},
    {"c", "1", "user_id", "int4", "", NULL, NULL},
    {"c", "1", "tier", "text", "d", NULL, NULL},
    {"r", "public", "users", "2", "r", "p", ""},
    {"c", "2", "id", "int4", "u", NULL, NULL},
    {"r", "public", "audit", "3", "r", "p", ""},
    {"k", "r", "pg_class", NULL, NULL, NULL, NULL},
    {"b", "i", "a", "count", NULL, NULL, NULL},
    {"o", "f", NULL, NULL, NULL, NULL, NULL},
};

static const char RULES[] =
    "relations:\n"
    "  evaluations: { dimensions: [id, user_id], unique: [id] }\n"
    "  users: { dimensions: [id], unique: [id] }\n"
    "  audit: {}\n"
    "tiers:\n"
    "  names: [basic, pro, top]\n"
    "  column: evaluations.tier\n"
    "  implied: { pro: [evaluations.data, audit], top: evaluations.secret }\n"
    "  user: { relation: users, key: id, tier: plan, column: user_id, cache: plans }\n"
    "  roles: { robot: basic }\n"
    "  databases: { gold: top }\n"
    "defaults: { reads: replica }\n"
    "operations:\n"
    "  tried: { match: { relation: users, hint: tried }, shadow: true, route: primary }\n"
    "  inside: { match: { relation: users, client: [10.0.0.0/8, \"fd00::/8\"] } }\n"
    "  local: { match: { relation: users, client: unix } }\n"
    "  report: { match: { relation: users, hint: [report, page] } }\n"
    "  changing: { match: { relation: users, transaction: read_write } }\n"
    "  calm: { match: { relation: users, transaction: [none, read_only] } }\n"
    "  pro: { match: { statement: select, tier: [pro, top] }, cache: kept }\n"
    "  rest: { match: { statement: select } }\n"
    "cache:\n"
    "  classes:\n"
    "    kept: { key: \"kept:{id}\", ttl: 1h, tier: [pro, top] }\n"
    "    plans: { key: \"plan:{id}\", ttl: 1h }\n";

struct scene {
    struct keep *keep;
    struct rules *rules;
    struct catalog *catalog;
};

static struct rules *load(struct keep *keep, const char *text, struct buf *faults)
{
    struct diag diag = {.file = "f"};
    struct rules *rules = rules_load(yaml_parse(slice_text(text), keep, &diag, NULL, NULL), &diag);

    diag_print(&diag, faults);
    diag_clear(&diag);
    return rules;
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    struct buf faults = {0};

    scene->keep = keep_new();
    scene->rules = load(scene->keep, RULES, &faults);
    if (buf_len(&faults))
        fprintf(stderr, "%.*s", (int)buf_len(&faults), (const char *)buf_slice(&faults).at);
    scene->catalog = catalog_new();
    for (size_t i = 0; i < sizeof(CATALOG) / sizeof(*CATALOG); i++) {
        struct slice row[7];

        for (unsigned j = 0; j < 7; j++)
            row[j] = CATALOG[i][j] ? slice_text(CATALOG[i][j]) : slice_of(NULL, 0);
        assert_true(catalog_add_row(scene->catalog, row, 7));
    }
    catalog_finish(scene->catalog);
    *state = scene;
    return buf_len(&faults) != 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    catalog_unref(scene->catalog);
    rules_unref(scene->rules);
    keep_free(scene->keep);
    free(scene);
    return 0;
}

/* A statement with its plan, and what its tags say. */
struct request {
    struct values values;
    struct shape *shape;
    struct plan *plan;
    struct hints hints;
    struct asker asker;
};

static void begin(struct request *request, struct scene *scene, const char *sql)
{
    struct hash128 hash;

    memset(request, 0, sizeof(*request));
    finger_text(slice_text(sql), &hash, &request->values);
    request->shape = shape_new(slice_text(sql), hash, &request->values);
    request->plan = plan_new(scene->rules, scene->catalog, request->shape, NULL);
    hint_read(&request->hints, request->values.tags);
    request->asker = (struct asker){.database = "app",
                                    .user = "anna",
                                    .application_name = "",
                                    .address = "192.168.0.1:4711",
                                    .operation = request->hints.operation,
                                    .tier = request->hints.tier,
                                    .hints = &request->hints};
}

static void end(struct request *request)
{
    plan_free(request->plan);
    shape_free(request->shape);
}

static const struct {
    const char *sql, *peer;
    enum asker_transaction transaction;
    const char *operation;
} matches[] = {
    {"SELECT * FROM users", "10.1.2.3:4711", ASKER_ALONE, "inside"},
    {"SELECT * FROM users", "[fd00::1]:4711", ASKER_ALONE, "inside"},
    {"SELECT * FROM users", "[::ffff:10.1.2.3]:4711", ASKER_ALONE, "inside"},
    {"SELECT * FROM users", "11.1.2.3:4711", ASKER_ALONE, "calm"},
    {"SELECT * FROM users", "unix", ASKER_ALONE, "local"},
    {"SELECT * FROM users", "", ASKER_ALONE, "calm"},
    {"SELECT * FROM users", "11.1.2.3:4711", ASKER_READ_ONLY, "calm"},
    {"SELECT * FROM users", "11.1.2.3:4711", ASKER_READ_WRITE, "changing"},
    {"SELECT * FROM users /*operation='page'*/", "11.1.2.3:4711", ASKER_READ_WRITE, "report"},
    {"SELECT * FROM users /*operation='tried'*/", "11.1.2.3:4711", ASKER_ALONE, "calm"},
    {"SELECT * FROM evaluations", "unix", ASKER_ALONE, "pro"},
    {"SELECT id FROM evaluations", "unix", ASKER_ALONE, "rest"},
    {"UPDATE evaluations SET id = 1", "unix", ASKER_ALONE, "-"},
};

static void who_asks(void **state)
{
    for (size_t i = 0; i < sizeof(matches) / sizeof(*matches); i++) {
        struct request request;
        struct verdict verdict;
        const char *name;

        begin(&request, *state, matches[i].sql);
        request.asker.address = matches[i].peer;
        request.asker.transaction = matches[i].transaction;
        plan_judge(request.plan, &request.values, &request.asker, &verdict);
        name = verdict.operation ? verdict.operation->name : "-";
        if (strcmp(name, matches[i].operation) != 0)
            fail_msg("%s from %s: %s, not %s", matches[i].sql, matches[i].peer, name,
                     matches[i].operation);
        end(&request);
    }
}

static const struct {
    const char *sql, *role, *database;
    const char *tier; /* and from where */
} tiers[] = {
    {"SELECT id FROM evaluations", "anna", "app", "-"},
    {"SELECT id FROM evaluations WHERE tier = 'top'", "anna", "app", "top its values"},
    {"SELECT id FROM evaluations WHERE tier = 'top' /*tier='basic'*/", "anna", "app",
     "basic a hint"},
    {"SELECT id FROM evaluations /*tier='nonsense'*/", "anna", "app", "-"},
    {"SELECT data FROM evaluations", "anna", "app", "pro what it touches"},
    {"SELECT * FROM evaluations", "anna", "app", "pro what it touches"},
    {"SELECT secret FROM evaluations", "anna", "app", "top what it touches"},
    {"UPDATE evaluations SET data = '' WHERE id = 1", "anna", "app", "pro what it touches"},
    {"UPDATE evaluations SET id = 2 WHERE id = 1", "anna", "app", "-"},
    {"INSERT INTO evaluations VALUES (1)", "anna", "app", "pro what it touches"},
    {"SELECT 1 FROM audit", "anna", "app", "pro what it touches"},
    {"SELECT data FROM users", "anna", "app", "-"},
    {"SELECT data FROM evaluations WHERE tier = 'basic'", "anna", "app", "basic its values"},
    {"SELECT id FROM evaluations", "robot", "gold", "basic the role"},
    {"SELECT id FROM evaluations", "anna", "gold", "top the database"},
};

static void tier_of_a_query(void **state)
{
    for (size_t i = 0; i < sizeof(tiers) / sizeof(*tiers); i++) {
        struct request request;
        struct verdict verdict;
        char said[64] = "-";

        begin(&request, *state, tiers[i].sql);
        request.asker.user = tiers[i].role;
        request.asker.database = tiers[i].database;
        plan_judge(request.plan, &request.values, &request.asker, &verdict);
        if (verdict.tier >= 0)
            snprintf(said, sizeof(said), "%s %s", request.plan->rules->tiers[verdict.tier],
                     tier_source_text(verdict.tier_from));
        if (strcmp(said, tiers[i].tier) != 0)
            fail_msg("%s: %s, not %s", tiers[i].sql, said, tiers[i].tier);
        end(&request);
    }
}

/* A shadow is counted and hides nobody; counts go on over a reload by name. */
static void tallies(void **state)
{
    struct scene *scene = *state;
    struct request request;
    struct verdict verdict;
    struct buf faults = {0};
    struct rules *after;

    begin(&request, scene, "SELECT * FROM users /*operation='tried'*/");
    plan_judge(request.plan, &request.values, &request.asker, &verdict);
    assert_string_equal(verdict.operation->name, "calm");
    assert_int_equal(verdict.nshadows, 1);
    assert_int_equal(verdict.route, ROUTE_REPLICA);
    assert_int_equal(scene->rules->tallies[0].hits, 0);
    verdict_count(&verdict, scene->rules, 77);
    verdict_count(&verdict, scene->rules, 78);
    assert_int_equal(scene->rules->tallies[0].hits, 2);
    assert_int_equal(scene->rules->tallies[verdict.operation->index].last, 78);
    end(&request);

    after = load(scene->keep,
                 "operations: { calm: { match: { statement: select } }, new: { match: { statement: "
                 "update } } }",
                 &faults);
    rules_follow(after, scene->rules);
    assert_int_equal(after->tallies[0].hits, 2);
    assert_int_equal(after->tallies[1].hits, 0);
    rules_unref(after);
}

static void acts(void **state)
{
    struct scene *scene = *state;
    struct buf faults = {0};
    struct rules *rules = load(
        scene->keep,
        "operations:\n"
        "  a: { match: { statement: delete }, deny: true }\n"
        "  b: { match: { statement: truncate }, deny: never }\n"
        "  c: { match: { statement: insert }, deny: { sqlstate: P0001, message: m, hint: h } }\n"
        "  d: { match: { statement: update }, deny: false, timeout: 2s, limit: 3, log: 25% }\n"
        "  e: { match: { statement: select }, route: nearest, log: true }\n"
        "  f: { match: { statement: show }, route: least_busy }\n",
        &faults);
    const struct operation *at = rules->operations;
    unsigned logged = 0;

    assert_int_equal(buf_len(&faults), 0);
    assert_string_equal(at[0].deny.sqlstate, "42501");
    assert_string_equal(at[0].deny.message, "not allowed here");
    assert_string_equal(at[1].deny.message, "never");
    assert_string_equal(at[2].deny.sqlstate, "P0001");
    assert_string_equal(at[2].deny.hint, "h");
    assert_null(at[3].deny.sqlstate);
    assert_int_equal(at[3].timeout, INT64_C(2000000000));
    assert_int_equal(at[3].limit, 3);
    for (unsigned i = 0; i < 100; i++)
        logged += rules_logs(rules, &at[3]);
    assert_int_equal(logged, 25);
    assert_true(rules_logs(rules, &at[4]) && rules_logs(rules, &at[4]));
    assert_int_equal(at[4].route, ROUTE_REPLICA);
    assert_int_equal(at[4].prefer, PREFER_NEAREST);
    assert_int_equal(at[5].prefer, PREFER_IDLE);
    rules_unref(rules);
}

static const struct {
    const char *operations, *fault;
} faults[] = {
    {"{ a: { match: {}, deny: { sqlstate: \"00000\", message: m } } }",
     "`operations.a.deny.sqlstate` is no error: `00000`"},
    {"{ a: { match: {}, deny: { sqlstate: 4250, message: m } } }", "is no error: `4250`"},
    {"{ a: { match: {}, deny: { sqlstate: 42501x, message: m } } }", "is no error: `42501x`"},
    {"{ a: { match: {}, deny: { massage: m } } }", "did you mean `message`?"},
    {"{ a: { match: {}, log: 120% } }",
     "`log` must be true, false, or a share as in 1%, not `120%`"},
    {"{ a: { match: {}, log: some } }", "`log` must be"},
    {"{ a: { match: {}, limit: 0 } }", "`operations.a.limit`"},
    {"{ a: { match: {}, route: nearst } }", "did you mean `nearest`?"},
    {"{ a: { match: { client: 10.0.0.1/8 } } }", "`client` must be an address"},
    {"{ a: { match: { client: [unix, localhost] } } }", "not `localhost`"},
    {"{ a: { match: { transaction: open } } }", "unknown state of a transaction"},
    /* what is never reached */
    {"{ a: { match: { client: 10.0.0.0/8 } }, b: { match: { client: 10.1.0.0/16, statement: select "
     "} } }",
     "operation `b` is never reached"},
    {"{ a: { match: { client: 10.1.0.0/16 } }, b: { match: { client: 10.0.0.0/8 } } }", NULL},
    {"{ a: { match: { hint: [x, y] } }, b: { match: { hint: x } } }",
     "operation `b` is never reached"},
    {"{ a: { match: { hint: x } }, b: { match: { hint: [x, y] } } }", NULL},
    {"{ a: { match: { transaction: [none, read_only] } }, b: { match: { transaction: none } } }",
     "operation `b` is never reached"},
    {"{ a: { match: {}, shadow: true }, b: { match: { statement: select } } }", NULL},
};

static void told_faults(void **state)
{
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        struct buf told = {0}, text = {0};

        buf_printf(&text, "operations: %s\n", faults[i].operations);
        buf_put(&text, "", 1);
        rules_unref(load(scene->keep, (const char *)buf_slice(&text).at, &told));
        buf_put(&told, "", 1);
        if (faults[i].fault ? !strstr((const char *)buf_slice(&told).at, faults[i].fault)
                            : buf_len(&told) != 1)
            fail_msg("%s\n%s", faults[i].operations, (const char *)buf_slice(&told).at);
        buf_clear(&told);
        buf_clear(&text);
    }
}

/* Each rule before the one that matched, and why not that. */
static void passed_over(void **state)
{
    struct request request;
    struct buf out = {0};

    begin(&request, *state, "SELECT * FROM users /*operation='tried'*/");
    describe_plan(request.plan, &request.values, &request.asker, &out);
    buf_put(&out, "", 1);
    assert_non_null(strstr((const char *)buf_slice(&out).at,
                           "passed over: tried (it is a shadow, and would match)\n"
                           "passed over: inside (the client's address)\n"
                           "passed over: local (the client's address)\n"
                           "passed over: report (the hint)\n"
                           "passed over: changing (the transaction's state)\n"));
    buf_clear(&out);
    end(&request);
}

static const struct {
    const char *network, *peer;
    bool in;
} networks[] = {
    {"10.0.0.0/8", "10.255.1.2:1", true},
    {"10.0.0.0/8", "11.0.0.1:1", false},
    {"10.0.0.0/9", "10.127.0.1:1", true},
    {"10.0.0.0/9", "10.128.0.1:1", false},
    {"10.0.0.7", "10.0.0.7:1", true},
    {"10.0.0.7", "10.0.0.8:1", false},
    {"0.0.0.0/0", "1.2.3.4:1", true},
    {"0.0.0.0/0", "[::1]:1", false},
    {"::/0", "[2001:db8::1]:1", true},
    {"::1", "[::1]:1", true},
    {"2001:db8::/33", "[2001:db8::1]:1", true},
    {"2001:db8::/33", "[2001:db8:8000::1]:1", false},
    {"unix", "unix", true},
    {"unix", "127.0.0.1:1", false},
    {"127.0.0.0/8", "unix", false},
    {"127.0.0.0/8", "", false},
    {"127.0.0.0/8", "nonsense:1", false},
};

static void in_networks(void **state)
{
    static const char *const none[] = {"",           "10.0.0.0/33", "10.0.0.0/",   "10.0.0.0/-1",
                                       "10.0.0/8",   "::/129",      "10.0.0.1/24", "localhost",
                                       "10.0.0.0/8x"};
    struct network network, address;

    (void)state;
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
        if (network_read(none[i], &network))
            fail_msg("%s", none[i]);
    for (size_t i = 0; i < sizeof(networks) / sizeof(*networks); i++) {
        assert_true(network_read(networks[i].network, &network));
        if ((network_peer(networks[i].peer, &address) && network_holds(&network, &address)) !=
            networks[i].in)
            fail_msg("%s in %s", networks[i].peer, networks[i].network);
    }
}

/* Whom a statement names, or "-" where nobody is to be looked up. */
static const struct {
    const char *sql, *user;
} named[] = {
    {"SELECT 1 FROM evaluations WHERE user_id = 42", "42"},
    {"SELECT 1 FROM evaluations WHERE id = 42", "-"},
    {"SELECT 1 FROM evaluations WHERE user_id IN (42, 42)", "42"},
    {"SELECT 1 FROM evaluations WHERE user_id IN (42, 43)", "-"},
    {"SELECT 1 FROM users WHERE id = 7", "7"},
    {"SELECT 1 FROM users u JOIN evaluations e ON e.user_id = u.id WHERE u.id = 7", "7"},
    {"SELECT 1 FROM users u, evaluations e WHERE e.user_id = 8 AND u.id = 7", "-"},
    {"SELECT 1 FROM evaluations WHERE user_id = 42 AND tier = 'pro'", "-"},
    {"SELECT data FROM evaluations WHERE user_id = 42", "-"},
    {"SELECT 1 FROM evaluations WHERE user_id = 42 /*tier='top'*/", "-"},
    {"SELECT id FROM evaluations WHERE id = 42 /*user_id='x y'*/", "x y"},
    {"SELECT id FROM evaluations WHERE user_id = 42 /*user_id='9'*/", "9"},
    {"UPDATE evaluations SET n = 1 WHERE user_id = 42", "-"}, /* no rule asks */
    {"SELECT user_id FROM other WHERE user_id = 42", "-"},
};

static void whose_tier(void **state)
{
    for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++) {
        struct request request;
        char user[CANON_MAX];
        int len;

        begin(&request, *state, named[i].sql);
        len = plan_user(request.plan, &request.values, &request.asker, user, sizeof(user));
        if (!slice_is(len < 0 ? SLICE("-") : slice_of(user, (size_t)len), named[i].user))
            fail_msg("%s: %.*s", named[i].sql, len < 0 ? 1 : len, len < 0 ? "-" : user);
        end(&request);
    }
}

static void a_user_tells(void **state)
{
    struct request request;
    struct verdict verdict;

    begin(&request, *state, "SELECT id FROM evaluations WHERE user_id = 42");
    request.asker.user = "robot";
    plan_judge(request.plan, &request.values, &request.asker, &verdict);
    assert_int_equal(verdict.tier_from, TIER_ROLE);
    request.asker.user_tier = 1u << 1;
    plan_judge(request.plan, &request.values, &request.asker, &verdict);
    assert_int_equal(verdict.tier_from, TIER_USER);
    assert_int_equal(verdict.tier, 1);
    assert_string_equal(verdict.operation->name, "pro");
    assert_non_null(verdict.cache);
    end(&request);
}

static const struct {
    const char *user, *fault; /* NULL: none */
} user_faults[] = {
    {"{ relation: users, key: id, tier: plan, cache: plans }", NULL},
    {"{ relation: user, key: id, tier: plan, cache: plans }", "`users`"},
    {"{ relation: users, key: name, tier: plan, cache: plans }", "unknown dimension `name`"},
    {"{ relation: evaluations, key: user_id, tier: plan, cache: plans }", "must be unique"},
    {"{ relation: users, key: id, tier: plan, cache: plan }", "did you mean `plans`"},
    {"{ relation: users, key: id, cache: plans }", "`tiers.user.tier` is missing"},
    {"{ relation: users, key: id, tier: plan }", "`tiers.user.cache` is missing"},
    {"{ relation: users, key: id, tier: plan, cache: plans, colum: x }", "`column`"},
    {"users", "map"},
};

static void faults_of_user(void **state)
{
    const char *at = strstr(RULES, "  user: "), *rest = strchr(at, '\n');

    (void)state;
    for (size_t i = 0; i < sizeof(user_faults) / sizeof(*user_faults); i++) {
        struct keep *keep = keep_new();
        struct buf text = {0}, told = {0};
        struct rules *rules;

        buf_printf(&text, "%.*s  user: %s%s", (int)(at - RULES), RULES, user_faults[i].user, rest);
        buf_put(&text, "", 1);
        rules = load(keep, (const char *)buf_slice(&text).at, &told);
        buf_put(&told, "", 1);
        if (user_faults[i].fault ? !strstr((const char *)buf_slice(&told).at, user_faults[i].fault)
                                 : *buf_slice(&told).at)
            fail_msg("%s\n%s", user_faults[i].user, (const char *)buf_slice(&told).at);
        rules_unref(rules);
        keep_free(keep);
        buf_clear(&text);
        buf_clear(&told);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_asks),     cmocka_unit_test(tier_of_a_query),
        cmocka_unit_test(tallies),      cmocka_unit_test(acts),
        cmocka_unit_test(told_faults),  cmocka_unit_test(passed_over),
        cmocka_unit_test(in_networks),  cmocka_unit_test(whose_tier),
        cmocka_unit_test(a_user_tells), cmocka_unit_test(faults_of_user),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
