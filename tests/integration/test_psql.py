"""psql, pg_dump and pg_restore, unmodified: what they write is what a direct connection gives."""
import concurrent.futures
import re
import signal
import subprocess
import time

import pytest

from cluster import pg_bin
from few import program

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL UNIQUE, m mood DEFAULT 'ok', age positive);
CREATE TABLE pets (id int PRIMARY KEY, owner int REFERENCES people ON DELETE CASCADE, kind varchar(10), born date,
                   doc jsonb, raw bytea, CHECK (kind <> ''));
CREATE INDEX pets_kind ON pets (lower(kind)) WHERE born IS NOT NULL;
CREATE VIEW old_pets AS SELECT * FROM pets WHERE born < '2000-01-01';
CREATE FUNCTION double(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
COMMENT ON TABLE people IS 'who lives here';
INSERT INTO people (name, age) SELECT 'person ' || n, n FROM generate_series(1, 50) n;
INSERT INTO pets SELECT n, n % 50 + 1, 'kind ' || n % 3, date '1999-01-01' + n, jsonb_build_object('n', n, 'e', 'é'),
       decode(lpad(to_hex(n), 8, '0'), 'hex') FROM generate_series(1, 700) n;
"""

# Each is one run of psql: (arguments, input).
RUNS = {
    "a table described": r"\d pets",
    "a table described with sizes and storage": r"\d+ people",
    "all relations": "\\d\n\\dt\n\\dt+\n\\dv\n\\di\n\\ds",
    "functions": "\\df psql_test.*\n\\sf double\n\\df+ double",
    "types, domains, privileges": "\\dT\n\\dD\n\\dp\n\\dn+\n\\du\n\\drds",
    "databases": r"\l",
    "system views described": "\\d pg_stat_activity\n\\dS pg_class\n\\dx\n\\dew\n\\dy\n\\dRp",
    "operators and aggregates": "\\do psql_test.*\n\\da sum\n\\dC int4",
    "settings": r"\dconfig work_mem" + "\nSHOW search_path;\nSHOW TimeZone;\nSHOW server_version;\nSHOW client_encoding;",
    "several statements in one text": r"SELECT 1 AS a\; SELECT 2 AS b\; SELECT 3 AS c;",
    "description of a result": "SELECT id, name, m, age, now() AS t FROM people \\gdesc\nSELECT 1 \\gdesc",
    "statements made by a statement": "SELECT format('SELECT %s * 2 AS n', n) FROM generate_series(1, 5) n \\gexec",
    "tables made by a statement": "SELECT format('CREATE TABLE made_%s (a int)', n) FROM generate_series(1, 3) n \\gexec\n"
                                  "\\dt made_*\nDROP TABLE made_1, made_2, made_3;",
    "variables": "\\set who 'person 7'\nSELECT id FROM people WHERE name = :'who';\n\\set tab pets\n"
                 "SELECT count(*) FROM :\"tab\";\nSELECT 5 AS five, 'x' AS ex \\gset got_\n\\echo :got_five :got_ex\n"
                 "\\echo :ROW_COUNT :SQLSTATE :ERROR\nSELECT 1/0;\n\\echo :LAST_ERROR_SQLSTATE :LAST_ERROR_MESSAGE",
    "conditions": "SELECT count(*) > 5 AS many FROM people \\gset\n\\if :many\n\\echo many\n\\else\n\\echo few\n\\endif",
    "an error in full": "SELECT * FROM nowhere;\n\\errverbose\nINSERT INTO people (name) VALUES ('person 1');\n\\errverbose\n"
                        "INSERT INTO people (name, age) VALUES ('x', -1);\n\\errverbose",
    "verbose errors": "\\set VERBOSITY verbose\nSELECT 1/0;\nSELECT nofunc(1);\n\\set VERBOSITY sqlstate\nSELECT 1/0;",
    "on_error_rollback": "\\set ON_ERROR_ROLLBACK on\nBEGIN;\nINSERT INTO people (id, name) VALUES (1000, 'new');\nSELECT 1/0;\n"
                         "SELECT name FROM people WHERE id = 1000;\nROLLBACK;\nSELECT count(*) FROM people;",
    "a failed transaction": "BEGIN;\nSELECT 1/0;\nSELECT 1;\nCOMMIT;\nSELECT 2;",
    "savepoints": "BEGIN;\nSAVEPOINT a;\nUPDATE people SET age = 99 WHERE id = 1;\nROLLBACK TO a;\nSELECT age FROM people WHERE id = 1;\n"
                  "RELEASE a;\nCOMMIT AND CHAIN;\nSELECT 1;\nROLLBACK;",
    "autocommit off": "\\set AUTOCOMMIT off\nUPDATE people SET age = 98 WHERE id = 2;\nSELECT age FROM people WHERE id = 2;\n"
                      "ROLLBACK;\nSELECT age FROM people WHERE id = 2;\nROLLBACK;",
    "a cursor of psql": "\\set FETCH_COUNT 100\nSELECT id, kind, born, doc FROM pets ORDER BY id;\nSELECT count(*) FROM pets;",
    "a cursor of sql": "BEGIN;\nDECLARE c SCROLL CURSOR FOR SELECT id FROM pets ORDER BY id;\nFETCH 3 FROM c;\nMOVE 100 IN c;\n"
                       "FETCH PRIOR FROM c;\nFETCH ABSOLUTE -1 FROM c;\nCLOSE c;\nCOMMIT;",
    "a cursor that outlives its transaction": "BEGIN;\nDECLARE c CURSOR WITH HOLD FOR SELECT id FROM pets ORDER BY id;\nCOMMIT;\n"
                                              "FETCH 3 FROM c;\nFETCH 2 FROM c;\nSELECT name, is_holdable FROM pg_cursors;\nCLOSE c;",
    "prepare and execute": "PREPARE p (int) AS SELECT name FROM people WHERE id = $1;\nEXECUTE p (3);\nEXECUTE p (4);\n"
                           "SELECT name, statement, parameter_types, from_sql FROM pg_prepared_statements;\n"
                           "EXPLAIN (COSTS OFF) EXECUTE p (5);\nPREPARE p AS SELECT 1;\nDEALLOCATE p;\nEXECUTE p (3);\n"
                           "PREPARE p AS SELECT 1;\nEXECUTE p;\nDEALLOCATE ALL;\nEXECUTE p;",
    "temporary tables": "CREATE TEMP TABLE mine (a int);\nINSERT INTO mine SELECT generate_series(1, 5);\nSELECT sum(a) FROM mine;\n"
                        "\\d mine\nDROP TABLE mine;\nSELECT * FROM mine;",
    "a sequence": "SELECT lastval();\nCREATE SEQUENCE s START 10;\nSELECT nextval('s');\n\n" + "SELECT currval('s');\nSELECT lastval();\n" * 10 +
                  "SELECT nextval('s');\nSELECT currval('s');\nDROP SEQUENCE s;",
    "settings of the session": "SET work_mem = '7MB';\nSHOW work_mem;\nSET datestyle = 'German';\nSELECT date '2025-09-17';\n"
                               "RESET ALL;\nSHOW work_mem;\nSET search_path = pg_catalog;\nSELECT current_schemas(false);",
    "notices": "DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$;\nDROP TABLE IF EXISTS nothing_here;\nCOMMIT;",
    "notifications": "LISTEN here;\nNOTIFY here, 'x';\nSELECT pg_listening_channels();\nUNLISTEN *;\nSELECT pg_listening_channels();",
    "advisory locks": "SELECT pg_advisory_lock(77);\nSELECT pg_advisory_unlock(77);\nSELECT pg_advisory_unlock(77);",
    "large objects": "\\lo_list\nBEGIN;\nSELECT lo_from_bytea(77001, 'hello') \\gset\nSELECT lo_get(77001);\nROLLBACK;",
    "expanded and other formats": "\\x\nSELECT * FROM pets WHERE id = 5;\n\\x\n\\pset format csv\nSELECT * FROM pets WHERE id < 4 ORDER BY 1;\n"
                                  "\\pset format unaligned\n\\pset null NULL\nSELECT NULL, '';\n\\t\nTABLE people LIMIT 0;",
    "a crosstab": "SELECT kind, extract(year FROM born)::int AS y, count(*) FROM pets GROUP BY 1, 2 ORDER BY 1, 2 \\crosstabview",
    "a copy to and from the client": "COPY (SELECT id, kind, doc FROM pets WHERE id <= 5 ORDER BY id) TO STDOUT;\n"
                                     "COPY people (id, name) FROM STDIN;\n2001\tone\n2002\t\\N\n\\.\n"
                                     "COPY people (id, name) FROM STDIN;\n2001\tone\n2002\ttwo\n\\.\n"
                                     "SELECT count(*) FROM people;\nDELETE FROM people WHERE id > 2000;",
    "an empty statement": ";\n;;\nSELECT;\n/* nothing */;\nSELECT 1;",
    "explain": "EXPLAIN (COSTS OFF) SELECT * FROM people WHERE id = 3;\nEXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT 1;",
    "sql of the catalog": "SELECT relname, relkind FROM pg_class WHERE relnamespace = 'psql_test'::regnamespace ORDER BY 1;\n"
                          "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'pets' ORDER BY ordinal_position;\n"
                          "SELECT to_regclass('pets'), 'people'::regclass::oid > 0;",
    "discard": "SET work_mem = '9MB';\nPREPARE p AS SELECT 1;\nDISCARD ALL;\nSHOW work_mem;\nEXECUTE p;\nSET search_path = psql_test;\n"
               "SELECT count(*) FROM people;",
    "roles": "SET ROLE app;\nSELECT current_user, session_user;\nRESET ROLE;\nSET SESSION AUTHORIZATION DEFAULT;\nSELECT session_user;",
    "isolation": "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE;\nSHOW transaction_isolation;\nSHOW transaction_read_only;\n"
                 "DELETE FROM people;\nROLLBACK;\nSET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY;\nDELETE FROM people;\n"
                 "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE;\nSHOW default_transaction_read_only;",
    "encodings": "SELECT 'é€';\n\\encoding LATIN1\nSHOW client_encoding;\nSELECT length('\u00e9');\n\\encoding UTF8\nSELECT 'é';",
}


@pytest.fixture(scope="module")
def schema(cluster, database):
    cluster.primary.sql("DROP SCHEMA IF EXISTS psql_test CASCADE; CREATE SCHEMA psql_test; SET search_path = psql_test;" + SCHEMA,
                        "app", database)
    cluster.primary.sql("VACUUM ANALYZE psql_test.people, psql_test.pets", "app", database)
    cluster.catch_up()


def psql(url, text, *words, check=False, options="-c search_path=psql_test -c TimeZone=UTC"):
    """psql's output, errors at their place in it, without what tells the two ways apart."""
    query = f"?options={options.replace(' ', '%20').replace('=', '%3D')}" if options else ""
    done = program([pg_bin("psql"), "-X", "-a", url + query, *words], input=text, check=check)
    return clean(done.stdout), clean(done.stderr), done.returncode


def clean(text):
    text = re.sub(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b", "UUID", text)
    text = re.sub(r"port \"?\d+\"?", "port PORT", text)
    text = re.sub(r"received from server process with PID \d+", "received from server process with PID N", text)
    text = re.sub(r"pg_(toast_)?temp_\d+", r"pg_\1temp_N", text)
    text = re.sub(r"^\w{3} \w{3} .*(?= \(every)", "DATE", text, flags=re.M)
    text = text.replace("HINT:  Name it under databases in the settings file.\n", "")
    return re.sub(r"Time: [\d.]+ ms(?: \([\d:.]+\))?", "Time: T", text)


@pytest.fixture
def both(cluster, few, database, schema):
    direct, through = cluster.primary.url(database=database), few.url(database=database)

    def same(text, *words, **kwargs):
        expected = psql(direct, text, *words, **kwargs)
        assert psql(through, text, *words, **kwargs) == expected
        return expected
    return same


@pytest.mark.parametrize("what", RUNS)
def test_as_direct(both, what):
    out, _, status = both(RUNS[what])
    assert out and status in (0, 3)


@pytest.mark.parametrize("what", ["a table described", "several statements in one text", "a failed transaction", "a cursor of psql"])
def test_each_client_alike(both, few, database, what):
    """Ten psql at a time over three servers."""
    expected = both(RUNS[what])
    with concurrent.futures.ThreadPoolExecutor(10) as crowd:
        for found in crowd.map(lambda _: psql(few.url(database=database), RUNS[what]), range(10)):
            assert found == expected


def test_commands_as_arguments(both):
    both("", "-c", "SELECT 1", "-c", "SELECT 2; SELECT 3", "-c", r"\dt")
    both("", "-A", "-t", "-c", "CREATE TABLE x1 (a int); INSERT INTO x1 VALUES (1); SELECT * FROM x1; DROP TABLE x1")
    both("", "-c", "INSERT INTO people (id, name) VALUES (3000, 'x'); SELECT 1/0")   # one transaction: nothing is left
    out, _, _ = both("SELECT count(*) FROM people WHERE id = 3000;", "-At")
    assert out.splitlines()[-1] == "0"


def test_single_transaction(both, tmp_path):
    (tmp_path / "good.sql").write_text("CREATE TABLE st (a int);\nINSERT INTO st SELECT generate_series(1, 10);\nSELECT sum(a) FROM st;\n"
                                       "SELECT count(DISTINCT pg_current_xact_id()) FROM st;\nDROP TABLE st;\n")
    (tmp_path / "bad.sql").write_text("CREATE TABLE st (a int);\nINSERT INTO st VALUES (1);\nSELECT 1/0;\nINSERT INTO st VALUES (2);\n")
    both("", "--single-transaction", "-f", str(tmp_path / "good.sql"))
    _, err, status = both("", "--single-transaction", "-v", "ON_ERROR_STOP=1", "-f", str(tmp_path / "bad.sql"))
    assert status == 3 and "division by zero" in err
    out, _, _ = both("SELECT to_regclass('st') IS NULL AS gone;")
    assert " t\n" in out


def test_copy_files(both, tmp_path):
    """\\copy to a file, from it, in csv and binary."""
    for how in "csv header", "text", "binary":
        out, _, _ = both(f"\\copy (SELECT id, kind, born, doc, raw FROM pets ORDER BY id) to '{tmp_path}/pets' ({how.split()[0] and 'format ' + how.split()[0]}"
                         f"{', header' if 'header' in how else ''})\n"
                         "CREATE TABLE again (LIKE pets);\n"
                         f"\\copy again (id, kind, born, doc, raw) from '{tmp_path}/pets' (format {how.split()[0]}{', header' if 'header' in how else ''})\n"
                         "SELECT count(*), sum(id), md5(string_agg(id || kind || born || doc::text || raw::text, ',' ORDER BY id)) FROM again;\n"
                         "DROP TABLE again;")
        assert out.count("COPY 700") == 2 and "245350" in out
    both(f"\\copy nowhere from '{tmp_path}/pets'\nSELECT 1;\n\\copy people from '{tmp_path}/pets' csv\nSELECT 2;")
    out, _, _ = both("\\copy pets to program 'wc -l'\nSELECT 1;")
    assert "700" in out


def test_watch(both):
    """A few rounds, ended by an error of the fourth."""
    out, err, _ = both("CREATE SEQUENCE rounds;\nSELECT 12 / (4 - nextval('rounds')) AS n \\watch 0.1\n"
                       "SELECT last_value FROM rounds;\nDROP SEQUENCE rounds;")
    assert out.count("(every 0.1s)") == 3 and "division by zero" in err and "          4\n" in out


def test_timing(both):
    out, _, _ = both("\\timing on\nSELECT 1;\nSELECT count(*) FROM pets;\n\\timing off\nSELECT 2;")
    assert out.count("Time: T") == 2


def test_conninfo_and_reconnection(both, few, cluster, database):
    out, _, _ = both("\\conninfo\n\\c\n\\conninfo\nSELECT current_database(), current_user;\n\\c - - - -\nSELECT 1;", options="")
    assert f'You are connected to database "{database}" as user "app"' in out
    both("\\c copied\nSELECT current_database();\n\\c nowhere\nSELECT 1;", options="")


def test_list_of_databases(few):
    done = program([pg_bin("psql"), "-X", "-l", "-At", few.url(database="drivers")])
    assert {line.split("|")[0] for line in done.stdout.splitlines()} >= {"app", "drivers", "copied", "postgres", "template1"}


def test_startup_settings(both):
    """What the connection string and the environment set holds on whichever server."""
    out, _, _ = both("SHOW TimeZone;\nSHOW work_mem;\nSHOW DateStyle;\nSHOW statement_timeout;\nSELECT pg_sleep(0.01);\nSHOW work_mem;\n"
                     "RESET work_mem;\nSHOW work_mem;\nSELECT current_setting('app.mark', true);",
                     options="-c TimeZone=Asia/Tokyo -c work_mem=6MB -c DateStyle=German -c statement_timeout=30s")
    assert out.count("6MB") == 3


def test_interrupted(few, cluster, database):
    """Ctrl-C: the statement ends with 57014, and so does a script, as psql has it."""
    child = subprocess.Popen([pg_bin("psql"), "-X", "-At", few.url(database=database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    child.stdin.write("SELECT 'before';\n")
    child.stdin.flush()
    assert child.stdout.readline() == "before\n"
    child.stdin.write("SELECT pg_sleep(50);\n")
    child.stdin.flush()
    until = time.monotonic() + 10
    while cluster.primary.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(50)%' AND state = 'active'") == "0":
        assert time.monotonic() < until
        time.sleep(0.05)
    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert "canceling statement due to user request" in out and child.returncode == 3, out


def test_other_programs(few, cluster, database, schema):
    """pg_isready, vacuumdb on two connections, reindexdb."""
    url = few.url(database=database)
    assert program([pg_bin("pg_isready"), "-d", url]).stdout.endswith("accepting connections\n")
    count = "SELECT vacuum_count, analyze_count FROM pg_stat_user_tables WHERE relname = 'pets' AND schemaname = 'psql_test'"
    file = "SELECT pg_relation_filenode('psql_test.people_pkey')"
    before = [cluster.primary.sql(q, database=database) for q in (count, file)]
    program([pg_bin("vacuumdb"), "-q", "--analyze", "-j", "2", "-t", "psql_test.pets", "-t", "psql_test.people", "-d", url])
    program([pg_bin("reindexdb"), "-q", "-t", "psql_test.people", "-d", url])
    done = "|".join(str(int(n) + 1) for n in before[0].split("|"))
    until = time.monotonic() + 10
    while cluster.primary.sql(count, database=database) != done:      # statistics come when the server's client has been idle
        assert time.monotonic() < until
        time.sleep(0.1)
    assert cluster.primary.sql(file, database=database) != before[1]


def clean_dump(text):
    return re.sub(r"^\\(un)?restrict .*$", "", text, flags=re.M)


def dump(url, *words):
    """A dump's lines in order: where rows are put in a table is not theirs to say."""
    return sorted(clean_dump(program([pg_bin("pg_dump"), "--no-owner", *words, url], timeout=120).stdout).splitlines())


@pytest.fixture
def empty_copy(cluster, few):
    cluster.primary.sql("DROP OWNED BY app", database="copied")
    return few.url(database="copied")


def test_dump_is_as_direct(few, cluster):
    for words in [], ["--schema-only"], ["--inserts", "-t", "users"], ["--data-only", "-t", "business_evaluations"]:
        assert dump(few.url(), *words) == dump(cluster.primary.url(), *words)


def test_dump_into_psql(few, cluster, empty_copy):
    text = program([pg_bin("pg_dump"), "--no-owner", few.url()], timeout=120).stdout
    program([pg_bin("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", empty_copy], input=text, timeout=120)
    assert dump(cluster.primary.url(database="copied")) == dump(cluster.primary.url())


@pytest.mark.parametrize("jobs", [1, 2])
def test_dump_and_restore(few, cluster, empty_copy, tmp_path, jobs):
    form = ["-Fc"] if jobs == 1 else ["-Fd", "-j", "2"]
    program([pg_bin("pg_dump"), *form, "--no-owner", "-f", str(tmp_path / "dump"), few.url()], timeout=120)
    program([pg_bin("pg_restore"), "--no-owner", "--exit-on-error", "-j", str(jobs), "-d", empty_copy, str(tmp_path / "dump")], timeout=120)
    assert dump(cluster.primary.url(database="copied")) == dump(cluster.primary.url())
