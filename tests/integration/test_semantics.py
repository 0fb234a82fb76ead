"""What a client may do on its connection that a proxy could get wrong for it, or for the next one on the server.

PGTIER_CHAOS_SECONDS (10) and PGTIER_CHAOS_SEED (0) say how long everything happens at once, and in which order.
"""
import os
import random
import socket
import struct
import threading
import time

import psycopg
import pytest

from wire import (CANCEL_REQUEST, SYNC, Closed, Raw, bind, cancel, cstring, describe, error, execute, fields, kinds,
                  message, parse, rows)

CHAOS_SECONDS = float(os.environ.get("PGTIER_CHAOS_SECONDS", "10"))
CHAOS_SEED = int(os.environ.get("PGTIER_CHAOS_SEED", "0"))
FLUSH = message(b"H")
KEYS = 64
BIG = 6000  # rows of 1 kB: more than the kernel holds for a client that does not read
SLOW = "SELECT count(*) FROM generate_series(1, 60000) a, generate_series(1, 60000) b WHERE a < b"
SETTINGS = {
    "auth": {"type": "trust"},
    "relations": {name: {"dimensions": ["id"], "unique": ["id"]} for name in ("sem_kv", "sem_bound", "sem_big")},
    "operations": {
        "sem_kv": {"match": {"statement": "select", "relation": "sem_kv", "where": {"id": "known"}}, "cache": "sem_kv"},
        "sem_bound": {"match": {"statement": "select", "relation": "sem_bound"}, "freshness": "10s",
                      "cache": "sem_bound"},
        "sem_big": {"match": {"statement": "select", "relation": "sem_big"}, "cache": "sem_big"}},
    "cache": {"classes": {name: {"key": name + ":{id}", "ttl": "1h"} for name in ("sem_kv", "sem_bound", "sem_big")}}}


def settings(**over):
    return {**SETTINGS, **over}


@pytest.fixture(scope="module", autouse=True)
def tables(cluster):
    cluster.primary.sql(
        "DROP TABLE IF EXISTS sem_kv, sem_bound, sem_big, sem_ddl;"
        "CREATE TABLE sem_kv (id int PRIMARY KEY, v int); CREATE TABLE sem_bound (id int PRIMARY KEY, v int);"
        "CREATE TABLE sem_big (id int PRIMARY KEY, pad text);"
        f"INSERT INTO sem_kv SELECT n, 0 FROM generate_series(1, {KEYS}) n; INSERT INTO sem_bound VALUES (1, 0);"
        f"INSERT INTO sem_big SELECT n, repeat('x', 1000) FROM generate_series(1, {BIG}) n", "app")
    cluster.catch_up()


@pytest.fixture(scope="module")
def one(start, tables):
    """A single server a node: whatever a client leaves on it, the next one meets."""
    return start(settings(pool={"mode": "transaction", "size": 1}))


@pytest.fixture(scope="module")
def four(start, tables):
    return start(settings(pool={"mode": "transaction", "size": 4}))


@pytest.fixture
def pair(one):
    with Raw(one.port, "app_trust", timeout=10) as a, Raw(one.port, "app_trust", timeout=10) as b:
        yield a, b


def query(sql):
    return message(b"Q", cstring(sql))


def errors(messages):
    return [fields(body)["C"] for kind, body in messages if kind == b"E"]


def tags(messages):
    return [body[:-1].decode() for kind, body in messages if kind == b"C"]


def sources(proxy, work):
    before = proxy.by_source()
    result = work()
    return result, {k: int(v - before.get(k, 0)) for k, v in proxy.by_source().items() if v != before.get(k, 0)}


def stop(client):
    """Ends the session as a driver does and returns when the proxy has seen it."""
    client.send(message(b"X"))
    client.at_end()
    client.socket.close()


# ---- what was committed is never taken back ----

UPDATE = "UPDATE sem_kv SET v = v + 1 WHERE id = {}"


def chain(c, sql):
    for text in "BEGIN", sql, "COMMIT AND CHAIN", "ROLLBACK":
        c.query(text)


def commit_and_begin(c, sql):
    for text in "BEGIN", sql, "COMMIT; BEGIN", "ROLLBACK":
        c.query(text)


def commit_in_one_text(c, sql):
    c.query(f"BEGIN; {sql}; COMMIT; BEGIN; SELECT 1; ROLLBACK")


def flushed_then_an_error(c, sql):
    c.send(parse(sql) + bind() + execute() + parse("COMMIT") + bind() + execute() + FLUSH)
    while tags([c.next()]) != ["COMMIT"]:
        pass
    assert errors(c.ask(parse("SELECT 1/0"), bind(), execute(), SYNC)) == ["22012"]


def flushed_autocommit_then_an_error(c, sql):
    c.send(parse(sql) + bind() + execute() + parse("COMMIT") + bind() + execute() + FLUSH)
    assert errors(c.ask(parse("SELEC"), SYNC)) == ["42601"]


def commit_then_a_bad_parse(c, sql):
    c.query("BEGIN")
    c.query(sql)
    assert errors(c.ask(parse("COMMIT"), bind(), execute(), parse("SELEC 1", "x"), SYNC)) == ["42601"]


def commit_bound_before(c, sql):
    c.ask(parse("COMMIT", "done"), SYNC)
    c.query("BEGIN")
    c.query(sql)
    assert errors(c.ask(bind(name="done"), execute(), parse("SELEC 1", "x"), SYNC)) == ["42601"]


def commit_in_a_pipeline(c, sql):
    c.ask(parse("BEGIN"), bind(), execute(), parse(sql), bind(), execute(), parse("COMMIT"), bind(), execute(),
          parse("SELECT 1/0"), bind(), execute(), SYNC)


def prepared_by_sql(c, sql):
    c.query(f"PREPARE foo AS {sql}")
    answer = c.ask(bind(name="foo"), execute(), SYNC)
    assert errors(answer) == [] and tags(answer) == ["UPDATE 1"]


def prepared_by_sql_in_a_transaction(c, sql):
    c.query("BEGIN")
    prepared_by_sql(c, sql)
    c.query("COMMIT")


def in_a_procedure(c, sql):
    c.query(f"DO $$ BEGIN {sql}; COMMIT; PERFORM 1/0; END $$")


@pytest.mark.parametrize("number, write", enumerate([
    chain, commit_and_begin, commit_in_one_text, flushed_then_an_error, flushed_autocommit_then_an_error,
    commit_then_a_bad_parse, commit_bound_before, commit_in_a_pipeline, prepared_by_sql,
    prepared_by_sql_in_a_transaction, in_a_procedure], 1), ids=lambda w: getattr(w, "__name__", ""))
def test_what_was_committed_is_seen(four, cluster, number, write):
    sql = f"SELECT v FROM sem_kv WHERE id = {number}"
    with Raw(four.port, "app_trust", timeout=10) as reader, Raw(four.port, "app_trust", timeout=10) as writer:
        until, by = time.monotonic() + 5, {}
        while not by.get("cache"):
            assert time.monotonic() < until, f"never cached: {by}"
            _, by = sources(four, lambda: reader.query(sql))
        write(writer, UPDATE.format(number))
        for _ in range(4):
            assert rows(reader.query(sql)) == [[b"1"]]
            time.sleep(0.05)
    assert cluster.primary.sql(sql) == "1"


def test_an_old_row_within_the_bound_is_not_kept(four, cluster):
    sql = "SELECT v FROM sem_bound WHERE id = 1"
    with Raw(four.port, "app_trust", timeout=10) as c:
        cluster.catch_up()
        time.sleep(0.3)
        cluster.replica.sql("SELECT pg_wal_replay_pause()", database="postgres")
        try:
            assert tags(c.query("UPDATE sem_bound SET v = 1 WHERE id = 1")) == ["UPDATE 1"]
            time.sleep(0.5)
            (first, second), by = sources(four, lambda: [rows(c.query(sql)) for _ in range(2)])
            assert first == [[b"0"]] and by.get("replica"), f"the replica was to answer, and late: {first}, {by}"
            assert second in ([[b"0"]], [[b"1"]])
        finally:
            cluster.replica.sql("SELECT pg_wal_replay_resume()", database="postgres")
        cluster.catch_up()
        for _ in range(3):
            assert rows(c.query(sql)) == [[b"1"]]


# ---- nothing of a client's is left to the next one on its server ----

def fail_in_a_copy(c, sent, left):
    c.send(query("COPY sem_kv FROM STDIN"))
    assert kinds(c.until(b"G"))[-1] == "G"
    c.send(message(b"d", b"bad row\n") + b"d" + struct.pack("!i", 4 + sent + left) + b"x" * sent)
    assert errors(c.until(b"Z")) == ["22P02"]


def test_half_a_message_of_a_copy_that_failed(pair):
    a, b = pair
    fail_in_a_copy(a, 50_000, 50_000)
    assert rows(b.query("SELECT 'its own'")) == [[b"its own"]]
    a.send(b"x" * 50_000)
    assert rows(a.query("SELECT 'goes on'")) == [[b"goes on"]]


def test_nothing_of_a_text_becomes_a_message(pair):
    """Were the head of b's message read as the rest of a's, its text would be messages."""
    a, b = pair
    fail_in_a_copy(a, 2000, 5)
    answer = b.ask(message(b"Q", query("SELECT 'smuggled'")))
    assert len(errors(answer)) == 1 and not rows(answer)
    a.send(b"x" * 5)
    assert rows(a.query("SELECT 'goes on'")) == [[b"goes on"]]


def test_discard_all_that_fails(one):
    a = Raw(one.port, "app_trust", timeout=20)
    a.query("SET search_path = sem_evil, public")
    made = a.query("DO $$ BEGIN FOR i IN 1..300 LOOP EXECUTE 'CREATE TEMP TABLE sem_tt' || i || '(n int, t text)'; "
                   "END LOOP; END $$")
    assert errors(made) == []
    a.query("SELECT pg_advisory_lock(4711)")
    a.query("SET statement_timeout = '2ms'")
    stop(a)
    with Raw(one.port, "app_trust", timeout=20) as b:
        assert rows(b.query("SHOW search_path")) == [[b'"$user", public']]
        assert rows(b.query("SHOW statement_timeout")) == [[b"0"]]
        seen = "SELECT count(*) FROM pg_class WHERE relname LIKE 'sem_tt%' AND pg_table_is_visible(oid)"
        assert rows(b.query(seen)) == [[b"0"]]
        until = time.monotonic() + 5
        while rows(b.query("SELECT pg_try_advisory_lock(4711)")) != [[b"t"]]:
            assert time.monotonic() < until, "the lock of a client that has gone is still held"
            time.sleep(0.05)
        b.query("SELECT pg_advisory_unlock(4711)")


@pytest.mark.parametrize("body", [
    "PERFORM set_config('search_path', 'sem_evil', false)",
    "PERFORM set_config('search_path', 'sem_evil', false); PERFORM set_config('statement_timeout', '77s', false)",
    "SET search_path = sem_evil",
    "PERFORM set_config('search_path', 'sem_evil', false); COMMIT; PERFORM 1/0",
])
def test_do_leaves_no_settings(pair, body):
    a, b = pair
    for way in a.query, a.extended:
        way(f"DO $$ BEGIN {body}; END $$")
        assert rows(b.query("SHOW search_path")) == [[b'"$user", public']]
        assert rows(b.query("SHOW statement_timeout")) == [[b"0"]]
    a.ask(parse(f"DO $$ BEGIN {body}; END $$"), bind(), execute(), FLUSH, SYNC)
    assert rows(b.query("SHOW search_path")) == [[b'"$user", public']]


def test_do_leaves_no_temporary_tables(pair, cluster):
    a, b = pair
    a.query("DO $$ BEGIN EXECUTE 'CREATE TEMP TABLE sem_kv (id int, v int)'; "
            "INSERT INTO pg_temp.sem_kv VALUES (20, 999); END $$")
    assert rows(a.query("SELECT v FROM sem_kv WHERE id = 20 FOR SHARE")) == [[b"999"]]
    a.query("DROP TABLE pg_temp.sem_kv")
    assert rows(b.query("SELECT v FROM sem_kv WHERE id = 20 FOR SHARE")) == [[b"0"]]
    b.query("UPDATE sem_kv SET v = 5 WHERE id = 20")
    assert cluster.primary.sql("SELECT v FROM sem_kv WHERE id = 20") == "5"


@pytest.mark.parametrize("ending", ["close", "reset", "terminate"])
def test_a_cancel_while_its_session_ends(one, ending):
    """It may land late: not in the next client's statement, and not in what makes the server new."""
    for n in range(12):
        a = Raw(one.port, "app_trust", timeout=10)
        a.query("SET statement_timeout = '50s'; SET search_path = sem_evil")
        a.send(query(f"SELECT pg_sleep({0.004 * (n % 3)})"))
        with socket.create_connection(("127.0.0.1", one.port), 10) as canceller:
            canceller.sendall(struct.pack("!iiii", 16, CANCEL_REQUEST, *a.key))
            if n % 2:
                a.until(b"Z")
            if ending == "reset":
                a.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if ending == "terminate":
                a.send(message(b"X"))
            a.socket.close()
        with Raw(one.port, "app_trust", timeout=10) as b:
            answer = b.query("SELECT pg_sleep(0.01)::text, 1")
            assert error(answer) is None and rows(answer) == [[b"", b"1"]]
            assert rows(b.query("SHOW search_path")) == [[b'"$user", public']]
            assert rows(b.query("SHOW statement_timeout")) == [[b"0"]]


# ---- prepared statements ----

@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("command, code", [("DEALLOCATE nonono", "26000"), ("DISCARD TEMP", None),
                                           ("DISCARD PLANS", None), ("SELECT 1; DEALLOCATE nonono", "26000")])
def test_others_keep_their_statements(one, pair, command, code, extended):
    a, b = pair
    sql = f"SELECT 14 FOR SHARE /* {command} {extended} */"
    for c in a, b:
        assert errors(c.ask(parse(sql, "s1"), bind(name="s1"), execute(), SYNC)) == []
    if extended and ";" in command:
        answer = a.ask(parse("SELECT 1"), bind(), execute(), parse("DEALLOCATE nonono"), bind(), execute(), SYNC)
    else:
        answer = (a.extended if extended else a.query)(command)
    assert errors(answer) == ([code] if code else [])
    for c in a, b, b, a:
        assert rows(c.ask(bind(name="s1"), execute(), SYNC)) == [[b"14"]]
        assert rows(c.ask(parse(sql), bind(), execute(), SYNC)) == [[b"14"]]
    with Raw(one.port, "app_trust", timeout=10) as c:
        assert rows(c.ask(parse(sql, "s9"), bind(name="s9"), execute(), SYNC)) == [[b"14"]]


@pytest.mark.parametrize("spelling", ["DEALLOCATE mine", "deallocate prepare Mine ;", 'DEALLOCATE "mine"'])
@pytest.mark.parametrize("extended", [False, True])
def test_a_client_drops_its_own_name(pair, spelling, extended):
    a, b = pair
    for c in a, b:
        assert errors(c.ask(parse("SELECT 15 FOR SHARE", "mine"), SYNC)) == []
    answer = (a.extended if extended else a.query)(spelling)
    assert errors(answer) == [] and tags(answer) == ["DEALLOCATE"]
    assert errors(a.ask(bind(name="mine"), execute(), SYNC)) == ["26000"]
    assert rows(a.ask(parse("SELECT 16", "mine"), bind(name="mine"), execute(), SYNC)) == [[b"16"]]
    assert rows(b.ask(bind(name="mine"), execute(), SYNC)) == [[b"15"]]


def test_deallocate_all_as_second_of_a_pipeline(pair):
    a, b = pair
    for c in a, b:
        assert errors(c.ask(parse("SELECT 17 FOR SHARE", "k"), bind(name="k"), execute(), SYNC)) == []
    answer = a.ask(parse("SELECT 1 FOR SHARE"), bind(), execute(), parse("DEALLOCATE ALL"), bind(), execute(), SYNC)
    assert errors(answer) == [] and tags(answer) == ["SELECT 1", "DEALLOCATE ALL"]
    for _ in range(2):
        assert rows(b.ask(bind(name="k"), execute(), SYNC)) == [[b"17"]]
    assert errors(a.ask(bind(name="k"), execute(), SYNC)) == ["26000"]
    assert rows(a.ask(parse("SELECT 18", "k"), bind(name="k"), execute(), SYNC)) == [[b"18"]]


def test_psycopg_drops_more_than_it_may_keep(four):
    """250 statements a connection, of which it keeps 100 and deallocates the others by SQL."""
    failed = []

    def work(n):
        try:
            with four.connect("app_trust", autocommit=n == 0) as c:
                c.prepare_threshold = 0
                for i in list(range(250)) + list(range(0, 250, 5)):
                    assert c.execute(f"SELECT %s::int + {i}, 'psycopg'", [n]).fetchone() == (n + i, "psycopg")
                    if i % 7 == 0:
                        c.commit()
        except (psycopg.Error, AssertionError) as e:
            failed.append(repr(e))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed


def test_psycopg_with_few_prepared_statements(one):
    with one.connect("app_trust", autocommit=True) as c:
        c.prepare_threshold, c.prepared_max = 0, 3
        for i in list(range(20)) * 2:
            assert c.execute(f"SELECT {i} + %s::int", [1]).fetchone() == (i + 1,)


def altered(cluster, columns):
    cluster.primary.sql(f"ALTER TABLE sem_ddl ADD c{columns} int", "app")


@pytest.fixture
def ddl(cluster):
    cluster.primary.sql("DROP TABLE IF EXISTS sem_ddl; CREATE TABLE sem_ddl (n int); INSERT INTO sem_ddl VALUES (1)",
                        "app")
    cluster.catch_up()


@pytest.mark.parametrize("by", ["proxy", "elsewhere"])
@pytest.mark.parametrize("name", ["s1", ""])
def test_a_changed_table_heals(one, pair, cluster, ddl, name, by):
    a, b = pair
    sql = f"SELECT * FROM sem_ddl FOR SHARE /* {name} {by} */"
    for c in a, b:
        assert errors(c.ask(parse(sql, name), bind(name=name), execute(), SYNC)) == []
    for n in range(2, 4):
        if by == "proxy":
            assert errors(b.query(f"ALTER TABLE sem_ddl ADD c{n} int")) == []
        else:
            altered(cluster, n)
        found = []
        for again in range(4):
            with Raw(one.port, "app_trust", timeout=10) as c:
                found.append(c.ask(parse(sql, name), bind(name=name), execute(), SYNC))
            found.append(a.ask(*([] if name else [parse(sql)]), bind(name=name), execute(), SYNC))
        failures = sum((errors(answer) for answer in found), [])
        assert failures in ([], ["0A000"]), failures
        assert all(len(rows(answer)[0]) == n for answer in found if not errors(answer))


def test_a_changed_table_does_not_banish_its_shape_from_the_replica(one, pair, cluster, ddl):
    a, b = pair
    sql = "SELECT * FROM sem_ddl"
    assert errors(a.ask(parse(sql, "r1"), bind(name="r1"), execute(), SYNC)) == []
    time.sleep(0.3)
    _, by = sources(one, lambda: a.ask(bind(name="r1"), execute(), SYNC))
    assert by.get("replica"), f"the replica was to answer: {by}\n{one.explain(sql)}"
    assert errors(b.query("ALTER TABLE sem_ddl ADD c2 int")) == []
    cluster.catch_up()
    time.sleep(0.3)
    failures = []
    for _ in range(4):
        failures += errors(a.ask(bind(name="r1"), execute(), SYNC))
    assert failures in ([], ["0A000"]), failures
    until, by = time.monotonic() + 5, {}
    while by != {"replica": 1}:  # its new server has to be older than the last look at the replica
        assert time.monotonic() < until, f"{by}\n{one.explain(sql)}"
        time.sleep(0.1)
        answer, by = sources(one, lambda: a.ask(bind(name="r1"), execute(), SYNC))
        assert len(rows(answer)[0]) == 2


# ---- who is slow holds up nobody ----

def test_a_leader_that_stops_reading(four):
    sql = "SELECT id, pad FROM sem_big"
    with Raw(four.port, "app_trust", timeout=10) as slow, Raw(four.port, "app_trust", timeout=10) as c:
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.send(query(sql))
        time.sleep(0.3)
        began = time.monotonic()
        answer = c.query(sql)
        assert len(rows(answer)) == BIG and error(answer) is None
        assert time.monotonic() - began < 3


def test_a_large_query_that_waits_for_a_server(start_alone):
    proxy = start_alone(settings(pool={"mode": "transaction", "size": 1}, limits={"request": "64kB"}))
    for size, first in ((100_000, 40_000), (100_000, None), (2 << 20, 3), (2 << 20, 70_000), (2 << 20, 1_500_000)):
        with Raw(proxy.port, "app_trust", timeout=20) as a, Raw(proxy.port, "app_trust", timeout=20) as b:
            assert errors(a.query("BEGIN; SELECT 1")) == []
            whole = query(f"SELECT length('{'x' * size}')")

            def push():
                b.send(whole[:first])
                time.sleep(0.1)
                b.send(b"" if first is None else whole[first:])

            pusher = threading.Thread(target=push)
            pusher.start()
            time.sleep(0.3)
            a.query("COMMIT")
            answer = b.until(b"Z")
            pusher.join(10)
            assert error(answer) is None and rows(answer) == [[str(size).encode()]]
            assert rows(b.query("SELECT 1")) == [[b"1"]]


# ---- COPY ----

def counted(cluster, low):
    return cluster.primary.sql(f"SELECT count(*) FROM sem_kv WHERE id >= {low} AND id < {low} + 100")


@pytest.mark.parametrize("good", [True, False])
def test_copy_in_one_packet(one, pair, cluster, good):
    a, b = pair
    answer = a.ask(query("COPY sem_kv FROM STDIN"), message(b"d", b"1000\t1\n" if good else b"bad\n"), message(b"c"))
    assert errors(answer) == ([] if good else ["22P02"])
    if good:
        assert tags(answer) == ["COPY 1"]
        assert counted(cluster, 1000) == "1"
    assert rows(a.query("SELECT 1")) == rows(b.query("SELECT 1")) == [[b"1"]]


@pytest.mark.parametrize("good", [True, False])
@pytest.mark.parametrize("end", [b"c", b"f"])
def test_copy_by_flush(one, pair, cluster, good, end):
    a, b = pair
    cluster.primary.sql("DELETE FROM sem_kv WHERE id >= 1100", "app")
    a.send(parse("COPY sem_kv FROM STDIN") + bind() + execute() + FLUSH)
    assert kinds(a.until(b"G"))[-1] == "G"
    a.send(message(b"d", b"1100\t1\n" if good else b"bad\n"))
    a.send(message(end, b"" if end == b"c" else b"no\0"))
    a.send(SYNC)
    answer = a.until(b"Z")
    wanted = ["22P02"] if not good else ["57014"] if end == b"f" else []
    assert errors(answer) == wanted and kinds(answer).count("Z") == 1
    assert counted(cluster, 1100) == ("0" if wanted else "1")
    assert rows(a.query("SELECT 1")) == rows(b.query("SELECT 1")) == [[b"1"]]


# ---- errors and cancels in the middle ----

def test_a_cancel_after_a_flush(pair, one):
    a, b = pair
    a.send(parse("SELECT pg_sleep(20)") + bind() + execute() + FLUSH)
    time.sleep(0.3)
    began = time.monotonic()
    cancel(one.port, *a.key)
    assert errors(a.until(b"CE")) == ["57014"]
    assert time.monotonic() - began < 3
    assert kinds(a.ask(SYNC)) == "Z"
    assert rows(b.query("SELECT 2")) == rows(a.query("SELECT 2")) == [[b"2"]]


def test_a_query_after_an_error_and_a_flush(pair):
    a, b = pair
    a.send(parse("SELEC") + FLUSH)
    assert errors(a.until(b"E")) == ["42601"]
    a.send(query("SELECT 'passed over'"))
    assert kinds(a.ask(SYNC)) == "Z"
    assert rows(a.query("SELECT 3")) == rows(b.query("SELECT 3")) == [[b"3"]]


def test_statement_timeout_on_a_replica_is_told_once(four):
    with Raw(four.port, "app_trust", timeout=20, options="-c statement_timeout=400") as c:
        for how in c.query, c.extended:
            began = time.monotonic()
            answer, by = sources(four, lambda: how(SLOW))
            took = time.monotonic() - began
            assert errors(answer) == ["57014"] and by.get("replica"), (answer, by)
            assert 0.35 < took < 0.75, took
        assert rows(c.query("SELECT 4")) == [[b"4"]]


def test_a_cancel_of_a_read_on_a_replica(four):
    with Raw(four.port, "app_trust", timeout=20) as c:
        for data in query(SLOW), parse(SLOW) + bind() + describe() + execute() + SYNC:
            c.send(data)
            time.sleep(0.4)
            began = time.monotonic()
            cancel(four.port, *c.key)
            answer, by = sources(four, lambda: c.until(b"Z"))
            assert errors(answer) == ["57014"], (answer, by)
            assert time.monotonic() - began < 2
            assert rows(c.query("SELECT 5")) == [[b"5"]]


@pytest.mark.parametrize("bad", [
    message(b"P", b"\0SELECT $1::int\0\0\0") + message(b"B", b"\0\0\0\0\0\1\0\0\0\x20ab\0\0"),
    message(b"B", b"\0"), message(b"P", b"x"), message(b"D", b"?x\0"), message(b"E", b"abc")], ids=range(5))
def test_a_malformed_message_after_a_flush_commits_nothing(one, cluster, bad):
    cluster.primary.sql("DELETE FROM sem_kv WHERE id >= 2000", "app")
    with Raw(one.port, "app_trust", timeout=10) as a:
        a.send(parse("INSERT INTO sem_kv VALUES (2001, 1)") + bind() + execute() + FLUSH)
        assert tags(a.until(b"C")) == ["INSERT 0 1"]
        try:
            a.send(bad + execute() + SYNC)
            answer = a.until(b"Z")
            assert errors(answer) == ["08P01"]
            if kinds(answer).endswith("Z"):
                a.query("SELECT 5")  # which would end the transaction
        except (Closed, OSError):
            pass
    with Raw(one.port, "app_trust", timeout=10) as b:
        assert rows(b.query("SELECT 6")) == [[b"6"]]
    time.sleep(0.2)
    assert counted(cluster, 2000) == "0"


# ---- settings and users ----

RESETS = ["DISCARD ALL", "RESET ALL", "RESET {}", "SET {} TO DEFAULT", "BEGIN; SET {} = {}; ROLLBACK"]


@pytest.mark.parametrize("how", RESETS)
def test_settings_go_back_to_what_the_client_came_with(one, how):
    came = {"search_path": ("pg_catalog, public", "sem_other"), "TimeZone": ("Asia/Tokyo", "'Europe/Rome'"),
            "extra_float_digits": ("2", "3")}
    options = {"options": "-c search_path=pg_catalog,\\ public --extra_float_digits=2", "TimeZone": "Asia/Tokyo"}
    with Raw(one.port, "app_trust", timeout=10, **options) as a, Raw(one.port, "app_trust", timeout=10) as b:
        for name, (wanted, other) in came.items():
            for untouched in True, False:
                if not untouched:
                    a.query(f"SET {name} = {other}")
                assert errors(a.query(how.format(name, other))) == []
                if "ROLLBACK" in how and not untouched:
                    wanted = other.strip("'")
                assert rows(a.query(f"SHOW {name}")) == [[wanted.encode()]], (name, untouched)
        a.query("DISCARD ALL")
        stop(a)
        assert rows(b.query("SHOW search_path")) == [[b'"$user", public']]
        assert rows(b.query("SHOW TimeZone")) != [[b"Asia/Tokyo"]]
        assert rows(b.query("SHOW extra_float_digits")) == [[b"1"]]


ONE_RESETS = [["RESET TimeZone"], ["SET TimeZone TO DEFAULT"], ["BEGIN", "RESET TimeZone", "COMMIT"],
              ["BEGIN", "RESET TimeZone", "ROLLBACK"], ["SELECT 1; RESET TimeZone"], ["BEGIN; RESET TimeZone; COMMIT"]]


@pytest.mark.parametrize("texts, extended", [(texts, extended) for texts in ONE_RESETS for extended in (False, True)
                                             if not extended or ";" not in texts[0]],
                         ids=lambda v: "|".join(v) if isinstance(v, list) else str(v))
def test_one_setting_that_goes_back(pair, one, texts, extended):
    """The others stay, the client is told, and the next one on the server finds nothing of it."""
    options = {"options": "-c search_path=pg_catalog", "TimeZone": "Asia/Tokyo", "DateStyle": "German, DMY"}
    _, b = pair
    with Raw(one.port, "app_trust", timeout=10, **options) as a:
        assert errors(a.query("SET DateStyle = 'SQL, MDY'")) == errors(a.query("SET TimeZone = 'Europe/Rome'")) == []
        for text in texts:
            assert errors((a.extended if extended else a.query)(text)) == []
        zone = "Europe/Rome" if "ROLLBACK" in texts else "Asia/Tokyo"
        assert rows(a.query("SHOW TimeZone")) == [[zone.encode()]]
        assert a.parameters["TimeZone"] == zone
        assert rows(a.query("SHOW search_path")) == [[b"pg_catalog"]]
        if ";" not in texts[0]:  # nobody knows which setting it was
            assert rows(a.query("SHOW DateStyle")) == [[b"SQL, MDY"]]
            assert a.parameters["DateStyle"] == "SQL, MDY"
            for _ in range(2):
                assert rows(b.query("SHOW search_path")) == [[b'"$user", public']]
                assert rows(a.query("SHOW search_path")) == [[b"pg_catalog"]]
        stop(a)
    assert rows(b.query("SHOW search_path")) == [[b'"$user", public']]
    assert rows(b.query("SHOW TimeZone")) not in ([[b"Europe/Rome"]], [[b"Asia/Tokyo"]])
    assert rows(b.query("SHOW DateStyle")) == [[b"ISO, MDY"]]


def test_a_reload_with_another_password(start_alone, cluster):
    role = "sem_login"

    def users(password):
        return {"auth": {"type": "scram-sha-256", "users": [
            {"name": "app", "password": "app-secret"}, {"name": role, "password": password}]}}

    def ask(password):
        with psycopg.connect(proxy.url(role, password=password), autocommit=True, connect_timeout=10) as c:
            return c.execute("SELECT current_user FOR SHARE").fetchone()[0]  # of the primary

    def make(password):
        cluster.primary.sql(f"DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN PASSWORD '{password}'")

    make("first")
    proxy = start_alone({**SETTINGS, **users("first"), "pool": {"mode": "transaction", "size": 2}})
    assert ask("first") == role
    with psycopg.connect(proxy.url(role, password="first"), connect_timeout=10) as held:
        held.execute("SELECT 1 FOR SHARE")  # the only server: the next client needs a login
        cluster.primary.sql(f"ALTER ROLE {role} PASSWORD 'second'")
        proxy.reload(users("second"))
        assert ask("second") == role
        with pytest.raises(psycopg.OperationalError):
            ask("first")
        held.execute("SELECT 1 FOR SHARE")


# ---- everything at once ----

class Chaos:
    """A client that does anything, and leaves in the middle of it."""

    def __init__(self, proxy, seed, until):
        self.proxy, self.random, self.until, self.done = proxy, random.Random(seed), until, 0

    def work(self):
        while time.monotonic() < self.until:
            try:
                self.session()
            except (OSError, Closed, AssertionError):
                pass

    def session(self):
        with Raw(self.proxy.port, "app_trust", timeout=0.4) as c:
            for _ in range(self.random.randint(1, 6)):
                if not self.step(c):
                    break
                self.done += 1
            if self.random.random() < 0.5:
                c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def step(self, c):
        data = self.messages()
        cut = self.random.randint(1, len(data))
        c.send(data[:cut])
        if self.random.random() < 0.3:
            return False
        c.send(data[cut:])
        if self.random.random() < 0.3:
            with socket.create_connection(("127.0.0.1", self.proxy.port), 5) as canceller:
                canceller.sendall(struct.pack("!iiii", 16, CANCEL_REQUEST, *c.key))
        if self.random.random() < 0.6:
            c.until(b"Z")
        return True

    def messages(self):
        key = self.random.randint(40, 44)
        read, write = f"SELECT v FROM sem_kv WHERE id = {key}", UPDATE.format(key)
        return self.random.choice([
            parse(read) + bind() + describe() + execute() + SYNC,
            parse("SELECT v FROM sem_kv WHERE id = $1", "s") + bind([str(key).encode()], "s") + execute() + SYNC,
            parse("SELECT v FROM sem_kv WHERE id = $1", "t") + bind([str(key).encode()], "t") + execute() + FLUSH,
            parse(write) + bind() + execute() + FLUSH + parse("COMMIT") + bind() + execute() + SYNC,
            query(read), query(write), query("SELECT pg_sleep(0.1)"), query("SELECT id, pad FROM sem_big"),
            query("COPY sem_kv FROM STDIN") + message(b"d", b"bad\n") + message(b"c"),
            query("COPY sem_kv TO STDOUT"),
            parse("COPY sem_kv FROM STDIN") + bind() + execute() + SYNC,
            parse("COPY sem_kv FROM STDIN") + bind() + execute() + FLUSH + message(b"f", b"no\0") + SYNC,
            query("BEGIN") + query(write) + query("COMMIT"), query("BEGIN") + query(write) + query("ROLLBACK"),
            query("BEGIN") + query(write),
            query(f"BEGIN; {write}; COMMIT AND CHAIN; SELECT 1/0"),
            parse("SELECT 1/0", "x") + bind(name="x") + execute() + parse("SELECT 1", "y") + SYNC
            + parse("SELECT 2", "y") + bind(name="y") + execute() + SYNC,
            query("SET search_path = public") + query(read), query("DISCARD ALL"), query("DEALLOCATE ALL"),
            query("CREATE TEMP TABLE IF NOT EXISTS sem_own (n int)"),
            query("DO $$ BEGIN PERFORM set_config('search_path', 'sem_evil', false); END $$"),
            message(b"X"), message(b"!", b"what"), SYNC, FLUSH])


def until_true(what, seconds=10):
    end = time.monotonic() + seconds
    while True:
        found = what()
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.1)


def test_chaos(start_alone, cluster):
    proxy = start_alone(settings(pool={"mode": "transaction", "size": 4}))
    end = time.monotonic() + CHAOS_SECONDS
    clients = [Chaos(proxy, CHAOS_SEED * 100 + n, end) for n in range(16)]
    threads = [threading.Thread(target=client.work) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert sum(client.done for client in clients) > 100

    assert until_true(lambda: [c for c in proxy.admin("SHOW CLIENTS") if c["user"] != "app"]) == []

    def pending():
        return [row for row in proxy.admin("SHOW STATS") if row["name"] == "pending" and row["value"] != "0"]

    assert until_true(pending) == []
    assert until_true(lambda: [p for p in proxy.admin("SHOW POOLS") if int(p["taken"]) or int(p["waiting"])]) == []
    with Raw(proxy.port, "app_trust", timeout=10) as c:
        for key in range(40, 45):
            sql = f"SELECT v FROM sem_kv WHERE id = {key}"
            truth = cluster.primary.sql(sql).encode()
            assert [rows(c.query(sql)) for _ in range(3)] == [[[truth]]] * 3
            assert tags(c.query(UPDATE.format(key))) == ["UPDATE 1"]
            assert rows(c.query(sql)) == [[b"%d" % (int(truth) + 1)]]
            assert rows(c.query("SHOW search_path")) == [[b'"$user", public']]


# ---- several entries under databases ----

def until_logged(proxy, text):
    until = time.monotonic() + 20
    while text not in proxy.log.read_text(errors="replace"):
        assert time.monotonic() < until, proxy.tail()
        time.sleep(0.05)


def test_two_entries_of_one_database(start, cluster, tables):
    """Each would have a ledger that misses what is written through the other: none of them answers but the primary."""
    proxy = start(settings(databases={"twin": {"primary": cluster.primary.url()}}), ready=False)
    until_logged(proxy, "are the same database")
    with Raw(proxy.port, "app_trust", timeout=10) as a, Raw(proxy.port, "app_trust", "twin", timeout=10) as b:
        for _ in range(3):
            value = int(rows(b.query("SELECT v FROM sem_kv WHERE id = 60"))[0][0])
            assert errors(a.query("UPDATE sem_kv SET v = v + 1 WHERE id = 60")) == []
            assert rows(b.query("SELECT v FROM sem_kv WHERE id = 60")) == [[str(value + 1).encode()]]


def test_a_role_is_of_all_databases(start, cluster, tables):
    """A membership that ends in one database ends what is cached for it in another."""
    sql = cluster.primary.sql
    sql("DROP DATABASE IF EXISTS sem_other")
    sql("CREATE DATABASE sem_other")
    sql("DROP TABLE IF EXISTS sem_secret; DROP ROLE IF EXISTS sem_reader; CREATE ROLE sem_reader;"
        "CREATE TABLE sem_secret (id int PRIMARY KEY, v int); INSERT INTO sem_secret VALUES (1, 1);"
        "REVOKE ALL ON sem_secret FROM PUBLIC, app_trust; GRANT SELECT ON sem_secret TO sem_reader;"
        "GRANT sem_reader TO app_trust")
    other = cluster.primary.url(user="postgres", database="sem_other")
    proxy = start({"auth": {"type": "trust", "users": [{"name": "app_trust"}, {"name": "postgres"}, {"name": "app"}]},
                   "databases": {"sem_other": {"primary": other}},
                   "relations": {"sem_secret": {"dimensions": ["id"], "unique": ["id"]}},
                   "operations": {"sem_secret": {"match": {"statement": "select", "relation": "sem_secret"},
                                                 "cache": "sem_secret"}},
                   "cache": {"classes": {"sem_secret": {"key": "sem_secret:{id}", "ttl": "1h"}}}}, ready=False)
    for name in "app", "sem_other":
        until_logged(proxy, f"ledger: database {name}: open")
    read = "SELECT v FROM sem_secret WHERE id = 1"
    with Raw(proxy.port, "app_trust", timeout=10) as bob, Raw(proxy.port, "postgres", "sem_other", timeout=10) as dba:
        until = time.monotonic() + 10
        while "cache" not in sources(proxy, lambda: bob.query(read))[1]:
            assert time.monotonic() < until, "never cached"
        assert errors(dba.query("REVOKE sem_reader FROM app_trust")) == []
        assert errors(bob.query(read)) == ["42501"]
