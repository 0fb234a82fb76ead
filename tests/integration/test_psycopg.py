"""psycopg 3, unmodified, over few servers and straight at the primary: what test_drivers.py leaves."""
import asyncio
import datetime
import decimal
import enum
import ipaddress
import threading
import time
import uuid

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import class_row, dict_row, namedtuple_row
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.enum import EnumInfo, register_enum
from psycopg.types.json import Json, Jsonb
from psycopg.types.range import Range


@pytest.fixture
def connect(url):
    opened = []

    def new(**kwargs):
        opened.append(psycopg.connect(url, connect_timeout=30, **kwargs))
        return opened[-1]

    with new(autocommit=True) as c:
        c.execute("DROP TABLE IF EXISTS p3_rows; CREATE TABLE p3_rows (n int PRIMARY KEY, t text, j jsonb, b bytea)")
    yield new
    for c in opened:
        c.close()


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("threshold", [None, 0, 5])
def test_types_both_ways(connect, binary, threshold):
    values = [1, -7, 2 ** 40, 1.25, decimal.Decimal("-12345.6789"), "é€\t\\", b"\0\1\xff", True, None, uuid.UUID(int=77),
              datetime.date(1999, 12, 31), datetime.datetime(2025, 9, 17, 1, 2, 3, 4, datetime.timezone.utc),
              datetime.time(23, 59, 59, 5), datetime.timedelta(days=-3, seconds=7, microseconds=9), [1, None, 3], [["a", "b"], ["c", '"']],
              ipaddress.ip_address("10.1.2.3"), ipaddress.ip_network("10.0.0.0/8"), Range(1, 9, "[)")]
    types = ["int2", "int4", "int8", "float8", "numeric", "text", "bytea", "bool", "int4", "uuid", "date", "timestamptz", "time",
             "interval", "int4[]", "text[]", "inet", "cidr", "int4range"]
    c = connect(autocommit=True, prepare_threshold=threshold, options="-c TimeZone=UTC")
    mark = "%b" if binary else "%t"
    text = f"SELECT {', '.join(f'{mark}::{t}' for t in types)}"
    for _ in range(8):
        assert list(c.execute(text, values, binary=binary).fetchone()) == values
    for document in {"a": [1, "é", None]}, [1, 2], "x":
        assert c.execute(f"SELECT {mark}::jsonb, {mark}::json", [Jsonb(document), Json(document)], binary=binary).fetchone() == (document, document)


@pytest.mark.parametrize("binary", [False, True])
def test_types_made_by_the_application(connect, binary):
    c = connect(autocommit=True)
    c.execute("DROP TYPE IF EXISTS p3_mood, p3_pair; CREATE TYPE p3_mood AS ENUM ('sad', 'happy'); CREATE TYPE p3_pair AS (a int, b text)")
    register_composite(CompositeInfo.fetch(c, "p3_pair"), c)
    mood = enum.Enum("mood", ["sad", "happy"])
    register_enum(EnumInfo.fetch(c, "p3_mood"), c, mood)
    for _ in range(8):
        pair, m = c.execute("SELECT ROW(1, 'x')::p3_pair, %s::p3_mood", [mood.happy], binary=binary).fetchone()
        assert (pair.a, pair.b, m) == (1, "x", mood.happy)


def test_few_prepared_statements_kept(connect):
    """prepared_max of 2: statements are deallocated and prepared again all the time."""
    c, d = connect(autocommit=True), connect(autocommit=True)
    for connection in c, d:
        connection.prepare_threshold, connection.prepared_max = 0, 2
    for turn in range(40):
        for k, connection in enumerate((c, d)):
            shift = turn % 5
            assert connection.execute(f"SELECT %s::int + {shift * 10 + k}", [turn]).fetchone() == (turn + shift * 10 + k,)


@pytest.mark.parametrize("binary", [False, True])
def test_cursor_with_hold(connect, binary):
    c = connect()
    with c.cursor("held", withhold=True, binary=binary) as cursor:
        cursor.itersize = 70
        cursor.execute("SELECT n, n::text FROM generate_series(1, 300) n")
        assert cursor.fetchone() == (1, "1")
        c.commit()
        for n in range(5):
            assert c.execute("SELECT %s::int", [n]).fetchone() == (n,)
            c.commit()
        assert [n for n, _ in cursor] == list(range(2, 301))
    c.commit()


def test_cursor_with_hold_in_autocommit(connect):
    c = connect(autocommit=True)
    with c.cursor("held", withhold=True, scrollable=True) as cursor:
        cursor.execute("SELECT n FROM generate_series(1, 100) n")
        cursor.scroll(49)
        assert cursor.fetchone() == (50,)
        assert c.execute("SELECT 1").fetchone() == (1,)
        cursor.scroll(0, "absolute")
        assert cursor.fetchmany(3) == [(1,), (2,), (3,)]


def test_stolen_cursor(connect):
    c = connect()
    c.execute("DECLARE stolen CURSOR FOR SELECT n FROM generate_series(1, 10) n")
    with psycopg.ServerCursor(c, "stolen") as cursor:
        assert cursor.fetchmany(4) == [(1,), (2,), (3,), (4,)]
    c.rollback()


def test_stream(connect):
    c = connect()
    with c.cursor() as cursor:
        assert [n for n, in cursor.stream("SELECT n FROM generate_series(1, %s) n", [2000])] == list(range(1, 2001))
        with pytest.raises(psycopg.errors.DivisionByZero):
            list(cursor.stream("SELECT 1 / (500 - n) FROM generate_series(1, 1000) n"))


@pytest.mark.parametrize("threshold", [None, 0])
def test_pipelines(connect, threshold):
    c = connect(prepare_threshold=threshold)
    with c.pipeline() as pipeline:
        c.execute("INSERT INTO p3_rows (n, t) VALUES (1, 'x')")
        cursors = [c.execute("SELECT count(*) + %s FROM p3_rows", [n]) for n in range(20)]
        pipeline.sync()
        assert [cursor.fetchone() for cursor in cursors] == [(n + 1,) for n in range(20)]
        with c.transaction():
            c.execute("INSERT INTO p3_rows (n, t) VALUES (2, 'y')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            with c.transaction():
                c.execute("INSERT INTO p3_rows (n, t) VALUES (2, 'z')")
                pipeline.sync()
        assert c.execute("SELECT array_agg(t ORDER BY n) FROM p3_rows").fetchone() == (["x", "y"],)
    c.commit()


def test_pipelines_in_autocommit(connect):
    c, d = connect(autocommit=True), connect(autocommit=True)
    for turn in range(10):
        with c.pipeline(), d.pipeline():
            asked = [(k, n, k.execute("SELECT %s::int * 2, %s::text", [n, str(turn)])) for n in range(10) for k in (c, d)]
            for _, n, cursor in asked:
                assert cursor.fetchone() == (n * 2, str(turn))
    # Each sync ends a transaction of its own: what was before an error's stays.
    c.execute("TRUNCATE p3_rows")
    with pytest.raises(psycopg.errors.DivisionByZero):
        with c.pipeline() as pipeline:
            c.execute("INSERT INTO p3_rows (n) VALUES (1)")
            pipeline.sync()
            c.execute("INSERT INTO p3_rows (n) VALUES (2)")
            c.execute("SELECT 1 / 0")
            c.execute("INSERT INTO p3_rows (n) VALUES (3)")
    assert d.execute("SELECT array_agg(n) FROM p3_rows").fetchone() == ([1],)


def test_executemany_returning(connect):
    c = connect()
    with c.cursor() as cursor:
        cursor.executemany("INSERT INTO p3_rows (n, t) VALUES (%s, %s) RETURNING n", [(n, str(n)) for n in range(100)], returning=True)
        got = [cursor.fetchone()[0]]
        while cursor.nextset():
            got.append(cursor.fetchone()[0])
    assert got == list(range(100))


@pytest.mark.parametrize("binary", [False, True])
def test_copy_from_one_to_another(connect, binary):
    a, b = connect(), connect()
    a.execute("DROP TABLE IF EXISTS p3_copy; CREATE TABLE p3_copy (LIKE p3_rows)")
    a.execute("INSERT INTO p3_rows SELECT n, repeat('é', n % 50), jsonb_build_object('n', n), decode(md5(n::text), 'hex')"
              " FROM generate_series(1, 3000) n")
    a.commit()
    how = "(FORMAT binary)" if binary else ""
    with a.cursor().copy(f"COPY p3_rows TO STDOUT {how}") as source, b.cursor().copy(f"COPY p3_copy FROM STDIN {how}") as sink:
        for data in source:
            sink.write(data)
    b.commit()
    assert a.execute("SELECT count(*) FROM (TABLE p3_rows EXCEPT TABLE p3_copy) d").fetchone() == (0,)
    assert a.execute("SELECT count(*) FROM p3_copy").fetchone() == (3000,)
    a.rollback()


def test_copy_in_a_transaction_that_ends(connect):
    c = connect()
    with c.cursor().copy("COPY p3_rows (n) FROM STDIN") as copy:
        copy.write("1\n2\n")
    c.rollback()
    with pytest.raises(psycopg.errors.UniqueViolation):
        with c.cursor().copy("COPY p3_rows (n) FROM STDIN") as copy:
            copy.write("1\n1\n")
    c.rollback()
    assert c.execute("SELECT count(*) FROM p3_rows").fetchone() == (0,)


def test_notifications(connect):
    a, b = connect(autocommit=True), connect(autocommit=True)
    a.execute("LISTEN p3_news")

    def speak():
        for n in range(5):
            b.execute("SELECT pg_notify('p3_news', %s)", [str(n)])
            time.sleep(0.01)
        with b.transaction():
            b.execute("NOTIFY p3_news, 'stop'")

    thread = threading.Thread(target=speak)
    thread.start()
    got = []
    for notice in a.notifies():
        got.append(notice.payload)
        if notice.payload == "stop":
            break
    thread.join()
    assert got == ["0", "1", "2", "3", "4", "stop"]
    assert a.execute("SELECT 1").fetchone() == (1,)


def test_own_notification_by_handler(connect):
    c = connect(autocommit=True)
    got = []
    c.add_notify_handler(lambda n: got.append((n.channel, n.payload)))
    c.execute("LISTEN p3_own")
    c.execute("NOTIFY p3_own, 'me'")
    c.execute("SELECT 1")
    assert got == [("p3_own", "me")]


def test_notices(connect):
    c = connect(autocommit=True)
    got = []
    c.add_notice_handler(lambda d: got.append((d.severity, d.message_primary)))
    c.execute("DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$")
    assert got == [("NOTICE", "one"), ("WARNING", "two")]


def test_nested_transactions(connect):
    for autocommit in False, True:
        c = connect(autocommit=autocommit)
        c.execute("TRUNCATE p3_rows")
        with c.transaction():
            c.execute("INSERT INTO p3_rows (n) VALUES (1)")
            with c.transaction("inner") as inner:
                c.execute("INSERT INTO p3_rows (n) VALUES (2)")
                with c.transaction():
                    c.execute("INSERT INTO p3_rows (n) VALUES (3)")
                raise psycopg.Rollback(inner)
            with pytest.raises(psycopg.errors.DivisionByZero):
                with c.transaction():
                    c.execute("INSERT INTO p3_rows (n) VALUES (4)")
                    c.execute("SELECT 1/0")
            c.execute("INSERT INTO p3_rows (n) VALUES (5)")
        with c.transaction(force_rollback=True):
            c.execute("INSERT INTO p3_rows (n) VALUES (6)")
        if not autocommit:
            c.commit()
        assert c.execute("SELECT array_agg(n ORDER BY n) FROM p3_rows").fetchone() == ([1, 5],)
        c.close()


def test_transaction_attributes(connect):
    c = connect()
    c.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
    c.read_only = c.deferrable = True
    for _ in range(10):
        assert c.execute("SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only'),"
                         " current_setting('transaction_deferrable')").fetchone() == ("serializable", "on", "on")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            c.execute("DELETE FROM p3_rows")
        c.rollback()


def test_two_phase(connect):
    a, b = connect(), connect()
    for n, end in (1, "tpc_commit"), (2, "tpc_rollback"):
        xid = a.xid(n, "p3", "branch")
        a.tpc_begin(xid)
        a.execute("INSERT INTO p3_rows (n) VALUES (%s)", [n])
        a.tpc_prepare()
        assert [str(x) for x in b.tpc_recover() if x.database == a.info.dbname] == [str(xid)]
        b.rollback()
        if n == 1:
            a.tpc_commit()
        else:
            a.close()
            b.tpc_rollback(xid)
    assert b.execute("SELECT array_agg(n) FROM p3_rows").fetchone() == ([1],)


def test_row_factories(connect):
    class Row:
        def __init__(self, a, b):
            self.a, self.b = a, b

    c = connect()
    text = "SELECT 1 AS a, 'x' AS b"
    assert c.cursor(row_factory=dict_row).execute(text).fetchone() == {"a": 1, "b": "x"}
    assert c.cursor(row_factory=namedtuple_row).execute(text).fetchone().b == "x"
    assert c.cursor(row_factory=class_row(Row)).execute(text).fetchone().b == "x"


def test_parameters_in_the_text(connect):
    """ClientCursor: all through the simple protocol, several statements at once."""
    c = connect(cursor_factory=psycopg.ClientCursor)
    cursor = c.cursor()
    cursor.execute("INSERT INTO p3_rows (n, t) VALUES (%s, %s); SELECT t FROM p3_rows WHERE n = %s", (1, "it's", 1))
    assert cursor.nextset() and cursor.fetchone() == ("it's",)
    cursor.execute(sql.SQL("SELECT {}, {}").format(sql.Literal([1, 2]), sql.Literal("\\")))
    assert cursor.fetchone() == ([1, 2], "\\")
    c.rollback()


def test_error_details(connect):
    c = connect(autocommit=True)
    c.execute("INSERT INTO p3_rows (n) VALUES (1)")
    with pytest.raises(psycopg.errors.UniqueViolation) as e:
        c.execute("INSERT INTO p3_rows (n) VALUES (%s)", [1])
    diag = e.value.diag
    assert (diag.sqlstate, diag.table_name, diag.constraint_name, diag.schema_name) == ("23505", "p3_rows", "p3_rows_pkey", "public")
    assert diag.message_detail == "Key (n)=(1) already exists."
    with pytest.raises(psycopg.errors.UndefinedColumn) as e:
        c.execute("SELECT nocolumn FROM p3_rows")
    assert e.value.diag.statement_position == "8"


def test_settings_by_the_connection_string(connect):
    a = connect(autocommit=True, options="-c work_mem=7MB -c search_path=pg_catalog", application_name="first")
    b = connect(autocommit=True, client_encoding="latin1", application_name="second")
    for _ in range(15):
        assert a.execute("SELECT current_setting('work_mem'), current_setting('search_path'), current_setting('application_name')"
                         ).fetchone() == ("7MB", "pg_catalog", "first")
        assert b.execute("SELECT current_setting('work_mem'), current_setting('application_name'), current_setting('client_encoding')"
                         ).fetchone() == ("4MB", "second", "LATIN1")
        assert b.execute("SELECT %s", ["é"]).fetchone() == ("é",)
    assert a.info.parameter_status("application_name") == "first"
    assert b.info.encoding == "iso8859-1" and a.info.server_version // 10000 == 15


@pytest.mark.parametrize("attributes", ["read-write", "primary", "prefer-standby", "any"])
def test_the_primary_is_looked_for(connect, attributes):
    """pgtier is a primary to whoever asks, whichever server it would ask for a read."""
    c = connect(autocommit=True, target_session_attrs=attributes)
    assert c.info.parameter_status("in_hot_standby") == "off"
    for _ in range(10):
        assert c.execute("SELECT pg_is_in_recovery(), current_setting('transaction_read_only'), current_setting('in_hot_standby')"
                         ).fetchone() == (False, "off", "off")
        assert c.execute("SHOW transaction_read_only").fetchone() == ("off",)
        assert c.execute("SELECT current_setting('transaction_read_only')").fetchone() == ("off",)
        assert c.execute("SELECT setting FROM pg_settings WHERE name = 'transaction_read_only'").fetchone() == ("off",)
        assert c.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)


def test_temporary_table_across_transactions(connect):
    a, b = connect(autocommit=True), connect(autocommit=True)
    for k, c in enumerate((a, b)):
        c.execute("CREATE TEMP TABLE p3_mine (n int)")
        c.execute("INSERT INTO p3_mine VALUES (%s)", [k])
    for _ in range(10):
        for k, c in enumerate((a, b)):
            assert c.execute("SELECT n FROM p3_mine").fetchone() == (k,)


def test_sequence_of_the_session(connect):
    a, b = connect(autocommit=True), connect(autocommit=True)
    a.execute("DROP TABLE IF EXISTS p3_serial; CREATE TABLE p3_serial (id serial, who text)")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):  # from now on it is known that somebody asks
        a.execute("SELECT lastval()")
    for n in range(10):
        for who, c in ("a", a), ("b", b):
            c.execute("INSERT INTO p3_serial (who) VALUES (%s)", [who])
        for who, c in ("b", b), ("a", a):
            assert c.execute("SELECT who FROM p3_serial WHERE id = currval(pg_get_serial_sequence('p3_serial', 'id'))").fetchone() == (who,)
            assert c.execute("SELECT who FROM p3_serial WHERE id = lastval()").fetchone() == (who,)


def test_advisory_locks_of_the_session(connect):
    a, b = connect(autocommit=True), connect(autocommit=True)
    assert a.execute("SELECT pg_try_advisory_lock(4711)").fetchone() == (True,)
    for _ in range(10):
        assert b.execute("SELECT pg_try_advisory_lock(4711)").fetchone() == (False,)
    assert a.execute("SELECT pg_advisory_unlock(4711)").fetchone() == (True,)
    assert b.execute("SELECT pg_try_advisory_lock(4711)").fetchone() == (True,)
    assert b.execute("SELECT pg_advisory_unlock(4711)").fetchone() == (True,)


def test_a_changed_table_and_a_new_client(connect):
    """Who prepares a statement after the change gets the table as it is, whoever has prepared the same text before."""
    a, b = connect(autocommit=True), connect(autocommit=True)
    a.execute("DROP TABLE IF EXISTS p3_changing; CREATE TABLE p3_changing (a int)")
    a.execute("INSERT INTO p3_changing VALUES (1)")
    for n in range(3):
        for _ in range(15):
            assert b.execute("SELECT * FROM p3_changing", prepare=True).fetchone() == (1,) + (n,) * n
        a.execute(f"ALTER TABLE p3_changing ADD COLUMN b{n} int")
        a.execute(f"UPDATE p3_changing SET {', '.join(f'b{k} = {n + 1}' for k in range(n + 1))}")
        b.close()
        b = connect(autocommit=True)


def test_cancel(connect):
    c = connect(autocommit=True)
    timer = threading.Timer(0.3, c.cancel)
    timer.start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        c.execute("SELECT pg_sleep(20)")
    timer.join()
    assert c.execute("SELECT 1").fetchone() == (1,)
    c.execute("SET statement_timeout = '100ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        c.execute("SELECT pg_sleep(20)")


def test_asynchronous(url):
    async def work(number, c):
        for n in range(15):
            async with c.transaction():
                cursor = await c.execute("INSERT INTO p3_async VALUES (%s, %s) RETURNING n", [number, n])
                assert await cursor.fetchone() == (n,)
            async with c.cursor(binary=True) as cursor:
                await cursor.execute("SELECT count(*) FROM p3_async WHERE who = %s", [number])
                assert await cursor.fetchone() == (n + 1,)
            async with c.pipeline():
                two = [await c.execute("SELECT %s::int", [k]) for k in range(3)]
                assert [await t.fetchone() for t in two] == [(0,), (1,), (2,)]

    async def main():
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as c:
            await c.execute("DROP TABLE IF EXISTS p3_async; CREATE TABLE p3_async (who int, n int)")
        clients = [await psycopg.AsyncConnection.connect(url, autocommit=True) for _ in range(9)]
        try:
            await asyncio.wait_for(asyncio.gather(*(work(k, c) for k, c in enumerate(clients))), 50)
        finally:
            for c in clients:
                await c.close()

    asyncio.run(main())


def test_more_listeners_than_servers(connect):
    """Six that listen over three servers."""
    listeners = [connect(autocommit=True) for _ in range(6)]
    for c in listeners:
        c.execute("LISTEN p3_all")
    speaker = connect(autocommit=True)
    speaker.execute("NOTIFY p3_all, 'hear'")
    for c in listeners:
        assert next(c.notifies()).payload == "hear"
