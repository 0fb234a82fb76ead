"""What a topology tells of a real primary and real replicas that are killed, stopped, delayed and promoted."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import psycopg
import pytest

from cluster import Cluster, Postgres, as_postgres, free_port, pg_bin, run
from proxy import REPORTS, binary

PAGE, PAGE_HEADER = 8192, 24


def driver():
    path = os.environ.get("TOPOLOGY_WATCH") or str(pathlib.Path(binary()).parent / "tests/topology_watch")
    assert os.access(path, os.X_OK), f"no topology_watch at {path}"
    return path


class Watcher:
    """tests/integration/topology_watch.c on these URLs; `lines` is all that it has said."""

    def __init__(self, folder, *urls):
        self.errors = open(folder / f"watch-{time.monotonic_ns()}.log", "w+", encoding="utf8")
        self.child = subprocess.Popen([driver(), *urls], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=self.errors, text=True, start_new_session=True)
        self.lines, self.seen, self.news = [], 0, threading.Condition()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.child.stdout:
            with self.news:
                self.lines.append(line.rstrip("\n"))
                self.news.notify_all()

    def say(self, text):
        self.child.stdin.write(text + "\n")
        self.child.stdin.flush()

    def next(self, pattern, timeout=20):
        """The match of the first line not looked at yet that matches; those before it are skipped."""
        until = time.monotonic() + timeout
        with self.news:
            while True:
                while self.seen < len(self.lines):
                    self.seen += 1
                    if found := re.search(pattern, self.lines[self.seen - 1]):
                        return found
                left = until - time.monotonic()
                assert left > 0 and self.child.poll() is None, f"no {pattern} in {self.lines}\n{self.log()}"
                self.news.wait(left)

    def none(self, pattern, within):
        """No such line comes in that time."""
        with self.news:
            start = self.seen
        time.sleep(within)
        with self.news:
            assert not [line for line in self.lines[start:] if re.search(pattern, line)], self.lines

    def log(self):
        self.errors.flush()
        return pathlib.Path(self.errors.name).read_text(encoding="utf8")

    def lsn(self):
        self.say("lsn")
        return int(self.next(r"^told (\d+)")[1])

    def node(self, i):
        self.say("nodes")
        text = self.next(rf"^node {i} (up|down) instance")[0]
        line = next(line for line in reversed(self.lines) if line.startswith(text))
        fields = dict(re.findall(r"(\w+)=(\S*)", line))
        return fields | {"up": line.split()[2] == "up", "trouble": line.partition("trouble=")[2]}

    def choose(self, lsn, max_lag_ms=1000):
        self.say(f"choose {lsn} {max_lag_ms}")
        return self.next(r"^choice (\w+)")[1]

    def until_chosen(self, lsn, max_lag_ms=1000, timeout=20):
        """Seconds until a replica may answer a read that needs `lsn`."""
        began = time.monotonic()
        while self.choose(lsn, max_lag_ms) != "made":
            assert time.monotonic() < began + timeout, self.node(1)
            self.say(f"hurry {lsn}")
            time.sleep(0.005)
        return time.monotonic() - began

    def stop(self):
        with contextlib.suppress(BrokenPipeError):
            self.say("quit")
        self.child.stdin.close()
        status = self.child.wait(20)
        text = self.log()
        self.errors.close()
        assert status == 0 and not REPORTS.search(text), text


@pytest.fixture(scope="module")
def servers(folder):
    both = Cluster(folder / "topology", with_redis=False).start()
    try:
        both.primary.sql("CREATE TABLE watched (i int); GRANT ALL ON watched TO app")
        both.catch_up()
        yield both
    finally:
        both.stop()


@pytest.fixture
def watch(folder):
    started = []

    def new(*urls):
        started.append(Watcher(folder, *urls))
        return started[-1]

    yield new
    for watcher in started:
        watcher.stop()


@pytest.fixture
def watcher(watch, servers):
    one = watch(servers.primary.url(), servers.replica.url())
    one.next(r"^opened")
    one.until_chosen(0)
    return one


def as_number(lsn):
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def insert_lsn(server):
    return as_number(server.sql("SELECT pg_current_wal_insert_lsn()"))


def write(server):
    server.sql("INSERT INTO watched VALUES (1)")


def test_opens_and_tells_the_catalog(watch, servers):
    before = insert_lsn(servers.primary)
    watcher = watch(servers.primary.url(), servers.replica.url())
    assert int(watcher.next(r"^opened (\d+)")[1]) >= before - PAGE_HEADER
    watcher.next(r"^catalog has watched")
    assert watcher.node(0)["up"]
    watcher.until_chosen(before)
    assert watcher.node(1)["address"] == "127.0.0.1"


def test_catalog_is_fetched_when_it_changed(watcher, servers):
    watcher.next(r"^catalog has watched")
    servers.primary.sql("ALTER TABLE watched RENAME TO unwatched")
    watcher.say("catalog")
    watcher.next(r"^catalog lacks watched", timeout=5)
    servers.primary.sql("ALTER TABLE unwatched RENAME TO watched")
    for _ in range(5):
        watcher.say("catalog")
    watcher.next(r"^catalog has watched", timeout=5)


def test_an_lsn_covers_what_was_committed_before(watcher, servers):
    for _ in range(20):
        write(servers.primary)
        known = insert_lsn(servers.primary)
        assert watcher.lsn() >= known - PAGE_HEADER
    watcher.until_chosen(watcher.lsn())


def end_at_a_page(primary):
    """Writes until the log's last record ends with its page; the insert position is behind the next header."""
    with psycopg.connect(primary.url("postgres"), autocommit=True) as db:
        def emit(size):
            db.execute("SELECT pg_logical_emit_message(false, '', repeat('x', %s))", [size])
            return as_number(db.execute("SELECT pg_current_wal_insert_lsn()").fetchone()[0])

        for _ in range(50):
            at = emit(1000)
            after = emit(1000)
            if after // PAGE != at // PAGE or PAGE - after % PAGE < 1500:
                continue
            room = PAGE - after % PAGE
            if emit(1000 + room - (after - at)) % PAGE == PAGE_HEADER:
                return
    pytest.fail("no record ended with its page")


def test_an_idle_standby_arrives_at_a_page_header(watcher, servers):
    end_at_a_page(servers.primary)
    lsn = watcher.lsn()
    assert lsn % PAGE == 0
    watcher.until_chosen(lsn, timeout=3)


def test_an_idle_standby_arrives_at_a_segment(watcher, servers):
    write(servers.primary)
    servers.primary.sql("SELECT pg_switch_wal()")
    lsn = watcher.lsn()
    watcher.until_chosen(lsn, timeout=3)
    assert lsn % (16 << 20) == 0


def test_waits_for_a_backend_to_be_gone(watcher, servers):
    with psycopg.connect(servers.primary.url()) as db:
        db.execute("INSERT INTO watched VALUES (2)")
        watcher.say(f"gone {db.info.backend_pid}")
        watcher.none(r"^told", within=0.7)
        db.commit()
        known = insert_lsn(servers.primary)
        watcher.none(r"^told", within=0.2)
    assert int(watcher.next(r"^told (\d+)")[1]) >= known - PAGE_HEADER
    watcher.say("gone 2147483000")
    watcher.next(r"^told")


@pytest.mark.parametrize("statement", ["INSERT INTO watched VALUES (3)", "LOCK TABLE watched IN ROW EXCLUSIVE MODE"])
def test_opens_only_after_what_ran_has_ended(watch, servers, statement):
    with psycopg.connect(servers.primary.url()) as db:
        db.execute(statement)
        watcher = watch(servers.primary.url())
        watcher.none(r"^opened", within=1.5)
        assert f"pid {db.info.backend_pid} " in watcher.log()
        db.commit()
        watcher.next(r"^opened", timeout=2)


def test_a_later_transaction_does_not_hold_the_opening(watch, servers):
    with psycopg.connect(servers.primary.url()) as first, psycopg.connect(servers.primary.url()) as second:
        first.execute("INSERT INTO watched VALUES (4)")
        watcher = watch(servers.primary.url())
        watcher.next(r"^node 0 is up")
        watcher.none(r"^opened", within=0.3)
        second.execute("INSERT INTO watched VALUES (5)")
        first.commit()
        watcher.next(r"^opened", timeout=2)


def test_a_delayed_replica_is_behind(watcher, servers):
    servers.replica.set("recovery_min_apply_delay", "1s")
    try:
        write(servers.primary)
        lsn = watcher.lsn()
        time.sleep(0.4)
        assert watcher.choose(lsn) == "lag"
        assert int(watcher.node(1)["lag_ms"]) >= 200
        assert watcher.choose(0, max_lag_ms=150) == "lag"
        assert 0.3 < watcher.until_chosen(lsn, timeout=5) < 2
    finally:
        servers.replica.set("recovery_min_apply_delay", "0")
    write(servers.primary)
    assert watcher.until_chosen(watcher.lsn(), timeout=5) < 1.5


def test_a_paused_replay_is_shown(watcher, servers):
    servers.replica.sql("SELECT pg_wal_replay_pause()", database="postgres")
    try:
        time.sleep(0.5)
        write(servers.primary)
        lsn = watcher.lsn()
        time.sleep(0.7)
        assert watcher.node(1)["paused"] == "1"
        assert watcher.choose(lsn) == "lag"
        assert int(watcher.node(1)["lag_ms"]) >= 400
    finally:
        servers.replica.sql("SELECT pg_wal_replay_resume()", database="postgres")
    watcher.until_chosen(lsn, timeout=5)


def test_a_stopped_replica_is_not_asked(watcher, servers):
    os.killpg(servers.replica.process.pid, signal.SIGSTOP)
    children = run(["pgrep", "-P", str(servers.replica.process.pid)]).split()
    for pid in children:
        os.kill(int(pid), signal.SIGSTOP)
    try:
        time.sleep(1.3)
        assert watcher.choose(0, max_lag_ms=1000) == "lag"
        watcher.next(r"^node 1 is down", timeout=10)
        assert "no answer within 5000 ms" in watcher.node(1)["trouble"]
        assert watcher.choose(0) == "none"
    finally:
        for pid in children:
            os.kill(int(pid), signal.SIGCONT)
        os.killpg(servers.replica.process.pid, signal.SIGCONT)
    watcher.next(r"^node 1 is up", timeout=15)
    watcher.until_chosen(watcher.lsn())
    assert watcher.node(1)["instance"] == "1"


def test_a_killed_replica_comes_back_as_another_instance(watcher, servers):
    servers.replica.stop(signal.SIGQUIT)
    watcher.next(r"^node 1 is down", timeout=5)
    assert watcher.choose(0) == "none"
    node = watcher.node(1)
    assert node["lsn"] == "0" and node["losses"] == "1"
    servers.replica.start()
    watcher.next(r"^node 1 is up", timeout=15)
    watcher.until_chosen(watcher.lsn())
    assert watcher.node(1)["instance"] == "2"


def test_a_lost_connection_to_the_same_instance(watcher, servers):
    kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'pgtier control %'"
    write(servers.primary)
    assert int(servers.primary.sql(kill)) >= 2
    watcher.next(r"^shut", timeout=5)
    watcher.next(r"^opened", timeout=5)
    assert "terminating connection due to administrator command" in watcher.log()
    assert watcher.node(0)["instance"] == "1"
    watcher.until_chosen(watcher.lsn())


def test_a_killed_primary_shuts_and_opens_again(watcher, servers):
    write(servers.primary)
    os.kill(servers.primary.process.pid, signal.SIGKILL)
    watcher.next(r"^shut", timeout=5)
    servers.primary.stop(signal.SIGKILL)
    watcher.say("lsn")
    watcher.say("gone 1234567")
    watcher.none(r"^told", within=0.5)
    assert not watcher.node(0)["up"]
    start_killed(servers.primary)
    for _ in range(2):
        watcher.next(r"^told", timeout=15)
    if not any(line.startswith("opened") for line in watcher.lines[watcher.seen - 2:]):
        watcher.next(r"^opened", timeout=5)
    assert watcher.node(0)["instance"] == "2"
    write(servers.primary)
    watcher.until_chosen(watcher.lsn())


def start_killed(server, timeout=20):
    """A killed postmaster's children hold the shared memory until they have found out."""
    until = time.monotonic() + timeout
    while True:
        server.start(wait=False)
        try:
            server.wait()
            return
        except RuntimeError:
            assert time.monotonic() < until
            time.sleep(0.1)


def test_a_standby_is_no_primary(watch, servers):
    watcher = watch(servers.replica.url(), servers.primary.url())
    time.sleep(1)
    assert "standby" in watcher.node(0)["trouble"] and "not in recovery" in watcher.node(1)["trouble"]
    watcher.none(r"^opened|is up", within=0.5)
    watcher.say("lsn")
    watcher.none(r"^told", within=0.3)


def test_a_wrong_password_is_told(watch, servers):
    watcher = watch(servers.primary.url().replace("app-secret", "wrong"), servers.replica.url())
    time.sleep(0.7)
    assert "password authentication failed" in watcher.node(0)["trouble"]


class Relay:
    """A port that leads to whichever server it is turned to, as an address that moves in a failover."""

    def __init__(self, target):
        self.target, self.sockets = target, []
        self.server = socket.create_server(("127.0.0.1", free_port()))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.server.accept()[0]
                try:
                    target = socket.create_connection(("127.0.0.1", self.target))
                except OSError:
                    client.close()
                    continue
                self.sockets += [client, target]
                for a, b in (client, target), (target, client):
                    threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    @staticmethod
    def pump(source, to):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                to.sendall(data)
        with contextlib.suppress(OSError):
            to.shutdown(socket.SHUT_RDWR)

    def turn(self, target):
        self.target = target
        for one in self.sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.server.close()
        self.turn(1)


def test_a_failover_leaves_replicas_of_the_old_timeline_out(watch, servers, folder):
    other = Postgres("other", folder / "topology")
    run(as_postgres([pg_bin("pg_basebackup"), "-R", "-X", "stream", "-c", "fast", "-D", str(other.data), "-d",
                     servers.primary.url("postgres", "")]), cwd=folder / "topology")
    other.start()
    relay = Relay(servers.primary.port)
    try:
        url = servers.primary.url().replace(f":{servers.primary.port}/", f":{relay.port}/")
        watcher = watch(url, other.url())
        watcher.next(r"^opened")
        watcher.until_chosen(watcher.lsn())
        servers.replica.sql("SELECT pg_promote()", database="postgres")
        for _ in range(5):
            write(servers.primary)  # of the history that is about to be lost
        servers.primary.sql("SELECT pg_switch_wal()")
        time.sleep(0.5)
        relay.turn(servers.replica.port)
        watcher.next(r"^shut")
        floor = int(watcher.next(r"^opened (\d+)")[1])
        assert as_number(other.sql("SELECT pg_last_wal_replay_lsn()")) > floor
        assert watcher.choose(floor) == "none"
        watcher.none(r"^choice made|node 1 is up", within=0.5)
        assert "timeline 1, the primary writes 2" in watcher.node(1)["trouble"]
        assert int(watcher.node(0)["instance"]) > 1
    finally:
        relay.close()
        other.stop()
        shutil.rmtree(other.data, ignore_errors=True)
