"""Who may see what: kept answers are shared only among those who may, and end with the right."""
import pytest

from cluster import PASSWORDS
from kept import ask, feed, is_kept, keep, one, until
from wire import Raw, error

SCHEMA = """
CREATE TABLE ledger_of (id int PRIMARY KEY, owner text, v int);
INSERT INTO ledger_of SELECT n, CASE WHEN n % 2 = 0 THEN 'even' ELSE 'odd' END, n FROM generate_series(1, 20) n;
GRANT SELECT, UPDATE ON ledger_of TO app_trust;
CREATE TABLE walled (id int PRIMARY KEY, owner text, v int);
INSERT INTO walled SELECT n, CASE WHEN n % 2 = 0 THEN 'even' ELSE 'odd' END, n FROM generate_series(1, 20) n;
ALTER TABLE walled ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON walled USING (owner = current_setting('app.owner', true));
GRANT SELECT ON walled TO app_trust;
CREATE ROLE right_reader; GRANT right_reader TO app_trust; GRANT SELECT ON ledger_of TO right_reader;
"""
READ, COUNT = "SELECT v FROM ledger_of WHERE id = 3", "SELECT count(*) FROM walled WHERE id IN (1, 2, 3)"


@pytest.fixture(scope="module")
def own(cluster):
    cluster.primary.sql(SCHEMA)
    cluster.primary.sql("ALTER ROLE app REPLICATION")
    cluster.catch_up()
    yield
    cluster.primary.sql("DROP TABLE ledger_of, walled; DROP OWNED BY right_reader; DROP ROLE right_reader; DROP SCHEMA IF EXISTS pgtier CASCADE;"
                        "DROP PUBLICATION IF EXISTS pgtier_feed; ALTER ROLE app NOREPLICATION")


def settings(**database):
    return {"auth": {"type": "trust", "users": [
        {"name": "right_none", "password": "x"}, {"name": "app", "password": PASSWORDS["app"]}, {"name": "app_trust", "password": "x"},
        {"name": "postgres", "password": "x"}]}, "admin": {"users": ["app", "app_trust"]}, "databases": {"app": database},
            "relations": {"ledger_of": {"dimensions": ["id"], "unique": ["id"]}, "walled": {"dimensions": ["id"], "unique": ["id"]}},
            "operations": {"kept": {"match": {"statement": "select"}, "cache": "kept"}},
            "cache": {"classes": {"kept": {"key": "kept:{id}", "ttl": "1h"}}}}


@pytest.fixture(scope="module")
def proxy(start, own):
    return start(settings())


@pytest.fixture
def c(proxy):
    with Raw(proxy.port, "app_trust") as client:
        yield client


@pytest.fixture
def dba(proxy):
    with Raw(proxy.port, "postgres") as client:
        yield client


def may(client, sql=READ):
    found = error(client.query(sql))
    assert not found or found["C"] == "42501", found
    return not found


@pytest.mark.parametrize("take, give", [
    ("REVOKE SELECT ON ledger_of FROM app_trust, right_reader", "GRANT SELECT ON ledger_of TO app_trust, right_reader"),
    ("DO $$BEGIN REVOKE SELECT ON ledger_of FROM app_trust, right_reader; END$$", "GRANT SELECT ON ledger_of TO app_trust, right_reader"),
    ("BEGIN; REVOKE SELECT ON ledger_of FROM app_trust, right_reader; COMMIT", "GRANT SELECT ON ledger_of TO app_trust, right_reader"),
])
def test_a_right_that_is_taken_away_through_pgtier(proxy, c, dba, take, give):
    keep(proxy, c, READ)
    try:
        assert not error(dba.query(take))
        assert not may(c)
    finally:
        assert not error(dba.query(give))
    assert may(c)


def test_a_role_that_is_taken_away(proxy, dba):
    assert not error(dba.query("REVOKE SELECT ON ledger_of FROM app_trust"))
    try:
        with Raw(proxy.port, "app_trust") as c:
            keep(proxy, c, READ)  # as a member of right_reader
            assert not error(dba.query("REVOKE right_reader FROM app_trust"))
            assert not may(c)
    finally:
        assert not error(dba.query("GRANT SELECT ON ledger_of TO app_trust; GRANT right_reader TO app_trust"))


def test_who_may_not_is_not_answered_from_what_is_kept(proxy, c, cluster):
    keep(proxy, c, READ)
    cluster.primary.sql("CREATE ROLE right_none LOGIN PASSWORD 'x'")
    try:
        with Raw(proxy.port, "right_none") as other:
            assert not may(other)
        assert not error(c.query("SET ROLE right_reader"))
        assert not is_kept(proxy, c, READ)  # nor from what another role was told
        assert not error(c.query("RESET ROLE"))
        assert is_kept(proxy, c, READ)
    finally:
        cluster.primary.sql("DROP ROLE right_none")


def test_rows_that_a_policy_shows(proxy):
    """By a setting of the session, in each of the ways in which one is set."""
    with Raw(proxy.port, "app_trust") as odd, Raw(proxy.port, "app_trust") as even, Raw(proxy.port, "app_trust", options="-c app.owner=even") as third, \
            Raw(proxy.port, "app_trust") as nobody:
        ask(odd, "SET app.owner = 'odd'")
        ask(even, "SELECT set_config('app.owner', 'even', false)")
        for _ in range(5):
            assert one(odd, COUNT) == b"2" and one(even, COUNT) == b"1" and one(third, COUNT) == b"1" and one(nobody, COUNT) == b"0"
        ask(odd, "SET app.owner = 'even'")
        assert one(odd, COUNT) == b"1"
        ask(odd, "BEGIN")
        ask(odd, "SET LOCAL app.owner = 'odd'")
        assert one(odd, COUNT) == b"2"
        ask(odd, "COMMIT")
        assert one(odd, COUNT) == b"1"


def test_a_policy_that_changes(proxy, dba):
    with Raw(proxy.port, "app_trust") as c:
        ask(c, "SET app.owner = 'odd'")
        for _ in range(3):
            assert one(c, COUNT) == b"2"
        ask(dba, "ALTER POLICY own ON walled USING (owner = current_setting('app.owner', true) AND id > 1)")
        try:
            assert one(c, COUNT) == b"1"
            ask(dba, "ALTER TABLE walled DISABLE ROW LEVEL SECURITY")
            assert one(c, COUNT) == b"3"
        finally:
            ask(dba, "ALTER TABLE walled ENABLE ROW LEVEL SECURITY; ALTER POLICY own ON walled USING (owner = current_setting('app.owner', true))")
        assert one(c, COUNT) == b"2"


@pytest.mark.parametrize("kind", ["notify", "wal"])
def test_a_right_that_is_taken_away_past_pgtier(start_alone, own, cluster, kind):
    """A superuser's feed tells of it."""
    proxy = start_alone(settings(feed=kind))
    said = feed(proxy, cluster, "install")
    assert "GRANT" not in said, said
    until(lambda: {row["name"]: row["value"] for row in proxy.admin("SHOW STATS") if row["scope"] == "feed app"}["listens"], lambda value: value == "1")
    with Raw(proxy.port, "app_trust") as c:
        keep(proxy, c, READ)
        try:
            cluster.primary.sql("REVOKE SELECT ON ledger_of FROM app_trust, right_reader")
            until(lambda: may(c), lambda allowed: not allowed, within=5)
        finally:
            cluster.primary.sql("GRANT SELECT ON ledger_of TO app_trust, right_reader")
        until(lambda: may(c), bool, within=5)
    assert "tells no more" in feed(proxy, cluster, "remove") or kind == "wal"
    assert cluster.primary.sql("SELECT count(*) FROM pg_event_trigger") == "0"
