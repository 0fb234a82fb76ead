"""What a write returns tells which rows it has written: answers about others stay kept."""
import psycopg
import pytest

from kept import is_kept, keep
from rows import evaluation, owner, user
from wire import SYNC, Raw, bind, error, execute, kinds, parse, rows

LIST = "SELECT avg(health_score) FROM business_evaluations WHERE user_id = '{}'"
TOUCH = "UPDATE business_evaluations SET health_score = health_score WHERE id = '{}'"


@pytest.fixture(scope="module")
def proxy(start):
    return start({"auth": {"type": "trust"}})


@pytest.fixture
def c(proxy):
    with Raw(proxy.port, "app_trust") as client:
        yield client


def survives(proxy, c, write, other=3):
    """Whether the answer about the other user is still kept; that about the first one must not be."""
    mine, others = LIST.format(user(1)), LIST.format(user(other))
    keep(proxy, c, others)
    keep(proxy, c, mine)
    write()
    assert not is_kept(proxy, c, mine)
    keep(proxy, c, mine)
    return is_kept(proxy, c, others)


@pytest.mark.parametrize("returning, precise", [
    ("", False), ("RETURNING id", False), ("RETURNING user_id", True), ("RETURNING *", True),
    ("RETURNING id, user_id AS u", True), ("RETURNING upper(user_id::text)", False)])
def test_a_simple_update(proxy, c, returning, precise):
    def write():
        assert not error(c.query(TOUCH.format(evaluation(1)) + " " + returning))

    assert survives(proxy, c, write) == precise


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("prepare", [False, True])
def test_extended(proxy, c, binary, prepare):
    with proxy.connect(user="app_trust", autocommit=True) as client:
        def write():
            found = client.execute(TOUCH.replace("'{}'", "%s") + " RETURNING id, user_id", [evaluation(1)],
                                   binary=binary, prepare=prepare).fetchall()
            assert [str(value) for value in found[0]] == [evaluation(1), owner(1)]

        for _ in range(3):
            assert survives(proxy, c, write)


def test_nobody_asks_for_the_columns(proxy, c):
    """A Bind and Execute without a Describe, as drivers send for what they know."""
    with Raw(proxy.port, "app_trust") as client:
        assert not error(client.ask(parse(TOUCH.replace("'{}'", "$1") + " RETURNING user_id", "w"), SYNC))

        def write():
            found = client.ask(bind([evaluation(1).encode()], "w"), execute(), SYNC)
            assert kinds(found) == "2DCZ" and rows(found) == [[user(1).encode()]], found

        assert survives(proxy, c, write)


def test_several_in_a_transaction(proxy, c):
    def write(returning):
        with proxy.connect(user="app_trust") as client, client.transaction():
            client.execute(TOUCH.format(evaluation(1)) + " RETURNING *").fetchall()
            client.execute(TOUCH.format(evaluation(6)) + returning)

    assert survives(proxy, c, lambda: write(" RETURNING *"))
    assert survives(proxy, c, lambda: write(" RETURNING *"), other=3)
    assert not survives(proxy, c, lambda: write(""))
    # .. and what the other statement told is touched too.
    assert not survives(proxy, c, lambda: write(" RETURNING *"), other=2)


def test_what_is_not_told_counts(proxy, c):
    """A failed statement, a self-join that returns another row, a column that is set, rows of a CTE."""
    with proxy.connect(user="app_trust", autocommit=True) as client:
        def failed():
            with client.transaction():
                with pytest.raises(psycopg.Error), client.transaction():
                    client.execute(TOUCH.format(evaluation(1)).replace("health_score WHERE", "1/0 WHERE") + " RETURNING *")
                client.execute(TOUCH.format(evaluation(1)) + " RETURNING *")

        assert not survives(proxy, c, failed)
        for sql in (
                "UPDATE business_evaluations t SET health_score = t.health_score FROM business_evaluations s "
                f"WHERE t.id = '{evaluation(1)}' AND s.id = '{evaluation(11)}' RETURNING s.id, s.user_id",
                f"UPDATE business_evaluations SET user_id = '{user(1)}' WHERE id = '{evaluation(1)}' RETURNING *",
                "WITH w AS (" + TOUCH.format(evaluation(1)) + " RETURNING *) SELECT * FROM w"):
            assert not survives(proxy, c, lambda sql=sql: client.execute(sql).fetchall()), sql


def test_rows_that_are_inserted_and_deleted(proxy, c):
    with proxy.connect(user="app_trust", autocommit=True) as client:
        made = []

        def insert():
            made.append(client.execute(
                "INSERT INTO business_evaluations (user_id, subscription_tier) SELECT user_id, subscription_tier "
                f"FROM users u JOIN (SELECT '{user(1)}'::uuid AS user_id) m ON u.id = m.user_id RETURNING id, user_id").fetchone()[0])

        def delete():
            client.execute("DELETE FROM business_evaluations WHERE id = %s RETURNING id, user_id", [made.pop()]).fetchall()

        def upsert():
            client.execute("INSERT INTO business_evaluations (id, user_id, subscription_tier) VALUES (%s, %s, 'basic') "
                           "ON CONFLICT (id) DO UPDATE SET health_score = 1 RETURNING id, user_id", [evaluation(1), user(1)]).fetchall()

        assert survives(proxy, c, insert)
        assert survives(proxy, c, delete)
        assert survives(proxy, c, upsert)


def test_too_many_rows_count_as_all(proxy, c):
    with proxy.connect(user="app_trust", autocommit=True) as client:
        def write(limit):
            client.execute("UPDATE business_evaluations SET health_score = health_score WHERE data_version > 0 "
                           f"AND id::text < '{evaluation(limit)}' RETURNING *").fetchall()

        assert not survives(proxy, c, lambda: write(400), other=90)
        assert survives(proxy, c, lambda: write(6), other=90)
