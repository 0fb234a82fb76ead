"""What the tests of drivers share: few servers, more clients, and the same test on a direct connection."""
import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

import psycopg
import pytest

HERE = pathlib.Path(__file__).parent
DATABASE = "drivers"
SERVERS = 3
PATIENCE = 60


@pytest.fixture(scope="session")
def database(cluster):
    """A database of its own for what drivers create."""
    cluster.primary.sql(f"CREATE DATABASE {DATABASE} OWNER app", database="postgres")
    cluster.primary.sql("CREATE DATABASE copied OWNER app", database="postgres")
    cluster.catch_up()
    return DATABASE


@pytest.fixture(scope="module")
def few(start, cluster, database):
    """pgtier with few servers, and a crowd that keeps them in motion."""
    def entry(name):
        return {"primary": cluster.primary.url(database=name), "max_lag": "30s",
                "replicas": [{"url": cluster.replica.url(database=name), "priority": 1}]}

    proxy = start({"databases": {name: entry(name) for name in (database, "copied")},
                   "pool": {"mode": "transaction", "size": SERVERS, "wait_timeout": "10s"}})
    url = proxy.url(database=database)
    crowd = subprocess.Popen([sys.executable, str(HERE / "crowd.py"), url], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert crowd.stdout.readline() == "ready\n"
        with psycopg.connect(url, autocommit=True) as client:
            met, until = set(), time.monotonic() + PATIENCE
            while len(met) < 2 and time.monotonic() < until:
                met |= {client.execute("SELECT pg_backend_pid()").fetchone()[0] for _ in range(100)}
        assert len(met) > 1, "a client always meets the same server: nothing is tested"
        yield proxy
    finally:
        faults, _ = crowd.communicate(timeout=60)
    assert crowd.returncode == 0, faults


@pytest.fixture(params=["direct", "pgtier"])
def url(request, cluster, database):
    """The same test straight at the primary, and through pgtier."""
    if request.param == "direct":
        yield cluster.primary.url(database=database)
        return
    proxy = request.getfixturevalue("few")
    with watched(proxy.port):
        yield proxy.url(database=database)


@contextlib.contextmanager
def watched(port, patience=PATIENCE):
    """Ends this process's connections to a port where they are held for too long: a test must not hang."""
    timer = threading.Timer(patience, hang_up, [port])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def hang_up(port):
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            with socket.socket(fileno=os.dup(int(fd))) as s:
                if s.getpeername()[1] == port:
                    s.shutdown(socket.SHUT_RDWR)


def program(argv, timeout=PATIENCE, check=True, **kwargs):
    """Runs a program to its end: what it wrote. Fails with all that it said."""
    done = subprocess.run(argv, text=True, capture_output=True, timeout=timeout, check=False,
                          stdin=None if "input" in kwargs else subprocess.DEVNULL, **kwargs)
    assert not check or done.returncode == 0, f"{argv} ended with {done.returncode}:\n{done.stdout[-6000:]}{done.stderr[-6000:]}"
    return done


def npm_ci(folder):
    """Installs what a folder's lock file pins, unless that very lock is installed."""
    lock, mark = (folder / "package-lock.json").read_bytes(), folder / "node_modules/.pgtier-lock"
    if not mark.exists() or mark.read_bytes() != lock:
        program(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], timeout=300, cwd=folder)
        mark.write_bytes(lock)
