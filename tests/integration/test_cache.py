"""Answers from the cache are the server's own, byte for byte, and never old."""
import signal
import threading
import time

import psycopg
import pytest

from cluster import Redis
from rows import evaluation, owner
from wire import Raw, error, rows

READ = "SELECT id, user_id, subscription_tier, professional_data, health_score, confidence_score, created_at " \
       "FROM business_evaluations WHERE id = '{}' AND user_id = '{}' " \
       "AND subscription_tier IN ('professional', 'enterprise')"
READ_EXTENDED = READ.replace("'{}'", "$1", 1).replace("'{}'", "$2", 1)


@pytest.fixture(scope="module")
def redis(folder):
    (folder / "own-redis").mkdir(exist_ok=True)
    server = Redis(folder / "own-redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module", params=["memory", "redis"])
def store(request, redis):
    return "memory" if request.param == "memory" else redis.url


@pytest.fixture(scope="module")
def proxy(start, store):
    return start({"auth": {"type": "trust"}, "cache": {"store": store, "timeout": "300ms"}})


@pytest.fixture
def c(proxy):
    with Raw(proxy.port, "app_trust") as client:
        yield client


def sources(proxy, work):
    """What `work` returns, and how many answers came from each source meanwhile."""
    before = proxy.by_source()
    result = work()
    return result, {k: int(v - before.get(k, 0)) for k, v in proxy.by_source().items() if v != before.get(k, 0)}


def read(n):
    return READ.format(evaluation(n), owner(n))


def settled(proxy, c, sql):
    """Reads until the cache answers: right after writes and starts, reads go to the primary."""
    until = time.monotonic() + 10
    while True:
        _, by = sources(proxy, lambda: c.query(sql))
        if by.get("cache"):
            return
        assert time.monotonic() < until, f"never cached: {by}\n{proxy.explain(sql)}"
        time.sleep(0.05)


def test_a_hit_is_what_the_server_would_have_said(proxy, c, cluster):
    with Raw(cluster.primary.port, "app_trust") as direct:
        wanted = direct.query(read(1))
    settled(proxy, c, read(1))
    answers, by = sources(proxy, lambda: [c.query(read(1)) for _ in range(3)])
    assert answers == [wanted] * 3
    assert by == {"cache": 3}


@pytest.mark.parametrize("results", [(), (0,), (1,), (1, 0, 0, 1, 0, 1, 0)])
@pytest.mark.parametrize("formats", ["text", "binary"])
def test_extended_protocol(proxy, c, cluster, results, formats):
    ids = evaluation(2), owner(2)
    values = [i.encode() if formats == "text" else bytes.fromhex(i.replace("-", "")) for i in ids]
    how = {"results": results, "formats": (1,) if formats == "binary" else (), "types": (2950, 2950)}
    with Raw(cluster.primary.port, "app_trust") as direct:
        wanted = direct.extended(READ_EXTENDED, values, **how)
    assert error(wanted) is None
    answers, by = sources(proxy, lambda: [c.extended(READ_EXTENDED, values, **how) for _ in range(6)])
    assert answers == [wanted] * 6
    assert by.get("cache", 0) >= 1, by


def test_named_statements(proxy, cluster):
    with proxy.connect("app_trust", autocommit=True) as a, \
            psycopg.connect(cluster.primary.url("app_trust"), autocommit=True) as direct:
        sql = READ_EXTENDED.replace("$1", "%s").replace("$2", "%s")
        values = [evaluation(3), owner(3)]
        wanted = direct.execute(sql, values).fetchall()

        def work():
            for binary in False, True:
                for _ in range(6):
                    assert a.execute(sql, values, prepare=True, binary=binary).fetchall() == wanted

        _, by = sources(proxy, work)
        assert by.get("cache", 0) >= 6, by


def test_empty_results(proxy, c, cluster):
    sql = READ.format(evaluation(999_999), owner(999_999))
    with Raw(cluster.primary.port, "app_trust") as direct:
        assert [c.query(sql) for _ in range(4)] == [direct.query(sql)] * 4


def test_a_write_is_seen_at_once(proxy, c):
    sql = "SELECT health_score FROM business_evaluations WHERE id = '{}' AND user_id = '{}' AND " \
          "subscription_tier IN ('professional', 'enterprise')".format(evaluation(4), owner(4))
    with proxy.connect("app", autocommit=True) as writer:
        for score in range(20):
            settled(proxy, c, sql)
            writer.execute("UPDATE business_evaluations SET health_score = %s WHERE id = %s", [score, evaluation(4)])
            assert rows(c.query(sql)) == [[str(score).encode()]]


def test_a_write_leaves_other_entries(proxy, c):
    settled(proxy, c, read(6))
    settled(proxy, c, read(7))
    with proxy.connect("app", autocommit=True) as writer:
        writer.execute("UPDATE business_evaluations SET health_score = 1 WHERE id = %s", [evaluation(7)])
    _, by = sources(proxy, lambda: c.query(read(6)))
    assert by == {"cache": 1}
    _, by = sources(proxy, lambda: c.query(read(7)))
    assert "cache" not in by


@pytest.mark.parametrize("write", [
    "UPDATE business_evaluations SET health_score = health_score % 100 + 1 WHERE user_id = '{owner}'",
    "UPDATE business_evaluations SET health_score = health_score % 100 + 1 WHERE status IS NOT NULL AND id <= '{id}'",
    "WITH w AS (UPDATE business_evaluations SET health_score = health_score % 100 + 1 WHERE id = '{id}' RETURNING 1) "
    "SELECT count(*) FROM w",
    "BEGIN; UPDATE business_evaluations SET health_score = health_score % 100 + 1 WHERE id = '{id}'; COMMIT",
    "DO $$ BEGIN UPDATE business_evaluations SET health_score = health_score % 100 + 1 WHERE id = '{id}'; END $$",
    "UPDATE public.business_evaluations e SET health_score = health_score % 100 + 1 FROM users u "
    "WHERE u.id = e.user_id AND u.id = '{owner}'",
    "INSERT INTO business_evaluations (id, user_id) VALUES ('{id}', '{owner}') ON CONFLICT (id) DO UPDATE "
    "SET health_score = business_evaluations.health_score % 100 + 1",
    "PREPARE w AS UPDATE business_evaluations SET health_score = health_score % 100 + 1 WHERE id = '{id}'; EXECUTE w; "
    "DEALLOCATE w",
])
def test_every_form_of_write_is_seen(proxy, c, write):
    sql = "SELECT health_score FROM business_evaluations WHERE id = '{}' AND user_id = '{}' AND " \
          "subscription_tier IN ('professional', 'enterprise')".format(evaluation(21), owner(21))
    with Raw(proxy.port, "app_trust") as writer:
        for _ in range(3):
            settled(proxy, c, sql)
            before = int(rows(c.query(sql))[0][0])
            assert error(writer.query(write.format(id=evaluation(21), owner=owner(21)))) is None
            assert rows(c.query(sql)) == [[str(before % 100 + 1).encode()]]


def test_a_rollback_changes_nothing(proxy, c):
    settled(proxy, c, read(8))
    wanted = c.query(read(8))
    with Raw(proxy.port, "app_trust") as writer:
        writer.query("BEGIN")
        writer.query(f"UPDATE business_evaluations SET health_score = 99 WHERE id = '{evaluation(8)}'")
        assert c.query(read(8)) == wanted  # not committed: the old value, whoever answers
        assert rows(writer.query(read(8)))[0][4] == b"99"  # inside, its own
        writer.query("ROLLBACK")
    assert c.query(read(8)) == wanted


def test_settings_that_change_an_answer_part_it(proxy, cluster):
    with Raw(proxy.port, "app_trust", TimeZone="UTC") as utc, Raw(proxy.port, "app_trust", TimeZone="Asia/Tokyo") as tokyo, \
            Raw(cluster.primary.port, "app_trust", TimeZone="UTC") as direct_utc, \
            Raw(cluster.primary.port, "app_trust", TimeZone="Asia/Tokyo") as direct_tokyo:
        for _ in range(4):
            assert utc.query(read(9)) == direct_utc.query(read(9))
            assert tokyo.query(read(9)) == direct_tokyo.query(read(9))
        for c in utc, direct_utc:
            c.query("SET DateStyle = 'German'")
        for _ in range(4):
            assert utc.query(read(9)) == direct_utc.query(read(9))
            assert tokyo.query(read(9)) == direct_tokyo.query(read(9))


def test_the_first_answer_of_a_borrowed_server_is_kept(proxy, c):
    """Its settings are changed for each of these clients on the way; what that says is not the answer."""
    settled(proxy, c, read(51))
    for n in range(52, 55):
        with Raw(proxy.port, "app_trust", application_name=f"client {n}", IntervalStyle="iso_8601") as client:
            _, by = sources(proxy, lambda: [client.query(read(n)) for _ in range(2)])
            assert by.get("cache") == 1, by


def test_roles_do_not_share(proxy, cluster):
    """Row-level security and grants are by role: one role's entry is no answer for another."""
    with Raw(proxy.port, "app_trust") as a, Raw(proxy.port, "app") as b:
        settled(proxy, a, read(11))
        _, by = sources(proxy, lambda: b.query(read(11)))
        assert "cache" not in by


@pytest.mark.parametrize("sql", [
    READ.replace("created_at", "now()", 1),
    READ.replace("created_at", "random()", 1),
    READ + " FOR UPDATE",
    "SELECT count(*) FROM professional_data_audit",
])
def test_what_must_not_be_cached_is_not(proxy, c, sql):
    sql = sql.format(evaluation(12), owner(12))
    _, by = sources(proxy, lambda: [c.query(sql) for _ in range(4)])
    assert "cache" not in by


def test_errors_are_not_cached(proxy, c):
    for _ in range(3):
        sql = read(12).replace("health_score", "1/(health_score - health_score)")
        assert error(c.query(sql))["C"] == "22012"


def test_a_missing_row_appears(proxy, c, cluster):
    new, user = "00000000-0000-4000-9000-00000000000" + str(len(proxy.over["cache"]["store"]) % 10), owner(1)
    sql = READ.format(new, user)
    for _ in range(4):
        assert rows(c.query(sql)) == []
    with proxy.connect("app", autocommit=True) as writer:
        writer.execute("INSERT INTO business_evaluations (id, user_id, subscription_tier) VALUES (%s, %s, 'professional')",
                       [new, user])
        assert len(rows(c.query(sql))) == 1
        settled(proxy, c, sql)
        writer.execute("DELETE FROM business_evaluations WHERE id = %s", [new])
        assert rows(c.query(sql)) == []


def test_many_clients_miss_together(proxy):
    """One flight for many askers: however many miss at once, the servers are asked once or little more."""
    answers, barrier = [], threading.Barrier(20)

    def ask():
        with Raw(proxy.port, "app_trust") as client:
            client.query("SELECT 1")
            barrier.wait()
            answers.append(client.query(read(42)))

    def work():
        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    _, by = sources(proxy, work)
    assert len(answers) == 20 and all(a == answers[0] for a in answers)
    assert by.get("cache", 0) >= 10, by


def test_entries_end_with_their_ttl(start, store):
    proxy = start({"auth": {"type": "trust"},
                   "cache": {"store": store, "classes": {"professional_evaluation": {"ttl": "1s"}}}})
    with Raw(proxy.port, "app_trust") as c:
        settled(proxy, c, read(13))
        time.sleep(1.6)
        _, by = sources(proxy, lambda: c.query(read(13)))
        assert "cache" not in by
        settled(proxy, c, read(13))


def test_figures(proxy, c):
    settled(proxy, c, read(14))
    shown = {row["class"]: row for row in proxy.admin("SHOW CACHE")}
    assert int(shown["professional_evaluation"]["hits"]) > 0


def test_keys_in_redis(start, redis):
    proxy = start({"auth": {"type": "trust"}, "cache": {"store": redis.url}})
    with Raw(proxy.port, "app_trust") as c:
        settled(proxy, c, read(16))
        found = redis.keys(f"*prof_eval:{owner(16)}:{evaluation(16)}:*")
        assert len(found) >= 1, redis.keys()
        assert all(0 < int(redis.cli("TTL", key)) <= 3600 for key in found)


def test_documents_are_compressed_in_redis(start, redis):
    proxy = start({"auth": {"type": "trust"}, "cache": {"store": redis.url}})
    with Raw(proxy.port, "app_trust") as c:
        for n in range(101, 105):
            settled(proxy, c, read(n))
            size = sum(len(v) for v in rows(c.query(read(n)))[0])
            kept = max(int(redis.cli("STRLEN", k)) for k in redis.keys(f"*prof_eval:{owner(n)}:{evaluation(n)}:*"))
            assert kept < size * 0.8, (kept, size)


def test_without_redis_requests_go_on(start, redis, cluster):
    proxy = start({"auth": {"type": "trust"}, "cache": {"store": redis.url, "timeout": "200ms"}})
    with Raw(cluster.primary.port, "app_trust") as direct:
        wanted = {n: direct.query(read(n)) for n in range(31, 35)}

    def reads(c, seconds):
        """The longest that one of the reads took."""
        longest, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            for n, answer in wanted.items():
                began = time.monotonic()
                assert c.query(read(n)) == answer
                longest = max(longest, time.monotonic() - began)
        return longest

    with Raw(proxy.port, "app_trust") as c:
        settled(proxy, c, read(31))
        redis.process.kill(signal.SIGSTOP)  # its sockets stay open and say nothing
        try:
            longest = reads(c, 2)
        finally:
            redis.process.kill(signal.SIGCONT)
        assert longest < 1.2, f"{longest:.2f} s with redis paused"
        settled(proxy, c, read(31))

        redis.stop()
        assert reads(c, 1.5) < 1.2
        redis.start()
        settled(proxy, c, read(31))
        reads(c, 0.2)


def test_started_without_redis(start, redis):
    redis.stop()
    proxy = start({"auth": {"type": "trust"}, "cache": {"store": redis.url, "timeout": "200ms"}})
    try:
        with Raw(proxy.port, "app_trust") as c:
            for _ in range(3):
                assert len(rows(c.query(read(1)))) == 1
    finally:
        redis.start()
    with Raw(proxy.port, "app_trust") as c:
        settled(proxy, c, read(1))
