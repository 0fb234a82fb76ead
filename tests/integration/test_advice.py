"""SHOW ADVICE, tried as a DBA would: something is slow, the advice is pasted, and it is kept."""
import subprocess
import time

import pytest
import yaml

from proxy import binary, check_file, merge
from wire import Raw, error, rows

SLOW = "SELECT count(*), sum(length(pg.body)) FROM pages pg WHERE pg.site_id = {} AND repeat(pg.body, 50) LIKE '%never%'"
SCHEMA = """
CREATE TABLE pages (id int PRIMARY KEY, site_id int, body text, "on" int);
INSERT INTO pages (id, site_id, body) SELECT i, i % 7, repeat('some text ', 20) FROM generate_series(1, 3000) i;
GRANT ALL ON pages TO app_trust;
"""


@pytest.fixture(scope="module")
def proxy(start, cluster):
    cluster.primary.sql(SCHEMA, "app")
    cluster.catch_up()
    yield start({"auth": {"type": "trust"}, "admin": {"users": ["app"]}})
    cluster.primary.sql("DROP TABLE pages", "app")


def advice(proxy):
    done = subprocess.run([binary(), "advise", proxy.conf], text=True, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def shape(proxy, words):
    return next(row for row in proxy.admin("SHOW SHAPES 1000") if words in row["text"])


def test_nothing_is_advised_before_there_is_something(proxy):
    assert yaml.safe_load(advice(proxy)) is None


def test_advice_is_pasted_and_helps(proxy, tmp_path):
    with Raw(proxy.port, "app_trust") as c:
        for i in range(60):
            assert rows(c.query(SLOW.format(i % 4)))
        for i in range(60):
            c.query("SELECT clock_timestamp(), count(*) FROM pages")
    told = advice(proxy)
    pasted = yaml.safe_load(told)
    assert pasted["relations"] == {"pages": {"dimensions": ["site_id"], "unique": []}}, told
    (name, operation), = pasted["operations"].items()
    assert operation["match"] == {"statement": "select", "relation": "pages", "aggregate": True, "where": {"site_id": "known"}}
    assert "60 calls of " in told and "93% asked again" in told
    seen = shape(proxy, "pg.site_id = $1")
    assert seen["uncached_reasons"].startswith("no_rule 6") and float(seen["time_pct"]) > 1
    assert int(seen["replica"]) + int(seen["primary"]) == 60

    settings = yaml.safe_load(proxy.conf.read_text())
    front = pasted.pop("operations")
    merge(settings, pasted)
    settings["operations"] = front | settings["operations"]
    proxy.conf.write_text(yaml.safe_dump(settings, sort_keys=False))
    status, said = check_file(proxy.conf, "check")
    assert status == 0, said
    proxy.admin("RELOAD")
    with Raw(proxy.port, "app_trust") as c:
        until = time.monotonic() + 20
        while proxy.by_source().get("cache", 0) == 0:
            assert rows(c.query(SLOW.format(1)))
            assert time.monotonic() < until, rows(c.query("EXPLAIN ROUTE " + SLOW.format(1)))
        before = rows(c.query(SLOW.format(1)))
        assert not error(c.query("UPDATE pages SET body = 'never' WHERE id = 1"))
        assert rows(c.query(SLOW.format(1))) != before
    assert "advised" in {row["class"] for row in proxy.admin("SHOW CACHE")}


def test_further_advice_names_only_what_is_new(proxy):
    """The relation is declared and the class is there; a name that YAML would take for something else is quoted."""
    with Raw(proxy.port, "app_trust") as c:
        for _ in range(40):
            assert rows(c.query('SELECT max(length(repeat(body, 60))) FROM pages WHERE id > 0 AND site_id IS NOT NULL AND "on" IS NULL'))
    pasted = yaml.safe_load(advice(proxy))
    assert set(pasted) == {"operations"}, pasted
    assert any(o["match"]["relation"] == "pages" and "where" not in o["match"] for o in pasted["operations"].values())


def test_what_costs_and_cannot_be_kept_is_explained(proxy):
    with Raw(proxy.port, "app_trust") as c:
        for _ in range(20):
            c.query("SELECT pg_sleep(0.05), count(*) FROM pages")
    told = advice(proxy)
    assert "server_function" in told and "of the time, and never kept" in told, told


def test_shapes_tell_all_reasons(proxy):
    with Raw(proxy.port, "app_trust") as c:
        for _ in range(12):
            c.query("SELECT body FROM pages WHERE id = 5 /*pgtier.route='primary'*/")
        c.query("SELECT body FROM pages WHERE id = 5")
    seen = shape(proxy, "select body from pages")
    assert "hint 12" in seen["primary_reasons"] and seen["uncached_reasons"] == "no_rule 13"
    unseen = [row for row in proxy.admin("SHOW SHAPES 1000") if row["calls"] == "0"]
    assert all(row["primary_reasons"] is None for row in unseen)
    assert 99 < sum(float(row["time_pct"]) for row in proxy.admin("SHOW SHAPES 1000")) < 101


def test_where_there_is_no_console(tmp_path, proxy):
    done = subprocess.run([binary(), "advise", "postgresql://app@127.0.0.1:1/pgtier"], text=True, capture_output=True, timeout=30,
                          check=False)
    assert done.returncode == 1 and "the console does not answer: " in done.stderr
    done = subprocess.run([binary(), "advise", f"postgresql://app@127.0.0.1:{proxy.port}/pgtier"], text=True, capture_output=True,
                          timeout=30, check=False)
    assert done.returncode == 0 and "#" in done.stdout
    done = subprocess.run([binary(), "advise", f"postgresql://app_trust@127.0.0.1:{proxy.port}/pgtier"], text=True, capture_output=True,
                          timeout=30, check=False)
    assert done.returncode == 1 and "the console does not answer: " in done.stderr
    none = yaml.safe_load(proxy.conf.read_text()) | {"admin": {"users": []}}
    (tmp_path / "none.yaml").write_text(yaml.safe_dump(none, sort_keys=False))
    done = subprocess.run([binary(), "advise", tmp_path / "none.yaml"], text=True, capture_output=True, timeout=30, check=False)
    assert done.returncode == 1 and "admin.users" in done.stderr
