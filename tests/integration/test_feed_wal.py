"""What the feed wal asks of a primary, and what it never does to one."""
import subprocess

import psycopg
import pytest

from kept import changes, feed, is_kept, keep, until
from proxy import binary
from wire import Raw


@pytest.fixture
def table(cluster):
    cluster.primary.sql("CREATE TABLE sack (id int PRIMARY KEY, owner int, v int); INSERT INTO sack SELECT n, n, 0 FROM generate_series(1, 9) n;"
                        "CREATE TABLE heap (id int)", "app")
    cluster.catch_up()
    yield
    cluster.primary.sql("DROP TABLE sack, heap; DROP PUBLICATION IF EXISTS pgtier_feed; "
                        "DROP SCHEMA IF EXISTS pgtier CASCADE; ALTER ROLE app NOREPLICATION")


def of_sack(start_alone, **over):
    return start_alone({
        "databases": {"app": {"feed": "wal", **over}}, "relations": {"sack": {"dimensions": ["id", "owner"], "unique": ["id"]}},
        "operations": {"kept": {"match": {"statement": "select", "relation": "sack"}, "cache": "kept"}},
        "cache": {"classes": {"kept": {"key": "kept:{id}", "ttl": "1h"}}}, "auth": {"type": "trust"}}, ready=False)


def listens(proxy):
    return {row["name"]: row["value"] for row in proxy.admin("SHOW STATS") if row["scope"] == "feed app"}


def test_what_the_wal_needs(start_alone, cluster, table):
    """Without it nothing is answered by the cache, and the log says what is missing."""
    proxy = of_sack(start_alone)
    until(proxy.tail, lambda text: "REPLICATION" in text or "replication" in text)
    cluster.primary.sql("ALTER ROLE app REPLICATION")
    until(proxy.tail, lambda text: "there is no publication pgtier_feed: see `pgtier feed install`" in text)
    with Raw(proxy.port, "app_trust") as c:
        for _ in range(3):
            assert not is_kept(proxy, c, "SELECT v FROM sack WHERE id = 1")
        said = feed(proxy, cluster, "install")
        assert "publishes public.sack: not all of its dimensions are part of its replica identity" in said, said
        until(lambda: listens(proxy)["listens"], lambda value: value == "1")
        # By its key it is told exactly, by another dimension not.
        mine, others, owned = "SELECT v FROM sack WHERE id = 1", "SELECT v FROM sack WHERE id = 2", "SELECT v FROM sack WHERE owner = 3"
        for sql in mine, others, owned:
            keep(proxy, c, sql)
        cluster.primary.sql("UPDATE sack SET v = v + 1 WHERE owner = 1", "app")
        changes(c, mine, b"0")
        assert is_kept(proxy, c, others) and not is_kept(proxy, c, owned)


def test_a_table_without_identity_is_refused(start_alone, cluster, table):
    proxy = of_sack(start_alone)
    text = proxy.conf.read_text(encoding="utf-8").replace('"sack"', '"heap"').replace(cluster.primary.url("app"), cluster.primary.url("postgres"))
    proxy.conf.write_text(text, encoding="utf-8")
    done = subprocess.run([binary(), "feed", "install", str(proxy.conf)], text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1 and "public.heap has no replica identity" in done.stderr, done
    assert cluster.primary.sql("SELECT count(*) FROM pg_publication", "app") == "0"


def test_the_primary_keeps_no_more_than_it_may(start_alone, cluster, table):
    """A long transaction holds the slot back: the feed gives it up, and listens again when that has ended."""
    cluster.primary.sql("ALTER ROLE app REPLICATION")
    proxy = of_sack(start_alone, feed_keep="4MB")
    feed(proxy, cluster, "install")
    until(lambda: listens(proxy)["listens"], lambda value: value == "1")
    with psycopg.connect(cluster.primary.url("postgres")) as long, Raw(proxy.port, "app_trust") as c:
        long.execute("INSERT INTO heap VALUES (0)")
        cluster.primary.sql("INSERT INTO heap SELECT generate_series(1, 200000)", "app")
        until(lambda: listens(proxy)["given up"], lambda value: value != "0", within=40)
        assert not is_kept(proxy, c, "SELECT v FROM sack WHERE id = 5") and not is_kept(proxy, c, "SELECT v FROM sack WHERE id = 5")
        assert "over feed_keep" in proxy.tail(400)
        long.rollback()
        until(lambda: listens(proxy)["listens"], lambda value: value == "1", within=90)
        keep(proxy, c, "SELECT v FROM sack WHERE id = 5")
    proxy.stop()
    # Nothing is kept for a pgtier that is not there.
    assert until(lambda: cluster.primary.sql("SELECT count(*) FROM pg_replication_slots"), lambda found: found == "0")
