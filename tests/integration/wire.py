"""A client that speaks the protocol byte by byte, for what drivers hide."""
import socket
import struct

SSL_REQUEST, GSSENC_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
V3_0 = 3 << 16


def startup_packet(user, database, version=V3_0, **parameters):
    body = struct.pack("!i", version)
    for name, value in {"user": user, "database": database, **parameters}.items():
        body += name.encode() + b"\0" + value.encode() + b"\0"
    body += b"\0"
    return struct.pack("!i", len(body) + 4) + body


def message(kind, body=b""):
    return kind + struct.pack("!i", len(body) + 4) + body


def parse(sql, name="", types=()):
    return message(b"P", cstring(name) + cstring(sql) + struct.pack(f"!h{len(types)}I", len(types), *types))


def bind(values=(), name="", portal="", formats=(), results=()):
    body = cstring(portal) + cstring(name) + struct.pack(f"!h{len(formats)}h", len(formats), *formats)
    body += struct.pack("!h", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return message(b"B", body + struct.pack(f"!h{len(results)}h", len(results), *results))


def describe(kind="P", name=""):
    return message(b"D", kind.encode() + cstring(name))


def execute(portal="", limit=0):
    return message(b"E", cstring(portal) + struct.pack("!i", limit))


def close(kind, name):
    return message(b"C", kind.encode() + cstring(name))


def cstring(text):
    return text.encode() + b"\0"


SYNC = message(b"S")


class Closed(Exception):
    pass


class Raw:
    """A connection; with a `user` it is started (auth trust) up to the first ReadyForQuery."""

    def __init__(self, port, user=None, database="app", timeout=60, **parameters):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.key = None
        self.parameters = {}
        if user:
            self.send(startup_packet(user, database, **parameters))
            self.greeting = self.until(b"Z")
            errors = [body for kind, body in self.greeting if kind == b"E"]
            assert not errors, errors

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def read(self, count):
        while len(self.buffer) < count:
            part = self.socket.recv(65536)
            if not part:
                raise Closed(bytes(self.buffer))
            self.buffer += part
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def next(self):
        """(type, body) of the next message."""
        head = self.read(5)
        body = self.read(struct.unpack("!i", head[1:])[0] - 4)
        if head[:1] == b"K":
            self.key = struct.unpack("!i", body[:4]) + (struct.unpack("!i", body[4:]) if len(body) == 8 else (body[4:],))
        if head[:1] == b"S":
            name, value, _ = body.split(b"\0")
            self.parameters[name.decode()] = value.decode()
        return head[:1], body

    def until(self, last):
        """All messages up to the first of a type in `last`, or up to a fatal error."""
        found = []
        while True:
            kind, body = self.next()
            found.append((kind, body))
            if kind in [bytes([b]) for b in last]:
                return found
            if kind == b"E" and fields(body)["V"] in ("FATAL", "PANIC"):
                return found

    def ask(self, *messages):
        """Sends in one packet; the replies up to ReadyForQuery without those that may come at any time."""
        self.send(b"".join(messages))
        return [(kind, body) for kind, body in self.until(b"Z") if kind not in [b"N", b"S", b"A"]]

    def query(self, sql):
        return self.ask(message(b"Q", cstring(sql)))

    def extended(self, sql, values=(), results=(), types=(), formats=()):
        return self.ask(parse(sql, "", types), bind(values, formats=formats, results=results), describe(), execute(),
                        SYNC)

    def at_end(self):
        """True where the peer has closed and sent nothing more."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


def cancel(port, pid, secret):
    """Sends a CancelRequest and waits until the peer has closed. A long secret is bytes."""
    secret = secret if isinstance(secret, bytes) else struct.pack("!i", secret)
    with socket.create_connection(("127.0.0.1", port), 20) as s:
        s.sendall(struct.pack("!iii", 12 + len(secret), CANCEL_REQUEST, pid) + secret)
        while s.recv(1024):
            pass


def fields(body):
    """An ErrorResponse or NoticeResponse by field letter."""
    return {part[:1].decode(): part[1:].decode() for part in body.split(b"\0") if part}


def error(messages):
    """The fields of the first ErrorResponse, or None."""
    return next((fields(body) for kind, body in messages if kind == b"E"), None)


def rows(messages):
    """DataRows as lists of bytes or None."""
    found = []
    for kind, body in messages:
        if kind != b"D":
            continue
        count, at, row = struct.unpack("!h", body[:2])[0], 2, []
        for _ in range(count):
            size = struct.unpack("!i", body[at:at + 4])[0]
            at += 4
            row.append(None if size < 0 else body[at:at + size])
            at += max(size, 0)
        found.append(row)
    return found


def kinds(messages):
    return b"".join(kind for kind, _ in messages).decode()
