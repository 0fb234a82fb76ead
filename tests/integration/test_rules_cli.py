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
