/* What is written says why it was chosen, and is nothing that a DBA could not have seen: keys and
 * foreign keys as dimensions, a column that looks like a tier, the standbys that are connected. */
#include "app/init.h"

#include <stdio.h>

#include "base/mem.h"
#include "conf/keep.h"
#include "conf/url.h"
#include "conf/yaml.h"
#include "net/ask.h"
#include "rules/rules.h"

enum { RELATIONS_MAX = 40, OPERATIONS_MAX = 5 };

/* One row for each column by which rows of a table may be told apart, the tables that are read most
 * first: keys, then foreign keys. Types are those that may be dimensions. */
static const char TABLES_QUERY[] =
    "WITH columns AS (SELECT a.attrelid, a.attnum, a.attname::text AS name"
    " FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation"
    " WHERE a.attnum > 0 AND NOT a.attisdropped AND (a.atttypid IN (20, 21, 23, 2950)"
    " OR (a.atttypid = 25 OR (a.atttypid = 1043 AND a.atttypmod < 0)) AND l.collisdeterministic)),"
    " keys AS (SELECT x.indrelid, x.indkey[0] AS attnum, bool_or(x.indisprimary) AS first"
    " FROM pg_catalog.pg_index x WHERE x.indisunique AND x.indimmediate AND x.indisvalid"
    " AND x.indpred IS NULL AND x.indexprs IS NULL AND x.indnkeyatts = 1 GROUP BY 1, 2),"
    " links AS (SELECT DISTINCT conrelid, conkey[1] AS attnum FROM pg_catalog.pg_constraint"
    " WHERE contype = 'f' AND pg_catalog.array_length(conkey, 1) = 1)"
    " SELECT n.nspname, c.relname, o.name, CASE WHEN k.attnum IS NULL THEN '' ELSE 'u' END,"
    " (SELECT r.relname FROM pg_catalog.pg_constraint f JOIN pg_catalog.pg_class r"
    " ON r.oid = f.confrelid WHERE f.contype = 'f' AND f.conrelid = c.oid"
    " AND f.conkey = ARRAY[o.attnum] LIMIT 1)"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN pg_catalog.pg_stat_user_tables s ON s.relid = c.oid"
    " JOIN columns o ON o.attrelid = c.oid"
    " LEFT JOIN keys k ON k.indrelid = c.oid AND k.attnum = o.attnum"
    " LEFT JOIN links e ON e.conrelid = c.oid AND e.attnum = o.attnum"
    " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'"
    " AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
    " AND (k.attnum IS NOT NULL OR e.attnum IS NOT NULL)"
    " ORDER BY COALESCE(s.seq_scan, 0) + COALESCE(s.idx_scan, 0) DESC, c.reltuples DESC,"
    " n.nspname, c.relname, k.attnum IS NULL, NOT COALESCE(k.first, false), o.attnum";

/* Columns that look like a tier, with their values in order: those of an enum, or of a CHECK. */
static const char TIERS_QUERY[] =
    "SELECT n.nspname, c.relname, a.attname, v.value, EXISTS (SELECT FROM"
    " pg_catalog.pg_constraint f WHERE f.contype = 'f' AND f.confrelid = c.oid)::text"
    " FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " JOIN LATERAL (SELECT e.enumlabel::text AS value, e.enumsortorder AS place"
    " FROM pg_catalog.pg_enum e WHERE e.enumtypid = a.atttypid UNION ALL"
    " SELECT m.value[1], m.place FROM pg_catalog.pg_constraint k,"
    " pg_catalog.regexp_matches(pg_catalog.pg_get_constraintdef(k.oid), '''([^'']+)''', 'g')"
    " WITH ORDINALITY AS m (value, place) WHERE k.conrelid = c.oid AND k.contype = 'c'"
    " AND k.conkey = ARRAY[a.attnum]) v ON true"
    " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0"
    " AND NOT a.attisdropped AND a.attname ~ '(^|_)(tier|plan)$'"
    " AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
    " ORDER BY c.oid, a.attnum, v.place";

static const char STANDBYS_QUERY[] =
    "SELECT COALESCE(pg_catalog.host(client_addr), 'a socket'), application_name"
    " FROM pg_catalog.pg_stat_replication WHERE state = 'streaming' ORDER BY 1, 2";

static const char DATABASE_QUERY[] = "SELECT pg_catalog.current_database(), current_user";

struct column {
    const char *name, *refers; /* the table that it refers to, or NULL */
    bool unique;
};

struct table {
    const char *schema, *name;
    struct column columns[DIMENSIONS_MAX];
    unsigned ncolumns;
};

/* A column that looks like a tier. */
struct tier {
    const char *schema, *table, *column;
    const char *values[TIERS_MAX];
    unsigned nvalues;
    bool referred; /* its table is: by its users' rows */
};

enum { TIER_COLUMNS_MAX = 16, STANDBYS_MAX = 16 };

struct found {
    struct keep *keep;
    const char *database, *user;
    struct table tables[RELATIONS_MAX];
    unsigned ntables, more; /* more: tables that are left out */
    struct tier tiers[TIER_COLUMNS_MAX];
    unsigned ntiers;
    const char *standbys[STANDBYS_MAX][2];
    unsigned nstandbys;
};

/* --- what the database tells --- */

static const char *text_of(struct found *found, struct slice field)
{
    return field.at ? keep_slice(found->keep, field) : NULL;
}

static void hear_database(void *owner, const struct slice *fields, unsigned count)
{
    struct found *found = owner;

    if (count < 2)
        return;
    found->database = text_of(found, fields[0]);
    found->user = text_of(found, fields[1]);
}

static bool is_of(const char *schema, const char *table, const struct slice *fields)
{
    return slice_is(fields[0], schema) && slice_is(fields[1], table);
}

static struct table *table_of(struct found *found, const struct slice *fields)
{
    struct table *last = found->ntables ? &found->tables[found->ntables - 1] : NULL;

    if (last && is_of(last->schema, last->name, fields))
        return last;
    if (found->ntables == RELATIONS_MAX) {
        found->more++;
        return NULL;
    }
    last = &found->tables[found->ntables++];
    last->schema = text_of(found, fields[0]);
    last->name = text_of(found, fields[1]);
    return last;
}

static void hear_table(void *owner, const struct slice *fields, unsigned count)
{
    struct found *found = owner;
    struct table *table = count < 5 ? NULL : table_of(found, fields);

    if (!table || table->ncolumns == DIMENSIONS_MAX)
        return;
    table->columns[table->ncolumns++] = (struct column){.name = text_of(found, fields[2]),
                                                        .refers = text_of(found, fields[4]),
                                                        .unique = fields[3].len > 0};
}

static struct tier *tier_of(struct found *found, const struct slice *fields)
{
    struct tier *last = found->ntiers ? &found->tiers[found->ntiers - 1] : NULL;

    if (last && is_of(last->schema, last->table, fields) && slice_is(fields[2], last->column))
        return last;
    if (found->ntiers == TIER_COLUMNS_MAX)
        return NULL;
    last = &found->tiers[found->ntiers++];
    last->schema = text_of(found, fields[0]);
    last->table = text_of(found, fields[1]);
    last->column = text_of(found, fields[2]);
    last->referred = slice_is(fields[4], "true");
    return last;
}

static void hear_tier(void *owner, const struct slice *fields, unsigned count)
{
    struct found *found = owner;
    struct tier *tier = count < 5 ? NULL : tier_of(found, fields);

    if (tier && tier->nvalues < TIERS_MAX)
        tier->values[tier->nvalues++] = text_of(found, fields[3]);
}

static void hear_standby(void *owner, const struct slice *fields, unsigned count)
{
    struct found *found = owner;

    if (count < 2 || found->nstandbys == STANDBYS_MAX)
        return;
    found->standbys[found->nstandbys][0] = text_of(found, fields[0]);
    found->standbys[found->nstandbys++][1] = text_of(found, fields[1]);
}

static bool ask_all(struct ask *server, struct found *found, struct buf *why)
{
    return ask_rows(server, DATABASE_QUERY, hear_database, found, why) &&
           ask_rows(server, STANDBYS_QUERY, hear_standby, found, why) &&
           ask_rows(server, TABLES_QUERY, hear_table, found, why) &&
           ask_rows(server, TIERS_QUERY, hear_tier, found, why);
}

/* --- what is written --- */

static void put(const char *text)
{
    struct buf out = {0};

    yaml_put(&out, text);
    fwrite(buf_slice(&out).at, 1, buf_len(&out), stdout);
    buf_clear(&out);
}

/* A relation's name in the file has its schema in front where that is not public. */
static bool has_name(const struct table *table)
{
    return !strchr(table->name, '.') && !strchr(table->schema, '.');
}

static const char *name_of(struct found *found, const char *schema, const char *name)
{
    struct buf text = {0};
    const char *kept;

    if (strcmp(schema, "public") == 0)
        return name;
    buf_printf(&text, "%s.%s", schema, name);
    kept = keep_slice(found->keep, buf_slice(&text));
    buf_clear(&text);
    return kept;
}

static void put_head(const struct found *found)
{
    printf(
        "# Written by `pgtier init` from what the database tells; read it before you use it.\n"
        "#   export DATABASE_PRIMARY_URL=postgresql://%s@HOST:PORT/%s\n"
        "#   pgtier check FILE; pgtier FILE; then DATABASE_URL=postgresql://%s@127.0.0.1:6432/%s\n"
        "# All settings: pgtier reference. What it would do: pgtier explain FILE \"SELECT ..\"\n\n",
        found->user, found->database, found->user, found->database);
    printf("listen: { address: 127.0.0.1, port: 6432 }\n"
           "# Who connects is who it says it is: this is for a loopback address. Else give\n"
           "# type: scram-sha-256 and users: [{ name, password }].\n"
           "auth: { type: trust }\n"
           "admin: { users: [");
    put(found->user);
    printf("] } # who may use the console: psql .../pgtier -c 'SHOW HELP'\n\n");
}

static void put_database(const struct found *found)
{
    printf("databases:\n  ");
    put(found->database);
    printf(":\n    primary: ${DATABASE_PRIMARY_URL}\n");
    if (found->nstandbys)
        printf(
            "    # Standbys that stream from it now; the address is where they come from. Those\n"
            "    # whose variable is not set are left out.\n"
            "    replicas:\n");
    else
        printf("    # No standby streams from it now. One would be: replicas: [{ url: .. }]\n");
    for (unsigned i = 0; i < found->nstandbys; i++)
        printf("      - { url: \"${DATABASE_READ_REPLICA_%u_URL:-}\", priority: 1 } # %s, %s\n",
               i + 1, found->standbys[i][0], found->standbys[i][1]);
    printf("\npool: { mode: transaction, size: 25 }\n\n");
}

static void put_columns(const struct table *table, bool unique)
{
    unsigned count = 0;

    for (unsigned i = 0; i < table->ncolumns; i++) {
        if (unique && !table->columns[i].unique)
            continue;
        printf("%s", count++ ? ", " : "");
        put(table->columns[i].name);
    }
}

static void put_relations(struct found *found)
{
    if (found->ntables == 0) {
        printf("# No table has a key or a foreign key by which its rows could be told apart.\n");
        return;
    }
    printf("# Tables, those that are read most first. Dimensions tell their rows apart: a write to "
           "one\n"
           "# value makes old only what was read by it. Chosen: keys, then foreign keys.\n"
           "relations:\n");
    for (unsigned i = 0; i < found->ntables; i++) {
        const struct table *table = &found->tables[i];

        if (!has_name(table))
            continue;
        printf("  ");
        put(name_of(found, table->schema, table->name));
        printf(": { dimensions: [");
        put_columns(table, false);
        printf("], unique: [");
        put_columns(table, true);
        printf("] }\n");
    }
    if (found->more)
        printf("  # .. and others: only the first %u are written here\n", RELATIONS_MAX);
    printf("\n");
}

static const struct table *table_named(const struct found *found, const char *schema,
                                       const char *name)
{
    for (unsigned i = 0; i < found->ntables; i++)
        if (strcmp(found->tables[i].schema, schema) == 0 &&
            strcmp(found->tables[i].name, name) == 0 && has_name(&found->tables[i]))
            return &found->tables[i];
    return NULL;
}

/* Its table has the rows of users: others refer to them by its key. */
static const struct tier *tier_of_users(const struct found *found)
{
    for (unsigned i = 0; i < found->ntiers; i++) {
        const struct tier *tier = &found->tiers[i];
        const struct table *table = table_named(found, tier->schema, tier->table);

        if (tier->referred && table && table->columns[0].unique)
            return tier;
    }
    return NULL;
}

/* Better one of the rows themselves than of their users. */
static const struct tier *tier_of_rows(const struct found *found)
{
    const struct tier *users = tier_of_users(found), *other = users;

    for (unsigned i = 0; i < found->ntiers && other == users; i++)
        if (&found->tiers[i] != users &&
            table_named(found, found->tiers[i].schema, found->tiers[i].table))
            other = &found->tiers[i];
    return other;
}

/* The dimension by which most tables name a row of `table`. */
static const char *column_to(const struct found *found, const char *table)
{
    const char *best = NULL;
    unsigned most = 0;

    for (unsigned i = 0; i < found->ntables; i++)
        for (unsigned k = 0; k < found->tables[i].ncolumns; k++) {
            const struct column *column = &found->tables[i].columns[k];
            unsigned count = 0;

            if (!column->refers || strcmp(column->refers, table) != 0)
                continue;
            for (unsigned j = 0; j < found->ntables; j++)
                for (unsigned m = 0; m < found->tables[j].ncolumns; m++)
                    count += strcmp(found->tables[j].columns[m].name, column->name) == 0;
            if (count > most) {
                most = count;
                best = column->name;
            }
        }
    return best;
}

static void put_user(struct found *found, const struct tier *tier)
{
    const struct table *table = table_named(found, tier->schema, tier->table);
    const char *column = column_to(found, tier->table);

    printf("  # Whom a statement names is looked up here, where nothing else tells its tier.\n"
           "  user: { relation: ");
    put(name_of(found, tier->schema, tier->table));
    printf(", key: ");
    put(table->columns[0].name);
    printf(", tier: ");
    put(tier->column);
    if (column) {
        printf(", column: ");
        put(column);
    }
    printf(", cache: tier_access }\n");
}

static void put_path(struct found *found, const struct tier *tier)
{
    struct buf path = {0};

    buf_printf(&path, "%s.%s", name_of(found, tier->schema, tier->table), tier->column);
    buf_put(&path, "", 1);
    put((const char *)buf_slice(&path).at);
    printf("\n");
    buf_clear(&path);
}

static void put_tiers(struct found *found)
{
    const struct tier *rows = tier_of_rows(found), *users = tier_of_users(found);

    if (!rows) {
        printf("# No column looks like a tier (its name ends in tier or plan, its values are an "
               "enum's\n"
               "# or a CHECK's). With one: tiers: { names: [..], column: relation.column }\n\n");
        return;
    }
    printf("# The column looks like a tier: names are its values, in the order in which it lists "
           "them.\n"
           "# Lowest first is what is wanted.\n"
           "tiers:\n  names: [");
    for (unsigned i = 0; i < rows->nvalues; i++) {
        printf("%s", i ? ", " : "");
        put(rows->values[i]);
    }
    printf("]\n  column: ");
    put_path(found, rows);
    if (users)
        put_user(found, users);
    printf("\n");
}

/* Reads of one row by its key: what is asked for again most, and ends most precisely. */
static void put_operations(struct found *found)
{
    unsigned count = 0;

    for (unsigned i = 0; i < found->ntables && count < OPERATIONS_MAX; i++) {
        const struct table *table = &found->tables[i];
        struct buf name = {0};

        if (!has_name(table) || !table->columns[0].unique)
            continue;
        if (count++ == 0)
            printf("# One row by its key, of the tables that are read most: kept until it is "
                   "written.\n"
                   "# `pgtier advise FILE` tells after a while what else would gain.\n"
                   "operations:\n");
        buf_printf(&name, "%s_by_%s", table->name, table->columns[0].name);
        buf_put(&name, "", 1);
        printf("  ");
        put((const char *)buf_slice(&name).at);
        printf(":\n    match: { statement: select, relation: ");
        put(name_of(found, table->schema, table->name));
        printf(", where: { ");
        put(table->columns[0].name);
        printf(": known } }\n    target: 100ms\n    cache: by_key\n");
        buf_clear(&name);
    }
    printf("\ncache:\n  store: memory # or redis://host:6379\n  classes:\n"
           "    by_key: { key: \"by_key\", ttl: 1h }\n");
    if (tier_of_users(found))
        printf("    tier_access: { key: \"tier_access\", ttl: 15min }\n");
}

static void write_settings(struct found *found)
{
    put_head(found);
    put_database(found);
    put_relations(found);
    put_tiers(found);
    put_operations(found);
}

/* --- the command --- */

static bool is_url(const char *text)
{
    const char *why;
    struct url url;
    bool right;

    if (!url_parse(text, &url, &why)) {
        fprintf(stderr, "pgtier: that is no url: %s\n", why);
        return false;
    }
    right = url_is_postgres(&url);
    if (!right)
        fprintf(stderr, "pgtier: a url of a database begins with postgresql:// or postgres://\n");
    url_clear(&url);
    return right;
}

int init_settings(const char *url)
{
    struct found *found;
    struct buf why = {0};
    struct ask *server;
    bool right;

    if (!is_url(url))
        return 1;
    found = mem_new(sizeof(*found));
    found->keep = keep_new();
    server = ask_new(url, &why);
    right = server && ask_all(server, found, &why);
    if (right)
        write_settings(found);
    else
        fprintf(stderr, "pgtier: the database does not answer: %.*s\n", (int)buf_len(&why),
                (const char *)buf_slice(&why).at);
    ask_free(server);
    buf_clear(&why);
    keep_free(found->keep);
    mem_free(found);
    return right && fflush(stdout) == 0 ? 0 : 1;
}
