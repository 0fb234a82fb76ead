"""The checker: a read never shows less than what was acknowledged, or seen by anybody, before it began.

200 evaluations of 40 users are registers: data_version only ever grows, one writer at a time. A reader notes, before
it asks, the newest value that was acknowledged and the newest that any reader has finished seeing; what it then reads may be
neither older than those nor newer than what was last attempted. The replica replays late on purpose.

PGTIER_FRESHNESS_SECONDS (60) and PGTIER_FRESHNESS_CLIENTS (20) say how long and how many. The mutants of tests/mutants
must make this test fail: a check that cannot fail is no check.
"""
import os
import random
import threading
import time

import psycopg
import pytest

from cluster import Cluster
from rows import evaluation, owner, user

SECONDS = float(os.environ.get("PGTIER_FRESHNESS_SECONDS", "60"))
CLIENTS = int(os.environ.get("PGTIER_FRESHNESS_CLIENTS", "20"))
USERS, EACH = 40, 5
DELAY = "250ms"


class Registers:
    """What is known of each key. A key is an evaluation's number, or ("sum", user) for a user's total."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged, self.seen, self.attempted = {}, {}, {}
        self.writers = {u: threading.Lock() for u in range(1, USERS + 1)}
        self.stale, self.counts = [], {}

    def floor(self, key):
        with self.lock:
            return max(self.acknowledged[key], self.seen[key])

    def attempt(self, changes):
        with self.lock:
            self.attempted.update(changes)

    def acknowledge(self, changes):
        with self.lock:
            for key, value in changes.items():
                self.acknowledged[key] = max(self.acknowledged[key], value)

    def check(self, key, floor, value, how):
        with self.lock:
            self.counts[how] = self.counts.get(how, 0) + 1
            if value < floor:
                self.stale.append(f"{key}: {value} after {floor}, by {how}")
            if value > self.attempted[key]:
                self.stale.append(f"{key}: {value}, but nobody committed more than {self.attempted[key]}, by {how}")
            self.seen[key] = max(self.seen[key], value)


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
    "joined": ("SELECT e.data_version FROM business_evaluations e JOIN users u ON u.id = e.user_id WHERE e.id = %s", "id"),
}
STEP = "UPDATE business_evaluations SET data_version = data_version + 1, " \
       "professional_data = jsonb_set(coalesce(professional_data, '{}'), '{registerCopy}', to_jsonb(data_version + 1)) "


def number(text):
    return int(str(text)[-12:], 16)


class Client:
    """One connection that reads and writes registers."""

    def __init__(self, registers, url, seed, end):
        self.r, self.dice, self.end, self.seed = registers, random.Random(seed), end, seed
        self.url, self.fault = url, None
        self.thread = threading.Thread(target=self.work)

    def work(self):
        try:
            with psycopg.connect(self.url, autocommit=True) as self.c:
                self.simple = psycopg.ClientCursor(self.c)
                while time.monotonic() < self.end:
                    if self.dice.random() < 0.06:
                        self.write()
                    else:
                        self.read()
        except BaseException as fault:
            self.fault = f"client {self.seed}: {fault!r}"

    def ask(self, sql, values):
        """By the simple protocol, the extended one, or with a named statement, in text or binary."""
        how = self.dice.choice(["simple", "extended", "prepared", "binary"])
        if how == "simple":
            return self.simple.execute(sql, values)
        return self.c.execute(sql, values, prepare=how == "prepared", binary=how == "binary")

    def read(self):
        # every client likes some users better, so that entries are hit before they are written again
        u = self.dice.randrange(1, USERS + 1) if self.dice.random() < 0.5 else self.dice.randrange(1, 9)
        n = (u - 1) * EACH + self.dice.randrange(1, EACH)  # the first four have documents
        how = self.dice.choice(list(READS))
        sql, wants = READS[how]
        if wants == "user":
            if how in ("sum of a user", "joined by its user"):
                self.read_sum(sql, u, how)
            else:
                self.read_rows(sql, [user(u)], range((u - 1) * EACH + 1, u * EACH + 1), how)
        elif wants in ("three", "array"):
            keys = sorted({n, self.dice.randrange(1, USERS * EACH), self.dice.randrange(1, USERS * EACH)})
            values = [evaluation(k) for k in (keys * 3)[:3]]
            self.read_rows(sql, [values] if wants == "array" else values, keys, how)
        else:
            floor = self.r.floor(n)
            values = [evaluation(n), owner(n)] if wants == "id user" else [evaluation(n)]
            found = self.ask(sql, values).fetchone()
            self.r.check(n, floor, int(found[0]), how)

    def read_sum(self, sql, u, how):
        floor = self.r.floor(("sum", u))
        self.r.check(("sum", u), floor, int(self.ask(sql, [user(u)]).fetchone()[0]), how)

    def read_rows(self, sql, values, keys, how):
        floors = {k: self.r.floor(k) for k in keys}
        found = {number(row[0]): row[1] for row in self.ask(sql, values).fetchall()}
        assert set(found) == set(keys), (how, sorted(found), keys)
        for k, floor in floors.items():
            self.r.check(k, floor, int(found[k]), how)

    def write(self):
        u = self.dice.randrange(1, USERS + 1)
        n = (u - 1) * EACH + self.dice.randrange(1, EACH + 1)
        with self.r.writers[u]:
            form = self.dice.choice(NARROW if time.monotonic() % 3 > 0.4 else WIDE)
            keys = range((u - 1) * EACH + 1, u * EACH + 1) if form in OF_USER else [n]
            changes = {k: self.r.acknowledged[k] + 1 for k in keys}
            changes["sum", u] = self.r.acknowledged["sum", u] + len(keys)
            if form is rolled_back:
                form(self, n, u)  # attempted, but never to be seen
                return
            self.r.attempt(changes)
            form(self, n, u)
            self.r.acknowledge(changes)


def by_id(client, n, u):
    client.ask(STEP + "WHERE id = %s", [evaluation(n)])


def by_id_and_user(client, n, u):
    client.ask(STEP + "WHERE id = %s AND user_id = %s", [evaluation(n), user(u)])


def returning(client, n, u):
    assert client.ask(STEP + "WHERE id = %s RETURNING id, data_version", [evaluation(n)]).fetchone()


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


def unbounded(client, n, u):
    client.simple.execute(f"DO $$ BEGIN {STEP} WHERE id = '{evaluation(n)}'; END $$")


def pipelined(client, n, u):
    with client.c.pipeline():
        client.c.execute("SELECT 1")
        client.c.execute(STEP + "WHERE id = %s", [evaluation(n)])


def rolled_back(client, n, u):
    with client.c.transaction(force_rollback=True):
        client.ask(STEP + "WHERE id = %s", [evaluation(n)])


# Wide writes touch what nearly every read depends on. They come in bursts with quiet between them,
# or the late replica and the cache would never be new enough to be tried.
NARROW = [by_id, by_id_and_user, returning, by_list, by_array, transaction, two_statements, pipelined, rolled_back]
WIDE = NARROW + [whole_user, by_join, unpinned, in_a_cte, unbounded]
OF_USER = {whole_user, by_join, unpinned}


@pytest.fixture(scope="module")
def late(folder):
    """A cluster whose replica replays late."""
    servers = Cluster(folder / "freshness", delay=DELAY).start()
    try:
        servers.load(USERS * EACH)
        servers.primary.sql("UPDATE business_evaluations SET data_version = 1, professional_data = "
                            "jsonb_set(coalesce(professional_data, '{}'), '{registerCopy}', '1'), "
                            "subscription_tier = 'professional'", "app")
        servers.catch_up()
        yield servers
    finally:
        servers.stop()


@pytest.mark.parametrize("store", ["memory", "redis"])
def test_no_read_is_stale(start, late, store):
    proxy = start({"pool": {"mode": "transaction", "size": 8},
                   "cache": {"store": late.redis.url if store == "redis" else "memory"}}, on=late)
    registers = Registers()
    current = {int(number(k)): int(v) for k, v in
               (line.split("|") for line in late.primary.sql("SELECT id, data_version FROM business_evaluations").split("\n"))}
    for n, value in current.items():
        registers.acknowledged[n] = registers.seen[n] = registers.attempted[n] = value
    for u in range(1, USERS + 1):
        total = sum(current[n] for n in range((u - 1) * EACH + 1, u * EACH + 1))
        registers.acknowledged["sum", u] = registers.seen["sum", u] = registers.attempted["sum", u] = total

    before, end = proxy.by_source(), time.monotonic() + SECONDS
    clients = [Client(registers, proxy.url(), seed, end) for seed in range(CLIENTS)]
    for client in clients:
        client.thread.start()
    for client in clients:
        client.thread.join(SECONDS + 60)
    by = {k: int(v - before.get(k, 0)) for k, v in proxy.by_source().items()}
    writes = sum(v for k, v in registers.acknowledged.items() if not isinstance(k, tuple)) - sum(current.values())
    print(f"\n{store}: {sum(registers.counts.values())} values read, {writes} written; answers by source: {by}; "
          f"stale: {len(registers.stale)}")
    print("  " + ", ".join(f"{how}: {count}" for how, count in sorted(registers.counts.items())))

    assert not [c for c in clients if c.thread.is_alive()], "clients hang"
    assert registers.stale == [], registers.stale[:20]
    assert [c.fault for c in clients if c.fault] == []
    # Nothing is proved by reads that all went to the primary.
    for source in "cache", "replica", "primary":
        assert by.get(source, 0) > 50, by
