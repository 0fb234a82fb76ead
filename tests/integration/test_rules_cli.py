"""`pgtier check` and `pgtier explain`: no server is needed."""
import json
import re
import subprocess

import pytest
import yaml

from cluster import ROOT
from proxy import SHIPPED, binary, check_file, merge
from rows import evaluation, owner

FAULTY = """\
listen: { address: 127.0.0.1, port: sixty }
databases:
  app: { primary: "postgresql://app@127.0.0.1:5432/app" }
pool: { mode: transcation, size: 25 }
relations:
  business_evaluations: { dimensions: [id, user_id], unique: [id] }
operations:
  fetch:
    match: { statement: select, relation: business_evaluations }
    tagret: 300ms
    cache: evaluation
cache:
  store: memory
  classes:
    evaluations: { key: "e:{id}", tll: 1h }
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("DATABASE_PRIMARY_URL", "postgresql://app@127.0.0.1:5432/app")


def test_the_shipped_file_is_right():
    status, said = check_file(SHIPPED, "check")
    assert status == 0, said


def test_all_faults_are_told_at_once_with_their_places(tmp_path):
    path = tmp_path / "faulty.yaml"
    path.write_text(FAULTY)
    status, said = check_file(path, "check")
    assert status != 0
    for line, word in (1, "port"), (4, "transaction"), (10, "target"), (11, "evaluations"), (15, "ttl"):
        assert re.search(rf"faulty\.yaml:{line}:\d+: .*{word}", said), f"line {line}, {word}:\n{said}"


def test_yaml_that_is_none(tmp_path):
    path = tmp_path / "torn.yaml"
    path.write_text("listen: { port: 1\nx: [")
    status, said = check_file(path, "check")
    assert status != 0 and re.search(r"torn\.yaml:\d+:\d+: ", said), said


def test_an_unset_variable(tmp_path, monkeypatch):
    monkeypatch.delenv("DATABASE_PRIMARY_URL")
    status, said = check_file(SHIPPED, "check")
    assert status != 0 and "DATABASE_PRIMARY_URL" in said


def test_a_file_that_is_not_there(tmp_path):
    status, said = check_file(tmp_path / "nowhere.yaml", "check")
    assert status != 0 and "nowhere.yaml" in said


@pytest.mark.parametrize("sql, words", [
    (f"SELECT * FROM business_evaluations WHERE id = '{evaluation(1)}' AND user_id = '{owner(1)}'",
     ["single_evaluation_fetch", "professional_evaluation", f"prof_eval:{owner(1)}:{evaluation(1)}", "replica"]),
    (f"SELECT professional_data->'financialMetrics' FROM business_evaluations WHERE id = '{evaluation(1)}'",
     ["jsonb_field", f"jsonb_field:{evaluation(1)}:"]),
    (f"SELECT avg(health_score) FROM business_evaluations WHERE user_id = '{owner(1)}'",
     ["professional_aggregations", f"prof_agg:{owner(1)}:"]),
    (f"SELECT id FROM business_evaluations WHERE user_id = '{owner(1)}'", ["user_evaluations_list"]),
    ("SELECT subscription_tier, count(*) FROM business_evaluations GROUP BY 1", ["analytics", "replica"]),
    ("UPDATE business_evaluations SET subscription_tier = 'enterprise' WHERE id = $1", ["tier_upgrade_operation", "primary"]),
    ("UPDATE business_evaluations SET professional_data = $2 WHERE id = $1", ["professional_data_update", "primary"]),
    ("INSERT INTO business_evaluations (user_id, professional_data) VALUES ($1, $2)", ["professional_data_insert", "primary"]),
    ("DELETE FROM professional_data_audit WHERE user_id = $1", ["audit_log_write", "primary"]),
    ("SELEC 1", ["unparsable", "primary"]),
])
def test_explain(sql, words):
    status, said = check_file(SHIPPED, "explain", sql)
    assert status == 0, said
    for word in words:
        assert word in said, f"{word} is missing:\n{said}"


def test_usage():
    for words in [], ["--help"], ["check"], ["nonsense", "words", "here"]:
        done = subprocess.run([binary(), *words], text=True, capture_output=True, timeout=20, check=False)
        assert "pgtier" in done.stdout + done.stderr
        assert words == ["--help"] or done.returncode != 0


def test_the_recipes_of_the_docs(tmp_path):
    """Each YAML of the page, in front of what ships."""
    page = (ROOT / "docs/rules.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.S)
    assert len(blocks) >= 4
    settings = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    for block in map(yaml.safe_load, blocks):
        operations = block.pop("operations", {})
        settings = merge(settings, block)
        settings["operations"] = operations | settings["operations"]
    path = tmp_path / "recipes.yaml"
    path.write_text(json.dumps(settings))
    status, said = check_file(path, "check")
    assert status == 0, said

    def explained(sql):
        done = subprocess.run([binary(), "explain", path, sql], text=True, capture_output=True, check=True)
        return done.stdout

    assert "denied: evaluations are never deleted (42501)" in explained("DELETE FROM business_evaluations")
    assert "why primary: the rules say so (rule)" in explained("SELECT evaluation_id FROM professional_data_audit")
    said = explained("SELECT avg(health_score) FROM business_evaluations WHERE user_id = '00000000-0000-0000-0000-000000000001'")
    assert "cache class: scores" in said and "cached: for 10min" in said
    assert "tier: professional, by what it touches" in explained("SELECT professional_data FROM business_evaluations")
    assert "tier: enterprise, by a hint" in explained("SELECT 1 FROM business_evaluations /*tier='enterprise'*/")


def rules_test(tmp_path, cases, *options):
    path = tmp_path / "cases.yaml"
    path.write_text(cases)
    done = subprocess.run([binary(), "rules", "test", *options, SHIPPED, path], text=True, capture_output=True, timeout=20, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_cases_that_ship_hold_and_name_every_operation():
    cases = SHIPPED.parent / "pgtier.cases.yaml"
    done = subprocess.run([binary(), "rules", "test", SHIPPED, cases], text=True, capture_output=True, timeout=20, check=False)
    written = yaml.safe_load(cases.read_text(encoding="utf-8"))
    assert (done.returncode, done.stdout) == (0, f"{cases}: {len(written)} of {len(written)} cases hold\n"), done.stdout + done.stderr
    named = {case["expect"].get("operation") for case in written}
    assert set(yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))["operations"]) <= named


@pytest.mark.parametrize("key, wrong, right", [
    ("statement", "update", "select"), ("effect", "write", "read"), ("operation", "analytics", "single_evaluation_fetch"),
    ("tier", "basic", "professional"), ("route", "primary", "replica"), ("why_primary", "write", "none"),
    ("cache", "none", "professional_evaluation"), ("why_not_cached", "tier", "none"), ("key", "x", f"prof_eval:-:{evaluation(1)}"),
    ("freshness", "10s", "causal"), ("target", "1s", "300000us"), ("deny", "42501", "none"), ("timeout", "1s", "none"),
    ("limit", "7", "none")])
def test_an_expectation_that_does_not_hold(tmp_path, key, wrong, right):
    case = f"""
- name: this one
  sql: SELECT * FROM business_evaluations WHERE id = $1 AND subscription_tier = 'professional'
  params: [{evaluation(1)}]
  expect: {{ %s: "%s" }}
"""
    assert rules_test(tmp_path, case % (key, right)) == (0, f"{tmp_path}/cases.yaml: 1 of 1 cases hold\n")
    status, said = rules_test(tmp_path, case % (key, wrong))
    assert status == 1 and f"{key}: expected {wrong}, is " in said and "cases.yaml:2: differs: this one: SELECT" in said
    assert "0 of 1 cases hold" in said


def test_who_asks_is_part_of_a_case(tmp_path):
    status, said = rules_test(tmp_path, """
- sql: SELECT 1 FROM business_evaluations
  settings: { pgtier.tier: enterprise }
  expect: { operation: professional_evaluation_query, tier: enterprise }
- sql: SELECT * FROM users WHERE id = $1
  params: [null]
  expect: { cache: tier_validation, key: "tier_access:-" }
""", "--verbose")
    assert status == 0 and said.count(": holds: ") == 2, said


CASE_FAULTS = """\
- sql: SELECT 1
- sq: SELECT 2
  expect: { opration: x }
- sql: SELECT 3 /*tier='professional',pgtier.cache='maybe'*/
  name: a
  role: [x]
  params: 7
  settings: { pgtier.cach: on, pgtier.cache: sometimes }
  transaction: readonly
  expect: { operation: nothing, cache: evaluations, why_primary: cold, route: home }
- sql: SELECT 4
  name: a
  expect: {}
"""


def test_faults_of_cases_are_told_at_once(tmp_path):
    status, said = rules_test(tmp_path, CASE_FAULTS)
    assert status == 2
    for line, word in [(1, "expects nothing"), (2, "`sql`"), (3, "`operation`"), (4, "pgtier.cache='maybe'"), (6, "role"), (7, "list"),
                       (8, "pgtier.cach`"), (8, "on or off"), (9, "`read_only`"), (10, "nothing"), (10, "evaluations"), (10, "cold"),
                       (10, "home"), (11, "too"), (11, "expects nothing")]:
        assert re.search(rf"cases\.yaml:{line}:\d+: .*{re.escape(word)}", said), f"line {line}, {word}:\n{said}"
    for cases in "a: b", "[]", "":
        status, said = rules_test(tmp_path, cases)
        assert status == 2 and "list" in said


def test_usage_of_rules_test(tmp_path):
    for words in ["rules"], ["rules", "test", SHIPPED], ["rules", "tset", SHIPPED, SHIPPED], ["rules", "test", "--nothing", SHIPPED, SHIPPED]:
        done = subprocess.run([binary(), *words], text=True, capture_output=True, timeout=20, check=False)
        assert done.returncode == 2 and "Try: pgtier --help" in done.stderr
    done = subprocess.run([binary(), "rules", "test", "--catalog", SHIPPED, SHIPPED, SHIPPED], text=True, capture_output=True,
                          timeout=20, check=False)
    assert done.returncode == 2 and "pgtier.yaml:1: not what `pgtier catalog` writes" in done.stderr


def test_a_catalog_that_was_dumped(tmp_path, cluster):
    cluster.primary.sql("CREATE TABLE offline_t (\"odd\\\tname\n\" int, id int PRIMARY KEY); CREATE VIEW offline_v AS SELECT id, now() AS at "
                        "FROM offline_t; CREATE FUNCTION offline_f() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1'", "app")
    conf, dump = tmp_path / "pgtier.yaml", tmp_path / "catalog"
    settings = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    settings["databases"] = {"app": {"primary": cluster.primary.url()}, "gone": {"primary": "postgresql://app@127.0.0.1:1/app"}}
    settings["operations"]["t"] = {"match": {"role": "nobody"}}
    settings["relations"]["offline_t"] = {"dimensions": ["id"]}
    conf.write_text(json.dumps(settings))

    def told(*words):
        done = subprocess.run([binary(), *words], text=True, capture_output=True, timeout=30, check=False)
        return done.returncode, done.stdout, done.stderr

    try:
        status, out, err = told("catalog", conf)
        assert status == 0, err
        dump.write_text(out)
        assert out.startswith("pgtier catalog 1\n")
        status, out, err = told("explain", "--catalog", dump, conf, "SELECT * FROM offline_v WHERE id = 7")
        assert status == 0 and "read: offline_v (a view: what it is made of follows)" in out and "offline_t id = *" in out, out + err
        assert "time_dependent" in out and "note:" not in out
        assert "user_function" in told("explain", conf, "--catalog", dump, "SELECT offline_f()")[1]
        assert "note: offline_f is taken for" in told("explain", conf, "SELECT offline_f()")[1]
        assert "read: offline_t id = 7" in told("explain", "--catalog", dump, conf, "SELECT * FROM offline_t WHERE id = 7")[1]
        (tmp_path / "cases.yaml").write_text("- { sql: SELECT * FROM offline_v, expect: { why_not_cached: time_dependent } }\n")
        assert told("rules", "test", "--catalog", dump, conf, tmp_path / "cases.yaml")[0] == 0
        assert told("rules", "test", conf, tmp_path / "cases.yaml")[0] == 1
        status, out, err = told("catalog", conf, "nothing")
        assert status == 1 and 'has no database "nothing"; its first one is "app"' in err
        status, out, err = told("catalog", conf, "gone")
        assert (status, out) == (1, "") and "the primary does not tell its catalog: " in err
        dump.write_text(dump.read_text()[:-4])
        status, out, err = told("explain", "--catalog", dump, conf, "SELECT 1")
        assert status == 1 and "not what `pgtier catalog` writes" in err
    finally:
        cluster.primary.sql("DROP VIEW offline_v; DROP TABLE offline_t; DROP FUNCTION offline_f()", "app")
