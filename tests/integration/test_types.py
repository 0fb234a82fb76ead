"""Every type of PostgreSQL as parameter and result, as text and binary: the same bytes directly and through pgtier."""
import pytest

from wire import SYNC, Raw, bind, cstring, describe, execute, message, parse

VALUES = {
    "bool": ["t", "f"], "bytea": ["", "\\x0001ff5c27", "\\x" + "ab" * 3000], '"char"': ["a", "", "\\377"],
    "name": ["", "x" * 63], "int2": ["-32768", "32767"], "int4": ["-2147483648", "0"],
    "int8": ["-9223372036854775808", "9223372036854775807"], "int2vector": ["", "1 -2 3"],
    "oidvector": ["", "1 4294967295"], "oid": ["0", "4294967295"], "xid": ["0", "4294967295"],
    "xid8": ["0", "18446744073709551615"], "cid": ["7"], "tid": ["(0,1)", "(4294967295,65535)"],
    "pg_lsn": ["0/0", "FFFFFFFF/FFFFFFFF"], "pg_snapshot": ["10:20:10,14,15"],
    "txid_snapshot": ["10:20:10,14,15", "1:1:"],
    "text": ["", "a", "naïve Фёдор 日本 😀", "line\nbreak\ttab 'quote' \\ \"x\"", "NULL", "y" * 70000],
    "varchar": ["", "v"], "bpchar": ["", "trailing   "], "json": ['{"a": [1, null, "é"]}', "null", ' [ ] '],
    "jsonb": ['{"b":1,"a":[1e400,null]}', '""'], "jsonpath": ['$.a[*] ? (@ > 3)'], "xml": ["<a b=\"1\">é</a>", "text"],
    "float4": ["NaN", "-Infinity", "1e-45", "-0", "3.4028235e38"],
    "float8": ["NaN", "Infinity", "5e-324", "0.1", "-0", "1.7976931348623157e308"],
    "numeric": ["NaN", "Infinity", "-Infinity", "0", "0.00", "-1234567890.0987654321", "1e300", "1e-300"],
    "money": ["0", "-92233720368547758.08"],
    "date": ["infinity", "-infinity", "4713-01-01 BC", "5874897-12-31", "2024-02-29"],
    "time": ["00:00", "24:00:00", "12:34:56.789012"], "timetz": ["12:34:56.789+15:59", "00:00-15:59:59"],
    "timestamp": ["infinity", "4713-01-01 00:00 BC", "294276-12-31 23:59:59.999999", "2024-02-29 12:00"],
    "timestamptz": ["-infinity", "2024-02-29 12:00:00.000001+05:45", "1883-11-18 12:03:58-04:56:02"],
    "interval": ["0", "-178000000 years", "1 mon -2 days +03:04:05.000006", "P1Y2M3DT4H5M6S"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}"],
    "inet": ["10.0.0.1", "10.0.0.1/8", "::ffff:1.2.3.4", "fe80::1/64"], "cidr": ["10.0.0.0/8", "2001:db8::/32"],
    "macaddr": ["08:00:2b:01:02:03"], "macaddr8": ["08:00:2b:01:02:03:04:05"], "bit": ["", "1", "10101"],
    "varbit": ["", "1" * 33], "point": ["(1,-2.5)", "(Infinity,NaN)"], "line": ["{1,-1,0}"],
    "lseg": ["[(0,0),(1,1e-9)]"], "box": ["(1,1),(0,0)"], "path": ["[(0,0),(1,1)]", "((0,0),(1,1),(2,0))"],
    "polygon": ["((0,0),(1,1),(2,0))"], "circle": ["<(1,2),3.5>"], "tsvector": ["", "'a':1A,2B 'fat cat':3"],
    "tsquery": ["", "'a' & !( 'b':A* | 'c' <-> 'd' )"], "refcursor": ["c", ""], "regproc": ["now", "0"],
    "regprocedure": ["upper(text)"], "regoper": ["||/"], "regoperator": ["+(integer,integer)"],
    "regclass": ["pg_class", "users", "4294967295"], "regtype": ["integer", "timestamp with time zone[]"],
    "regrole": ["app"], "regnamespace": ["pg_catalog"], "regconfig": ["english"], "regdictionary": ["simple"],
    "regcollation": ['"C"'], "aclitem": ["app=r*/app", "=UC/app"], "int4range": ["empty", "[1,10)", "(,)", "[5,5]"],
    "int8range": ["(,5]", "[-9223372036854775808,)"], "numrange": ["[0.0,NaN]", "(-Infinity,1.50]"],
    "daterange": ["[2024-01-01,infinity)", "[infinity,infinity]"], "tsrange": ["[2024-01-01 00:00,2024-01-02 00:00]"],
    "tstzrange": ["[2024-01-01 00:00+00,infinity]", "empty"], "int4multirange": ["{}", "{[1,2),[5,)}"],
    "int8multirange": ["{(,5],[7,7]}"], "nummultirange": ["{[0.5,1.0],(2,NaN)}"],
    "datemultirange": ["{[2024-01-01,2024-02-01)}"], "tsmultirange": ["{[2024-01-01 00:00,infinity]}"],
    "tstzmultirange": ["{(-infinity,2024-01-01 00:00+00)}"], "ty.mood": ["sad", "so-so", "happy, \"very\""],
    "ty.pair": ["(,)", '(1,"a, ""b"" \\\\ ()")'], "ty.nested": ['("(1,x)","{sad,NULL}",)'], "ty.positive": ["1"],
    "ty.words": ["{}", "{a,NULL,\"b c\"}"], "ty.floats": ["[0.5,1.5)", "empty"], "ty.floats_many": ["{[0,1),[2,3)}"],
    "ty.maybe": ["", "x"],
}
# Their input functions refuse everything.
WITHOUT = {"pg_node_tree", "pg_ndistinct", "pg_dependencies", "pg_mcv_list", "gtsvector", "pg_brin_bloom_summary",
           "pg_brin_minmax_multi_summary"}
MAKE = """
DROP SCHEMA IF EXISTS ty CASCADE; CREATE SCHEMA ty; GRANT USAGE ON SCHEMA ty TO PUBLIC;
CREATE TYPE ty.mood AS ENUM ('sad', 'so-so', 'happy, "very"'); CREATE TYPE ty.pair AS (a int, b text);
CREATE TYPE ty.nested AS (p ty.pair, m ty.mood[], n numeric); CREATE DOMAIN ty.positive AS int CHECK (VALUE > 0);
CREATE DOMAIN ty.words AS text[] CHECK (cardinality(VALUE) < 9); CREATE DOMAIN ty.maybe AS varchar(3);
CREATE TYPE ty.floats AS RANGE (subtype = float8, multirange_type_name = ty.floats_many)
"""
EXPRESSIONS = [
    "ROW(1, 'a', NULL, ROW(2.5, '{}'::int[]))", "ARRAY[ROW(1, 'a'), NULL]", "NULL", "'unknown'", "ARRAY[]::text[]",
    "ARRAY[[1, 2], [3, NULL]]", "'[2:3][-1:0]={{1,2},{3,4}}'::int[]", "1::numeric(10, 3)", "'x'::varchar(3)",
    "'x'::char(5)", "'101'::bit(5)", "'12:00'::time(2)", "interval '1' year",
    "'1 day 01:02:03.456'::interval day to second(1)", "'now'::regproc::text", "true AND NULL", "date '2024-01-01' - 5",
    "repeat('é', 40000)", "ARRAY(SELECT n FROM generate_series(1, 5000) n)", "(1, 2) = (1, 2)", "'1'::ty.positive + 1",
    "pg_typeof('sad'::ty.mood)", "('(1,x)'::ty.pair).b", "json_build_object('a', ARRAY['sad'::ty.mood])",
    "format('%s', NULL::text)", "'a' AS \"a b\"", "1 AS a, 2 AS a",
]
STYLES = {
    "as it is": "", "German": "SET DateStyle = 'German'; SET IntervalStyle = 'iso_8601'; SET bytea_output = 'escape'; "
    "SET extra_float_digits = -5",
    "SQL": "SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'sql_standard'; SET TimeZone = 'Asia/Kathmandu'; "
    "SET extra_float_digits = 0",
}


def scalars(name):
    return [*VALUES[name], None]


def arrays(name):
    """Text forms of arrays of its values; box is the one type whose elements a semicolon separates."""
    values = ['"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in VALUES[name]]
    comma = ";" if name == "box" else ","
    return ["{}", "{" + comma.join([*values, "NULL"]) + "}", "{{" + values[0] + "}" + comma + "{" + values[-1] + "}}",
            "[-1:0]={NULL" + comma + values[0] + "}", None]


@pytest.fixture(scope="module")
def made(cluster):
    cluster.primary.sql(MAKE)
    cluster.catch_up()


@pytest.fixture(scope="module")
def oids(cluster, made):
    """By name: (oid, oid of the array)."""
    rows = cluster.primary.sql("SELECT oid::regtype, oid, typarray FROM pg_type WHERE typtype <> 'p' AND typarray <> 0")
    by_regtype = {name: (int(oid), int(array)) for name, oid, array in (line.split("|") for line in rows.split("\n"))}
    names = cluster.primary.sql("SELECT v, v::regtype FROM unnest('{%s}'::text[]) v" % ",".join(
        '"' + name.replace('"', '\\"') + '"' for name in VALUES if name != "xml" or "xml" in by_regtype))
    return {name: by_regtype[regtype] for name, regtype in (line.split("|") for line in names.split("\n"))}


@pytest.fixture(scope="module")
def proxy(start, made):
    return start({"auth": {"type": "trust"}, "pool": {"mode": "transaction", "size": 2}})


@pytest.fixture(scope="module")
def both(cluster, proxy):
    with Raw(cluster.primary.port, "app_trust") as direct, Raw(proxy.port, "app_trust") as through:
        yield direct, through


def quoted(value):
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


def asked(both, requests):
    """The answers to all requests, each of which ends in ReadyForQuery; the same from both."""
    answers = []
    for c in both:
        c.send(b"".join(requests))
        answers.append([c.until(b"Z") for _ in requests])
    for request, direct, through in zip(requests, *answers):
        assert direct == through, f"{request[:200]}\n  direct {str(direct)[:600]}\n  pgtier {str(through)[:600]}"
    return answers[0]


def from_row(answer):
    """The one value of a DataRow as it came; None where there was an error."""
    for kind, body in answer:
        if kind == b"D":
            return None if body[2:6] == b"\xff\xff\xff\xff" else body[6:]
    return None


def typed(oid, value, formats=(), results=()):
    return (parse("SELECT $1 AS v", types=(oid,)) + bind([value], formats=formats, results=results)
            + describe() + execute() + SYNC)


def round_trip(both, kind, oid, values):
    """Text in a simple query, text and binary as parameter and result."""
    texts = [None if v is None else v.encode() for v in values]
    asked(both, [message(b"Q", cstring(f"SELECT {quoted(v)}::{kind} AS v")) for v in values])
    asked(both, [typed(oid, text) for text in texts])
    binary = [from_row(answer) for answer in asked(both, [typed(oid, text, results=(1,)) for text in texts])]
    asked(both, [typed(oid, data, (1,), (result,)) for data in binary for result in (0, 1)])
    asked(both, [parse("SELECT $1 AS a, $2 AS b, $1 AS c", types=(oid, oid))
                 + bind([text, data], formats=(0, 1), results=(1, 0, 1))
                 + describe() + execute() + SYNC for text, data in zip(texts, binary)])


def test_no_type_is_forgotten(cluster, oids):
    known = {oid for oid, _ in oids.values()}
    rows = cluster.primary.sql("SELECT oid, typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace "
                               "AND typisdefined AND typtype IN ('b', 'd', 'e', 'r', 'm') AND typcategory <> 'A' "
                               "OR typname IN ('int2vector', 'oidvector')")
    missing = {name for oid, name in (row.split("|") for row in rows.split("\n")) if int(oid) not in known}
    assert missing == WITHOUT


@pytest.mark.parametrize("name", VALUES)
def test_type(both, oids, name):
    if name not in oids:
        pytest.skip(f"no {name} in this PostgreSQL")
    round_trip(both, name, oids[name][0], scalars(name))
    round_trip(both, f"{name}[]", oids[name][1], arrays(name))


@pytest.mark.parametrize("style", STYLES)
def test_all_types_in_other_styles(cluster, proxy, oids, style):
    with Raw(cluster.primary.port, "app_trust") as direct, Raw(proxy.port, "app_trust") as through:
        for c in direct, through:
            c.query(STYLES[style])
        for name, (oid, _) in oids.items():
            asked((direct, through), [message(b"Q", cstring(f"SELECT {quoted(v)}::{name} AS v"))
                                      for v in scalars(name)])
            asked((direct, through), [typed(oid, None if v is None else v.encode()) for v in scalars(name)])


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expression(both, expression):
    sql = f"SELECT {expression}"
    asked(both, [message(b"Q", cstring(sql)), *(parse(sql) + describe("S") + bind(results=(result,)) + describe()
                                                + execute() + SYNC for result in (0, 1))])


def test_all_types_from_the_cache(start, cluster, oids):
    """A table with a column for each type: what the cache answers is what the server had said."""
    sql = cluster.primary.sql
    sql("DROP TABLE IF EXISTS ty_all; CREATE TABLE ty_all (id int PRIMARY KEY, {})".format(
        ", ".join(f"c{n} {name}, a{n} {name}[]" for n, name in enumerate(oids))), "app")
    for row, pick in enumerate((lambda vs: vs[0], lambda vs: vs[1] or vs[0], lambda vs: None), 1):
        sql(f"INSERT INTO ty_all VALUES ({row}, " + ", ".join(
            f"{quoted(pick(scalars(name)))}::{name}, {quoted(pick(arrays(name)))}::{name}[]" for name in oids) + ")",
            "app")
    cluster.catch_up()
    cached = start({"auth": {"type": "trust"}, "relations": {"ty_all": {"dimensions": ["id"], "unique": ["id"]}},
                    "operations": {"ty_all": {"match": {"statement": "select", "relation": "ty_all",
                                                        "where": {"id": "known"}}, "cache": "ty_all"}},
                    "cache": {"classes": {"ty_all": {"key": "ty_all:{id}", "ttl": "1h"}}}})
    before = cached.by_source().get("cache", 0)
    with Raw(cluster.primary.port, "app_trust") as direct, Raw(cached.port, "app_trust") as through:
        for _ in range(3):
            for row in "1", "2", "3":
                asked((direct, through), [message(b"Q", cstring(f"SELECT * FROM ty_all WHERE id = {row}"))])
                for result in 0, 1:
                    asked((direct, through), [parse("SELECT * FROM ty_all WHERE id = $1")
                                              + bind([row.encode()], results=(result,))
                                              + describe() + execute() + SYNC])
    assert cached.by_source().get("cache", 0) >= before + 9
