"""What is no message: it is answered as by PostgreSQL or with 08P01 and the end, and nobody else notices."""
import socket
import struct

import pytest

from talk import line
from wire import (CANCEL_REQUEST, GSSENC_REQUEST, SSL_REQUEST, SYNC, V3_0, Closed, Raw, bind, close, cstring, describe,
                  execute, message, parse, rows, startup_packet)

FLUSH = message(b"H")
AFTER = message(b"Q", b"SELECT 'after'\0")
GB = 1 << 30


def head(kind, length):
    return kind + struct.pack("!i", length)


def query(sql):
    return message(b"Q", cstring(sql))


# Each is followed by Sync and AFTER, where whoever still listens finds its place again.
FAULTS = {
    "length 0": head(b"Q", 0), "length 3": head(b"Q", 3), "negative length": head(b"Q", -1),
    "length of 2 GB": head(b"Q", 0x7fffffff), "more than 1 GB": head(b"Q", GB + 5),
    "Bind of more than 1 GB": head(b"B", GB + 5), "Sync of 20 kB": head(b"S", 20_000),
    "Parse of length 3": head(b"P", 3), "CopyData of length 3": head(b"d", 3), "Sync of length 3": head(b"S", 3),
    "unknown type": message(b"!", b"what"), "type 0": b"\0" + AFTER, "type 255": message(b"\xff"),
    "a server's message": message(b"Z", b"I"), "an authentication request": message(b"R", b"\0\0\0\0"),
    "a password": message(b"p", b"secret\0"), "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"r" * 32,
    "a startup packet": startup_packet("app_trust", "app"), "Query without NUL": message(b"Q", b"SELECT 1"),
    "Query of nothing": message(b"Q"), "Query with a NUL": message(b"Q", b"SELECT 1\0; SELECT 2\0"),
    "Query and more": message(b"Q", b"SELECT 1\0\0"),
    "Query in a Query": message(b"Q", b"SELECT 1" + query("SELECT 'smuggled'")), "Parse of nothing": message(b"P"),
    "Parse without NUL": message(b"P", b"\0SELECT 1"), "Parse without a count": message(b"P", b"\0SELECT 1\0"),
    "Parse with truncated oids": message(b"P", b"\0SELECT $1\0\0\2\0\0\0\x17"),
    "Parse with a negative count": message(b"P", b"\0SELECT 1\0\xff\xff"),
    "Parse and more": message(b"P", b"\0SELECT 1\0\0\0more"),
    "Parse with many oids": message(b"P", b"\0SELECT 1\0\x7f\xff"), "Bind of nothing": message(b"B"),
    "Bind of an unknown name": bind(name="nope"), "Bind with too few": parse("SELECT $1::int") + bind(),
    "Bind with too many": parse("SELECT 1") + bind([b"1", b"2"]),
    "Bind with formats": parse("SELECT $1::int, $2::int") + bind([b"1", b"2"], formats=(0, 0, 0)),
    "Bind with a format": parse("SELECT $1::int") + bind([b"1"], formats=(9,)),
    "Bind with result formats": parse("SELECT 1") + bind(results=(0, 0)),
    "Bind that promises more": parse("SELECT $1::text") + message(b"B", b"\0\0\0\0\0\1\0\0\0\x20ab\0\0"),
    "Bind with a length of -2": parse("SELECT $1::text") + message(b"B", b"\0\0\0\0\0\1\xff\xff\xff\xfe\0\0"),
    "Bind with a length of 2 GB": parse("SELECT $1::text") + message(b"B", b"\0\0\0\0\0\1\x7f\xff\xff\xff\0\0"),
    "Bind and more": parse("SELECT 1") + message(b"B", b"\0\0\0\0\0\0\0\0more"),
    "Bind without results": message(b"B", b"\0\0\0\0\0\0"),
    "Bind with a negative count": message(b"B", b"\0\0\xff\xff\0\0\0\0"), "Describe of nothing": message(b"D"),
    "Describe of an unknown kind": message(b"D", b"?x\0"), "Describe without NUL": message(b"D", b"Sx"),
    "Describe and more": message(b"D", b"S\0\0"), "Describe of an unknown name": describe("S", "nope"),
    "Close of an unknown kind": message(b"C", b"?x\0"), "Close without NUL": message(b"C", b"Sx"),
    "Close of an unknown name": close("S", "nope"), "Execute of an unknown portal": execute("nope"),
    "Execute of nothing": message(b"E"), "Execute without a limit": message(b"E", b"\0"),
    "Execute with half a limit": message(b"E", b"\0\0\0"), "Execute and more": message(b"E", b"\0\0\0\0\0x"),
    "Execute with a negative limit": parse("SELECT 1") + bind() + execute("", -5), "Sync and more": message(b"S", b"x"),
    "Flush and more": message(b"H", b"x"), "CopyData outside": message(b"d", b"1\n"), "CopyDone outside": message(b"c"),
    "CopyFail outside": message(b"f", b"no\0"), "CopyFail without NUL": message(b"f", b"no"),
    "FunctionCall of nothing": message(b"F"), "FunctionCall with half": message(b"F", b"\0\0\0\xb1\0\0\0\2\0\0\0\1"),
    "FunctionCall with wrong counts": message(b"F", struct.pack("!Ihhhi", 177, 2, 0, 0, 0)),
    "a name of 9 kB": parse("SELECT 1", "n" * 9000) + close("S", "n" * 9000),
    "not UTF-8": message(b"Q", b"SELECT '\xff\xfe'\0"),
}
INSERT = "INSERT INTO wf_rows VALUES (current_setting('application_name'))"  # by which way it came
# What was said before, and up to what it is answered.
BEFORE = {
    "idle": (b"", b""), "in a transaction": (query("BEGIN; " + INSERT), b"Z"),
    "after an error": (parse("SELEC") + FLUSH, b"E"),
    "after a Flush": (parse(INSERT) + bind() + execute() + FLUSH, b"C"),
    "in COPY": (query("COPY wf_rows FROM STDIN") + message(b"d", b"1\n"), b"G"),
    "in COPY, extended": (parse("COPY wf_rows FROM STDIN") + bind() + execute() + FLUSH, b"G"),
}


@pytest.fixture(scope="module")
def proxy(start, cluster):
    cluster.primary.sql("DROP TABLE IF EXISTS wf_rows; CREATE TABLE wf_rows (v text)", "app")
    return start({"auth": {"type": "trust"}, "pool": {"mode": "transaction", "size": 2},
                  "databases": {"app": {"replicas": None}}})


class Others:
    """One client in the middle of a transaction, which holds a server; the next ones have the other."""

    def __init__(self, proxy, cluster):
        self.proxy, self.turn = proxy, 0
        self.direct = Raw(cluster.primary.port, "app_trust", timeout=20)
        self.c = Raw(proxy.port, "app_trust", timeout=20)
        assert b"E" not in dict(self.c.query("BEGIN; CREATE TEMP TABLE wf_mine (n int) ON COMMIT DROP; "
                                             "SET LOCAL work_mem = '7MB'"))

    def check(self):
        self.turn += 1
        answer = self.c.query(f"INSERT INTO wf_mine VALUES ({self.turn}); "
                              "SELECT count(*), current_setting('work_mem') FROM wf_mine")
        assert rows(answer) == [[str(self.turn).encode(), b"7MB"]], answer
        for _ in range(2):
            with Raw(self.proxy.port, "app_trust", timeout=20) as c:
                answer = c.query("SELECT 'its own', current_setting('work_mem'), to_regclass('wf_mine')")
                assert rows(answer) == [[b"its own", b"4MB", None]] and answer[-1] == (b"Z", b"I"), answer
                assert rows(c.extended("SELECT $1::text", [b"bound"])) == [[b"bound"]]

    def written(self):
        """What came to be, by its way: {"direct": n, "pgtier": m}; it is then taken away."""
        answer = self.direct.query("WITH d AS (DELETE FROM wf_rows RETURNING v) SELECT v, count(*) FROM d GROUP BY v")
        return {way.decode(): int(count) for way, count in rows(answer)}

    def end(self):
        assert self.c.query("COMMIT")[-1] == (b"Z", b"I")
        self.c.socket.close()
        self.direct.socket.close()


@pytest.fixture(scope="module")
def others(proxy, cluster):
    them = Others(proxy, cluster)
    yield them
    them.end()


def plain(kind, body):
    words = line(kind, body).split(" ")
    return " ".join(word for word in words if kind != b"E" or not word.startswith(("P:", "W:")))


def all_of(c, seconds):
    """What comes until AFTER is answered, until the end, or until nothing comes any more."""
    found, ends = [], False
    c.socket.settimeout(seconds)
    try:
        while True:
            kind, body = c.next()
            if kind not in b"SN":
                found.append(plain(kind, body))
            ends |= found[-1:] == ["D after"] or (found[-1:] != [] and "C:25P02" in found[-1])
            if ends and kind == b"Z":
                return found
    except TimeoutError:
        return found + ["waits"]
    except (Closed, OSError):
        return found + ["closed"]


def said(port, way, before, until, fault, seconds):
    """Answers to a fault: errors and rows; then whether one is still heard."""
    with Raw(port, "app_trust", timeout=20, application_name=way) as c:
        if before:
            c.send(before)
            c.until(until)
        try:
            c.send(fault + SYNC + AFTER)
        except OSError:
            pass
        return all_of(c, seconds)


def is_end(answer):
    """FATAL, 08P01, and the end, after what had come before."""
    return len(answer) > 1 and answer[-1] == "closed" and answer[-2].startswith("E V:FATAL C:08P01")


def code_only(answer):
    """Of 08P01 the text does not matter, nor whether what stands before it in the request was answered."""
    if not any(part.startswith("E V:ERROR C:08P01") for part in answer):
        return answer
    return ["08P01" if part.startswith("E V:ERROR C:08P01") else part for part in answer if part[0] not in "12"]


def same(direct, through):
    gives_up = direct[-1] == "waits" and through[-1] == "closed"
    return code_only(through) == code_only(direct) or is_end(through) or gives_up


def compare(proxy, cluster, others, situation, fault):
    """None, or how it differs. To wait for nothing is only worth long where the answers differ."""
    before, until = BEFORE[situation]
    for seconds in 0.15, 2:
        direct = said(cluster.primary.port, "direct", before, until, fault, seconds)
        through = said(proxy.port, "pgtier", before, until, fault, seconds if direct[-1] == "waits" else 2)
        written = others.written()
        if same(direct, through) and written.get("pgtier", 0) <= written.get("direct", 0):
            return None
    return (f"{situation}; written {written}\n    direct   {' // '.join(direct)[:500]}\n"
            f"    pgtier   {' // '.join(through)[:500]}")


@pytest.mark.parametrize("name", FAULTS)
def test_a_malformed_message(proxy, cluster, others, name):
    differences = [compare(proxy, cluster, others, situation, FAULTS[name]) for situation in BEFORE]
    others.check()
    if any(differences):
        pytest.fail("\n".join(f"{name}, {difference}" for difference in differences if difference), pytrace=False)


WHOLE = {
    "Query": query("SELECT 'half'"),
    "pipeline": parse("SELECT $1::int", "half") + bind([b"1"], "half") + describe() + execute() + SYNC,
    "write": query(INSERT), "pipelined write": parse(INSERT) + bind() + execute() + SYNC,
    "COPY": query("COPY wf_rows FROM STDIN") + message(b"d", b"one\n" * 9) + message(b"d", b"two\n" * 9),
    "large": query(f"SELECT length('{'x' * 300_000}')"), "password": message(b"p", b"x\0"),
}


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("reset", [False, True])
def test_half_a_message_then_the_end(proxy, others, name, reset):
    data = WHOLE[name]
    cuts = sorted({1, 4, 5, 6, *range(1, len(data), max(1, len(data) // 10))})
    for before in "SELECT 1", "BEGIN; " + INSERT:
        for cut in cuts:
            c = Raw(proxy.port, "app_trust", timeout=20)
            c.query(before)
            # A write that is whole would be committed, and rightly.
            c.send(data[:min(cut, len(data) - len(SYNC))])
            if reset:
                c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            c.socket.close()
    others.check()
    assert others.written() == {}


def packet(body, length=None):
    return struct.pack("!i", len(body) + 4 if length is None else length) + body


def version(number, rest=b"user\0app_trust\0database\0app\0\0"):
    return packet(struct.pack("!i", number) + rest)


START = {
    "length 0": packet(b"", 0), "length 3": packet(b"", 3), "length 4": packet(b"", 4), "length 7": packet(b"abc"),
    "negative length": packet(b"", -1), "length 10001": packet(b"\0\3\0\0" + b"x" * 9993),
    "2 GB": packet(b"", 0x7fffffff), "only a version": packet(b"\0\3\0\0"),
    "no user": version(V3_0, b"database\0app\0\0"), "empty user": version(V3_0, b"user\0\0database\0app\0\0"),
    "no last NUL": version(V3_0, b"user\0app_trust\0database\0app\0"), "no NUL at all": version(V3_0, b"user"),
    "a name without a value": version(V3_0, b"user\0app_trust\0database\0"),
    "NULs in the middle": version(V3_0, b"user\0app_trust\0\0database\0app\0\0"),
    "NULs at the end": version(V3_0, b"user\0app_trust\0database\0app\0\0\0\0"),
    "an empty name": version(V3_0, b"\0user\0app_trust\0\0"),
    "the user twice": version(V3_0, b"user\0nobody\0user\0app_trust\0database\0app\0\0"),
    "no database": version(V3_0, b"user\0app_trust\0\0"),
    "unknown database": version(V3_0, b"user\0app_trust\0database\0nowhere\0\0"),
    "unknown setting": version(V3_0, b"user\0app_trust\0database\0app\0nope\0x\0\0"),
    "a long name": version(V3_0, b"user\0" + b"u" * 5000 + b"\0\0"), "protocol 0": version(0),
    "protocol 1.0": version(1 << 16), "protocol 2.0": version(2 << 16), "protocol 3.9": version(V3_0 + 9),
    "protocol 4.0": version(4 << 16), "protocol 65535.65535": version(-1),
    "an unknown option": version(V3_0, b"user\0app_trust\0database\0app\0_pq_.nope\0x\0\0"),
    "CancelRequest that is short": packet(struct.pack("!ii", CANCEL_REQUEST, 1)),
    "CancelRequest that is long": packet(struct.pack("!iiii", CANCEL_REQUEST, 1, 2, 3)),
    "CancelRequest of nobody": packet(struct.pack("!iii", CANCEL_REQUEST, 1, 2)),
    "SSLRequest that is long": packet(struct.pack("!ii", SSL_REQUEST, 0)),
    "SSLRequest twice": packet(struct.pack("!i", SSL_REQUEST)) * 2,
    "GSSENCRequest twice": packet(struct.pack("!i", GSSENC_REQUEST)) * 2, "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"r" * 505, "a Query": query("SELECT 1"),
    "a Query that looks large": b"Q" * 64, "half, then the end": version(V3_0)[:20], "nothing": b"", "one byte": b"\0",
}


def started(port, data):
    """What comes until one is let in, or the end; who waits for more is told that there is none."""
    with Raw(port, timeout=20) as c:
        c.send(data)
        found = b""
        for seconds in 0.2, 5:
            c.socket.settimeout(seconds)
            try:
                while "Z" not in answers(found):
                    part = c.socket.recv(65536)
                    if not part:
                        return answers(found)
                    found += part
                return answers(found)
            except TimeoutError:
                c.socket.shutdown(socket.SHUT_WR)
            except OSError:
                break
    return answers(found)


def answers(data):
    """Refusals of encryption, then messages; of an error its code, of the rest the type."""
    found = []
    while data[:1] == b"N" and (len(data) == 1 or len(data) < 5 or data[1:2] in b"NREv"):
        found.append("N")
        data = data[1:]
    while len(data) >= 5:
        size = struct.unpack("!i", data[1:5])[0] + 1
        if data[:1] == b"E":
            found.append(" ".join(plain(b"E", data[5:size]).split(" ")[:3]))
        elif data[:1] not in b"SKN":
            found.append(data[:1].decode())
        data = data[size:]
    return found


@pytest.mark.parametrize("name", START)
def test_a_malformed_startup(proxy, cluster, others, name):
    direct, through = started(cluster.primary.port, START[name]), started(proxy.port, START[name])
    others.check()
    # Who is let in by neither may be told so in another way, and before the password is asked for.
    ways = {*direct, "E V:FATAL C:08P01", "E V:FATAL C:0A000", "E V:FATAL C:28000"}
    refused = {part for part in through if part.startswith("E")} <= ways
    if through != direct and ("Z" in direct or "Z" in through or not refused):
        pytest.fail(f"{name}\n    direct   {direct}\n    pgtier   {through}", pytrace=False)


def test_a_query_in_the_packet_of_the_startup(proxy):
    with Raw(proxy.port, timeout=20) as c:
        c.send(startup_packet("app_trust", "app") + query("SELECT 'same'"))
        c.until(b"Z")
        assert rows(c.until(b"Z")) == [[b"same"]]


def test_many_who_fail_at_once(proxy, others):
    """Hundreds of clients who send what is no message, some of them nothing at all."""
    held = []
    for turn in range(300):
        c = Raw(proxy.port, timeout=20)
        held.append(c)
        data = list(START.values())[turn % len(START)]
        c.send(data if turn % 3 else data[:turn % 11])
    others.check()
    for c in held:
        c.socket.close()
    others.check()
