"""The checker: a read never shows less than what was acknowledged, or seen by anybody, before it began.

200 evaluations of 40 users are registers: data_version only ever grows, one writer at a time. A reader notes, before it asks, the newest value
that was acknowledged and the newest that any reader has finished seeing; what it then reads may be neither older than those nor newer than
what was last attempted. The replica replays late on purpose. As a program it starts servers of its own:

    /usr/bin/python3 tests/checker/checker.py --clients 50 --seconds 300 --seed 1 --proxies 2 --store redis --faults lag,redis,part,replica,pause,proxy,cut,primary

and with --proxies 2 one reads what the other has written. It prints answers by source, reads and writes by form, the faults that were made, and for what was stale what is known of that register. The exit
status is 1 where anything was stale, 2 where something else went wrong. The program under test is PGTIER_BIN, or build/release/pgtier.
"""
import argparse
import collections
import dataclasses
import os
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time

import psycopg

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))

from cluster import Cluster  # noqa: E402 (its folder is known only now)
from proxy import Pgtier  # noqa: E402
from kept import feed  # noqa: E402
from rows import evaluation, owner, user  # noqa: E402

from faults import FAULTS, RELAYED, Relay, Slowpoke, Troublemaker, answers_of  # noqa: E402

USERS, EACH = 40, 5
DELAY = "250ms"
HISTORY = 24  # what is remembered of a register


@dataclasses.dataclass
class Plan:
    """How the clients work, and what is done to the servers meanwhile."""

    clients: int = 20
    seconds: float = 60
    seed: int = 0
    writes: float = 0.015  # of what clients do
    slow: float = 0.1  # of the writes, where faults are made
    sleepy: float = 0.4  # of the clients, where faults are made: they ask now and then
    hot: int = 8  # users that half of what clients do is about
    faults: tuple = ()
    first: bool = False  # stop at the first stale read
    forms: tuple = ()  # of the writes; none: all of them
    relays: dict = dataclasses.field(default_factory=dict)  # "primary", "replica", and "redis": one a proxy
    slowpoke: object = None


class Registers:
    """What is known of each key. A key is an evaluation's number, or ("sum", user) for a user's total."""

    def __init__(self, current, plan):
        self.lock = threading.Lock()
        self.begun, self.first = time.monotonic(), plan.first
        self.end = self.begun + plan.seconds
        self.acknowledged, self.seen, self.attempted = {}, {}, {}
        self.writers = {u: threading.Lock() for u in range(1, USERS + 1)}
        self.stale, self.reads, self.writes = [], collections.Counter(), collections.Counter()
        self.history = collections.defaultdict(lambda: collections.deque(maxlen=HISTORY))
        for n, value in current.items():
            self.acknowledged[n] = self.seen[n] = self.attempted[n] = value
        for u in range(1, USERS + 1):
            total = sum(current[n] for n in keys_of(u))
            self.acknowledged["sum", u] = self.seen["sum", u] = self.attempted["sum", u] = total

    def note(self, key, what):
        self.history[key].append(f"{time.monotonic() - self.begun:9.4f} s  {what}")

    def ended(self, early=0):
        return time.monotonic() > self.end - early or (self.first and self.stale)

    def floor(self, key):
        with self.lock:
            return max(self.acknowledged[key], self.seen[key])

    def attempt(self, changes, how):
        with self.lock:
            for key, value in changes.items():
                self.attempted[key] = max(self.attempted[key], value)
                self.note(key, f"write of {value} begins, by {how}")

    def acknowledge(self, changes):
        with self.lock:
            for key, value in changes.items():
                self.acknowledged[key] = max(self.acknowledged[key], value)
                self.note(key, f"{value} is acknowledged")

    def settle(self, actual):
        """A write whose end is not known has come to this."""
        with self.lock:
            for key, value in actual.items():
                self.acknowledged[key] = self.attempted[key] = max(self.acknowledged[key], value)
                self.note(key, f"{value} is there, after a write of which nobody knew")

    def check(self, key, floor, value, how, client):
        with self.lock:
            self.reads[how] += 1
            why = None
            if value < floor:
                why = f"{key}: {value} after {floor}, by {how}"
            if value > self.attempted[key]:
                why = f"{key}: {value}, but nobody committed more than {self.attempted[key]}, by {how}"
            if why or value > self.seen[key]:
                self.note(key, f"client {client} sees {value}, by {how}{': STALE, it began after ' + str(floor) if why else ''}")
            if why:
                self.stale.append((why, list(self.history[key])))
            self.seen[key] = max(self.seen[key], value)


def keys_of(u):
    return range((u - 1) * EACH + 1, u * EACH + 1)


SELECT = "SELECT data_version FROM business_evaluations WHERE "
PAID = " AND subscription_tier IN ('professional', 'enterprise')"
READS = {  # name: (sql, what its parameters are)
    "by id and user": (SELECT + "id = %s AND user_id = %s" + PAID, "id user"),
    "by id": (SELECT + "id = %s", "id"),
    "json path": ("SELECT (professional_data->>'registerCopy')::int FROM business_evaluations WHERE id = %s" + PAID, "id"),
    "sum of a user": ("SELECT sum(data_version) FROM business_evaluations WHERE user_id = %s", "user"),
    "list of a user": ("SELECT id::text, data_version FROM business_evaluations WHERE user_id = %s", "user"),
    "id in a list": ("SELECT id::text, data_version FROM business_evaluations WHERE id IN (%s, %s, %s)", "three"),
    "any of an array": ("SELECT id::text, data_version FROM business_evaluations WHERE id = ANY(%s::uuid[])" + PAID, "array"),
    "joined by its user": ("SELECT sum(e.data_version) FROM users u JOIN business_evaluations e ON e.user_id = u.id "
                           "WHERE u.id = %s", "user"),
    "all": ("SELECT id::text, data_version FROM business_evaluations WHERE data_version > 0", "nothing"),
    "joined": ("SELECT e.data_version FROM business_evaluations e JOIN users u ON u.id = e.user_id WHERE e.id = %s", "id"),
}
# Those of one evaluation more often: few writes touch it, so that they come from the cache and the replica too.
OFTEN = [*READS, *READS, *["by id and user", "json path", "by id"] * 11, *["by id"] * 5]
STEP = "UPDATE business_evaluations SET data_version = data_version + 1, " \
       "professional_data = jsonb_set(coalesce(professional_data, '{}'), '{registerCopy}', to_jsonb(data_version + 1)) "


def number(text):
    return int(str(text)[-12:], 16)


class Client:
    """One connection that reads and writes registers. Where faults are made it comes back after errors."""

    def __init__(self, registers, urls, direct, seed, plan):
        self.r, self.dice, self.seed, self.plan = registers, random.Random(seed), seed, plan
        self.urls, self.url, self.direct = urls, urls[seed % len(urls)], direct
        self.lost = 0  # writes of which it does not know how they ended
        self.fault, self.errors = None, collections.Counter()
        self.thread = threading.Thread(target=self.work)

    def work(self):
        try:
            while not self.r.ended():
                try:
                    self.converse()
                except (psycopg.Error, OSError) as fault:
                    if not self.plan.faults:
                        raise
                    self.errors[getattr(fault, "sqlstate", None) or "lost"] += 1
                    time.sleep(0.05)
        except BaseException as fault:
            self.fault = f"client {self.seed}: {fault!r}"

    def converse(self):
        with psycopg.connect(self.url, autocommit=True) as self.c:
            self.simple = psycopg.ClientCursor(self.c)
            while not self.r.ended():
                # Who asks while a proxy stands still has not waited for it since before.
                if self.plan.faults and self.seed % 10 < 10 * self.plan.sleepy and self.dice.random() < 0.05:
                    time.sleep(self.dice.uniform(0, 4))
                if self.dice.random() < self.plan.writes:
                    self.write()
                else:
                    self.read()

    def ask(self, sql, values):
        """By the simple protocol, the extended one, or with a named statement, in text or binary."""
        how = self.dice.choice(["simple", "extended", "prepared", "binary"])
        if how == "simple":
            return self.simple.execute(sql, values)
        return self.c.execute(sql, values, prepare=how == "prepared", binary=how == "binary")

    def some_user(self):
        """Some of them more often, so that entries are hit before they are written again."""
        return self.dice.randrange(1, USERS + 1 if self.dice.random() < 0.5 else self.plan.hot + 1)

    def read(self):
        u = self.some_user()
        n = (u - 1) * EACH + self.dice.randrange(1, EACH)  # the first four have documents
        how = self.dice.choice(OFTEN)
        sql, wants = READS[how]
        if wants == "user":
            if how in ("sum of a user", "joined by its user"):
                self.read_sum(sql, u, how)
            else:
                self.read_rows(sql, [user(u)], keys_of(u), how)
        elif wants == "nothing":
            self.read_rows(sql, [], range(1, USERS * EACH + 1), how)
        elif wants in ("three", "array"):
            keys = sorted({n, self.dice.randrange(1, USERS * EACH), self.dice.randrange(1, USERS * EACH)})
            values = [evaluation(k) for k in (keys * 3)[:3]]
            self.read_rows(sql, [values] if wants == "array" else values, keys, how)
        else:
            floor = self.r.floor(n)
            values = [evaluation(n), owner(n)] if wants == "id user" else [evaluation(n)]
            found = self.ask(sql, values).fetchone()
            self.r.check(n, floor, int(found[0]), how, self.seed)

    def read_sum(self, sql, u, how):
        floor = self.r.floor(("sum", u))
        self.r.check(("sum", u), floor, int(self.ask(sql, [user(u)]).fetchone()[0]), how, self.seed)

    def read_rows(self, sql, values, keys, how):
        floors = {k: self.r.floor(k) for k in keys}
        found = {number(row[0]): row[1] for row in self.ask(sql, values).fetchall()}
        assert set(found) == set(keys), (how, sorted(found), keys)
        for k, floor in floors.items():
            self.r.check(k, floor, int(found[k]), how, self.seed)

    def write(self):
        u = self.some_user() if self.plan.hot < Plan.hot else self.dice.randrange(1, USERS + 1)
        n = (u - 1) * EACH + self.dice.randrange(1, EACH + 1)
        with self.r.writers[u]:
            form = self.dice.choice(self.plan.forms or (NARROW if time.monotonic() % 3 > 0.4 else WIDE))
            if self.plan.faults and self.dice.random() < self.plan.slow:
                form = slow
            keys = keys_of(u) if form in OF_USER else [n]
            changes = {k: self.r.acknowledged[k] + 1 for k in keys}
            changes["sum", u] = self.r.acknowledged["sum", u] + len(keys)
            if form is rolled_back:
                form(self, n, u)  # attempted, but never to be seen
                return
            self.r.attempt(changes, form.__name__)
            try:
                form(self, n, u)
            except (psycopg.Error, OSError):
                self.settle(u)
                raise
            self.r.acknowledge(changes)
            self.r.writes[form.__name__] += 1

    def gid(self):
        """The same again and again, unless one of that name was ended past the proxies."""
        return f"register {self.seed}-{self.lost}"

    def settle(self, u):
        """Asks the primary what has become of it. A backend that has the statement and no client yet gets time to take its locks."""
        gid = self.gid()
        self.lost += 1
        time.sleep(1)
        while True:
            try:
                with psycopg.connect(self.direct, connect_timeout=5, autocommit=True) as direct:
                    direct.execute("SET lock_timeout = '10s'")
                    if direct.execute("SELECT 1 FROM pg_prepared_xacts WHERE gid = %s", [gid]).fetchone():
                        direct.execute(f"ROLLBACK PREPARED '{gid}'")
                    found = {number(k): v for k, v in direct.execute(
                        "SELECT id, data_version FROM business_evaluations WHERE user_id = %s FOR UPDATE", [user(u)]).fetchall()}
                break
            except psycopg.Error:
                time.sleep(0.2)
        self.r.settle({**found, ("sum", u): sum(found.values())})


def by_id(client, n, u):
    client.ask(STEP + "WHERE id = %s", [evaluation(n)])


def by_id_and_user(client, n, u):
    client.ask(STEP + "WHERE id = %s AND user_id = %s", [evaluation(n), user(u)])


def returning(client, n, u):
    assert client.ask(STEP + "WHERE id = %s RETURNING id, data_version", [evaluation(n)]).fetchone()


def returning_all(client, n, u):
    assert client.ask(STEP + "WHERE id = %s RETURNING *", [evaluation(n)]).fetchone()


def whole_user(client, n, u):
    client.ask(STEP + "WHERE user_id = %s", [user(u)])


def unpinned(client, n, u):
    client.ask(STEP + "WHERE user_id::text = %s", [user(u)])


def by_list(client, n, u):
    client.ask(STEP + "WHERE id IN (%s, %s)", [evaluation(n), evaluation(n)])


def by_array(client, n, u):
    client.ask(STEP + "WHERE id = ANY(%s::uuid[])", [[evaluation(n)]])


def by_join(client, n, u):
    client.ask(STEP + "FROM users u WHERE business_evaluations.user_id = u.id AND u.id = %s", [user(u)])


def transaction(client, n, u):
    with client.c.transaction():
        client.ask("SELECT data_version FROM business_evaluations WHERE id = %s FOR UPDATE", [evaluation(n)])
        client.ask(STEP + "WHERE id = %s", [evaluation(n)])
        client.ask("UPDATE users SET updated_at = now() WHERE id = %s", [user(u)])


def in_a_cte(client, n, u):
    client.ask("WITH w AS (" + STEP + "WHERE id = %s RETURNING data_version) SELECT * FROM w", [evaluation(n)])


def two_statements(client, n, u):
    client.simple.execute(STEP + f"WHERE id = '{evaluation(n)}'; SELECT 1")


def slow(client, n, u):
    """Goes on for a while, and commits, where nobody waits for it any more."""
    client.simple.execute(STEP + f"WHERE id = '{evaluation(n)}'; SELECT pg_sleep(0.2)")


def unbounded(client, n, u):
    client.simple.execute(f"DO $$ BEGIN {STEP} WHERE id = '{evaluation(n)}'; END $$")


def pipelined(client, n, u):
    with client.c.pipeline():
        client.c.execute("SELECT 1")
        client.c.execute(STEP + "WHERE id = %s", [evaluation(n)])


def two_phase_anywhere(client, n, u):
    two_phase(client, n, u, client.dice.choice(client.urls))


def two_phase(client, n, u, url=None):
    """Prepared by one connection and ended by another one; of that name another one may have been rolled back."""
    with psycopg.connect(url or client.url, autocommit=True) as other:
        for end in client.dice.choice([["COMMIT"], ["ROLLBACK", "COMMIT"]]):
            maker, ender = client.dice.sample([client.c, other], 2)
            maker.execute("BEGIN")
            maker.execute(STEP + "WHERE id = %s AND user_id = %s",
                          [evaluation(n if end == "COMMIT" else client.dice.choice(keys_of(u))), user(u)])
            maker.execute(f"PREPARE TRANSACTION '{client.gid()}'")
            ender.execute(f"{end} PREPARED '{client.gid()}'")


def rolled_back(client, n, u):
    with client.c.transaction(force_rollback=True):
        client.ask(STEP + "WHERE id = %s", [evaluation(n)])


# Wide writes touch what nearly every read depends on. They come in bursts with quiet between them,
# or the late replica and the cache would never be new enough to be tried.
NARROW = [by_id, by_id_and_user, returning, returning_all, by_list, by_array, transaction, two_statements, pipelined, two_phase,
          rolled_back]
WIDE = NARROW + [whole_user, by_join, unpinned, in_a_cte, unbounded, two_phase_anywhere]
OF_USER = {whole_user, by_join, unpinned}


def prepare(folder, delay=DELAY):
    """A cluster whose registers stand at 1 and whose replica replays late."""
    servers = Cluster(folder, delay=delay).start()
    try:
        servers.load(USERS * EACH)
        servers.primary.sql("UPDATE business_evaluations SET data_version = 1, professional_data = "
                            "jsonb_set(coalesce(professional_data, '{}'), '{registerCopy}', '1'), "
                            "subscription_tier = 'professional'", "app")
        servers.catch_up()
    except BaseException:
        servers.stop()
        raise
    return servers


def run(servers, proxies, plan):
    """Lets the clients work; returns what came of it."""
    registers = Registers({number(k): int(v) for k, v in (line.split("|") for line in servers.primary.sql(
        "SELECT id, data_version FROM business_evaluations").split("\n"))}, plan)
    trouble = Troublemaker(registers, servers, proxies, plan)
    for proxy in proxies:
        trouble.answers.subtract(answers_of(proxy))
    urls = [proxy.url() for proxy in proxies]
    workers = [Client(registers, urls, servers.primary.url(), plan.seed * 1000 + i, plan)
               for i in range(plan.clients)]
    for one in [*workers, trouble]:
        one.thread.start()
    for one in [*workers, trouble]:
        one.thread.join(plan.seconds + 90)
    for proxy in proxies:
        trouble.answers.update(answers_of(proxy))
    return Report(registers, workers, trouble)


class Report:
    def __init__(self, registers, workers, trouble):
        self.reads, self.writes, self.stale, self.answers = registers.reads, registers.writes, registers.stale, trouble.answers
        self.made = trouble.made
        self.errors = sum((worker.errors for worker in workers), collections.Counter())
        self.faults = [one.fault for one in [*workers, trouble] if one.fault]
        if any(worker.thread.is_alive() for worker in workers):
            self.faults.append("clients hang")

    def share(self, source):
        return self.answers[source] / max(1, sum(self.answers[k] for k in ("cache", "replica", "primary")))

    def text(self):
        def counted(counts):
            return ", ".join(f"{what} {count}" for what, count in sorted(counts.items(), key=lambda item: -item[1])) or "none"

        lines = [f"{sum(self.reads.values())} values read, {sum(self.writes.values())} writes; stale: {len(self.stale)}",
                 "  answers: " + ", ".join(f"{k} {self.answers[k]} ({self.share(k):.0%})" for k in ("cache", "replica", "primary")),
                 "  reads: " + counted(self.reads), "  writes: " + counted(self.writes)]
        if self.made or self.errors:
            lines.append(f"  faults made: {counted(self.made)}; errors that clients had: {counted(self.errors)}")
        for why, history in self.stale[:5]:
            lines += [f"STALE {why}", *("    " + line for line in history)]
        return "\n".join(lines + self.faults)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--clients", type=int, default=Plan.clients)
    parser.add_argument("--seconds", type=float, default=Plan.seconds)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--writes", type=float, default=Plan.writes, help="their share of what clients do")
    parser.add_argument("--slow", type=float, default=Plan.slow, help="share of writes that take long, where faults are made")
    parser.add_argument("--sleepy", type=float, default=Plan.sleepy, help="share of clients that ask now and then, where faults are made")
    parser.add_argument("--hot", type=int, default=Plan.hot, help="users that half of what clients do is about")
    parser.add_argument("--delay", default=DELAY, help="by which the replica replays late (recovery_min_apply_delay)")
    parser.add_argument("--first", action="store_true", help="stop at the first stale read")
    parser.add_argument("--proxies", type=int, default=1, help="more than one share their ledger through Redis")
    parser.add_argument("--store", choices=["memory", "redis"], default="memory")
    parser.add_argument("--feed", choices=["notify", "wal"], help="by which the proxies are told of writes too")
    parser.add_argument("--forms", default="", help="of the writes, as the report names them")
    parser.add_argument("--faults", default="", help="of " + ",".join(FAULTS) + "; the replica is late in any case")
    options = parser.parse_args()
    faults = tuple(fault for fault in options.faults.split(",") if fault)
    if set(faults) - set(FAULTS):
        parser.error("--faults takes " + ",".join(FAULTS))
    known = {form.__name__: form for form in [*WIDE, slow]}
    forms = tuple(known.get(name) for name in options.forms.split(",") if name)
    if None in forms:
        parser.error("--forms takes " + ",".join(known))
    os.environ.setdefault("PGTIER_BIN", str(ROOT / "build/release/pgtier"))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pgtier-checker-"))
    folder.chmod(0o755)
    servers = prepare(folder / "cluster", options.delay)
    proxies, relays, ends = [], {}, []
    try:
        for name in {name for fault in faults for name in RELAYED.get(fault, [])}:
            relays[name] = Relay(folder / f"{name}.log", getattr(servers, name).port)
            ends.append(relays[name])
        slowpoke = Slowpoke(folder, servers.primary) if "early" in faults else None
        if slowpoke:
            ends.insert(0, slowpoke)
        for i in range(options.proxies):
            redis = None
            if "part" in faults:
                redis = Relay(folder / f"redis{i}.log", servers.redis.port)
                relays.setdefault("redis", []).append(redis)
                ends.append(redis)
            own = settings(servers, options.store, options.proxies > 1, redis and redis.port, relays)
            if options.feed:
                own.setdefault("databases", {}).setdefault("app", {})["feed"] = options.feed
            proxies.append(Pgtier(servers, folder / f"pgtier{i}", own).start())
        if options.feed:
            servers.primary.sql("ALTER ROLE app REPLICATION; ALTER TABLE business_evaluations REPLICA IDENTITY FULL; "
                                "ALTER TABLE users REPLICA IDENTITY FULL; ALTER TABLE professional_data_audit REPLICA IDENTITY FULL")
            feed(proxies[0], servers, "install")
        plan = Plan(options.clients, options.seconds, options.seed, options.writes, options.slow, options.sleepy, options.hot, faults, options.first,
                    forms, relays, slowpoke)
        report = run(servers, proxies, plan)
        print(report.text(), flush=True)
    finally:
        for proxy in proxies:
            proxy.stop()
        for end in ends:
            end.stop()
        servers.stop()
    shutil.rmtree(folder, ignore_errors=True)
    return 1 if report.stale else 2 if report.faults else 0


def settings(servers, store, fleet=False, redis=None, relays=None):
    """Of a proxy, which reaches Redis by this port and servers by these relays."""
    url = f"redis://127.0.0.1:{redis or servers.redis.port}/0"
    over = {"pool": {"mode": "transaction", "size": 8}, "cache": {"store": url if store == "redis" else "memory"},
            "freshness": {"ledger": url if fleet else "memory"}}
    node = {name: by_relay(getattr(servers, name), relays[name]) for name in ("primary", "replica") if name in (relays or {})}
    if node:
        over["databases"] = {"app": {"primary": node.get("primary", servers.primary.url()), "replicas": [
            {"url": node.get("replica", servers.replica.url()), "priority": 1}]}}
    return over


def by_relay(server, relay):
    return server.url().replace(f":{server.port}/", f":{relay.port}/")


if __name__ == "__main__":
    sys.exit(main())
