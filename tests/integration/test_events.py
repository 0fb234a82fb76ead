"""Writes that the rules name are counted by those names, when they end well."""
import pytest

from rows import evaluation, owner
from wire import Raw, error, parse, bind, execute, rows, SYNC


@pytest.fixture(scope="module")
def proxy(start):
    yield start({"auth": {"type": "trust"}, "events": {"by_boss": {"match": {"statement": ["update", "delete"], "role": "app"}}}})


def counts(proxy):
    by_stats = {row["name"]: int(row["value"]) for row in proxy.admin("SHOW STATS") if row["scope"] == "event"}
    by_metrics = {line.split('"')[1]: int(float(line.split()[-1])) for line in proxy.http("/metrics").splitlines()
                  if line.startswith("pgtier_events_total{")}
    assert by_stats == by_metrics
    return by_stats


TIER = "UPDATE business_evaluations SET subscription_tier = '{}' WHERE id = '{}'"


@pytest.mark.parametrize("sql, events", [
    (TIER.format("professional", evaluation(61)), ["update", "tier_change", "tier_upgrade", "by_boss"]),
    (TIER.format("basic", evaluation(61)), ["update", "tier_change", "by_boss"]),
    (f"UPDATE business_evaluations SET health_score = 1 WHERE id = '{evaluation(61)}'", ["update", "by_boss"]),
    (f"UPDATE users SET subscription_tier = 'professional' WHERE id = '{owner(61)}'", ["subscription_change", "by_boss"]),
    (f"SELECT 1 FROM business_evaluations WHERE id = '{evaluation(61)}'", []),
    ("UPDATE business_evaluations SET missing = 1", []),
    ("DELETE FROM users WHERE false", ["by_boss"]),
])
def test_counted(proxy, sql, events):
    before = counts(proxy)
    with proxy.connect("app", autocommit=True) as c:
        try:
            c.execute(sql)
        except Exception as fault:  # noqa: BLE001 (the one that is expected fails on the server)
            assert "missing" in str(fault)
    after = counts(proxy)
    assert sorted(name for name in after if after[name] != before[name]) == sorted(events)
    assert all(after[name] - before[name] == 1 for name in events)


def test_each_of_a_pipeline(proxy):
    before = counts(proxy)
    with Raw(proxy.port, "app_trust") as c:
        assert not error(c.ask(parse(TIER.format("basic", evaluation(62))), bind(), execute(),
                               parse(f"UPDATE users SET subscription_tier = 'basic' WHERE id = '{owner(62)}'"), bind(), execute(), SYNC))
    after = counts(proxy)
    assert after["tier_change"] == before["tier_change"] + 1 and after["subscription_change"] == before["subscription_change"] + 1


def test_explained_and_kept_over_a_reload(proxy):
    sql = TIER.format("enterprise", evaluation(61))
    told = [row[1] for row in rows_of(proxy, sql)]
    assert told == ["update", "tier_change", "tier_upgrade"]
    before = counts(proxy)
    proxy.reload({"events": {"one_more": {"match": {"statement": "insert"}}}})
    assert counts(proxy) == {**before, "one_more": 0}


def rows_of(proxy, sql):
    with Raw(proxy.port, "app_trust") as c:
        return [[cell.decode() for cell in row] for row in rows(c.query("EXPLAIN ROUTE " + sql)) if row[0] == b"event"]
