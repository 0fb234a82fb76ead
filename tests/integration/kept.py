"""Whether answers are kept, for tests that look at it from outside."""
import time

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
