"""One value in several encodings: whoever writes it, in whatever encoding, ends what others have kept of it."""
import pytest

from kept import ask, keep, one
from wire import Raw, cstring, error, message

NAME = "h\u00e9l\u00e8ne"
READ = f"SELECT v FROM spelt WHERE name = '{NAME}'"


@pytest.fixture(scope="module")
def proxy(start, cluster):
    cluster.primary.sql("CREATE TABLE spelt (id int PRIMARY KEY, name text, v int);"
                        f"INSERT INTO spelt VALUES (1, '{NAME}', 0), (2, 'ascii', 0); GRANT ALL ON spelt TO app_trust", "app")
    cluster.catch_up()
    yield start({"auth": {"type": "trust"}, "relations": {"spelt": {"dimensions": ["name"]}},
                 "operations": {"kept": {"match": {"statement": "select", "relation": "spelt"}, "cache": "kept"}},
                 "cache": {"classes": {"kept": {"key": "kept:{name}", "ttl": "1h"}}}})
    cluster.primary.sql("DROP TABLE spelt", "app")


@pytest.mark.parametrize("encoding", ["LATIN1", "WIN1252", "SQL_ASCII", "utf-8"])
@pytest.mark.parametrize("write", [f"UPDATE spelt SET v = v + 1 WHERE name = '{NAME}'", f"UPDATE spelt SET v = v + 1 WHERE name IN ('{NAME}', 'x')",
                                   "UPDATE spelt SET v = v + 1 WHERE id = 1 RETURNING name"])
def test_a_write_in_another_encoding_is_seen(proxy, encoding, write):
    raw = write.encode({"LATIN1": "latin-1", "WIN1252": "cp1252"}.get(encoding, "utf-8"))
    with Raw(proxy.port, "app_trust", client_encoding="UTF8") as c, Raw(proxy.port, "app_trust", client_encoding=encoding) as other:
        for _ in range(3):
            before = int(keep(proxy, c, READ)[0][0])
            assert not error(other.ask(message(b"Q", raw + cstring(""))))
            assert int(one(c, READ)) == before + 1


def test_one_that_changes_its_encoding(proxy):
    with Raw(proxy.port, "app_trust", client_encoding="UTF8") as c, Raw(proxy.port, "app_trust", client_encoding="UTF8") as other:
        ask(other, "SET client_encoding TO 'LATIN1'")
        before = int(keep(proxy, c, READ)[0][0])
        assert not error(other.ask(message(b"Q", f"UPDATE spelt SET v = v + 1 WHERE name = '{NAME}'".encode("latin-1") + cstring(""))))
        assert int(one(c, READ)) == before + 1
