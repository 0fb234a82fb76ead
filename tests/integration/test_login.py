"""Logins: what a client is told, and refused, is what a server says directly."""
import struct
import time

import pytest

from wire import GSSENC_REQUEST, SSL_REQUEST, Raw, cancel, error, message, rows, startup_packet

LONG = "x" * 3000


@pytest.fixture(scope="module")
def trusting(start):
    return start({"auth": {"type": "trust"}, "pool": {"mode": "transaction", "size": 3}})


@pytest.fixture(scope="module")
def pooling(start):
    return start({"auth": {"type": "trust"}, "pool": {"mode": "session", "size": 6}})


def log_in(port, user="app_trust", database="app", **parameters):
    """All messages up to ReadyForQuery or the refusal, and whether the peer has hung up after one."""
    with Raw(port) as c:
        c.send(startup_packet(user, database, **parameters))
        said = c.until(b"Z")
        return said, error(said) is None or c.at_end()


REFUSED = [
    {"database": "nowhere"},
    {"database": "d" * 80},
    {"TimeZone": "nope"},
    {"client_encoding": "nope"},
    {"x": "1"},
    {LONG: LONG},
    {"options": f"-c TimeZone={LONG}"},
    {"options": "-c work_mem=lots"},
    {"options": "--work-mem=4EB"},
    {"options": "-c statement_timeout=-5"},
    {"options": "-c log_statement=all"},
    {"options": "-c my.own=1 -c other=2"},
    {"options": "-X"},
    {"options": "-c work_mem"},
    {"options": "--work_mem"},
    {"options": "nothing"},
    {"work_mem": "x", "options": "-c TimeZone=a"},
    {"options": "-c TimeZone=a", "TimeZone": "UTC"},
    {"role": "postgres"},
    {"role": "nobody"},
    {"session_authorization": "nobody"},
    {"DateStyle": "never"},
    {"default_transaction_isolation": "none"},
    {"search_path": "\"unclosed"},
]


@pytest.mark.parametrize("parameters", REFUSED, ids=range(len(REFUSED)))
@pytest.mark.parametrize("mode", ["trusting", "pooling"])
def test_a_refusal_is_the_servers(request, cluster, mode, parameters):
    (direct, _), (through, ended) = log_in(cluster.primary.port, **parameters), \
        log_in(request.getfixturevalue(mode).port, **parameters)
    expected, found = error(direct), error(through)
    assert expected and found and ended
    for place in "FLR":  # where in the server it was raised may be another place
        expected.pop(place, None), found.pop(place, None)
    assert found == expected


ACCEPTED = [
    {},
    {"application_name": "who"},
    {"application_name": "caf\u00e9 " + "n" * 80},
    {"client_encoding": "utf8", "DateStyle": "iso"},
    {"client_encoding": "latin-1"},
    {"client_encoding": "SQL_ASCII", "TimeZone": "america/new_york"},
    {"TimeZone": "-3", "IntervalStyle": "ISO_8601"},
    {"datestyle": "german"},
    {"options": "-c datestyle=sql -c datestyle=dmy --timezone=cet -csearch_path=a,\\ b"},
    {"options": "-c TimeZone=EET", "TimeZone": "UTC"},
    {"options": "-c default_transaction_read_only=1 -c standard_conforming_strings=off"},
    {"options": "-c role=app", "my.own": LONG},
    {"work_mem": "1024kB", "statement_timeout": "1min"},
]


@pytest.mark.parametrize("parameters", ACCEPTED, ids=range(len(ACCEPTED)))
@pytest.mark.parametrize("mode", ["trusting", "pooling"])
def test_what_is_told_is_what_the_server_says(request, cluster, mode, parameters):
    """Twice, the second time from memory; and the settings hold."""
    proxy = request.getfixturevalue(mode)
    names = ["TimeZone", "DateStyle", "work_mem", "search_path", "role", "statement_timeout", "application_name"]
    ask = "SELECT " + ", ".join(f"current_setting('{name}')" for name in names)
    with Raw(cluster.primary.port, "app_trust", **parameters) as direct:
        expected = rows(direct.query(ask))
        for _ in range(2):
            with Raw(proxy.port, "app_trust", **parameters) as through:
                assert through.parameters == direct.parameters
                assert rows(through.query(ask)) == expected
                assert through.parameters == direct.parameters
    with Raw(proxy.port, "app_trust") as plain, Raw(cluster.primary.port, "app_trust") as direct:
        assert plain.parameters == direct.parameters
        assert rows(plain.query(ask)) == rows(direct.query(ask))


def test_a_known_set_needs_no_server(start_alone):
    proxy = start_alone({"auth": {"type": "trust"}, "pool": {"mode": "transaction", "size": 1}})
    with Raw(proxy.port, "app_trust", TimeZone="cet") as busy:
        busy.query("BEGIN")
        for k in range(20):
            with Raw(proxy.port, "app_trust", TimeZone="cet", application_name=f"worker {k}", timeout=5) as c:
                assert c.parameters["TimeZone"] == "CET"
        busy.query("COMMIT")


def test_a_refused_set_costs_no_server(start_alone, cluster):
    proxy = start_alone({"auth": {"type": "trust"}, "pool": {"mode": "transaction", "size": 1}})
    with Raw(proxy.port, "app_trust") as c:
        before = rows(c.query("SELECT pg_backend_pid() + 0 * random()"))
        for k in range(5):
            said, _ = log_in(proxy.port, work_mem="1MB", statement_timeout=f"long{k}")
            assert error(said)["C"] == "22023"
        assert rows(c.query("SELECT pg_backend_pid() + 0 * random()")) == before
        assert rows(c.query("SELECT current_setting('work_mem')")) != [[b"1MB"]]


def test_a_refusal_of_the_server_is_told_whole(start_alone, cluster):
    """At login, and to a waiting client whose session goes on."""
    cluster.primary.sql("CREATE ROLE barred LOGIN NOINHERIT CONNECTION LIMIT 1", database="postgres")
    try:
        with open(cluster.primary.data / "pg_hba.conf", encoding="ascii") as hba:
            before = hba.read()
        (cluster.primary.data / "pg_hba.conf").write_text("host all barred 127.0.0.1/32 trust\n" + before)
        cluster.primary.sql("SELECT pg_reload_conf()", database="postgres")
        users = [{"name": name, "password": "secret"} for name in ("app", "barred")]
        proxy = start_alone({"auth": {"type": "trust", "users": users}, "pool": {"mode": "transaction", "size": 2}},
                            ready=False)
        with Raw(cluster.primary.port, "barred") as held:
            expected = error(log_in(cluster.primary.port, "barred")[0])
            assert expected["C"] == "53300"
            said, ended = log_in(proxy.port, "barred")
            assert error(said) == expected and ended
            held.query("SELECT 1")
        with Raw(proxy.port, "barred") as first, Raw(proxy.port, "barred") as second:
            first.query("BEGIN")
            first.query("SELECT pg_backend_pid()")
            found = error(second.query("SELECT pg_backend_pid()"))
            assert found.pop("S") == found.pop("V") == "ERROR"
            assert found.items() <= expected.items()
            first.query("COMMIT")
            assert rows(second.query("SELECT 1")) == [[b"1"]]
    finally:
        (cluster.primary.data / "pg_hba.conf").write_text(before)
        cluster.primary.sql("SELECT pg_reload_conf()", database="postgres")


@pytest.mark.parametrize("requests", [[SSL_REQUEST, SSL_REQUEST], [SSL_REQUEST, GSSENC_REQUEST, SSL_REQUEST]])
def test_encryption_is_asked_for_as_directly(trusting, cluster, requests):
    """Those with GSSAPI end at the first answer that is no N: this server may speak it."""
    def answers(port):
        found = []
        with Raw(port) as c:
            for request in requests:
                c.send(struct.pack("!ii", 8, request))
                if (answer := c.read(1)) == b"E":
                    size = struct.unpack("!i", c.read(4))[0]
                    answer += c.read(size - 4)
                found.append(answer.split(b"3.0 to")[0])
                if answer != b"N":
                    break
        return found

    through, direct = answers(trusting.port), answers(cluster.primary.port)
    assert b"G" in direct or through == direct
    assert all(answer == b"N" or b"1234.5679" in answer for answer in through)


def test_data_behind_a_request_for_encryption(trusting, cluster):
    for port in trusting.port, cluster.primary.port:
        with Raw(port) as c:
            c.send(struct.pack("!ii", 8, SSL_REQUEST) + startup_packet("app_trust", "app"))
            assert c.read(1) == b"N"
            found = error(c.until(b"Z"))
            assert (found["C"], found["M"]) == ("08P01", "received unencrypted data after SSL request")
            assert found["D"].startswith("This could be either a client-software bug") and c.at_end()


def backend(c):
    return int(rows(c.query("SELECT pg_backend_pid() + 0 * random()"))[0][0])


def test_session_pooling_tells_the_pid_of_its_server(pooling):
    with Raw(pooling.port, "app_trust") as one, Raw(pooling.port, "app_trust", TimeZone="cet") as two:
        assert one.key[0] == backend(one) != two.key[0] == backend(two)
        one.send(message(b"Q", b"SELECT pg_sleep(30)\0"))
        two.send(message(b"Q", b"SELECT pg_sleep(1)::text\0"))
        time.sleep(0.3)
        cancel(pooling.port, one.key[0], two.key[1])
        cancel(pooling.port, *one.key)
        assert error(one.until(b"Z"))["C"] == "57014"
        assert error(two.until(b"Z")) is None
        assert one.key[0] == backend(one)


@pytest.mark.parametrize("mode", ["trusting", "pooling"])
def test_notifications_tell_who_sent_them(request, cluster, mode):
    """One's own carry the number that one's key tells, and others' are left as they are."""
    proxy = request.getfixturevalue(mode)

    def notified(c, last=b"Z"):
        return [struct.unpack("!i", body[:4])[0] for kind, body in c.until(last) if kind == b"A"]

    with Raw(proxy.port, "app_trust") as c, Raw(cluster.primary.port, "app_trust") as other:
        c.query("LISTEN own")
        c.send(message(b"Q", b"NOTIFY own, 'x'\0"))
        assert notified(c) == [c.key[0]]
        other.query("NOTIFY own, 'y'")
        assert notified(c, b"A") == [other.key[0]]
