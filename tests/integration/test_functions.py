"""Functions of one's own: what the rules call safe may be read on a replica, where nothing is written by it; the others are the primary's."""
import time

import pytest

from wire import Raw, error, rows

SCHEMA = """
CREATE TABLE gauge (id int PRIMARY KEY, v int);
INSERT INTO gauge VALUES (1, 0);
CREATE FUNCTION reading() RETURNS int LANGUAGE plpgsql VOLATILE AS $$BEGIN RETURN (SELECT v FROM public.gauge WHERE id = 1); END$$;
CREATE FUNCTION other_reading() RETURNS int LANGUAGE plpgsql STABLE AS $$BEGIN RETURN (SELECT v FROM public.gauge WHERE id = 1); END$$;
CREATE FUNCTION counted() RETURNS int LANGUAGE sql VOLATILE AS 'UPDATE public.gauge SET v = v + 1 RETURNING v';
GRANT ALL ON gauge TO app_trust;
"""


@pytest.fixture(scope="module")
def proxy(start, cluster):
    cluster.primary.sql(SCHEMA, "app")
    cluster.catch_up()
    yield start({"auth": {"type": "trust"}, "functions": {"safe": ["reading", "public.other_reading"]}})
    cluster.primary.sql("DROP TABLE gauge; DROP FUNCTION reading, other_reading, counted", "app")


def source(proxy, work):
    before = proxy.by_source()
    work()
    return [k for k, v in proxy.by_source().items() if v != before.get(k, 0)]


def on_a_replica(proxy, c, sql):
    until = time.monotonic() + 20
    while source(proxy, lambda: c.query(sql)) != ["replica"]:
        assert time.monotonic() < until, rows(c.query("EXPLAIN ROUTE " + sql))
        time.sleep(0.02)


@pytest.mark.parametrize("sql", ["SELECT reading()", "SELECT public.reading()", "SELECT public.other_reading()", "SELECT id, reading() FROM gauge"])
def test_a_safe_one_may_run_on_a_replica(proxy, sql):
    with Raw(proxy.port, "app_trust") as c:
        on_a_replica(proxy, c, sql)
        on_a_replica(proxy, c, "SELECT 1")  # and leaves nothing behind


@pytest.mark.parametrize("sql", ["SELECT counted()", "SELECT other_reading()", "SELECT reading(), counted()"])
def test_any_other_is_the_primarys(proxy, sql):
    with Raw(proxy.port, "app_trust") as c:
        for _ in range(5):
            assert source(proxy, lambda: c.query(sql)) == ["primary"]


def test_what_it_reads_is_never_old(proxy):
    with Raw(proxy.port, "app_trust") as a, Raw(proxy.port, "app_trust") as b:
        for n in range(100, 200):
            assert not error(a.query(f"UPDATE gauge SET v = {n} WHERE id = 1"))
            assert rows(b.query("SELECT reading()")) == [[str(n).encode()]]
