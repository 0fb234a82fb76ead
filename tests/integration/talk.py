"""Conversations that can be held with any port, and what was answered, as lines to compare.

A step is
    "text"                  a simple query
    (message, ...)          messages, with a Sync behind them
    part(message, ..., until=b"T")  messages as they are; answers are read up to one of these types
    heard(2)                waits for so many notifications
    opened(name="value")    a connection with these startup parameters; others open by themselves
    ended()                 Terminate, and what comes until the end
    on("b", step)           any of these on another connection than "a"
Connections called d... go to the server directly in every case, those called root... are the superuser's.
N stands for a number that is the talk's own: use it wherever copies of a talk would meet.
"""
import random
import re
import struct
import time

from wire import SYNC, Closed, Raw, cstring, fields, message, rows, startup_packet

N = "7000000"
SOON = 10  # seconds in which comes what comes without being asked for


class Step:
    def __init__(self, do, label, name="a", opens=False):
        self.do, self.label, self.name, self.opens = do, label, name, opens


def part(*messages, until=b"Z", count=1):
    data = b"".join(messages)

    def do(talk, name):
        return talk.ask(name, data, until, count)

    step = Step(do, readable(data) or "(nothing sent)")
    step.data = data
    return step


def heard(count, seconds=None):
    return Step(lambda talk, name: talk.heard(name, count, seconds), f"heard({count})")


def opened(user=None, **parameters):
    return Step(lambda talk, name: talk.open(name, user, parameters), f"opened({parameters})", opens=True)


def ended():
    return Step(lambda talk, name: talk.end(name), "ended()")


def slept(seconds):
    return Step(lambda talk, name: time.sleep(seconds) or [], f"slept({seconds})")


def on(name, step):
    step = compiled(step)
    return Step(step.do, f"{name}: {step.label}", name, step.opens)


def compiled(step):
    if isinstance(step, Step):
        return step
    if isinstance(step, str):
        made = part(message(b"Q", cstring(step)))
        made.label = step
        return made
    return part(*([step] if isinstance(step, bytes) else step), SYNC)


def readable(data):
    """Messages as a reader of a failure wants them: type and what is text in them."""
    words = []
    while len(data) >= 5:
        size = struct.unpack("!i", data[1:5])[0] + 1
        text = "".join(chr(b) if 32 <= b < 127 else " " for b in data[5:min(size, 125)])
        words.append((chr(data[0]) + " " + " ".join(text.split())).strip())
        data = data[size:]
    return "; ".join(words)


class Talk:
    """One run of a conversation. `number` replaces N; `pause` is the longest time between two steps."""

    def __init__(self, port, direct_port, number, pause=0, timeout=20, seed=0):
        assert len(str(number)) == len(N)
        self.port, self.direct_port, self.number = port, direct_port, str(number)
        self.pause, self.timeout, self.random = pause, timeout, random.Random(seed)
        self.raws, self.notes, self.told = {}, {}, {}

    def hold(self, steps, wanted=None):
        """[(label, lines)], one for each step; with `wanted` up to the first that is answered otherwise."""
        answers = []
        try:
            for step in map(compiled, steps):
                if self.pause and answers:
                    time.sleep(self.random.uniform(0, self.pause))
                answers.append((step.label, [self.common(line) for line in self.say(step)]))
                if wanted and answers != wanted[:len(answers)]:
                    break
        finally:
            for name in list(self.raws):
                self.end(name)
        return answers

    def say(self, step):
        try:
            if step.name not in self.raws and not step.opens:
                failed = [line for line in self.open(step.name, None, {}) if line.startswith("E")]
                if failed:
                    return ["not connected"] + failed
            return step.do(self, step.name)
        except Closed:
            return ["closed"]
        except TimeoutError:
            return [f"nothing for {self.raws[step.name].socket.gettimeout():.0f} s"]
        except OSError as e:
            return [f"closed ({type(e).__name__})"]

    def common(self, line):
        return re.sub(r"pg_temp_\d+", "pg_temp_n", line.replace(self.number, N))

    def own(self, data):
        return data.replace(N.encode(), self.number.encode())

    def open(self, name, user, parameters):
        raw = Raw(self.direct_port if name.startswith("d") else self.port, timeout=self.timeout)
        self.raws[name], self.notes[name], self.told[name] = raw, [], {}
        user = user or ("postgres" if name.startswith("root") else "app_trust")
        raw.send(self.own(startup_packet(user, "app", **parameters)))
        answers = raw.until(b"Z")
        # Whether the password is asked for before a fault is told does not matter.
        return self.lines(name, answers if answers[-1][0] == b"Z" else answers[-1:])

    def ask(self, name, data, until, count):
        raw, got = self.raws[name], []
        if data:
            raw.send(self.own(data))
        else:
            raw.socket.settimeout(SOON)
        while until and count:
            got += raw.until(until)
            count -= 1
            if got[-1][0] == b"E" and fields(got[-1][1])["V"] in ("FATAL", "PANIC"):
                break
        raw.socket.settimeout(self.timeout)
        return self.lines(name, got)

    def heard(self, name, count, seconds):
        """Notifications until now; waits for more only where there are fewer, or for `seconds` that none come."""
        raw, notes = self.raws[name], self.notes[name]
        try:
            raw.socket.settimeout(seconds or SOON)
            while len(notes) < count or seconds:
                self.lines(name, [raw.next()])
        except TimeoutError:
            pass
        finally:
            raw.socket.settimeout(self.timeout)
        self.notes[name] = []
        return notes

    def end(self, name):
        raw = self.raws.pop(name)
        try:
            raw.send(message(b"X"))
            raw.at_end()
        except OSError:
            pass
        raw.socket.close()
        return []

    def lines(self, name, messages):
        """The answers in order; then what is new among the reported settings."""
        found = []
        for kind, body in messages:
            if kind == b"A":
                channel, payload = body[4:-1].split(b"\0")
                self.notes[name].append(f"A {channel.decode()} {payload.decode()!r}")
            elif kind not in (b"S", b"K"):
                found.append(line(kind, body))
        for key, value in sorted(self.raws[name].parameters.items()):
            if self.told[name].get(key) != value:
                found.append(f"S {key} = {value}")
                self.told[name][key] = value
        return found


def text_of(value):
    return "NULL" if value is None else value.decode("utf-8", "backslashreplace")


def line(kind, body):
    """A message without what differs between two sessions: object ids of their own."""
    word = kind.decode()
    if word == "T":
        return "T " + ", ".join(columns(body))
    if word == "D":
        return "D " + " | ".join(map(text_of, rows([(kind, body)])[0]))
    if word in "EN":
        return f"{word} " + " ".join(f"{k}:{v}" for k, v in fields(body).items() if k not in "SFLRq")
    if word == "t":
        return "t " + " ".join(oid(n) for n in struct.unpack(f"!{len(body) // 4}I", body[2:]))
    return f"{word} {body.decode('utf-8', 'backslashreplace')}".rstrip("\0 ")


def oid(number):
    return str(number) if number < 16384 else "own"


def columns(body):
    at = 2
    for _ in range(struct.unpack("!h", body[:2])[0]):
        end = body.index(b"\0", at)
        table, place, kind, size, modifier, form = struct.unpack("!IhIhih", body[end + 1:end + 19])
        origin = f" of {oid(table)}.{place}" if table else ""
        yield f"{body[at:end].decode()}:{oid(kind)}/{size}/{modifier}/{form}{origin}"
        at = end + 19


def difference(name, direct, other):
    """The first step that was answered otherwise, in a few lines; or None."""
    for number, ((label, wanted), (_, got)) in enumerate(zip(direct, other), 1):
        if wanted != got:
            shown = [f"{name}, step {number}: {label[:300]}"]
            same = 0
            while same < min(len(wanted), len(got)) and wanted[same] == got[same]:
                same += 1
            if same:
                shown.append(f"    both     {' // '.join(wanted[:same])[-200:]}")
            shown.append(f"    direct   {' // '.join(wanted[same:])[:600] or '(no more)'}")
            shown.append(f"    pgtier   {' // '.join(got[same:])[:600] or '(no more)'}")
            return "\n".join(shown)
    return None
