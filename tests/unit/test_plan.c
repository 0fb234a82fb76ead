/* Verdicts by a table: the shipped rules, a small catalog, and statements of every kind. Runs in
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
#include "rules/describe.h"
#include "sql/finger.h"

/* As CATALOG_QUERY gives them. */
static const char *const CATALOG[][7] = {
    {"r", "public", "business_evaluations", "1", "r", "p", ""},
    {"c", "1", "id", "uuid", "ud", "1", NULL},
    {"c", "1", "user_id", "uuid", "", "2", NULL},
    {"c", "1", "subscription_tier", "text", "d", "3", NULL},
    {"c", "1", "status", "text", "d", "4", NULL},
    {"c", "1", "health_score", "int4", "", "5", NULL},
    {"r", "public", "users", "2", "r", "p", ""},
    {"c", "2", "id", "uuid", "ud", NULL, NULL},
    {"c", "2", "email", "text", "u", NULL, NULL},
    {"r", "public", "professional_data_audit", "3", "r", "p", ""},
    {"c", "3", "id", "int8", "ud", "1", NULL},
    {"c", "3", "user_id", "uuid", "", "2", NULL},
    {"r", "public", "plain", "4", "r", "p", ""},
    {"c", "4", "id", "int4", "u", NULL, NULL},
    {"c", "4", "v", "int4", "", NULL, NULL},
    {"c", "4", "age", "", "", NULL, NULL},
    {"r", "public", "trig", "5", "r", "p", "t"},
    {"r", "public", "casc", "6", "r", "p", ""},
    {"r", "public", "part", "7", "r", "p", "i"},
    {"r", "public", "ruled", "8", "r", "p", "r"},
    {"r", "public", "secured", "9", "r", "p", "s"},
    {"r", "public", "unl", "10", "r", "u", ""},
    {"r", "public", "vw", "11", "v", "p", ""},
    {"r", "public", "seq", "12", "S", "p", ""},
    {"d", "6", "4", "id", "d", NULL, NULL},
    {"i", "7", "99", NULL, NULL, NULL, NULL},
    {"k", "r", "pg_class pg_attribute", NULL, NULL, NULL, NULL},
    {"k", "v", "pg_settings", NULL, NULL, NULL, NULL},
    {"b", "i", "", "lower jsonb_typeof", NULL, NULL, NULL},
    {"b", "i", "a", "avg count", NULL, NULL, NULL},
    {"b", "s", "", "now to_regclass current_setting age", NULL, NULL, NULL},
    {"b", "v", "", "random nextval lo_unlink pg_advisory_lock txid_status", NULL, NULL, NULL},
    {"f", "my_imm", NULL, "i", "", NULL, NULL},
    {"f", "my_stable", NULL, "s", "", NULL, NULL},
    {"f", "my_vol", NULL, "v", "", NULL, NULL},
    {"f", "my_agg", NULL, "v", "a", NULL, NULL},
    {"f", "abs", "i", "v", "", NULL, NULL},
    {"o", "f", NULL, NULL, NULL, NULL, NULL},
};

static struct settings *settings;
static struct catalog *catalog;

static void add_row(struct catalog *to, const char *const fields[7])
{
    struct slice row[7];

    for (unsigned j = 0; j < 7; j++)
        row[j] = fields[j] ? slice_text(fields[j]) : slice_of(NULL, 0);
    assert_true(catalog_add_row(to, row, 7));
}

/* `more`: one row after the others, or NULL. */
static struct catalog *make_catalog(const char *const *more)
{
    struct catalog *made = catalog_new();

    for (size_t i = 0; i < sizeof(CATALOG) / sizeof(*CATALOG); i++)
        add_row(made, CATALOG[i]);
    if (more)
        add_row(made, more);
    catalog_finish(made);
    return made;
}

/* A statement, its values and its plan. */
struct request {
    struct values values;
    struct shape *shape;
    struct plan *plan;
};

static void begin(struct request *request, struct rules *rules, struct catalog *with,
                  const char *sql)
{
    struct hash128 hash;

    memset(&request->values, 0, sizeof(request->values));
    finger_text(slice_text(sql), &hash, &request->values);
    request->shape = shape_new(slice_text(sql), hash, &request->values);
    request->plan = plan_new(rules, with, request->shape, NULL);
}

static void end(struct request *request)
{
    plan_free(request->plan);
    shape_free(request->shape);
}

static void bind_text(struct request *request, unsigned index, const char *text)
{
    request->values.at[index] = (struct value){.kind = VALUE_TEXT, .bytes = slice_text(text)};
}

static void put_pinned(const struct plan *plan, const struct values *values, struct buf *out)
{
    struct pinned pinned;

    plan_pinned(plan, values, &pinned);
    for (unsigned i = 0; i < pinned.count; i++) {
        const struct plan_ref *ref = &plan->refs[pinned.values[i].ref];

        buf_printf(out, "%s%u%s.%s=%.*s", i ? "," : "", pinned.values[i].ref,
                   pinned.values[i].given ? "+" : "",
                   ref->relation->dimensions[pinned.values[i].dimension], pinned.values[i].len,
                   pinned.bytes + pinned.values[i].at);
    }
    if (pinned.count == 0)
        buf_printf(out, "-");
}

/* "read operation tier route/why class-or-why-not pins". */
static void put_verdict(const struct request *request, const struct asker *asker, struct buf *out)
{
    const struct plan *plan = request->plan;
    struct verdict verdict;

    plan_judge(plan, &request->values, asker, &verdict);
    buf_printf(out, "%s %s %s ",
               plan->everything ? "everything"
               : !plan->read    ? "write"
               : plan->anything ? "anything"
                                : "read",
               verdict.operation ? verdict.operation->name : "-",
               verdict.tier < 0 ? "-" : plan->rules->tiers[verdict.tier]);
    buf_printf(out, "%s/%s %s ", route_text(verdict.route), plan_reason_code(verdict.primary),
               verdict.cache ? verdict.cache->name : plan_reason_code(verdict.uncached));
    put_pinned(plan, &request->values, out);
    buf_put(out, "", 1);
}

static const struct asker ASKER = {
    .database = "app", .user = "u", .application_name = "", .address = ""};

#define ID7 "00000000-0000-0000-0000-000000000007"
#define ID8 "00000000-0000-0000-0000-000000000008"
#define ID9 "00000000-0000-0000-0000-000000000009"

/* A ! before the statement: the catalog is not known. */
static const struct {
    const char *sql, *expected;
} ROWS[] = {
    {"SELECT * FROM business_evaluations WHERE id = '" ID7 "'",
     "read single_evaluation_fetch - replica/none tier 0.id=" ID7},
    {"SELECT * FROM business_evaluations WHERE id = '" ID7
     "' AND subscription_tier = 'professional'",
     "read single_evaluation_fetch professional replica/none professional_evaluation 0.id=" ID7},
    {"SELECT * FROM business_evaluations WHERE id = $1 AND subscription_tier IN ('enterprise', "
     "'professional')",
     "read single_evaluation_fetch professional replica/none professional_evaluation -"},
    {"SELECT * FROM business_evaluations WHERE id = $1 AND subscription_tier IN ('basic', "
     "'professional')",
     "read single_evaluation_fetch basic replica/none tier -"},
    {"SELECT * FROM business_evaluations WHERE id = $1 AND subscription_tier = 'gold'",
     "read single_evaluation_fetch - replica/none tier -"},
    {"SELECT professional_data->'financialMetrics' FROM business_evaluations WHERE id = '" ID7 "'",
     "read jsonb_field - replica/none jsonb_field 0.id=" ID7},
    {"SELECT avg(health_score) FROM business_evaluations WHERE user_id = '" ID8 "'",
     "read professional_aggregations - replica/none professional_aggregations 0.user_id=" ID8},
    {"SELECT id FROM business_evaluations WHERE user_id = '" ID8 "' ORDER BY created_at LIMIT 20",
     "read user_evaluations_list - replica/none no_rule 0.user_id=" ID8},
    {"SELECT subscription_tier, count(*) FROM business_evaluations GROUP BY 1",
     "read analytics - replica/none no_rule -"},
    {"SELECT id FROM business_evaluations WHERE subscription_tier = 'professional' AND "
     "health_score > 50",
     "read professional_evaluation_query professional replica/none no_rule -"},
    {"SELECT id FROM business_evaluations WHERE subscription_tier = 'basic'",
     "read basic_evaluation_query basic replica/none no_rule -"},
    {"SELECT subscription_tier FROM users WHERE id = '" ID8 "'",
     "read tier_validation - replica/none tier_validation 0.id=" ID8},
    {"SELECT email FROM users WHERE id = '" ID8 "'", "read - - replica/none no_rule 0.id=" ID8},
    {"SELECT * FROM business_evaluations e JOIN users u ON u.id = e.user_id WHERE e.id = '" ID7 "'",
     "read single_evaluation_fetch - replica/none tier 0.id=" ID7},
    {"SELECT * FROM business_evaluations e JOIN users u ON u.id = e.user_id WHERE user_id = '" ID8
     "'",
     "read user_evaluations_list - replica/none no_rule 0.user_id=" ID8 ",1.id=" ID8},
    {"SELECT * FROM business_evaluations e JOIN users u ON u.id = e.user_id WHERE user_id = '" ID8
     "' AND subscription_tier = 'professional'",
     "read user_evaluations_list professional replica/none no_rule 0.user_id=" ID8 ",1.id=" ID8},
    {"SELECT * FROM business_evaluations e, users u WHERE id = '" ID7 "'",
     "read basic_evaluation_query - replica/none no_rule -"},
    {"SELECT * FROM business_evaluations e, missing m WHERE user_id = '" ID7 "'",
     "anything basic_evaluation_query - primary/relation_unknown relation_unknown -"},
    {"SELECT * FROM business_evaluations e LEFT JOIN users u ON user_id = '" ID7 "'",
     "read basic_evaluation_query - replica/none no_rule -"},
    {"SELECT * FROM users u LEFT JOIN business_evaluations e ON user_id = '" ID7 "'",
     "read user_evaluations_list - replica/none no_rule 1.user_id=" ID7},
    {"DELETE FROM professional_data_audit a USING plain p WHERE user_id = '" ID7 "' AND v = 1",
     "write audit_log_write - primary/write write 0.user_id=" ID7},
    {"UPDATE business_evaluations SET subscription_tier = 'enterprise' WHERE id = '" ID7 "'",
     "write tier_upgrade_operation enterprise primary/write write 0.id=" ID7},
    {"UPDATE business_evaluations SET professional_data = '{}' WHERE id = '" ID7 "'",
     "write professional_data_update - primary/write write 0.id=" ID7},
    {"UPDATE business_evaluations SET user_id = '" ID9 "' WHERE user_id = '" ID8 "'",
     "write - - primary/write write 0.user_id=" ID8 ",0+.user_id=" ID9},
    {"INSERT INTO business_evaluations (user_id, professional_data, subscription_tier) VALUES "
     "('" ID8 "', '{}', 'professional')",
     "write professional_data_insert professional primary/write write 0+.user_id=" ID8},
    {"INSERT INTO business_evaluations (id, user_id) VALUES ('" ID7 "', NULL), (DEFAULT, '" ID8
     "')",
     "write - - primary/write write 0+.user_id=" ID8},
    {"INSERT INTO business_evaluations VALUES ('" ID7 "', '" ID8 "', 'enterprise'), ('" ID9
     "', '" ID8 "', 'professional')",
     "write professional_data_insert professional primary/write write "
     "0+.id=" ID7 ",0+.id=" ID9 ",0+.user_id=" ID8 ",0+.user_id=" ID8},
    {"INSERT INTO business_evaluations VALUES ('" ID7 "')",
     "write professional_data_insert - primary/write write 0+.id=" ID7},
    {"INSERT INTO professional_data_audit VALUES (7, '" ID8 "')",
     "write audit_log_write - primary/write write 0+.user_id=" ID8},
    {"INSERT INTO users VALUES ('" ID8 "')", "write - - primary/write write -"},
    {"INSERT INTO business_evaluations SELECT * FROM business_evaluations",
     "write professional_data_insert - primary/write write -"},
    {"INSERT INTO professional_data_audit (user_id) VALUES ('" ID8 "'::uuid)",
     "write audit_log_write - primary/write write 0+.user_id=" ID8},
    {"INSERT INTO users (id) VALUES ('" ID8 "') ON CONFLICT (id) DO UPDATE SET email = 'x'",
     "write - - primary/write write 0+.id=" ID8 ",1.id=" ID8},
    {"DELETE FROM professional_data_audit WHERE user_id = '" ID8 "'",
     "write audit_log_write - primary/write write 0.user_id=" ID8},
    {"TRUNCATE users", "write - - primary/write write -"},
    {"TRUNCATE users CASCADE", "everything - - primary/write write -"},
    {"COPY users FROM STDIN", "write - - primary/write write -"},
    {"COPY users TO STDOUT", "read - - primary/protocol protocol -"},
    {"WITH x AS (DELETE FROM plain WHERE id = 1 RETURNING id) SELECT * FROM x",
     "write - - primary/write write -"},
    {"WITH x AS (SELECT 1) SELECT * FROM x", "read - - replica/none no_rule -"},
    {"SELECT 1", "read - - replica/none no_rule -"},
    {"VALUES (1), (2)", "read - - replica/none no_rule -"},
    {"TABLE plain", "read - - replica/none no_rule -"},
    {"SELECT * FROM plain WHERE id = 7", "read - - replica/none no_rule -"},
    {"SELECT * FROM other", "anything - - primary/relation_unknown relation_unknown -"},
    {"SELECT * FROM vw", "anything - - replica/none relation_unknown -"},
    {"SELECT * FROM part", "anything - - replica/none relation_unknown -"},
    {"SELECT * FROM ruled", "anything - - replica/none relation_unknown -"},
    {"SELECT * FROM secured", "read - - replica/none no_rule -"},
    {"SELECT * FROM unl", "anything - - primary/relation_unknown relation_unknown -"},
    {"SELECT last_value FROM seq", "anything - - primary/relation_unknown relation_unknown -"},
    {"SELECT * FROM pg_class", "anything - - primary/system_relation system_relation -"},
    {"SELECT * FROM information_schema.tables",
     "anything - - primary/system_relation system_relation -"},
    {"UPDATE pg_class SET relname = 'x'", "everything - - primary/write write -"},
    {"UPDATE trig SET v = 1", "everything - - primary/write write -"},
    {"SELECT * FROM trig", "read - - replica/none no_rule -"},
    {"DELETE FROM casc", "write - - primary/write write -"},
    {"INSERT INTO casc (id) VALUES (1)", "write - - primary/write write -"},
    {"UPDATE vw SET v = 1", "everything - - primary/write write -"},
    {"UPDATE other SET v = 1", "everything - - primary/write write -"},
    {"SELECT * FROM plain FOR UPDATE", "read - - primary/locks locks -"},
    {"LOCK TABLE plain", "read - - primary/locks locks -"},
    {"SELECT my_vol()", "everything - - primary/user_function user_function -"},
    {"SELECT my_stable()", "everything - - primary/user_function user_function -"},
    {"SELECT my_imm(1)", "anything - - replica/none user_function -"},
    {"SELECT abs(1)", "everything - - primary/user_function user_function -"},
    {"SELECT pg_catalog.abs(1)", "read - - replica/none no_rule -"},
    {"SELECT public.my_imm(1)", "anything - - replica/none user_function -"},
    {"SELECT public.nothing(1)", "everything - - primary/user_function user_function -"},
    {"SELECT nothing(1)", "everything - - primary/user_function user_function -"},
    {"SELECT lower('A')", "read - - replica/none no_rule -"},
    {"SELECT now()", "read - - replica/none time_dependent -"},
    {"SELECT current_user", "read - - replica/none time_dependent -"},
    {"SELECT random()", "read - - replica/none time_dependent -"},
    {"SELECT pg_sleep(1)", "read - - primary/server_function server_function -"},
    {"SELECT pg_backend_pid()", "read - - primary/server_function server_function -"},
    {"SELECT pg_current_wal_lsn()", "read - - primary/volatile_function volatile_function -"},
    {"SELECT nextval('s')", "read - - primary/volatile_function volatile_function -"},
    {"SELECT set_config('a.b', 'c', false)", "read - - primary/session session -"},
    {"SELECT pg_advisory_lock(1)", "read - - primary/session session -"},
    {"SELECT table_to_xml('plain', true, false, '')",
     "everything - - primary/volatile_function volatile_function -"},
    {"SELECT '2020-01-01'::date, 'now'::text", "read - - replica/none no_rule -"},
    {"SELECT * FROM business_evaluations WHERE user_id = '" ID8
     "' AND 'today' < 'b' AND health_score > (SELECT avg(v) FROM plain)",
     "read professional_aggregations - replica/none time_dependent 0.user_id=" ID8},
    {"SELECT avg(health_score) FROM business_evaluations WHERE user_id = '" ID8
     "' AND created_at > 'yesterday'",
     "read professional_aggregations - replica/none time_dependent 0.user_id=" ID8},
    {"SELECT '(1,2)'::mytype", "anything - - replica/none unknown -"},
    {"SELECT 1::int4, '{1}'::int[], 'a'::varchar(3), '1'::interval",
     "read - - replica/none no_rule -"},
    {"BEGIN", "read - - primary/transaction transaction -"},
    {"COMMIT", "read - - primary/transaction transaction -"},
    {"SAVEPOINT a", "read - - primary/transaction transaction -"},
    {"SET x.y = 1", "read - - primary/session session -"},
    {"SET LOCAL x.y = 1", "read - - primary/session session -"},
    {"SHOW ALL", "read - - primary/session session -"},
    {"DISCARD ALL", "read - - primary/session session -"},
    {"PREPARE p AS UPDATE plain SET v = 1", "read - - primary/session session -"},
    {"EXECUTE p", "everything - - primary/unknown unknown -"},
    {"DEALLOCATE p", "read - - primary/session session -"},
    {"DECLARE c CURSOR FOR SELECT * FROM plain", "read - - primary/transaction transaction -"},
    {"FETCH c", "read - - primary/transaction transaction -"},
    {"LISTEN a", "read - - primary/session session -"},
    {"NOTIFY a", "read - - primary/session session -"},
    {"VACUUM plain", "read - - primary/write write -"},
    {"ANALYZE", "read - - primary/write write -"},
    {"CHECKPOINT", "read - - primary/write write -"},
    {"REINDEX TABLE plain", "read - - primary/write write -"},
    {"CREATE TABLE x (y int)", "everything - - primary/write write -"},
    {"CREATE TEMP TABLE x (y int)", "everything - - primary/write write -"},
    {"GRANT SELECT ON plain TO u", "everything - - primary/write write -"},
    {"REFRESH MATERIALIZED VIEW m", "everything - - primary/write write -"},
    {"DO 'begin end'", "everything - - primary/unknown unknown -"},
    {"CALL p()", "everything - - primary/unknown unknown -"},
    {"PREPARE TRANSACTION 'x'", "read - - primary/transaction transaction -"},
    {"COMMIT PREPARED 'x'", "everything - - primary/transaction transaction -"},
    {"ROLLBACK PREPARED 'x'", "everything - - primary/transaction transaction -"},
    {"LOAD 'x'", "read - - primary/session session -"},
    {"EXPLAIN SELECT * FROM plain", "read - - replica/none time_dependent -"},
    {"EXPLAIN UPDATE plain SET v = 1", "read - - replica/none time_dependent -"},
    {"EXPLAIN ANALYZE UPDATE plain SET v = 1", "write - - primary/write time_dependent -"},
    {"SELECT 1; SELECT 2", "read - - primary/batch batch -"},
    {"SELECT 1; UPDATE plain SET v = 1", "write - - primary/write write -"},
    {"BEGIN; SELECT 1; COMMIT", "read - - primary/transaction transaction -"},
    {"selec 1", "everything - - primary/unparsable unparsable -"},
    {"SELECT 'x", "everything - - primary/unparsable unparsable -"},
    {";", "read - - primary/protocol protocol -"},
    {"MERGE INTO plain p USING users u ON p.id = 1 WHEN MATCHED THEN UPDATE SET v = 1 WHEN NOT "
     "MATCHED THEN INSERT (id) VALUES (2)",
     "write - - primary/write write -"},
    {"SELECT id FROM business_evaluations WHERE id = ANY(ARRAY['" ID7 "'::uuid])",
     "read single_evaluation_fetch - replica/none tier 0.id=" ID7},
    {"SELECT id FROM business_evaluations WHERE id = ANY('{" ID7 "," ID8 "}')",
     "read single_evaluation_fetch - replica/none tier 0.id=" ID7 ",0.id=" ID8},
    {"SELECT id FROM business_evaluations WHERE id = ANY('{" ID7 ",x}')",
     "read single_evaluation_fetch - replica/none tier -"},
    {"SELECT id FROM business_evaluations WHERE id = ANY('{" ID7 "}'::text[])",
     "read single_evaluation_fetch - replica/none tier -"},
    {"SELECT id FROM business_evaluations WHERE id IN ('" ID7 "', '" ID8 "', '" ID9 "') AND "
     "subscription_tier IN ('professional', 'enterprise')",
     "read single_evaluation_fetch professional replica/none professional_evaluation 0.id=" ID7
     ",0.id=" ID8 ",0.id=" ID9},
    {"SELECT id FROM business_evaluations WHERE id IN ('" ID7 "') AND subscription_tier IN "
     "('professional', 'other')",
     "read single_evaluation_fetch - replica/none tier 0.id=" ID7},
    {"SELECT id FROM business_evaluations WHERE id = '" ID7 "' AND subscription_tier = ANY "
     "('{professional,NULL}')",
     "read single_evaluation_fetch professional replica/none professional_evaluation 0.id=" ID7},
    {"SELECT 1 FROM business_evaluations WHERE (id, user_id) IN (('" ID7 "', '" ID8 "'), ('" ID9
     "', '" ID8 "'))",
     "read single_evaluation_fetch - replica/none tier 0.id=" ID7 ",0.id=" ID9 ",0.user_id=" ID8
     ",0.user_id=" ID8},
    {"SELECT 1 FROM users u JOIN business_evaluations e ON e.user_id = u.id WHERE u.id = '" ID7 "'",
     "read user_evaluations_list - replica/none no_rule 0.id=" ID7 ",1.user_id=" ID7},
    {"SELECT 1 FROM users u LEFT JOIN business_evaluations e ON e.user_id = u.id WHERE e.user_id = "
     "'" ID7 "'",
     "read user_evaluations_list - replica/none no_rule 1.user_id=" ID7},
    {"SELECT 1 FROM users u, business_evaluations e, professional_data_audit a WHERE a.user_id = "
     "e.user_id AND e.user_id = u.id AND u.id IN ('" ID7 "', '" ID8 "')",
     "read user_evaluations_list - replica/none no_rule 0.id=" ID7 ",0.id=" ID8 ",1.user_id=" ID7
     ",1.user_id=" ID8 ",2.user_id=" ID7 ",2.user_id=" ID8},
    {"SELECT 1 FROM users u JOIN business_evaluations e ON e.status = u.email AND e.user_id = "
     "u.email WHERE u.email = 'x'",
     "read basic_evaluation_query - replica/none no_rule -"},
    {"SELECT 1 FROM plain p JOIN professional_data_audit a ON a.id = p.v WHERE p.v = 5",
     "read - - replica/none no_rule -"},
    {"DELETE FROM business_evaluations e USING users u WHERE e.user_id = u.id AND u.id = '" ID7 "'",
     "write - - primary/write write 0.user_id=" ID7 ",1.id=" ID7},
    {"SELECT * FROM users WHERE id = 'not a uuid'",
     "read tier_validation - replica/none tier_validation -"},
    {"SELECT * FROM users u WHERE u.id = '" ID7 "'::text::uuid", "read - - replica/none no_rule -"},
    {"SELECT p.my_vol FROM plain p", "everything - - primary/user_function user_function -"},
    {"SELECT p.v FROM plain p", "read - - replica/none no_rule -"},
    {"SELECT p.v, u.email FROM plain p, users u", "read - - replica/none no_rule -"},
    {"SELECT p.age, age FROM plain p, users u", "read - - replica/none no_rule -"},
    {"SELECT p.age, u.age FROM plain p, users u", "read - - replica/none time_dependent -"},
    {"SELECT (p).age FROM plain p", "read - - replica/none time_dependent -"},
    {"SELECT (p).v FROM plain p", "read - - replica/none no_rule -"},
    {"SELECT ctid FROM plain", "read - - replica/none time_dependent -"},
    {"SELECT v FROM plain p WHERE p.xmin = '7'", "read - - replica/none time_dependent -"},
    {"SELECT date(v), timezone('UTC', v) FROM plain", "read - - replica/none time_dependent -"},
    {"SELECT ('n' || 'ow')::timestamptz", "read - - replica/none time_dependent -"},
    {"SELECT '12:00'::timetz", "read - - replica/none time_dependent -"},
    {"SELECT (777::oid).lo_unlink", "everything - - primary/volatile_function volatile_function -"},
    {"SELECT x.lo_unlink FROM unnest(ARRAY[1::oid]) x",
     "everything - - primary/user_function user_function -"},
    {"SELECT (42).pg_advisory_lock", "read - - primary/session session -"},
    {"SELECT ('a'::text).current_setting",
     "read - - primary/volatile_function volatile_function -"},
    {"SELECT (0).random", "read - - replica/none time_dependent -"},
    {"SELECT v FROM plain WHERE (v).txid_status IS NULL",
     "read - - primary/volatile_function volatile_function -"},
    {"SELECT (1).setseed, (1).nothing", "read - - primary/session session -"},
    {"SELECT (1::oid).lo_get", "read - - primary/volatile_function volatile_function -"},
    {"SELECT (1).my_vol", "everything - - primary/user_function user_function -"},
    {"!SELECT (0).random", "everything - - primary/no_catalog no_catalog -"},
    {"SELECT * INTO x FROM plain", "everything - - primary/write write -"},
    {"!SELECT * FROM plain", "anything - - primary/no_catalog no_catalog -"},
    {"!SELECT lower('a')", "everything - - primary/no_catalog no_catalog -"},
    {"!SELECT 1", "read - - replica/none no_rule -"},
    {"!UPDATE plain SET v = 1", "everything - - primary/write write -"},
    {"!SELECT * FROM pg_class", "anything - - primary/system_relation system_relation -"},
    {"SELECT lower(status), jsonb_typeof(professional_data) FROM business_evaluations WHERE id = "
     "'" ID7 "'",
     "read single_evaluation_fetch - replica/none tier 0.id=" ID7},
    {"SELECT * FROM users WHERE id = 7", "read tier_validation - replica/none tier_validation -"},
    {"SELECT * FROM app.users WHERE id = '" ID7 "'",
     "anything tier_validation - primary/relation_unknown relation_unknown -"},
    {"SELECT * FROM pg_catalog.pg_class", "anything - - primary/system_relation system_relation -"},
    {"UPDATE users SET id = '" ID9 "'::uuid WHERE id = '" ID8 "'",
     "write - - primary/write write 0.id=" ID8 ",0+.id=" ID9},
    {"UPDATE users SET id = DEFAULT WHERE id = '" ID8 "'",
     "write - - primary/write write 0.id=" ID8},
    {"DELETE FROM users USING plain WHERE users.id = '" ID8 "' AND plain.v = 1",
     "write - - primary/write write 0.id=" ID8},
    {"SELECT '{1}'::_int4, 'a'::public.mood", "anything - - replica/none unknown -"},
    {"SELECT count(*) FROM plain", "read - - replica/none no_rule -"},
    {"SELECT my_agg(v) FROM plain", "everything - - primary/user_function user_function -"},
    {"INSERT INTO plain (id, v) SELECT my_vol(), 1", "everything - - primary/write write -"},
    {"SELECT * FROM plain LIMIT my_imm(1)", "anything - - replica/none user_function -"},
};

static void judge_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++) {
        bool blind = ROWS[i].sql[0] == '!';
        struct request request;
        struct buf out = {0};

        begin(&request, settings->rules, blind ? NULL : catalog, ROWS[i].sql + blind);
        put_verdict(&request, &ASKER, &out);
        if (strcmp((const char *)out.at, ROWS[i].expected) != 0)
            fail_msg("%s\n  is  %s\n  not %s", ROWS[i].sql, (const char *)out.at, ROWS[i].expected);
        buf_clear(&out);
        end(&request);
    }
}

/* What an occurrence stands for: partitions, views, policies, tables that follow. */
static const char *const FAMILIES[][7] = {
    {"r", "public", "parts", "20", "p", "p", "i"},
    {"r", "public", "parts_1", "21", "r", "p", "i"},
    {"c", "20", "id", "int4", "u", NULL, NULL},
    {"c", "21", "id", "int4", "u", NULL, NULL},
    {"i", "21", "20", NULL, NULL, NULL, NULL},
    {"r", "public", "owner", "22", "r", "p", ""},
    {"c", "22", "id", "int4", "u", NULL, NULL},
    {"c", "22", "made", "int4", "g", NULL, NULL},
    {"r", "public", "owned", "23", "r", "p", ""},
    {"r", "public", "deeper", "24", "r", "p", ""},
    {"r", "public", "audited", "25", "r", "p", "t"},
    {"d", "22", "23", "id", "d", NULL, NULL},
    {"d", "23", "24", "id", "du", NULL, NULL},
    {"d", "24", "23", "id", "d", NULL, NULL},
    {"d", "21", "23", "id", "u", NULL, NULL},
    {"r", "public", "guarded", "26", "r", "p", ""},
    {"d", "26", "25", "id", "d", NULL, NULL},
    {"r", "public", "lost", "27", "r", "p", ""},
    {"d", "27", "999", "id", "d", NULL, NULL},
    {"r", "public", "made", "28", "r", "p", ""},
    {"c", "28", "made", "int4", "g", NULL, NULL},
    {"d", "28", "23", "made", "u", NULL, NULL},
    {"r", "public", "active", "30", "v", "p", ""},
    {"v", "30",
     " SELECT o.id, lower(o.name) AS n FROM public.owned o JOIN plain USING (id) WHERE o.kind = 5;",
     NULL, NULL, NULL, NULL},
    {"r", "public", "nested", "31", "v", "p", ""},
    {"v", "31", "SELECT * FROM active, owner", NULL, NULL, NULL, NULL},
    {"r", "public", "recent", "32", "v", "p", ""},
    {"v", "32", "SELECT * FROM owned WHERE at > now()", NULL, NULL, NULL, NULL},
    {"r", "public", "today", "33", "v", "p", ""},
    {"v", "33", "SELECT * FROM owned WHERE at > ('today'::text)::date", NULL, NULL, NULL, NULL},
    {"r", "public", "wild", "34", "v", "p", ""},
    {"v", "34", "SELECT my_vol() FROM owned", NULL, NULL, NULL, NULL},
    {"r", "public", "newer", "35", "v", "p", ""},
    {"v", "35", "SELECT JSON_EXISTS(a, 'x' ERROR ON ERROR) FROM owned", NULL, NULL, NULL, NULL},
    {"r", "public", "instead", "36", "v", "p", "t"},
    {"v", "36", "SELECT * FROM owned", NULL, NULL, NULL, NULL},
    {"r", "public", "simple", "37", "v", "p", ""},
    {"v", "37", "SELECT * FROM owner", NULL, NULL, NULL, NULL},
    {"r", "public", "kept", "38", "m", "p", ""},
    {"r", "public", "tenants", "40", "r", "p", "s"},
    {"c", "40", "id", "int4", "u", NULL, NULL},
    {"p", "40", "(tenant = (current_setting('app.tenant'::text))::uuid)", NULL, NULL, NULL, NULL},
    {"p", "40", "(owner = CURRENT_USER)", NULL, NULL, NULL, NULL},
    {"r", "public", "looking", "41", "r", "p", "s"},
    {"p", "41",
     "(EXISTS (SELECT 1 FROM owned o WHERE o.id = looking.id AND EXISTS (SELECT 1 FROM looking)))",
     NULL, NULL, NULL, NULL},
    {"r", "public", "timed", "42", "r", "p", "s"},
    {"p", "42", "(at > CURRENT_TIMESTAMP)", NULL, NULL, NULL, NULL},
    {"r", "public", "hidden", "43", "r", "p", "s"},
    {"p", "43", NULL, NULL, NULL, NULL, NULL},
    {"r", "public", "familiar", "44", "r", "p", "is"},
};

static const struct {
    const char *sql, *expected; /* how it counts, why on the primary, why uncached, its refs */
} EXPANDED[] = {
    {"SELECT * FROM parts", "read none none r.parts"},
    {"SELECT * FROM parts_1", "read none none r.parts"},
    {"DELETE FROM parts_1", "write write write d.parts"},
    {"UPDATE parts SET x = 1", "write write write u.parts"},
    {"UPDATE parts SET id = 1", "write write write u.parts d.owned d.deeper"},
    {"DELETE FROM owner", "write write write d.owner d.owned d.deeper"},
    {"UPDATE owner SET id = 1", "write write write u.owner"},
    {"INSERT INTO owner VALUES (1)", "write write write i.owner"},
    {"DELETE FROM owned", "write write write d.owned d.deeper d.owned"},
    {"DELETE FROM guarded", "everything write write d.guarded d.?audited"},
    {"DELETE FROM lost", "everything write write d.lost"},
    {"UPDATE made SET x = 1", "write write write u.made d.owned d.deeper"},
    {"EXPLAIN DELETE FROM owner", "read none time_dependent r.owner"},
    {"SELECT * FROM active", "read none none r.(active) r.owned r.plain"},
    {"SELECT * FROM active a, active b, owned",
     "read none none r.(active) r.(active) r.owned r.owned r.plain"},
    {"SELECT * FROM nested", "read none none r.(nested) r.(active) r.owner r.owned r.plain"},
    {"SELECT * FROM recent", "read none time_dependent r.(recent) r.owned"},
    {"SELECT * FROM today", "read none time_dependent r.(today) r.owned"},
    {"SELECT * FROM wild", "everything user_function user_function r.(wild) r.owned"},
    {"SELECT * FROM newer", "anything none relation_unknown r.?newer"},
    {"SELECT * FROM instead", "read none none r.(instead) r.owned"},
    {"DELETE FROM instead", "everything write write d.?instead"},
    {"DELETE FROM simple", "write write write d.(simple) d.owner d.owned d.deeper"},
    {"INSERT INTO active VALUES (1)", "write write write i.(active) d.owned d.plain d.deeper"},
    {"SELECT * FROM kept", "read none none r.kept"},
    {"SELECT * FROM tenants WHERE id = 7", "read none none r.tenants"},
    {"SELECT current_setting('app.tenant')", "read volatile_function volatile_function"},
    {"SELECT current_user", "read none time_dependent"},
    {"SELECT * FROM looking", "read none none r.looking r.owned r.looking"},
    {"SELECT * FROM timed", "read none time_dependent r.timed"},
    {"SELECT * FROM hidden", "anything none row_security r.hidden"},
    {"SELECT * FROM familiar", "anything none row_security r.familiar"},
};

static void put_ref(const struct plan_ref *ref, struct buf *out)
{
    const char *before = ref->stood_for ? "(" : ref->certain ? "" : "?";

    buf_printf(out, " %c.%s%s%s", "riudtc"[ref->ref->use], before,
               ref -> table ? ref -> table -> name : ref -> ref -> name,
               ref -> stood_for ? ")" : "");
}

static void expand_all(void **state)
{
    struct catalog *with = catalog_new();

    (void)state;
    for (size_t i = 0; i < sizeof(CATALOG) / sizeof(*CATALOG); i++)
        add_row(with, CATALOG[i]);
    for (size_t i = 0; i < sizeof(FAMILIES) / sizeof(*FAMILIES); i++)
        add_row(with, FAMILIES[i]);
    catalog_finish(with);
    for (size_t i = 0; i < sizeof(EXPANDED) / sizeof(*EXPANDED); i++) {
        struct request request;
        struct buf out = {0};

        begin(&request, settings->rules, with, EXPANDED[i].sql);
        buf_printf(&out, "%s %s %s",
                   request.plan->everything ? "everything"
                   : !request.plan->read    ? "write"
                   : request.plan->anything ? "anything"
                                            : "read",
                   plan_reason_code(request.plan->primary),
                   plan_reason_code(request.plan->uncached));
        for (unsigned k = 0; k < request.plan->nrefs; k++)
            put_ref(&request.plan->refs[k], &out);
        if (!slice_is(buf_slice(&out), EXPANDED[i].expected))
            fail_msg("%s\n  is  %.*s\n  not %s", EXPANDED[i].sql, (int)buf_len(&out),
                     (const char *)buf_slice(&out).at, EXPANDED[i].expected);
        buf_clear(&out);
        end(&request);
    }
    catalog_unref(with);
}

/* What always holds, whatever the statement: a wrong answer would follow from its opposite. */
static void hold_always(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++) {
        bool blind = ROWS[i].sql[0] == '!';
        struct request request;
        struct verdict verdict;

        begin(&request, settings->rules, blind ? NULL : catalog, ROWS[i].sql + blind);
        plan_judge(request.plan, &request.values, &ASKER, &verdict);
        if (!request.plan->read) {
            assert_null(verdict.cache);
            assert_int_equal(verdict.route, ROUTE_PRIMARY);
        }
        assert_false(request.plan->everything && request.plan->read);
        assert_false(request.plan->anything && verdict.cache);
        assert_true((verdict.cache != NULL) == (verdict.uncached == PLAN_NONE));
        assert_true((verdict.route == ROUTE_PRIMARY) == (verdict.primary != PLAN_NONE));
        for (unsigned j = 0; j < request.plan->nrefs; j++)
            if (request.plan->refs[j].relation)
                assert_true(request.plan->refs[j].certain);
        end(&request);
    }
}

/* Tiers and moving dates come as parameters too, and change nothing of the shape. */
static void judge_parameters(void **state)
{
    static const struct {
        const char *tier, *other, *expected;
    } rows[] = {
        {"professional", "x", "professional professional_evaluation"},
        {"enterprise", "x", "enterprise professional_evaluation"},
        {"basic", "x", "basic tier"},
        {"gold", "x", "- tier"},
        {"professional", "today", "professional time_dependent"},
    };
    struct request request;

    (void)state;
    begin(&request, settings->rules, catalog,
          "SELECT * FROM business_evaluations WHERE id = '" ID7 "' AND subscription_tier = $1 AND "
          "created_at > $2");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct verdict verdict;
        char said[80];

        bind_text(&request, 1, rows[i].tier);
        bind_text(&request, 2, rows[i].other);
        plan_judge(request.plan, &request.values, &ASKER, &verdict);
        snprintf(said, sizeof(said), "%s %s",
                 verdict.tier < 0 ? "-" : settings->rules->tiers[verdict.tier],
                 verdict.cache ? verdict.cache->name : plan_reason_code(verdict.uncached));
        assert_string_equal(said, rows[i].expected);
    }
    end(&request);
}

/* A row, or no row: only then has a read of it nothing to fear from an insert. */
static void find_alone(void **state)
{
    static const struct {
        const char *sql;
        bool alone;
    } rows[] = {
        {"SELECT * FROM plain WHERE id = 1", true},
        {"SELECT id FROM plain WHERE id = 1 AND v > 2", true},
        {"SELECT count(*) FROM plain WHERE id = 1", false},
        {"SELECT p.v FROM plain p WHERE p.id = 1", true},
        {"SELECT plain.count FROM plain WHERE plain.id = 1", false},
        {"SELECT (plain).count FROM plain WHERE plain.id = 1", false},
        {"SELECT my_agg(v) FROM plain WHERE id = 1", false},
        {"SELECT 1 UNION SELECT id FROM plain WHERE id = 1", false},
        {"SELECT * FROM (SELECT 1) x LEFT JOIN plain ON id = 1", false},
        {"SELECT * FROM plain p, users u WHERE p.id = 1", false},
        {"SELECT * FROM plain WHERE id = 1; SELECT 1", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct request request;

        begin(&request, settings->rules, catalog, rows[i].sql);
        if (request.plan->refs[0].alone != rows[i].alone)
            fail_msg("%s", rows[i].sql);
        end(&request);
    }
}

/* More values than are kept: no key can be made of them. */
static void refuse_many_values(void **state)
{
    struct buf sql = {0};
    struct request request;
    struct verdict verdict;

    (void)state;
    buf_printf(&sql, "SELECT * FROM users WHERE id = '" ID7 "' AND subscription_tier IN ('a'");
    for (unsigned i = 0; i < VALUES_MAX; i++)
        buf_printf(&sql, ", 'b%u'", i);
    buf_printf(&sql, ")");
    buf_put(&sql, "", 1);
    begin(&request, settings->rules, catalog, (const char *)sql.at);
    plan_judge(request.plan, &request.values, &ASKER, &verdict);
    assert_string_equal(verdict.operation->name, "tier_validation");
    assert_int_equal(verdict.uncached, PLAN_VALUES);
    end(&request);
    buf_clear(&sql);
}

/* Where casts or operators of the user's may do anything, a statement that may have one may. */
static void fear_loose_types(void **state)
{
    static const char *const domains[7] = {"o", "f", "d"}, *const operators[7] = {"o", "t", "w"};
    static const struct {
        const char *const *row;
        const char *sql, *expected;
    } rows[] = {
        {domains, "SELECT 1::int4", "read - - replica/none no_rule -"},
        {domains, "SELECT 1::mytype", "everything - - primary/user_function user_function -"},
        {operators, "SELECT 1 WHERE 1 = 2", "everything - - primary/user_function user_function -"},
        {operators, "UPDATE plain SET v = 1", "everything - - primary/write write -"},
        {operators, "BEGIN", "anything - - primary/transaction transaction -"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct catalog *own = make_catalog(rows[i].row);
        struct request request;
        struct buf out = {0};

        begin(&request, settings->rules, own, rows[i].sql);
        put_verdict(&request, &ASKER, &out);
        if (strcmp((const char *)out.at, rows[i].expected) != 0)
            fail_msg("%s\n  is  %s", rows[i].sql, (const char *)out.at);
        buf_clear(&out);
        end(&request);
        catalog_unref(own);
    }
}

static const char OWN_RULES[] =
    "databases: { app: { primary: \"postgresql://a@h/a\" }, other: { primary: "
    "\"postgresql://a@h/b\" } }\n"
    "auth: { type: trust }\n"
    "relations: { plain: { dimensions: [id] }, s.plain2: {} }\n"
    "defaults: { reads: primary, freshness: 3s }\n"
    "operations:\n"
    "  by_role: { match: { role: [boss, chief], statement: select } }\n"
    "  by_database: { match: { database: other } }\n"
    "  by_application: { match: { application_name: report }, route: replica, freshness: "
    "unbounded }\n"
    "  sets_v: { match: { statement: [insert, update], relation: plain, sets: [v] } }\n"
    "  reads_v: { match: { reads: [v, id], aggregate: false } }\n"
    "  path: { match: { json_path: doc.a.b } }\n"
    "  other_schema: { match: { relation: s.plain2 } }\n";

static const struct {
    struct asker asker;
    const char *sql, *expected; /* operation route freshness */
} ASKERS[] = {
    {{.database = "app", .user = "boss", .application_name = "", .address = ""},
     "SELECT 1",
     "by_role primary 1"},
    {{.database = "app", .user = "boss", .application_name = "", .address = ""},
     "UPDATE plain SET id = 1",
     "- primary 1"},
    {{.database = "other", .user = "u", .application_name = "", .address = ""},
     "SELECT 1",
     "by_database primary 1"},
    {{.database = "other", .user = "chief", .application_name = "report", .address = ""},
     "SELECT 1",
     "by_role primary 1"},
    {{.database = "app", .user = "u", .application_name = "report", .address = ""},
     "SELECT 1",
     "by_application replica 2"},
    {{.database = "app", .user = "u", .application_name = "report", .address = ""},
     "UPDATE plain SET v = 1",
     "by_application primary 2"},
    {{.database = "app", .user = "u", .application_name = "reports", .address = ""},
     "SELECT 1",
     "- primary 1"},
    {{.database = "app", .user = "u", .application_name = "", .address = ""},
     "UPDATE plain SET v = 1",
     "sets_v primary 1"},
    {{.database = "app", .user = "u", .application_name = "", .address = ""},
     "INSERT INTO plain VALUES (1, 2)",
     "sets_v primary 1"},
    {{.database = "app", .user = "u", .application_name = "", .address = ""},
     "INSERT INTO plain (id) VALUES (1)",
     "- primary 1"},
    {{.database = "app", .user = "u", .application_name = "", .address = ""},
     "SELECT v, id FROM plain",
     "reads_v primary 1"},
    {{.database = "app", .user = "u", .application_name = "", .address = ""},
     "SELECT * FROM plain",
     "reads_v primary 1"},
    {{.database = "app", .user = "u", .application_name = "", .address = ""},
     "SELECT v FROM plain",
     "- primary 1"},
    {{.database = "app", .user = "u", .application_name = "", .address = ""},
     "SELECT id, count(v) FROM plain GROUP BY 1",
     "- primary 1"},
    {{.database = "app", .user = "u", .application_name = "", .address = ""},
     "SELECT doc->'a'->'b'->>'c' FROM plain",
     "path primary 1"},
    {{.database = "app", .user = "u", .application_name = "", .address = ""},
     "SELECT doc->'a'->>'bc' FROM plain",
     "- primary 1"},
    {{.database = "app", .user = "u", .application_name = "", .address = ""},
     "SELECT id FROM s.plain2",
     "other_schema primary 1"},
    {{.database = "app", .user = "u", .application_name = "", .address = ""},
     "SELECT id FROM plain2",
     "other_schema primary 1"},
    {{.database = "app", .user = "u", .application_name = "", .address = ""},
     "SELECT id FROM t.plain2",
     "- primary 1"},
};

static struct settings *load_own(const char *text)
{
    char path[] = "/tmp/test_plan_XXXXXX";
    int file = mkstemp(path);
    struct diag diag = {0};
    struct settings *own;

    assert_true(write(file, text, strlen(text)) == (ssize_t)strlen(text));
    close(file);
    own = settings_load(path, &diag);
    unlink(path);
    assert_non_null(own);
    return own;
}

static void judge_askers(void **state)
{
    struct settings *own = load_own(OWN_RULES);

    (void)state;
    for (size_t i = 0; i < sizeof(ASKERS) / sizeof(*ASKERS); i++) {
        struct request request;
        struct verdict verdict;
        char said[80];

        begin(&request, own->rules, catalog, ASKERS[i].sql);
        plan_judge(request.plan, &request.values, &ASKERS[i].asker, &verdict);
        snprintf(said, sizeof(said), "%s %s %d", verdict.operation ? verdict.operation->name : "-",
                 route_text(verdict.route), verdict.freshness);
        if (strcmp(said, ASKERS[i].expected) != 0)
            fail_msg("%s by %s\n  is  %s\n  not %s", ASKERS[i].sql, ASKERS[i].asker.user, said,
                     ASKERS[i].expected);
        end(&request);
    }
    settings_free(own);
}

struct expected_verdict {
    const char *sql, *expected;
};

static void expect_verdicts(const char *rules, const struct expected_verdict *rows, size_t count)
{
    struct settings *own = load_own(rules);

    for (size_t i = 0; i < count; i++) {
        struct request request;
        struct buf out = {0};

        begin(&request, own->rules, catalog, rows[i].sql);
        put_verdict(&request, &ASKER, &out);
        if (strcmp((const char *)out.at, rows[i].expected) != 0)
            fail_msg("%s\n  is  %s", rows[i].sql, (const char *)out.at);
        buf_clear(&out);
        end(&request);
    }
    settings_free(own);
}

/* What the rules say that a function writes is all that it writes. */
static void said_functions(void **state)
{
    static const char rules[] = "databases: { app: { primary: \"postgresql://a@h/a\" } }\n"
                                "auth: { type: trust }\n"
                                "functions: { touches: { my_vol: [plain], my_agg: [], "
                                "public.my_stable: [nowhere] } }\n";
    static const struct expected_verdict rows[] = {
        {"SELECT my_vol()", "write - - primary/user_function user_function -"},
        {"SELECT my_agg(v) FROM plain", "write - - primary/user_function user_function -"},
        {"SELECT my_stable()", "everything - - primary/user_function user_function -"},
        {"SELECT public.my_stable()", "everything - - primary/user_function user_function -"},
        {"SELECT my_vol(); SELECT 1", "everything - - primary/batch batch -"},
    };

    (void)state;
    expect_verdicts(rules, rows, sizeof(rows) / sizeof(*rows));
}

/* What the rules call safe is no write, and its answer is not kept. */
static void trust_safe_functions(void **state)
{
    static const char rules[] =
        "databases: { app: { primary: \"postgresql://a@h/a\" } }\n"
        "auth: { type: trust }\n"
        "functions: { safe: [my_vol, public.my_stable, nextval, my_agg] }\n";
    static const struct expected_verdict rows[] = {
        {"SELECT my_vol()", "anything - - replica/none user_function -"},
        {"SELECT public.my_vol()", "anything - - replica/none user_function -"},
        {"SELECT other.my_vol()", "anything - - replica/none user_function -"},
        {"SELECT public.my_stable()", "anything - - replica/none user_function -"},
        {"SELECT my_stable()", "everything - - primary/user_function user_function -"},
        {"SELECT other.my_stable()", "everything - - primary/user_function user_function -"},
        {"SELECT my_vol(), random()", "anything - - replica/none user_function -"},
        {"SELECT my_agg(v) FROM plain", "anything - - replica/none user_function -"},
        {"SELECT nextval('s')", "anything - - primary/volatile_function user_function -"},
        {"SELECT pg_catalog.nextval('s')",
         "read - - primary/volatile_function volatile_function -"},
        {"UPDATE plain SET v = my_vol()", "write - - primary/write write -"},
    };

    (void)state;
    expect_verdicts(rules, rows, sizeof(rows) / sizeof(*rows));
}

static void describe(void **state)
{
    struct request request;
    struct buf out = {0};

    (void)state;
    begin(&request, settings->rules, catalog,
          "SELECT avg(health_score) FROM business_evaluations WHERE user_id = $1 AND id = '" ID7
          "'");
    describe_plan(request.plan, &request.values, &ASKER, &out);
    buf_put(&out, "", 1);
    assert_non_null(strstr((const char *)out.at,
                           "statements: select\n"
                           "effect: no rows are changed\n"
                           "read: business_evaluations id = " ID7 " user_id = $1\n"
                           "operation: professional_aggregations (line "));
    assert_non_null(strstr((const char *)out.at,
                           "passed over: tier_upgrade_operation (another kind of statement)\n"));
    assert_non_null(strstr((const char *)out.at, "tier: not told\n"
                                                 "cached: for 2h at most\n"
                                                 "cache class: professional_aggregations\n"
                                                 "cache key: prof_agg:$1:avg(health_score):<hash>\n"
                                                 "route: replica\n"
                                                 "freshness: causal\n"
                                                 "target: none\n"));
    buf_clear(&out);
    end(&request);
}

/* A plan keeps what it was made of. */
static void outlive_owners(void **state)
{
    struct catalog *own = make_catalog(NULL);
    struct request request;
    struct buf out = {0};

    (void)state;
    begin(&request, settings->rules, own, "SELECT * FROM plain");
    catalog_unref(own);
    put_verdict(&request, &ASKER, &out);
    assert_string_equal((const char *)out.at, "read - - replica/none no_rule -");
    buf_clear(&out);
    end(&request);
}

static int set_up(void **state)
{
    struct diag diag = {0};

    (void)state;
    setenv("DATABASE_PRIMARY_URL", "postgresql://app@127.0.0.1:5432/app", 1);
    settings = settings_load("../../conf/pgtier.yaml", &diag);
    catalog = make_catalog(NULL);
    return !settings;
}

static int tear_down(void **state)
{
    (void)state;
    catalog_unref(catalog);
    settings_free(settings);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judge_all),
        cmocka_unit_test(expand_all),
        cmocka_unit_test(hold_always),
        cmocka_unit_test(judge_parameters),
        cmocka_unit_test(find_alone),
        cmocka_unit_test(refuse_many_values),
        cmocka_unit_test(judge_askers),
        cmocka_unit_test(describe),
        cmocka_unit_test(outlive_owners),
        cmocka_unit_test(fear_loose_types),
        cmocka_unit_test(trust_safe_functions),
        cmocka_unit_test(said_functions),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
