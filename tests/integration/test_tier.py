"""The tier of a statement's user, looked up where nothing else tells it, and kept until that user is written."""
import time

import psycopg
import pytest

from cluster import Cluster, Redis
from rows import evaluation, owner
from wire import Raw, error, message, rows

READ = "SELECT health_score FROM business_evaluations WHERE id = '{}' AND user_id = '{}'"


@pytest.fixture(scope="module")
def redis(folder):
    (folder / "tier-redis").mkdir(exist_ok=True)
    server = Redis(folder / "tier-redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module", params=["memory", "redis"])
def proxy(request, start, redis):
    return start({"auth": {"type": "trust"},
                  "cache": {"store": "memory" if request.param == "memory" else redis.url, "timeout": "2s"},
                  "operations": {"no_list": {"match": {"statement": "select", "relation": "professional_data_audit", "tier": "basic"},
                                             "deny": "basic users have no audit"},
                                 "audit": {"match": {"statement": "select", "relation": "professional_data_audit"}}}})


@pytest.fixture
def c(proxy):
    with Raw(proxy.port, "app_trust") as client:
        yield client


def read(n):
    return READ.format(evaluation(n), owner(n))


def cached(proxy):
    return proxy.by_source().get("cache", 0)


def becomes(proxy, c, sql, kept):
    """Asks until the answers come from the cache, or no longer do: right after writes reads go to the primary."""
    until = time.monotonic() + 15
    while True:
        before = cached(proxy)
        found = rows(c.query(sql))
        if (cached(proxy) > before) == kept:
            return found
        assert time.monotonic() < until, (sql, kept, rows(c.query("EXPLAIN ROUTE " + sql)))
        time.sleep(0.02)


def set_tier(c, n, tier):
    assert not error(c.query(f"UPDATE users SET subscription_tier = '{tier}' WHERE id = '{owner(n)}'"))


def test_what_a_paying_user_reads_is_kept(proxy, c):
    set_tier(c, 11, "professional")
    assert becomes(proxy, c, read(11), True) == rows(c.query(read(11)))


def test_what_a_basic_user_reads_is_not(proxy, c):
    set_tier(c, 16, "basic")
    for _ in range(20):
        before = cached(proxy)
        c.query(read(16))
        assert cached(proxy) == before
        time.sleep(0.01)


def test_a_change_of_the_plan_counts_at_once(proxy, c):
    set_tier(c, 21, "professional")
    becomes(proxy, c, read(21), True)
    set_tier(c, 21, "basic")
    before = cached(proxy)
    for _ in range(5):
        c.query(read(21))
    assert cached(proxy) == before
    set_tier(c, 21, "enterprise")
    becomes(proxy, c, read(21), True)


def test_another_user_of_the_same_statement(proxy, c):
    set_tier(c, 26, "professional")
    set_tier(c, 31, "basic")
    becomes(proxy, c, read(26), True)
    before = cached(proxy)
    c.query(read(31))
    assert cached(proxy) == before


def test_a_hint_names_the_user(proxy, c):
    set_tier(c, 36, "professional")
    sql = f"SELECT confidence_score FROM business_evaluations WHERE id = '{evaluation(36)}'"
    for _ in range(5):
        before = cached(proxy)
        c.query(sql)
        assert cached(proxy) == before
    becomes(proxy, c, f"{sql} /*user_id='{owner(36)}'*/", True)
    with Raw(proxy.port, "app_trust") as said:
        said.query(f"SET pgtier.user_id = '{owner(36)}'")
        becomes(proxy, said, sql, True)
        said.query("SET pgtier.user_id = 'nobody''s \\ name'")
        assert rows(said.query(sql)) == rows(c.query(sql))


def test_a_user_who_is_not_there_until_he_is(proxy, c):
    nobody = "20000000-0000-4000-8000-00000000000a"
    sql = READ.format(evaluation(41), nobody)
    assert rows(c.query(sql)) == []
    before = cached(proxy)
    for _ in range(5):
        c.query(sql)
    assert cached(proxy) == before
    try:
        c.query(f"INSERT INTO users (id, email, subscription_tier) VALUES ('{nobody}', 'nobody@x', 'enterprise')")
        assert becomes(proxy, c, sql, True) == []
    finally:
        c.query(f"DELETE FROM users WHERE id = '{nobody}'")


def test_the_tier_decides_what_is_denied(proxy, c):
    set_tier(c, 46, "basic")
    sql = f"SELECT count(*) FROM professional_data_audit WHERE user_id = '{owner(46)}'"
    assert error(c.query(sql))["M"] == "basic users have no audit"
    set_tier(c, 46, "professional")
    assert rows(c.query(sql))
    c.query("BEGIN")
    set_tier(c, 46, "basic")
    c.query("ROLLBACK")
    assert rows(c.query(sql))


def test_extended_and_pipelined(proxy, cluster):
    with psycopg.connect(proxy.url("app_trust"), autocommit=True) as c:
        sql = "SELECT health_score FROM business_evaluations WHERE id = %s AND user_id = %s"
        expected = [cluster.primary.sql(f"SELECT health_score FROM business_evaluations WHERE id = '{evaluation(n)}'", "app")
                    for n in range(1, 41)]
        for _ in range(3):
            with c.pipeline():
                asked = [c.execute(sql, [evaluation(n), owner(n)], prepare=True) for n in range(1, 41)]
            assert [str(one.fetchone()[0]) for one in asked] == expected
        with c.transaction():
            for n in range(1, 11):
                c.execute("UPDATE users SET updated_at = now() WHERE id = %s", [owner(n)])
                assert str(c.execute(sql, [evaluation(n), owner(n)]).fetchone()[0]) == expected[n - 1]


def test_clients_that_go_while_their_user_is_looked_up(proxy, c):
    for i in range(60):
        with Raw(proxy.port, "app_trust") as gone:
            gone.send(message(b"Q", read(51 + i).encode() + b"\0"))
    assert rows(c.query("SELECT 1")) == [[b"1"]]


def test_it_is_explained(proxy, c):
    told = {row[0]: row[1].decode() for row in rows(c.query("EXPLAIN ROUTE " + read(11)))}
    assert told[b"user"].startswith(owner(11))


def test_the_key_in_redis(start, redis):
    proxy = start({"auth": {"type": "trust"}, "cache": {"store": redis.url, "timeout": "2s"}})
    with Raw(proxy.port, "app_trust") as c:
        set_tier(c, 11, "professional")
        becomes(proxy, c, read(11), True)
        assert redis.keys(f"tier_access:{owner(11)}:*")


def test_while_the_primary_is_away_nobody_waits_for_a_tier(start_alone, folder):
    own = Cluster(folder / "tier-own").start()
    try:
        own.load(20)
        proxy = start_alone({"auth": {"type": "trust"}}, on=own)
        with Raw(proxy.port, "app_trust") as c:
            set_tier(c, 1, "professional")
            becomes(proxy, c, read(1), True)
            own.primary.stop()
            found = c.query(read(2))
            assert rows(found) or error(found)
            own.primary.start()
        with Raw(proxy.port, "app_trust") as c:
            becomes(proxy, c, read(1), True)
    finally:
        own.stop()
