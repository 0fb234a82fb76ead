"""What is large streams through with bounded memory."""
import os
import signal
import threading
import time

import pytest

from wire import Raw, bind, error, execute, kinds, message, parse, rows, SYNC

MB = 1 << 20


@pytest.fixture(scope="module")
def proxy(start, cluster):
    cluster.primary.sql("DROP TABLE IF EXISTS large_copy; CREATE TABLE large_copy (n int, t text)", "app")
    return start({"auth": {"type": "trust"}})


class Watch:
    """The most memory that pgtier had above what it had at the start, looked at 20 times a second."""

    def __init__(self, proxy):
        self.proxy, self.most, self.stop = proxy, 0, threading.Event()
        self.base = proxy.rss()
        self.thread = threading.Thread(target=self.look)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        print(f"{self.most / MB:.0f} MB above {self.base / MB:.0f} MB")

    def look(self):
        while not self.stop.wait(0.05):
            self.most = max(self.most, self.proxy.rss() - self.base)


@pytest.mark.parametrize("how, count, size", [("many rows", 2000, 100_000), ("few rows", 4, 50_000_000)])
@pytest.mark.parametrize("extended", [False, True])
def test_200_MB_to_a_client_that_reads_slowly(proxy, how, count, size, extended):
    sql = f"SELECT repeat('x', {size}) FROM generate_series(1, {count})"
    with Raw(proxy.port, "app_trust") as c, Watch(proxy) as watch:
        c.send(parse(sql) + bind() + execute() + SYNC if extended else message(b"Q", sql.encode() + b"\0"))
        time.sleep(1.5)  # nothing is read: all that is in flight has to stand still somewhere
        got, wanted, pause = 0, count * size, 0.01
        tail = b""
        while got < wanted or not tail.endswith(b"Z\0\0\0\5I"):
            part = c.socket.recv(1 << 18)
            assert part, "closed"
            got += len(part)
            tail = (tail + part)[-16:]
            if got < wanted / 20:
                time.sleep(pause)
        assert rows(c.query("SELECT 1")) == [[b"1"]]
    assert watch.most < 48 * MB, f"{watch.most / MB:.0f} MB"


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("size", [10, 100_000])
def test_500_MB_to_a_client_that_does_not_read(proxy, size, extended):
    sql = f"SELECT repeat('x', {size}) FROM generate_series(1, {500_000_000 // (size + 11)})"
    with Raw(proxy.port, "app_trust") as other, Watch(proxy) as watch:
        with Raw(proxy.port, "app_trust") as c:
            c.send(parse(sql) + bind() + execute() + SYNC if extended else message(b"Q", sql.encode() + b"\0"))
            time.sleep(1)  # longer than the kernel's buffers last
            for _ in range(20):
                c.read(100_000)
                assert rows(other.query("SELECT 1")) == [[b"1"]]
            time.sleep(0.5)
        until = time.monotonic() + 10
        while any(int(pool["taken"]) for pool in proxy.admin("SHOW POOLS")):
            assert time.monotonic() < until, "the server of a client that has gone is still taken"
            time.sleep(0.1)
        assert rows(other.query("SELECT 1")) == [[b"1"]]
    assert watch.most < 48 * MB, f"{watch.most / MB:.0f} MB"


def trickle(c, data, slow=1000, chunk=4000):
    """The first bytes and the last few one by one, the others in small pieces."""
    for at in range(slow):
        c.send(data[at:at + 1])
        if at % 10 == 0:
            time.sleep(0.001)
    for at in range(slow, len(data) - 20, chunk):
        c.send(data[at:min(at + chunk, len(data) - 20)])
    for at in range(len(data) - 20, len(data)):
        time.sleep(0.001)
        c.send(data[at:at + 1])


@pytest.mark.parametrize("extended", [False, True])
def test_50_MB_that_come_slowly(proxy, extended):
    value = b"x" * (50 * MB)
    whole = message(b"Q", b"SELECT length('" + value + b"')\0")
    if extended:
        whole = parse("SELECT length($1)") + bind([value]) + execute() + SYNC
    with Raw(proxy.port, "app_trust", timeout=120) as c, Raw(proxy.port, "app_trust") as other, Watch(proxy) as watch:
        trickle(c, whole)
        answer = c.until(b"Z")
        assert error(answer) is None and rows(answer) == [[str(50 * MB).encode()]]
        assert rows(c.query("SELECT 1")) == rows(other.query("SELECT 1")) == [[b"1"]]
    assert watch.most < 48 * MB, f"{watch.most / MB:.0f} MB"


def test_a_slow_reader_holds_nobody_up(proxy):
    with Raw(proxy.port, "app_trust") as slow, Raw(proxy.port, "app_trust") as c:
        slow.send(message(b"Q", b"SELECT repeat('x', 100000) FROM generate_series(1, 1000)\0"))
        time.sleep(0.3)
        for n in range(50):
            began = time.monotonic()
            assert rows(c.query(f"SELECT {n}")) == [[str(n).encode()]]
            assert time.monotonic() - began < 2


@pytest.mark.parametrize("extended", [False, True])
def test_50_MB_of_query(proxy, extended):
    text = "x" * (50 * MB)
    with Raw(proxy.port, "app_trust", timeout=120) as c, Watch(proxy) as watch:
        if extended:
            answer = c.extended("SELECT length($1)", [text.encode()])
        else:
            answer = c.query(f"SELECT length('{text}')")
        assert error(answer) is None
        assert rows(answer) == [[str(50 * MB).encode()]]
        assert rows(c.query("SELECT 1")) == [[b"1"]]
    assert watch.most < 48 * MB, f"{watch.most / MB:.0f} MB"


def test_30_MB_of_copy(proxy, cluster):
    line = b"17\t" + b"y" * 997 + b"\n"
    chunk = b"".join(message(b"d", line * 30) for _ in range(10))
    with Raw(proxy.port, "app_trust", timeout=120) as c, Watch(proxy) as watch:
        c.send(message(b"Q", b"COPY large_copy FROM STDIN\0"))
        assert kinds(c.until(b"G"))[-1] == "G"
        for _ in range(100):
            c.send(chunk)
        c.send(message(b"c"))
        answer = c.until(b"Z")
        assert (b"C", b"COPY 30000\0") in answer
        c.send(message(b"Q", b"COPY large_copy TO STDOUT\0"))
        size = 0
        while True:
            kind, body = c.next()
            size += len(body) if kind == b"d" else 0
            if kind == b"Z":
                break
        assert size == 30000 * len(line)
    assert watch.most < 48 * MB, f"{watch.most / MB:.0f} MB"
    assert cluster.primary.sql("SELECT count(*) FROM large_copy") == "30000"


@pytest.mark.parametrize("extended", [False, True])
def test_100_MB_of_copy_to_a_slow_server(proxy, cluster, extended):
    """The client sends as fast as it is let, the server takes 20 ms for each MB."""
    cluster.primary.sql("DROP TABLE IF EXISTS large_slow; CREATE TABLE large_slow (t text);"
                        "CREATE OR REPLACE FUNCTION large_slowly() RETURNS trigger LANGUAGE plpgsql AS "
                        "'BEGIN PERFORM pg_sleep(0.02); NEW.t = md5(NEW.t); RETURN NEW; END';"
                        "CREATE TRIGGER slowly BEFORE INSERT ON large_slow FOR EACH ROW "
                        "EXECUTE FUNCTION large_slowly()", "app")
    sql = "COPY large_slow FROM STDIN"
    row = message(b"d", b"c" * (MB - 1) + b"\n")
    with Raw(proxy.port, "app_trust", timeout=60) as c, Watch(proxy) as watch:
        c.send(parse(sql) + bind() + execute() + message(b"H") if extended else message(b"Q", sql.encode() + b"\0"))
        assert kinds(c.until(b"G"))[-1] == "G"
        for _ in range(100):
            c.send(row)
        c.send(message(b"c") + (SYNC if extended else b""))
        answer = c.until(b"Z")
        assert error(answer) is None and (b"C", b"COPY 100\0") in answer
    assert watch.most < 48 * MB, f"{watch.most / MB:.0f} MB"
    assert cluster.primary.sql("SELECT count(*), count(DISTINCT t) FROM large_slow") == "100|1"


def test_copy_to_a_server_that_does_not_read(proxy, cluster):
    """The backend is stopped; what the client pushes must not pile up in the proxy."""
    line = b"1\t" + b"z" * 9997 + b"\n"
    with Raw(proxy.port, "app_trust", timeout=5) as c, Watch(proxy) as watch:
        c.send(message(b"Q", b"COPY large_copy FROM STDIN\0"))
        assert kinds(c.until(b"G"))[-1] == "G"
        backend = int(cluster.primary.sql("SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY large_copy FROM%'"))
        os.kill(backend, signal.SIGSTOP)
        try:
            pushed = 0
            with pytest.raises(TimeoutError):
                while pushed < 200 * MB:
                    c.send(message(b"d", line * 10))
                    pushed += len(line) * 10
        finally:
            os.kill(backend, signal.SIGCONT)
        assert watch.most < 48 * MB, f"{watch.most / MB:.0f} MB"
