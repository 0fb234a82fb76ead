"""Pools: size, waiting, timeouts, session and transaction mode, login to servers."""
import socket
import threading
import time

import psycopg
import pytest

from rows import evaluation
from wire import Raw, error, message, rows


def backends(cluster, user="app_trust"):
    return int(cluster.primary.sql(
        f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{user}' AND backend_type = 'client backend'"))


def pool(**values):
    return {"auth": {"type": "trust"}, "pool": values}


def sleep(seconds, tag=0):
    # volatile, so that it goes to the primary
    return message(b"Q", f"SELECT pg_sleep({seconds})::text, {tag}\0".encode())


def test_no_more_servers_than_the_pool_has(start_alone, cluster):
    proxy = start_alone(pool(mode="transaction", size=3))
    clients = [Raw(proxy.port, "app_trust") for _ in range(10)]
    most = 0
    try:
        began = time.monotonic()
        for client in clients:
            client.send(sleep(0.5))
        for _ in range(5):
            most = max(most, backends(cluster))
            time.sleep(0.1)
        for client in clients:
            assert rows(client.until(b"Z")) == [[b"", b"0"]]
        assert 1.8 < time.monotonic() - began < 6  # four rounds of three
        assert most == 3
    finally:
        for client in clients:
            client.socket.close()


def test_waiters_are_served_in_their_order(start_alone):
    proxy = start_alone(pool(mode="transaction", size=1))
    clients = [Raw(proxy.port, "app_trust") for _ in range(8)]
    served, lock = [], threading.Lock()

    def wait(k):
        clients[k].until(b"Z")
        with lock:
            served.append(k)

    threads = [threading.Thread(target=wait, args=(k,)) for k in range(8)]
    for k, client in enumerate(clients):
        client.send(sleep(0.15))
        threads[k].start()
        time.sleep(0.03)
    for thread in threads:
        thread.join(20)
    assert served == list(range(8))
    for client in clients:
        client.socket.close()


def test_wait_timeout_is_an_error_and_not_the_end(start_alone):
    proxy = start_alone(pool(mode="transaction", size=1, wait_timeout="500ms"))
    with Raw(proxy.port, "app_trust") as busy, Raw(proxy.port, "app_trust") as late:
        busy.send(sleep(2))
        time.sleep(0.2)
        began = time.monotonic()
        late.send(sleep(0))
        found = error(late.until(b"Z"))
        assert found and found["C"] == "53300", found
        assert 0.3 < time.monotonic() - began < 1.5
        busy.until(b"Z")
        if found["S"] == "ERROR":
            assert rows(late.query("SELECT 1")) == [[b"1"]]


def test_a_client_that_leaves_while_waiting_takes_nothing_along(start_alone):
    proxy = start_alone(pool(mode="transaction", size=1))
    with Raw(proxy.port, "app_trust") as busy:
        busy.send(sleep(0.6))
        time.sleep(0.1)
        for _ in range(5):
            gone = Raw(proxy.port, "app_trust")
            gone.send(sleep(5))
            gone.socket.close()
        busy.until(b"Z")
        began = time.monotonic()
        with Raw(proxy.port, "app_trust") as c:
            assert rows(c.query("SELECT 1")) == [[b"1"]]
        assert time.monotonic() - began < 2


def test_idle_servers_are_closed(start_alone, cluster):
    proxy = start_alone(pool(mode="transaction", size=5, idle_timeout="1s"))
    clients = [Raw(proxy.port, "app_trust") for _ in range(5)]
    for client in clients:
        client.send(sleep(0.2))
    for client in clients:
        client.until(b"Z")
    assert backends(cluster) == 5
    until = time.monotonic() + 8
    while backends(cluster) and time.monotonic() < until:
        time.sleep(0.2)
    assert backends(cluster) == 0
    assert rows(clients[0].query("SELECT pg_sleep(0)::text, 2")) == [[b"", b"2"]]
    for client in clients:
        client.socket.close()


def test_a_server_that_was_terminated_is_replaced(start_alone, cluster):
    proxy = start_alone(pool(mode="transaction", size=2))
    with Raw(proxy.port, "app_trust") as c:
        for _ in range(3):
            assert rows(c.query("SELECT pg_sleep(0)::text, 1")) == [[b"", b"1"]]
            cluster.primary.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app_trust'")
            time.sleep(0.2)
        c.send(sleep(10))
        time.sleep(0.3)
        cluster.primary.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app_trust'")
        found = error(c.until(b"Z"))
        assert found["C"] in ("57P01", "08006", "08003"), found


def test_session_mode_keeps_the_server(start_alone):
    proxy = start_alone(pool(mode="session", size=5))
    with Raw(proxy.port, "app_trust") as a, Raw(proxy.port, "app_trust") as b:
        a.query("CREATE TEMP TABLE mine (n int)")
        a.query("INSERT INTO mine VALUES (5)")
        a.query("SELECT pg_advisory_lock(77)")
        for _ in range(3):
            assert rows(a.query("SELECT n FROM mine")) == [[b"5"]]
        assert error(b.query("SELECT n FROM mine"))["C"] == "42P01"
        assert rows(b.query("SELECT pg_try_advisory_lock(77)")) == [[b"f"]]
    until = time.monotonic() + 5
    with Raw(proxy.port, "app_trust") as c:
        # the next owner finds nothing of the one before
        while rows(c.query("SELECT pg_try_advisory_lock(77)")) != [[b"t"]]:
            assert time.monotonic() < until, "the lock of a client that has gone is still held"
            time.sleep(0.1)
        assert error(c.query("SELECT n FROM mine"))["C"] == "42P01"


@pytest.mark.parametrize("user", ["app", "app_md5", "app_trust"])
@pytest.mark.parametrize("kind", ["trust", "scram-sha-256"])
def test_login_to_servers(start_alone, user, kind):
    """scram, md5 and trust are what the servers ask of these users, whatever the client had to do."""
    proxy = start_alone({"auth": {"type": kind}})
    with proxy.connect(user, autocommit=True) as c:
        assert c.execute("SELECT current_user, count(*) FROM business_evaluations").fetchone() == (user, 1000)
        assert str(c.execute("SELECT id FROM business_evaluations WHERE id = %s", [evaluation(3)]).fetchone()[0]) \
            == evaluation(3)


def test_a_server_that_refuses_the_login(start_alone):
    """The client hears what the server said, and the proxy does not hang."""
    proxy = start_alone({"auth": {"type": "scram-sha-256", "users": [
        {"name": "app", "password": "not-what-the-server-has"}]}, "admin": {"users": ["app"]}},
        ready=False)
    with pytest.raises(psycopg.Error) as found:
        with psycopg.connect(proxy.url("app", password="not-what-the-server-has"), connect_timeout=10) as c:
            c.execute("SELECT pg_sleep(0)")
    assert "password authentication failed" in str(found.value)


def test_a_primary_that_is_not_there(start_alone, cluster):
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        url = cluster.primary.url().replace(str(cluster.primary.port), str(hole.getsockname()[1]))
        proxy = start_alone({"auth": {"type": "trust"}, "pool": {"wait_timeout": "2s"},
                       "databases": {"app": {"primary": url, "replicas": None}}}, ready=False)
        began = time.monotonic()
        with pytest.raises(psycopg.Error):
            with proxy.connect("app_trust") as c:
                c.execute("SELECT pg_sleep(0)")
        assert time.monotonic() - began < 15


def test_two_thousand_idle_clients(start_alone):
    proxy = start_alone({"auth": {"type": "trust"}, "listen": {"max_clients": 3000}})
    before = proxy.rss()
    clients = []
    try:
        for _ in range(2000):
            clients.append(Raw(proxy.port, "app_trust"))
        for client in clients[::100]:
            assert rows(client.query("SELECT 1")) == [[b"1"]]
        each = (proxy.rss() - before) / 2000
        print(f"\n2000 idle clients: {each / 1024:.1f} kB each")
        assert each < 64 * 1024  # under sanitizers too; bench/idle.sh measures a release build
    finally:
        for client in clients:
            client.socket.close()
