"""`pgtier init`: what it writes is right as it stands, and is of use."""
import subprocess
import time

import psycopg
import pytest
import yaml

from cluster import free_port, pg_bin, run
from proxy import binary, check_file

ODD = """
CREATE SCHEMA "Odd one"; CREATE SCHEMA other;
CREATE TYPE plan_kind AS ENUM ('free', 'Pro plan', 'top');
CREATE TABLE other.account ("Account id" bigint PRIMARY KEY, plan plan_kind, "on" uuid UNIQUE);
CREATE TABLE "Odd one"."Order" (id int PRIMARY KEY, account bigint REFERENCES other.account, code varchar(7) UNIQUE, name text UNIQUE);
CREATE TABLE "dot.ted" (id int PRIMARY KEY);
CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY HASH (id); CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE keyless (a int); CREATE UNLOGGED TABLE quick (id int PRIMARY KEY); CREATE VIEW seen AS SELECT * FROM keyless;
CREATE TABLE partial (a int, b int); CREATE UNIQUE INDEX ON partial (a) WHERE b > 0;
"""


@pytest.fixture(scope="module")
def databases(cluster):
    """Others beside app: odd names, a pgbench one, an empty one."""
    for name in "init_odd", "init_bench", "init_empty":
        cluster.primary.sql(f"CREATE DATABASE {name} OWNER app", database="postgres")
    cluster.primary.sql(ODD, "app", "init_odd")
    run([pg_bin("pgbench"), "-i", "-s", "1", "-q", cluster.primary.url(database="init_bench")])
    yield cluster
    for name in "init_odd", "init_bench", "init_empty":
        cluster.primary.sql(f"DROP DATABASE {name} WITH (FORCE)", database="postgres")


def init(url):
    done = subprocess.run([binary(), "init", url], text=True, capture_output=True, timeout=30, check=False)
    return done.returncode, done.stdout, done.stderr


def written(cluster, database, tmp_path, monkeypatch):
    """What it writes for a database, once `check` has found it right."""
    url = cluster.primary.url(database=database)
    status, out, err = init(url)
    assert status == 0, err
    assert "app-secret" not in out
    path = tmp_path / "first.yaml"
    path.write_text(out)
    monkeypatch.setenv("DATABASE_PRIMARY_URL", url)
    status, said = check_file(path, "check")
    assert status == 0, said + out
    return yaml.safe_load(out), out, path


def test_the_schema_that_ships(databases, tmp_path, monkeypatch):
    found, out, path = written(databases, "app", tmp_path, monkeypatch)
    relations = found["relations"]
    assert relations["business_evaluations"] == {"dimensions": ["id", "user_id"], "unique": ["id"]}
    assert relations["users"] == {"dimensions": ["id", "email"], "unique": ["id", "email"]}
    assert found["tiers"] == {
        "names": ["basic", "professional", "enterprise"], "column": "business_evaluations.subscription_tier",
        "user": {"relation": "users", "key": "id", "tier": "subscription_tier", "column": "user_id", "cache": "tier_access"}}
    assert found["databases"]["app"]["replicas"] == [{"url": "${DATABASE_READ_REPLICA_1_URL:-}", "priority": 1}]
    assert "# 127.0.0.1, " in out

    settings = found | {"listen": {"address": "127.0.0.1", "port": free_port()}}
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=1")
    with subprocess.Popen([binary(), path], stderr=subprocess.PIPE, text=True) as proxy:
        try:
            until = time.monotonic() + 20
            while True:
                try:
                    c = psycopg.connect(f"postgresql://app@127.0.0.1:{settings['listen']['port']}/app", autocommit=True)
                    break
                except psycopg.OperationalError:
                    assert time.monotonic() < until
                    time.sleep(0.1)
            with c:
                sql = "SELECT email FROM users WHERE id = '10000000-0000-4000-8000-000000000001'"
                assert c.execute(sql).fetchone() == ("user1@example.com",)
                assert dict(psycopg.ClientCursor(c).execute("EXPLAIN ROUTE " + sql).fetchall())["cache class"] == "by_key"
        finally:
            proxy.terminate()
            said = proxy.stderr.read()
    assert "ERROR: " not in said, said


def test_odd_names(databases, tmp_path, monkeypatch):
    found, out, _ = written(databases, "init_odd", tmp_path, monkeypatch)
    assert found["relations"] == {
        "other.account": {"dimensions": ["Account id", "on"], "unique": ["Account id", "on"]},
        "Odd one.Order": {"dimensions": ["id", "name", "account"], "unique": ["id", "name"]},
        "parts": {"dimensions": ["id"], "unique": ["id"]}}, out
    assert found["tiers"]["names"] == ["free", "Pro plan", "top"]
    assert found["tiers"]["column"] == "other.account.plan"
    assert found["tiers"]["user"] == {"relation": "other.account", "key": "Account id", "tier": "plan", "column": "account",
                                      "cache": "tier_access"}


def test_pgbench(databases, tmp_path, monkeypatch):
    found, out, _ = written(databases, "init_bench", tmp_path, monkeypatch)
    assert set(found["relations"]) == {"pgbench_accounts", "pgbench_branches", "pgbench_tellers"}
    assert found["operations"]["pgbench_accounts_by_aid"]["match"]["where"] == {"aid": "known"}
    assert "tiers" not in found and "# No column looks like a tier" in out


def test_an_empty_database(databases, tmp_path, monkeypatch):
    found, out, _ = written(databases, "init_empty", tmp_path, monkeypatch)
    assert "relations" not in found and "operations" not in found and "# No table has a key" in out


@pytest.mark.parametrize("url, words", [
    ("postgresql://app@127.0.0.1:1/app", "the database does not answer: "), ("mysql://x@y/z", "begins with postgresql://"),
    ("nonsense", "that is no url: "), ("postgresql://app:wrong-secret@127.0.0.1:{port}/app", "the database does not answer: ")])
def test_a_database_that_does_not_answer(cluster, url, words):
    status, out, err = init(url.replace("{port}", str(cluster.primary.port)))
    assert (status, out) == (1, "") and words in err and "wrong-secret" not in err
