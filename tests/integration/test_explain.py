"""EXPLAIN ROUTE in whatever way a client asks, and with ANALYZE: the statement is run, and what became of it is told."""
import asyncio
import time

import asyncpg
import psycopg
import psycopg2
import pytest

from wire import SYNC, Raw, bind, describe, error, execute, kinds, message, parse, rows

READ = "SELECT id FROM business_evaluations WHERE id = '{}' AND subscription_tier = 'professional'"


@pytest.fixture(scope="module")
def proxy(start):
    yield start({"auth": {"type": "trust"}, "admin": {"users": ["app", "app_trust"]}})


@pytest.fixture(scope="module")
def read(cluster):
    return READ.format(cluster.primary.sql("SELECT id FROM business_evaluations WHERE subscription_tier = 'professional' LIMIT 1", "app").strip())


@pytest.fixture
def c(proxy):
    with Raw(proxy.port, "app_trust") as client:
        yield client


def told(messages):
    assert not error(messages), error(messages)
    return {k.decode(): v.decode() for k, v in rows(messages) if k}


def test_every_driver_may_ask(proxy):
    sql = "EXPLAIN ROUTE SELECT 1"
    want = ("statements", "select")
    url = proxy.url("app_trust")
    with psycopg.connect(url, autocommit=True) as p:
        assert want in p.execute(sql).fetchall()
        assert want in p.execute(sql, prepare=True).fetchall()
        assert want in p.execute(sql, binary=True).fetchall()
        with p.transaction():
            p.execute("SELECT 1")
            assert want in p.execute(sql).fetchall()
        assert p.execute("SELECT 7").fetchone() == (7,)
    old = psycopg2.connect(url)
    with old.cursor() as cursor:
        cursor.execute(sql)
        assert want in cursor.fetchall()
    old.close()

    async def ask():
        connection = await asyncpg.connect(url)
        try:
            assert want in [tuple(row) for row in await connection.fetch(sql)]
            assert ("answered by", "primary") in [(row[0], row[1].split()[0]) for row in
                                                  await connection.fetch("EXPLAIN ROUTE ANALYZE SELECT 1 FOR UPDATE")]
            prepared = await connection.prepare(sql)
            assert want in [tuple(row) for row in await prepared.fetch()]
            assert await connection.fetchval("SELECT 7") == 7
        finally:
            await connection.close()
    asyncio.run(ask())


def test_it_is_answered_as_the_protocol_has_it(c):
    sql = "EXPLAIN ROUTE SELECT 1"
    first = c.ask(parse(sql, "e"), describe("S", "e"), SYNC)
    assert kinds(first) == "1tTZ"
    assert kinds(c.ask(bind(name="e"), execute(), SYNC)).replace("D", "") == "2CZ"
    assert kinds(c.ask(bind(name="e"), describe("P"), execute(), SYNC)).replace("D", "") == "2TCZ"
    assert kinds(c.ask(parse(sql), bind(), describe("P"), execute(), SYNC)).replace("D", "") == "12TCZ"
    assert kinds(c.query(sql)).replace("D", "") == "TCZ"
    assert kinds(c.ask(parse("EXPLAIN ROUTE"), bind(), execute(), SYNC)) == "EZ"
    assert rows(c.extended("SELECT 7")) == [[b"7"]]


def test_analyze_runs_it(c, read, proxy):
    until = time.monotonic() + 20
    while True:
        found = told(c.query("EXPLAIN ROUTE ANALYZE " + read))
        if found["answered by"] == "the cache":
            break
        assert found["answered by"].split()[0] in ("primary", "replica") and found["rows"] == "1", found
        assert time.monotonic() < until, found
        time.sleep(0.02)
    assert found["operation"].startswith("single_evaluation_fetch") and found["took"].endswith(" ms")
    before = proxy.by_source()["cache"]
    assert rows(c.query(read))
    assert proxy.by_source()["cache"] == before + 1


def test_analyze_writes(c, cluster):
    cluster.primary.sql("CREATE TABLE explained (id int PRIMARY KEY, v int); GRANT ALL ON explained TO app_trust", "app")
    try:
        found = told(c.query("EXPLAIN ROUTE ANALYZE INSERT INTO explained SELECT i, 0 FROM generate_series(1, 5) i"))
        assert found["rows"] == "5" and found["answered by"].startswith("primary"), found
        assert found["why the primary"].endswith("(write)"), found
        c.query("BEGIN")
        assert told(c.query("EXPLAIN ROUTE ANALYZE UPDATE explained SET v = 1 WHERE id < 3"))["rows"] == "2"
        c.query("ROLLBACK")
        assert rows(c.query("SELECT sum(v) FROM explained")) == [[b"0"]]
        found = told(c.ask(parse("EXPLAIN ROUTE ANALYZE DELETE FROM explained WHERE id = 1 RETURNING id"), bind(), describe("P"), execute(), SYNC))
        assert found["rows"] == "1", found
        assert rows(c.query("SELECT count(*) FROM explained")) == [[b"4"]]
        assert kinds(c.ask(parse("EXPLAIN ROUTE ANALYZE SELECT 1", "a"), describe("S", "a"), SYNC)) == "1tTZ"
        assert kinds(c.ask(bind(name="a"), execute(), SYNC)).replace("D", "") == "2CZ"
    finally:
        cluster.primary.sql("DROP TABLE explained", "app")


def test_a_large_answer_is_counted_and_does_not_come(c):
    found = told(c.query("EXPLAIN ROUTE ANALYZE SELECT repeat('x', 1000) FROM generate_series(1, 5000)"))
    assert found["rows"] == "5000" and int(found["bytes"]) > 5_000_000, found


@pytest.mark.parametrize("sql, state", [
    ("EXPLAIN ROUTE ANALYZE SELECT 1/0", "22012"), ("EXPLAIN ROUTE ANALYZE SELECT * FROM missing_table", "42P01"),
    ("EXPLAIN ROUTE ANALYZE COPY users TO STDOUT", "0A000"), ("EXPLAIN ROUTE ANALYZE BEGIN", "0A000"),
    ("EXPLAIN ROUTE ANALYZE SELECT 1; SELECT 2", "0A000"), ("EXPLAIN ROUTE ANALYZE", "0A000"),
    ("EXPLAIN ROUTE ANALYZE CREATE TABLE x ()", "0A000"), ("EXPLAIN ROUTE ANALYZE selec 1", "0A000"),
])
def test_errors(c, sql, state):
    assert error(c.query(sql))["C"] == state
    assert rows(c.query("SELECT 7")) == [[b"7"]]
    assert error(c.ask(parse(sql), bind(), execute(), SYNC))["C"] == state
    assert rows(c.extended("SELECT 7")) == [[b"7"]]
    c.query("BEGIN")
    assert error(c.query(sql))["C"] == state
    assert error(c.query("SELECT 7"))["C"] == "25P02"
    c.query("ROLLBACK")
    assert rows(c.query("SELECT 7")) == [[b"7"]]


def test_a_refusal_fails_the_transaction(c, cluster):
    """As any error does, also where the server has heard of the transaction already."""
    cluster.primary.sql("CREATE TABLE refused (id int); GRANT ALL ON refused TO app_trust", "app")
    try:
        c.query("BEGIN")
        assert not error(c.query("INSERT INTO refused VALUES (1)"))
        assert error(c.query("EXPLAIN ROUTE ANALYZE BEGIN"))["C"] == "0A000"
        assert error(c.query("INSERT INTO refused VALUES (2)"))["C"] == "25P02"
        c.query("COMMIT")
        assert rows(c.query("SELECT count(*) FROM refused")) == [[b"0"]]
    finally:
        cluster.primary.sql("DROP TABLE refused", "app")


def test_parameters_belong_to_no_analyze(c):
    found = error(c.ask(parse("EXPLAIN ROUTE ANALYZE SELECT $1::int"), bind([b"1"]), execute(), SYNC))
    assert found["C"] == "0A000" and "values" in found["H"], found
    assert rows(c.query("SELECT 7")) == [[b"7"]]


def test_the_console_runs_nothing(proxy):
    with Raw(proxy.port, "app_trust", database="pgtier") as console:
        found = error(console.query("EXPLAIN ROUTE ANALYZE SELECT 1"))
        assert found["C"] == "0A000" and "database" in found["H"], found


def test_what_is_sent_behind_it_waits(c, read):
    c.send(message(b"Q", b"EXPLAIN ROUTE ANALYZE " + read.encode() + b"\0") + message(b"Q", b"SELECT 7\0")
           + message(b"Q", b"EXPLAIN ROUTE ANALYZE SELECT 8\0") + message(b"Q", b"SELECT 9\0"))
    told(c.until(b"Z"))
    assert rows(c.until(b"Z")) == [[b"7"]]
    assert told(c.until(b"Z"))["rows"] == "1"
    assert rows(c.until(b"Z")) == [[b"9"]]
