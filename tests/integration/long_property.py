"""Statements made at random and run on real servers: what counts as a read changes nothing, and what may run on a standby does not
fail there for being one.

For each statement pgtier is asked what it would do (EXPLAIN ROUTE). Then it is run on the primary, directly, on a server where nobody else
writes: a read leaves every row, sequence and large object as it was; one that may run on a replica is given no transaction id and writes
no WAL either, and on the standby it never fails with 25006.

PGTIER_PROPERTY_SEED (1) and PGTIER_PROPERTY_COUNT (1200) say which and how many.
"""
import os
import random

import psycopg
import pytest

from cluster import Cluster
from proxy import Pgtier

SEED = int(os.environ.get("PGTIER_PROPERTY_SEED", "1"))
COUNT = int(os.environ.get("PGTIER_PROPERTY_COUNT", "1200"))

SCHEMA = """
CREATE TABLE t (id int PRIMARY KEY, a int, b text, j jsonb DEFAULT '{"k": 1}', at timestamptz DEFAULT now());
CREATE TABLE s (id serial PRIMARY KEY, t_id int REFERENCES t ON DELETE CASCADE, v int DEFAULT 7);
CREATE TABLE part (id int, k int) PARTITION BY LIST (k);
CREATE TABLE part_0 PARTITION OF part FOR VALUES IN (0); CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE UNLOGGED TABLE u (id int, a int);
CREATE SEQUENCE q;
CREATE FUNCTION writes(int) RETURNS int LANGUAGE sql VOLATILE AS 'INSERT INTO s (t_id, v) VALUES (1, $1) RETURNING v';
CREATE FUNCTION hides(int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN writes($1); END';
CREATE FUNCTION lies(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 + 1; END';
CREATE FUNCTION looks(int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM t WHERE a = $1';
CREATE FUNCTION sets() RETURNS SETOF s LANGUAGE sql VOLATILE AS 'UPDATE s SET v = v + 1 RETURNING *';
CREATE FUNCTION of_row(t) RETURNS int LANGUAGE sql VOLATILE AS 'UPDATE s SET v = v + 1 WHERE id = 1 RETURNING v';
CREATE VIEW vw AS SELECT t.id, t.a, s.v FROM t JOIN s ON s.t_id = t.id;
CREATE VIEW vf AS SELECT id, writes(a) FROM t;
CREATE VIEW vq AS SELECT nextval('q') AS n;
CREATE VIEW vs AS SELECT id, a FROM t WHERE a > 0;
CREATE MATERIALIZED VIEW m AS SELECT a, count(*) FROM t GROUP BY a;
CREATE TABLE ruled (id int, a int);
CREATE RULE r AS ON INSERT TO ruled DO INSTEAD INSERT INTO s (t_id, v) VALUES (1, NEW.a);
CREATE FUNCTION trig() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM writes(1); RETURN NEW; END';
CREATE TABLE triggered (id int, a int);
CREATE TRIGGER g BEFORE INSERT OR UPDATE ON triggered FOR EACH ROW EXECUTE FUNCTION trig();
CREATE TABLE made (id int DEFAULT nextval('q'), a int, w int DEFAULT 3);
INSERT INTO t SELECT i, i % 5, 'x' || i FROM generate_series(1, 20) i;
INSERT INTO s (t_id) SELECT i FROM generate_series(1, 20) i;
INSERT INTO part SELECT i, i % 2 FROM generate_series(1, 10) i;
INSERT INTO u VALUES (1, 1); INSERT INTO triggered VALUES (1, 1);
SELECT lo_from_bytea(4711, 'x');
"""
TABLES = ["t", "s", "part", "part_0", "u", "vw", "vf", "vq", "vs", "m", "ruled", "triggered", "made"]
STATE = "SELECT " + ", ".join(
    f"(SELECT md5(string_agg(r::text, ',' ORDER BY r::text)) FROM {name} r)"
    for name in ("t", "s", "part", "u", "ruled", "triggered", "made", "m", "pg_largeobject", "pg_largeobject_metadata",
                 "(SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace)"))
# Rows that statements leave would make each of the next ones slower.
RESTORE = "TRUNCATE s, made, ruled, triggered; INSERT INTO s (id, t_id) SELECT id, id FROM t; INSERT INTO triggered VALUES (1, 1)"
POSITION = ("SELECT pg_snapshot_xmax(pg_current_snapshot())::text, pg_current_wal_insert_lsn()::text, (SELECT last_value FROM q), "
            "(SELECT last_value FROM s_id_seq)")

# PostgreSQL's own functions, whatever they do, but those that would stop or wait for the servers, or need files.
FUNCTIONS = """
SELECT p.proname, array_agg(format_type(a.type, NULL) ORDER BY a.place), p.proretset
FROM pg_proc p LEFT JOIN LATERAL unnest(p.proargtypes) WITH ORDINALITY AS a (type, place) ON true
WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.pronargs <= 3
AND has_function_privilege('app', p.oid, 'EXECUTE') AND p.prorettype NOT IN ('internal'::regtype, 'trigger'::regtype, 'event_trigger'::regtype)
AND p.proname !~ 'sleep|terminate|cancel_backend|promote|reload|rotate|restore_point|replication|logical|backup|export|import|isolation|^pg_wait|debug'
AND NOT EXISTS (SELECT FROM unnest(p.proargtypes) t WHERE t <> ALL (ARRAY['int4', 'int8', 'text', 'bool', 'numeric', 'timestamptz', 'date',
'jsonb', 'uuid', 'regclass', 'oid', 'name', 'float8', 'bytea', 'interval', 'json', 'varchar', 'int2', 'regtype', 'tsvector']::regtype[]::oid[]))
GROUP BY p.oid, p.proname, p.proretset ORDER BY p.proname, p.oid
"""
VALUES = {
    "integer": ["1", "0", "7"], "bigint": ["1::bigint", "9::bigint"], "text": ["'a'::text", "'q'::text", "'work_mem'::text", "b"],
    "boolean": ["true", "false"], "numeric": ["1.5"], "timestamp with time zone": ["'2020-01-01'::timestamptz", "now()"],
    "date": ["'2020-01-01'::date"], "jsonb": ["'{\"k\": 1}'::jsonb"], "uuid": ["'00000000-0000-4000-8000-000000000001'::uuid"],
    "regclass": ["'q'::regclass", "'t'::regclass"], "oid": ["4711::oid", "'t'::regclass::oid"], "name": ["'app'::name"],
    "double precision": ["0.5::float8"], "bytea": ["'x'::bytea"], "interval": ["'1 s'::interval"], "json": ["'[1]'::json"],
    "character varying": ["'v'::varchar"], "smallint": ["1::int2"], "regtype": ["'int4'::regtype"], "tsvector": ["'a b'::tsvector"],
}
OWN = ["writes(a)", "hides(1)", "lies(2)", "looks(1)", "nextval('q')", "setval('q', 5)", "currval('q')", "lastval()", "random()", "now()",
       "clock_timestamp()", "pg_notify('c', 'x')", "set_config('work_mem', '5MB', false)", "pg_advisory_lock(1)", "pg_advisory_unlock(1)",
       "pg_try_advisory_xact_lock(2)", "txid_current()", "pg_current_xact_id()", "lo_create(0)", "lo_unlink(4711)", "lo_put(4711, 0, 'y')",
       "current_setting('work_mem')", "pg_backend_pid()", "pg_is_in_recovery()", "gen_random_uuid()", "(t).of_row", "of_row(t)", "t.of_row",
       "query_to_xml('SELECT writes(1)', true, false, '')", "table_to_xml('vf', true, false, '')", "lower(b)", "abs(a)", "j->>'k'",
       "pg_export_snapshot()", "pg_relation_size('t')", "obj_description(1, 'pg_class')", "ts_stat('SELECT to_tsvector(b) FROM t')::text"]


class Maker:
    def __init__(self, seed, functions):
        self.dice, self.functions = random.Random(seed), functions

    def one(self, *choices):
        return self.dice.choice(choices)

    def maybe(self, text, chance=0.3):
        return text if self.dice.random() < chance else ""

    def builtin(self):
        name, types, _ = self.dice.choice(self.functions)
        return f"{self.maybe('pg_catalog.', 0.1)}{name}({', '.join(self.dice.choice(VALUES[t]) for t in types if t)})"

    def call(self):
        return self.builtin() if self.dice.random() < 0.6 else self.dice.choice(OWN)

    def expression(self, deep=0):
        kind = self.dice.randrange(9 if deep < 3 else 4)
        if kind == 0:
            return self.one("id", "a", "1", "t.id", "'x'", "NULL", "$$q$$", "current_user", "current_date")
        if kind < 4:
            return self.call()
        if kind == 4:
            return f"({self.expression(deep + 1)})::text"
        if kind == 5:
            return f"CASE WHEN a > 1 THEN ({self.expression(deep + 1)})::text ELSE NULL END"
        if kind == 6:
            return f"(SELECT ({self.expression(deep + 1)})::text FROM t LIMIT 1)"
        if kind == 7:
            return f"coalesce(({self.expression(deep + 1)})::text, 'z')"
        return f"count(*) OVER (ORDER BY ({self.expression(deep + 1)})::text)"

    def source(self, deep):
        kind = self.dice.randrange(8 if deep < 2 else 3)
        if kind < 3:
            return self.dice.choice(TABLES)
        if kind == 3:
            return f"({self.select(deep + 1)}) d{deep}"
        if kind == 4:
            return f"LATERAL ({self.select(deep + 1)}) l{deep}"
        if kind == 5:
            return self.one("generate_series(1, 2) g", "sets() z", "writes(1) w", "unnest(ARRAY[1,2]) n", f"{self.builtin()} f",
                            "ROWS FROM (lies(1), looks(1)) AS rf", "t TABLESAMPLE SYSTEM (50)")
        return f"{self.dice.choice(TABLES)} k{deep} {self.one('JOIN', 'LEFT JOIN', 'FULL JOIN')} s j{deep} ON {self.one('true', f'j{deep}.v = 7')}"

    def select(self, deep=0):
        columns = self.expression() if self.dice.random() < 0.8 else "*"
        text = f"SELECT {self.maybe('DISTINCT ', 0.1)}{columns} FROM t{self.maybe(f', {self.source(deep)}', 0.6)}"
        text += self.maybe(f" WHERE ({self.expression(deep + 1)})::text IS NOT NULL")
        text += self.maybe(f" ORDER BY ({self.expression(deep + 1)})::text", 0.15) + self.maybe(f" LIMIT {self.one('2', '(SELECT 1)', 'abs(3)')}", 0.3)
        if deep == 0:
            text += self.maybe(self.one(" FOR UPDATE OF t", " FOR SHARE OF t", " FOR KEY SHARE OF t SKIP LOCKED"), 0.05)
        return text

    def write(self):
        return self.one("INSERT INTO s (t_id, v) VALUES (1, 9)", "UPDATE t SET a = a + 1 WHERE id = 3", "DELETE FROM s WHERE id = 2",
                        "UPDATE part SET k = 1 - k WHERE id = 1", "INSERT INTO ruled VALUES (1, 2)", "INSERT INTO triggered VALUES (2, 2)",
                        "INSERT INTO made (a) VALUES (1)", "DELETE FROM t WHERE id = 19", "UPDATE vs SET a = 2 WHERE id = 4",
                        "INSERT INTO t (id, a) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET a = t.a + 1",
                        "MERGE INTO t USING s ON t.id = s.t_id AND s.id = 5 WHEN MATCHED THEN UPDATE SET a = 8")

    def statement(self):
        kind = self.dice.randrange(24)
        if kind < 12:
            return self.select()
        if kind == 12:
            return f"{self.select(1)} {self.one('UNION', 'UNION ALL', 'EXCEPT')} {self.select(1)}"
        if kind == 13:
            return f"WITH c AS {self.maybe('MATERIALIZED ', 0.3)}({self.select(1)}) SELECT * FROM c, t LIMIT 3"
        if kind == 14:
            return f"WITH c AS ({self.write()} RETURNING 1) {self.select(1)}"
        if kind == 15:
            return self.write() + self.maybe(" RETURNING 1")
        if kind == 16:
            return f"EXPLAIN {self.maybe('(ANALYZE) ', 0.5)}{self.one(self.select(1), self.write())}"
        if kind == 17:
            return f"COPY ({self.select(1)}) TO STDOUT"
        if kind == 18:
            return self.one("SHOW work_mem", "SET work_mem = '4MB'", "VALUES (1), (writes(2))", f"VALUES ({self.call()})", "TABLE t", "TABLE vf",
                            "NOTIFY c", "LISTEN c", "DO $$ BEGIN PERFORM writes(1); END $$", "ANALYZE t", "LOCK TABLE t", "CHECKPOINT",
                            "SELECT 1 INTO TEMP tt", "CREATE TEMP TABLE tt (a int)", "DISCARD PLANS", "REFRESH MATERIALIZED VIEW m")
        if kind == 19:
            return f"PREPARE p AS {self.one(self.select(1), self.write())}"
        if kind == 20:
            return f"DECLARE c CURSOR WITH HOLD FOR {self.select(1)}"
        if kind == 21:
            return f"SELECT {self.call()}"
        if kind == 22:
            return f"SELECT 1; {self.one(self.select(1), self.write())}"
        return f"SELECT count(*) FILTER (WHERE ({self.expression(2)})::text > ''), max(({self.expression(2)})::text) FROM t GROUP BY a HAVING count(*) > 0"


@pytest.fixture(scope="module")
def own(folder):
    """Servers on which nothing writes but the test."""
    servers = Cluster(folder / "property").start()
    try:
        for name, value in ("autovacuum", "off"), ("checkpoint_timeout", "1h"), ("wal_log_hints", "off"):
            servers.primary.set(name, value)
        servers.primary.sql(SCHEMA, "app")
        servers.primary.sql("VACUUM (FREEZE, ANALYZE)", database="app")
        servers.catch_up()
        yield servers
    finally:
        servers.stop()


class Server:
    """One connection for each statement: it is to leave nothing for the next."""

    def __init__(self, node):
        self.node = node
        self.connect()

    def connect(self):
        self.c = psycopg.connect(self.node.url(), autocommit=True, prepare_threshold=None, options="-c statement_timeout=100")

    def run(self, sql):
        """The SQLSTATE that it failed with, or None."""
        failed = None
        try:
            with self.c.cursor() as cursor:
                if sql.startswith("COPY"):
                    with cursor.copy(sql) as rows:
                        for _ in rows:
                            pass
                else:
                    psycopg.ClientCursor(self.c).execute(sql.replace("%", "%%"))
        except psycopg.Error as fault:
            failed = fault.sqlstate or "?"
        self.c.close()
        self.connect()
        return failed


def asked(watch, sql):
    return watch.execute(sql).fetchone()


def test_what_is_called_a_read_changes_nothing(own, folder):
    proxy = Pgtier(own, folder / "property-pgtier", {"auth": {"type": "trust"}}).start()
    primary, replica = Server(own.primary), Server(own.replica)
    watch = psycopg.connect(own.primary.url("postgres"), autocommit=True)
    through = psycopg.connect(proxy.url(), autocommit=True, prepare_threshold=None)
    maker = Maker(SEED, watch.execute(FUNCTIONS).fetchall())
    counts, wrong = {"read": 0, "anywhere": 0, "write": 0, "failed": 0}, []
    print(f"\nseed {SEED}, {COUNT} statements, {len(maker.functions)} functions")

    for i in range(COUNT):
        if i % 10 == 0:
            watch.execute(RESTORE)
        sql = maker.statement()
        told = dict(psycopg.ClientCursor(through).execute("EXPLAIN ROUTE " + sql.replace("%", "%%")).fetchall())
        read, anywhere = told["effect"] in ("no rows are changed", "a read of more than what is told"), told["route"] == "replica"
        assert read or not anywhere, (sql, told)
        state, position = asked(watch, STATE), asked(watch, POSITION)
        failed = primary.run(sql)
        after, moved = asked(watch, STATE), asked(watch, POSITION)
        counts["failed"] += failed is not None
        counts["read" if read else "write"] += 1
        counts["anywhere"] += anywhere
        # Bound to the primary, a read may take a sequence's next or lock rows: it changes none.
        if read and after != state:
            wrong.append(f"changes rows: {sql}\n    {told}")
        if anywhere and (moved[0], *moved[2:]) != (position[0], *position[2:]):
            wrong.append(f"has a transaction id, or moves a sequence: {sql}\n    {told}")
        elif anywhere and moved != position:
            position = asked(watch, POSITION)  # the writer of the background may have passed by: once more
            primary.run(sql)
            if asked(watch, POSITION) != position:
                wrong.append(f"writes WAL: {sql}\n    {told}")
        if anywhere and replica.run(sql) == "25006":
            wrong.append(f"is not for a standby: {sql}\n    {told}")
        if len(wrong) > 20:
            break
    print(counts)
    proxy.stop()
    assert wrong == [], "\n".join(wrong)
    assert counts["read"] > COUNT * 0.2 and counts["anywhere"] > COUNT * 0.1 and counts["write"] > COUNT * 0.2, counts
    assert counts["failed"] < COUNT * 0.7, counts

