"""Several proxies that share their ledger through Redis: what is written by one is seen by all, whoever of them, or Redis, is away."""
import contextlib
import signal
import threading
import time

import psycopg
import pytest

from cluster import Redis
from kept import is_kept, keep, one
from proxy import Pgtier, sum_by
from rows import evaluation
from wire import Raw, error

LEASE = 2  # seconds
READ = "SELECT data_version FROM business_evaluations WHERE id = '{}' AND subscription_tier IN ('professional', 'enterprise')"
WRITE = "UPDATE business_evaluations SET data_version = data_version + 1 WHERE id = '{}'"


def read(n):
    return READ.format(evaluation(n))


def write(n):
    return WRITE.format(evaluation(n))


def figures(proxy):
    return {name.removeprefix("pgtier_fleet_").removesuffix("_total"): value for name, _, value in proxy.metrics() if name.startswith("pgtier_fleet_")}


def wait_for(condition, within=20, what=""):
    until = time.monotonic() + within
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.05)


def is_open(proxy):
    return sum_by(proxy.metrics(), "pgtier_ledger_open", "database").get("app") == 1


@pytest.fixture
def replicating(cluster):
    cluster.primary.sql("ALTER ROLE app_trust REPLICATION")
    yield
    cluster.primary.sql("ALTER ROLE app_trust NOREPLICATION")


@pytest.fixture
def redis(folder, request):
    place = folder / f"fleet-{request.node.name}"
    place.mkdir(exist_ok=True)
    server = Redis(place)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def fleet(cluster, start_alone, redis):
    """fleet(n): so many members that are open."""
    cluster.primary.sql("UPDATE business_evaluations SET subscription_tier = 'professional' WHERE id IN "
                        f"('{evaluation(1)}', '{evaluation(2)}')", "app")

    def new(count, ready=True, **over):
        settings = {"auth": {"type": "trust"}, "cache": {"store": redis.url, "timeout": "300ms"}, "freshness": {"ledger": "redis"}, **over}
        members = [start_alone(settings, ready=ready) for _ in range(count)]
        for member in members if ready else []:
            wait_for(lambda: is_open(member) and figures(member)["members"] == count)
        return members

    return new


@contextlib.contextmanager
def client(proxy):
    with Raw(proxy.port, "app_trust") as c:
        yield c


def ask(c, sql):
    found = c.query(sql)
    assert not error(found), (sql, error(found))
    return found


def test_what_one_writes_the_other_sees(fleet):
    a, b = fleet(2)
    with client(a) as ca, client(b) as cb:
        for _ in range(20):
            keep(b, cb, read(1))
            value = int(one(cb, read(1)))
            ask(ca, write(1))
            assert int(one(cb, read(1))) == value + 1


def test_what_one_keeps_the_other_uses(fleet):
    a, b = fleet(2)
    with client(a) as ca, client(b) as cb:
        ask(ca, write(1))
        keep(a, ca, read(1))
        assert is_kept(b, cb, read(1))
        ask(cb, write(2))  # of another row
        assert is_kept(a, ca, read(1)) and is_kept(b, cb, read(1))


def test_a_write_under_way_is_known_to_all(fleet):
    a, b = fleet(2)
    with client(a) as ca, client(b) as cb:
        keep(b, cb, read(1))
        ask(ca, "BEGIN")
        ask(ca, write(1))
        assert not is_kept(b, cb, read(1))
        ask(ca, "ROLLBACK")
        wait_for(lambda: is_kept(b, cb, read(1)), what="a write that was rolled back ends nothing")


def test_a_member_that_comes_later_knows_what_is_under_way(fleet, start_alone):
    a, = fleet(1)
    with client(a) as ca:
        value = int(one(ca, read(1)))
        ask(ca, "BEGIN")
        ask(ca, write(1))
        b = Pgtier(a.cluster, a.folder.parent / "later", a.over).start(ready=False)
        try:
            with client(b) as cb:
                wait_for(lambda: figures(b)["members"] == 2)
                assert int(one(cb, read(1))) == value
                ask(ca, "COMMIT")
                assert int(one(cb, read(1))) == value + 1
                wait_for(lambda: is_open(b))
                keep(b, cb, read(1))
        finally:
            b.stop()


def test_one_that_ends_says_so(fleet):
    a, b = fleet(2)
    with client(a) as ca:
        keep(a, ca, read(1))
        b.stop()
        wait_for(lambda: figures(a)["members"] == 1, within=1)
        began = time.monotonic()
        ask(ca, write(1))
        assert time.monotonic() - began < 1 and figures(a)["fenced"] == 0
        keep(a, ca, read(1))


def test_one_that_is_killed_is_found_to_be_gone(fleet):
    a, b = fleet(2)
    with client(a) as ca:
        b.kill()
        ask(ca, write(1))  # waits for its lease
        wait_for(lambda: figures(a)["trusted"] == 0, within=2 * LEASE)
        wait_for(lambda: figures(a)["fenced"] == 1, within=10 * LEASE)
        wait_for(lambda: is_open(a))
        keep(a, ca, read(1))


def test_sql_of_a_replication_connection_is_told_first(fleet, replicating):
    a, b = fleet(2)
    with Raw(a.port, "app_trust", replication="database") as ca, client(b) as cb:
        for _ in range(5):
            keep(b, cb, read(1))
            value = int(one(cb, read(1)))
            ask(ca, write(1))
            assert int(one(cb, read(1))) == value + 1
        assert not error(ca.query("IDENTIFY_SYSTEM"))
        b.process.kill(signal.SIGSTOP)
        try:
            time.sleep(0.2)
            began = time.monotonic()
            ask(ca, write(1) + ";" + write(1))  # once b's lease has run out
            assert 0.5 < time.monotonic() - began < 2 * LEASE + 1
        finally:
            b.process.kill(signal.SIGCONT)
        assert int(one(cb, read(1))) == value + 3
        wait_for(lambda: figures(b)["members"] == 2 and is_open(b) and is_open(a))


def test_one_that_stands_still_is_not_waited_for_and_answers_nothing_old(fleet):
    """What came to it meanwhile is answered when it wakes, by what is true then."""
    a, b = fleet(2)
    with client(a) as ca, client(b) as cb:
        keep(b, cb, read(1))
        value = int(one(ca, read(1)))
        b.process.kill(signal.SIGSTOP)
        try:
            time.sleep(0.2)
            began = time.monotonic()
            ask(ca, write(1))  # once b's lease has run out
            assert 0.5 < time.monotonic() - began < 2 * LEASE + 1
            began = time.monotonic()
            ask(ca, write(1))
            assert time.monotonic() - began < 1
            found = []
            asking = threading.Thread(target=lambda: found.append(int(one(cb, read(1)))))
            asking.start()
            time.sleep(0.2)
        finally:
            b.process.kill(signal.SIGCONT)
        asking.join(20)
        assert found == [value + 2]
        wait_for(lambda: figures(b)["members"] == 2 and is_open(b) and is_open(a))
        assert figures(a)["fenced"] == 0  # it was there all the time
        keep(b, cb, read(1))


@pytest.mark.parametrize("how", ["stands still", "is killed"])
def test_redis_is_away(fleet, redis, how):
    a, b = fleet(2)
    with client(a) as ca, client(b) as cb:
        keep(b, cb, read(1))
        value = int(one(ca, read(1)))
        if how == "is killed":
            redis.process.kill(signal.SIGKILL)
            redis.process.stop()
        else:
            redis.process.kill(signal.SIGSTOP)
        ask(ca, write(1))  # once nobody can rely on anything any more
        assert int(one(cb, read(1))) == value + 1
        began = time.monotonic()
        for _ in range(5):
            ask(ca, write(1))
            ask(cb, write(1))
        assert time.monotonic() - began < 2 and not is_kept(a, ca, read(1))
        if how == "is killed":
            redis.start()
        else:
            redis.process.kill(signal.SIGCONT)
        wait_for(lambda: is_open(a) and is_open(b))
        assert int(one(cb, read(1))) == value + 11
        keep(b, cb, read(1))
        ask(ca, write(1))
        assert int(one(cb, read(1))) == value + 12


def test_started_without_redis_it_reads_and_does_not_write(fleet, redis):
    redis.stop()
    a, = fleet(1, ready=False, pool={"wait_timeout": "1s"})
    with client(a) as ca:
        wait_for(lambda: not error(ca.query(read(1))))
        found = error(ca.query(write(1)))
        assert found["C"] == "57P03" and "Redis" in found["H"]
        ask(ca, read(1))
        ask(ca, "BEGIN")
        assert error(ca.query(write(1)))["C"] == "57P03"
        assert error(ca.query(read(1)))["C"] == "25P02"
        ask(ca, "ROLLBACK")
        redis.start()
        wait_for(lambda: is_open(a), within=10)
        ask(ca, write(1))


def test_a_write_that_waits_is_cancelled(fleet):
    """In a transaction, that goes on to its ROLLBACK; nothing of it comes late."""
    a, b = fleet(2)
    b.process.kill(signal.SIGSTOP)
    try:
        with psycopg.connect(a.url("app_trust")) as c:
            value = c.execute(read(1)).fetchone()[0]
            threading.Timer(0.3, c.cancel).start()
            with pytest.raises(psycopg.errors.QueryCanceled):
                c.execute(write(1))
            with pytest.raises(psycopg.errors.InFailedSqlTransaction):
                c.execute(read(1))
            c.rollback()
            time.sleep(LEASE)
            assert c.execute(read(1)).fetchone()[0] == value
    finally:
        b.process.kill(signal.SIGCONT)


def test_all_that_the_fleet_has_is_taken_from_redis(fleet, redis):
    """Evicted, or flushed by hand: the members begin anew."""
    a, b = fleet(2)
    with client(a) as ca, client(b) as cb:
        for what in "FLUSHALL", "members", "log", "":
            keep(b, cb, read(1))
            value = int(one(ca, read(1)))
            if what == "FLUSHALL":
                redis.cli("FLUSHALL")
            else:
                key, = [k for k in redis.keys("pgtier:fleet:*") if k.endswith(f":{what}" if what else "}")]
                redis.cli("DEL", key)
            ask(ca, write(1))
            assert int(one(cb, read(1))) == value + 1
            wait_for(lambda: is_open(a) and is_open(b) and figures(a)["members"] == figures(b)["members"] == 2)


def test_what_was_noted_before_all_was_taken_is_nothing(fleet, redis):
    """Positions of another epoch say nothing of this one, however many of them there were."""
    a, b = fleet(2)
    with client(a) as ca, client(b) as cb:
        for _ in range(50):
            ask(ca, write(1))
        prepare(ca, 1, "epoch")
        redis.cli("FLUSHALL")
        wait_for(lambda: figures(a)["members"] == figures(b)["members"] == 2)
        ask(cb, "COMMIT PREPARED 'epoch'")
        wait_for(lambda: is_open(a) and is_open(b))
        prepare(cb, 2, "epoch")
        value = int(keep(b, cb, read(2))[0][0])
        assert is_kept(a, ca, read(2))
        ask(ca, "COMMIT PREPARED 'epoch'")
        assert int(one(ca, read(2))) == int(one(cb, read(2))) == value + 1


def test_rules_of_their_own(cluster, fleet, start_alone):
    """A member whose relations have other dimensions counts every write of it as one of everything."""
    a, = fleet(1)
    b = start_alone({**a.over, "relations": {"business_evaluations": {"dimensions": ["user_id"], "unique": []}}}, ready=False)
    wait_for(lambda: is_open(b) and figures(a)["members"] == 2)
    with client(a) as ca, client(b) as cb:
        keep(a, ca, read(1))
        value = int(one(ca, read(1)))
        ask(cb, f"UPDATE business_evaluations SET data_version = data_version + 1 WHERE user_id = (SELECT user_id FROM business_evaluations "
                f"WHERE id = '{evaluation(1)}')")
        assert int(one(ca, read(1))) == value + 1
        keep(a, ca, read(1))
        ask(cb, write(2))
        assert not is_kept(a, ca, read(1))


def test_ddl_of_one_is_known_to_the_other(fleet, cluster):
    a, b = fleet(2)
    with client(a) as ca, client(b) as cb:
        try:
            ask(ca, "CREATE TABLE fleet_parent (id int PRIMARY KEY); CREATE TABLE fleet_child (id int PRIMARY KEY, parent int)")
            ask(ca, "CREATE FUNCTION fleet_step() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE business_evaluations SET data_version = "
                    f"data_version + 1 WHERE id = '{evaluation(1)}'; RETURN NEW; END $$")
            wait_for(lambda: "no_catalog" not in b.explain("SELECT id FROM users", "app"))
            ask(cb, "INSERT INTO fleet_parent VALUES (1)")
            keep(a, ca, read(1))
            value = int(one(ca, read(1)))
            ask(ca, "CREATE TRIGGER step AFTER INSERT ON fleet_parent FOR EACH ROW EXECUTE FUNCTION fleet_step()")
            keep(a, ca, read(1), within=40)
            ask(cb, "INSERT INTO fleet_parent VALUES (2)")
            assert int(one(ca, read(1))) == value + 1
        finally:
            cluster.primary.sql("DROP TABLE IF EXISTS fleet_parent, fleet_child; DROP FUNCTION IF EXISTS fleet_step()", "app")


def test_many_at_once(fleet):
    """A counter of all clients of three members: nobody reads less than was acknowledged."""
    members = fleet(3)
    lock, best, faults = threading.Lock(), [0], []
    with client(members[0]) as c:
        best[0] = int(one(c, read(2)))
    end = time.monotonic() + 6

    def work(member, writes):
        try:
            with psycopg.connect(member.url("app_trust"), autocommit=True) as c:
                while time.monotonic() < end:
                    if writes:
                        value = c.execute(write(2) + " RETURNING data_version").fetchone()[0]
                        with lock:
                            best[0] = max(best[0], value)
                    else:
                        with lock:
                            floor = best[0]
                        assert c.execute(read(2)).fetchone()[0] >= floor
        except BaseException as fault:
            faults.append(repr(fault))

    threads = [threading.Thread(target=work, args=(member, i == 0)) for member in members for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not faults


def prepare(c, n, gid):
    for sql in "BEGIN", write(n), f"PREPARE TRANSACTION '{gid}'":
        ask(c, sql)


def test_one_prepares_and_another_commits(fleet):
    a, b = fleet(2)
    with client(a) as ca, client(b) as cb:
        prepare(ca, 1, "fleet")
        value = int(keep(a, ca, read(1))[0][0])
        assert is_kept(b, cb, read(1))
        ask(cb, "COMMIT PREPARED 'fleet'")
        assert int(one(ca, read(1))) == int(one(cb, read(1))) == value + 1


def test_a_name_that_others_have_taken_again_is_another_transaction(fleet):
    a, b = fleet(2)
    with client(a) as ca, client(b) as cb:
        for end in "COMMIT", "ROLLBACK":
            prepare(ca, 1, "again")
            ask(cb, f"{end} PREPARED 'again'")
            prepare(cb, 2, "again")
            value = int(keep(b, cb, read(2))[0][0])
            assert is_kept(a, ca, read(2))
            ask(ca, "COMMIT PREPARED 'again'")
            assert int(one(ca, read(2))) == int(one(cb, read(2))) == value + 1
