"""What a client says of its own statements: tags in comments, settings pgtier.*."""
import time

import psycopg
import pytest

from rows import evaluation, owner
from wire import Raw, error, rows

LIST = "SELECT id, status FROM business_evaluations WHERE user_id = '{}' AND health_score > 0"
FETCH = "SELECT id, status FROM business_evaluations WHERE id = '{}' AND user_id = '{}' " \
        "AND subscription_tier IN ('professional', 'enterprise')"


@pytest.fixture(scope="module")
def proxy(start):
    return start({"auth": {"type": "trust"}})


@pytest.fixture
def c(proxy):
    with Raw(proxy.port, "app_trust") as client:
        until = time.monotonic() + 15
        while source(proxy, client, LIST.format(owner(1))) != "replica":
            assert time.monotonic() < until, "the replica is not used"
            time.sleep(0.1)
        yield client


def source(proxy, c, sql):
    """Who answered."""
    before = proxy.by_source()
    found = c.query(sql)
    assert not error(found), error(found)
    return " ".join(k for k, v in proxy.by_source().items() if v != before.get(k, 0))


def test_a_tag_names_the_route(proxy, c):
    sql = LIST.format(owner(1))
    assert source(proxy, c, sql + " /*pgtier.route='primary'*/") == "primary"
    assert source(proxy, c, "/* pgtier.route='primary' */ " + sql) == "primary"
    assert source(proxy, c, sql + " /*route='primary',action='list'*/") == "replica"
    assert source(proxy, c, sql + " -- pgtier.route='primary'") == "replica"
    assert source(proxy, c, sql) == "replica"


def test_a_tag_makes_no_read_of_a_write(proxy, c):
    sql = "UPDATE business_evaluations SET status = status WHERE id = '{}' /*pgtier.route='replica',pgtier.freshness='unbounded'*/"
    assert source(proxy, c, sql.format(evaluation(2))) == "primary"


def test_a_tag_passes_the_cache_by(proxy, c):
    sql = FETCH.format(evaluation(3), owner(3))
    until = time.monotonic() + 15
    while source(proxy, c, sql) != "cache":
        assert time.monotonic() < until, "the cache is not used"
    assert source(proxy, c, sql + " /*pgtier.cache='off'*/") == "replica"
    assert source(proxy, c, sql + " /*traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'*/") == "cache"


def test_a_setting_follows_the_rules_of_settings(proxy, c):
    sql = LIST.format(owner(1))
    c.query("SET pgtier.route = 'primary'")
    assert source(proxy, c, sql) == "primary"
    assert rows(c.query("SHOW pgtier.route")) == [[b"primary"]]
    c.query("BEGIN")
    c.query("SET pgtier.route = 'default'")
    c.query("ROLLBACK")
    assert source(proxy, c, sql) == "primary"
    c.query("BEGIN")
    c.query("SET pgtier.route TO 'default'")
    c.query("COMMIT")
    assert source(proxy, c, sql) == "replica"
    c.query("SELECT set_config('pgtier.route', 'primary', false)")
    assert source(proxy, c, sql) == "primary"
    assert source(proxy, c, sql + " /*pgtier.route='default'*/") == "replica"
    c.query("RESET ALL")
    assert source(proxy, c, sql) == "replica"


def test_a_setting_is_of_one_session(proxy, c):
    c.query("SET pgtier.route = 'primary'")
    with Raw(proxy.port, "app_trust") as other:
        assert source(proxy, other, LIST.format(owner(1))) == "replica"
        assert rows(other.query("SELECT current_setting('pgtier.route', true)")) in ([[None]], [[b""]])


def test_a_setting_of_the_startup_packet(proxy, c):
    with psycopg.connect(proxy.url("app_trust"), options="-c pgtier.route=primary", autocommit=True) as client:
        before = proxy.by_source()
        client.execute(LIST.format(owner(1)))
        after = proxy.by_source()
    assert after["primary"] > before.get("primary", 0) and after.get("replica", 0) == before.get("replica", 0)


def test_a_wrong_setting_is_an_error_and_not_the_end(c):
    found = error(c.query("SET pgtier.route = 'nearby'"))
    assert (found["C"], found["M"]) == ("22023", 'invalid value for parameter "pgtier.route": "nearby"')
    assert found["H"] == "It is primary, replica or default."
    found = error(c.query("SET pgtier.rout = 'primary'"))
    assert found["C"] == "42602" and "pgtier.route" in found["H"]
    c.query("BEGIN")
    c.query("SELECT 1 FROM users LIMIT 1")
    assert error(c.query("SET LOCAL pgtier.freshness = 'soon'"))["C"] == "22023"
    assert error(c.query("SELECT 1"))["C"] == "25P02"
    c.query("ROLLBACK")
    assert rows(c.query("SELECT 1")) == [[b"1"]]


def test_freshness_of_ones_own(proxy, c):
    """Right after a write the replica is behind: who asks for no more than that is answered by it all the same."""
    sql = LIST.format(owner(4)) + " /*pgtier.freshness='unbounded'*/"
    for _ in range(5):
        c.query(f"UPDATE business_evaluations SET status = status WHERE user_id = '{owner(4)}'")
        assert source(proxy, c, sql) == "replica"


def test_explain_route_tells(proxy, c):
    sql = LIST.format(owner(1))

    def explained(text):
        return {k.decode(): v.decode() for k, v in rows(c.query("EXPLAIN ROUTE " + text)) if k}

    assert "(hint)" in explained(sql + " /*pgtier.route='primary'*/")["why this node"]
    assert explained(sql + " /*pgtier.route='primry'*/")["not understood"] == "pgtier.route='primry'"
    c.query("SET pgtier.cache = off")
    assert "(hint)" in explained(FETCH.format(evaluation(3), owner(3)))["asked first"]
    c.query("RESET pgtier.cache")
    assert "not understood" not in explained(sql)


def test_a_prepared_statement_keeps_its_tags(proxy, c):
    with psycopg.connect(proxy.url("app_trust"), autocommit=True) as client:
        sql = LIST.format("%s").replace("'", "") + " /*pgtier.route='primary'*/"
        client.execute(sql, [owner(1)], prepare=True)
        before = proxy.by_source()
        for n in range(5):
            client.execute(sql, [owner(n + 1)], prepare=True)
        after = proxy.by_source()
    assert after["primary"] - before["primary"] == 5 and after.get("replica", 0) == before.get("replica", 0)
