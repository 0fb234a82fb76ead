// pgjdbc against the url, user and password of its arguments; a line for each thing tried:
// "ok NAME milliseconds VALUE" or "FAILED NAME milliseconds ERROR".
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.*;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.*;
import java.util.concurrent.*;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.PGStatement;
import org.postgresql.copy.CopyManager;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;
import org.postgresql.util.PGobject;
import org.postgresql.util.PSQLException;

public class Drivers {
    static String url, user, password;

    interface Test { Object run() throws Exception; }
    interface Attempt { void run() throws Exception; }

    static final Map<String, Test> tests = new LinkedHashMap<>();

    static Connection open(String... words) throws SQLException {
        Properties p = new Properties();
        p.setProperty("user", user);
        p.setProperty("password", password);
        p.setProperty("connectTimeout", "30");
        for (int i = 0; i < words.length; i += 2) p.setProperty(words[i], words[i + 1]);
        return DriverManager.getConnection(url, p);
    }

    static void same(Object found, Object expected) {
        if (!Objects.deepEquals(found, expected)) throw new AssertionError("found " + show(found) + ", expected " + show(expected));
    }

    static String show(Object o) {
        return o instanceof Object[] ? Arrays.deepToString((Object[]) o) : o instanceof byte[] ? Arrays.toString((byte[]) o) : String.valueOf(o);
    }

    static void fails(String state, Attempt attempt) throws Exception {
        try {
            attempt.run();
        } catch (SQLException e) {
            if (state.equals(e.getSQLState())) return;
            throw new AssertionError("expected SQLSTATE " + state + ", found " + e.getSQLState() + ": " + e.getMessage(), e);
        }
        throw new AssertionError("expected SQLSTATE " + state + ", nothing failed");
    }

    static void run(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement()) { s.execute(sql); }
    }

    static Object one(Connection c, String sql, Object... values) throws SQLException {
        try (PreparedStatement s = c.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) s.setObject(i + 1, values[i]);
            try (ResultSet r = s.executeQuery()) { return r.next() ? r.getObject(1) : null; }
        }
    }

    static List<List<Object>> rows(ResultSet r, String... columns) throws SQLException {
        List<List<Object>> all = new ArrayList<>();
        while (r.next()) {
            List<Object> row = new ArrayList<>();
            for (String column : columns) row.add(r.getObject(column));
            all.add(row);
        }
        return all;
    }

    static void fresh(String name, String columns) throws SQLException {
        try (Connection c = open()) { run(c, "DROP TABLE IF EXISTS " + name + " CASCADE; CREATE TABLE " + name + " (" + columns + ")"); }
    }

    // Every mode of queries with and without binary transfer and server-side prepare.
    static final String[][] MODES = {
        {"preferQueryMode", "simple"},
        {"preferQueryMode", "extended"},
        {"preferQueryMode", "extendedForPrepared"},
        {"preferQueryMode", "extendedCacheEverything"},
        {"preferQueryMode", "extended", "prepareThreshold", "1"},
        {"preferQueryMode", "extended", "prepareThreshold", "-1"},       // binary from the first on
        {"preferQueryMode", "extended", "prepareThreshold", "1", "binaryTransfer", "false"},
        {"preferQueryMode", "extended", "prepareThreshold", "0"},
        {"preferQueryMode", "extended", "prepareThreshold", "2", "preparedStatementCacheQueries", "2"},
    };

    static void selects(String... mode) throws Exception {
        try (Connection a = open(mode); Connection b = open(mode)) {
            for (int n = 0; n < 12; n++) {
                same(one(a, "SELECT ?::int + 1", n), n + 1);
                same(one(b, "SELECT ?::int + 2", n), n + 2);
                same(one(a, "SELECT ?::text || '!'", "t" + n), "t" + n + "!");
                same(one(b, "SELECT ?::int8", (long) n), (long) n);
                if (n == 6) fails("22012", () -> one(a, "SELECT 1 / ?::int", 0));
            }
        }
    }

    static void types(String... mode) throws Exception {
        try (Connection c = open(mode)) {
            UUID uuid = UUID.fromString("00000000-0000-4000-8000-000000000077");
            OffsetDateTime when = OffsetDateTime.of(2025, 9, 17, 1, 2, 3, 4000, ZoneOffset.UTC);
            boolean simple = mode.length > 1 && mode[1].equals("simple");
            try (PreparedStatement s = c.prepareStatement("SELECT ?::int2, ?::int4, ?::int8, ?::float4, ?::float8, ?::numeric, ?::bool, ?::text, "
                    + "?::bytea, ?::date, ?::timestamptz, ?::uuid, ?::int4[], ?::text[], ?::jsonb, ?::int")) {
                for (int turn = 0; turn < 8; turn++) {
                    Object[] values = {(short) 5, -7, 1L << 50, 1.5f, -0.1, new BigDecimal("123.4500"), true, "é€\\'"};
                    for (int i = 0; i < values.length; i++) s.setObject(i + 1, values[i]);
                    if (simple) s.setString(9, "\\x0001ff"); else s.setBytes(9, new byte[] {0, 1, -1});   // pgjdbc 42.5 writes no bytes in texts
                    s.setObject(10, LocalDate.of(1999, 12, 31));
                    s.setObject(11, when);
                    s.setObject(12, uuid);
                    s.setArray(13, c.createArrayOf("int4", new Object[] {1, null, 3}));
                    s.setArray(14, c.createArrayOf("text", new String[] {"a", "b\"", "c,"}));
                    PGobject json = new PGobject();
                    json.setType("jsonb");
                    json.setValue("{\"a\": [1, null]}");
                    s.setObject(15, json);
                    s.setNull(16, Types.INTEGER);
                    try (ResultSet r = s.executeQuery()) {
                        r.next();
                        same(r.getShort(1), (short) 5);
                        same(r.getInt(2), -7);
                        same(r.getLong(3), 1L << 50);
                        same(r.getFloat(4), 1.5f);
                        same(r.getDouble(5), -0.1);
                        same(r.getBigDecimal(6), new BigDecimal("123.4500"));
                        same(r.getBoolean(7), true);
                        same(r.getString(8), "é€\\'");
                        same(r.getBytes(9), new byte[] {0, 1, -1});
                        same(r.getObject(10, LocalDate.class), LocalDate.of(1999, 12, 31));
                        same(r.getObject(11, OffsetDateTime.class), when);
                        same(r.getObject(12), uuid);
                        same(r.getArray(13).getArray(), new Integer[] {1, null, 3});
                        same(r.getArray(14).getArray(), new String[] {"a", "b\"", "c,"});
                        same(r.getString(15), "{\"a\": [1, null]}");
                        same(r.getInt(16), 0);
                        same(r.wasNull(), true);
                    }
                }
            }
        }
    }

    static void define() {
        for (String[] mode : MODES) {
            String name = String.join(" ", mode);
            tests.put("selects, " + name, () -> { selects(mode); return null; });
            tests.put("types, " + name, () -> { types(mode); return null; });
        }

        tests.put("server-prepared after five uses", () -> {
            try (Connection c = open(); PreparedStatement s = c.prepareStatement("SELECT ?::int * 3")) {
                List<Boolean> prepared = new ArrayList<>();
                for (int n = 0; n < 12; n++) {
                    s.setInt(1, n);
                    try (ResultSet r = s.executeQuery()) { r.next(); same(r.getInt(1), n * 3); }
                    prepared.add(((PGStatement) s.unwrap(PGStatement.class)).isUseServerPrepare());
                }
                same(prepared.get(0), false);
                same(prepared.get(11), true);
                return prepared.toString();
            }
        });

        tests.put("many clients cross the threshold", () -> {
            fresh("jd_many", "who int, n int");
            ExecutorService crowd = Executors.newFixedThreadPool(10);
            List<Future<?>> all = new ArrayList<>();
            for (int k = 0; k < 10; k++) {
                int who = k;
                all.add(crowd.submit(() -> {
                    try (Connection c = open();
                         PreparedStatement in = c.prepareStatement("INSERT INTO jd_many VALUES (?, ?)");
                         PreparedStatement out = c.prepareStatement("SELECT count(*) FROM jd_many WHERE who = ?")) {
                        for (int n = 0; n < 15; n++) {
                            in.setInt(1, who);
                            in.setInt(2, n);
                            same(in.executeUpdate(), 1);
                            out.setInt(1, who);
                            try (ResultSet r = out.executeQuery()) { r.next(); same(r.getLong(1), n + 1L); }
                        }
                    }
                    return null;
                }));
            }
            crowd.shutdown();
            for (Future<?> f : all) f.get(60, TimeUnit.SECONDS);
            try (Connection c = open()) { return one(c, "SELECT count(*) FROM jd_many").toString(); }
        });

        tests.put("batches", () -> {
            fresh("jd_batch", "n int PRIMARY KEY, t text");
            for (String rewrite : new String[] {"false", "true"}) {
                try (Connection c = open("reWriteBatchedInserts", rewrite)) {
                    run(c, "TRUNCATE jd_batch");
                    c.setAutoCommit(false);
                    try (PreparedStatement s = c.prepareStatement("INSERT INTO jd_batch (n, t) VALUES (?, ?)")) {
                        for (int n = 0; n < 1000; n++) {
                            s.setInt(1, n);
                            s.setString(2, "t" + n);
                            s.addBatch();
                        }
                        int[] counts = s.executeBatch();
                        same(counts.length, 1000);
                        same(counts[0] == (rewrite.equals("true") ? Statement.SUCCESS_NO_INFO : 1), true);
                    }
                    c.commit();
                    same(one(c, "SELECT count(*) FROM jd_batch WHERE t = 't' || n"), 1000L);
                    c.rollback();
                    c.setAutoCommit(true);
                    try (Statement s = c.createStatement()) {
                        s.addBatch("UPDATE jd_batch SET t = 'x' WHERE n < 10");
                        s.addBatch("DELETE FROM jd_batch WHERE n >= 990");
                        same(s.executeBatch(), new int[] {10, 10});
                        s.addBatch("INSERT INTO jd_batch VALUES (5000)");
                        s.addBatch("INSERT INTO jd_batch VALUES (1)");
                        try {
                            s.executeBatch();
                            throw new AssertionError("nothing failed");
                        } catch (BatchUpdateException e) {
                            same(e.getNextException().getSQLState(), "23505");
                        }
                    }
                }
            }
            return null;
        });

        tests.put("generated keys", () -> {
            fresh("jd_keys", "id serial PRIMARY KEY, t text, made timestamptz DEFAULT now()");
            try (Connection c = open(); PreparedStatement s = c.prepareStatement("INSERT INTO jd_keys (t) VALUES (?)", Statement.RETURN_GENERATED_KEYS);
                 PreparedStatement ids = c.prepareStatement("INSERT INTO jd_keys (t) VALUES (?)", new String[] {"id"})) {
                List<Object> got = new ArrayList<>();
                for (int n = 0; n < 8; n++) {
                    s.setString(1, "t" + n);
                    s.executeUpdate();
                    try (ResultSet r = s.getGeneratedKeys()) { r.next(); got.add(r.getInt("id")); same(r.getString("t"), "t" + n); }
                    ids.setString(1, "u" + n);
                    ids.addBatch();
                }
                ids.executeBatch();
                try (ResultSet r = ids.getGeneratedKeys()) { while (r.next()) got.add(r.getInt(1)); }
                return got.toString();
            }
        });

        for (String threshold : new String[] {"0", "1", "-1"}) tests.put("rows by portions, prepareThreshold " + threshold, () -> {
            try (Connection c = open("prepareThreshold", threshold); Connection other = open()) {
                c.setAutoCommit(false);
                for (int turn = 0; turn < 3; turn++) {
                    try (PreparedStatement s = c.prepareStatement("SELECT n, n::text FROM generate_series(1, ?) n")) {
                        s.setFetchSize(50);
                        s.setInt(1, 333);
                        try (ResultSet r = s.executeQuery()) {
                            for (int n = 1; n <= 333; n++) {
                                same(r.next(), true);
                                same(r.getInt(1), n);
                                same(r.getString(2), Integer.toString(n));
                                if (n % 100 == 0) {
                                    same(one(c, "SELECT ?::int", n), n);      // another statement between two portions
                                    same(one(other, "SELECT ?::int", n), n);
                                }
                            }
                            same(r.next(), false);
                        }
                    }
                    c.commit();
                }
            }
            return null;
        });

        tests.put("scrollable and updatable results", () -> {
            fresh("jd_scroll", "n int PRIMARY KEY, t text");
            try (Connection c = open()) {
                run(c, "INSERT INTO jd_scroll SELECT n, 't' || n FROM generate_series(1, 20) n");
                try (Statement s = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE);
                     ResultSet r = s.executeQuery("SELECT n, t FROM jd_scroll ORDER BY n")) {
                    r.absolute(5);
                    r.updateString("t", "changed");
                    r.updateRow();
                    r.last();
                    r.deleteRow();
                    r.moveToInsertRow();
                    r.updateInt("n", 100);
                    r.updateString("t", "new");
                    r.insertRow();
                }
                same(one(c, "SELECT string_agg(n || t, ',' ORDER BY n) FROM jd_scroll WHERE n IN (5, 20, 100)"), "5changed,100new");
            }
            return null;
        });

        tests.put("copies", () -> {
            fresh("jd_copy", "n int, t text");
            try (Connection c = open()) {
                CopyManager copies = c.unwrap(PGConnection.class).getCopyAPI();
                StringBuilder text = new StringBuilder();
                for (int n = 0; n < 5000; n++) text.append(n).append('\t').append("té").append(n).append('\n');
                same(copies.copyIn("COPY jd_copy FROM STDIN", new StringReader(text.toString())), 5000L);
                StringWriter out = new StringWriter();
                same(copies.copyOut("COPY (SELECT * FROM jd_copy ORDER BY n) TO STDOUT", out), 5000L);
                same(out.toString(), text.toString());
                ByteArrayOutputStream binary = new ByteArrayOutputStream();
                copies.copyOut("COPY jd_copy TO STDOUT (FORMAT binary)", binary);
                run(c, "TRUNCATE jd_copy");
                same(copies.copyIn("COPY jd_copy FROM STDIN (FORMAT binary)", new ByteArrayInputStream(binary.toByteArray())), 5000L);
                fails("22P02", () -> copies.copyIn("COPY jd_copy FROM STDIN", new StringReader("no number\tx\n")));
                var cancelled = copies.copyIn("COPY jd_copy FROM STDIN");
                cancelled.writeToCopy("1\tx\n".getBytes(StandardCharsets.UTF_8), 0, 4);
                cancelled.cancelCopy();
                same(one(c, "SELECT count(*) FROM jd_copy"), 5000L);
            }
            return null;
        });

        tests.put("savepoints", () -> {
            fresh("jd_save", "n int PRIMARY KEY");
            try (Connection c = open()) {
                c.setAutoCommit(false);
                run(c, "INSERT INTO jd_save VALUES (1)");
                Savepoint named = c.setSavepoint("a point");
                fails("23505", () -> run(c, "INSERT INTO jd_save VALUES (1)"));
                fails("25P02", () -> run(c, "SELECT 1"));
                c.rollback(named);
                Savepoint other = c.setSavepoint();
                run(c, "INSERT INTO jd_save VALUES (2)");
                c.releaseSavepoint(other);
                c.commit();
                same(one(c, "SELECT string_agg(n::text, ',' ORDER BY n) FROM jd_save"), "1,2");
                c.rollback();
            }
            try (Connection c = open("autosave", "always")) {
                c.setAutoCommit(false);
                run(c, "INSERT INTO jd_save VALUES (3)");
                fails("23505", () -> run(c, "INSERT INTO jd_save VALUES (1)"));
                run(c, "INSERT INTO jd_save VALUES (4)");
                c.commit();
                same(one(c, "SELECT count(*) FROM jd_save"), 4L);
                c.rollback();
            }
            return null;
        });

        tests.put("read only and isolation", () -> {
            fresh("jd_levels", "n int");
            for (String mode : new String[] {"ignore", "transaction", "always"}) {
                try (Connection c = open("readOnlyMode", mode)) {
                    c.setReadOnly(true);
                    for (int n = 0; n < 6; n++) {
                        if (mode.equals("always")) fails("25006", () -> run(c, "INSERT INTO jd_levels VALUES (1)"));
                        same(one(c, "SELECT current_setting('transaction_read_only')"), mode.equals("always") ? "on" : "off");
                    }
                    c.setAutoCommit(false);
                    for (int n = 0; n < 6; n++) {
                        same(one(c, "SELECT current_setting('transaction_read_only')"), mode.equals("ignore") ? "off" : "on");
                        c.rollback();
                    }
                    c.setReadOnly(false);
                    run(c, "INSERT INTO jd_levels VALUES (1)");
                    c.rollback();
                }
            }
            try (Connection a = open(); Connection b = open()) {
                a.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
                b.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
                for (int n = 0; n < 6; n++) {
                    same(one(a, "SHOW transaction_isolation"), "serializable");
                    same(one(b, "SHOW transaction_isolation"), "repeatable read");
                    same(a.getTransactionIsolation(), Connection.TRANSACTION_SERIALIZABLE);
                }
                b.setAutoCommit(false);
                same(one(b, "SELECT count(*) FROM jd_levels"), 0L);
                run(a, "INSERT INTO jd_levels VALUES (1)");
                same(one(b, "SELECT count(*) FROM jd_levels"), 0L);
                b.commit();
                same(one(b, "SELECT count(*) FROM jd_levels"), 1L);
                b.commit();
            }
            return null;
        });

        tests.put("listen and notify", () -> {
            try (Connection a = open(); Connection b = open()) {
                run(a, "LISTEN jd_news");
                for (int n = 0; n < 4; n++) one(b, "SELECT pg_notify('jd_news', ?)::text", "n" + n);
                PGConnection listening = a.unwrap(PGConnection.class);
                List<String> heard = new ArrayList<>();
                long until = System.nanoTime() + 10_000_000_000L;
                while (heard.size() < 4 && System.nanoTime() < until) {
                    PGNotification[] some = listening.getNotifications(200);
                    if (some != null) for (PGNotification n : some) heard.add(n.getParameter());
                }
                same(heard, List.of("n0", "n1", "n2", "n3"));
                run(a, "UNLISTEN jd_news");
            }
            return null;
        });

        tests.put("cancelled by a timeout", () -> {
            try (Connection c = open(); Statement s = c.createStatement()) {
                s.setQueryTimeout(1);
                long began = System.nanoTime();
                fails("57014", () -> s.execute("SELECT pg_sleep(20)"));
                same(System.nanoTime() - began < 10_000_000_000L, true);
                same(one(c, "SELECT 1"), 1);
            }
            try (Connection c = open(); Statement s = c.createStatement()) {
                Thread other = new Thread(() -> {
                    try { Thread.sleep(300); s.cancel(); } catch (Exception e) { throw new RuntimeException(e); }
                });
                other.start();
                fails("57014", () -> s.execute("SELECT pg_sleep(20)"));
                other.join();
                same(one(c, "SELECT ?::int", 5), 5);
            }
            return null;
        });

        tests.put("metadata", () -> {
            fresh("jd_meta", "id serial PRIMARY KEY, name varchar(20) NOT NULL UNIQUE, price numeric(8, 2) DEFAULT 1, tags text[]");
            fresh("jd_child", "a int, b int, parent int REFERENCES jd_meta ON DELETE CASCADE, PRIMARY KEY (b, a)");
            try (Connection c = open()) {
                DatabaseMetaData m = c.getMetaData();
                StringBuilder all = new StringBuilder();
                all.append(rows(m.getTables(null, "public", "jd_meta%", new String[] {"TABLE"}), "TABLE_NAME", "TABLE_TYPE"));
                all.append(rows(m.getColumns(null, "public", "jd_meta", "%"), "COLUMN_NAME", "TYPE_NAME", "COLUMN_SIZE", "NULLABLE", "COLUMN_DEF",
                    "IS_AUTOINCREMENT"));
                all.append(rows(m.getPrimaryKeys(null, "public", "jd_child"), "COLUMN_NAME", "KEY_SEQ"));
                all.append(rows(m.getImportedKeys(null, "public", "jd_child"), "PKTABLE_NAME", "FKCOLUMN_NAME", "DELETE_RULE"));
                all.append(rows(m.getIndexInfo(null, "public", "jd_meta", false, false), "INDEX_NAME", "NON_UNIQUE", "COLUMN_NAME"));
                all.append(rows(m.getSchemas(), "TABLE_SCHEM"));
                all.append(m.getDatabaseProductName()).append(m.getDatabaseProductVersion()).append(m.getMaxConnections() > 0);
                try (PreparedStatement s = c.prepareStatement("SELECT id, name, price, tags FROM jd_meta WHERE id = ? AND name = ?")) {
                    ResultSetMetaData columns = s.getMetaData();
                    for (int i = 1; i <= columns.getColumnCount(); i++)
                        all.append(columns.getColumnName(i)).append(':').append(columns.getColumnTypeName(i)).append(':').append(columns.isNullable(i))
                            .append(':').append(columns.isAutoIncrement(i)).append(' ');
                    all.append(s.getParameterMetaData().getParameterTypeName(1)).append(s.getParameterMetaData().getParameterTypeName(2));
                }
                same(all.indexOf("[[jd_meta, TABLE]][[id, serial, 10, 0, nextval('jd_meta_id_seq'::regclass), YES], [name, varchar, 20, 0, null, NO]"), 0);
                return all.toString();
            }
        });

        tests.put("large objects", () -> {
            byte[] data = new byte[200000];
            new Random(1).nextBytes(data);
            fresh("jd_lob", "id int, o oid");
            try (Connection c = open()) {
                c.setAutoCommit(false);
                LargeObjectManager manager = c.unwrap(PGConnection.class).getLargeObjectAPI();
                long oid = manager.createLO();
                LargeObject o = manager.open(oid, LargeObjectManager.READWRITE);
                o.write(data);
                o.seek(1000);
                same(o.read(500), Arrays.copyOfRange(data, 1000, 1500));
                o.close();
                try (PreparedStatement s = c.prepareStatement("INSERT INTO jd_lob VALUES (1, ?), (2, ?)")) {
                    s.setLong(1, oid);
                    s.setBlob(2, new ByteArrayInputStream(data));
                    s.executeUpdate();
                }
                c.commit();
                try (Statement s = c.createStatement(); ResultSet r = s.executeQuery("SELECT o FROM jd_lob ORDER BY id")) {
                    while (r.next()) {
                        Blob blob = r.getBlob(1);
                        same(blob.length(), 200000L);
                        try (InputStream in = blob.getBinaryStream()) { same(in.readAllBytes(), data); }
                        blob.free();
                    }
                }
                run(c, "SELECT lo_unlink(o) FROM jd_lob");
                c.commit();
            }
            return null;
        });

        tests.put("arrays, structs and own types", () -> {
            try (Connection c = open()) {
                run(c, "DROP TYPE IF EXISTS jd_mood; CREATE TYPE jd_mood AS ENUM ('sad', 'happy')");
                for (int n = 0; n < 8; n++) {
                    try (PreparedStatement s = c.prepareStatement("SELECT ?::jd_mood, ?::int[][], ARRAY['a', NULL], ARRAY[1.5, 2], ROW(1, 'x'), ?::jd_mood[]")) {
                        s.setObject(1, "happy", Types.OTHER);
                        s.setArray(2, c.createArrayOf("int4", new Integer[][] {{1, 2}, {3, 4}}));
                        s.setArray(3, c.createArrayOf("jd_mood", new String[] {"sad"}));
                        try (ResultSet r = s.executeQuery()) {
                            r.next();
                            same(r.getString(1), "happy");
                            same(r.getArray(2).getArray(), new Integer[][] {{1, 2}, {3, 4}});
                            same(r.getArray(3).getArray(), new String[] {"a", null});
                            same(r.getArray(4).getArray(), new BigDecimal[] {new BigDecimal("1.5"), new BigDecimal("2")});
                            same(r.getString(5), "(1,x)");
                            same(r.getArray(6).toString(), "{sad}");
                        }
                    }
                }
            }
            return null;
        });

        tests.put("functions and procedures", () -> {
            try (Connection c = open()) {
                run(c, "CREATE OR REPLACE FUNCTION jd_twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2';"
                    + "CREATE OR REPLACE PROCEDURE jd_add(a int, INOUT b int) LANGUAGE plpgsql AS 'BEGIN b := a + b; END';"
                    + "CREATE OR REPLACE FUNCTION jd_ref() RETURNS refcursor LANGUAGE plpgsql AS "
                    + "'DECLARE r refcursor; BEGIN OPEN r FOR SELECT n FROM generate_series(1, 3) n; RETURN r; END'");
                for (int n = 0; n < 7; n++) {
                    try (CallableStatement s = c.prepareCall("{? = call jd_twice(?)}")) {
                        s.registerOutParameter(1, Types.INTEGER);
                        s.setInt(2, n);
                        s.execute();
                        same(s.getInt(1), n * 2);
                    }
                }
                try (Connection p = open("escapeSyntaxCallMode", "callIfNoReturn"); CallableStatement s = p.prepareCall("{call jd_add(?, ?)}")) {
                    s.setInt(1, 5);
                    s.setInt(2, 6);
                    s.registerOutParameter(2, Types.INTEGER);
                    s.execute();
                    same(s.getInt(2), 11);
                }
                c.setAutoCommit(false);
                try (CallableStatement s = c.prepareCall("{? = call jd_ref()}")) {
                    s.registerOutParameter(1, Types.OTHER);
                    s.execute();
                    try (ResultSet r = (ResultSet) s.getObject(1)) { same(rows(r, "n"), List.of(List.of(1), List.of(2), List.of(3))); }
                }
                c.commit();
            }
            return null;
        });

        tests.put("errors", () -> {
            fresh("jd_errors", "n int PRIMARY KEY CHECK (n < 100)");
            try (Connection c = open()) {
                run(c, "INSERT INTO jd_errors VALUES (1)");
                for (int turn = 0; turn < 7; turn++) {
                    fails("42P01", () -> one(c, "SELECT * FROM nowhere WHERE a = ?", 1));
                    fails("42601", () -> run(c, "SELEC 1"));
                    fails("23514", () -> run(c, "INSERT INTO jd_errors VALUES (1000)"));
                    try {
                        run(c, "INSERT INTO jd_errors VALUES (1)");
                    } catch (PSQLException e) {
                        same(e.getServerErrorMessage().getConstraint(), "jd_errors_pkey");
                        same(e.getServerErrorMessage().getDetail(), "Key (n)=(1) already exists.");
                    }
                    same(one(c, "SELECT ?::int", turn), turn);
                }
            }
            return null;
        });

        tests.put("warnings and several results", () -> {
            try (Connection c = open(); Statement s = c.createStatement()) {
                s.execute("DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$");
                same(s.getWarnings().getMessage(), "one");
                same(s.getWarnings().getNextWarning().getMessage(), "two");
                same(s.execute("SELECT 1; SELECT 2, 3; CREATE TEMP TABLE jd_t (a int); INSERT INTO jd_t VALUES (1), (2); DROP TABLE jd_t"), true);
                same(rows(s.getResultSet(), "?column?"), List.of(List.of(1)));
                same(s.getMoreResults(), true);
                same(s.getMoreResults(), false);
                same(s.getUpdateCount(), 0);
                same(s.getMoreResults(), false);
                same(s.getUpdateCount(), 2);
            }
            return null;
        });

        tests.put("a changed table", () -> {
            fresh("jd_changing", "a int");
            try (Connection c = open("prepareThreshold", "1"); Connection other = open()) {
                run(c, "INSERT INTO jd_changing VALUES (1)");
                try (PreparedStatement s = c.prepareStatement("SELECT * FROM jd_changing")) {
                    for (int n = 0; n < 4; n++) try (ResultSet r = s.executeQuery()) { same(r.getMetaData().getColumnCount(), 1); r.next(); same(r.getInt(1), 1); }
                    run(other, "ALTER TABLE jd_changing ADD COLUMN b text DEFAULT 'x'");
                    // autocommit: the driver meets the server's "cached plan" error, prepares again and asks again
                    for (int n = 0; n < 4; n++) try (ResultSet r = s.executeQuery()) { same(r.getMetaData().getColumnCount(), 2); r.next(); same(r.getString(2), "x"); }
                    run(other, "ALTER TABLE jd_changing ALTER a TYPE text USING 'now ' || a");
                    for (int n = 0; n < 4; n++) try (ResultSet r = s.executeQuery()) { r.next(); same(r.getString(1), "now 1"); }
                }
            }
            return null;
        });

        tests.put("settings of the connection", () -> {
            try (Connection a = open("ApplicationName", "jd one", "options", "-c work_mem=7MB -c search_path=pg_catalog");
                 Connection b = open("ApplicationName", "jd two", "currentSchema", "information_schema")) {
                for (int n = 0; n < 12; n++) {
                    same(one(a, "SELECT current_setting('application_name') || current_setting('work_mem') || current_setting('search_path')"),
                        "jd one7MBpg_catalog");
                    same(one(b, "SELECT current_setting('application_name') || current_setting('work_mem') || current_setting('search_path')"),
                        "jd two4MBinformation_schema");
                }
                a.setClientInfo("ApplicationName", "renamed");
                a.setSchema("public");
                for (int n = 0; n < 5; n++) same(one(a, "SELECT current_setting('application_name') || current_schema()"), "renamedpublic");
                same(a.isValid(5), true);
                same(b.getCatalog(), one(b, "SELECT current_database()::text"));
            }
            return null;
        });

        tests.put("the primary is looked for", () -> {
            for (String kind : new String[] {"primary", "preferSecondary", "any"}) {
                for (int n = 0; n < 3; n++) {
                    try (Connection c = open("targetServerType", kind)) {
                        for (int k = 0; k < 5; k++) {
                            same(one(c, "SELECT pg_is_in_recovery()"), false);
                            same(one(c, "SHOW transaction_read_only"), "off");
                            same(one(c, "SELECT current_setting('transaction_read_only')"), "off");
                        }
                        same(c.isReadOnly(), false);
                    }
                }
            }
            return null;
        });

        tests.put("two phases", () -> {
            fresh("jd_two", "n int");
            var source = new org.postgresql.xa.PGXADataSource();
            source.setURL(url);
            source.setUser(user);
            source.setPassword(password);
            var xa = source.getXAConnection();
            try (Connection c = xa.getConnection()) {
                var resource = xa.getXAResource();
                for (int n = 0; n < 2; n++) {
                    byte branch = (byte) n;
                    var xid = new javax.transaction.xa.Xid() {
                        public int getFormatId() { return 7; }
                        public byte[] getGlobalTransactionId() { return new byte[] {1, 2}; }
                        public byte[] getBranchQualifier() { return new byte[] {branch}; }
                    };
                    resource.start(xid, javax.transaction.xa.XAResource.TMNOFLAGS);
                    run(c, "INSERT INTO jd_two VALUES (" + n + ")");
                    resource.end(xid, javax.transaction.xa.XAResource.TMSUCCESS);
                    resource.prepare(xid);
                    same(resource.recover(javax.transaction.xa.XAResource.TMSTARTRSCAN).length, 1);
                    if (n == 0) resource.commit(xid, false); else resource.rollback(xid);
                }
                same(one(c, "SELECT string_agg(n::text, ',') FROM jd_two"), "0");
            } finally {
                xa.close();
            }
            return null;
        });
    }

    public static void main(String[] arguments) throws Exception {
        url = arguments[0];
        user = arguments[1];
        password = arguments[2];
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        define();
        int failed = 0;
        ExecutorService runner = Executors.newCachedThreadPool(r -> { Thread t = new Thread(r); t.setDaemon(true); return t; });
        PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
        for (Map.Entry<String, Test> test : tests.entrySet()) {
            if (arguments.length > 3 && !test.getKey().contains(arguments[3])) continue;
            long began = System.nanoTime();
            String word = "ok", said;
            try {
                said = String.valueOf(runner.submit(() -> test.getValue().run()).get(25, TimeUnit.SECONDS));
            } catch (ExecutionException | TimeoutException e) {
                failed++;
                word = "FAILED";
                StringWriter trace = new StringWriter();
                (e.getCause() == null ? e : e.getCause()).printStackTrace(new PrintWriter(trace));
                said = trace.toString();
            }
            out.println(String.join("\t", word, test.getKey(), Long.toString((System.nanoTime() - began) / 1000000), said.replace("\n", " / ").replace("\t", " ")));
        }
        System.exit(failed == 0 ? 0 : 1);
    }
}
