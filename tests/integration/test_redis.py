"""Redis as it is run: a Unix socket, users with passwords, Sentinels and a master that changes; bounds of a class; entries removed by hand."""
import signal
import subprocess
import time

import pytest

from cluster import Process, Redis, free_port
from kept import is_kept, keep
from proxy import check_file
from rows import evaluation, owner
from wire import Raw, error, rows

READ = "SELECT id, user_id, professional_data FROM business_evaluations WHERE id = '{}' AND user_id = '{}' AND subscription_tier IN ('professional', 'enterprise')"


def read(n):
    return READ.format(evaluation(n), owner(n))


class Server(Redis):
    """One with settings of its own."""

    def __init__(self, folder, name, *words):
        (folder / name).mkdir(exist_ok=True)
        super().__init__(folder / name)
        self.words = words

    def start(self):
        self.process = Process("redis", ["redis-server", *self.own(), "--dir", str(self.folder)], self.folder / "log")
        until = time.monotonic() + 20
        while self.cli("PING", check=False) not in ("PONG", "NOAUTH Authentication required."):
            assert time.monotonic() < until and self.process.alive(), (self.folder / "log").read_text()
            time.sleep(0.05)

    def own(self):
        return ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", *self.words]


class Sentinel(Server):
    def __init__(self, folder, name, master):
        super().__init__(folder, name)
        self.conf = self.folder / "sentinel.conf"
        self.conf.write_text(f"port {self.port}\nbind 127.0.0.1\ndir {self.folder}\nsentinel monitor there 127.0.0.1 {master} 1\n"
                             "sentinel down-after-milliseconds there 500\nsentinel failover-timeout there 2000\n", encoding="ascii")

    def start(self):
        self.process = Process("redis", ["redis-server", str(self.conf), "--sentinel"], self.folder / "log")
        until = time.monotonic() + 20
        while self.cli("PING", check=False) != "PONG":
            assert time.monotonic() < until and self.process.alive(), (self.folder / "log").read_text()
            time.sleep(0.05)


@pytest.fixture
def servers(folder):
    started = []

    def new(server):
        server.start()
        started.append(server)
        return server

    yield new
    for server in started:
        server.stop()


def state(proxy):
    return {row["class"]: row for row in proxy.admin("CACHE STATS")}


def with_store(start, store, **classes):
    return start({"auth": {"type": "trust"}, "cache": {"store": store, "timeout": "300ms", **({"classes": classes} if classes else {})}})


def test_a_unix_socket(start, servers, folder):
    path = folder / "r.sock"
    server = servers(Server(folder, "socketed", "--unixsocket", str(path)))
    proxy = with_store(start, f"redis://{str(path).replace('/', '%2F')}/1")
    with Raw(proxy.port, "app_trust") as c:
        keep(proxy, c, read(1))
    assert server.cli("-n", "1", "DBSIZE") != "0"


def test_users_and_passwords(start, servers, folder):
    server = servers(Server(folder, "guarded", "--requirepass", "all", "--user", "keeper", "on", ">s3cret", "~*", "+@all"))
    proxy = with_store(start, f"redis://keeper:s3cret@127.0.0.1:{server.port}/0")
    with Raw(proxy.port, "app_trust") as c:
        keep(proxy, c, read(1))
    proxy.stop()
    wrong = with_store(start, f"redis://keeper:wrong@127.0.0.1:{server.port}/0")
    with Raw(wrong.port, "app_trust") as c:
        assert not error(c.query(read(1)))
        assert state(wrong)["professional_evaluation"]["store"] == "redis (away)"
    assert "WRONGPASS" in wrong.tail(200) and "wrong@" not in wrong.tail(200)


def test_no_tls(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text("databases: { a: { primary: 'postgresql://a@h/a' } }\nauth: { type: trust }\ncache: { store: 'rediss://h:6379' }\n", encoding="ascii")
    status, said = check_file(file, "check")
    assert status == 1 and "TLS" in said, said


def test_sentinels_tell_the_master(start, servers, folder):
    master = servers(Server(folder, "master"))
    replica = servers(Server(folder, "replica", "--replicaof", "127.0.0.1", str(master.port)))
    sentinel = servers(Sentinel(folder, "sentinel", master.port))
    gone = free_port()
    proxy = with_store(start, f"redis://127.0.0.1:{gone}/0?master=there&sentinels=127.0.0.1:{gone},127.0.0.1:{sentinel.port}")
    with Raw(proxy.port, "app_trust") as c:
        keep(proxy, c, read(1))
        assert master.keys("prof_eval:*")
        until = time.monotonic() + 20
        while f":{replica.port}" not in sentinel.cli("SENTINEL", "REPLICAS", "there").replace("\n", ":"):
            assert time.monotonic() < until
            time.sleep(0.1)
        master.process.kill(signal.SIGKILL)
        keep(proxy, c, read(2), within=40)
        assert replica.cli("ROLE").splitlines()[0] == "master" and replica.keys("prof_eval:*")
        # What was the master comes back as a replica, and is left alone.
        assert not error(c.query(read(3)))


def sizes(server, pattern):
    return sum(int(server.cli("STRLEN", key)) for key in server.keys(pattern))


def test_a_class_has_its_bound_in_redis(start, servers, folder):
    server = servers(Server(folder, "bounded"))
    key = {"key": "prof_eval:{user_id}:{id}", "ttl": "1h", "tier": ["professional", "enterprise"], "max_size": "64kB"}
    proxy = with_store(start, server.url, professional_evaluation=key)
    with Raw(proxy.port, "app_trust") as c:
        keep(proxy, c, read(1))
        for n in range(2, 60):
            for _ in range(2):
                assert not error(c.query(read(n)))
        until = time.monotonic() + 10
        while sizes(server, "prof_eval:*") > 64 * 1024:
            assert time.monotonic() < until, sizes(server, "prof_eval:*")
            time.sleep(0.1)
        figures = state(proxy)["professional_evaluation"]
        assert int(figures["evicted"]) > 0 and 0 < int(figures["bytes"]) <= 64 * 1024, figures
        assert int(figures["max_size"]) == 64 * 1024
        assert sizes(server, "prof_eval:*") > 16 * 1024


@pytest.mark.parametrize("kind", ["memory", "redis"])
def test_entries_are_removed_by_hand(start, servers, folder, kind):
    server = servers(Server(folder, "swept")) if kind == "redis" else None
    proxy = with_store(start, server.url if server else "memory")
    others = "SELECT avg(health_score) FROM business_evaluations WHERE user_id = '{}'"

    def keep_all():
        for sql in read(1), read(9), others.format(owner(1)), others.format(owner(9)):
            keep(proxy, c, sql)

    def gone(*left):
        """Which are kept after a removal; in Redis it may take a moment."""
        until = time.monotonic() + 10
        while server and len(server.keys("prof_*")) > len(left):
            assert time.monotonic() < until, server.keys("prof_*")
            time.sleep(0.02)

    with Raw(proxy.port, "app_trust") as c:
        keep_all()
        figures = state(proxy)["professional_evaluation"]
        assert int(figures["hits"]) > 0 and float(figures["saved_ms"]) > 0, figures
        removed = proxy.admin("CACHE FLUSH professional_evaluation")
        gone(1, 2)
        if not server:
            assert [int(row["removed"]) for row in removed] == [2]
        assert not is_kept(proxy, c, read(1)) and is_kept(proxy, c, others.format(owner(1)))
        keep_all()
        proxy.admin(f"CACHE FLUSH user_id={owner(1)}")
        gone(1, 2)
        assert not is_kept(proxy, c, others.format(owner(1))) and is_kept(proxy, c, others.format(owner(9)))
        assert is_kept(proxy, c, read(9)) and not is_kept(proxy, c, read(1))
        keep_all()
        proxy.admin(f"CACHE FLUSH professional_evaluation id='{evaluation(9)}' user_id = {owner(9)}")
        gone(1, 2, 3)
        assert not is_kept(proxy, c, read(9)) and is_kept(proxy, c, read(1))
        keep_all()
        proxy.admin("CACHE FLUSH")
        gone()
        assert not is_kept(proxy, c, others.format(owner(9)))


@pytest.mark.parametrize("text, state", [
    ("CACHE", "42601"), ("CACHE FLUSH nothing", "42704"), ("CACHE FLUSH professional_evaluation nothing=7", "42703"),
    ("CACHE FLUSH status=7", "42703"), ("CACHE FLUSH user_id=", "42601"), ("CACHE FLUSH user_id=7 professional_evaluation", "42601"),
    ("CACHE STATS x", "42601"), ("CACHE FLUSH user_id='" + "x" * 300 + "'", "42601"),
])
def test_wrong_commands(start, text, state):
    proxy = start({"auth": {"type": "trust"}, "admin": {"users": ["app", "app_trust"]}})
    with Raw(proxy.port, "app_trust", database="pgtier") as console:
        assert error(console.query(text))["C"] == state
        assert rows(console.query("CACHE STATS"))


def test_keys_are_found_by_people(start, servers, folder):
    server = servers(Server(folder, "looked-at"))
    proxy = with_store(start, server.url)
    with Raw(proxy.port, "app_trust") as c:
        keep(proxy, c, read(1))
    found = subprocess.run(["redis-cli", "-p", str(server.port), "--scan", "--pattern", f"prof_eval:{owner(1)}:*"],
                           text=True, capture_output=True, check=True).stdout.split()
    assert len(found) == 1 and found[0].startswith(f"prof_eval:{owner(1)}:{evaluation(1)}:")
