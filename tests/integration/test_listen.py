"""LISTEN and NOTIFY in transaction pooling: one connection of pgtier's listens for all clients."""
import asyncio
import struct
import threading
import time

import psycopg
import pytest

import wire
from cluster import PASSWORDS
from wire import Raw, cstring, kinds, message

LISTENER = "pgtier listener"


def query(sql):
    return message(b"Q", cstring(sql))


class Client(Raw):
    """A raw client that keeps every message in its order."""

    def all(self, *messages):
        self.send(b"".join(messages))
        return [(kind, body) for kind, body in self.until(b"Z") if kind not in (b"N", b"S")]

    def run(self, sql):
        found = self.all(query(sql))
        assert not wire.error(found), wire.error(found)
        return found

    def heard(self, timeout=20):
        """The next notification; nothing else may come."""
        self.socket.settimeout(timeout)
        kind, body = self.next()
        assert kind == b"A", (kind, body)
        return note(body)

    def hears_nothing(self, wait=0.4):
        self.socket.settimeout(wait)
        try:
            kind, body = self.next()
        except TimeoutError:
            self.socket.settimeout(60)
            return
        raise AssertionError(f"{kind} {body}")


def note(body):
    """(pid, channel, payload) of a NotificationResponse."""
    channel, payload, _ = body[4:].split(b"\0")
    return struct.unpack("!i", body[:4])[0], channel.decode(), payload.decode()


def notes(messages):
    return [note(body) for kind, body in messages if kind == b"A"]


def rows(messages):
    return [[v.decode() for v in row] for row in wire.rows(messages)]


@pytest.fixture(scope="module")
def small(start):
    """Two servers for a user; no password is asked for."""
    return start({"pool": {"size": 2, "wait_timeout": "3s"}, "auth": {"type": "trust"}})


@pytest.fixture
def new(small):
    opened = []

    def make(user="app", **kwargs):
        opened.append(Client(small.port, user, **kwargs))
        return opened[-1]

    yield make
    for client in opened:
        client.socket.close()


def listener_pids(cluster):
    return cluster.primary.sql("SELECT pid FROM pg_stat_activity WHERE application_name = "
                               f"'{LISTENER}'").split()


def until(true, timeout=20):
    end = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def pins(proxy):
    """Why which clients keep their server. What one has left is known a little after its answer."""
    return [row["pinned"] for row in proxy.admin("SHOW CLIENTS") if row["pinned"]]


def test_more_listeners_than_servers(small, new):
    listeners = [new() for _ in range(20)]
    for i, client in enumerate(listeners):
        assert kinds(client.run("LISTEN crowd")) == "CZ"
        client.run(f"LISTEN own_{i}")
    sender = new()
    sender.run("NOTIFY crowd, 'to all'")
    for i in range(20):
        sender.run(f"NOTIFY own_{i}, 'to {i}'")
    for i, client in enumerate(listeners):
        assert client.heard() == (sender.key[0], "crowd", "to all")
        assert client.heard() == (sender.key[0], f"own_{i}", f"to {i}")
    assert not pins(small)
    metrics = {name: value for name, labels, value in small.metrics() if name.startswith("pgtier_channel")
               or name.startswith("pgtier_notif")}
    assert metrics["pgtier_channels"] == 21
    assert metrics["pgtier_channel_listeners"] == 20
    assert metrics["pgtier_notifications_total"] >= 40


def test_own_notification_comes_before_ready(new):
    client = new()
    client.run("LISTEN me")
    for sql in "NOTIFY me, 'x'", "SELECT pg_notify('me', 'x')", "DO $$BEGIN PERFORM pg_notify('me', 'x'); END$$":
        found = client.run(sql)
        assert kinds(found)[-3:] == "CAZ", sql
        assert notes(found) == [(client.key[0], "me", "x")]
    found = client.all(wire.parse("SELECT pg_notify($1, $2)", types=[25, 25]), wire.bind([b"me", b"y"]),
                       wire.execute(), wire.SYNC)
    assert kinds(found) == "12DCAZ"
    assert notes(found) == [(client.key[0], "me", "y")]


def test_own_notification_of_a_transaction(new):
    client = new()
    client.run("LISTEN tx")
    assert kinds(client.run("BEGIN")) == "CZ"
    assert kinds(client.run("NOTIFY tx, '1'")) == "CZ"
    assert kinds(client.run("NOTIFY tx, '2'")) == "CZ"
    found = client.run("COMMIT")
    assert kinds(found) == "CAAZ" and [n[2] for n in notes(found)] == ["1", "2"]
    client.run("BEGIN")
    client.run("NOTIFY tx, '3'")
    assert kinds(client.run("ROLLBACK")) == "CZ"
    client.hears_nothing()
    assert kinds(client.run("BEGIN; NOTIFY tx, '4'; COMMIT; SELECT 1")) == "CCCTDCAZ"


def test_trigger_notifies_its_own_session(cluster, new):
    cluster.primary.sql("""
        CREATE TABLE told (id int); GRANT ALL ON told TO app;
        CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN PERFORM pg_notify('rows', NEW.id::text); RETURN NEW; END$$;
        CREATE TRIGGER tell AFTER INSERT ON told FOR EACH ROW EXECUTE FUNCTION tell()""")
    try:
        client, other = new(), new()
        client.run("LISTEN rows")
        assert notes(client.run("INSERT INTO told VALUES (7)")) == [(client.key[0], "rows", "7")]
        other.run("INSERT INTO told VALUES (8)")
        assert client.heard() == (other.key[0], "rows", "8")
    finally:
        cluster.primary.sql("DROP TABLE told; DROP FUNCTION tell")


def test_payloads_and_names(cluster, new):
    client, sender = new(), new()
    long = "n" * 70
    for name, told in (("Folded_Name", "folded_name"), ('"Quoted ""x"" Name"', 'Quoted "x" Name'),
                       (f'"{long}"', long[:63]), (long.upper(), long[:63]), ('"' + "ü" * 40 + '"', "ü" * 31),
                       ("/* not this */ listen_ -- nor this\n;", "listen_"), ("übung", "übung"),
                       ("unlisten", "unlisten")):
        client.run(f"LISTEN {name}")
        sender.run(f"SELECT pg_notify('{told.replace(chr(39), chr(39) * 2)}', 'a')")
        assert client.heard()[1:] == (told, "a")
        client.run(f"UNLISTEN {name}")
        sender.run(f"SELECT pg_notify('{told.replace(chr(39), chr(39) * 2)}', 'b')")
        client.hears_nothing(0.1)
    client.run("LISTEN payload")
    for payload in "", "ä€𝄞", "x" * 7999, "line\nbreak", "'quoted'":
        cluster.primary.sql(f"SELECT pg_notify('payload', $p${payload}$p$)")
        assert client.heard()[1:] == ("payload", payload)


def test_pid_of_others(cluster, new):
    client = new()
    client.run("LISTEN pids")
    pid = int(cluster.primary.sql("SELECT pg_notify('pids', ''); SELECT pg_backend_pid()").split()[-1])
    assert client.heard() == (pid, "pids", "")


def test_order_is_that_of_commits(cluster, new):
    client, senders = new(), [new(), new()]
    client.run("LISTEN a_channel")
    client.run("LISTEN b_channel")
    sent = []
    for i in range(40):
        channel = "ab"[i % 3 == 0] + "_channel"
        senders[i % 2].run(f"NOTIFY {channel}, '{i}'")
        sent.append((channel, str(i)))
    assert [client.heard()[1:] for _ in sent] == sent


def test_in_a_transaction_it_waits_for_the_end(new):
    client, sender = new(), new()
    client.run("LISTEN later")
    client.run("BEGIN")
    sender.run("NOTIFY later, '1'")
    assert rows(client.run("SELECT 1")) == [["1"]]
    sender.run("NOTIFY later, '2'")
    client.hears_nothing()
    found = client.run("COMMIT")
    assert kinds(found) == "CAAZ" and [n[2] for n in notes(found)] == ["1", "2"]
    client.run("BEGIN")
    assert wire.error(client.all(query("SELECT 1/0")))
    sender.run("NOTIFY later, '3'")
    client.hears_nothing()
    assert kinds(client.run("ROLLBACK")) == "CAZ"


def test_not_in_the_middle_of_an_answer(new):
    client, sender = new(), new()
    client.run("LISTEN midst")
    client.send(query("SELECT g, pg_sleep(0.002) FROM generate_series(1, 200) g"))
    time.sleep(0.1)
    for i in range(10):
        sender.run(f"NOTIFY midst, '{i}'")
    found = [(kind, body) for kind, body in client.until(b"Z") if kind != b"S"]
    assert kinds(found) == "T" + "D" * 200 + "C" + "A" * 10 + "Z"
    # An exchange that no Sync has ended.
    client.send(wire.parse("SELECT 1") + wire.bind() + wire.execute() + message(b"H"))
    client.until(b"C")
    sender.run("NOTIFY midst, 'x'")
    client.hears_nothing()
    assert kinds(client.all(wire.SYNC)) == "AZ"


def test_unlisten(cluster, new):
    client, sender = new(), new()
    for name in "one", "two", "three", "four":
        client.run(f"LISTEN {name}")
    assert kinds(client.run("UNLISTEN one")) == "CZ"

    def hears():
        for name in "one", "two", "three", "four":
            sender.run(f"NOTIFY {name}")
        # A LISTEN is answered behind all that came before it.
        found = notes(client.run("LISTEN hear_end"))
        client.run("UNLISTEN hear_end")
        return [n[1] for n in found]

    assert hears() == ["two", "three", "four"]
    client.run("BEGIN; UNLISTEN two; ROLLBACK")
    assert hears() == ["two", "three", "four"]
    client.run("BEGIN")
    client.run("UNLISTEN two")
    client.run("COMMIT")
    assert hears() == ["three", "four"]
    assert wire.error(client.all(query("UNLISTEN *; SELECT 1/0")))
    assert hears() == ["three", "four"]
    client.run("SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL;")
    assert hears() == []
    client.run("LISTEN one")
    client.run("DISCARD ALL")
    assert hears() == []
    client.run("LISTEN one")
    assert kinds(client.run("UNLISTEN *")) == "CZ"
    assert hears() == []
    # The connection listens to nothing that nobody wants.
    cluster.primary.sql("NOTIFY one")
    client.hears_nothing(0.2)


def test_extended_protocol(new):
    client, sender = new(), new()
    assert kinds(client.extended("LISTEN ext")) == "12nCZ"
    sender.run("NOTIFY ext")
    assert client.heard()[1] == "ext"
    assert kinds(client.ask(wire.parse("UNLISTEN ext", "u"), wire.bind(name="u"), wire.execute(), wire.SYNC)) == "12CZ"
    assert kinds(client.ask(wire.bind(name="u"), wire.execute(), wire.SYNC)) == "2CZ"
    sender.run("NOTIFY ext")
    client.hears_nothing(0.2)
    # As asyncpg does it: prepared with a Flush first. No server is kept, and no name lost by an error behind it.
    client.send(wire.parse("LISTEN ext", "l") + wire.describe("S", "l") + message(b"H"))
    assert kinds(client.until(b"n")) == "1tn"
    assert kinds(client.ask(wire.bind(name="l"), wire.execute(), wire.SYNC)) == "2CZ"
    sender.run("NOTIFY ext")
    assert client.heard()[1] == "ext"
    client.send(wire.parse("LISTEN ext", "m") + wire.describe("S", "m") + message(b"H"))
    client.until(b"n")
    assert kinds(client.ask(wire.parse("SELECT 1/0", "n"), wire.bind(name="n"), wire.execute(), wire.SYNC)) == "1EZ"
    assert kinds(client.ask(wire.bind(name="m"), wire.execute(), wire.SYNC)) == "2CZ"
    assert wire.error(client.ask(wire.parse("LISTEN both"), wire.describe("S"), wire.SYNC))["C"] == "42601"
    # Pipelined, each with its Sync.
    client.send(query("LISTEN p1") + query("SELECT 1") + query("LISTEN p2") + query("NOTIFY p2, 'self'"))
    found = sum((client.until(b"Z") for _ in range(4)), [])
    assert kinds(found) == "CZTDCZCZCAZ"


def test_listening_channels(new, cluster):
    client, other = new(), new()
    assert rows(client.run("SELECT * FROM pg_listening_channels()")) == []
    client.run('LISTEN "Shown ""1"""')
    client.run("LISTEN shown_2")
    other.run("LISTEN not_shown")
    want = [['Shown "1"'], ["shown_2"]]
    for _ in range(3):
        assert sorted(rows(client.run("SELECT * FROM pg_listening_channels()"))) == want
        assert sorted(rows(client.extended("SELECT pg_listening_channels()"))) == want
        assert rows(other.run("SELECT * FROM pg_listening_channels()")) == [["not_shown"]]
    client.run("BEGIN")
    assert sorted(rows(client.run("SELECT * FROM pg_listening_channels()"))) == want
    client.run("ROLLBACK")
    assert sorted(rows(client.run("SELECT 1; SELECT * FROM pg_listening_channels()"))) == [["1"], *want]
    assert wire.error(client.all(query("SELECT 1/0 FROM pg_listening_channels()")))
    assert rows(new().run("SELECT * FROM pg_listening_channels()")) == []
    other.run("NOTIFY shown_2")
    assert client.heard()[1] == "shown_2"
    client.hears_nothing(0.2)


def test_who_comes_next_gets_a_server_as_it_wants_it(start_alone):
    """What is sent behind a question for the channels is still on its way when the next one has the server."""
    proxy = start_alone({"pool": {"size": 1}, "auth": {"type": "trust"}})
    asker = Client(proxy.port, "app")
    asker.run("LISTEN shown_1")
    others = [Client(proxy.port, "app", application_name=f"name {i}") for i in range(3)]
    for _ in range(60):
        asker.send(query("SELECT * FROM pg_listening_channels()"))
        for client in others:
            client.send(query("BEGIN") + query("SELECT current_setting('application_name')") + query("COMMIT"))
        assert rows(asker.until(b"Z")) == [["shown_1"]]
        for i, client in enumerate(others):
            found = sum((client.until(b"Z") for _ in range(3)), [])
            assert rows(found) == [[f"name {i}"]]
            assert [body for kind, body in found if kind == b"Z"] == [b"T", b"T", b"I"]


def test_a_session_with_both_hears_once(small, new):
    client, sender = new(), new()
    client.run("LISTEN twice")
    client.run("BEGIN")
    client.run("LISTEN twice")
    client.run("LISTEN own")
    client.run("COMMIT")
    until(lambda: pins(small) == ["LISTEN"])
    for i in range(5):
        sender.run(f"NOTIFY twice, '{i}'")
        sender.run(f"NOTIFY own, '{i}'")
    found = [client.heard()[1:] for _ in range(10)]
    assert sorted(found) == sorted((c, str(i)) for i in range(5) for c in ("twice", "own"))
    assert sorted(rows(client.run("SELECT * FROM pg_listening_channels()"))) == [["own"], ["twice"]]
    client.hears_nothing(0.2)
    client.run("UNLISTEN twice")
    sender.run("NOTIFY twice")
    client.hears_nothing(0.2)
    client.run("UNLISTEN *")
    sender.run("NOTIFY own")
    client.hears_nothing(0.2)
    until(lambda: not pins(small))


def test_listen_in_a_transaction_keeps_its_server(small, new):
    client, sender = new(), new()
    client.run("BEGIN; LISTEN pinned; COMMIT")
    until(lambda: pins(small) == ["LISTEN"])
    sender.run("NOTIFY pinned, 'x'")
    assert client.heard()[1:] == ("pinned", "x")


def test_listener_is_lost(cluster, new):
    client, busy, plain = new(), new(), new()
    client.run("LISTEN lost")
    busy.run("LISTEN lost")
    busy.run("BEGIN")
    plain.run("SELECT 1")
    pids = listener_pids(cluster)
    assert len(pids) == 1
    cluster.primary.sql(f"SELECT pg_terminate_backend({pids[0]})")
    for gone in client, busy:
        kind, body = gone.next()
        assert kind == b"E" and wire.fields(body)["V"] == "FATAL" and wire.fields(body)["C"] == "57P01"
        assert gone.at_end()
    plain.run("SELECT 1")
    again = new()
    again.run("LISTEN lost")
    plain.run("NOTIFY lost, 'again'")
    assert again.heard()[1:] == ("lost", "again")
    assert len(listener_pids(cluster)) == 1


def test_client_goes_while_it_waits(cluster, start_alone):
    proxy = start_alone({"auth": {"type": "trust"}})
    hba = cluster.primary.data / "pg_hba.conf"
    before = hba.read_text()
    clients = [Client(proxy.port, "app") for _ in range(3)]
    for client in clients:
        client.run("SELECT 1")
    # The listener logs in as app by password, as the servers do: none of them can from now on.
    hba.write_text("host all app 127.0.0.1/32 reject\n" + before)
    cluster.primary.sql("SELECT pg_reload_conf()", database="postgres")
    time.sleep(0.3)
    try:
        gone, cancelled, late = clients
        for client in clients:
            client.send(query("LISTEN never"))
        time.sleep(0.5)
        gone.socket.close()
        wire.cancel(proxy.port, *cancelled.key)
        assert wire.error(cancelled.until(b"Z"))["C"] == "57014"
        assert kinds(cancelled.run("SELECT 1")) == "TDCZ"
        found = wire.error(late.until(b"Z"))
        assert found["C"] == "57P03" and "H" in found and "pg_hba" in found["D"]
        # Whoever waits hears once it comes up.
        late.send(query("LISTEN never"))
        time.sleep(0.3)
    finally:
        hba.write_text(before)
        cluster.primary.sql("SELECT pg_reload_conf()", database="postgres")
    assert kinds(late.until(b"Z")) == "CZ"
    assert notes(late.run("NOTIFY never")) == [(late.key[0], "never", "")]


def test_session_pooling_is_as_it_was(cluster, start_alone):
    proxy = start_alone({"pool": {"mode": "session"}, "auth": {"type": "trust"}})
    client = Client(proxy.port, "app")
    client.run("LISTEN direct")
    assert rows(client.run("SELECT * FROM pg_listening_channels()")) == [["direct"]]
    cluster.primary.sql("NOTIFY direct, 'x'")
    assert client.heard()[1:] == ("direct", "x")
    assert [n[1:] for n in notes(client.run("NOTIFY direct, 'y'"))] == [("direct", "y")]


def test_a_client_that_does_not_read(new):
    client, sender = new(), new()
    client.run("LISTEN slow")
    payload = "p" * 1000
    for i in range(1000):
        sender.run(f"NOTIFY slow, '{i} {payload}'")
    time.sleep(0.5)
    assert [client.heard()[2].split()[0] for _ in range(1000)] == [str(i) for i in range(1000)]
    client.run("SELECT 1")


def test_a_client_that_never_reads_is_ended(new, small):
    client, sender = new(), new()
    client.socket.setsockopt(1, 8, 4096)  # SO_RCVBUF
    client.run("LISTEN never_read")
    client.run("BEGIN")
    before = small.rss()
    sender.run("SELECT count(pg_notify('never_read', g || repeat('p', 7900))) FROM generate_series(1, 1500) g")
    kind, body = client.next()
    assert kind == b"E" and wire.fields(body)["C"] == "54000" and wire.fields(body)["V"] == "FATAL"
    assert small.rss() - before < 200 << 20


def test_many_come_and_go(new, small, cluster):
    """Everything is given back: channels too."""
    def work(n):
        for i in range(30):
            with Client(small.port, "app") as client:
                client.run(f"LISTEN come_{n}_{i % 3}")
                client.run("LISTEN go")
                if i % 2:
                    client.send(query("LISTEN more") + query("NOTIFY go"))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: dict((n, v) for n, _, v in small.metrics())["pgtier_channels"] == 0)


def test_psycopg(small):
    with small.connect(autocommit=True) as listener, small.connect(autocommit=True) as sender:
        listener.execute("LISTEN psy")
        sender.execute("NOTIFY psy, 'one'")
        sender.execute("SELECT pg_notify(%s, %s)", ("psy", "two"))
        got = []
        for n in listener.notifies():
            got.append((n.pid == sender.pgconn.backend_pid, n.channel, n.payload))
            if len(got) == 2:
                break
        assert got == [(True, "psy", "one"), (True, "psy", "two")]
    # LISTEN in the transaction that psycopg begins by itself.
    with small.connect() as listener, small.connect(autocommit=True) as sender:
        listener.execute("LISTEN psy")
        listener.commit()
        sender.execute("NOTIFY psy, 'three'")
        assert next(iter(listener.notifies())).payload == "three"


def test_asyncpg(small):
    asyncpg = pytest.importorskip("asyncpg")

    async def run():
        dsn = f"postgresql://app:{PASSWORDS['app']}@127.0.0.1:{small.port}/app"
        pool = await asyncpg.create_pool(dsn, min_size=6, max_size=6)
        listeners = [await pool.acquire() for _ in range(5)]
        heard = asyncio.Queue()

        def hear(_, pid, channel, payload):
            heard.put_nowait((pid, channel, payload))

        for c in listeners:
            await c.add_listener("apg", hear)
        async with pool.acquire() as sender:
            pid = sender.get_server_pid()
            await sender.execute("SELECT pg_notify('apg', $1)", "hello")
            async with sender.transaction():
                await sender.execute("NOTIFY apg, 'again'")
        got = [await asyncio.wait_for(heard.get(), 20) for _ in range(10)]
        assert sorted(got) == sorted([(pid, "apg", "hello"), (pid, "apg", "again")] * 5)
        for c in listeners:
            await c.remove_listener("apg", hear)
            await pool.release(c)
        async with pool.acquire() as sender:
            await sender.execute("NOTIFY apg, 'nobody'")
        await asyncio.sleep(0.2)
        assert heard.empty()
        await pool.close()

    asyncio.run(run())
