"""The console, the metrics and the health page."""
import math
import re
import signal
import time
import urllib.error

import psycopg
import pytest

from proxy import parse_metrics
from rows import evaluation, owner
from wire import Raw

COMMANDS = ["TARGETS", "RULES", "POOLS", "CLIENTS", "SERVERS", "NODES", "CACHE", "SHAPES", "STATS", "CONFIG", "VERSION"]
FETCH = f"SELECT id, professional_data FROM business_evaluations WHERE id = '{evaluation(1)}' " \
        f"AND user_id = '{owner(1)}' AND subscription_tier IN ('professional', 'enterprise')"


@pytest.fixture(scope="module")
def busy(start):
    """A pgtier that has something to show."""
    proxy = start()
    with proxy.connect(autocommit=True) as c:
        for _ in range(5):
            c.execute(FETCH)
        c.execute("UPDATE business_evaluations SET status = status WHERE id = %s", [evaluation(2)])
        c.execute("SELECT count(*) FROM users")
    return proxy


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("database", ["pgtier", "pgbouncer"])
def test_show(busy, command, database):
    shown = busy.admin(f"SHOW {command}", database)
    assert shown, f"SHOW {command} shows nothing"
    assert busy.admin(f"show {command.lower()};", database)


def test_show_targets_names_the_strategys(busy):
    shown = " ".join(str(row) for row in busy.admin("SHOW TARGETS"))
    for operation in "single_evaluation_fetch", "user_evaluations_list", "professional_data_insert", \
            "professional_data_update", "tier_upgrade_operation":
        assert operation in shown


def test_show_config_hides_passwords(busy):
    assert "app-secret" not in str(busy.admin("SHOW CONFIG"))


def test_show_shapes_holds_no_literals(busy):
    shown = str(busy.admin("SHOW SHAPES"))
    assert "business_evaluations" in shown and evaluation(1) not in shown


def test_unknown_commands_are_errors(busy):
    for text in "SHOW NOTHING", "DROP TABLE users", "SELECT * FROM users", "EXPLAIN ROUTE":
        with pytest.raises(psycopg.Error):
            busy.admin(text)
    assert busy.admin("SHOW VERSION")


def test_the_console_is_for_its_users(start):
    proxy = start({"admin": {"users": ["app_md5"]}}, ready=False)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(proxy.url("app", "pgtier"), connect_timeout=10)
    with psycopg.connect(proxy.url("app_md5", "pgtier"), autocommit=True, cursor_factory=psycopg.ClientCursor) as c:
        assert c.execute("SHOW VERSION").fetchone()


def test_explain_route(busy):
    said = busy.explain(FETCH)
    assert "single_evaluation_fetch" in said
    assert "professional_evaluation" in said
    assert f"prof_eval:{owner(1)}:{evaluation(1)}" in said
    assert "300" in said
    said = busy.explain(f"UPDATE business_evaluations SET subscription_tier = 'enterprise' WHERE id = '{evaluation(1)}'")
    assert "tier_upgrade_operation" in said and "primary" in said


def test_explain_route_changes_nothing(busy, cluster):
    before = cluster.primary.sql("SELECT sum(data_version) FROM business_evaluations")
    busy.explain("UPDATE business_evaluations SET data_version = 999999")
    assert cluster.primary.sql("SELECT sum(data_version) FROM business_evaluations") == before


def test_metrics(busy):
    text = busy.http("/metrics")
    rows = parse_metrics(text)
    assert all(not math.isnan(value) for _, _, value in rows)
    names = {name for name, _, _ in rows}
    typed = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    for name in names:
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        assert name in typed or typed.get(base) in ("histogram", "summary"), f"{name} has no TYPE"
        assert name.startswith(("pgtier_", "process_")), name
    assert len(rows) == len({(name, tuple(sorted(labels.items()))) for name, labels, _ in rows}), "a series twice"
    found = [labels for name, labels, value in rows if name == "pgtier_request_seconds_count" and value
             and labels["operation"] == "single_evaluation_fetch"]
    assert {"cache", "replica", "primary"} & {labels["source"] for labels in found}
    assert all("tier" in labels for labels in found)


def test_histograms_are_cumulative(busy):
    series = {}
    for name, labels, value in busy.metrics():
        if name.endswith("_bucket"):
            bound = float(labels.pop("le").replace("+Inf", "inf"))
            series.setdefault((name, tuple(sorted(labels.items()))), []).append((bound, value))
    assert series
    for key, buckets in series.items():
        buckets.sort()
        assert buckets[-1][0] == math.inf, key
        assert [v for _, v in buckets] == sorted(v for _, v in buckets), key


def test_requests_are_counted_once(busy):
    with busy.connect(autocommit=True) as c:
        before = sum(busy.by_source().values())
        for _ in range(25):
            c.execute("SELECT count(*) FROM users WHERE id = %s", [owner(1)], prepare=False)
        c.execute("SELECT 1")
    assert sum(busy.by_source().values()) - before == 26


def test_health(busy):
    assert busy.http("/healthz")
    with pytest.raises(urllib.error.HTTPError) as found:
        busy.http("/nowhere")
    assert found.value.code == 404


def test_reload_takes_what_is_right_and_refuses_what_is_wrong(start):
    proxy = start()
    for how, first, second in ("signal", "7777ms", "8888ms"), ("command", "5555ms", "6666ms"):
        proxy.over["operations"] = {"single_evaluation_fetch": {"target": first}}
        proxy.reload(how=how)
        assert first in proxy.explain(FETCH)
        good = proxy.conf.read_text(encoding="utf-8")
        proxy.conf.write_text(good.replace(f'"{first}"', f'"{second}", "tll": 1'), encoding="utf-8")
        if how == "signal":
            proxy.process.kill(signal.SIGHUP)
            time.sleep(0.3)
        else:
            with pytest.raises(psycopg.Error, match="tll"):
                proxy.admin("RELOAD")
        assert first in proxy.explain(FETCH)
        assert "tll" in proxy.tail()
        with proxy.connect(autocommit=True) as c:
            assert c.execute("SELECT 1").fetchone() == (1,)


def test_reload_keeps_clients_and_their_transactions(start):
    proxy = start({"auth": {"type": "trust"}})
    with Raw(proxy.port, "app_trust") as c:
        c.query("BEGIN")
        c.query("CREATE TEMP TABLE t (n int) ON COMMIT DROP")
        for _ in range(3):
            proxy.reload()
            assert c.query("SELECT * FROM t")[-1] == (b"Z", b"T")
        assert c.query("COMMIT")[-1] == (b"Z", b"I")


def test_clients_are_shown(busy):
    with busy.connect(autocommit=True, application_name="somebody") as c:
        c.execute("SELECT 1")
        assert "somebody" in str(busy.admin("SHOW CLIENTS"))
