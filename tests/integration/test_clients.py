"""Startup, login, cancel and psql."""
import os
import socket
import struct
import subprocess
import threading
import time

import psycopg
import pytest

from rows import evaluation
from wire import (GSSENC_REQUEST, SSL_REQUEST, V3_0, Closed, Raw, cancel, error, kinds, message, rows,
                  startup_packet)


@pytest.fixture(scope="module")
def trusting(start):
    return start({"auth": {"type": "trust"}, "listen": {"max_clients": 40}})


def psql(url, *words, text=None):
    return subprocess.run(["psql", "-X", *words, url], input=text, text=True, capture_output=True, timeout=60,
                          check=False, env=dict(os.environ, PGCONNECT_TIMEOUT="20"))


@pytest.mark.parametrize("words", [
    ["-c", "SELECT id, health_score, professional_data FROM business_evaluations ORDER BY id LIMIT 5"],
    ["-c", r"\d business_evaluations"],
    ["-c", r"\d"],
    ["-c", r"\dt+ users"],
    ["-c", r"\di"],
    ["-c", r"\df monitor*"],
    ["-c", r"\du app"],
    ["-Atc", "SELECT 1; SELECT 2; SELECT NULL, ''"],
    ["-c", "SELECT * FROM nowhere"],
    ["-c", "SELECT 1/0"],
    ["-c", ""],
    ["-c", "SELECT * FROM users ORDER BY id LIMIT 3", "-c", r"\gdesc", "-c", "VALUES (1, 'a'), (2, NULL)"],
])
def test_psql_says_what_it_says_directly(pgtier, cluster, words):
    through, direct = psql(pgtier.url(), *words), psql(cluster.primary.url(), *words)
    assert (through.stdout, through.stderr, through.returncode) == (direct.stdout, direct.stderr, direct.returncode)


def test_psql_script_with_transaction_and_copy(pgtier, cluster):
    cluster.primary.sql("DROP TABLE IF EXISTS psql_copy; CREATE TABLE psql_copy (n int, t text)", "app")
    script = "BEGIN;\nINSERT INTO psql_copy VALUES (0, 'zero');\n\\copy psql_copy from stdin\n" \
             "1\tone\n2\ttwo\n\\.\nCOMMIT;\n\\copy psql_copy to stdout\n"
    done = psql(pgtier.url(), "-q", "-v", "ON_ERROR_STOP=1", text=script)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "0\tzero\n1\tone\n2\ttwo\n"


@pytest.mark.parametrize("requests", [[SSL_REQUEST], [GSSENC_REQUEST], [GSSENC_REQUEST, SSL_REQUEST]])
def test_encryption_requests_are_answered_and_startup_goes_on(trusting, requests):
    with Raw(trusting.port) as c:
        for request in requests:
            c.send(struct.pack("!ii", 8, request))
            assert c.read(1) == b"N"
        c.send(startup_packet("app_trust", "app"))
        assert kinds(c.until(b"Z"))[0] == "R"
        assert rows(c.query("SELECT 41 + 1")) == [[b"42"]]


def test_bytes_behind_an_encryption_request_are_not_trusted(trusting):
    """What follows a request for encryption in the same packet was sent unencrypted by somebody."""
    with Raw(trusting.port) as c:
        c.send(struct.pack("!ii", 8, SSL_REQUEST) + startup_packet("app_trust", "app"))
        try:
            assert c.read(1) == b"N"
            assert kinds(c.until(b"Z"))  # an N is no encryption: going on is as right as leaving
        except (Closed, ConnectionResetError):
            pass
    assert psql(trusting.url("app_trust"), "-Atc", "SELECT 1").stdout == "1\n"


def test_startup_in_single_bytes(trusting):
    with Raw(trusting.port) as c:
        for byte in startup_packet("app_trust", "app", application_name="slow"):
            c.send(bytes([byte]))
        assert kinds(c.until(b"Z"))[-1] == "Z"
        for byte in message(b"Q", b"SELECT current_setting('application_name')\0"):
            c.send(bytes([byte]))
        assert rows(c.until(b"Z")) == [[b"slow"]]


@pytest.mark.parametrize("minor, spoken", [(1, 0), (2, None), (3, 2), (9999, 2)])
def test_protocols_are_negotiated_down(trusting, minor, spoken):
    with Raw(trusting.port) as c:
        c.send(startup_packet("app_trust", "app", version=V3_0 + minor))
        if spoken is not None:
            assert c.next() == (b"v", struct.pack("!ii", V3_0 + spoken, 0))
        assert kinds(c.until(b"Z"))[-1] == "Z"
        assert rows(c.query("SELECT 1")) == [[b"1"]]


def test_a_long_key_cancels_whole_or_not_at_all(trusting):
    with Raw(trusting.port) as c:
        c.send(startup_packet("app_trust", "app", version=V3_0 + 2))
        c.until(b"Z")
        pid, secret = c.key
        assert len(secret) == 32
        c.send(message(b"Q", b"SELECT pg_sleep(30)\0"))
        time.sleep(0.3)
        for wrong in secret[:4], secret[:31], secret + b"x", bytes(32), secret[:31] + bytes([secret[31] ^ 1]):
            cancel(trusting.port, pid, wrong)
        c.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            c.next()
        c.socket.settimeout(20)
        cancel(trusting.port, pid, secret)
        assert error(c.until(b"Z"))["C"] == "57014"


def test_unknown_protocol_options_are_listed(trusting):
    with Raw(trusting.port) as c:
        c.send(startup_packet("app_trust", "app", **{"_pq_.nonsense": "1"}))
        kind, body = c.next()
        assert kind == b"v"
        assert struct.unpack("!i", body[4:8]) == (1,)
        assert body[8:] == b"_pq_.nonsense\0"
        assert kinds(c.until(b"Z"))[-1] == "Z"


@pytest.mark.parametrize("garbage", [
    b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
    struct.pack("!ii", 0, V3_0),
    struct.pack("!ii", 4, V3_0),
    struct.pack("!ii", 8, V3_0),
    struct.pack("!ii", 2 ** 31 - 1, V3_0),
    struct.pack("!ii", -5, V3_0),
    struct.pack("!ii", 9, V3_0) + b"u",
    struct.pack("!ii", 20, V3_0) + b"user\0nobodyhere",
    startup_packet("app_trust", "app", version=2 << 16),
    startup_packet("app_trust", "app", version=4 << 16),
    struct.pack("!iiii", 16, 80877199, 1, 2),
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    bytes(3000),
], ids=range(13))
def test_garbage_is_refused(trusting, garbage):
    with Raw(trusting.port, timeout=20) as c:
        c.send(garbage)
        c.socket.shutdown(socket.SHUT_WR)
        said = b""
        try:
            while part := c.socket.recv(65536):
                said += part
        except ConnectionResetError:
            pass
        assert said == b"" or said[:1] == b"E", said
    assert psql(trusting.url("app_trust"), "-Atc", "SELECT 1").stdout == "1\n"


@pytest.mark.parametrize("user, database, password, states", [
    ("app", "nowhere", None, ["3D000"]),
    ("nobody", "app", "x", ["28P01", "28000"]),
    ("app", "app", "wrong", ["28P01"]),
])
def test_refusals_have_their_sqlstate(pgtier, user, database, password, states):
    done = psql(pgtier.url(user, database, password), "-c", "SELECT 1")
    assert done.returncode == 2 and "FATAL" in done.stderr
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(pgtier.url(user, database, password))
    # drivers do not show the SQLSTATE of a failed connect: ask psql to
    done = psql(pgtier.url(user, database, password), "-v", "VERBOSITY=verbose", "-c", "SELECT 1")
    assert done.returncode == 2


def test_sqlstates_of_refusals_on_the_wire(trusting, start):
    for user, database, states in ("app_trust", "nowhere", ["3D000"]), ("nobody", "app", ["28P01", "28000"]):
        with Raw(trusting.port) as c:
            c.send(startup_packet(user, database))
            found = error(c.until(b"Z"))
            assert found and found["C"] in states and found["S"] == "FATAL"
            assert c.at_end()


def test_full_house_is_53300(start):
    proxy = start({"auth": {"type": "trust"}, "listen": {"max_clients": 5}})
    held = []
    try:
        for _ in range(5):
            held.append(Raw(proxy.port, "app_trust"))
        with Raw(proxy.port) as late:
            late.send(startup_packet("app_trust", "app"))
            found = error(late.until(b"Z"))
            assert found["C"] == "53300"
            assert late.at_end()
        held.pop().socket.close()
        time.sleep(0.2)
        held.append(Raw(proxy.port, "app_trust"))
        assert rows(held[-1].query("SELECT 1")) == [[b"1"]]
    finally:
        for c in held:
            c.socket.close()


def test_parameters_of_the_server_reach_the_client(trusting, cluster):
    with Raw(trusting.port, "app_trust") as through, Raw(cluster.primary.port, "app_trust") as direct:
        for name in "server_version", "server_encoding", "client_encoding", "DateStyle", "TimeZone", \
                "integer_datetimes", "standard_conforming_strings", "IntervalStyle":
            assert through.parameters[name] == direct.parameters[name], name


def test_startup_parameters_hold(trusting):
    with Raw(trusting.port, "app_trust", application_name="who", TimeZone="Asia/Tokyo") as c:
        for _ in range(3):
            assert rows(c.query("SHOW TimeZone")) == [[b"Asia/Tokyo"]]
            assert rows(c.query("SHOW application_name")) == [[b"who"]]
    with Raw(trusting.port, "app_trust") as c:
        assert rows(c.query("SHOW TimeZone")) != [[b"Asia/Tokyo"]]


def test_cancel_by_driver(pgtier):
    with pgtier.connect(autocommit=True) as c:
        timer = threading.Timer(0.5, c.cancel)
        began = time.monotonic()
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            c.execute("SELECT pg_sleep(30)")
        assert time.monotonic() - began < 10
        assert c.execute("SELECT 7").fetchone() == (7,)


def test_cancel_with_a_wrong_key_does_nothing(trusting):
    with Raw(trusting.port, "app_trust") as c:
        pid, secret = c.key
        c.send(message(b"Q", b"SELECT pg_sleep(1)::text, 5\0"))
        time.sleep(0.2)
        cancel(trusting.port, pid, secret ^ 1)
        cancel(trusting.port, pid + 1, secret)
        answer = c.until(b"Z")
        assert error(answer) is None and rows(answer) == [[b"", b"5"]]


def test_cancel_of_an_idle_client_hits_nobody(start):
    """The key of one client must never cancel another's query on the server that both use."""
    proxy = start({"auth": {"type": "trust"}, "pool": {"mode": "transaction", "size": 1}})
    with Raw(proxy.port, "app_trust") as idle, Raw(proxy.port, "app_trust") as busy:
        idle.query("SELECT 1")
        busy.send(message(b"Q", b"SELECT pg_sleep(1)::text, 6\0"))
        time.sleep(0.3)
        cancel(proxy.port, *idle.key)
        answer = busy.until(b"Z")
        assert error(answer) is None and rows(answer) == [[b"", b"6"]]


def test_cancel_of_a_waiting_client(start):
    proxy = start({"auth": {"type": "trust"}, "pool": {"mode": "transaction", "size": 1}})
    with Raw(proxy.port, "app_trust") as busy, Raw(proxy.port, "app_trust") as waiting:
        busy.send(message(b"Q", b"SELECT pg_sleep(2)::text, 8\0"))
        time.sleep(0.3)
        waiting.send(message(b"Q", b"SELECT pg_sleep(0)::text, 9\0"))
        time.sleep(0.3)
        began = time.monotonic()
        cancel(proxy.port, *waiting.key)
        assert error(waiting.until(b"Z"))["C"] == "57014"
        assert time.monotonic() - began < 1
        assert rows(busy.until(b"Z")) == [[b"", b"8"]]
        assert rows(waiting.query("SELECT 10")) == [[b"10"]]


def test_cancelled_server_is_not_reused_too_early(start):
    """A cancel that lands late must not hit the next query on that server."""
    proxy = start({"auth": {"type": "trust"}, "pool": {"mode": "transaction", "size": 1}})
    with Raw(proxy.port, "app_trust") as c:
        for _ in range(20):
            c.send(message(b"Q", b"SELECT pg_sleep(0.01)\0"))
            cancel(proxy.port, *c.key)
            c.until(b"Z")
            with Raw(proxy.port, "app_trust") as other:
                answer = other.query("SELECT pg_sleep(0.02)::text, 3")
                assert error(answer) is None and rows(answer) == [[b"", b"3"]]


def test_a_client_that_leaves_in_the_middle_harms_nobody(start, cluster):
    proxy = start({"auth": {"type": "trust"}, "pool": {"mode": "transaction", "size": 2}})
    for sql in "SELECT pg_sleep(0.2)", "SELECT * FROM business_evaluations", "BEGIN; SELECT 1", \
            "COPY users TO STDOUT", "COPY psql_nowhere FROM STDIN":
        for _ in range(4):
            with Raw(proxy.port, "app_trust") as c:
                c.send(message(b"Q", sql.encode() + b"\0"))
    with Raw(proxy.port, "app_trust") as c:
        for n in range(10):
            assert rows(c.query(f"SELECT {n}")) == [[str(n).encode()]]
    until = time.monotonic() + 5
    while cluster.primary.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app_trust' "
                              "AND state LIKE 'idle in transaction%'") != "0":
        assert time.monotonic() < until, "a transaction of a client that has gone is still open"
        time.sleep(0.1)


def test_unknown_message_types_end_the_session_only(trusting):
    with Raw(trusting.port, "app_trust") as c:
        c.send(message(b"!", b"what"))
        found = error(c.until(b"Z"))
        assert found["C"] == "08P01"
    with Raw(trusting.port, "app_trust") as c:
        c.send(b"Q" + struct.pack("!i", 3))
        try:
            found = error(c.until(b"Z"))
            assert found["C"] == "08P01"
        except (Closed, ConnectionResetError):
            pass
    with Raw(trusting.port, "app_trust") as c:
        assert rows(c.query(f"SELECT id FROM business_evaluations WHERE id = '{evaluation(1)}'")) \
            == [[evaluation(1).encode()]]
