"""Which node answers, and what happens when one is lost."""
import os
import pathlib
import signal
import threading
import time

import psycopg
import pytest

from cluster import Cluster
from proxy import is_up
from rows import evaluation, owner
from wire import Raw, error, rows

UNCACHED = {"auth": {"type": "trust"}, "cache": {"classes": {
    "professional_evaluation": {"ttl": "1ms"}, "jsonb_field": {"ttl": "1ms"}, "tier_validation": {"ttl": "1ms"}}}}
READ = "SELECT id, status FROM business_evaluations WHERE id = '{}'"


@pytest.fixture(scope="module")
def own(folder):
    """A cluster that may be broken."""
    servers = Cluster(folder / "routing", with_redis=False).start()
    try:
        servers.load(300)
        servers.primary.sql("CREATE UNLOGGED TABLE unlogged (n int); INSERT INTO unlogged VALUES (5)", "app")
        servers.catch_up()
        yield servers
    finally:
        servers.stop()


@pytest.fixture(scope="module")
def proxy(start, own):
    return start(UNCACHED, on=own)


def by_source(proxy, work):
    before = proxy.by_source()
    work()
    return {k: int(v - before.get(k, 0)) for k, v in proxy.by_source().items() if v != before.get(k, 0)}


def until_replica_answers(proxy, c, seconds=15):
    until = time.monotonic() + seconds
    while not by_source(proxy, lambda: c.query(READ.format(evaluation(9)))).get("replica"):
        assert time.monotonic() < until, "the replica is not used"
        time.sleep(0.1)


def test_reads_go_to_the_replica(proxy):
    with Raw(proxy.port, "app_trust") as c:
        until_replica_answers(proxy, c)

        def work():
            for n in range(1, 51):
                assert rows(c.query(READ.format(evaluation(n))))[0][0] == evaluation(n).encode()

        assert by_source(proxy, work).get("replica", 0) >= 45


@pytest.mark.parametrize("sql", [
    "SELECT e.id, e.status FROM business_evaluations e WHERE e.id = '{id}'",
    'SELECT "public"."business_evaluations"."id" FROM "public"."business_evaluations" WHERE '
    '("public"."business_evaluations"."id" = \'{id}\' AND 1=1) LIMIT 1 OFFSET 0',
    'SELECT "business_evaluations".* FROM "business_evaluations" WHERE "business_evaluations"."id" = \'{id}\' LIMIT 1',
    "SELECT e.id FROM users u JOIN business_evaluations e ON e.user_id = u.id WHERE e.id = '{id}' ORDER BY u.id",
    "WITH w AS (SELECT id, user_id FROM business_evaluations WHERE id = '{id}') SELECT w.id FROM w",
    "SELECT s.id FROM (SELECT id, name FROM users) u JOIN business_evaluations s ON s.user_id = u.id WHERE s.id = '{id}'",
])
def test_columns_of_a_name_are_no_calls(proxy, sql):
    """As ORMs write them: x.name could call a function, which could leave anything on the session, where there is no such column."""
    with Raw(proxy.port, "app_trust") as c:
        until_replica_answers(proxy, c)

        def work():
            for n in range(1, 21):
                assert rows(c.query(sql.format(id=evaluation(n))))[0][0] == evaluation(n).encode()

        assert by_source(proxy, work).get("replica", 0) >= 18


@pytest.mark.parametrize("sql", [
    "UPDATE business_evaluations SET status = status WHERE id = '{id}'",
    "SELECT id FROM business_evaluations WHERE id = '{id}' FOR UPDATE",
    "SELECT nextval('professional_data_audit_id_seq')",
    "INSERT INTO professional_data_audit (evaluation_id, user_id, change_type) VALUES ('{id}', '{owner}', 'access')",
    "SELECT pg_current_wal_lsn()",
    "BEGIN; SELECT id FROM business_evaluations WHERE id = '{id}'; UPDATE users SET name = name WHERE id = '{owner}'; COMMIT",
    "SELEC",
    "TRUNCATE unlogged; INSERT INTO unlogged VALUES (5)",
])
def test_what_belongs_to_the_primary_goes_there(proxy, sql):
    with Raw(proxy.port, "app_trust") as c:
        by = by_source(proxy, lambda: c.query(sql.format(id=evaluation(3), owner=owner(3))))
        assert set(by) <= {"primary", "none"}, by


def test_a_transaction_that_writes_reads_its_own(proxy):
    with proxy.connect("app", autocommit=False) as c:
        c.execute("UPDATE business_evaluations SET health_score = 77 WHERE id = %s", [evaluation(5)])
        assert c.execute("SELECT health_score FROM business_evaluations WHERE id = %s", [evaluation(5)]).fetchone() == (77,)
        c.rollback()


def test_read_your_write(proxy):
    with Raw(proxy.port, "app_trust") as c:
        for n in range(100):
            c.query(f"UPDATE business_evaluations SET data_version = {n} WHERE id = '{evaluation(6)}'")
            assert rows(c.query(f"SELECT data_version FROM business_evaluations WHERE id = '{evaluation(6)}'")) \
                == [[str(n).encode()]]


SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


def begin_on_replica(proxy, c, sql, seconds=15):
    """A transaction of one snapshot that begins with this read: the replica must have replayed everything."""
    until = time.monotonic() + seconds
    while True:
        c.query(SNAPSHOT)
        if by_source(proxy, lambda: c.query(sql)) == {"replica": 1}:
            return
        assert time.monotonic() < until, "the replica is not used"
        c.query("ROLLBACK")
        time.sleep(0.1)


def test_a_transaction_of_one_snapshot_lives_on_the_replica(proxy):
    sql = READ.format(evaluation(21))
    with Raw(proxy.port, "app_trust") as c:
        begin_on_replica(proxy, c, sql)
        for allowed in ("SET LOCAL statement_timeout = 5000", "SAVEPOINT a", f"DECLARE r CURSOR FOR {sql}", "FETCH r", "CLOSE r",
                        "SELECT random(), clock_timestamp() > now()", "SELECT relname FROM pg_class LIMIT 1"):
            assert not error(c.query(allowed)), allowed
        assert error(c.query("DELETE FROM users"))["M"] == "cannot execute DELETE in a read-only transaction"
        c.query("ROLLBACK")
        assert not error(c.query("UPDATE users SET updated_at = updated_at WHERE false"))


@pytest.mark.parametrize("sql", ["SELECT pg_advisory_lock(77)", "DECLARE r CURSOR WITH HOLD FOR SELECT 1", "NOTIFY anybody",
                                 "COMMIT AND CHAIN", "COMMIT; BEGIN"])
def test_what_only_the_primary_can_do_in_such_a_transaction(start, own, sql):
    proxy = start(UNCACHED, on=own)
    read = READ.format(evaluation(22))
    with Raw(proxy.port, "app_trust") as c:
        begin_on_replica(proxy, c, read)
        assert error(c.query(sql))["C"] == "40001"
        assert error(c.query("SELECT 1"))["C"] == "25P02"
        c.query("ROLLBACK")
        c.query(SNAPSHOT)
        assert by_source(proxy, lambda: c.query(read)) == {"primary": 1}
        assert not error(c.query(sql))
        c.query("COMMIT")
        if "lock" in sql:
            assert own.primary.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 77") == "1"


def test_an_error_of_a_standby_is_the_primarys_to_answer(proxy):
    """0A000, cannot access unlogged relations during recovery: the client must not hear of it."""
    with Raw(proxy.port, "app_trust") as c:
        for _ in range(4):
            assert rows(c.query("SELECT n FROM unlogged")) == [[b"5"]]
            assert rows(c.extended("SELECT n FROM unlogged WHERE n = $1", [b"5"], types=(23,))) == [[b"5"]]


def test_an_error_of_the_query_itself_is_told(proxy):
    with Raw(proxy.port, "app_trust") as c:
        for _ in range(3):
            assert error(c.query(f"SELECT 1/(health_score - health_score) FROM business_evaluations "
                                 f"WHERE id = '{evaluation(2)}'"))["C"] == "22012"
            assert error(c.query("SELECT nothing FROM business_evaluations"))["C"] == "42703"
            assert rows(c.query("SELECT 2")) == [[b"2"]]


class Readers:
    """Clients that read until told to stop; every answer is checked, every fault kept."""

    def __init__(self, proxy, count=5):
        self.proxy, self.faults, self.reads, self.end = proxy, [], 0, threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(k,)) for k in range(count)]

    def work(self, seed):
        n = seed
        try:
            with Raw(self.proxy.port, "app_trust", timeout=30) as c:
                while not self.end.is_set():
                    n = n % 300 + 1
                    answer = c.query(READ.format(evaluation(n)))
                    if error(answer) or rows(answer)[0][0] != evaluation(n).encode():
                        self.faults.append(answer)
                    self.reads += 1
        except Exception as fault:
            self.faults.append(repr(fault))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        for thread in self.threads:
            thread.join(40)


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGINT])
def test_a_killed_replica_is_noticed_by_nobody(proxy, own, how):
    with Raw(proxy.port, "app_trust") as c:
        until_replica_answers(proxy, c)
        with Readers(proxy) as readers:
            time.sleep(0.5)
            own.replica.stop(how)
            time.sleep(1.5)
            before = readers.reads
            time.sleep(0.5)
            assert readers.reads > before, "nobody is answered"
            assert "replica" not in by_source(proxy, lambda: c.query(READ.format(evaluation(1))))
        own.replica.start()
        assert readers.faults == []
        until_replica_answers(proxy, c, 30)


def test_a_replica_that_hangs_holds_up_new_reads_only_briefly(proxy, own):
    """Stopped, not dead: its sockets stay open. The health check has to see it."""
    with Raw(proxy.port, "app_trust", timeout=60) as c:
        until_replica_answers(proxy, c)
        own.replica.process.kill(signal.SIGSTOP)
        pids = own_pids(own)
        try:
            for pid in pids:
                stop(pid, signal.SIGSTOP)
            until = time.monotonic() + 20
            while "replica" in {n["role"] for n in proxy.admin("SHOW NODES") if is_up(n)}:
                assert time.monotonic() < until, "a node that says nothing is still up"
                time.sleep(0.2)
            with Raw(proxy.port, "app_trust", timeout=10) as fresh:
                assert len(rows(fresh.query(READ.format(evaluation(1))))) == 1
        finally:
            for pid in pids:
                stop(pid, signal.SIGCONT)
            own.replica.process.kill(signal.SIGCONT)
        until_replica_answers(proxy, c, 30)


def stop(pid, sig):
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass


def own_pids(cluster):
    """The children of the replica's postmaster."""
    parent, found = str(cluster.replica.process.pid), []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            if stat.read_text().rsplit(")", 1)[1].split()[1] == parent:
                found.append(int(stat.parent.name))
        except (OSError, IndexError):
            pass
    return found


def test_a_replica_that_lags_is_not_used(start, own):
    proxy = start({**UNCACHED, "databases": {"app": {"max_lag": "1s"}}}, on=own)
    with Raw(proxy.port, "app_trust") as c:
        until_replica_answers(proxy, c)
        own.replica.sql("SELECT pg_wal_replay_pause()", database="postgres")
        try:
            c.query(f"UPDATE business_evaluations SET data_version = 4711 WHERE id = '{evaluation(8)}'")
            sql = f"SELECT data_version FROM business_evaluations WHERE id = '{evaluation(8)}'"
            for _ in range(20):
                assert rows(c.query(sql)) == [[b"4711"]]
        finally:
            own.replica.sql("SELECT pg_wal_replay_resume()", database="postgres")
        until_replica_answers(proxy, c)


def test_the_primary_restarts(start, own):
    proxy = start(UNCACHED, on=own)
    with Raw(proxy.port, "app_trust") as c:
        c.query("UPDATE users SET name = 'before' WHERE id = '%s'" % owner(1))
        own.primary.stop()
        assert error(c.query("UPDATE users SET name = 'nobody' WHERE id = '%s'" % owner(1))) is not None
        own.primary.start()
        until = time.monotonic() + 30
        while True:
            try:
                with psycopg.connect(proxy.url("app_trust"), autocommit=True) as again:
                    again.execute("UPDATE users SET name = 'after' WHERE id = %s", [owner(1)])
                    assert again.execute("SELECT name FROM users WHERE id = %s", [owner(1)]).fetchone() == ("after",)
                break
            except psycopg.Error:
                assert time.monotonic() < until
                time.sleep(0.2)
    with Raw(proxy.port, "app_trust") as c:
        until_replica_answers(proxy, c, 30)
