"""Replication connections through pgtier: PostgreSQL's own programs, and what else goes on meanwhile."""
import os
import signal
import subprocess
import time

import pytest

from cluster import PASSWORDS, Process, pg_bin, run
from rows import evaluation, owner
from wire import Raw, cancel, error, kinds, message, rows, startup_packet

READ = "SELECT id, user_id, subscription_tier, professional_data, health_score, confidence_score, created_at " \
       f"FROM business_evaluations WHERE id = '{evaluation(1)}' AND user_id = '{owner(1)}' " \
       "AND subscription_tier IN ('professional', 'enterprise')"


@pytest.fixture(scope="module")
def proxy(start):
    users = [{"name": name, "password": PASSWORDS.get(name, "none")} for name in ("app", "app_trust", "postgres")]
    return start({"auth": {"type": "trust", "users": users}, "pool": {"mode": "transaction", "size": 2}})


def address(proxy, *more):
    return ["-h", "127.0.0.1", "-p", str(proxy.port), "-U", "postgres", *more]


def pinned(proxy):
    return [row["pinned"] for row in proxy.admin("SHOW CLIENTS") if row["user"] == "postgres"]


def until(true, what, timeout=20):
    end = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def caches(proxy, c):
    """True once the same read is answered by the cache."""
    c.query(READ)
    before = proxy.by_source().get("cache", 0)
    c.query(READ)
    return proxy.by_source().get("cache", 0) > before


@pytest.mark.parametrize("wal", ["stream", "fetch", "none"])
def test_basebackup(proxy, folder, wal):
    target = folder / f"backup-{wal}"
    run([pg_bin("pg_basebackup"), *address(proxy), "-D", str(target), "-X", wal, "-c", "fast", "-P"])
    assert (target / "PG_VERSION").read_text().strip() == "15"
    if wal != "none":
        run([pg_bin("pg_verifybackup"), str(target)])
    until(lambda: not pinned(proxy), "a server of the backup is still there")


def test_basebackup_to_standard_output(proxy):
    """Some hundred MB as one tar, read slowly at first."""
    with subprocess.Popen([pg_bin("pg_basebackup"), *address(proxy), "-D", "-", "-F", "t", "-X", "none", "-c", "fast"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as backup:
        time.sleep(1)
        before = proxy.rss()
        size = len(backup.stdout.read())
        assert backup.wait(60) == 0, backup.stderr.read()
    assert size > 20_000_000 and proxy.rss() - before < 64_000_000


def test_receivewal(proxy, cluster, folder):
    """Written while it runs, seen as pinned, and the cache goes on."""
    target = folder / "wal"
    target.mkdir()
    receiver = Process("pg_receivewal", [pg_bin("pg_receivewal"), *address(proxy), "-D", str(target), "-v"],
                       folder / "receivewal.log")
    try:
        until(lambda: pinned(proxy) == ["replication"], "it is not shown as pinned")
        with Raw(proxy.port, "app_trust") as c:
            until(lambda: caches(proxy, c), "the cache does not answer beside replication")
        cluster.primary.sql("SELECT pg_switch_wal()", database="postgres")
        cluster.primary.sql("CREATE TABLE received (n int); DROP TABLE received; SELECT pg_switch_wal()")
        until(lambda: [path for path in target.iterdir() if path.suffix == "" and path.stat().st_size],
              "no segment was received")
        assert receiver.alive()
    finally:
        assert receiver.stop(signal.SIGINT) == 0, (folder / "receivewal.log").read_text()
    until(lambda: not pinned(proxy), "it is still shown")
    senders = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_receivewal'"
    until(lambda: cluster.primary.sql(senders) == "0", "its server is still there")


def test_recvlogical(proxy, cluster, folder):
    out = folder / "changes"
    words = [pg_bin("pg_recvlogical"), *address(proxy, "-d", "app", "-S", "through")]
    cluster.primary.sql("DROP TABLE IF EXISTS logged; CREATE TABLE logged (n int)", "app")
    run([*words, "--create-slot", "-P", "test_decoding"])
    receiver = Process("pg_recvlogical", [*words, "--start", "-f", str(out), "-F", "1"], folder / "recvlogical.log")
    try:
        with Raw(proxy.port, "app_trust") as c:
            c.query("INSERT INTO logged VALUES (4711)")
            until(lambda: out.exists() and "4711" in out.read_text(), "the change did not come")
            assert pinned(proxy) == ["replication"]
            until(lambda: caches(proxy, c), "the cache does not answer beside replication")
    finally:
        assert receiver.stop(signal.SIGINT) == 0, (folder / "recvlogical.log").read_text()
    until(lambda: not pinned(proxy), "it is still shown")
    run([*words, "--drop-slot"])
    assert cluster.primary.sql("SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'through'") == "0"


def test_what_a_logical_one_writes_is_seen(proxy, cluster):
    """SQL of a logical connection reaches the ledger: a cached answer is not old after it."""
    change = f"UPDATE business_evaluations SET health_score = health_score + 1 WHERE id = '{evaluation(1)}'"
    with Raw(proxy.port, "app_trust") as c, Raw(proxy.port, "postgres", replication="database") as logical:
        until(lambda: caches(proxy, c), "the cache does not answer")
        before = rows(c.query(READ))
        assert error(logical.query(change)) is None
        assert rows(c.query(READ)) != before
        logical.query("BEGIN")
        logical.query(change)
        during = rows(c.query(READ))
        logical.query("COMMIT")
        after = rows(c.query(READ))
        assert after != during
        cluster.primary.sql(f"UPDATE business_evaluations SET health_score = health_score - 2 "
                            f"WHERE id = '{evaluation(1)}'")


@pytest.mark.parametrize("parameters", [
    {"replication": "true", "database": "nowhere"},
    {"replication": "1", "database": ""},
    {"replication": "ye", "application_name": "who", "options": "-c datestyle=german"},
    {"replication": "database"},
    {"replication": "false"},
    {"replication": "database", "database": "nowhere"},
    {"replication": "maybe"},
    {"replication": "true", "TimeZone": "nope"},
    {"replication": "database", "options": "-c x=1"},
], ids=range(9))
def test_logins_are_as_directly(proxy, cluster, parameters):
    def told(port):
        with Raw(port) as c:
            c.send(startup_packet("postgres", **{"database": "app", **parameters}))
            said = c.until(b"Z")
            failed = error(said)
            if failed:
                return {field: failed.get(field) for field in "SCMDH"}
            answers = [error(c.query(sql)) for sql in ("SELECT 1", "SHOW server_version", "IDENTIFY_SYSTEM")]
            return c.parameters, [answer and answer["M"] for answer in answers], len(c.key)

    assert told(proxy.port) == told(cluster.primary.port)


def test_its_key_tells_the_server_and_cancels_it(proxy, cluster):
    with Raw(proxy.port, "postgres", replication="database") as c:
        assert rows(c.query("SELECT pg_backend_pid()")) == [[str(c.key[0]).encode()]]
        c.send(message(b"Q", b"SELECT pg_sleep(30)\0"))
        time.sleep(0.3)
        cancel(proxy.port, *c.key)
        assert error(c.until(b"Z"))["C"] == "57014"


def test_pools_are_not_used_up(proxy):
    """Many at once, of a pool of two: the others go on."""
    held = [Raw(proxy.port, "postgres", replication="true") for _ in range(4)]
    try:
        with Raw(proxy.port, "app_trust") as c, Raw(proxy.port, "postgres") as same:
            assert rows(c.query("SELECT 1")) == rows(same.query("SELECT 1")) == [[b"1"]]
        assert pinned(proxy).count("replication") == 4
        for c in held:
            assert "D" in kinds(c.query("IDENTIFY_SYSTEM"))
    finally:
        for c in held:
            c.socket.close()
    until(lambda: not pinned(proxy), "they are still shown")


def test_a_server_that_ends_ends_it(proxy, cluster):
    with Raw(proxy.port, "postgres", replication="true") as c:
        os.kill(c.key[0], signal.SIGTERM)
        assert error(c.until(b"Z"))["C"] == "57P01"
        assert c.at_end()
