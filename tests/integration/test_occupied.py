"""CREATE, DROP and ALTER DATABASE where pgtier itself is who is connected."""
import time

import pytest

from cluster import PASSWORDS
from proxy import is_up
from wire import Raw, error, kinds, rows


@pytest.fixture(scope="module")
def proxy(start, cluster):
    """Two databases of one cluster, each with its control connections."""
    cluster.primary.sql("CREATE DATABASE other OWNER app", database="postgres")
    users = [{"name": name, "password": PASSWORDS.get(name, "none")} for name in ("app", "app_trust", "postgres")]
    yield start({"auth": {"type": "trust", "users": users}, "pool": {"mode": "transaction", "size": 3},
                 "databases": {"other": {"primary": cluster.primary.url(database="other")}}},
                ready=False)
    cluster.primary.sql("DROP DATABASE IF EXISTS other WITH (FORCE)", database="postgres")
    cluster.primary.sql("DROP DATABASE IF EXISTS copy", database="postgres")


def connections(cluster, name="other"):
    return int(cluster.primary.sql(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'",
                                   database="postgres"))


def rest(proxy, cluster):
    """Idle servers of two users rest in the database, beside the control connections."""
    until = time.monotonic() + 20
    while True:
        try:
            for user in "app_trust", "postgres":
                with Raw(proxy.port, user, "other") as c:
                    assert rows(c.query("SELECT 1")) == [[b"1"]]
            if all(is_up(node) for node in proxy.admin("SHOW NODES")) and connections(cluster) >= 4:
                break
        except AssertionError:
            pass
        assert time.monotonic() < until, (connections(cluster), proxy.admin("SHOW NODES"))
        time.sleep(0.2)


def test_a_database_is_copied_renamed_dropped_and_made_again(proxy, cluster):
    """Each of them while pgtier rests in it; in between everything comes back."""
    with Raw(proxy.port, "postgres") as c:
        rest(proxy, cluster)
        assert error(c.query("CREATE DATABASE copy TEMPLATE other")) is None
        rest(proxy, cluster)
        assert error(c.query('ALTER DATABASE "other" RENAME TO another')) is None
        assert error(c.query("ALTER DATABASE another RENAME TO other")) is None
        rest(proxy, cluster)
        answer = c.extended("DROP DATABASE other")
        assert kinds(answer) == "12nCZ", error(answer)
        assert error(c.query("CREATE DATABASE other OWNER app")) is None
        rest(proxy, cluster)
        assert rows(c.query("SELECT 1")) == [[b"1"]]


def test_somebody_else_is_not_ours_to_send_away(proxy, cluster):
    rest(proxy, cluster)
    with Raw(proxy.port, "postgres") as c, Raw(cluster.primary.port, "postgres", "other"):
        found = error(c.query("DROP DATABASE other"))
        assert found["C"] == "55006"
        assert found["D"] == "There is 1 other session using the database."
    rest(proxy, cluster)
    with Raw(proxy.port, "postgres") as c, Raw(proxy.port, "app_trust", "other") as busy:
        busy.query("BEGIN")
        busy.query("SELECT pg_backend_pid()")
        assert error(c.query("DROP DATABASE other"))["C"] == "55006"
        assert error(busy.query("COMMIT")) is None
