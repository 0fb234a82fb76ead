"""psycopg 3 and node-postgres, unmodified, over few servers in transaction mode."""
import datetime
import decimal
import json
import os
import pathlib
import random
import subprocess
import threading
import uuid

import psycopg
import pytest
from psycopg.types.json import Jsonb

from few import npm_ci
from rows import evaluation, owner

NODE = pathlib.Path(__file__).parent / "node"


@pytest.fixture(scope="module")
def proxy(start, cluster):
    cluster.primary.sql("DROP TABLE IF EXISTS driver_rows;"
                        "CREATE TABLE driver_rows (n int PRIMARY KEY, t text, j jsonb, b bytea)", "app")
    return start({"pool": {"mode": "transaction", "size": 3}})


@pytest.fixture
def c(proxy):
    with proxy.connect(autocommit=True) as connection:
        yield connection


def test_prepared_statements(c):
    for n in range(1, 30):
        got = c.execute("SELECT user_id FROM business_evaluations WHERE id = %s", [evaluation(n)], prepare=True)
        assert str(got.fetchone()[0]) == owner(n)


def test_prepared_statements_meet_every_server(proxy):
    """Client names are mapped: each of many clients has its own _pg3_0, on whichever server."""
    clients = [proxy.connect(autocommit=True) for _ in range(9)]
    try:
        for turn in range(12):
            random.Random(turn).shuffle(clients)
            for k, client in enumerate(clients):
                assert client.execute(f"SELECT %s::int + {id(client) % 97}", [k], prepare=True).fetchone()[0] \
                    == k + id(client) % 97
    finally:
        for client in clients:
            client.close()


def test_deallocate_and_prepare_again(c):
    for _ in range(3):
        assert c.execute("SELECT %s::text", ["x"], prepare=True).fetchone() == ("x",)
        c.execute("DEALLOCATE ALL")
        c._prepared.clear()


def test_sql_level_prepare_in_a_transaction(c):
    with c.transaction():
        c.execute("PREPARE mine (int) AS SELECT $1 * 2")
        assert c.execute("EXECUTE mine (21)").fetchone() == (42,)
        c.execute("DEALLOCATE mine")


def test_a_changed_result_type_is_prepared_again(c, cluster):
    cluster.primary.sql("DROP TABLE IF EXISTS changing; CREATE TABLE changing (a int)", "app")
    c.execute("INSERT INTO changing VALUES (1)")
    for turn in range(4):
        try:
            row = c.execute("SELECT * FROM changing WHERE a > %s", [0], prepare=True).fetchone()
            assert len(row) == turn + 1
        except psycopg.errors.FeatureNotSupported:
            # what a server says directly, too ("cached plan must not change result type")
            c.execute("DEALLOCATE ALL")
            c._prepared.clear()
        c.execute(f"ALTER TABLE changing ADD COLUMN b{turn} int")


def test_errors_leave_the_connection_usable(c):
    for sql, error in (("SELECT * FROM nowhere", psycopg.errors.UndefinedTable),
                       ("SELECT 1/%s", psycopg.errors.DivisionByZero),
                       ("SELECT", None),
                       ("SELEC %s", psycopg.errors.SyntaxError),
                       ("INSERT INTO driver_rows (n) VALUES (1), (%s + 1)", psycopg.errors.UniqueViolation)):
        for prepare in False, True:
            args = [0] if "%s" in sql else None
            if error:
                with pytest.raises(error):
                    c.execute(sql, args, prepare=prepare)
            else:
                c.execute(sql, args, prepare=prepare)
            assert c.execute("SELECT %s::int", [5], prepare=prepare).fetchone() == (5,)


def test_transactions(proxy):
    with proxy.connect() as a, proxy.connect() as b:
        a.execute("INSERT INTO driver_rows (n, t) VALUES (1000, 'a')")
        assert b.execute("SELECT count(*) FROM driver_rows WHERE n = 1000").fetchone() == (0,)
        a.rollback()
        b.rollback()
        with a.transaction():
            a.execute("INSERT INTO driver_rows (n, t) VALUES (1001, 'a')")
            with pytest.raises(psycopg.errors.UniqueViolation):
                with a.transaction():
                    a.execute("INSERT INTO driver_rows (n, t) VALUES (1001, 'b')")
            a.execute("UPDATE driver_rows SET t = 'c' WHERE n = 1001")
        assert b.execute("SELECT t FROM driver_rows WHERE n = 1001").fetchone() == ("c",)
        a.execute("DELETE FROM driver_rows WHERE n = 1001")


def test_failed_transaction_answers_25P02(proxy):
    with proxy.connect() as a:
        with pytest.raises(psycopg.errors.DivisionByZero):
            a.execute("SELECT 1/0")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            a.execute("SELECT 1")
        a.rollback()
        assert a.execute("SELECT 1").fetchone() == (1,)


def test_server_cursor(proxy):
    with proxy.connect() as a, a.cursor("mine") as cursor:
        cursor.itersize = 100
        cursor.execute("SELECT n FROM generate_series(1, 5000) n")
        assert [row[0] for row in cursor] == list(range(1, 5001))
        cursor.scroll(-10)
        assert cursor.fetchone() == (4992,)


@pytest.mark.parametrize("binary", [False, True])
def test_copy(c, binary):
    c.execute("TRUNCATE driver_rows")
    how = "(FORMAT binary)" if binary else ""
    with c.cursor() as cursor:
        with cursor.copy(f"COPY driver_rows (n, t, b) FROM STDIN {how}") as copy:
            copy.set_types(["int4", "text", "bytea"])
            for n in range(3000):
                copy.write_row((n, None if n % 7 == 0 else f"t\t\\{n}\n", bytes([n % 256]) * (n % 50)))
        found = []
        with cursor.copy(f"COPY (SELECT n, t, b FROM driver_rows ORDER BY n) TO STDOUT {how}") as copy:
            copy.set_types(["int4", "text", "bytea"])
            found.extend(copy.rows())
    assert found == [(n, None if n % 7 == 0 else f"t\t\\{n}\n", bytes([n % 256]) * (n % 50)) for n in range(3000)]
    assert c.execute("SELECT count(*) FROM driver_rows").fetchone() == (3000,)


def test_copy_that_fails(c):
    with c.cursor() as cursor:
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            with cursor.copy("COPY driver_rows (n) FROM STDIN") as copy:
                copy.write(b"no number\n")
        with pytest.raises(psycopg.errors.QueryCanceled):
            with cursor.copy("COPY driver_rows (n) FROM STDIN") as copy:
                raise psycopg.errors.QueryCanceled("by the client")
    assert c.execute("SELECT 1").fetchone() == (1,)


def test_pipeline(c):
    with c.pipeline() as pipeline:
        cursors = [c.execute("SELECT %s::int * 2", [n]) for n in range(50)]
        pipeline.sync()
        assert [cursor.fetchone()[0] for cursor in cursors] == [n * 2 for n in range(50)]


def test_pipeline_with_an_error(c):
    with pytest.raises(psycopg.errors.DivisionByZero):
        with c.pipeline():
            c.execute("SELECT 1")
            c.execute("SELECT 1/0")
            c.execute("SELECT 2")
    assert c.execute("SELECT 3").fetchone() == (3,)


def test_executemany(c):
    c.execute("TRUNCATE driver_rows")
    with c.cursor() as cursor:
        cursor.executemany("INSERT INTO driver_rows (n, t) VALUES (%s, %s)", [(n, str(n)) for n in range(500)])
        assert cursor.rowcount == 500
        cursor.executemany("UPDATE driver_rows SET t = %s WHERE n = %s RETURNING n, t",
                           [(f"u{n}", n) for n in range(20)], returning=True)
        found = [cursor.fetchone()]
        while cursor.nextset():
            found.append(cursor.fetchone())
    assert found == [(n, f"u{n}") for n in range(20)]


@pytest.mark.parametrize("binary", [False, True])
def test_types(c, binary):
    values = [1, -2 ** 31, 2 ** 60, True, "é\u20ac", decimal.Decimal("123.450"), uuid.UUID(evaluation(3)),
              datetime.date(2025, 9, 17), datetime.datetime(2025, 9, 17, 12, 30, 1, 5, datetime.timezone.utc), b"\0\xff",
              [1, 2, None], datetime.timedelta(days=1, seconds=5), 1.5, None]
    types = ["int4", "int4", "int8", "bool", "text", "numeric", "uuid", "date", "timestamptz", "bytea", "int4[]",
             "interval", "float8", "text"]
    sql = "SELECT " + ", ".join(f"%s::{t}" for t in types)
    with c.cursor(binary=binary) as cursor:
        for prepare in False, True:
            assert list(cursor.execute(sql, values, prepare=prepare).fetchone()) == values


def test_json_documents(c):
    document = {"financialMetrics": {"annualRevenue": 5, "names": ["ä", None, 1.5]}, "long": "x" * 30000}
    c.execute("TRUNCATE driver_rows")
    c.execute("INSERT INTO driver_rows (n, j) VALUES (%s, %s)", [1, Jsonb(document)])
    assert c.execute("SELECT j FROM driver_rows WHERE n = %s", [1]).fetchone() == (document,)
    assert c.execute("SELECT j->'financialMetrics'->>'annualRevenue' FROM driver_rows").fetchone() == ("5",)


def test_settings_stay_with_their_client(proxy):
    with proxy.connect(autocommit=True) as a, proxy.connect(autocommit=True) as b:
        for turn in range(5):
            a.execute("SET TIME ZONE 'Asia/Tokyo'")
            b.execute("SET TIME ZONE 'America/New_York'")
            assert a.execute("SHOW TIME ZONE").fetchone() == ("Asia/Tokyo",), turn
            assert b.execute("SHOW TIME ZONE").fetchone() == ("America/New_York",), turn
            a.execute("SET TIME ZONE DEFAULT")


def test_twenty_clients_over_three_servers(proxy, cluster):
    failures = []

    def work(seed):
        dice = random.Random(seed)
        try:
            with proxy.connect(autocommit=True) as client:
                for step in range(60):
                    n = dice.randrange(1, 1000)
                    what = dice.randrange(5)
                    if what == 0:
                        got = client.execute("SELECT user_id::text FROM business_evaluations WHERE id = %s", [evaluation(n)],
                                             prepare=True, binary=bool(n % 2)).fetchone()
                        assert got == (owner(n),)
                    elif what == 1:
                        with client.transaction():
                            client.execute("SELECT set_config('app.mark', %s, true)", [f"{seed}.{step}"])
                            assert client.execute("SELECT current_setting('app.mark')").fetchone() == (f"{seed}.{step}",)
                    elif what == 2:
                        with client.pipeline():
                            some = [client.execute("SELECT %s::int, %s::text", [k, str(seed)]) for k in range(5)]
                            assert [s.fetchone() for s in some] == [(k, str(seed)) for k in range(5)]
                    elif what == 3:
                        assert client.execute(f"SELECT {seed}, {step}").fetchone() == (seed, step)
                    else:
                        try:
                            client.execute(f"SELECT {seed} / %s", [0], prepare=True)
                            raise AssertionError("no error")
                        except psycopg.errors.DivisionByZero:
                            pass
        except BaseException as fault:  # noqa: reported below, whatever it is
            failures.append(f"client {seed}: {fault!r}")

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads), "clients hang"
    assert not failures, failures
    for node in cluster.primary, cluster.replica:
        assert int(node.sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' "
                            "AND usename = 'app' AND query NOT LIKE '%pg_stat_activity%'")) <= 3 + 6  # control connections


def test_node_postgres(proxy):
    npm_ci(NODE)
    done = subprocess.run(["node", "drivers.js"], cwd=NODE, text=True, capture_output=True, timeout=120, check=False,
                          env=dict(os.environ, DATABASE_URL=proxy.url(), EVALUATION=evaluation(1), OWNER=owner(1)))
    assert done.returncode == 0, done.stdout + done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) >= 10 and all(r["ok"] for r in results), results
