"""Names without a schema mean the table of the session's search_path: where two schemas have a table of one name, each session's
reads are kept and sent to replicas as those of that table, and end with writes to it by whatever name and path."""
import random

import pytest

from kept import is_kept, keep, one
from wire import SYNC, Raw, bind, error, execute, parse, rows

TENANTS = ["tenant_a", "tenant_b", "tenant_c"]
SCHEMA = """
CREATE SCHEMA {0};
CREATE TABLE {0}.ware (id int PRIMARY KEY, v int);
INSERT INTO {0}.ware SELECT i, 0 FROM generate_series(1, 4) i;
CREATE FUNCTION {0}.move(k int, n int) RETURNS void LANGUAGE sql SET search_path = {0} AS 'UPDATE ware SET v = n WHERE id = k';
"""


@pytest.fixture(scope="module")
def proxy(start, cluster):
    sql = "".join(SCHEMA.format(tenant) for tenant in TENANTS)
    sql += "GRANT USAGE ON SCHEMA tenant_a, tenant_b TO PUBLIC; GRANT USAGE ON SCHEMA tenant_c TO app_trust;"
    sql += "".join(f"GRANT ALL ON ALL TABLES IN SCHEMA {tenant} TO app_trust;" for tenant in TENANTS)
    sql += "CREATE FUNCTION public.enter(name text) RETURNS void LANGUAGE plpgsql AS $$BEGIN"
    sql += " PERFORM set_config('search_path', name, false); END$$;"
    sql += "CREATE FUNCTION public.slip_into(name text) RETURNS void STABLE LANGUAGE plpgsql AS $$BEGIN"  # which it isn't
    sql += " PERFORM set_config('search_path', name, false); END$$;"
    cluster.primary.sql(sql, "app")
    cluster.catch_up()
    yield start({
        "auth": {"type": "trust"}, "functions": {"safe": "public.slip_into"}, "relations": {"ware": {"dimensions": ["id"], "unique": ["id"]}},
        "operations": {"kept": {"match": {"statement": "select", "relation": "ware"}, "cache": "kept"}},
        "cache": {"classes": {"kept": {"key": "kept:{id}", "ttl": "1h"}}}})
    cluster.primary.sql(f"DROP FUNCTION public.enter, public.slip_into; DROP SCHEMA {', '.join(TENANTS)} CASCADE", "app")


def into(c, path):
    assert not error(c.query(f"SET search_path = {path}"))
    one(c, "SELECT 1")  # after which it is known what is set


READ = "SELECT v FROM ware WHERE id = 1"


def test_each_tenant_has_its_own(proxy):
    with Raw(proxy.port, "app_trust") as a, Raw(proxy.port, "app_trust") as b:
        into(a, "tenant_a")
        into(b, "tenant_b, public")
        keep(proxy, a, READ), keep(proxy, b, READ)
        assert not error(a.query("UPDATE ware SET v = v + 1 WHERE id = 1"))
        assert is_kept(proxy, b, READ)
        assert not is_kept(proxy, a, READ)
        kept = keep(proxy, a, READ)[0][0]
        assert not error(b.query("UPDATE tenant_a.ware SET v = v + 1 WHERE id = 2"))
        assert is_kept(proxy, a, READ)
        assert not error(b.query("UPDATE tenant_a.ware SET v = v + 1 WHERE id = 1"))
        assert int(one(a, READ)) == int(kept) + 1


def test_a_path_of_the_startup_packet_counts(proxy):
    with Raw(proxy.port, "app_trust", options="-c search_path=tenant_a") as a:
        keep(proxy, a, READ)
        text = b"\n".join(b" ".join(row) for row in rows(a.query("EXPLAIN ROUTE " + READ)))
        assert b"tenant_a.ware" in text, text


def test_without_a_path_of_its_own_a_name_of_several_schemas_is_not_sure(proxy):
    with Raw(proxy.port, "app_trust") as a:
        text = b"\n".join(b" ".join(row) for row in rows(a.query("EXPLAIN ROUTE " + READ)))
        assert b"relation_unknown" in text, text


def test_a_schema_that_is_not_open_to_all_is_not_sure_before_another(proxy):
    with Raw(proxy.port, "app_trust") as a:
        into(a, "tenant_c, tenant_a")
        text = b"\n".join(b" ".join(row) for row in rows(a.query("EXPLAIN ROUTE " + READ)))
        assert b"relation_unknown" in text, text
        into(a, "tenant_c")
        keep(proxy, a, READ)


def test_prepared_statements_follow_the_path(proxy):
    with Raw(proxy.port, "app_trust", search_path="tenant_a") as a, Raw(proxy.port, "app_trust", search_path="tenant_b") as b:
        ask = bind(name="p") + execute() + SYNC
        for c in a, b:
            assert not error(c.ask(parse(READ, "p"), SYNC))
        values = {}
        for n, c in enumerate([a, b]):
            assert not error(c.query(f"UPDATE ware SET v = {70 + n} WHERE id = 1"))
        for _ in range(20):
            for n, c in enumerate([a, b]):
                values[n] = rows(c.ask(ask))[0][0]
                assert values[n] == str(70 + n).encode()
        into(a, "tenant_b")
        assert rows(a.ask(ask))[0][0] == b"71"
        assert not error(a.query("UPDATE ware SET v = 99 WHERE id = 1"))
        assert rows(b.ask(ask))[0][0] == b"99"


class Client:
    """One session that goes from tenant to tenant in every way there is."""

    def __init__(self, proxy, seed):
        self.proxy, self.random = proxy, random.Random(seed)
        self.tenant = self.random.choice(TENANTS[:2])
        self.raw = self.connect()

    def connect(self):
        return Raw(self.proxy.port, "app_trust", search_path=self.tenant)

    def query(self, sql, raw=None):
        found = (raw or self.raw).query(sql)
        assert not error(found), (sql, error(found))
        return rows(found)

    def move(self):
        self.tenant = self.random.choice(TENANTS[:2])
        self.query(self.random.choice([
            f"SET search_path = {self.tenant}", f"SET search_path TO '{self.tenant}', public",
            f"SELECT set_config('search_path', '{self.tenant}', false)", f"BEGIN; SET search_path = {self.tenant}; COMMIT"]))

    def write(self, key, value):
        """By whatever way; returns whose it was."""
        update = f"UPDATE ware SET v = {value} WHERE id = {key}"
        other = self.random.choice(TENANTS[:2])
        ways = [
            (self.tenant, [update]), (self.tenant, ["BEGIN", update, "COMMIT"]),
            (other, ["BEGIN", f"SET LOCAL search_path = {other}", update, "COMMIT"]),
            (other, [f"BEGIN; SET LOCAL search_path = {other}; {update}; COMMIT"]),
            (other, [f"SET search_path = {other}; {update}; SET search_path = {self.tenant}"]),
            (other, ["BEGIN", f"SELECT set_config('search_path', '{other}', true)", update, "COMMIT"]),
            (other, [f"UPDATE {other}.ware SET v = {value} WHERE id = {key}"]),
            (other, [("pipeline", f"SET search_path = {other}", update, f"SET search_path = {self.tenant}")]),
            (self.tenant, ["BEGIN", "SAVEPOINT s", f"SET search_path = {other}", "ROLLBACK TO s", update, "COMMIT"]),
        ]
        whose, texts = self.random.choice(ways)
        self.run(texts, self.raw)
        return whose

    def write_by_functions(self, key, value):
        """A session that may have set anything stays on its server: it is one of its own."""
        update = f"UPDATE ware SET v = {value} WHERE id = {key}"
        other = self.random.choice(TENANTS[:2])
        ways = [
            ["BEGIN", f"SELECT public.enter('{other}')", update, "COMMIT"], [f"SELECT {other}.move({key}, {value})"],
            ["BEGIN", f"SELECT public.slip_into('{other}')", update, "COMMIT"], [f"SELECT public.slip_into('{other}'); {update}"],
            [("pipeline", f"SELECT public.slip_into('{other}')", update)], [f"SELECT public.slip_into('{other}')", update],
        ]
        with self.connect() as raw:
            self.run(self.random.choice(ways), raw)
        return other

    def run(self, texts, raw):
        for text in texts:
            if isinstance(text, tuple):
                found = raw.ask(*[parse(sql) + bind() + execute() for sql in text[1:]], SYNC)
                assert not error(found), error(found)
            else:
                self.query(text, raw)

    def read(self, key):
        sql = f"SELECT v FROM ware WHERE id = {key}"
        if self.random.random() < 0.5:
            return rows(self.raw.extended(sql))[0][0]
        return self.query(sql)[0][0]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nobody_reads_what_was_before_whatever_the_path(proxy, seed):
    dice = random.Random(seed)
    clients = [Client(proxy, seed * 100 + i) for i in range(4)]
    known = {}
    for tenant in TENANTS[:2]:
        for key in range(1, 3):
            clients[0].query(f"UPDATE {tenant}.ware SET v = 0 WHERE id = {key}")
            known[tenant, key] = 0
    before = proxy.by_source()
    for step in range(1, 3000):
        client, key, chance = dice.choice(clients), dice.randint(1, 2), dice.random()
        if chance < 0.03:
            client.move()
        elif chance < 0.06:
            known[client.write(key, step), key] = step
        elif chance < 0.08:
            known[client.write_by_functions(key, step), key] = step
        else:
            assert int(client.read(key)) == known[client.tenant, key], (step, client.tenant, key)
    after = proxy.by_source()
    assert after.get("cache", 0) - before.get("cache", 0) > 200, (before, after)
    for client in clients:
        client.raw.socket.close()


def test_a_function_of_other_arguments_spoils_nothing(proxy, cluster):
    cluster.primary.sql("CREATE FUNCTION public.upper(a text, b int) RETURNS text LANGUAGE sql VOLATILE AS 'SELECT a'", "app")
    try:
        with Raw(proxy.port, "app_trust", search_path="tenant_a") as a:
            assert not error(a.query("CREATE TEMP TABLE reread (); DROP TABLE reread"))
            keep(proxy, a, "SELECT upper('x') FROM ware WHERE id = 1")
            text = b"\n".join(b" ".join(row) for row in rows(a.query("EXPLAIN ROUTE SELECT public.upper('x', 1) FROM ware")))
            assert b"user_function" in text, text
    finally:
        cluster.primary.sql("DROP FUNCTION public.upper(text, int)", "app")
