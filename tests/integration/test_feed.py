"""Writes that bypass pgtier: the triggers or the publication of `pgtier feed install` tell of them, and nothing stays old for long; which rows, so
that the answers for others are kept. While nobody listens, nothing is answered by the cache."""
import random
import subprocess
import threading
import time

import psycopg
import pytest

from kept import changes, feed, is_kept, keep, one, until
from proxy import binary, check_file
from wire import Raw, error

SCHEMA = """
CREATE TABLE depot (id int PRIMARY KEY, name text);
CREATE TABLE crate (id int NOT NULL, depot_id int REFERENCES depot ON DELETE CASCADE, label text, v int DEFAULT 0, at int NOT NULL) PARTITION BY LIST (at);
CREATE TABLE crate_1 PARTITION OF crate FOR VALUES IN (1);
CREATE TABLE crate_2 PARTITION OF crate FOR VALUES IN (2);
CREATE TABLE "Odd Name" ("Id" uuid PRIMARY KEY, "is'it" bool, v int);
INSERT INTO depot SELECT i, 'd' || i FROM generate_series(1, 200) i;
INSERT INTO crate SELECT i, i, 'c''' || i, 0, 1 + i % 2 FROM generate_series(1, 200) i;
INSERT INTO "Odd Name" SELECT ('00000000-0000-0000-0000-00000000000' || i)::uuid, i % 2 = 0, 0 FROM generate_series(1, 4) i;
GRANT ALL ON depot, crate, crate_1, crate_2, "Odd Name" TO app_trust;
ALTER TABLE depot REPLICA IDENTITY FULL; ALTER TABLE crate REPLICA IDENTITY FULL; ALTER TABLE crate_1 REPLICA IDENTITY FULL; ALTER TABLE crate_2 REPLICA IDENTITY FULL;
ALTER TABLE "Odd Name" REPLICA IDENTITY FULL;
"""
RELATIONS = {"depot": {"dimensions": ["id", "name"], "unique": ["id"]}, "crate": {"dimensions": ["id", "depot_id", "label"]},
             "Odd Name": {"dimensions": ["Id", "is'it"], "unique": ["Id"]}}


@pytest.fixture(scope="module", params=["notify", "wal"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def own(cluster, kind):
    """The same file for the command and for the server, but that the command comes as the tables' owner."""
    cluster.primary.sql("ALTER ROLE app REPLICATION")
    cluster.primary.sql(SCHEMA, "app")
    cluster.catch_up()
    yield
    cluster.primary.sql('DROP TABLE crate, depot, "Odd Name" CASCADE; DROP SCHEMA IF EXISTS pgtier CASCADE; DROP PUBLICATION IF EXISTS pgtier_feed;'
                        'ALTER ROLE app NOREPLICATION')


@pytest.fixture(scope="module")
def proxy(start, cluster, own, kind):
    proxy = start({
        "auth": {"type": "trust"}, "databases": {"app": {"feed": kind}}, "relations": RELATIONS,
        "operations": {"kept": {"match": {"statement": "select", "role": "app_trust"}, "cache": "kept"}},
        "cache": {"classes": {"kept": {"key": "kept:{id}", "ttl": "1h"}}}})
    said = feed(proxy, cluster, "install")
    again = feed(proxy, cluster, "install")  # twice is once
    if kind == "notify":
        assert "public.crate_1, by 'id', 'depot_id', 'label'" in said and "public.Odd Name, by 'Id', 'is''it'" in said, said
        assert "tells of public.depot" in again
    else:
        assert "publishes public.crate_1\n" in said and "publishes public.Odd Name\n" in said, said
        assert "still to be done: max_slot_wal_keep_size" in again, again
    yield proxy
    proxy.stop()  # of each kind there is one at a time


@pytest.fixture
def c(proxy):
    with Raw(proxy.port, "app_trust") as client:
        yield client


CRATE = "SELECT v FROM crate WHERE id = {}"


@pytest.mark.parametrize("read, write, other", [
    (CRATE.format(7), "UPDATE crate SET v = v + 1 WHERE id = 7", CRATE.format(8)),
    (CRATE.format(7), "UPDATE crate_2 SET v = v + 1 WHERE id = 7", CRATE.format(8)),
    (CRATE.format(7), "UPDATE crate SET v = v + 1 WHERE depot_id BETWEEN 5 AND 7", CRATE.format(8)),
    ("SELECT sum(v) FROM crate WHERE depot_id = 9", "UPDATE crate SET v = v + 1 WHERE id = 9", "SELECT sum(v) FROM crate WHERE depot_id = 10"),
    ("SELECT count(*) FROM crate WHERE label = 'c''11'", "DELETE FROM crate WHERE id = 11", CRATE.format(12)),
    ("SELECT count(*) FROM crate WHERE depot_id = 13", "DELETE FROM depot WHERE id = 13", CRATE.format(14)),
    ("SELECT count(*) FROM crate WHERE id = 501", "INSERT INTO crate VALUES (501, 1, 'x', 0, 2)", CRATE.format(14)),
    ("SELECT count(*) FROM crate WHERE id = 502", "COPY crate FROM PROGRAM 'printf ''502\\t1\\tx\\t0\\t1\\n'''", CRATE.format(14)),
    ("SELECT count(*) FROM crate WHERE depot_id = 15", "UPDATE crate SET depot_id = 15 WHERE id = 16", CRATE.format(14)),
    ("SELECT count(*) FROM crate WHERE depot_id = 17", "UPDATE crate SET depot_id = 18 WHERE id = 17", CRATE.format(14)),
    ("SELECT sum(v) FROM crate", "UPDATE crate SET v = v + 1", None),
    ('SELECT v FROM "Odd Name" WHERE "Id" = \'00000000-0000-0000-0000-000000000001\'',
     'UPDATE "Odd Name" SET v = v + 1 WHERE NOT "is\'it" AND "Id" = \'00000000-0000-0000-0000-000000000001\'',
     'SELECT v FROM "Odd Name" WHERE "Id" = \'00000000-0000-0000-0000-000000000002\''),
    ("SELECT name FROM depot WHERE id = 20", "WITH x AS (UPDATE depot SET name = name || '!' WHERE id = 20 RETURNING id) SELECT * FROM x",
     "SELECT name FROM depot WHERE id = 21"),
    ("SELECT count(*) FROM \"Odd Name\"", "TRUNCATE \"Odd Name\"", CRATE.format(14)),
])
def test_a_write_by_psql_ends_what_it_changes(proxy, c, cluster, read, write, other):
    before = keep(proxy, c, read)[0][0]
    if other:
        keep(proxy, c, other)
    cluster.primary.sql(write)
    changes(c, read, before)
    if other:
        assert is_kept(proxy, c, other)


def test_what_changes_nothing_ends_nothing(proxy, c, cluster):
    keep(proxy, c, CRATE.format(31))
    cluster.primary.sql("UPDATE crate SET v = 1 WHERE id = -1; DELETE FROM depot WHERE false; BEGIN; UPDATE crate SET v = 9 WHERE id = 31; ROLLBACK", "app")
    time.sleep(0.3)
    assert is_kept(proxy, c, CRATE.format(31))


@pytest.mark.parametrize("kind", ["notify"], indirect=True)
def test_own_writes_are_not_told_twice(proxy, c):
    """What comes back of a write of its own would end what was kept since."""
    for n in range(20):
        assert not error(c.query(f"UPDATE crate SET v = {n} WHERE id = 33"))
        keep(proxy, c, CRATE.format(33))
    time.sleep(0.3)
    assert is_kept(proxy, c, CRATE.format(33))


def test_own_writes_end_what_they_change(proxy, c, cluster, kind):
    """Which rows those were, the feed tells, and not the text; but only of a table that it has, as what is changed past pgtier says too."""
    count = "SELECT count(*) FROM depot WHERE name = '{}'"

    def others_are_kept(n, write):
        others, mine = count.format("d100"), count.format(f"d{n}")
        keep(proxy, c, others)
        assert keep(proxy, c, mine) == [[b"1"]]
        assert not error(c.query(write))
        assert one(c, mine) == b"0"  # at once
        keep(proxy, c, mine)
        return is_kept(proxy, c, others)

    assert others_are_kept(91, "UPDATE depot SET name = 'x' || name WHERE id = 91")
    assert others_are_kept(92, "UPDATE depot SET name = 'x' || name WHERE id + 0 = 92")
    assert others_are_kept(93, "DELETE FROM depot WHERE id = 93")
    assert others_are_kept(94, "BEGIN; UPDATE depot SET name = 'x' || name WHERE id = 94; UPDATE depot SET name = 'y' WHERE id + 0 = 94; COMMIT")
    cluster.primary.sql({"wal": "ALTER PUBLICATION pgtier_feed DROP TABLE depot", "notify": "ALTER TABLE depot DISABLE TRIGGER pgtier_feed_update"}[kind])
    try:
        assert not others_are_kept(95, "UPDATE depot SET name = 'x' || name WHERE id = 95")
    finally:
        cluster.primary.sql({"wal": "ALTER PUBLICATION pgtier_feed ADD TABLE depot", "notify": "ALTER TABLE depot ENABLE ALWAYS TRIGGER pgtier_feed_update"}[kind])
    numbers = iter(range(121, 150))
    until(lambda: others_are_kept(n := next(numbers), f"UPDATE depot SET name = 'x' || name WHERE id = {n}"), bool)


def test_rows_that_tell_too_little(proxy, c):
    """What a RETURNING leaves open the feed tells."""
    key, total = "00000000-0000-0000-0000-000000000009", "SELECT sum(v) FROM \"Odd Name\" WHERE \"is'it\""
    assert not error(c.query(f'INSERT INTO "Odd Name" VALUES (\'{key}\', true, 0)'))
    for _ in range(10):
        before = int(keep(proxy, c, total)[0][0])
        assert not error(c.query(f'UPDATE "Odd Name" SET v = v + 1 WHERE "Id" = \'{key}\' RETURNING "Id"'))
        assert int(one(c, total)) == before + 1


@pytest.mark.parametrize("kind", ["notify"], indirect=True)
def test_anybody_may_notify_anything(proxy, c, cluster):
    keep(proxy, c, CRATE.format(35))
    for payload in "x", "", "DROP TABLE crate", "UPDATE crate SET pgtier_feed = 0; DELETE FROM crate", "'", "UPDATE missing SET pgtier_feed = 0":
        cluster.primary.sql(f"SELECT pg_notify('pgtier_feed', $n${payload}$n$)", "app")
    assert one(c, "SELECT count(*) FROM crate") is not None
    keep(proxy, c, CRATE.format(35))


def listener(cluster, kind):
    how = {"notify": "application_name = 'pgtier listener' AND backend_type = 'client backend'", "wal": "backend_type = 'walsender'"}[kind]
    with psycopg.connect(cluster.primary.url("postgres"), autocommit=True) as admin:
        return [row[0] for row in admin.execute("SELECT pid FROM pg_stat_activity WHERE datname = 'app' AND " + how)]


def test_a_lost_listener_is_no_way_around(proxy, c, cluster, kind):
    before = keep(proxy, c, CRATE.format(37))[0][0]
    with psycopg.connect(cluster.primary.url("postgres"), autocommit=True) as admin:
        for _ in range(5):
            pids = until(lambda: listener(cluster, kind), lambda found: len(found) == 1)
            admin.execute("SELECT pg_terminate_backend(%s)", [pids[0]])
            admin.execute("UPDATE crate SET v = v + 1 WHERE id = 37")
            changes(c, CRATE.format(37), before)
            before = keep(proxy, c, CRATE.format(37))[0][0]
    assert "no cache and no replica until writes that bypass pgtier are heard of again" in proxy.tail(400)


def test_nothing_is_old_for_long(proxy, cluster):
    """One writes by itself, at 200 a second and in every way; what readers see is never older than a second."""
    stop, faults, written = threading.Event(), [], {}

    def write():
        dice = random.Random(1)
        with psycopg.connect(cluster.primary.url("postgres"), autocommit=True) as admin:
            n = 0
            while not stop.is_set():
                n += 1
                key = dice.randint(41, 60)
                sql = dice.choice(["UPDATE crate SET v = {n} WHERE id = {key}", "UPDATE crate SET v = {n} WHERE depot_id = {key}",
                                   "BEGIN; UPDATE crate SET v = 0 WHERE id = {key}; UPDATE crate SET v = {n} WHERE id = {key}; COMMIT",
                                   "UPDATE crate SET v = CASE id WHEN {key} THEN {n} ELSE v END WHERE id IN ({key}, 61)"])
                admin.execute(sql.format(n=n, key=key))
                written.setdefault(key, []).append((time.monotonic(), n))
                time.sleep(0.005)

    def read(seed):
        dice = random.Random(seed)
        with Raw(proxy.port, "app_trust") as c:
            while not stop.is_set():
                key, begun = dice.randint(41, 60), time.monotonic()
                found = int(one(c, CRATE.format(key)))
                due = [n for when, n in written.get(key, [])[:] if when < begun - 1]
                if due and found < due[-1]:
                    faults.append((key, found, due[-1]))

    before = proxy.by_source()
    threads = [threading.Thread(target=write)] + [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(8)
    stop.set()
    for thread in threads:
        thread.join()
    assert not faults, faults[:5]
    after = proxy.by_source()
    assert after.get("cache", 0) - before.get("cache", 0) > 500, (before, after)


def test_removed_again(proxy, cluster, kind):
    said = feed(proxy, cluster, "remove")
    assert ("tells no more of public.crate_2" if kind == "notify" else "no table is concerned") in said
    assert cluster.primary.sql("SELECT count(*) FROM pg_publication", "app").strip() == "0"
    assert cluster.primary.sql("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'pgtier%'", "app").strip() == "0"
    assert "no table is concerned" in feed(proxy, cluster, "remove")


def test_wrong_words(tmp_path):
    assert check_file(tmp_path / "none", "feed")[0] == 2
    done = subprocess.run([binary(), "feed", "install", str(tmp_path / "none")], text=True, capture_output=True, check=False)
    assert done.returncode == 1 and "none" in done.stderr
