"""psycopg2, unmodified, over few servers and straight at the primary."""
import datetime
import decimal
import io
import select
import threading
import uuid

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import psycopg2.extras
import psycopg2.pool
import pytest
from psycopg2 import sql


@pytest.fixture
def connect(url):
    opened = []

    def new(**kwargs):
        opened.append(psycopg2.connect(url, connect_timeout=30, **kwargs))
        return opened[-1]

    with new() as c, c.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS p2_rows; CREATE TABLE p2_rows (n int PRIMARY KEY, t text, j jsonb)")
    yield new
    for c in opened:
        c.close()


def one(c, text, args=None):
    with c.cursor() as cursor:
        cursor.execute(text, args)
        return cursor.fetchone()


def test_transaction_by_default(connect):
    a, b = connect(), connect()
    with a.cursor() as cursor:
        cursor.execute("INSERT INTO p2_rows (n, t) VALUES (%s, %s)", (1, "a"))
        assert a.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_INTRANS
        assert one(b, "SELECT count(*) FROM p2_rows") == (0,)
        a.commit()
    assert a.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_IDLE
    assert one(b, "SELECT count(*) FROM p2_rows") == (1,)
    b.rollback()
    with pytest.raises(psycopg2.errors.UniqueViolation):
        one(a, "INSERT INTO p2_rows (n) VALUES (1)")
    with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
        one(a, "SELECT 1")
    a.rollback()
    assert one(a, "SELECT 1") == (1,)


def test_with_commits_or_rolls_back(connect):
    c = connect()
    with pytest.raises(ZeroDivisionError):
        with c, c.cursor() as cursor:
            cursor.execute("INSERT INTO p2_rows (n) VALUES (5)")
            raise ZeroDivisionError
    with c, c.cursor() as cursor:
        cursor.execute("INSERT INTO p2_rows (n) VALUES (6)")
    assert one(c, "SELECT array_agg(n) FROM p2_rows") == ([6],)


def test_autocommit(connect):
    a, b = connect(), connect()
    a.autocommit = b.autocommit = True
    for n in range(30):
        one_row = "INSERT INTO p2_rows (n, t) VALUES (%s, %s) RETURNING n"
        assert one(a, one_row, (n, "x")) == (n,)
        assert one(b, "SELECT count(*) FROM p2_rows") == (n + 1,)


@pytest.mark.parametrize("hold", [False, True])
def test_named_cursor(connect, hold):
    c = connect()
    with c.cursor("mine", withhold=hold) as cursor:
        cursor.itersize = 50
        cursor.execute("SELECT n, repeat('x', n) FROM generate_series(1, 500) n ORDER BY n")
        assert cursor.fetchmany(3) == [(1, "x"), (2, "xx"), (3, "xxx")]
        if hold:
            c.commit()
            assert one(c, "SELECT 1") == (1,)
            c.commit()
        assert [n for n, _ in cursor] == list(range(4, 501))


def test_scrollable_cursor(connect):
    c = connect()
    with c.cursor("scrolled", scrollable=True) as cursor:
        cursor.execute("SELECT n FROM generate_series(1, 100) n")
        cursor.scroll(50)
        assert cursor.fetchone() == (51,)
        cursor.scroll(-10)
        assert cursor.fetchone() == (42,)
        cursor.scroll(0, mode="absolute")
        assert cursor.fetchone() == (1,)


def test_cursor_of_a_function(connect):
    c = connect()
    with c.cursor() as cursor:
        cursor.execute("CREATE OR REPLACE FUNCTION p2_refs() RETURNS refcursor LANGUAGE plpgsql AS $$ DECLARE r refcursor := 'p2_ref';"
                       " BEGIN OPEN r FOR SELECT n FROM generate_series(1, 5) n; RETURN r; END $$")
        cursor.callproc("p2_refs")
        name = cursor.fetchone()[0]
    with c.cursor(name) as named:
        assert [row[0] for row in named] == [1, 2, 3, 4, 5]


def test_copy(connect):
    c = connect()
    with c.cursor() as cursor:
        source = io.StringIO("".join(f"{n}\tt{n}\\\\\t{{\"n\": {n}}}\n" for n in range(2000)))
        cursor.copy_from(source, "p2_rows")
        c.commit()
        found = io.StringIO()
        cursor.copy_expert("COPY (SELECT n, t FROM p2_rows WHERE n < 3 ORDER BY n) TO STDOUT WITH CSV HEADER", found)
        assert found.getvalue() == "n,t\n0,t0\\\n1,t1\\\n2,t2\\\n"
        found = io.BytesIO()
        cursor.copy_expert("COPY (SELECT n, t FROM p2_rows ORDER BY n) TO STDOUT WITH BINARY", found)
        assert found.getvalue().startswith(b"PGCOPY\n\xff\r\n\0")
        cursor.execute("TRUNCATE p2_rows")
        cursor.copy_expert("COPY p2_rows (n, t) FROM STDIN WITH BINARY", io.BytesIO(found.getvalue()))
        assert cursor.rowcount == 2000
        with pytest.raises(psycopg2.errors.UniqueViolation):
            cursor.copy_expert("COPY p2_rows (n) FROM STDIN", io.StringIO("1\n"))
        c.rollback()
        with pytest.raises(psycopg2.errors.InvalidTextRepresentation):
            cursor.copy_expert("COPY p2_rows (n) FROM STDIN", io.StringIO("no number\n"))
        c.rollback()
        cursor.execute("SELECT count(*) FROM p2_rows")
        assert cursor.fetchone() == (2000,)


def test_notifications(connect):
    a, b = connect(), connect()
    a.autocommit = b.autocommit = True
    one_line = a.cursor()
    one_line.execute("LISTEN p2_news")
    pid = one(b, "SELECT 1") and b.info.backend_pid
    assert pid
    for n in range(10):
        with b.cursor() as cursor:
            cursor.execute("SELECT pg_notify('p2_news', %s)", (f"news {n}",))
    got = []
    while len(got) < 10:
        assert select.select([a], [], [], 10)[0], got
        a.poll()
        while a.notifies:
            got.append(a.notifies.pop(0).payload)
    assert got == [f"news {n}" for n in range(10)]
    one_line.execute("UNLISTEN p2_news")


def test_execute_values_and_batches(connect):
    c = connect()
    with c.cursor() as cursor:
        rows = psycopg2.extras.execute_values(cursor, "INSERT INTO p2_rows (n, t) VALUES %s RETURNING n",
                                              [(n, f"t{n}") for n in range(1000)], page_size=100, fetch=True)
        assert [n for n, in rows] == list(range(1000))
        psycopg2.extras.execute_batch(cursor, "UPDATE p2_rows SET t = %s WHERE n = %s", [(f"u{n}", n) for n in range(300)], page_size=50)
        cursor.executemany("DELETE FROM p2_rows WHERE n = %s", [(n,) for n in range(950, 1000)])
        cursor.execute("SELECT count(*), count(*) FILTER (WHERE t LIKE 'u%%') FROM p2_rows WHERE n >= %s", (0,))
        assert cursor.fetchone() == (950, 300)
    c.commit()


@pytest.mark.parametrize("level, name", [(psycopg2.extensions.ISOLATION_LEVEL_READ_COMMITTED, "read committed"),
                                         (psycopg2.extensions.ISOLATION_LEVEL_REPEATABLE_READ, "repeatable read"),
                                         (psycopg2.extensions.ISOLATION_LEVEL_SERIALIZABLE, "serializable")])
def test_isolation_levels(connect, level, name):
    c = connect()
    c.set_isolation_level(level)
    for _ in range(10):
        assert one(c, "SHOW transaction_isolation") == (name,)
        c.rollback()


def test_set_session(connect):
    c = connect()
    c.set_session(isolation_level="SERIALIZABLE", readonly=True, deferrable=True)
    for _ in range(10):
        assert one(c, "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only'),"
                      " current_setting('transaction_deferrable')") == ("serializable", "on", "on")
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            one(c, "DELETE FROM p2_rows")
        c.rollback()


def test_set_session_with_autocommit(connect):
    """psycopg2 then sets default_transaction_... of the session."""
    a, b = connect(), connect()
    a.set_session(readonly=True, autocommit=True)
    b.set_session(readonly=False, autocommit=True)
    for n in range(20):
        assert one(a, "SHOW transaction_read_only") == ("on",)
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            one(a, "DELETE FROM p2_rows")
        assert one(b, "INSERT INTO p2_rows (n) VALUES (%s) RETURNING n", (n,)) == (n,)


def test_serialization_failure(connect):
    a, b = connect(), connect()
    with a, a.cursor() as cursor:
        cursor.execute("INSERT INTO p2_rows (n, t) VALUES (1, 'x')")
    for c in a, b:
        c.set_session(isolation_level="REPEATABLE READ")
        assert one(c, "SELECT t FROM p2_rows WHERE n = 1") == ("x",)
    with a.cursor() as cursor:
        cursor.execute("UPDATE p2_rows SET t = 'a' WHERE n = 1")
    a.commit()
    with pytest.raises(psycopg2.errors.SerializationFailure):
        one(b, "UPDATE p2_rows SET t = 'b' WHERE n = 1")
    b.rollback()


def test_session_settings(connect):
    a, b = connect(options="-c work_mem=7MB -c statement_timeout=25s"), connect(application_name="the other")
    for c in a, b:
        c.autocommit = True
    b.set_client_encoding("LATIN1")
    for _ in range(20):
        assert one(a, "SHOW work_mem") == ("7MB",)
        assert one(a, "SHOW statement_timeout") == ("25s",)
        assert one(b, "SHOW application_name") == ("the other",)
        assert one(b, "SHOW client_encoding") == ("LATIN1",)
        assert one(b, "SELECT %s || chr(233)", ("é",)) == ("éé",)
        assert one(a, "SELECT %s || chr(8364)", ("é",)) == ("é€",)
    assert a.encoding == "UTF8" and b.encoding == "LATIN1"


def test_connection_info(connect):
    c = connect()
    assert c.server_version // 10000 == 15
    assert c.get_parameter_status("server_version").startswith("15.")
    assert c.get_parameter_status("integer_datetimes") == "on"
    assert c.get_parameter_status("standard_conforming_strings") == "on"
    assert c.info.backend_pid > 0
    assert c.protocol_version == 3


def test_types(connect):
    c = connect()
    psycopg2.extras.register_uuid(conn_or_curs=c)
    with c.cursor() as cursor:
        values = (1, 2 ** 60, 1.5, decimal.Decimal("12.50"), "é\\'", b"\0\xff".ljust(5, b"x"), True, None, [1, 2, None], ["a", 'b"'],
                  datetime.date(2025, 9, 17), datetime.datetime(2025, 9, 17, 1, 2, 3, 4), datetime.timedelta(days=3, seconds=5),
                  uuid.UUID(int=5))
        cursor.execute(f"SELECT {', '.join(['%s'] * len(values))}", values)
        got = list(cursor.fetchone())
        got[5] = bytes(got[5])
        assert tuple(got) == values
        cursor.execute("SELECT '{\"a\": [1, 2]}'::jsonb, int4range(1, 5), '(1,x)'::text, now()")
        document, numbers, _, now = cursor.fetchone()
        assert document == {"a": [1, 2]} and numbers == psycopg2.extras.NumericRange(1, 5, "[)") and now.tzinfo


def test_type_made_by_the_application(connect):
    c = connect()
    with c, c.cursor() as cursor:
        cursor.execute("DROP TYPE IF EXISTS p2_pair; CREATE TYPE p2_pair AS (a int, b text)")
    caster = psycopg2.extras.register_composite("p2_pair", c)
    assert one(c, "SELECT (1, 'x')::p2_pair")[0] == caster.type(1, "x")
    assert psycopg2.extras.HstoreAdapter.get_oids(c) == ((), ())


def test_rows_as_dicts_and_composed_sql(connect):
    c = connect()
    with c.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
        cursor.execute(sql.SQL("SELECT {} AS a, {} FROM {}").format(sql.Literal("x'y"), sql.Literal(2), sql.Identifier("pg_class")) +
                       sql.SQL(" LIMIT 1"))
        assert cursor.fetchone()["a"] == "x'y"
    with c.cursor(cursor_factory=psycopg2.extras.NamedTupleCursor) as cursor:
        cursor.execute("SELECT 1 AS a, 2 AS b")
        assert cursor.fetchone().b == 2


def test_notices(connect):
    c = connect()
    with c.cursor() as cursor:
        cursor.execute("DO $$ BEGIN RAISE NOTICE 'from %', 'within'; END $$")
    assert c.notices == ["NOTICE:  from within\n"]


def test_two_phase(connect):
    a, b = connect(), connect()
    for n, end in (1, "tpc_commit"), (2, "tpc_rollback"):
        xid = a.xid(n, "p2", "branch")
        a.tpc_begin(xid)
        one(a, "INSERT INTO p2_rows (n) VALUES (%s) RETURNING n", (n,))
        a.tpc_prepare()
        a.reset()
        assert [str(x) for x in b.tpc_recover() if x.database == a.info.dbname] == [str(xid)]
        b.rollback()
        getattr(b, end)(xid)
    assert one(a, "SELECT array_agg(n) FROM p2_rows") == ([1],)


def test_large_object(connect):
    c = connect()
    lob = c.lobject(0, "wb")
    oid = lob.oid
    lob.write(b"0123456789" * 10000)
    lob.close()
    c.commit()
    lob = c.lobject(oid, "rb")
    lob.seek(50005)
    assert lob.read(5) == b"56789"
    lob.close()
    c.lobject(oid).unlink()
    c.commit()


def test_cancel(connect):
    c = connect()
    timer = threading.Timer(0.3, c.cancel)
    timer.start()
    with pytest.raises(psycopg2.errors.QueryCanceled):
        one(c, "SELECT pg_sleep(20)")
    timer.join()
    c.rollback()
    assert one(c, "SELECT 1") == (1,)


def test_reset(connect):
    c = connect()
    one(c, "SELECT set_config('work_mem', '9MB', false)")
    c.commit()
    assert one(c, "SHOW work_mem") == ("9MB",)
    c.commit()
    c.reset()
    assert one(c, "SHOW work_mem") == ("4MB",)


def test_asynchronous(url):
    c = psycopg2.connect(url, async_=True)
    try:
        psycopg2.extras.wait_select(c)
        cursor = c.cursor()
        for n in range(20):
            cursor.execute("SELECT %s, pg_sleep(0.001)", (n,))
            psycopg2.extras.wait_select(c)
            assert cursor.fetchone()[0] == n
    finally:
        c.close()


def test_pool_of_many_threads(url):
    """Twelve connections, as many threads: each counts up and finds its own rows."""
    with psycopg2.connect(url) as c, c.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS p2_counts; CREATE TABLE p2_counts (who int, n int)")
    c.close()
    pool, faults = psycopg2.pool.ThreadedConnectionPool(2, 12, url), []

    def work(who):
        try:
            for n in range(15):
                c = pool.getconn()
                try:
                    with c, c.cursor() as cursor:
                        cursor.execute("INSERT INTO p2_counts VALUES (%s, %s)", (who, n))
                        cursor.execute("SELECT count(*) FROM p2_counts WHERE who = %s", (who,))
                        assert cursor.fetchone() == (n + 1,)
                    with c, c.cursor() as cursor:
                        cursor.execute("SELECT count(*) FROM p2_counts WHERE who = %s", (who,))
                        assert cursor.fetchone() == (n + 1,)
                finally:
                    pool.putconn(c)
        except BaseException as fault:  # noqa: reported below
            faults.append(repr(fault))

    threads = [threading.Thread(target=work, args=(who,)) for who in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    pool.closeall()
    assert not faults, faults
