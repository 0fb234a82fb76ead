"""What triggers and functions are said to write (`touches`): that and no more ends what is kept."""
import pytest

from kept import is_kept, keep, one
from wire import Raw, error

SCHEMA = """
CREATE TABLE items (id int PRIMARY KEY, stock int, v int);
CREATE TABLE orders (id int PRIMARY KEY, item int, amount int);
CREATE TABLE totals (item int PRIMARY KEY, amount int);
CREATE TABLE orders_log (id serial, order_id int);
INSERT INTO items SELECT n, 100, 0 FROM generate_series(1, 9) n;
INSERT INTO orders SELECT n, n, 1 FROM generate_series(1, 9) n;
INSERT INTO totals SELECT n, 1 FROM generate_series(1, 9) n;
CREATE FUNCTION sum_up() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
    UPDATE totals SET amount = (SELECT sum(amount) FROM orders WHERE item = NEW.item) WHERE item = NEW.item; RETURN NULL; END$$;
CREATE TRIGGER sum_up AFTER INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION sum_up();
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO orders_log (order_id) VALUES (NEW.item); RETURN NULL; END$$;
CREATE TRIGGER note AFTER UPDATE ON totals FOR EACH ROW EXECUTE FUNCTION note();
CREATE FUNCTION take(n int) RETURNS int LANGUAGE sql VOLATILE AS 'UPDATE items SET stock = stock - 1 WHERE id = n RETURNING stock';
CREATE FUNCTION tick(n int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT n';
CREATE FUNCTION unsaid(n int) RETURNS int LANGUAGE sql VOLATILE AS 'UPDATE items SET stock = stock - 1 WHERE id = n RETURNING stock';
GRANT ALL ON items, orders, totals, orders_log, orders_log_id_seq TO app_trust;
"""
ITEM, OTHER = "SELECT stock FROM items WHERE id = {}", "SELECT v FROM items WHERE id = {}"
ORDER, TOTAL, LOG = "SELECT amount FROM orders WHERE id = {}", "SELECT amount FROM totals WHERE item = {}", "SELECT count(*) FROM orders_log WHERE order_id = {}"


@pytest.fixture(scope="module")
def proxy(start, cluster):
    cluster.primary.sql(SCHEMA, "app")
    cluster.catch_up()
    names = "items", "orders", "totals", "orders_log"
    yield start({
        "auth": {"type": "trust"},
        "relations": {"items": {"dimensions": ["id"], "unique": ["id"]},
                      "orders": {"dimensions": ["id"], "unique": ["id"], "touches": ["totals"]},
                      "totals": {"dimensions": ["item"], "unique": ["item"], "touches": ["public.orders_log"]}},
        "functions": {"touches": {"take": ["items"], "tick": []}},
        "operations": {f"kept_{name}": {"match": {"statement": "select", "relation": name}, "cache": "kept"} for name in names if name != "orders_log"}
        | {"kept_orders_log": {"match": {"statement": "select"}, "cache": "kept"}},
        "cache": {"classes": {"kept": {"key": "kept:x", "ttl": "1h"}}}})
    cluster.primary.sql("DROP TABLE items, orders, totals, orders_log; DROP FUNCTION sum_up, note, take, tick, unsaid", "app")


@pytest.fixture
def c(proxy):
    with Raw(proxy.port, "app_trust") as client:
        yield client


def write(c, sql):
    assert not error(c.query(sql)), sql


def test_a_trigger(proxy, c):
    for sql in ITEM.format(1), ORDER.format(1), ORDER.format(2), TOTAL.format(1), TOTAL.format(2):
        keep(proxy, c, sql)
    write(c, "UPDATE orders SET amount = 5 WHERE id = 1")
    assert one(c, TOTAL.format(1)) == b"5" and one(c, ORDER.format(1)) == b"5"
    assert is_kept(proxy, c, ITEM.format(1)) and is_kept(proxy, c, ORDER.format(2))
    # Which of its rows nobody has said.
    assert not is_kept(proxy, c, TOTAL.format(2))


def test_the_triggers_of_what_a_trigger_writes(proxy, c):
    before = int(keep(proxy, c, LOG.format(3))[0][0])
    write(c, "UPDATE orders SET amount = 6 WHERE id = 3")
    assert int(one(c, LOG.format(3))) == before + 1


def test_a_function(proxy, c):
    keep(proxy, c, ORDER.format(4))
    stock = int(keep(proxy, c, ITEM.format(4))[0][0])
    write(c, "SELECT take(4)")
    assert int(one(c, ITEM.format(4))) == stock - 1
    assert is_kept(proxy, c, ORDER.format(4))
    # In a transaction, in a FROM, and beside another write.
    write(c, "BEGIN")
    write(c, "SELECT * FROM take(4)")
    write(c, "UPDATE orders SET amount = take(4) WHERE id = 5")
    write(c, "COMMIT")
    assert int(one(c, ITEM.format(4))) == stock - 3
    assert is_kept(proxy, c, ORDER.format(4)) and int(one(c, ORDER.format(5))) == stock - 3


def test_one_that_writes_nothing(proxy, c):
    keep(proxy, c, ITEM.format(6))
    write(c, "SELECT tick(6)")
    assert is_kept(proxy, c, ITEM.format(6))
    before = proxy.by_source().get("primary", 0)
    write(c, "SELECT tick(6)")
    assert proxy.by_source()["primary"] == before + 1


@pytest.mark.parametrize("sql", ["SELECT unsaid(7)", "SELECT take(7), unsaid(7)"])
def test_what_is_not_said_is_everything(proxy, c, sql):
    keep(proxy, c, ORDER.format(7))
    c.query(sql)
    assert not is_kept(proxy, c, ORDER.format(7))


def test_an_explanation(proxy):
    told = proxy.explain("UPDATE orders SET amount = 1 WHERE id = 1")
    assert "totals" in told and "orders_log" in told, told
    assert "items" in proxy.explain("SELECT take(1)")
