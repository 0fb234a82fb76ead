"""Session semantics in transaction pooling: every case is held with PostgreSQL and through pgtier, and compared.

A case is a short talk (see talk.py). Names may be the same in all copies wherever PostgreSQL keeps them apart
for its sessions (settings, prepared statements, temporary tables): so that what leaks is seen. What the database
shares (tables, lock keys, channels) has N in its name, and is gone when the case ends.
"""
import contextlib
import random
import struct
import threading
import time

import pytest

from talk import N, Talk, difference, ended, heard, on, opened, part, slept
from wire import SYNC, Closed, Raw, bind, close, cstring, describe, execute, message, parse

FLUSH = message(b"H")
LONG = "0123456789abcdef" * 640  # 10 kB
CROWD = 50


def query(sql):
    return message(b"Q", cstring(sql))


def run(sql, *values, **how):
    """A statement of its own by the extended protocol, without Sync."""
    return parse(sql) + bind(values, **how) + describe() + execute()


def named(name, *values):
    return bind(values, name=name) + execute()


def data(text):
    return message(b"d", text)


def call(function, *values, result=0):
    """FunctionCall with text arguments; it is answered without a Sync."""
    body = struct.pack("!Ihh", function, 0, len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return part(message(b"F", body + struct.pack("!h", result)))


COPY_DONE = message(b"c")
INT4PL, INT4DIV, CURRENT_SETTING, SET_CONFIG, NOWHERE = 177, 154, 2077, 2078, 3999999999
ADVISORY_LOCK, ADVISORY_UNLOCK, NEXTVAL, LOREAD = 2880, 2884, 1574, 954
HELD = f"SELECT mode, count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {N} GROUP BY 1 ORDER BY 1"
MINE = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
PREPARED = "SELECT name, statement, parameter_types, from_sql FROM pg_prepared_statements ORDER BY name"
CHANNELS = "SELECT pg_listening_channels() ORDER BY 1"
TABLE = [f"CREATE TABLE st_{N} (id int PRIMARY KEY, v text)", f"INSERT INTO st_{N} VALUES (1, 'one'), (2, 'two')"]
DROP = f"DROP TABLE st_{N}"
SEQUENCE, DROP_SEQUENCE = f"CREATE SEQUENCE st_q{N}", f"DROP SEQUENCE st_q{N}"

SET = {
    "SET stays": ["SET work_mem = '5MB'", "SHOW work_mem", "SELECT current_setting('work_mem')", run("SHOW work_mem")],
    "SET TO": ["SET work_mem TO 5120", "SHOW work_mem", "set WORK_MEM to '6MB'", "SHOW Work_Mem"],
    "SET that is reported": ["SET DateStyle = 'German'", "SELECT date '2020-02-01'", "SET DateStyle TO ISO, DMY",
                             "SELECT '01/02/2020'::date", "SHOW DateStyle"],
    "SET extended": [run("SET work_mem = '5MB'"), run("SHOW work_mem"), "SHOW work_mem"],
    "SET prepared": [(parse("SET work_mem = '5MB'", "s"),), "SHOW work_mem", named("s"), "SHOW work_mem",
                     "SET work_mem = '6MB'", named("s"), "SHOW work_mem"],
    "several SETs in one text": ["SET work_mem = '5MB'; SET search_path = pg_catalog; SET app.a = 'x'", "SHOW work_mem",
                                 "SHOW search_path", "SHOW app.a"],
    "SET and use in one text": ["SET app.a = '1'; SELECT current_setting('app.a')", "SHOW app.a"],
    "SET in a pipeline": [run("SET work_mem = '5MB'") + run("SHOW work_mem") + run("SET search_path = pg_catalog"),
                          "SHOW work_mem", "SHOW search_path"],
    "SET LOCAL": ["BEGIN", "SET LOCAL work_mem = '5MB'", "SHOW work_mem", "COMMIT", "SHOW work_mem"],
    "SET LOCAL outside": ["SET LOCAL work_mem = '5MB'", "SHOW work_mem", run("SET LOCAL work_mem = '5MB'"),
                          "SHOW work_mem"],
    "SET then SET LOCAL": ["BEGIN", "SET work_mem = '5MB'", "SET LOCAL work_mem = '6MB'", "SHOW work_mem", "COMMIT",
                           "SHOW work_mem"],
    "SET LOCAL then SET": ["BEGIN", "SET LOCAL work_mem = '6MB'", "SET work_mem = '5MB'", "COMMIT", "SHOW work_mem"],
    "SET LOCAL above a SET": ["SET work_mem = '5MB'", "BEGIN; SET LOCAL work_mem = '6MB'", "SHOW work_mem", "ROLLBACK",
                              "SHOW work_mem"],
    "SET LOCAL of a new name": ["BEGIN", "SET LOCAL app.new = 'x'", "COMMIT",
                                "SELECT current_setting('app.new', true)", "SHOW app.new"],
    "RESET": ["SET work_mem = '5MB'", "SET search_path = pg_catalog", "RESET work_mem", "SHOW work_mem",
              "SHOW search_path"],
    "RESET ALL": ["SET work_mem = '5MB'", "SET search_path = pg_catalog", "SET DateStyle = German", "SET app.a = 'x'",
                  "RESET ALL", "SHOW work_mem", "SHOW search_path", "SHOW DateStyle", "SHOW app.a"],
    "RESET rolled back": ["SET work_mem = '5MB'", "BEGIN", "RESET work_mem", "SHOW work_mem", "ROLLBACK",
                          "SHOW work_mem", "BEGIN", "RESET ALL", "ROLLBACK", "SHOW work_mem"],
    "TO DEFAULT": ["SET work_mem = '5MB'", "SET work_mem TO DEFAULT", "SHOW work_mem", "SET DateStyle = German",
                   "SET DateStyle = DEFAULT", "SHOW DateStyle"],
    "LOCAL TO DEFAULT": ["SET work_mem = '5MB'", "BEGIN", "SET LOCAL work_mem TO DEFAULT", "SHOW work_mem", "COMMIT",
                         "SHOW work_mem"],
    "set_config": ["SELECT set_config('work_mem', '5MB', false)", "SHOW work_mem",
                   "SELECT set_config('work_mem', '6MB', true)", "SHOW work_mem",
                   "SELECT set_config('work_mem', NULL, false)", "SHOW work_mem"],
    "set_config in a transaction": ["BEGIN", "SELECT set_config('work_mem', '5MB', true)", "SHOW work_mem", "COMMIT",
                                    "SHOW work_mem", "BEGIN", "SELECT set_config('work_mem', '5MB', false)", "COMMIT",
                                    "SHOW work_mem"],
    "set_config bound": [run("SELECT set_config($1, $2, false)", b"search_path", b"pg_catalog, public"),
                         "SHOW search_path", run("SELECT set_config($1, $2, $3)", b"app.user_id", b"42", b"f"),
                         "SHOW app.user_id", run("SELECT set_config($1, $2, $3)", b"app.user_id", b"43", b"t"),
                         "SHOW app.user_id"],
    "set_config of a named statement": [(parse("SELECT set_config('app.user_id', $1, false)", "s"),), named("s", b"1"),
                                        "SHOW app.user_id", named("s", b"2"), "SHOW app.user_id",
                                        named("s", b"3") + named("s", b"4"), "SHOW app.user_id"],
    "set_config of rows": ["SELECT set_config('app.n' || n, 'v' || n, false) FROM generate_series(1, 3) n",
                           "SELECT current_setting('app.n1'), current_setting('app.n3')"],
    "set_config in a WHERE": ["SELECT 1 FROM st_rows WHERE id = 1 AND set_config('app.w', v, false) = v", "SHOW app.w"],
    "set_config of two": ["SELECT set_config('work_mem', '5MB', false), set_config('search_path', 'pg_catalog', false)",
                          "SHOW work_mem", "SHOW search_path"],
    "UPDATE pg_settings": ["UPDATE pg_settings SET setting = '5120' WHERE name = 'work_mem'", "SHOW work_mem"],
    "SET rolled back": ["SET work_mem = '5MB'", "BEGIN", "SET work_mem = '6MB'", "SET DateStyle = German",
                        "SHOW DateStyle", "ROLLBACK", "SHOW work_mem", "SHOW DateStyle"],
    "SET committed": ["BEGIN", "SET work_mem = '6MB'", "SET DateStyle = German", "COMMIT", "SHOW work_mem",
                      "SHOW DateStyle"],
    "SET of a new name rolled back": ["BEGIN", "SET app.new = 'x'", "ROLLBACK",
                                      "SELECT current_setting('app.new', true)"],
    "SET and ROLLBACK TO": ["BEGIN", "SET work_mem = '5MB'", "SAVEPOINT a", "SET work_mem = '6MB'",
                            "SET DateStyle = German", "ROLLBACK TO a", "SHOW work_mem", "SHOW DateStyle", "COMMIT",
                            "SHOW work_mem"],
    "SET and RELEASE": ["BEGIN", "SAVEPOINT a", "SET work_mem = '6MB'", "SET LOCAL search_path = pg_catalog",
                        "RELEASE a", "SHOW search_path", "COMMIT", "SHOW work_mem", "SHOW search_path"],
    "SET in savepoints in savepoints": ["BEGIN", "SAVEPOINT a", "SET work_mem = '5MB'", "SAVEPOINT b",
                                        "SET work_mem = '6MB'", "RELEASE b", "SHOW work_mem", "ROLLBACK TO a",
                                        "SHOW work_mem", "SET work_mem = '7MB'", "COMMIT", "SHOW work_mem"],
    "SET in a failed transaction": ["BEGIN", "SET work_mem = '5MB'", "SELECT 1/0", "SET work_mem = '6MB'", "COMMIT",
                                    "SHOW work_mem"],
    "SET and savepoint after an error": ["BEGIN", "SET work_mem = '5MB'", "SAVEPOINT a", "SET work_mem = '6MB'",
                                         "SELECT 1/0", "ROLLBACK TO a", "COMMIT", "SHOW work_mem"],
    "SET then an error in one text": ["SET work_mem = '5MB'; SET DateStyle = German; SELECT 1/0", "SHOW work_mem",
                                      "SHOW DateStyle"],
    "SET committed before an error in one text": ["BEGIN; SET work_mem = '5MB'; COMMIT; SET work_mem = '6MB'; SELECT 1/0",
                                                  "SHOW work_mem"],
    "SET then an error in a pipeline": [run("SET work_mem = '5MB'") + run("SELECT 1/0") + run("SET work_mem = '6MB'"),
                                        "SHOW work_mem",
                                        run("SET work_mem = '6MB'") + SYNC + run("SELECT 1/0") + SYNC +
                                        run("SHOW work_mem"), part(until=b"Z", count=2), "SHOW work_mem"],
    "SET AND CHAIN": ["BEGIN", "SET work_mem = '5MB'", "SET LOCAL search_path = pg_catalog", "COMMIT AND CHAIN",
                      "SHOW search_path", "SET work_mem = '6MB'", "ROLLBACK", "SHOW work_mem"],
    "SET that is refused": ["SET work_mem = '-1'", "SET nope = 1", "SET server_version = '1'",
                            "SET log_statement = 'all'", "SET DateStyle = 'nope'", "SET max_connections = 5",
                            "SELECT set_config('nope', '', false)", "SHOW nope", "SET app = 1", "RESET nope",
                            "SHOW work_mem"],
    "SET with a warning": ["SET client_min_messages = 'debug5'; SET client_min_messages = 'notice'; SELECT 1",
                           "SET default_with_oids = on", "SET vacuum_cleanup_index_scale_factor = 1"],
    "session characteristics": ["SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
                                "SHOW transaction_isolation", "BEGIN", "SHOW transaction_isolation", "COMMIT",
                                "SHOW default_transaction_isolation"],
    "read only session": ["SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", f"CREATE TABLE st_{N} (n int)",
                          "BEGIN READ WRITE", f"CREATE TABLE st_{N} (n int)", "ROLLBACK", "SHOW transaction_read_only"],
    "default_transaction_read_only": ["SET default_transaction_read_only = on", "SHOW transaction_read_only",
                                      f"CREATE TABLE st_{N} (n int)", "RESET default_transaction_read_only",
                                      "SHOW transaction_read_only"],
    "time zones": ["SET TIME ZONE 'Europe/Rome'", "SELECT timestamptz '2020-01-01 00:00Z'", "SET TIME ZONE -7.5",
                   "SELECT timestamptz '2020-01-01 00:00Z'", "SET TIME ZONE INTERVAL '+02:30' HOUR TO MINUTE",
                   "SELECT timestamptz '2020-01-01 00:00Z'", "SHOW TIME ZONE", "SET TIME ZONE LOCAL", "SHOW TimeZone",
                   "SET TIMEZONE TO 'PST8PDT'", "SHOW timezone", "SET TIME ZONE DEFAULT", "SHOW timezone"],
    "time zone that is kept": ["SET TIME ZONE INTERVAL '-03:00' HOUR TO MINUTE", "SHOW TimeZone",
                               "SELECT timestamptz '2020-01-01 00:00Z'", run("SELECT timestamptz '2020-01-01 00:00Z'")],
    "SET NAMES": ["SET NAMES 'LATIN1'", part(message(b"Q", b"SELECT length('\xe9'), '\xe9'\0")), "SHOW client_encoding",
                  "SET NAMES DEFAULT", "SHOW client_encoding", "SELECT length('é')"],
    "client_encoding": ["SET client_encoding TO 'win1252'", run("SELECT chr(8364)"), "SELECT chr(8364)",
                        "SELECT chr(1060)", "SET client_encoding = 'nope'", "RESET client_encoding",
                        "SELECT chr(1060)"],
    "SET ROLE": ["SELECT current_user, session_user", "SET ROLE st_role", "SELECT current_user, session_user",
                 "SHOW role", "RESET ROLE", "SELECT current_user", "SET ROLE 'st_role'", "SELECT current_role",
                 "SET ROLE NONE", "SHOW role", "SELECT current_user"],
    "SET ROLE and rights": ["SELECT * FROM st_secret", "SET ROLE st_role", "SELECT * FROM st_secret",
                            run("SELECT * FROM st_secret"), "RESET ROLE", "SELECT * FROM st_secret"],
    "SET ROLE refused": ["SET ROLE st_other", "SET ROLE st_nobody", "SELECT current_user",
                         "SET SESSION AUTHORIZATION st_role", "SELECT session_user"],
    "SET LOCAL ROLE": ["BEGIN", "SET LOCAL ROLE st_role", "SELECT current_user", "COMMIT", "SELECT current_user",
                       "BEGIN", "SET ROLE st_role", "ROLLBACK", "SELECT current_user"],
    "role by set_config": ["SELECT set_config('role', 'st_role', false)", "SELECT current_user",
                           "SELECT set_config('role', 'none', false)", "SELECT current_user"],
    "session authorization": [on("root", step) for step in (
        "SET SESSION AUTHORIZATION st_role", "SELECT session_user, current_user", "SHOW is_superuser",
        "RESET SESSION AUTHORIZATION", "SELECT session_user", "SET SESSION AUTHORIZATION 'app_trust'",
        "SET ROLE st_role", "SELECT session_user, current_user", "SET SESSION AUTHORIZATION DEFAULT",
        "SELECT session_user, current_user", "BEGIN", "SET LOCAL SESSION AUTHORIZATION st_role", "SELECT session_user",
        "COMMIT", "SELECT session_user")],
    "search_path names": ['SET search_path = "St A", "b,c", public', "SHOW search_path",
                          "SELECT current_schemas(false)", "SELECT current_setting('search_path')",
                          'SET search_path = "q""q", \'b,c\'', "SHOW search_path", "SET search_path = ''",
                          "SHOW search_path", "SELECT current_schemas(false)", 'SET search_path TO "$user", public',
                          "SHOW search_path"],
    "search_path found": ['SET search_path = "b,c", "St A"', "SELECT * FROM st_here", run("SELECT * FROM st_here"),
                          'SET search_path = "St A"', "SELECT * FROM st_here", run("SELECT * FROM st_here"),
                          "RESET search_path", "SELECT * FROM st_here"],
    "SET SCHEMA": ["SET SCHEMA 'St A'", "SELECT * FROM st_here", "SHOW search_path", "BEGIN; SET LOCAL SCHEMA 'b,c'",
                   "SELECT * FROM st_here", "COMMIT", "SELECT * FROM st_here"],
    "a long value": [f"SET app.long = '{LONG}'",
                     "SELECT length(current_setting('app.long')), md5(current_setting('app.long'))", "BEGIN",
                     f"SET LOCAL app.long = '{LONG}{LONG}'", "SELECT length(current_setting('app.long'))", "ROLLBACK",
                     "SELECT length(current_setting('app.long'))"],
    "many settings": ["; ".join(f"SET app.n{n} = 'value {n}'" for n in range(300)),
                      "SELECT count(*), md5(string_agg(current_setting('app.n' || n), ',' ORDER BY n)) "
                      "FROM generate_series(0, 299) n"],
    "names of custom settings": ["SET app.user_id = 42", "SHOW app.user_id", 'SET "App"."USER_Id" = \'x\'',
                                 "SHOW app.user_id", "SET app.a.b = 'dots'", "SHOW app.a.b", "SHOW app.none",
                                 "SELECT current_setting('app.none', true)", "SET app.user_id TO a, b",
                                 "SHOW app.user_id", "SET app._x$1 = on", "SHOW app._x$1", "SET app.\"with space\" = 1",
                                 "SET app.1 = 1"],
    "values with quotes": ["SET app.q = 'it''s \\ \"x\" $1 %s'", "SHOW app.q", "SET app.e = E'a\\\\b\\n\\'c'",
                           "SHOW app.e", "SET app.d = $$dollar 'q'$$", "SET app.i = \"identi fier\"", "SHOW app.i",
                           "SET app.u = U&'d\\0061t'", "SHOW app.u", "SET app.empty = ''", "SHOW app.empty",
                           "SHOW app.q"],
    "backslashes without standard strings": ["SET standard_conforming_strings = off", "SET escape_string_warning = off",
                                             "SET app.q = 'a\\\\b\\'c'", "SHOW app.q", "SELECT 'x\\ty'",
                                             "SET standard_conforming_strings = on", "SHOW app.q"],
    "values of other scripts": ["SET app.q = 'naïve Фёдор 日本 😀'", "SHOW app.q", "SET application_name = 'naïve'",
                                "SHOW application_name"],
    "application_name": ["SET application_name = 'st one'", "SHOW application_name",
                         "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()",
                         "RESET application_name",
                         "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"],
    "output settings": ["SET bytea_output = 'escape'; SET extra_float_digits = 0; SET IntervalStyle = 'sql_standard'",
                        "SELECT '\\x0041ff'::bytea, 0.1::float8 + 0.2, interval '1 day -2 hours'",
                        run("SELECT '\\x0041ff'::bytea, 0.1::float8 + 0.2, interval '1 day -2 hours'"),
                        "SET xmlbinary = hex; SET lc_monetary = 'C'", "SELECT 12.5::money", "SHOW xmlbinary"],
    "planner settings": ["SET enable_indexscan = off; SET enable_bitmapscan = off",
                         "EXPLAIN (COSTS OFF) SELECT * FROM st_rows WHERE id = 1", "SET enable_indexscan = on",
                         "SET enable_seqscan = off", "EXPLAIN (COSTS OFF) SELECT * FROM st_rows WHERE id = 1"],
    "client_min_messages": ["SET client_min_messages = 'error'", "DO $$ BEGIN RAISE WARNING 'not told'; END $$",
                            "COMMIT", "SET client_min_messages = 'debug1'; RESET client_min_messages",
                            "DO $$ BEGIN RAISE NOTICE 'told'; END $$"],
    "statement_timeout": ["SET statement_timeout = 60", "SELECT pg_sleep(5)", run("SELECT pg_sleep(5)"), "SELECT 1",
                          "SET statement_timeout = 0", "SELECT pg_sleep(0.1)",
                          "BEGIN; SET LOCAL statement_timeout = '60ms'", "SELECT pg_sleep(5)", "ROLLBACK",
                          "SELECT pg_sleep(0.1)"],
    "lock_timeout": [on("d", f"SELECT pg_advisory_lock({N})"), "SET lock_timeout = '60ms'",
                     f"SELECT pg_advisory_lock({N})", "SHOW lock_timeout"],
    "idle_in_transaction_session_timeout": ["SET idle_in_transaction_session_timeout = '150ms'", "BEGIN",
                                            part(until=b"E")],
    "function that sets": ["SELECT st_set('work_mem', '5MB', false)", "SHOW work_mem",
                           run("SELECT st_set($1, $2, false)", b"search_path", b"pg_catalog"), "SHOW search_path",
                           "SELECT public.st_set('app.f', 'x', true)"],
    "function that sets, rolled back": ["BEGIN", "SELECT st_set('work_mem', '5MB', false)", "ROLLBACK",
                                        "SHOW work_mem"],
    "function with SET": ["SELECT st_with_set()", "SHOW work_mem", "SET work_mem = '7MB'", "SELECT st_with_set()",
                          "SHOW work_mem"],
    "function that runs SET": ["SELECT st_run('SET work_mem = ''5MB''')", "SHOW work_mem",
                               "SELECT st_run('SET LOCAL work_mem = ''6MB''')", "SHOW work_mem",
                               "SELECT st_run('RESET work_mem')", "SHOW work_mem"],
    "procedure that sets": ["CALL st_procedure('5MB')", "SHOW work_mem", run("CALL st_procedure('6MB')"),
                            "SHOW work_mem"],
    "DO that sets": ["DO $$ BEGIN SET work_mem = '5MB'; END $$", "SHOW work_mem",
                     "DO $$ BEGIN PERFORM set_config('search_path', 'pg_catalog', false); END $$", "SHOW search_path",
                     "DO $$ BEGIN SET LOCAL work_mem = '6MB'; COMMIT; END $$", "SHOW work_mem",
                     "DO $$ BEGIN SET work_mem = '6MB'; PERFORM 1/0; END $$", "SHOW work_mem",
                     "DO $$ BEGIN SET work_mem = '6MB'; COMMIT; PERFORM 1/0; END $$", "SHOW work_mem"],
    "SET in an exception block": ["DO $$ BEGIN SET app.a = '1'; BEGIN SET app.a = '2'; PERFORM 1/0; EXCEPTION WHEN OTHERS "
                                  "THEN NULL; END; END $$", "SHOW app.a"],
    "startup parameters": [opened(application_name="st app", TimeZone="Asia/Tokyo", DateStyle="German",
                                  client_encoding="LATIN1", extra_float_digits="0", search_path='"b,c", public'),
                           "SHOW TimeZone", "SHOW search_path", "SHOW extra_float_digits", "SHOW application_name",
                           "SET TimeZone = 'UTC'", "SET search_path = public", "RESET TimeZone", "SHOW TimeZone",
                           "RESET ALL", "SHOW search_path", "DISCARD ALL", "SHOW TimeZone", "SHOW DateStyle"],
    "options": [opened(options="-c work_mem=6MB -csearch_path=pg_catalog,\\ public --app.x=y --extra-float-digits=2"),
                "SHOW work_mem", "SHOW search_path", "SHOW app.x", "SHOW extra_float_digits", "SET work_mem = '7MB'",
                "SET app.x = 'z'", "RESET work_mem", "RESET app.x", "SHOW work_mem", "SHOW app.x", "DISCARD ALL",
                "SHOW work_mem", "SHOW app.x"],
    "startup custom setting": [opened(**{"app.user_id": "7", "work_mem": "5120"}), "SHOW app.user_id", "SHOW work_mem",
                               "SET app.user_id = 8", "RESET app.user_id", "SHOW app.user_id"],
    "startup role": [opened(role="st_role"), "SELECT current_user", "SET ROLE NONE", "SELECT current_user",
                     "RESET ROLE", "SELECT current_user"],
    "startup refused": [opened(work_mem="nope"), on("b", opened(nope="1")), on("c", opened(options="-c")),
                        on("e", opened(TimeZone="Nowhere/None")), on("f", opened(log_statement="all"))],
    "what is changed in pg_settings": ["SET work_mem = '5MB'; SET enable_seqscan = off; SET TimeZone = 'UTC'",
                                       "SELECT name, setting, unit FROM pg_settings WHERE name IN "
                                       "('work_mem', 'enable_seqscan', 'TimeZone', 'search_path', 'geqo') ORDER BY name"],
    "a fresh session": ["SHOW work_mem", "SHOW search_path", "SHOW TimeZone", "SHOW DateStyle",
                        "SHOW statement_timeout", "SHOW role", "SHOW client_encoding", "SHOW application_name"],
    "an untouched backend": [CHANNELS, "SELECT * FROM pg_cursors", MINE, "SELECT lastval()",
                             "SELECT to_regclass('mine')",
                             "SELECT count(*) FROM pg_stat_activity WHERE pid = pg_backend_pid() AND "
                             "backend_xid IS NULL",
                             PREPARED],
}

TEMPORARY = {
    "temporary table": ["CREATE TEMP TABLE mine (n int, t text)", "INSERT INTO mine VALUES (1, 'a'), (2, NULL)",
                        "SELECT * FROM mine ORDER BY n", run("UPDATE mine SET t = 'b' RETURNING n, t"),
                        "SELECT count(*) FROM mine", "SELECT 'mine'::regclass, pg_my_temp_schema() <> 0",
                        "DROP TABLE mine", "SELECT * FROM mine"],
    "ON COMMIT DROP": ["BEGIN", "CREATE TEMP TABLE mine ON COMMIT DROP AS SELECT 1 AS n", "SELECT * FROM mine",
                       "COMMIT", "SELECT * FROM mine", "CREATE TEMP TABLE mine (n int) ON COMMIT DROP",
                       "SELECT * FROM mine"],
    "ON COMMIT DELETE ROWS": ["CREATE TEMP TABLE mine (n int) ON COMMIT DELETE ROWS", "INSERT INTO mine VALUES (1)",
                              "SELECT * FROM mine", "BEGIN", "INSERT INTO mine VALUES (1)", "SELECT * FROM mine",
                              "COMMIT", "SELECT * FROM mine"],
    "ON COMMIT PRESERVE ROWS": ["CREATE TEMP TABLE mine (n int) ON COMMIT PRESERVE ROWS", "INSERT INTO mine VALUES (1)",
                                "SELECT * FROM mine"],
    "temporary table rolled back": ["BEGIN", "CREATE TEMP TABLE mine (n int)", "INSERT INTO mine VALUES (1)",
                                    "ROLLBACK", "SELECT * FROM mine", "BEGIN", "CREATE TEMP TABLE mine (n int)",
                                    "SAVEPOINT a", "CREATE TEMP TABLE yours (n int)", "ROLLBACK TO a", "COMMIT",
                                    "SELECT * FROM mine", "SELECT * FROM yours"],
    "temporary table, then an error": ["CREATE TEMP TABLE mine (n int); SELECT 1/0", "SELECT * FROM mine",
                                       "BEGIN; CREATE TEMP TABLE mine (n int); COMMIT; SELECT 1/0",
                                       "SELECT * FROM mine"],
    "SELECT INTO TEMP": ["SELECT n INTO TEMP mine FROM generate_series(1, 3) n", "SELECT * FROM mine",
                         "SELECT 1 AS n INTO TEMPORARY TABLE yours", "SELECT * FROM yours"],
    "CREATE TEMP TABLE AS": ["CREATE TEMP TABLE mine AS SELECT 1 AS n",
                             run("CREATE TEMP TABLE yours AS SELECT * FROM mine"), "SELECT * FROM yours",
                             "CREATE TEMP TABLE IF NOT EXISTS mine AS SELECT 2 AS n", "SELECT * FROM mine"],
    "pg_temp by name": ["CREATE TABLE pg_temp.mine (n int)", "INSERT INTO pg_temp.mine VALUES (1)",
                        "SELECT * FROM mine", "SELECT * FROM pg_temp.mine"],
    "temporary view": ["CREATE TEMP VIEW mine AS SELECT * FROM st_rows WHERE id < 3", "SELECT * FROM mine",
                       "CREATE OR REPLACE TEMP VIEW mine AS SELECT * FROM st_rows WHERE id < 2", "SELECT * FROM mine",
                       "DROP VIEW mine"],
    "temporary sequence": ["CREATE TEMP SEQUENCE mine", "SELECT nextval('mine')", "SELECT nextval('mine')",
                           "SELECT currval('mine'), lastval()", "DROP SEQUENCE mine", "SELECT nextval('mine')"],
    "temporary table shadows": ["SELECT v FROM st_rows WHERE id = 1", "CREATE TEMP TABLE st_rows (id int, v text)",
                                "SELECT v FROM st_rows WHERE id = 1", "INSERT INTO st_rows VALUES (1, 'temporary')",
                                "SELECT v FROM st_rows WHERE id = 1", run("SELECT v FROM st_rows WHERE id = $1", b"1"),
                                "SELECT v FROM public.st_rows WHERE id = 1", "SET search_path = public, pg_temp",
                                "SELECT v FROM st_rows WHERE id = 1", "DROP TABLE pg_temp.st_rows", "RESET search_path",
                                "SELECT v FROM st_rows WHERE id = 1"],
    "DISCARD TEMP": ["CREATE TEMP TABLE mine (n int)", "CREATE TEMP SEQUENCE yours", "SET work_mem = '5MB'",
                     "DISCARD TEMP", "SELECT * FROM mine", "SHOW work_mem", "DISCARD TEMPORARY",
                     "CREATE TEMP TABLE mine (n int)"],
    "dropped and free": ["CREATE TEMP TABLE mine (n int)", "DROP TABLE mine", "SELECT 1",
                         "CREATE TEMP TABLE mine (t text)", "INSERT INTO mine VALUES ('x')", "SELECT * FROM mine",
                         "DROP TABLE mine", "SELECT * FROM mine"],
    "temporary function": ["CREATE FUNCTION pg_temp.mine(int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 1'",
                           "SELECT pg_temp.mine(1)", "DISCARD TEMP"],
    "temporary type and index": ["CREATE TYPE pg_temp.mine AS ENUM ('a', 'b')", "SELECT 'a'::pg_temp.mine",
                                 "CREATE TEMP TABLE yours (m pg_temp.mine)", "CREATE UNIQUE INDEX ours ON yours (m)",
                                 "INSERT INTO yours VALUES ('a')", "INSERT INTO yours VALUES ('a')"],
    "temporary table changed": ["CREATE TEMP TABLE mine (n int)", "ALTER TABLE mine ADD t text DEFAULT 'x'",
                                "INSERT INTO mine VALUES (1)", "TRUNCATE mine", "INSERT INTO mine VALUES (2)",
                                "SELECT * FROM mine", "ALTER TABLE mine RENAME TO yours", "SELECT * FROM yours",
                                "ANALYZE yours", "VACUUM yours"],
    "temporary table made in DO": ["DO $$ BEGIN CREATE TEMP TABLE mine (n int); INSERT INTO mine VALUES (7); END $$",
                                   "SELECT * FROM mine", "SELECT st_run('CREATE TEMP TABLE yours AS SELECT 8 AS n')",
                                   "SELECT * FROM yours"],
    "temporary table and COPY": ["CREATE TEMP TABLE mine (n int, t text)",
                                 part(query("COPY mine FROM STDIN"), until=b"G"),
                                 part(data(b"1\tx\n2\t\\N\n"), COPY_DONE), "COPY mine TO STDOUT",
                                 "SELECT count(*) FROM mine"],
    "temporary table, deferred constraint": ["CREATE TEMP TABLE mine (n int UNIQUE DEFERRABLE)", "BEGIN",
                                             "SET CONSTRAINTS ALL DEFERRED", "INSERT INTO mine VALUES (1), (1)",
                                             "COMMIT", "BEGIN", "INSERT INTO mine VALUES (1), (1)", "ROLLBACK"],
    "temporary table prepared": ["CREATE TEMP TABLE mine (n int)", (parse("INSERT INTO mine VALUES ($1)", "s"),),
                                 named("s", b"1"), named("s", b"2"), "PREPARE p AS SELECT * FROM mine", "EXECUTE p",
                                 "DROP TABLE mine", named("s", b"3"), "EXECUTE p", "CREATE TEMP TABLE mine (n int)",
                                 named("s", b"3"), "EXECUTE p"],
}

CURSORS = {
    "cursor": ["BEGIN", "DECLARE c CURSOR FOR SELECT * FROM st_rows ORDER BY id", "FETCH c", "FETCH 2 FROM c",
               "MOVE 1 IN c", "FETCH ALL FROM c", "FETCH c", "CLOSE c", "COMMIT", "FETCH c"],
    "cursor outside": ["DECLARE c CURSOR FOR SELECT 1", "FETCH c", "CLOSE c"],
    "scroll cursor": ["BEGIN", "DECLARE c SCROLL CURSOR FOR SELECT id FROM st_rows ORDER BY id", "FETCH LAST c",
                      "FETCH BACKWARD 2 FROM c", "FETCH ABSOLUTE 1 c", "FETCH RELATIVE 2 c", "FETCH PRIOR c",
                      "FETCH FIRST c", "END"],
    "cursor WITH HOLD": ["DECLARE c CURSOR WITH HOLD FOR SELECT id FROM st_rows ORDER BY id", "FETCH 2 c", "SELECT 1",
                         "FETCH 2 c", "SELECT name, statement, is_holdable FROM pg_cursors", "FETCH ALL c", "CLOSE c",
                         "FETCH c"],
    "cursor WITH HOLD of a transaction": ["BEGIN", "DECLARE c CURSOR WITH HOLD FOR SELECT id FROM st_rows ORDER BY id",
                                          "FETCH c", "COMMIT", "FETCH 2 c", "BEGIN", "FETCH c", "ROLLBACK", "FETCH c",
                                          "CLOSE c"],
    "cursor WITH HOLD rolled back": ["BEGIN", "DECLARE c CURSOR WITH HOLD FOR SELECT 1", "ROLLBACK", "FETCH c",
                                     "BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1; SELECT 1/0", "COMMIT", "FETCH c"],
    "CLOSE ALL": ["DECLARE a CURSOR WITH HOLD FOR SELECT 1", "DECLARE b CURSOR WITH HOLD FOR SELECT 2", "CLOSE ALL",
                  "FETCH a", "FETCH b", "SELECT * FROM pg_cursors"],
    "cursor names": ["BEGIN", 'DECLARE "My C" CURSOR FOR SELECT 1', 'FETCH "My C"', "DECLARE c CURSOR FOR SELECT 1",
                     "DECLARE c CURSOR FOR SELECT 2", "ROLLBACK", "CLOSE c"],
    "cursor that is a portal": ["BEGIN", "DECLARE c CURSOR FOR SELECT id FROM st_rows ORDER BY id",
                                describe("P", "c") + execute("c", 2), "FETCH c", close("P", "c"), "FETCH c",
                                "ROLLBACK"],
    "portal that is a cursor": ["BEGIN",
                                (parse("SELECT id FROM st_rows ORDER BY id"), bind(portal="p"), execute("p", 1)),
                                "FETCH 2 FROM p", (execute("p", 1),), "MOVE 1 p", (execute("p"),), "CLOSE p", "COMMIT"],
    "cursor of a function": ["BEGIN", "SELECT st_cursor('c')", "FETCH 2 FROM c", "COMMIT", "FETCH c"],
    "cursor by bound query": ["BEGIN",
                              run("DECLARE c CURSOR FOR SELECT id FROM st_rows WHERE id > $1 ORDER BY id", b"8"),
                              run("FETCH ALL FROM c"), "COMMIT"],
    "cursor and savepoint": ["BEGIN", "SAVEPOINT a", "DECLARE c CURSOR FOR SELECT id FROM st_rows ORDER BY id",
                             "FETCH c", "ROLLBACK TO a", "FETCH c", "ROLLBACK"],
    "WHERE CURRENT OF": ["BEGIN", *TABLE, f"DECLARE c CURSOR FOR SELECT * FROM st_{N} ORDER BY id FOR UPDATE",
                         "FETCH c", f"UPDATE st_{N} SET v = 'x' WHERE CURRENT OF c RETURNING *", "ROLLBACK"],
}

LOCKS = {
    "session lock": [f"SELECT pg_advisory_lock({N})", on("d", HELD), "SELECT 1",
                     on("d", f"SELECT pg_try_advisory_lock({N})"), MINE, f"SELECT pg_advisory_unlock({N})",
                     on("d", HELD), on("d", f"SELECT pg_try_advisory_lock({N})")],
    "locked twice": [f"SELECT pg_advisory_lock({N})", f"SELECT pg_advisory_lock({N})",
                     f"SELECT pg_advisory_unlock({N})", on("d", HELD), f"SELECT pg_advisory_unlock({N})", on("d", HELD),
                     f"SELECT pg_advisory_unlock({N})"],
    "shared lock": [f"SELECT pg_advisory_lock_shared({N})", on("d", HELD),
                    on("d", f"SELECT pg_try_advisory_lock_shared({N})"), on("d", f"SELECT pg_try_advisory_lock({N})"),
                    f"SELECT pg_advisory_unlock({N})", f"SELECT pg_advisory_unlock_shared({N})", on("d", HELD)],
    "unlock_all": [f"SELECT pg_advisory_lock({N}), pg_advisory_lock({N}), pg_advisory_lock_shared({N})", on("d", HELD),
                   "SELECT pg_advisory_unlock_all()", on("d", HELD), MINE],
    "try": [on("d", f"SELECT pg_advisory_lock({N})"), f"SELECT pg_try_advisory_lock({N})",
            f"SELECT pg_advisory_unlock({N})", on("d", f"SELECT pg_advisory_unlock({N})"),
            f"SELECT pg_try_advisory_lock({N})", on("d", HELD), run("SELECT pg_advisory_unlock($1)", N.encode())],
    "transaction lock": ["BEGIN", f"SELECT pg_advisory_xact_lock({N})", on("d", HELD), "COMMIT", on("d", HELD), "BEGIN",
                         f"SELECT pg_advisory_xact_lock({N})", f"SELECT pg_advisory_unlock({N})", "ROLLBACK",
                         on("d", HELD)],
    "transaction lock outside": [f"SELECT pg_advisory_xact_lock({N})", on("d", HELD), MINE],
    "session lock in a transaction": ["BEGIN", f"SELECT pg_advisory_lock({N})", "ROLLBACK", on("d", HELD), "BEGIN",
                                      "SELECT 1/0", "ROLLBACK", on("d", HELD), "BEGIN",
                                      f"SELECT pg_advisory_unlock({N})", "ROLLBACK", on("d", HELD)],
    "session lock, then an error": [f"SELECT pg_advisory_lock({N}); SELECT 1/0", on("d", HELD),
                                    f"SELECT pg_advisory_unlock({N})", f"SELECT pg_advisory_lock({N}), 1/0",
                                    on("d", HELD)],
    "lock of two keys": [f"SELECT pg_advisory_lock(1, {N})", on("d", HELD), f"SELECT pg_advisory_unlock({N}, 1)",
                         f"SELECT pg_advisory_unlock(1, {N})", on("d", HELD)],
    "lock of a computed key": [f"SELECT pg_advisory_lock(hashtext('st' || {N}))", MINE,
                               f"SELECT pg_advisory_unlock(hashtext('st{N}'))", MINE,
                               f"SELECT pg_advisory_lock(id + {N}::bigint * 100) FROM st_rows WHERE id < 4", MINE,
                               "SELECT pg_advisory_unlock_all()", MINE],
    "lock of a bound key": [run("SELECT pg_advisory_lock($1)", N.encode()), on("d", HELD),
                            (parse("SELECT pg_advisory_unlock($1)", "s"),), named("s", N.encode()), on("d", HELD)],
    "lock by a prepared statement": [f"PREPARE p AS SELECT pg_advisory_lock({N})", "EXECUTE p", on("d", HELD),
                                     "EXECUTE p", f"SELECT pg_advisory_unlock({N})", on("d", HELD),
                                     f"SELECT pg_advisory_unlock({N})"],
    "lock by a function": [f"SELECT st_lock({N})", "SELECT 1", on("d", HELD), f"SELECT pg_advisory_unlock({N})",
                           on("d", HELD)],
    "lock by DO": [f"DO $$ BEGIN PERFORM pg_advisory_lock({N}); END $$", "SELECT 1", on("d", HELD),
                   f"SELECT pg_advisory_unlock({N})", on("d", HELD)],
    "DISCARD ALL unlocks": [f"SELECT pg_advisory_lock({N})", "DISCARD ALL", on("d", HELD)],
    "lock of one who leaves": [f"SELECT pg_advisory_lock({N})", ended(), on("d", f"SELECT pg_advisory_lock({N})")],
    "locks of two": [f"SELECT pg_advisory_lock({N})", on("b", f"SELECT pg_try_advisory_lock({N})"),
                     f"SELECT pg_advisory_unlock({N})", on("b", f"SELECT pg_try_advisory_lock({N})"),
                     f"SELECT pg_try_advisory_lock({N})", on("b", f"SELECT pg_advisory_unlock({N})")],
    "a lock that is waited for": [on("d", f"SELECT pg_advisory_lock({N})"),
                                  part(query(f"SELECT pg_advisory_lock({N})"), until=b""), slept(0.1),
                                  on("d", f"SELECT pg_advisory_unlock({N})"), part(), on("d", HELD),
                                  f"SELECT pg_advisory_unlock({N})"],
    "row lock": [*TABLE, "BEGIN", f"SELECT v FROM st_{N} WHERE id = 1 FOR UPDATE",
                 on("d", f"SELECT v FROM st_{N} WHERE id = 1 FOR UPDATE SKIP LOCKED"),
                 on("d", f"SELECT v FROM st_{N} WHERE id = 1 FOR UPDATE NOWAIT"), "COMMIT",
                 on("d", f"SELECT v FROM st_{N} WHERE id = 1 FOR UPDATE NOWAIT"), DROP],
}

NOTIFY = {
    "own notification": [f"LISTEN st_{N}", f"NOTIFY st_{N}, 'hello'", heard(1), f"NOTIFY st_{N}", heard(1),
                         f"UNLISTEN st_{N}"],
    "notified by another": [f"LISTEN st_{N}", on("d", f"NOTIFY st_{N}, 'hello'"), heard(1),
                            on("d", f"SELECT pg_notify('st_{N}', 'again')"), heard(1), "SELECT 1", CHANNELS],
    "notified by another client": [f"LISTEN st_{N}", on("b", f"NOTIFY st_{N}, 'from b'"), heard(1), on("b", heard(0))],
    "listener for another": [on("d", f"LISTEN st_{N}"), f"NOTIFY st_{N}, 'it''s'", on("d", heard(1)),
                             run(f"SELECT pg_notify('st_{N}', $1)", b"bound"), on("d", heard(1)), heard(0)],
    "listening channels": [CHANNELS, f"LISTEN st_{N}", f"LISTEN st_{N}b", CHANNELS, run(f"LISTEN st_{N}c"), CHANNELS,
                           f"UNLISTEN st_{N}", CHANNELS, "UNLISTEN *", CHANNELS],
    "UNLISTEN": [f"LISTEN st_{N}", f"UNLISTEN st_{N}", on("d", f"NOTIFY st_{N}"), "SELECT 1", heard(0, 0.1),
                 "UNLISTEN nowhere"],
    "LISTEN rolled back": ["BEGIN", f"LISTEN st_{N}", "ROLLBACK", CHANNELS, f"NOTIFY st_{N}", "SELECT 1", heard(0, 0.1),
                           "BEGIN", f"LISTEN st_{N}", CHANNELS, "COMMIT", CHANNELS, f"NOTIFY st_{N}", heard(1), "BEGIN",
                           "UNLISTEN *", "ROLLBACK", CHANNELS],
    "NOTIFY in a transaction": [f"LISTEN st_{N}", "BEGIN", f"NOTIFY st_{N}, 'one'", "SELECT 1", heard(0), "COMMIT",
                                heard(1), "BEGIN", f"NOTIFY st_{N}, 'two'", "ROLLBACK", f"NOTIFY st_{N}, 'three'",
                                heard(1)],
    "notified in a transaction": [f"LISTEN st_{N}", "BEGIN", "SELECT 1", on("d", f"NOTIFY st_{N}, 'x'"), "SELECT 1",
                                  heard(0), "COMMIT", heard(1)],
    "payloads": [f"LISTEN st_{N}", f"NOTIFY st_{N}, 'a'; NOTIFY st_{N}, 'a'; NOTIFY st_{N}, 'b'; NOTIFY st_{N}",
                 heard(3), f"SELECT pg_notify('st_{N}', repeat('x', 7999))", heard(1),
                 f"SELECT pg_notify('st_{N}', repeat('x', 8000))",
                 f"SELECT pg_notify('st_{N}', n::text) FROM generate_series(1, 20) n", heard(20),
                 "SELECT pg_notify('', 'x')"],
    "channel names": [f'LISTEN "St {N}"', f'NOTIFY "St {N}"', heard(1), f"LISTEN ST_{N}",
                      f"SELECT pg_notify('st_{N}', '')", heard(1), f"SELECT pg_notify('ST_{N}', '')", heard(0, 0.1),
                      CHANNELS],
    "DISCARD ALL unlistens": [f"LISTEN st_{N}", "DISCARD ALL", CHANNELS, f"NOTIFY st_{N}", heard(0, 0.1)],
    "LISTEN in a function": [f"SELECT st_run('LISTEN st_{N}')", CHANNELS, f"NOTIFY st_{N}", heard(1)],
}

PREPARE = {
    "PREPARE and EXECUTE": ["PREPARE p AS SELECT 7 AS n", "EXECUTE p", run("EXECUTE p"), "EXECUTE p", "DEALLOCATE p",
                            "EXECUTE p"],
    "PREPARE with types": ["PREPARE p (int, text) AS SELECT $1 + 1, $2", "EXECUTE p(1, 'a')",
                           "EXECUTE p(1 + 1, upper('b'))", "EXECUTE p(1)", "EXECUTE p('x', 'y')",
                           "EXECUTE p(NULL, NULL)", "PREPARE q AS SELECT $1::int, $2", "EXECUTE q('5', 'x')",
                           "PREPARE r (nope) AS SELECT $1"],
    "PREPARE of writes": [*TABLE, f"PREPARE i AS INSERT INTO st_{N} VALUES ($1, $2) RETURNING v",
                          f"PREPARE u AS UPDATE st_{N} " "SET v = $1", f"PREPARE d AS DELETE FROM st_{N} WHERE id = $1",
                          "EXECUTE i(3, 'c')", "EXECUTE u('z')", "EXECUTE d(3)", "EXECUTE d(3)",
                          f"SELECT * FROM st_{N} ORDER BY id", "EXECUTE i(1, 'c')", DROP],
    "EXECUTE of a parsed name": [(parse("SELECT $1::int + 1 AS n", "s"),), "EXECUTE s(4)", run("EXECUTE s(5)"),
                                 "SELECT 1", "EXECUTE s(6)", named("s", b"7"), "EXECUTE s", "DEALLOCATE s",
                                 "EXECUTE s(1)", named("s", b"7")],
    "Bind of a PREPAREd name": ["PREPARE s (int) AS SELECT $1 + 1 AS n", named("s", b"4"), describe("S", "s"),
                                bind([b"5"], "s") + describe() + execute(), "SELECT 1", named("s", b"6"),
                                "EXECUTE s(7)", close("S", "s"), "EXECUTE s(8)", named("s", b"9")],
    "names taken": ["PREPARE s AS SELECT 1", "PREPARE s AS SELECT 2", (parse("SELECT 3", "s"),), "EXECUTE s",
                    "DEALLOCATE s", (parse("SELECT 4", "s"),), (parse("SELECT 5", "s"),), "PREPARE s AS SELECT 6",
                    named("s"), "EXECUTE s", close("S", "s"), "PREPARE s AS SELECT 7", "EXECUTE s"],
    "names unknown": ["EXECUTE nope", named("nope"), "DEALLOCATE nope", describe("S", "nope"), close("S", "nope"),
                      run("EXECUTE nope"), run("DEALLOCATE nope"), execute("nope"), describe("P", "nope"),
                      close("P", "nope"), "EXECUTE nope(1, 2)", "EXPLAIN EXECUTE nope"],
    "DEALLOCATE ALL": ["PREPARE p AS SELECT 1", (parse("SELECT 2", "s"),), "DEALLOCATE ALL", "EXECUTE p", "EXECUTE s",
                       named("p"), named("s"), (parse("SELECT 3", "s"),), named("s"), PREPARED],
    "DEALLOCATE of either": ["PREPARE p AS SELECT 1", (parse("SELECT 2", "s"),), run("DEALLOCATE p"),
                             run("DEALLOCATE PREPARE s"), "DEALLOCATE p", "DEALLOCATE s", PREPARED],
    "DEALLOCATE rolled back": ["PREPARE p AS SELECT 1", "BEGIN", "DEALLOCATE p", "ROLLBACK", "EXECUTE p"],
    "PREPARE rolled back": ["BEGIN", "PREPARE p AS SELECT 1", "ROLLBACK", "EXECUTE p", "BEGIN",
                            (parse("SELECT 2", "s"),), "ROLLBACK", named("s"), "EXECUTE s", "PREPARE p AS SELECT 2"],
    "PREPARE, then an error": ["PREPARE p AS SELECT 1; SELECT 1/0", "EXECUTE p", "PREPARE q AS SELECT * FROM nowhere",
                               "EXECUTE q", (parse("SELECT 3", "s"), parse("SELEC", "t")), named("s"), named("t"),
                               "SELECT 1/0; PREPARE r AS SELECT 1", "EXECUTE r"],
    "PREPARE in one text": ["PREPARE p AS SELECT 1; EXECUTE p; EXECUTE p; DEALLOCATE p; EXECUTE p", "EXECUTE p",
                            "PREPARE p AS SELECT 1; PREPARE q AS SELECT 2", "EXECUTE q; EXECUTE p"],
    "PREPARE in a pipeline": [run("PREPARE p AS SELECT 1") + named("p") + run("EXECUTE p"), named("p"),
                              parse("SELECT 2", "s") + run("EXECUTE s") + named("s") + run("DEALLOCATE s"),
                              named("s")],
    "EXPLAIN EXECUTE": ["PREPARE p AS SELECT * FROM generate_series(1, 3)", "EXPLAIN (COSTS OFF) EXECUTE p",
                        (parse("SELECT 1", "s"),), "EXPLAIN (COSTS OFF) EXECUTE s",
                        run("EXPLAIN (COSTS OFF) EXECUTE p")],
    "CREATE TABLE AS EXECUTE": ["PREPARE p (int) AS SELECT $1 AS n", f"CREATE TABLE st_{N} AS EXECUTE p(5)",
                                f"SELECT * FROM st_{N}", DROP, (parse("SELECT 6 AS n", "s"),),
                                "CREATE TEMP TABLE mine AS EXECUTE s", "SELECT * FROM mine"],
    "EXECUTE in a transaction": ["PREPARE p AS SELECT 1", "BEGIN", "EXECUTE p", "PREPARE q AS SELECT 2", "EXECUTE q",
                                 "SELECT 1/0", "EXECUTE p", "ROLLBACK", "EXECUTE p", "EXECUTE q",
                                 "BEGIN; EXECUTE p; COMMIT"],
    "EXECUTE that changes the session": ["PREPARE p AS SELECT set_config('work_mem', $1, false)", "EXECUTE p('5MB')",
                                         "SHOW work_mem", named("p", b"6MB"), "SHOW work_mem"],
    "own statements": ["PREPARE p (int) AS SELECT  $1 /* as it is written */", (parse("SELECT  2 -- also", "s"),),
                       (parse("SELECT $1, $2::int", "t", (25,)),), PREPARED, run(PREPARED), "DEALLOCATE p", PREPARED],
    "names of statements": ['PREPARE "My P" AS SELECT 1', 'EXECUTE "My P"', named("My P"), "PREPARE Folded AS SELECT 2",
                            "EXECUTE FOLDED", named("folded"), named("Folded"), (parse("SELECT 3", "Upper"),),
                            "EXECUTE Upper", 'EXECUTE "Upper"', 'DEALLOCATE "Upper"', "PREPARE all_of AS SELECT 4",
                            "EXECUTE all_of", f"PREPARE {'x' * 70} AS SELECT 5", f"EXECUTE {'x' * 63}",
                            "PREPARE é AS SELECT 6", "EXECUTE é"],
    "PREPARE and search_path": ["PREPARE p AS SELECT * FROM st_here", 'SET search_path = "b,c"',
                                "PREPARE p AS SELECT * FROM st_here", "EXECUTE p", 'SET search_path = "St A"',
                                "EXECUTE p", named("p"), (parse("SELECT t FROM st_here", "s"),), named("s"),
                                'SET search_path = "b,c"', named("s")],
    "statement and changed table": [*TABLE, (parse(f"SELECT id FROM st_{N} ORDER BY id", "s"),), named("s"),
                                    f"PREPARE p AS SELECT id FROM st_{N} ORDER BY id", "EXECUTE p",
                                    f"ALTER TABLE st_{N} ADD w int", named("s"), "EXECUTE p",
                                    f"ALTER TABLE st_{N} DROP v", named("s"), "EXECUTE p", DROP, TABLE[0], named("s"),
                                    "EXECUTE p", DROP, named("s"), "EXECUTE p"],
    # "SELECT *" of a table with a new column fails on a direct connection (0A000) and may heal here: only what is
    # parsed anew.
    "statement of a changed table parsed anew": [*TABLE, (parse(f"SELECT * FROM st_{N} ORDER BY id", "s"),), named("s"),
                                                 f"ALTER TABLE st_{N} ADD w int",
                                                 close("S", "s") + parse(f"SELECT * FROM st_{N} ORDER BY id", "s") +
                                                 describe("S", "s") + named("s"),
                                                 run(f"SELECT * FROM st_{N} ORDER BY id"), DROP],
    "many statements": [b"".join(parse(f"SELECT {n}", f"s{n}") for n in range(150)), "EXECUTE s149",
                        named("s0") + named("s77"), "DEALLOCATE s77", named("s77"), "EXECUTE s76",
                        "SELECT count(*), count(*) FILTER (WHERE from_sql) FROM " "pg_prepared_statements"],
}

DISCARD = {
    "DISCARD ALL": ["SET work_mem = '5MB'", "SET DateStyle = German", "PREPARE p AS SELECT 1",
                    (parse("SELECT 2", "s"),), "CREATE TEMP TABLE mine (n int)", f"LISTEN st_{N}", "SET ROLE st_role",
                    "RESET ROLE", "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
                    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "DISCARD ALL", "SHOW work_mem",
                    "SHOW DateStyle", "EXECUTE p", named("s"), "SELECT * FROM mine", CHANNELS, "FETCH c",
                    "SHOW transaction_read_only", PREPARED],
    "DISCARD ALL extended": ["SET work_mem = '5MB'", (parse("SELECT 2", "s"),), run("DISCARD ALL"), "SHOW work_mem",
                             named("s"), PREPARED],
    "DISCARD ALL in a transaction": ["SET work_mem = '5MB'", "BEGIN", "DISCARD ALL", "ROLLBACK", "SHOW work_mem",
                                     "SELECT 1; DISCARD ALL", "SHOW work_mem"],
    "DISCARD PLANS": ["PREPARE p AS SELECT 1", (parse("SELECT 2", "s"),), "SET work_mem = '5MB'", "DISCARD PLANS",
                      "EXECUTE p", named("s"), "SHOW work_mem"],
    "DISCARD SEQUENCES": [SEQUENCE, f"SELECT nextval('st_q{N}')", "DISCARD SEQUENCES", f"SELECT currval('st_q{N}')",
                          "SELECT lastval()", DROP_SEQUENCE],
}

SEQUENCES = {
    "currval": [SEQUENCE, f"SELECT currval('st_q{N}')", f"SELECT nextval('st_q{N}')", f"SELECT currval('st_q{N}')",
                "SELECT lastval()", on("d", f"SELECT nextval('st_q{N}')"), f"SELECT currval('st_q{N}'), lastval()",
                run("SELECT currval($1::regclass), lastval()", f"st_q{N}".encode()), DROP_SEQUENCE, "SELECT lastval()"],
    "lastval of a serial": [f"CREATE TABLE st_{N} (id serial, v text)", f"INSERT INTO st_{N} (v) VALUES ('a')",
                            "SELECT lastval()", run(f"INSERT INTO st_{N} (v) VALUES ('a'), ('b')"), "SELECT lastval()",
                            f"SELECT currval(pg_get_serial_sequence('st_{N}', 'id'))",
                            f"INSERT INTO st_{N} (v) VALUES ('c') RETURNING id", "SELECT lastval()", DROP],
    "identity column": [f"CREATE TABLE st_{N} (id int GENERATED ALWAYS AS IDENTITY, v text)",
                        f"INSERT INTO st_{N} (v) VALUES ('a')", "SELECT lastval()",
                        part(query(f"COPY st_{N} (v) FROM STDIN"), until=b"G"), part(data(b"b\nc\n"), COPY_DONE),
                        "SELECT lastval()", DROP],
    "setval": [SEQUENCE, f"SELECT setval('st_q{N}', 40)", f"SELECT currval('st_q{N}')", "SELECT lastval()",
               f"SELECT setval('st_q{N}', 50, false)", f"SELECT currval('st_q{N}')", f"SELECT nextval('st_q{N}')",
               "SELECT lastval()", DROP_SEQUENCE],
    "currval of two sequences": [SEQUENCE, f"CREATE SEQUENCE st_r{N} START 100", f"SELECT nextval('st_q{N}')",
                                 f"SELECT nextval('st_r{N}')", f"SELECT nextval('st_q{N}')",
                                 f"SELECT currval('st_r{N}')", f"SELECT currval('st_q{N}'), lastval()", DROP_SEQUENCE,
                                 f"DROP SEQUENCE st_r{N}"],
    "nextval rolled back": [SEQUENCE, "BEGIN", f"SELECT nextval('st_q{N}')", "ROLLBACK",
                            f"SELECT currval('st_q{N}'), lastval()", "BEGIN", f"SELECT nextval('st_q{N}')", "COMMIT",
                            "SELECT lastval()", DROP_SEQUENCE],
    "cached sequence": [f"{SEQUENCE} CACHE 10", f"SELECT nextval('st_q{N}')", f"SELECT nextval('st_q{N}')",
                        on("d", f"SELECT nextval('st_q{N}')"), f"SELECT nextval('st_q{N}')", DROP_SEQUENCE],
    "nextval in a function": [SEQUENCE, f"SELECT st_run('SELECT nextval(''st_q{N}'')')", "SELECT lastval()",
                              f"DO $$ BEGIN PERFORM nextval('st_q{N}'); END $$", "SELECT lastval()",
                              f"SELECT currval('st_q{N}')", DROP_SEQUENCE],
    "nextval in a default and trigger": [SEQUENCE,
                                         f"CREATE TABLE st_{N} (id bigint DEFAULT nextval('st_q{N}'), v text)",
                                         run(f"INSERT INTO st_{N} (v) SELECT v FROM st_rows WHERE id < $1", b"4"),
                                         "SELECT lastval()", f"SELECT currval('st_q{N}')", DROP, DROP_SEQUENCE],
    "no sequence yet": ["SELECT lastval()", run("SELECT lastval()"), "SELECT currval('nowhere')"],
    "setseed": ["SELECT setseed(0.5)", "SELECT random()", "SELECT random()", "SELECT setseed(0.5)",
                run("SELECT random()")],
    "SET seed": ["SET seed = 0.25", "SELECT random()", "BEGIN", "SELECT random()", "COMMIT", "SELECT random()",
                 "SHOW seed", "SET SEED TO 0.25", "SELECT random()"],
}

TRANSACTIONS = {
    "BEGIN and its ends": ["BEGIN", "SELECT 1", "COMMIT", "START TRANSACTION", "ROLLBACK", "BEGIN WORK", "END",
                           "BEGIN TRANSACTION", "ABORT", "SELECT 2"],
    "BEGIN twice": ["BEGIN", "BEGIN", "COMMIT", "COMMIT", "ROLLBACK", "END", "ABORT", "SELECT 1"],
    "extended transaction": [run("BEGIN"), run("SELECT 1"), run("SELECT 1/0"), run("SELECT 2"), run("COMMIT"),
                             run("COMMIT"), run("BEGIN") + run("SELECT 3") + run("COMMIT"), run("ROLLBACK")],
    "READ ONLY": ["BEGIN READ ONLY", "SHOW transaction_read_only", f"CREATE TABLE st_{N} (n int)", "ROLLBACK", "BEGIN",
                  "SET TRANSACTION READ ONLY", "SELECT 1", "SET TRANSACTION READ WRITE", "ROLLBACK",
                  "SHOW transaction_read_only"],
    "isolation levels": ["BEGIN ISOLATION LEVEL SERIALIZABLE", "SHOW transaction_isolation", "COMMIT",
                         "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", "SHOW transaction_isolation", "SELECT 1",
                         "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "COMMIT", "BEGIN",
                         "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SHOW transaction_isolation", "END",
                         "SHOW transaction_isolation", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
                         "SHOW transaction_isolation", "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE",
                         "SHOW transaction_deferrable", "COMMIT"],
    "AND CHAIN": ["BEGIN ISOLATION LEVEL SERIALIZABLE", "SELECT 1", "COMMIT AND CHAIN", "SHOW transaction_isolation",
                  "SELECT 1/0", "ROLLBACK AND CHAIN", "SHOW transaction_isolation", "COMMIT AND NO CHAIN",
                  "COMMIT AND CHAIN", "ROLLBACK AND CHAIN", "SELECT 1"],
    "an error, then ROLLBACK": ["BEGIN", "SELECT 1/0", "SELECT 1", run("SELECT 2"), "SAVEPOINT a", "BEGIN",
                                "SHOW work_mem", "COMMIT", "SELECT 1"],
    "implicit transaction": [*TABLE, f"INSERT INTO st_{N} VALUES (3); SELECT 1/0; SELECT 2",
                             f"SELECT count(*) FROM st_{N}", f"INSERT INTO st_{N} VALUES (3); COMMIT; SELECT 1/0",
                             f"SELECT count(*) FROM st_{N}", f"SELECT 1; BEGIN; INSERT INTO st_{N} VALUES (4)",
                             f"SELECT count(*) FROM st_{N}", "ROLLBACK", f"SELECT count(*) FROM st_{N}", DROP],
    "transactions in one text": ["BEGIN; SELECT 1; COMMIT; SELECT 2; BEGIN", "SELECT 3", "COMMIT; SELECT 4; BEGIN",
                                 "ROLLBACK; SELECT 5", "BEGIN; SELECT 1/0; COMMIT", "SELECT 6", "ROLLBACK",
                                 "SELECT 1; SAVEPOINT a", "SELECT 1; ROLLBACK"],
    "now() in a transaction": ["BEGIN", "SELECT set_config('app.now', now()::text, true) <> ''",
                               "SELECT pg_sleep(0.01)",
                               "SELECT now()::text = current_setting('app.now'), statement_timestamp() > now()",
                               "COMMIT", "SELECT set_config('app.now', now()::text, false) <> ''",
                               "SELECT now()::text = current_setting('app.now')"],
    "transaction id": ["BEGIN", "SELECT set_config('app.x', pg_current_xact_id()::text, true) <> ''",
                       "SELECT pg_current_xact_id()::text = current_setting('app.x')", "SAVEPOINT a",
                       "SELECT pg_current_xact_id()::text = current_setting('app.x')", "COMMIT"],
    "savepoints": ["BEGIN", *TABLE, "SAVEPOINT a", f"DELETE FROM st_{N}", "SAVEPOINT a", "SELECT 1/0",
                   "ROLLBACK TO SAVEPOINT a", "RELEASE a", f"SELECT count(*) FROM st_{N}", "ROLLBACK TO a",
                   f"SELECT count(*) FROM st_{N}", "RELEASE a", "ROLLBACK TO a", "ROLLBACK"],
    "savepoints outside": ["SAVEPOINT a", "RELEASE a", "ROLLBACK TO a", "SELECT 1"],
    "snapshot": [*TABLE, "BEGIN ISOLATION LEVEL REPEATABLE READ", f"SELECT count(*) FROM st_{N}",
                 on("d", f"INSERT INTO st_{N} VALUES (3)"), f"SELECT count(*) FROM st_{N}",
                 f"UPDATE st_{N} SET v = 'mine' WHERE id = 1", on("d", f"SELECT v FROM st_{N} WHERE id = 1"), "COMMIT",
                 f"SELECT count(*) FROM st_{N}", DROP],
    "serialization failure": [*TABLE, "BEGIN ISOLATION LEVEL REPEATABLE READ", f"SELECT count(*) FROM st_{N}",
                              on("d", f"UPDATE st_{N} SET v = 'theirs'"), f"UPDATE st_{N} SET v = 'mine'", "COMMIT",
                              DROP],
    "large object": ["BEGIN", f"SELECT lo_create({N})", f"SELECT lo_open({N}, 393216)", "SELECT lowrite(0, 'abcdef')",
                     "SELECT lo_lseek(0, 2, 0)", call(LOREAD, b"0", b"3"), "SELECT lo_close(0)", "COMMIT",
                     "SELECT loread(0, 3)", f"SELECT lo_get({N})", f"SELECT lo_unlink({N})"],
    "DDL rolled back": ["BEGIN", *TABLE, f"ALTER TABLE st_{N} ADD w int", f"SELECT * FROM st_{N} ORDER BY id",
                        "ROLLBACK", f"SELECT * FROM st_{N}"],
    "not in a transaction": ["BEGIN", "VACUUM st_rows", "ROLLBACK", "SELECT 1; VACUUM st_rows", "BEGIN",
                             "CREATE DATABASE st_never", "ROLLBACK", "VACUUM st_rows", run("VACUUM st_rows")],
    "procedures and COMMIT": ["CALL st_commits()", "BEGIN", "CALL st_commits()", "ROLLBACK", run("CALL st_commits()"),
                              "SELECT 1; CALL st_commits()", "DO $$ BEGIN COMMIT; ROLLBACK; END $$"],
    "read after write": [*TABLE, f"SELECT v FROM st_{N} WHERE id = 1", f"UPDATE st_{N} SET v = 'new' WHERE id = 1",
                         f"SELECT v FROM st_{N} WHERE id = 1", run(f"DELETE FROM st_{N} WHERE id = $1", b"1"),
                         f"SELECT v FROM st_{N} WHERE id = 1",
                         f"MERGE INTO st_{N} USING st_rows r ON r.id = st_{N}.id WHEN MATCHED THEN "
                         "UPDATE SET v = 'merged'", f"SELECT * FROM st_{N}", f"TRUNCATE st_{N}",
                         f"SELECT * FROM st_{N}", DROP],
    "a CTE that writes": [*TABLE, f"WITH d AS (DELETE FROM st_{N} RETURNING id) SELECT count(*) FROM d",
                          f"SELECT * FROM st_{N}", DROP],
    "command tags": [f"CREATE TABLE st_{N} AS SELECT 1 AS n", f"CREATE TABLE IF NOT EXISTS st_{N} (n int)",
                     f"LOCK TABLE st_{N}", f"COMMENT ON TABLE st_{N} IS 'x'", f"GRANT SELECT ON st_{N} TO st_role",
                     f"ANALYZE st_{N}", f"CREATE INDEX ON st_{N} (n)", f"REINDEX TABLE st_{N}",
                     f"CLUSTER st_{N} USING st_{N}_n_idx", f"ALTER TABLE st_{N} RENAME TO st_{N}b",
                     f"DROP TABLE IF EXISTS st_{N}, st_{N}b", "CHECKPOINT", "VALUES (1), (2)", "TABLE st_rows LIMIT 1",
                     "SELECT"],
}

TWO_PHASE = {
    "two-phase commit": ["BEGIN", *TABLE, f"PREPARE TRANSACTION 'st{N}'", "SELECT 1",
                         f"SELECT gid FROM pg_prepared_xacts WHERE gid = 'st{N}'", f"SELECT * FROM st_{N}",
                         f"COMMIT PREPARED 'st{N}'", f"SELECT * FROM st_{N} ORDER BY id", DROP],
    "two-phase rollback": ["BEGIN", *TABLE, f"PREPARE TRANSACTION 'st{N}'", on("d", f"ROLLBACK PREPARED 'st{N}'"),
                           f"SELECT * FROM st_{N}", f"ROLLBACK PREPARED 'st{N}'", "BEGIN", f"COMMIT PREPARED 'st{N}'",
                           "ROLLBACK"],
    "two-phase and settings": ["BEGIN", "SET work_mem = '5MB'", "SET LOCAL DateStyle = German",
                               f"SELECT pg_advisory_xact_lock({N})", f"PREPARE TRANSACTION 'st{N}'", "SHOW work_mem",
                               "SHOW DateStyle", on("d", HELD), f"COMMIT PREPARED 'st{N}'", on("d", HELD)],
    "two-phase refused": [f"PREPARE TRANSACTION 'st{N}'", "BEGIN", "CREATE TEMP TABLE mine (n int)",
                          f"PREPARE TRANSACTION 'st{N}'", "SELECT * FROM mine", "BEGIN", "SELECT 1/0",
                          f"PREPARE TRANSACTION 'st{N}'", "SELECT 1", "BEGIN", f"LISTEN st_{N}",
                          f"PREPARE TRANSACTION 'st{N}'"],
}

MESSAGES = {
    "portal with a limit": ["BEGIN", parse("SELECT id FROM st_rows ORDER BY id") + bind(portal="p") + execute("p", 3),
                            (execute("p", 3),), "SELECT 1", (execute("p", 30),), (execute("p", 3),), close("P", "p"),
                            (execute("p", 3),), "ROLLBACK"],
    "portals of two statements": ["BEGIN",
                                  parse("SELECT id FROM st_rows ORDER BY id", "s") + bind(name="s", portal="p") +
                                  bind(name="s", portal="q") + execute("p", 2) + execute("q", 1),
                                  execute("q", 2) + execute("p", 1), bind(name="s", portal="p"), "ROLLBACK"],
    "unnamed portal across Syncs": ["BEGIN", parse("SELECT id FROM st_rows ORDER BY id") + bind() + execute("", 2),
                                    (execute("", 2),), "COMMIT", (execute("", 2),)],
    "portal without a transaction": [parse("SELECT id FROM st_rows ORDER BY id") + bind(portal="p") + execute("p", 2) +
                                     execute("p", 1), (execute("p", 2),), "SELECT 1"],
    "limit and writes": [*TABLE,
                         parse(f"UPDATE st_{N} SET v = 'x' RETURNING id") + bind() + execute("", 1) + execute("", 5),
                         f"SELECT * FROM st_{N} ORDER BY id", DROP],
    "Execute twice": [parse("SELECT 1") + bind() + execute() + execute(),
                      parse("SET work_mem = '5MB'") + bind() + execute() + execute(), "SHOW work_mem"],
    "Close": [parse("SELECT 1", "s") + bind(name="s", portal="p") + close("P", "p") + execute("p"),
              close("S", "s") + close("S", "s"), named("s"), close("S", ""), close("P", "")],
    "Describe": [(parse("SELECT $1::int AS a, $2 AS b, v FROM st_rows", "s"), describe("S", "s")), describe("S", "s"),
                 bind([b"1", b"x"], "s") + describe("P"), (parse("SET work_mem = '5MB'"), describe("S", "")),
                 (parse(""), describe("S", "")), bind([b"1", b"x"], "s", results=(1,)) + describe("P"), "SELECT 1",
                 describe("S", "s")],
    "Flush": [part(parse("SELECT 1 AS n"), FLUSH, until=b"1"), part(bind(), describe(), FLUSH, until=b"T"),
              part(execute(), FLUSH, until=b"C"), part(SYNC), part(parse("SELEC"), FLUSH, until=b"E"), part(SYNC),
              "SELECT 1"],
    "Flush holds a transaction": [*TABLE,
                                  part(parse(f"INSERT INTO st_{N} VALUES (3)"), bind(), execute(), FLUSH, until=b"C"),
                                  on("d", f"SELECT count(*) FROM st_{N}"), part(SYNC),
                                  on("d", f"SELECT count(*) FROM st_{N}"), DROP],
    "an error skips to Sync": [run("SELECT 1") + run("SELECT 1/0") + run("SELECT 2") + parse("SELECT 3", "s"),
                               named("s"), parse("SELECT 4", "s") + parse("SELEC") + close("S", "s"), named("s")],
    "many Syncs": [part(run("SELECT 1"), SYNC, run("SELECT 1/0"), run("SELECT 2"), SYNC, SYNC, run("SELECT 3"), SYNC,
                        count=4), part(query("SELECT 1"), query("SELECT 2"), query(""), count=3), (b"",)],
    "implicit transaction of a pipeline": [*TABLE, run(f"INSERT INTO st_{N} VALUES (3)") + run("SELECT 1/0"),
                                           part(run(f"INSERT INTO st_{N} VALUES (4)"), SYNC,
                                                run(f"INSERT INTO st_{N} VALUES (5)"), run("SELECT 1/0"), SYNC,
                                                count=2), f"SELECT id FROM st_{N} ORDER BY id", DROP],
    "transaction in a pipeline": [*TABLE,
                                  run("BEGIN") + run(f"INSERT INTO st_{N} VALUES (3)") + run("COMMIT") +
                                  run("SELECT 1/0"), run("BEGIN") + run(f"INSERT INTO st_{N} VALUES (4)"), "SELECT 1",
                                  "ROLLBACK", f"SELECT id FROM st_{N} ORDER BY id", DROP],
    "empty queries": ["", ";", " -- nothing", "; ;", run(""), run(";"), (parse("", "s"),), named("s"), "SELECT 1;",
                      "SELECT 1; ;"],
    "parameters": [run("SELECT $1::int, $2::text, $3::bool", b"5", None, b"t"),
                   parse("SELECT $1", types=(23,)) + bind([struct.pack("!i", 77)], formats=(1,), results=(1,)) +
                   describe() + execute(), run("SELECT $1", b"what"), run("SELECT $1::int", b"nope"),
                   run("SELECT $1::int"), run("SELECT 1", b"5"), run("SELECT $2::int", b"1", b"2"),
                   parse("SELECT $1", types=(23,)) + bind([b"abc"], formats=(1,)) + execute(),
                   parse("SELECT $1", types=(4000000,)), parse("SELECT 1; SELECT 2"), run("SELECT 1", results=(1,)),
                   run("SELECT 1", results=(1, 1)), run("SELECT 1", results=(7,))],
    "unnamed statement stays": [(parse("SELECT $1::int"),), bind([b"1"]) + execute(), bind([b"2"]) + execute(),
                                "SELECT 3", bind([b"4"]) + execute()],
    "unnamed statement after an error": [(parse("SELECT 1"),), (parse("SELEC"),), bind() + execute(), run("SELECT 1/0"),
                                         bind() + execute(), parse("SELECT 2") + bind() + execute(), close("S", ""),
                                         bind() + execute()],
    "unnamed statement in a transaction": ["BEGIN", (parse("SELECT 1"),), bind() + execute(), "COMMIT",
                                           bind() + execute()],
    "FunctionCall": [call(INT4PL, b"2", b"3"), call(INT4PL, b"2", None), call(NOWHERE), call(INT4PL, b"2"),
                     call(INT4PL, b"x", b"3"), "BEGIN", call(INT4PL, b"4", b"5"), call(INT4DIV, b"1", b"0"),
                     call(INT4PL, b"6", b"7"), "ROLLBACK", call(CURRENT_SETTING, b"work_mem"),
                     part(call(INT4PL, b"8", b"9").data, SYNC, count=2)],
    "FunctionCall that sets": [call(SET_CONFIG, b"work_mem", b"5MB", b"f"), "SHOW work_mem", "BEGIN",
                               call(SET_CONFIG, b"work_mem", b"6MB", b"f"), "ROLLBACK", "SHOW work_mem"],
    "FunctionCall that locks": [call(ADVISORY_LOCK, N.encode()), "SELECT 1", on("d", HELD),
                                call(ADVISORY_UNLOCK, N.encode()), on("d", HELD)],
    "FunctionCall of a sequence": [SEQUENCE, "SELECT 1", call(NEXTVAL, f"st_q{N}".encode()), "SELECT lastval()",
                                   DROP_SEQUENCE],
    "notices": ["DO $$ BEGIN RAISE NOTICE 'a'; RAISE WARNING 'b' USING HINT = 'h', DETAIL = 'd'; END $$",
                "SELECT st_notice('x'), 1", run("SELECT st_notice('y')"), "DROP TABLE IF EXISTS st_nowhere",
                "DO $$ BEGIN RAISE 'no' USING ERRCODE = 'AB123', "
                "COLUMN = 'c', TABLE = 't', CONSTRAINT = 'k'; END $$"],
    "errors": ["SELEC 1", "SELECT nope FROM st_rows", "SELECT * FROM nowhere", "SELECT 'x'::int", "SELECT nope()",
               "SELECT 1 +", run("SELECT nope"), run("SELECT * FROM st_rows WHERE id = 'x'"), "SELECT 'unterminated",
               "SELECT $1", "CREATE TABLE st_rows (n int)", "INSERT INTO st_rows VALUES (1, 'x')"],
    "wide and unicode": ["SELECT 'é', '日本', repeat('x', 3000), NULL, ''", run("SELECT $1, length($1)", "日本".encode()),
                         "SELECT " + ", ".join(f"{n} AS c{n}" for n in range(300)),
                         part(message(b"Q", b"SELECT '\xff'\0")), "SELECT 1 AS \"ä b\""],
}

COPY = {
    "COPY in": [*TABLE, part(query(f"COPY st_{N} FROM STDIN"), until=b"G"),
                part(data(b"3\tthr"), data(b"ee\n4\t\\N\n"), COPY_DONE), f"SELECT * FROM st_{N} ORDER BY id", DROP],
    "COPY in, extended": [*TABLE, part(parse(f"COPY st_{N} FROM STDIN"), bind(), execute(), FLUSH, until=b"G"),
                          part(data(b"3\tx\n"), COPY_DONE, SYNC), f"SELECT count(*) FROM st_{N}", DROP],
    "COPY in that fails": [*TABLE, part(query(f"COPY st_{N} FROM STDIN"), until=b"G"),
                           part(data(b"3\tx\n"), message(b"f", b"I give up\0")),
                           part(query(f"COPY st_{N} FROM STDIN"), until=b"G"), part(data(b"3\tx\n1\ty\n"), COPY_DONE),
                           part(query(f"COPY st_{N} FROM STDIN"), until=b"G"),
                           part(data(b"bad\n"), data(b"4\tx\n"), COPY_DONE), f"SELECT count(*) FROM st_{N}", DROP],
    "COPY in that fails, extended": [*TABLE,
                                     part(parse(f"COPY st_{N} FROM STDIN"), bind(), execute(), FLUSH, until=b"G"),
                                     part(data(b"bad\n"), COPY_DONE, SYNC),
                                     part(run(f"COPY st_{N} FROM STDIN"), FLUSH, until=b"G"),
                                     part(message(b"f", b"no\0"), SYNC), f"SELECT count(*) FROM st_{N}", DROP],
    "COPY in a transaction": ["BEGIN", *TABLE, part(query(f"COPY st_{N} FROM STDIN"), until=b"G"),
                              part(data(b"3\tx\n"), COPY_DONE), part(query(f"COPY st_{N} FROM STDIN"), until=b"G"),
                              part(data(b"bad\n"), COPY_DONE), "SELECT 1", "ROLLBACK"],
    "COPY out": ["COPY st_rows TO STDOUT",
                 "COPY (SELECT * FROM st_rows WHERE id < 3 ORDER BY id) TO STDOUT (FORMAT csv, HEADER)",
                 parse("COPY (SELECT 1, NULL) TO STDOUT (FORMAT binary)") + bind() + execute(),
                 "COPY (SELECT 1/0) TO STDOUT", "COPY (SELECT 1 / (5 - id) FROM st_rows ORDER BY id) TO STDOUT",
                 "COPY st_rows TO '/nope'", "COPY nowhere TO STDOUT"],
    "COPY among others": [*TABLE, part(query(f"SELECT 1; COPY st_{N} FROM STDIN; SELECT 2"), until=b"G"),
                          part(data(b"3\tx\n"), COPY_DONE),
                          part(query(f"COPY st_{N} FROM STDIN; COPY st_{N} FROM STDIN"), until=b"G"),
                          part(data(b"4\tx\n"), COPY_DONE, until=b"G"), part(data(b"5\tx\n"), COPY_DONE),
                          f"COPY (SELECT count(*) FROM st_{N}) TO STDOUT; SELECT 3", DROP],
    "COPY of nothing": [*TABLE, part(query(f"COPY st_{N} FROM STDIN (FORMAT csv)"), until=b"G"), part(COPY_DONE),
                        part(query(f"COPY st_{N} FROM STDIN"), until=b"G"), part(data(b"\\.\n"), COPY_DONE), DROP],
    "Sync and Flush in COPY": [*TABLE, part(query(f"COPY st_{N} FROM STDIN"), until=b"G"),
                               part(data(b"3\tx\n"), SYNC, FLUSH, COPY_DONE), f"SELECT count(*) FROM st_{N}", DROP],
    "COPY data outside": [part(data(b"1\n"), COPY_DONE, query("SELECT 1")),
                          part(message(b"f", b"no\0"), query("SELECT 2"))],
}

LOADED = {
    "LOAD": [on("root", step) for step in (
        "LOAD 'auto_explain'", "SHOW auto_explain.log_min_duration", "SET auto_explain.log_min_duration = '1h'",
        "SELECT 1", "SHOW auto_explain.log_min_duration", "RESET auto_explain.log_min_duration",
        "SHOW auto_explain.log_min_duration",
        "SELECT current_setting('auto_explain.log_analyze', true)")],
    "nothing LOADed": [on("root", "SELECT current_setting('auto_explain.log_analyze', true)"), "LOAD 'auto_explain'",
                       "LOAD 'nowhere'"],
    "settings of superusers": [on("root", step) for step in (
        "SET session_replication_role = replica", "SHOW session_replication_role", "SET log_min_messages = error",
        "SHOW log_min_messages", "SET row_security = off", "RESET ALL", "SHOW session_replication_role")],
}

# Where two copies at a time would disturb each other on a direct server as well.
ALONE = {
}

CASES = {**SET, **TEMPORARY, **CURSORS, **LOCKS, **NOTIFY, **PREPARE, **DISCARD, **SEQUENCES, **TRANSACTIONS, **TWO_PHASE,
         **MESSAGES, **COPY, **LOADED, **ALONE}


MAKE = """
CREATE ROLE st_role; CREATE ROLE st_other; GRANT st_role TO app_trust;
CREATE TABLE st_rows (id int PRIMARY KEY, v text); GRANT SELECT ON st_rows TO PUBLIC;
INSERT INTO st_rows SELECT n, 'row ' || n FROM generate_series(1, 10) n;
CREATE TABLE st_secret (n int); INSERT INTO st_secret VALUES (42); GRANT SELECT ON st_secret TO app_trust;
CREATE SCHEMA "St A"; CREATE SCHEMA "b,c"; GRANT USAGE ON SCHEMA "St A", "b,c" TO PUBLIC;
CREATE TABLE "St A".st_here (t text); INSERT INTO "St A".st_here VALUES ('in St A');
CREATE TABLE "b,c".st_here (t text); INSERT INTO "b,c".st_here VALUES ('in b,c');
GRANT SELECT ON "St A".st_here, "b,c".st_here TO PUBLIC;
CREATE FUNCTION st_set(text, text, bool) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN set_config($1, $2, $3); END';
CREATE FUNCTION st_with_set() RETURNS text LANGUAGE plpgsql SET work_mem = '9MB' AS
    'BEGIN RETURN current_setting(''work_mem''); END';
CREATE FUNCTION st_run(text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE $1; END';
CREATE FUNCTION st_lock(bigint) RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_lock($1); END';
CREATE FUNCTION st_cursor(refcursor) RETURNS refcursor LANGUAGE plpgsql AS
    'BEGIN OPEN $1 FOR SELECT id FROM st_rows ORDER BY id; RETURN $1; END';
CREATE FUNCTION st_notice(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''notice %'', $1; RETURN $1; END';
CREATE PROCEDURE st_procedure(text) LANGUAGE plpgsql AS
    'BEGIN PERFORM set_config(''work_mem'', $1, false); COMMIT; END';
CREATE PROCEDURE st_commits() LANGUAGE plpgsql AS 'BEGIN PERFORM 1; COMMIT; PERFORM 2; ROLLBACK; END';
ANALYZE st_rows
"""
USERS = [{"name": name} for name in ("app_trust", "postgres", "app")]


@pytest.fixture(scope="module")
def things(cluster):
    cluster.primary.sql(MAKE)
    cluster.catch_up()


def pool_of_two(start, **over):
    return start({"auth": {"type": "trust", "users": USERS}, "pool": {"mode": "transaction", "size": 2}, **over})


@pytest.fixture(scope="module")
def proxy(start, things):
    return pool_of_two(start)


@pytest.fixture(scope="module")
def direct(cluster, things):
    """direct(name): what PostgreSQL answers to a case, asked once."""
    answers = {}

    def of(name):
        if name not in answers:
            port = cluster.primary.port
            answers[name] = Talk(port, port, 7100000 + len(answers)).hold(CASES[name])
        return answers[name]

    return of


def is_two_phase_off(cluster):
    return cluster.primary.sql("SHOW max_prepared_transactions") == "0"


# ---- each alone, among others who leave everything behind ----

LITTER = [
    "SET work_mem = '99MB'; SET search_path = st_litter; SET DateStyle = 'SQL, DMY'; SET TimeZone = 'Asia/Kathmandu'; "
    "SET app.a = 'litter'; SET app.user_id = '666'; SET app.new = 'litter'; SET statement_timeout = '59s'",
    "SET client_encoding = 'LATIN1'; SET standard_conforming_strings = off; SET bytea_output = 'escape'; "
    "SET IntervalStyle = 'iso_8601'",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY, ISOLATION LEVEL SERIALIZABLE", "SET ROLE st_role",
    "CREATE TEMP TABLE mine (litter int); CREATE TEMP TABLE st_rows (id int, v text); CREATE TEMP SEQUENCE yours",
    "CREATE FUNCTION pg_temp.mine(int) RETURNS int LANGUAGE sql AS 'SELECT 666'",
    "SELECT nextval('yours'), setseed(0.1)",
    "PREPARE p AS SELECT 'litter'; PREPARE s AS SELECT 'litter'; PREPARE q AS SELECT 'litter'",
    (parse("SELECT 'litter'", "s"), parse("SELECT 'litter'", "p"), parse("SELECT 'litter'", "t"),
     parse("SELECT 'litter'")),
    "SELECT pg_advisory_lock(666, 1)", "LISTEN st_litter", "NOTIFY st_litter, 'litter'",
    "DECLARE c CURSOR WITH HOLD FOR SELECT 'litter'", "BEGIN; SET LOCAL work_mem = '98MB'; SELECT 1",
    "SELECT set_config('app.w', 'litter', false)", "SELECT st_set('work_mem', '97MB', false)",
    "DO $$ BEGIN PERFORM set_config('search_path', 'st_litter', false); END $$",
    run("SELECT 1/0"), "SELECT 1/0", "DISCARD ALL", "DEALLOCATE ALL"]


class Disturber:
    """A client that leaves behind a few things, in the middle of a transaction or not, again and again."""

    def __init__(self, proxy, direct_port, seed):
        self.proxy, self.direct_port = proxy, direct_port
        self.random, self.stop = random.Random(seed), threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self):
        while not self.stop.is_set():
            talk = Talk(self.proxy.port, self.direct_port, 6660000, seed=self.random.random())
            name = "root" if self.random.random() < 0.2 else "a"
            steps = self.random.sample(LITTER, self.random.randint(1, 5))
            with contextlib.suppress(OSError, Closed):
                talk.hold([on(name, step) for step in steps])
            self.stop.wait(0.02)


class Witness(Disturber):
    """A client beside a case: of what others do, however they leave their server, it notices nothing."""

    CASES = ["SET rolled back", "READ ONLY", "SET LOCAL", "BEGIN and its ends", "several SETs in one text"]

    def __init__(self, proxy, direct_port, seed, direct):
        super().__init__(proxy, direct_port, seed)
        self.direct, self.fault = direct, None

    def work(self):
        while not self.stop.is_set() and not self.fault:
            name = self.random.choice(self.CASES)
            talk = Talk(self.proxy.port, self.direct_port, 6670000)
            self.fault = difference(name, self.direct(name), talk.hold(CASES[name], self.direct(name)))


@contextlib.contextmanager
def beside(others):
    for other in others:
        other.thread.start()
    try:
        yield
    finally:
        for other in others:
            other.stop.set()
        for other in others:
            other.thread.join()


@pytest.mark.parametrize("name", CASES)
def test_alone(proxy, cluster, direct, name):
    if name in TWO_PHASE and is_two_phase_off(cluster):
        pytest.skip("max_prepared_transactions is 0")
    wanted, port, seed = direct(name), cluster.primary.port, list(CASES).index(name)
    for other in Witness.CASES:
        direct(other)
    witness = Witness(proxy, port, seed, direct)
    with beside([witness, Disturber(proxy, port, seed)]):
        fault = difference(name, wanted, Talk(proxy.port, port, 7200000 + seed).hold(CASES[name], wanted))
    if fault or witness.fault:
        pytest.fail("\n".join(filter(None, [fault, witness.fault and f"beside {name}: {witness.fault}"])), pytrace=False)


# ---- all at once ----

def takes_two(steps):
    """Whether it needs two servers at a time: of such cases one may run, or all would wait for each other."""
    names = {getattr(step, "name", "a") for step in steps}
    return len([name for name in names if not name.startswith("d")]) > 1


def crowd(port, direct_port, names, direct, first, rounds):
    """All cases in a random order by 50 clients; what was answered otherwise."""
    todo = names * rounds
    random.Random(first).shuffle(todo)
    one, faults, wait = threading.Lock(), {}, threading.Lock()

    def work(seed):
        while True:
            with wait:
                if not todo:
                    return
                name, number = todo.pop(), first + len(todo)
            talk = Talk(port, direct_port, number, pause=0.02, timeout=60, seed=seed)
            with one if takes_two(CASES[name]) else contextlib.nullcontext():
                fault = difference(name, direct(name), talk.hold(CASES[name], direct(name)))
            if fault:
                faults.setdefault(name, fault)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(CROWD)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return faults


@pytest.mark.parametrize("way, rounds", [("direct", 1), ("pgtier", 2), ("pgtier and a replica", 1)])
def test_all_at_once(start, cluster, direct, way, rounds):
    """Directly, too: the cases themselves do not disturb each other."""
    names = [name for name in CASES if name not in ALONE and (name not in TWO_PHASE or not is_two_phase_off(cluster))]
    for name in names:
        direct(name)
    port = cluster.primary.port
    if way == "pgtier":
        port = pool_of_two(start, databases={"app": {"replicas": None}}).port
    elif way != "direct":
        port = pool_of_two(start).port
    with Raw(port, "app_trust") as c:
        c.query("SELECT lastval()")  # sequences keep servers once it is known that somebody asks for them
    first = {"direct": 7300000, "pgtier": 7400000}.get(way, 7500000)
    began = time.monotonic()
    faults = crowd(port, cluster.primary.port, names, direct, first, rounds)
    print(f"{way}: {len(names) * rounds} talks of {CROWD} clients in {time.monotonic() - began:.1f} s")
    if faults:
        pytest.fail(f"{len(faults)} of {len(names)}\n" + "\n".join(faults.values()), pytrace=False)
