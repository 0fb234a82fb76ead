"""What an operation of the rules does beside target, class and route: deny, timeout, limit, log, a preferred replica."""
import re
import signal
import threading
import time

import psycopg
import pytest

from rows import evaluation, owner
from wire import Raw, error, message, rows

OPERATIONS = {
    "nobody_deletes": {"match": {"statement": "delete", "relation": "business_evaluations"},
                       "deny": {"sqlstate": "42501", "message": "evaluations are never deleted",
                                "hint": "Archive them instead."}},
    "nobody_truncates": {"match": {"statement": "truncate"}, "deny": "tables are not emptied here"},
    "tried": {"match": {"relation": "users", "hint": "tried"}, "shadow": True, "deny": True},
    "slow": {"match": {"statement": "select", "relation": "users", "hint": "slow"}, "timeout": "400ms"},
    "few": {"match": {"statement": "select", "relation": "users", "hint": "few"}, "limit": 1},
    "logged": {"match": {"statement": "select", "relation": "users", "hint": "logged"}, "log": True},
    "half": {"match": {"statement": "select", "relation": "users", "hint": "half"}, "log": "50%"},
    "near": {"match": {"statement": "select", "relation": "users", "hint": "near"}, "route": "nearest"},
    "idle": {"match": {"statement": "select", "relation": "users", "hint": "idle"}, "route": "least_busy"},
}
SLEEP = "SELECT pg_sleep({})::text, count(*) FROM users /*operation='{}'*/"


def query(text):
    return message(b"Q", text.encode() + b"\0")


@pytest.fixture(scope="module")
def proxy(start):
    return start({"auth": {"type": "trust"}, "operations": OPERATIONS, "pool": {"wait_timeout": "2s"}})


@pytest.fixture
def c(proxy):
    with Raw(proxy.port, "app_trust") as client:
        yield client


def test_what_is_denied_is_an_error_and_not_the_end(c):
    found = error(c.query(f"DELETE FROM business_evaluations WHERE id = '{evaluation(1)}'"))
    assert (found["S"], found["C"], found["M"], found["H"]) == \
        ("ERROR", "42501", "evaluations are never deleted", "Archive them instead.")
    assert "nobody_deletes" in found["D"]
    assert error(c.query("TRUNCATE professional_data_audit"))["M"] == "tables are not emptied here"
    assert rows(c.query("SELECT 1")) == [[b"1"]]


def test_what_is_denied_fails_its_transaction(c):
    c.query("BEGIN")
    assert not error(c.query("UPDATE users SET name = name || '!' WHERE false"))
    assert error(c.query("DELETE FROM business_evaluations"))["C"] == "42501"
    assert error(c.query("SELECT 1"))["C"] == "25P02"
    c.query("ROLLBACK")
    assert rows(c.query("SELECT 1")) == [[b"1"]]


def test_what_is_denied_in_a_pipeline(proxy):
    with psycopg.connect(proxy.url("app_trust"), autocommit=True) as client:
        with pytest.raises(psycopg.errors.InsufficientPrivilege), client.pipeline():
            client.execute("SELECT 1")
            client.execute("DELETE FROM business_evaluations WHERE id = %s", [evaluation(1)])
            client.execute("SELECT 2")
        assert client.execute("SELECT count(*) FROM business_evaluations WHERE id = %s", [evaluation(1)]).fetchone() == (1,)


def test_a_second_statement_of_a_batch_is_denied_too(c):
    c.send(query("SELECT 1; DELETE FROM business_evaluations"))
    assert error(c.until(b"Z"))["C"] == "42501"


def test_time_runs_out(c):
    began = time.monotonic()
    found = error(c.query(SLEEP.format(10, "slow")))
    assert time.monotonic() - began < 5
    assert (found["C"], found["M"]) == ("57014", "canceling statement due to statement timeout")
    assert "400ms" in found["D"]
    assert rows(c.query(SLEEP.format(0, "slow")))
    assert rows(c.query(SLEEP.format(0.8, "other")))


def test_time_runs_out_in_a_transaction(c):
    c.query("BEGIN")
    assert error(c.query(SLEEP.format(10, "slow")))["C"] == "57014"
    assert error(c.query("SELECT 1"))["C"] == "25P02"
    c.query("ROLLBACK")


def test_one_at_a_time(proxy):
    clients = [Raw(proxy.port, "app_trust") for _ in range(4)]
    done = []

    def run(k):
        assert rows(clients[k].query(SLEEP.format(0.2, "few")))
        done.append(k)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
        time.sleep(0.05)
    for thread in threads:
        thread.join(20)
    for client in clients:
        client.socket.close()
    assert done == [0, 1, 2, 3]
    assert time.monotonic() - began >= 0.8


def test_a_turn_that_does_not_come(proxy):
    with Raw(proxy.port, "app_trust") as busy, Raw(proxy.port, "app_trust") as late, Raw(proxy.port, "app_trust") as gone:
        busy.send(query(SLEEP.format(3, "few")))
        time.sleep(0.3)
        gone.send(query(SLEEP.format(0, "few")))
        late.send(query(SLEEP.format(0, "few")))
        time.sleep(0.1)
        gone.socket.close()
        found = error(late.until(b"Z"))
        assert found["C"] == "53300" and 'operation "few"' in found["M"] and "limit" in found["H"]
        assert rows(busy.until(b"Z"))
        assert rows(late.query(SLEEP.format(0, "few")))


def test_who_holds_a_server_does_not_wait(proxy):
    """It could hold what the one inside waits for."""
    with Raw(proxy.port, "app_trust") as busy, Raw(proxy.port, "app_trust") as holder:
        holder.query("BEGIN")
        holder.query("SELECT 1")
        busy.send(query(SLEEP.format(1, "few")))
        time.sleep(0.3)
        began = time.monotonic()
        assert rows(holder.query(SLEEP.format(0, "few")))
        assert time.monotonic() - began < 0.6
        assert rows(busy.until(b"Z"))


def lines(proxy, operation, count):
    """Of the log, which is written behind the answer."""
    until = time.monotonic() + 10
    while True:
        found = [line for line in proxy.log.read_text(encoding="utf-8").splitlines() if f"operation {operation}:" in line]
        if len(found) >= count or time.monotonic() > until:
            return found
        time.sleep(0.05)


def test_a_share_goes_to_the_log(proxy, c):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    for _ in range(3):
        c.query(f"SELECT count(*) FROM users WHERE id = '{owner(1)}' /*operation='logged',traceparent='{trace}'*/")
    found = lines(proxy, "logged", 3)
    assert len(found) == 3
    assert re.search(rf"(replica|primary), .*ms, 1 rows, traceparent {trace}: select count", found[0], re.I), found[0]
    assert owner(1) not in found[0]
    for _ in range(10):
        c.query("SELECT count(*) FROM users /*operation='half'*/")
    assert len(lines(proxy, "half", 5)) == 5


@pytest.mark.parametrize("operation", ["near", "idle"])
def test_a_preferred_replica_answers(proxy, c, operation):
    sql = f"SELECT count(*) FROM users /*operation='{operation}'*/"
    until = time.monotonic() + 15
    while True:
        before = proxy.by_source()
        assert rows(c.query(sql))
        if proxy.by_source().get("replica", 0) > before.get("replica", 0):
            break
        assert time.monotonic() < until, "the replica is not used"


def test_a_shadow_is_counted_and_decides_nothing(proxy, c):
    def shown(name):
        return next(row for row in proxy.admin("SHOW RULES") if row["rule"] == name)

    before = int(shown("tried")["hits"])
    for _ in range(3):
        assert rows(c.query("SELECT count(*) FROM users /*operation='tried'*/"))
    after = shown("tried")
    assert int(after["hits"]) == before + 3 and after["shadow"] == "yes" and after["last_match"]
    denied = int(shown("nobody_truncates")["hits"])
    assert error(c.query("TRUNCATE professional_data_audit"))
    assert int(shown("nobody_truncates")["hits"]) == denied + 1
    proxy.process.kill(signal.SIGHUP)
    time.sleep(0.5)
    assert int(shown("tried")["hits"]) >= before + 3
