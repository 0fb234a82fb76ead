#include "app/feed_command.h"

#include <stdio.h>

#include "app/check.h"
#include "app/settings.h"
#include "base/mem.h"
#include "app/feed_sql.h"
#include "net/ask.h"

/* A table that is to have the triggers, and its columns that are declared as dimensions. */
struct target {
    char *schema, *name;
    const struct relation *relation;
    struct buf arguments; /* 'id', 'user_id' */
    bool blind, exact;    /* its rows have no identity in the WAL; all dimensions are in it */
};

struct work {
    struct ask *server;
    struct buf why;
    struct buf targets; /* struct target */
    const struct relation *relation;
    bool may_see_ddl; /* a superuser */
};

static struct target *targets_of(struct work *work, unsigned *count)
{
    *count = (unsigned)(buf_len(&work->targets) / sizeof(struct target));
    return (struct target *)(void *)buf_slice(&work->targets).at;
}

static void put_literal(struct buf *out, const char *text)
{
    buf_put(out, "'", 1);
    for (; *text; text++)
        buf_put(out, *text == '\'' ? "''" : text, *text == '\'' ? 2 : 1);
    buf_put(out, "'", 1);
}

static void put_identifier(struct buf *out, const char *text)
{
    buf_put(out, "\"", 1);
    for (; *text; text++)
        buf_put(out, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    buf_put(out, "\"", 1);
}

static void put_table(struct buf *out, const struct target *target)
{
    put_identifier(out, target->schema);
    buf_put(out, ".", 1);
    put_identifier(out, target->name);
}

static bool run(struct work *work, struct buf *sql)
{
    bool done;

    buf_put(sql, "", 1);
    done = ask_rows(work->server, (const char *)buf_slice(sql).at, NULL, NULL, &work->why);
    buf_clear(sql);
    return done;
}

/* ---- which tables ---- */

static bool has_target(struct work *work, struct slice schema, struct slice name)
{
    unsigned count;
    struct target *targets = targets_of(work, &count);

    for (unsigned i = 0; i < count; i++)
        if (slice_is(schema, targets[i].schema) && slice_is(name, targets[i].name))
            return true;
    return false;
}

static void take_table(void *owner, const struct slice *fields, unsigned count)
{
    struct work *work = owner;
    struct target target = {.relation = work->relation};

    if (count < 3 || has_target(work, fields[0], fields[1]))
        return;
    target.schema = mem_text(fields[0].at, fields[0].len);
    target.name = mem_text(fields[1].at, fields[1].len);
    if (fields[2].at)
        buf_put_slice(&target.arguments, fields[2]);
    target.blind = count > 3 && slice_is(fields[3], "t");
    target.exact = count > 4 && slice_is(fields[4], "t");
    buf_put(&work->targets, &target, sizeof(target));
}

/* The relation, and all that inherit from it or are parts of it. */
static bool find_tables(struct work *work, const struct relation *relation)
{
    struct buf sql = {0};
    bool done;

    work->relation = relation;
    buf_printf(&sql, "WITH RECURSIVE family AS (SELECT c.oid FROM pg_catalog.pg_class c"
                     " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                     " WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND c.relname = ");
    put_literal(&sql, relation->name);
    if (relation->schema) {
        buf_printf(&sql, " AND n.nspname = ");
        put_literal(&sql, relation->schema);
    }
    buf_printf(&sql, " UNION SELECT i.inhrelid FROM family f JOIN pg_catalog.pg_inherits i"
                     " ON i.inhparent = f.oid)"
                     " SELECT n.nspname, c.relname, (SELECT pg_catalog.string_agg("
                     "pg_catalog.quote_literal(a.attname), ', ' ORDER BY d.place)"
                     " FROM pg_catalog.pg_attribute a JOIN pg_catalog.unnest(ARRAY[''");
    for (unsigned i = 0; i < relation->ndimensions; i++) {
        buf_printf(&sql, ", ");
        put_literal(&sql, relation->dimensions[i]);
    }
    buf_printf(&sql, "]) WITH ORDINALITY AS d (name, place) ON d.name = a.attname"
                     " WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),"
                     " i.indexrelid IS NULL AND c.relreplident <> 'f' AND c.relkind = 'r',"
                     " c.relreplident = 'f' OR NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a"
                     " WHERE a.attrelid = c.oid AND a.attname = ANY (ARRAY[''");
    for (unsigned i = 0; i < relation->ndimensions; i++) {
        buf_printf(&sql, ", ");
        put_literal(&sql, relation->dimensions[i]);
    }
    buf_printf(&sql, "]) AND NOT a.attnum = ANY (coalesce(i.indkey::int2[], '{}')))"
                     " FROM family f JOIN pg_catalog.pg_class c ON c.oid = f.oid"
                     " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                     " LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND"
                     " CASE c.relreplident WHEN 'd' THEN i.indisprimary"
                     " WHEN 'i' THEN i.indisreplident ELSE false END"
                     " WHERE c.relkind IN ('r', 'p') ORDER BY 1, 2");
    buf_put(&sql, "", 1);
    done = ask_rows(work->server, (const char *)buf_slice(&sql).at, take_table, work, &work->why);
    buf_clear(&sql);
    return done;
}

static bool find_all(struct work *work, const struct rules *rules)
{
    for (unsigned i = 0; i < rules->nrelations; i++)
        if (!find_tables(work, &rules->relations[i]))
            return false;
    return true;
}

/* ---- triggers ---- */

static const struct {
    const char *name, *event, *rows;
} TRIGGERS[] = {
    {"pgtier_feed_insert", "INSERT", "REFERENCING NEW TABLE AS new_rows"},
    {"pgtier_feed_update", "UPDATE", "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"},
    {"pgtier_feed_delete", "DELETE", "REFERENCING OLD TABLE AS old_rows"},
    {"pgtier_feed_truncate", "TRUNCATE", ""},
};
enum { NTRIGGERS = sizeof(TRIGGERS) / sizeof(TRIGGERS[0]) };

static bool drop_trigger(struct work *work, const struct target *target, unsigned which)
{
    struct buf sql = {0};

    buf_printf(&sql, "DROP TRIGGER IF EXISTS %s ON ", TRIGGERS[which].name);
    put_table(&sql, target);
    return run(work, &sql);
}

/* Also for those who write with session_replication_role = replica. */
static bool make_trigger(struct work *work, const struct target *target, unsigned which)
{
    struct buf sql = {0};

    buf_printf(&sql, "CREATE TRIGGER %s AFTER %s ON ", TRIGGERS[which].name, TRIGGERS[which].event);
    put_table(&sql, target);
    buf_printf(&sql, " %s FOR EACH STATEMENT EXECUTE FUNCTION pgtier.feed(", TRIGGERS[which].rows);
    buf_put_slice(&sql, buf_slice(&target->arguments));
    buf_printf(&sql, ")");
    if (!run(work, &sql))
        return false;
    buf_printf(&sql, "ALTER TABLE ");
    put_table(&sql, target);
    buf_printf(&sql, " ENABLE ALWAYS TRIGGER %s", TRIGGERS[which].name);
    return run(work, &sql);
}

static bool say(struct work *work, const char *sql)
{
    return ask_rows(work->server, sql, NULL, NULL, &work->why);
}

static bool drop_all(struct work *work)
{
    unsigned count;
    struct target *targets = targets_of(work, &count);

    for (unsigned i = 0; i < count; i++)
        for (unsigned k = 0; k < NTRIGGERS; k++)
            if (!drop_trigger(work, &targets[i], k))
                return false;
    return true;
}

/* ---- the publication ---- */

static const char DROP_PUBLICATION[] = "DROP PUBLICATION IF EXISTS pgtier_feed";

/* A publication that has a table whose rows have no identity makes its UPDATEs fail. */
static bool may_publish(struct work *work)
{
    unsigned count;
    struct target *targets = targets_of(work, &count);

    for (unsigned i = 0; i < count; i++) {
        if (!targets[i].blind)
            continue;
        buf_printf(&work->why,
                   "%s.%s has no replica identity, without which its UPDATEs would fail: give it a "
                   "primary key, or ALTER TABLE .. REPLICA IDENTITY FULL",
                   targets[i].schema, targets[i].name);
        return false;
    }
    return true;
}

static bool publish(struct work *work)
{
    unsigned count;
    struct target *targets = targets_of(work, &count);
    struct buf sql = {0};

    if (!may_publish(work))
        return false;
    buf_printf(&sql, "CREATE PUBLICATION pgtier_feed");
    for (unsigned i = 0; i < count; i++) {
        buf_printf(&sql, i ? ", " : " FOR TABLE ");
        put_table(&sql, &targets[i]);
    }
    buf_printf(&sql, " WITH (publish_via_partition_root = true)");
    return run(work, &sql);
}

/* What must be so on the server for it to be streamed. */
static void take_doubt(void *owner, const struct slice *fields, unsigned count)
{
    (void)owner;
    (void)count;
    printf("still to be done: %.*s\n", (int)fields[0].len, (const char *)fields[0].at);
}

static bool tell_doubts(struct work *work)
{
    return ask_rows(
        work->server,
        "SELECT 'wal_level = logical, and a restart of the primary' WHERE"
        " pg_catalog.current_setting('wal_level') <> 'logical' UNION ALL"
        " SELECT pg_catalog.format('ALTER ROLE %I REPLICATION (for pgtier''s connection)', rolname)"
        " FROM pg_catalog.pg_roles WHERE rolname = current_user AND NOT rolreplication"
        " AND NOT rolsuper UNION ALL"
        " SELECT 'max_slot_wal_keep_size, by which the primary bounds what it keeps for slots'"
        " WHERE pg_catalog.current_setting('max_slot_wal_keep_size') = '-1'",
        take_doubt, NULL, &work->why);
}

static void tell_publication(struct work *work)
{
    unsigned count;
    struct target *targets = targets_of(work, &count);

    for (unsigned i = 0; i < count; i++)
        printf("publishes %s.%s%s\n", targets[i].schema, targets[i].name,
               targets[i].exact
                   ? ""
                   : ": not all of its dimensions are part of its replica identity, so "
                     "that UPDATE and DELETE end more than they change; REPLICA "
                     "IDENTITY FULL tells all");
}

static void tell(struct work *work, bool install)
{
    unsigned count;
    struct target *targets = targets_of(work, &count);

    for (unsigned i = 0; i < count; i++)
        printf("%s %s.%s%s%.*s\n", install ? "tells of" : "tells no more of", targets[i].schema,
               targets[i].name, install && buf_len(&targets[i].arguments) ? ", by " : "",
               install ? (int)buf_len(&targets[i].arguments) : 0,
               (const char *)buf_slice(&targets[i].arguments).at);
    if (count == 0)
        printf("no table is concerned\n");
    else if (install)
        printf("Now set `feed: notify` at the database in the file, and restart pgtier.\n");
}

/* Also those of tables that the file declares no more. */
static bool find_triggers(struct work *work)
{
    return ask_rows(work->server,
                    "SELECT DISTINCT n.nspname, c.relname, NULL FROM pg_catalog.pg_trigger t"
                    " JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid"
                    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                    " WHERE NOT t.tgisinternal AND t.tgname ~ '^pgtier_feed_' ORDER BY 1, 2",
                    take_table, work, &work->why);
}

static void forget_targets(struct work *work)
{
    unsigned count;
    struct target *targets = targets_of(work, &count);

    for (unsigned i = 0; i < count; i++) {
        mem_free(targets[i].schema);
        mem_free(targets[i].name);
        buf_clear(&targets[i].arguments);
    }
    buf_clear(&work->targets);
}

/* ---- what changes tables and rights ---- */

static void take_right(void *owner, const struct slice *fields, unsigned count)
{
    struct work *work = owner;

    work->may_see_ddl = count == 1 && slice_is(fields[0], "t");
}

static bool watch_ddl(struct work *work)
{
    return !work->may_see_ddl ||
           (say(work, "CREATE EVENT TRIGGER pgtier_feed_ddl ON ddl_command_end"
                      " EXECUTE FUNCTION pgtier.feed_ddl()") &&
            say(work, "ALTER EVENT TRIGGER pgtier_feed_ddl ENABLE ALWAYS"));
}

static bool install_triggers(struct work *work)
{
    unsigned count;
    struct target *targets;

    targets = targets_of(work, &count);
    for (unsigned i = 0; i < count; i++)
        for (unsigned k = 0; k < NTRIGGERS; k++)
            if (!make_trigger(work, &targets[i], k))
                return false;
    return true;
}

static bool install_feed(struct work *work, const struct rules *rules, bool wal)
{
    forget_targets(work);
    return find_all(work, rules) && say(work, FEED_SQL) &&
           (wal ? publish(work) : install_triggers(work)) && watch_ddl(work);
}

/* To whoever listens already. */
static const char TELL_ALL[] = "DO $$BEGIN PERFORM pg_catalog.pg_notify('pgtier_feed', 'DDL');"
                               " PERFORM pg_catalog.pg_logical_emit_message(true, 'pgtier_feed', "
                               "'DDL'); END$$";

/* A notice for each trigger that isn't there would bury what is said. */
static bool change(struct work *work, const struct rules *rules, bool installs, bool wal)
{
    return say(work, "SET client_min_messages TO warning") && say(work, "BEGIN") &&
           ask_rows(work->server,
                    "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user",
                    take_right, work, &work->why) &&
           say(work, "DROP EVENT TRIGGER IF EXISTS pgtier_feed_ddl") && find_triggers(work) &&
           drop_all(work) && say(work, DROP_PUBLICATION) &&
           (installs ? install_feed(work, rules, wal)
                     : say(work, "DROP FUNCTION IF EXISTS pgtier.feed(), pgtier.feed_ddl()")) &&
           say(work, TELL_ALL) && say(work, "COMMIT");
}

int feed_command(bool install, const char *path, const char *name)
{
    struct diag diag = {.file = path};
    struct settings *settings = settings_load(path, &diag);
    const struct settings_database *database = settings ? settings_database(settings, name) : NULL;
    struct work work = {0};
    bool done, wal;

    if (!settings) {
        check_print(&diag);
        return 1;
    }
    if (!database) {
        fprintf(stderr, "pgtier: %s has no database \"%s\"\n", path, name);
        settings_free(settings);
        return 1;
    }
    work.server = ask_new(database->primary.url, &work.why);
    wal = database->feed == FEED_WAL;
    done = work.server && change(&work, settings->rules, install, wal) &&
           (!install || !wal || tell_doubts(&work));
    if (done && install && wal)
        tell_publication(&work);
    else if (done)
        tell(&work, install);
    if (done && install && !work.may_see_ddl)
        printf("not told, since that takes a superuser: GRANT, REVOKE and other DDL past pgtier\n");
    if (!done)
        fprintf(stderr, "pgtier: database %s: %.*s\n", database->name, (int)buf_len(&work.why),
                (const char *)buf_slice(&work.why).at);
    forget_targets(&work);
    buf_clear(&work.why);
    ask_free(work.server);
    settings_free(settings);
    return done ? 0 : 1;
}
