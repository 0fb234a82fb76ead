"""What stands behind a name: partitions, children, views, policies, tables that follow by a foreign key. Each read is kept until what
it depends on is written by any name, and only until then."""
import pytest

from kept import ask, is_kept, keep
from wire import Raw, error, rows

SCHEMA = """
CREATE TABLE shop (id int PRIMARY KEY, name text);
CREATE TABLE sale (id int NOT NULL, shop_id int, amount int, at int NOT NULL DEFAULT 1) PARTITION BY LIST (at);
CREATE TABLE sale_1 PARTITION OF sale FOR VALUES IN (1);
CREATE TABLE sale_2 PARTITION OF sale FOR VALUES IN (2);
CREATE TABLE sale_3 (old int, at int NOT NULL DEFAULT 3, amount int, shop_id int, id int NOT NULL);
ALTER TABLE sale_3 DROP COLUMN old;
ALTER TABLE sale ATTACH PARTITION sale_3 FOR VALUES IN (3);
ALTER TABLE sale ADD FOREIGN KEY (shop_id) REFERENCES shop ON DELETE CASCADE;
CREATE TABLE note (id int PRIMARY KEY, text text);
CREATE TABLE long_note (extra text) INHERITS (note);
CREATE VIEW shop_sales AS SELECT s.id, s.name, x.amount FROM shop s JOIN sale x ON x.shop_id = s.id;
CREATE VIEW big_shops AS SELECT * FROM shop_sales WHERE amount > 5;
CREATE VIEW notes AS SELECT id, text FROM note;
CREATE TABLE secret (id int PRIMARY KEY, tenant text, text text);
INSERT INTO secret VALUES (1, 'red', 'r'), (2, 'blue', 'b'), (3, 'green', 'g');
CREATE TABLE pass (tenant text, id int);
ALTER TABLE secret ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON secret USING (tenant = current_setting('app.tenant', true)
    OR EXISTS (SELECT FROM pass p WHERE p.id = secret.id AND p.tenant = current_setting('app.tenant', true)));
CREATE TABLE owned_by (owner name, text text);
INSERT INTO owned_by VALUES ('app', 'of app'), ('app_trust', 'of app_trust');
ALTER TABLE owned_by ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON owned_by USING (owner = CURRENT_USER);
CREATE MATERIALIZED VIEW totals AS SELECT shop_id, sum(amount) FROM sale GROUP BY 1;
GRANT SELECT ON totals TO app_trust;
GRANT ALL ON shop, sale, sale_1, sale_2, sale_3, note, long_note, shop_sales, big_shops, notes, secret, pass, owned_by TO app_trust;
INSERT INTO shop VALUES (1, 'one'), (2, 'two'), (3, 'three');
INSERT INTO sale SELECT i, 1 + i % 2, i, 1 + i % 2 FROM generate_series(1, 10) i;
INSERT INTO note VALUES (1, 'a');
INSERT INTO long_note VALUES (2, 'b', 'more');
"""
RELATIONS = {
    "shop": {"dimensions": ["id"], "unique": ["id"]},
    "sale": {"dimensions": ["id", "shop_id"]},
    "note": {"dimensions": ["id"]},
    "secret": {"dimensions": ["id"], "unique": ["id"]},
}
NAMES = ["shop", "sale", "sale_1", "note", "long_note", "shop_sales", "big_shops", "notes", "secret"]


@pytest.fixture(scope="module")
def proxy(start, cluster):
    cluster.primary.sql(SCHEMA, "app")
    cluster.catch_up()
    yield start({
        "auth": {"type": "trust"}, "relations": RELATIONS,
        "operations": {"kept": {"match": {"statement": "select", "role": "app_trust"}, "cache": "kept"}},
        "cache": {"classes": {"kept": {"key": "kept:{id}", "ttl": "1h"}}}})
    cluster.primary.sql("DROP MATERIALIZED VIEW totals; DROP TABLE secret, pass, owned_by, long_note, note, sale, shop CASCADE", "app")


@pytest.fixture
def c(proxy):
    with Raw(proxy.port, "app_trust") as client:
        yield client


@pytest.mark.parametrize("read, write, changed", [
    ("SELECT sum(amount) FROM sale", "UPDATE sale_1 SET amount = amount + 1 WHERE id = 2", True),
    ("SELECT amount FROM sale_1 WHERE id = 4", "UPDATE sale SET amount = amount + 1 WHERE id = 4", True),
    ("SELECT amount FROM sale_1 WHERE id = 4", "UPDATE sale SET amount = amount + 1 WHERE id = 5", False),
    ("SELECT sum(amount) FROM sale_2", "UPDATE sale SET at = 2 WHERE id = 6", True),
    ("SELECT count(*) FROM note", "INSERT INTO long_note VALUES (7, 'x', 'y')", True),
    ("SELECT text FROM note WHERE id = 2", "UPDATE long_note SET text = text || '!' WHERE id = 2", True),
    ("SELECT text FROM note WHERE id = 2", "UPDATE note SET text = text || '!' WHERE id = 1", False),
    ("SELECT count(*) FROM shop_sales", "INSERT INTO sale VALUES (20, 1, 7)", True),
    ("SELECT count(*) FROM big_shops", "UPDATE sale_2 SET amount = amount + 100 WHERE id = 1", True),
    ("SELECT count(*) FROM big_shops", "UPDATE note SET text = 'z' WHERE id = 1", False),
    ("SELECT count(*) FROM sale WHERE id = 31", "INSERT INTO sale_3 VALUES (3, 31, 1, 32)", False),
    ("SELECT count(*) FROM sale WHERE id = 31", "INSERT INTO sale_3 VALUES (3, 5, 1, 31)", True),
    ("SELECT count(*) FROM sale WHERE id = 33", "INSERT INTO sale VALUES (34, 1, 33, 3)", False),
    ("SELECT count(*) FROM sale WHERE id = 33", "INSERT INTO sale VALUES (33, 1, 5, 3)", True),
    ("SELECT text FROM note WHERE id = 1", "UPDATE notes SET text = text || '?' WHERE id = 1", True),
    ("SELECT name FROM shop WHERE id = 1", "UPDATE notes SET text = 'w' WHERE id = 1", False),
    ("SELECT count(*) FROM sale", "DELETE FROM shop WHERE id = 2", True),
    ("SELECT text FROM note WHERE id = 1", "DELETE FROM shop WHERE id = 3", False),
    ("SELECT sum(amount) FROM sale", "UPDATE shop SET name = name || '.' WHERE id = 1", False),
])
def test_a_read_ends_with_a_write_by_any_name(proxy, c, read, write, changed):
    before = keep(proxy, c, read)
    assert not error(c.query(write))
    if changed:
        assert ask(c, read) != before
    else:
        assert is_kept(proxy, c, read), rows(c.query("EXPLAIN ROUTE " + read))


def test_pinned_by_another_table(proxy, c):
    read = "SELECT s.name, x.amount FROM shop s JOIN sale x ON x.shop_id = s.id WHERE s.id = 1 ORDER BY 2"
    before = keep(proxy, c, read)
    c.query("INSERT INTO shop (id, name) VALUES (8, 'eight')")
    c.query("INSERT INTO sale (id, shop_id, amount) VALUES (31, 8, 1)")
    assert is_kept(proxy, c, read)
    c.query("INSERT INTO sale (id, shop_id, amount) VALUES (32, 1, 1)")
    assert len(ask(c, read)) == len(before) + 1


def test_a_policy_parts_tenants_and_shares_within_one(proxy, cluster):
    read = "SELECT text FROM secret WHERE id IN (1, 2, 3) ORDER BY 1"
    with Raw(proxy.port, "app_trust") as red, Raw(proxy.port, "app_trust") as too, Raw(proxy.port, "app_trust") as blue:
        for client, tenant in (red, "red"), (too, "red"), (blue, "blue"):
            client.query(f"SET app.tenant = '{tenant}'")
        assert keep(proxy, red, read) == [[b"r"]]
        assert is_kept(proxy, too, read)
        assert keep(proxy, blue, read) == [[b"b"]]
        red.query("INSERT INTO pass VALUES ('red', 3)")
        assert ask(red, read) == [[b"g"], [b"r"]]
        assert ask(blue, read) == [[b"b"]]
        assert keep(proxy, too, read) == [[b"g"], [b"r"]]
        too.query("SET app.tenant = 'green'")
        assert ask(too, read) == [[b"g"]]


def test_a_policy_parts_roles(proxy):
    """Whoever has taken another role is another to a policy, and shares nothing with who he was."""
    read = "SELECT text FROM owned_by ORDER BY 1"
    with Raw(proxy.port, "app_trust") as self, Raw(proxy.port, "app_trust") as other:
        assert not error(other.query("SET ROLE app"))
        assert keep(proxy, self, read) == [[b"of app_trust"]]
        before = proxy.by_source().get("cache", 0)
        assert ask(other, read) == [[b"of app"]]
        assert proxy.by_source().get("cache", 0) == before
        other.query("RESET ROLE")
        assert ask(other, read) == [[b"of app_trust"]]


def test_a_materialized_view_changes_by_its_refresh(proxy, cluster):
    with Raw(proxy.port, "app_trust") as c, Raw(proxy.port, "app") as owner:
        read = "SELECT sum FROM totals WHERE shop_id = 1"
        before = keep(proxy, c, read)
        c.query("UPDATE sale SET amount = amount + 1 WHERE shop_id = 1")
        assert ask(c, read) == before
        assert not error(owner.query("REFRESH MATERIALIZED VIEW totals"))
        assert ask(c, read) != before


def test_it_is_explained(proxy, c):
    keep(proxy, c, "SELECT count(*) FROM big_shops")  # the catalog is known again
    told = c.query("EXPLAIN ROUTE SELECT count(*) FROM big_shops")
    reads = [row[1].decode() for row in rows(told) if row[0] == b"read"]
    assert "big_shops (a view: what it is made of follows)" in reads
    assert {name.split()[0].split(".")[-1] for name in reads} == {"big_shops", "shop_sales", "shop", "sale"}
