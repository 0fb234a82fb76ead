"""asyncpg, unmodified, over few servers and straight at the primary: binary throughout."""
import asyncio
import datetime
import decimal
import functools
import io
import ipaddress
import json
import uuid

import asyncpg
import pytest

PATIENCE = 50


def driven(test):
    """A coroutine as a test, which gets connect(): connections that are closed at its end."""
    @functools.wraps(test)
    def run(url, **kwargs):
        async def main():
            opened = []

            async def connect(**words):
                opened.append(await asyncpg.connect(url, timeout=30, **words))
                return opened[-1]

            try:
                c = await connect()
                await c.execute("DROP TABLE IF EXISTS ap_rows; CREATE TABLE ap_rows (n int PRIMARY KEY, t text, j jsonb, b bytea)")
                await asyncio.wait_for(test(connect, **kwargs), PATIENCE)
            finally:
                for c in opened:
                    if not c.is_closed():
                        await c.close(timeout=10)
        asyncio.run(main())
    del run.__wrapped__   # pytest looks at the arguments: it gives `url` and those of parametrize
    return run


@driven
async def test_fetching(connect):
    c = await connect()
    assert await c.fetchval("SELECT $1::int + 1", 41) == 42
    assert [r["n"] for r in await c.fetch("SELECT n FROM generate_series(1, $1) n", 500)] == list(range(1, 501))
    row = await c.fetchrow("SELECT 1 AS a, 'x' AS b, NULL AS c")
    assert dict(row) == {"a": 1, "b": "x", "c": None}
    assert await c.fetchrow("SELECT 1 WHERE $1", False) is None
    assert await c.execute("INSERT INTO ap_rows (n) VALUES (1), (2), (3)") == "INSERT 0 3"
    assert await c.execute("UPDATE ap_rows SET t = 'x' WHERE n > $1", 1) == "UPDATE 2"
    assert await c.execute("SELECT 1; SELECT 2; SELECT 3, 4") == "SELECT 1"


def cached(size):
    async def body(connect):
        clients = [await connect(statement_cache_size=size) for _ in range(6)]
        for turn in range(25):
            for k, c in enumerate(clients):
                assert await c.fetchval(f"SELECT $1::int * 2 + {turn % 4}", turn) == turn * 2 + turn % 4
                assert await c.fetchval("SELECT $1::text || $2", f"client {k}", "!") == f"client {k}!"
    return body


def test_statement_cache(url):
    driven(cached(100))(url)


def test_no_statement_cache(url):
    driven(cached(0))(url)


def test_small_statement_cache(url):
    driven(cached(2))(url)


@driven
async def test_prepared_statement(connect):
    c, d = await connect(), await connect()
    statements = [await k.prepare(f"SELECT $1::int4 + {n}, $2::text") for n, k in enumerate((c, d))]
    assert [p.name for p in statements[0].get_parameters()] == ["int4", "text"]
    assert [a.type.name for a in statements[1].get_attributes()] == ["int4", "text"]
    for turn in range(20):
        for n, statement in enumerate(statements):
            assert tuple(await statement.fetchrow(turn, str(turn))) == (turn + n, str(turn))
    assert (await statements[0].explain(1, "x"))[0]["Plan"]["Node Type"] == "Result"
    with pytest.raises(asyncpg.UndefinedTableError):
        await c.prepare("SELECT * FROM nowhere")
    assert await statements[0].fetchval(1, "x") == 1


@driven
async def test_executemany(connect):
    c = await connect()
    await c.executemany("INSERT INTO ap_rows (n, t) VALUES ($1, $2)", [(n, f"t{n}") for n in range(2000)])
    assert await c.fetchval("SELECT count(*) FROM ap_rows WHERE t = 't' || n") == 2000
    with pytest.raises(asyncpg.UniqueViolationError):   # one transaction: nothing of it stays
        await c.executemany("INSERT INTO ap_rows (n) VALUES ($1)", [(5000,), (5001,), (1,)])
    assert await c.fetchval("SELECT count(*) FROM ap_rows WHERE n >= 5000") == 0


@driven
async def test_cursors(connect):
    c = await connect()
    async with c.transaction():
        assert [r[0] async for r in c.cursor("SELECT n FROM generate_series(1, $1) n", 300, prefetch=7)] == list(range(1, 301))
        cursor = await c.cursor("SELECT n FROM generate_series(1, 100) n")
        assert await cursor.forward(10) == 10
        assert (await cursor.fetchrow())[0] == 11
        assert [r[0] for r in await cursor.fetch(3)] == [12, 13, 14]
        statement = await c.prepare("SELECT $1::text || n FROM generate_series(1, 20) n")
        two = [statement.cursor(w, prefetch=3).__aiter__() for w in ("a", "b")]
        for n in range(1, 21):
            assert [(await k.__anext__())[0] for k in two] == [f"a{n}", f"b{n}"]
    with pytest.raises(asyncpg.NoActiveSQLTransactionError):
        await c.cursor("SELECT 1")


@driven
async def test_transactions(connect):
    c, d = await connect(), await connect()
    async with c.transaction():
        await c.execute("INSERT INTO ap_rows (n) VALUES (1)")
        with pytest.raises(asyncpg.DivisionByZeroError):
            async with c.transaction():
                await c.execute("INSERT INTO ap_rows (n) VALUES (2)")
                await c.fetchval("SELECT 1 / $1", 0)
        async with c.transaction():
            await c.execute("INSERT INTO ap_rows (n) VALUES (3)")
        assert await d.fetchval("SELECT count(*) FROM ap_rows") == 0
    assert await d.fetchval("SELECT array_agg(n ORDER BY n) FROM ap_rows") == [1, 3]
    for level in "serializable", "repeatable_read", "read_committed":
        async with c.transaction(isolation=level, readonly=True):
            assert await c.fetchval("SHOW transaction_isolation") == level.replace("_", " ")
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                async with c.transaction():
                    await c.execute("DELETE FROM ap_rows")
    transaction = c.transaction()
    await transaction.start()
    await c.execute("INSERT INTO ap_rows (n) VALUES (9)")
    await transaction.rollback()
    assert await d.fetchval("SELECT count(*) FROM ap_rows") == 2


@driven
async def test_serialization_failure(connect):
    c, d = await connect(), await connect()
    await c.execute("INSERT INTO ap_rows (n, t) VALUES (1, 'x')")
    with pytest.raises(asyncpg.SerializationError):
        async with d.transaction(isolation="repeatable_read"):
            assert await d.fetchval("SELECT t FROM ap_rows WHERE n = 1") == "x"
            await c.execute("UPDATE ap_rows SET t = 'c' WHERE n = 1")
            await d.execute("UPDATE ap_rows SET t = 'd' WHERE n = 1")
    assert await d.fetchval("SELECT t FROM ap_rows WHERE n = 1") == "c"


@driven
async def test_copy(connect):
    c, d = await connect(), await connect()
    records = [(n, None if n % 7 == 0 else f"é\t{n}", bytes([n % 256]) * (n % 40)) for n in range(3000)]
    assert await c.copy_records_to_table("ap_rows", records=records, columns=["n", "t", "b"]) == "COPY 3000"
    for how in "binary", "csv", "text":
        out = io.BytesIO()
        assert await d.copy_from_query("SELECT n, t, b FROM ap_rows ORDER BY n", output=out, format=how) == "COPY 3000"
        await c.execute("TRUNCATE ap_rows")
        out.seek(0)
        assert await c.copy_to_table("ap_rows", source=out, columns=["n", "t", "b"], format=how) == "COPY 3000"
        assert [tuple(r) for r in await d.fetch("SELECT n, t, b FROM ap_rows ORDER BY n")] == records
    out = io.BytesIO()
    await d.copy_from_table("ap_rows", output=out, columns=["n"], format="csv")
    assert len(out.getvalue().split()) == 3000
    with pytest.raises(asyncpg.UniqueViolationError):
        await c.copy_records_to_table("ap_rows", records=[(1, "x", b"")], columns=["n", "t", "b"])
    with pytest.raises(asyncpg.BadCopyFileFormatError):
        await c.copy_to_table("ap_rows", source=io.BytesIO(b"1\n"), columns=["n", "t"])
    assert await c.fetchval("SELECT 1") == 1


@driven
async def test_listeners(connect):
    c, d = await connect(), await connect()
    heard = asyncio.Queue()

    def hear(connection, pid, channel, payload):
        heard.put_nowait((channel, payload))

    await c.add_listener("ap_news", hear)
    await c.add_listener("ap Other", hear)
    for n in range(5):
        await d.execute("SELECT pg_notify($1, $2)", "ap_news", str(n))
        assert await asyncio.wait_for(heard.get(), 10) == ("ap_news", str(n))
    await d.execute("NOTIFY \"ap Other\", 'x'")
    assert await asyncio.wait_for(heard.get(), 10) == ("ap Other", "x")
    await c.remove_listener("ap_news", hear)
    await d.execute("NOTIFY ap_news")
    await d.execute("NOTIFY \"ap Other\", 'y'")
    assert await asyncio.wait_for(heard.get(), 10) == ("ap Other", "y")
    await c.remove_listener("ap Other", hear)


@driven
async def test_notices(connect):
    c = await connect()
    heard = []
    c.add_log_listener(lambda _, message: heard.append((message.severity, message.message)))
    await c.execute("DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$")
    await c.fetchval("SELECT 1")
    await asyncio.sleep(0)
    assert heard == [("NOTICE", "one"), ("WARNING", "two")]


def test_pool(url):
    """Ten connections and thirty tasks; each connection is reset when it is given back."""
    async def main():
        async def setup(c):
            await c.execute("SET application_name = 'pooled'")

        async def init(c):
            await c.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")

        async with asyncpg.create_pool(url, min_size=3, max_size=10, init=init, setup=setup) as pool:
            await pool.execute("DROP TABLE IF EXISTS ap_pool; CREATE TABLE ap_pool (who int, n int, j jsonb)")

            async def work(who):
                for n in range(10):
                    async with pool.acquire() as c:
                        assert await c.fetchval("SHOW application_name") == "pooled"
                        assert await c.fetchval("SHOW work_mem") == "4MB"
                        await c.execute(f"SET work_mem = '{who + 5}MB'")
                        assert await c.fetchval("SHOW work_mem") == f"{who + 5}MB"
                        async with c.transaction():
                            await c.execute("INSERT INTO ap_pool VALUES ($1, $2, $3)", who, n, {"who": [who, n]})
                    assert await pool.fetchval("SELECT j FROM ap_pool WHERE who = $1 AND n = $2", who, n) == {"who": [who, n]}

            await asyncio.wait_for(asyncio.gather(*(work(who) for who in range(30))), PATIENCE)
            assert await pool.fetchval("SELECT count(*) FROM ap_pool") == 300

    asyncio.run(main())


def test_reset_takes_everything_back(url):
    """Locks, cursors, listeners and settings end with the use of a pool's connection."""
    async def main():
        async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool, asyncpg.create_pool(url, min_size=1, max_size=1) as other:
            async with pool.acquire() as c:
                assert await c.fetchval("SELECT pg_try_advisory_lock(815)")
                await c.execute("LISTEN ap_gone")
                await c.execute("SET datestyle = 'German'")
                await c.execute("BEGIN; DECLARE held CURSOR WITH HOLD FOR SELECT 1; COMMIT")
                assert await other.fetchval("SELECT pg_try_advisory_lock(815)") is False
            async with pool.acquire() as c:
                assert await c.fetchval("SELECT count(*) FROM pg_listening_channels()") == 0
                assert await c.fetchval("SHOW datestyle") == "ISO, MDY"
                assert await c.fetchval("SELECT count(*) FROM pg_cursors WHERE name = 'held'") == 0
            async with other.acquire() as c:
                assert await c.fetchval("SELECT pg_try_advisory_lock(815)")
                assert await c.fetchval("SELECT pg_advisory_unlock(815)")
    asyncio.run(asyncio.wait_for(main(), PATIENCE))


@driven
async def test_types(connect):
    c = await connect()
    values = {"int2": 5, "int8": 2 ** 50, "float4": 1.5, "float8": -0.1, "numeric": decimal.Decimal("123.4500"), "text": "é€", "bytea": b"\0\xff",
              "bool": True, "uuid": uuid.UUID(int=99), "date": datetime.date(2025, 9, 17), "time": datetime.time(1, 2, 3, 4),
              "timestamp": datetime.datetime(2025, 9, 17, 1, 2, 3, 4),
              "timestamptz": datetime.datetime(2025, 9, 17, 1, 2, 3, 4, datetime.timezone.utc), "interval": datetime.timedelta(days=3, seconds=7),
              "int4[]": [1, None, 3], "text[]": ["a", 'b"'], "inet": ipaddress.ip_address("10.0.0.1"), "jsonb": '{"a": 1}', "int4range": asyncpg.Range(1, 5),
              "point": asyncpg.Point(1, 2), "bit(5)": asyncpg.BitString("10101")}
    for _ in range(3):
        for name, value in values.items():
            assert await c.fetchval(f"SELECT $1::{name}", value) == value, name
            assert await c.fetchval(f"SELECT $1::{name}", None) is None
    for special in datetime.date.min, datetime.date.max:
        assert await c.fetchval("SELECT $1::date", special) == special


@driven
async def test_types_made_by_the_application(connect):
    c, d = await connect(), await connect()
    await c.execute("DROP TYPE IF EXISTS ap_pair, ap_mood; DROP DOMAIN IF EXISTS ap_small; CREATE TYPE ap_mood AS ENUM ('sad', 'happy');"
                    "CREATE TYPE ap_pair AS (a int, m ap_mood); CREATE DOMAIN ap_small AS int CHECK (VALUE < 10)")
    for k in c, d:
        assert tuple(await k.fetchval("SELECT $1::ap_pair", (1, "happy"))) == (1, "happy")
        assert [tuple(p) for p in await k.fetchval("SELECT $1::ap_pair[]", [(1, "sad"), (2, None)])] == [(1, "sad"), (2, None)]
        assert await k.fetchval("SELECT $1::ap_small", 9) == 9
        with pytest.raises(asyncpg.CheckViolationError):
            await k.fetchval("SELECT $1::ap_small", 10)
    await d.set_type_codec("ap_mood", encoder=str.lower, decoder=str.upper)
    assert await d.fetchval("SELECT $1::ap_mood", "HAPPY") == "HAPPY"


READS, WRITES = "SELECT * FROM ap_rows WHERE n = $1", "UPDATE ap_rows SET t = 'x' WHERE n = $1 RETURNING *"


async def all_at_once(c, text):
    return (await c.fetch(text, 1))[0]


async def one_row(c, text):
    return await c.fetchrow(text, 1)       # Execute with a limit


async def many_times(c, text):
    await c.executemany(text, [(1,), (1,)])
    return await c.fetchrow(text, 1)


@pytest.mark.parametrize("text", [READS, WRITES], ids=["read", "write"])
@pytest.mark.parametrize("how", [all_at_once, one_row, many_times])
def test_a_changed_table_is_prepared_again(url, text, how):
    """A server answers 0A000 to the old name; asyncpg then prepares again. A row of another form it could not read."""
    async def body(connect):
        for _ in range(3):
            c, d = await connect(), await connect()
            await d.execute("DROP TABLE ap_rows; CREATE TABLE ap_rows (n int PRIMARY KEY, t text); INSERT INTO ap_rows VALUES (1)")
            assert len(await how(c, text)) == 2
            await d.execute("ALTER TABLE ap_rows ADD COLUMN more int DEFAULT 5")
            for _ in range(3):
                assert len(await how(c, text)) == 3
            await d.execute("ALTER TABLE ap_rows ALTER more TYPE text")
            for _ in range(3):
                assert (await how(c, text))["more"] == "5"
            assert (await how(d, text))["more"] == "5"
    driven(body)(url)


@driven
async def test_a_changed_table_in_a_transaction(connect):
    """There asyncpg cannot ask again: the error reaches the application, and the next transaction is right."""
    c, d = await connect(), await connect()
    await c.execute("INSERT INTO ap_rows (n) VALUES (1)")
    assert len(await c.fetchrow(READS, 1)) == 4
    await d.execute("ALTER TABLE ap_rows ADD COLUMN more int DEFAULT 5")
    with pytest.raises(asyncpg.InvalidCachedStatementError):
        async with c.transaction():
            await c.fetchrow(READS, 1)
    async with c.transaction():
        assert [len(r) async for r in c.cursor(READS, 1)] == [5]
        assert len(await c.fetchrow(READS, 1)) == 5


@driven
async def test_settings_of_the_connection(connect):
    c = await connect(server_settings={"application_name": "ap one", "work_mem": "6MB", "search_path": "pg_catalog", "jit": "off"})
    d = await connect(server_settings={"application_name": "ap two", "TimeZone": "Asia/Tokyo"})
    for _ in range(15):
        assert tuple(await c.fetchrow("SELECT current_setting('application_name'), current_setting('work_mem'), current_setting('search_path')")) \
            == ("ap one", "6MB", "pg_catalog")
        assert tuple(await d.fetchrow("SELECT current_setting('application_name'), current_setting('work_mem'), current_setting('TimeZone')")) \
            == ("ap two", "4MB", "Asia/Tokyo")
    assert c.get_settings().application_name == "ap one"
    assert c.get_server_version().major == 15 and c.get_server_pid() > 0


@driven
async def test_reload_and_reset_of_the_session(connect):
    c = await connect()
    await c.execute("SET work_mem = '9MB'")
    assert await c.fetchval("SELECT current_setting('work_mem'), $1::int", 1) == "9MB"
    await c.reset()
    assert await c.fetchval("SELECT current_setting('work_mem'), $1::int", 1) == "4MB"
    await c.reload_schema_state()
    assert await c.fetchval("SELECT $1::int", 1) == 1


@driven
async def test_cancelling(connect):
    c = await connect()
    for _ in range(3):
        with pytest.raises(asyncio.TimeoutError):
            await c.fetchval("SELECT pg_sleep(20)", timeout=0.2)
        assert await c.fetchval("SELECT 1") == 1
    task = asyncio.create_task(c.execute("SELECT pg_sleep(20)"))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await c.fetchval("SELECT 2") == 2
    with pytest.raises(asyncpg.QueryCanceledError):
        await c.execute("SET statement_timeout = 100; SELECT pg_sleep(20)")


@driven
async def test_errors(connect):
    c = await connect()
    for text, args, error in (("SELECT * FROM nowhere", [], asyncpg.UndefinedTableError), ("SELECT 1 / $1::int", [0], asyncpg.DivisionByZeroError),
                              ("SELEC", [], asyncpg.PostgresSyntaxError), ("SELECT $1::int::text::date", [5], asyncpg.InvalidDatetimeFormatError),
                              ("SELECT $1::int", ["x"], asyncpg.DataError)):
        for _ in range(3):
            with pytest.raises(error):
                await c.fetch(text, *args)
            assert await c.fetchval("SELECT $1::int", 5) == 5
    await c.execute("INSERT INTO ap_rows (n) VALUES (1)")
    with pytest.raises(asyncpg.UniqueViolationError) as e:
        await c.execute("INSERT INTO ap_rows (n) VALUES ($1)", 1)
    assert (e.value.sqlstate, e.value.constraint_name, e.value.detail) == ("23505", "ap_rows_pkey", "Key (n)=(1) already exists.")


@driven
async def test_advisory_lock_held_by_many(connect):
    """Five clients take turns on one lock of the session."""
    clients = [await connect() for _ in range(5)]
    inside = []

    async def work(k, c):
        for _ in range(3):
            await c.execute("SELECT pg_advisory_lock(31337)")
            inside.append(k)
            await asyncio.sleep(0.005)
            assert await c.fetchval("SELECT $1::int", k) == k
            assert inside == [k]
            inside.remove(k)
            assert await c.fetchval("SELECT pg_advisory_unlock(31337)") is True

    await asyncio.gather(*(work(k, c) for k, c in enumerate(clients)))
