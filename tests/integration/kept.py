"""Whether answers are kept, for tests that look at it from outside."""
import subprocess
import time

from proxy import binary
from wire import error, rows


def ask(client, sql):
    found = client.query(sql)
    assert not error(found), (sql, error(found))
    return rows(found)


def one(client, sql):
    """The first value of the answer; None where it has no row."""
    found = ask(client, sql)
    return found[0][0] if found else None


def is_kept(proxy, client, sql):
    before = proxy.by_source().get("cache", 0)
    ask(client, sql)
    return proxy.by_source().get("cache", 0) > before


def keep(proxy, client, sql, within=20):
    """Asks until the cache answers; returns its rows."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        before = proxy.by_source().get("cache", 0)
        found = ask(client, sql)
        if proxy.by_source().get("cache", 0) > before:
            return found
        time.sleep(0.02)
    raise AssertionError(f"never kept: {sql}\n{rows(client.query('EXPLAIN ROUTE ' + sql))}")


def until(ask, good, within=20):
    """What `ask` returns, once it is good."""
    end = time.monotonic() + within
    while not good(found := ask()):
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found


def changes(c, sql, before, within=5):
    until = time.monotonic() + within
    while one(c, sql) == before:
        assert time.monotonic() < until, f"{sql} is still {before}"
        time.sleep(0.002)


def feed(proxy, cluster, what):
    """By the superuser, who owns the tables."""
    text = proxy.conf.read_text(encoding="utf-8").replace(cluster.primary.url("app"), cluster.primary.url("postgres"))
    file = proxy.conf.parent / "feed.yaml"
    file.write_text(text, encoding="utf-8")
    done = subprocess.run([binary(), "feed", what, str(file)], text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout
