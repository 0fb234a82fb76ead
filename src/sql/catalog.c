#include "sql/catalog.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "sql/arena.h"
#include "sql/links.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* Valid on PostgreSQL 13 to 17. The first of seven fields says what a row is:
 *
 *     r  schema, name, oid, relkind, relpersistence, marks     a relation
 *     c  oid of its relation, name, type, marks, number        a column; of no type where it may
 *                                                              not be a dimension
 *     i  oid, oid of its parent                             inheritance, partitions
 *     d  oid, oid of what follows it, column, marks         a column of a foreign key that cascades
 *                                                           (or sets), on delete or update
 *     v  oid, text                                          a view's query
 *     p  oid, text                                          a policy's condition for reads
 *     k  relkind, names                                        relations of pg_catalog
 *     n  name                                               a schema that everybody may look at
 *     f  name, volatility in pg_catalog, elsewhere, marks,
 *        settings, "least most schema"                         functions outside of pg_catalog, one
 * for each number of arguments (most -1: any) and schema b  volatility, marks, names functions of
 * pg_catalog alone o  t or f, marks                                         user code behind
 * operators
 */
const char CATALOG_QUERY[] =
    "WITH RECURSIVE nsp AS (SELECT oid, nspname::text AS name FROM pg_catalog.pg_namespace"
    " WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
    " AND nspname !~ '^pg_(toast_)?temp_'),"
    " rel AS (SELECT c.*, n.name AS schema FROM pg_catalog.pg_class c"
    " JOIN nsp n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')),"
    " fun AS (SELECT proname::text AS name,"
    " max(provolatile::text) FILTER (WHERE pronamespace = 11) AS own,"
    " bool_or(pronamespace <> 11) AS elsewhere,"
    " CASE WHEN bool_or(prokind = 'a') THEN 'a' ELSE '' END AS marks"
    " FROM pg_catalog.pg_proc GROUP BY proname),"
    /* An aggregate is said to be immutable whatever the functions behind it do. */
    " theirs AS (SELECT p.proname::text AS name,"
    " max(CASE WHEN p.prokind = 'a' THEN 'v' ELSE p.provolatile::text END) AS volatility,"
    " GREATEST(p.pronargs - p.pronargdefaults - CASE WHEN p.provariadic <> 0 THEN 1 ELSE 0 END, 0)"
    " AS least, CASE WHEN p.provariadic <> 0 THEN -1 ELSE p.pronargs END AS most,"
    " s.nspname::text AS schema FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace s"
    " ON s.oid = p.pronamespace WHERE p.pronamespace <> 11 GROUP BY 1, 3, 4, 5)"
    /* Functions of the user's whose source may leave something on the session: in a language of
     * which nothing is known, or by one of these words (that of UPDATE's SET is told by what stands
     * before it, comments apart), themselves or by one that they name. What they set is looked for
     * under the names that are written there. */
    " , source AS (SELECT p.oid, p.proname::text AS name, p.prosrc AS text,"
    " l.lanname IN ('sql', 'plpgsql') AS known FROM pg_catalog.pg_proc p"
    " JOIN pg_catalog.pg_language l ON l.oid = p.prolang"
    " WHERE p.oid >= 16384 AND l.lanname NOT IN ('c', 'internal')),"
    " wild AS (SELECT s.name, COALESCE((SELECT string_agg(DISTINCT m[1], ' ') FROM"
    " pg_catalog.regexp_matches(s.text, '(?:''|\\mset\\s+(?:session\\s+)?)"
    "([a-z_][a-z0-9_$]*(?:\\.[a-z_][a-z0-9_$]*)+)', 'gi') m), '') AS settings,"
    " s.text ~* 'set_config' AS sets FROM source s"
    " WHERE NOT s.known OR s.text ~* 'set_config|advisory|pg_temp|setseed|replication_"
    "|\\m(temp|temporary|listen|unlisten|execute|hold|prepare|load|discard|reset)\\M"
    "|(^|;|\\m(begin|then|else|loop)\\M)\\s*set\\M'"
    " OR (s.text ~ '--|/[*]' AND s.text ~* '\\mset\\M')"
    " UNION SELECT s.name, w.settings, w.sets FROM source s JOIN wild w"
    " ON s.name <> w.name AND pg_catalog.strpos(s.text, w.name) > 0),"
    " leaving AS (SELECT name, string_agg(settings, ' ') AS settings, 'w' ||"
    " CASE WHEN bool_or(sets AND settings = '') THEN 'u' ELSE '' END AS marks"
    " FROM wild GROUP BY name)"
    /* Functions of the user's that may do anything, since STABLE is only their maker's word. Those
     * of extensions that write no row are let pass. */
    " , loose AS (SELECT p.oid FROM pg_catalog.pg_proc p"
    " WHERE (p.provolatile <> 'i' OR p.prokind = 'a') AND p.oid >= 16384"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e JOIN pg_catalog.pg_extension x"
    " ON e.refclassid = 'pg_catalog.pg_extension'::regclass AND e.refobjid = x.oid"
    " WHERE e.classid = 'pg_catalog.pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e'"
    " AND x.extname IN ('uuid-ossp', 'pgcrypto', 'hstore', 'citext', 'pg_trgm', 'unaccent'))),"
    /* Operators and casts with one behind them: they hide it as well. */
    " ways AS (SELECT 'pg_catalog.pg_proc'::regclass::oid AS classid, oid FROM loose"
    " UNION SELECT 'pg_catalog.pg_operator'::regclass, o.oid FROM pg_catalog.pg_operator o"
    " JOIN loose l ON l.oid = o.oprcode"
    " UNION SELECT 'pg_catalog.pg_cast'::regclass, s.oid FROM pg_catalog.pg_cast s"
    " JOIN loose l ON l.oid = s.castfunc"
    " UNION SELECT 'pg_catalog.pg_type'::regclass, y.oid FROM pg_catalog.pg_type y"
    " JOIN loose l ON l.oid IN (y.typinput, y.typoutput, y.typreceive, y.typsend)),"
    /* What runs one unseen: defaults and checks ('f', of writes), policies, views and rules ('v',
     * of reads too). Dependencies on PostgreSQL's own are not even recorded. */
    " unseen AS (SELECT DISTINCT d.classid, d.objid FROM pg_catalog.pg_depend d"
    " JOIN ways w ON d.refclassid = w.classid AND d.refobjid = w.oid),"
    /* Domains with one, in their default or a check of them or of one below them; once there is
     * one, every column of a user's type may hold it somewhere. */
    " domains AS (SELECT EXISTS (SELECT FROM unseen u JOIN pg_catalog.pg_constraint t"
    " ON u.classid = 'pg_catalog.pg_constraint'::regclass AND u.objid = t.oid"
    " WHERE t.contypid <> 0) OR EXISTS (SELECT FROM unseen u JOIN pg_catalog.pg_type t"
    " ON u.classid = 'pg_catalog.pg_type'::regclass AND u.objid = t.oid WHERE t.typtype = 'd')"
    " OR EXISTS (SELECT FROM ways w WHERE w.classid = 'pg_catalog.pg_type'::regclass)"
    " AS calling),"
    " calls AS (SELECT t.adrelid AS oid, 'f' AS mark FROM unseen u JOIN pg_catalog.pg_attrdef t"
    " ON u.classid = 'pg_catalog.pg_attrdef'::regclass AND u.objid = t.oid"
    " UNION SELECT t.conrelid, 'f' FROM unseen u JOIN pg_catalog.pg_constraint t"
    " ON u.classid = 'pg_catalog.pg_constraint'::regclass AND u.objid = t.oid"
    " UNION SELECT t.polrelid, 'v' FROM unseen u JOIN pg_catalog.pg_policy t"
    " ON u.classid = 'pg_catalog.pg_policy'::regclass AND u.objid = t.oid"
    " UNION SELECT t.ev_class, 'v' FROM unseen u JOIN pg_catalog.pg_rewrite t"
    " ON u.classid = 'pg_catalog.pg_rewrite'::regclass AND u.objid = t.oid"
    " UNION SELECT a.attrelid, 'f' FROM pg_catalog.pg_attribute a"
    " WHERE a.atttypid >= 16384 AND (SELECT calling FROM domains)"
    " UNION SELECT c.oid, 'v' FROM rel c WHERE (SELECT calling FROM domains)"
    " AND (c.relkind = 'v' OR c.relrowsecurity)),"
    /* A view that reads one with the mark has it too, and what reads that view. */
    " marked AS (SELECT oid, mark FROM calls UNION SELECT w.ev_class, 'v' FROM marked m"
    " JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass"
    " AND d.refobjid = m.oid AND d.classid = 'pg_catalog.pg_rewrite'::regclass"
    " JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid WHERE m.mark = 'v')"
    " SELECT 'r', c.schema, c.relname::text, c.oid::text, c.relkind::text,"
    " c.relpersistence::text,"
    " CASE WHEN c.relkind = 'p' OR c.relispartition OR EXISTS (SELECT FROM"
    " pg_catalog.pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)) THEN 'i' ELSE '' END ||"
    " CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid"
    " AND NOT t.tgisinternal AND t.tgname !~ '^pgtier_') THEN 't' ELSE '' END ||"
    " CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_rewrite w WHERE w.ev_class = c.oid"
    " AND w.rulename <> '_RETURN') THEN 'r' ELSE '' END ||"
    " CASE WHEN c.relrowsecurity THEN 's' ELSE '' END ||"
    " CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid"
    " AND a.attidentity <> '') OR EXISTS (SELECT FROM pg_catalog.pg_attrdef d"
    " WHERE d.adrelid = c.oid AND pg_catalog.pg_get_expr(d.adbin, d.adrelid) ~ 'nextval')"
    " THEN 'q' ELSE '' END ||"
    " COALESCE((SELECT string_agg(mark, '') FROM marked WHERE marked.oid = c.oid), '')"
    " FROM rel c"
    " UNION ALL SELECT 'c', a.attrelid::text, a.attname::text, CASE a.atttypid"
    " WHEN 21 THEN 'int2' WHEN 23 THEN 'int4' WHEN 20 THEN 'int8' WHEN 2950 THEN 'uuid'"
    " WHEN 16 THEN 'bool' ELSE CASE WHEN a.atttypid IN (25, 1043)"
    /* A varchar of a length drops blanks that are too many: what is stored is not what was given.
     */
    " AND (a.atttypid = 25 OR a.atttypmod < 0) AND l.collisdeterministic"
    " THEN 'text' ELSE '' END END,"
    " CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_index x JOIN pg_catalog.pg_opclass o"
    " ON o.oid = x.indclass[0] WHERE x.indrelid = a.attrelid AND x.indisunique"
    " AND x.indimmediate AND x.indisvalid AND x.indpred IS NULL AND x.indexprs IS NULL"
    " AND x.indnkeyatts = 1 AND x.indkey[0] = a.attnum AND o.oid < 16384) THEN 'u' ELSE '' END ||"
    " CASE WHEN a.attgenerated <> '' THEN 'g' ELSE '' END ||"
    " CASE WHEN a.atthasdef OR a.attidentity <> '' THEN 'd' ELSE '' END, a.attnum::text, NULL"
    " FROM pg_catalog.pg_attribute a JOIN rel c ON c.oid = a.attrelid"
    " LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation"
    " WHERE a.attnum > 0 AND NOT a.attisdropped"
    " UNION ALL SELECT 'i', i.inhrelid::text, i.inhparent::text, NULL, NULL, NULL, NULL"
    " FROM pg_catalog.pg_inherits i JOIN rel c ON c.oid = i.inhrelid"
    " UNION ALL SELECT 'd', k.confrelid::text, k.conrelid::text, a.attname::text,"
    " CASE WHEN k.confdeltype IN ('c', 'n', 'd') THEN 'd' ELSE '' END ||"
    " CASE WHEN k.confupdtype IN ('c', 'n', 'd') THEN 'u' ELSE '' END, NULL, NULL"
    " FROM pg_catalog.pg_constraint k JOIN rel c ON c.oid = k.confrelid"
    " JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = ANY (k.confkey)"
    " WHERE k.contype = 'f' AND (k.confdeltype IN ('c', 'n', 'd')"
    " OR k.confupdtype IN ('c', 'n', 'd'))"
    /* So many that their texts are not fetched every time; their readers do without. */
    " UNION ALL SELECT 'v', c.oid::text, pg_catalog.pg_get_viewdef(c.oid), NULL, NULL, NULL, NULL"
    " FROM rel c WHERE c.relkind = 'v'"
    " AND (SELECT pg_catalog.count(*) FROM rel WHERE relkind = 'v') <= 1000"
    " UNION ALL SELECT 'p', p.polrelid::text, pg_catalog.pg_get_expr(p.polqual, p.polrelid),"
    " NULL, NULL, NULL, NULL FROM pg_catalog.pg_policy p JOIN rel c ON c.oid = p.polrelid"
    " WHERE p.polcmd IN ('r', '*') AND p.polqual IS NOT NULL"
    " UNION ALL SELECT 'k', relkind::text, string_agg(relname::text, ' '), NULL, NULL, NULL, NULL"
    " FROM pg_catalog.pg_class WHERE relnamespace = 11 AND relkind IN ('r', 'v')"
    " GROUP BY relkind"
    " UNION ALL SELECT 'n', name, NULL, NULL, NULL, NULL, NULL FROM nsp"
    " WHERE pg_catalog.has_schema_privilege('public', oid, 'USAGE')"
    " UNION ALL SELECT 'f', f.name, f.own, t.volatility, f.marks || COALESCE(l.marks, ''),"
    " l.settings, t.least || ' ' || t.most || ' ' || t.schema"
    " FROM theirs t JOIN fun f ON f.name = t.name LEFT JOIN leaving l ON l.name = f.name"
    " UNION ALL SELECT 'b', own, marks, string_agg(name, ' '), NULL, NULL, NULL FROM fun"
    " WHERE NOT elsewhere GROUP BY own, marks"
    " UNION ALL SELECT 'o', CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_operator o"
    " JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode WHERE o.oid >= 16384 AND"
    " (p.provolatile <> 'i' OR (o.oprname = '=' AND o.oprleft < 16384 AND o.oprright < 16384)))"
    " OR EXISTS (SELECT FROM pg_catalog.pg_cast s LEFT JOIN pg_catalog.pg_proc p"
    " ON p.oid = s.castfunc WHERE s.oid >= 16384 AND"
    " (p.provolatile <> 'i' OR (s.castsource < 16384 AND s.casttarget < 16384)))"
    " OR EXISTS (SELECT FROM pg_catalog.pg_type y JOIN pg_catalog.pg_proc p"
    " ON p.oid IN (y.typinput, y.typoutput, y.typreceive, y.typsend)"
    " WHERE p.oid >= 16384 AND p.provolatile = 'v')"
    " THEN 't' ELSE 'f' END, CASE WHEN EXISTS (SELECT FROM ways w"
    " WHERE w.classid <> 'pg_catalog.pg_proc'::regclass) OR EXISTS (SELECT FROM"
    " pg_catalog.pg_opclass k JOIN pg_catalog.pg_amproc m ON m.amprocfamily = k.opcfamily"
    " JOIN loose l ON l.oid = m.amproc) THEN 'w' ELSE '' END ||"
    " CASE WHEN (SELECT calling FROM domains) THEN 'd' ELSE '' END, NULL, NULL, NULL, NULL";

enum { FIELDS = 7, SIGNATURE_MAX = 96 };

struct raw_column {
    uint32_t oid;    /* of its relation */
    uint32_t number; /* 0: not known */
    struct catalog_column column;
};

struct overload {
    struct catalog_function function;
    const char *schema; /* NULL: any */
    int least, most;    /* arguments; most -1: any number */
};

/* A view's definition, or a policy. */
struct raw_text {
    uint32_t oid; /* of its relation */
    bool policy;
    const char *text; /* NULL: it is not told */
};

struct catalog {
    atomic_uint refs;
    uint64_t digest;
    struct arena arena;
    struct buf relations; /* struct catalog_relation, by name and schema once finished */
    struct buf functions; /* struct overload, by name once finished */
    struct buf open;    /* const char *: schemas that everybody may look at, sorted once finished */
    struct buf columns; /* struct raw_column, until finished */
    struct buf parents; /* struct link: of a child to its parent; until finished */
    struct buf followers; /* struct link: of a table to one that follows; until finished */
    struct buf texts;     /* struct raw_text, until finished */
    bool operators, loose, domains;
};

struct catalog *catalog_new(void)
{
    struct catalog *catalog = mem_new(sizeof(*catalog));

    atomic_init(&catalog->refs, 1);
    /* until a row says otherwise */
    catalog->operators = catalog->loose = catalog->domains = true;
    return catalog;
}

static bool has_mark(struct slice marks, char mark)
{
    return marks.len && memchr(marks.at, mark, marks.len);
}

static bool read_oid(struct slice text, uint32_t *oid)
{
    uint64_t number = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9' || number > UINT32_MAX)
            return false;
        number = number * 10 + (text.at[i] - '0');
    }
    *oid = (uint32_t)number;
    return text.len > 0 && number <= UINT32_MAX;
}

static void put_relation(struct catalog *catalog, struct slice schema, struct slice name,
                         uint32_t oid, char kind, char persistence, struct slice marks)
{
    struct catalog_relation relation = {
        .schema = arena_text(&catalog->arena, schema),
        .name = arena_text(&catalog->arena, name),
        .oid = oid,
        .kind = kind,
        .persistence = persistence,
        .inherits = has_mark(marks, 'i'),
        .triggers = has_mark(marks, 't'),
        .sequences = has_mark(marks, 'q'),
        .rules = has_mark(marks, 'r'),
        .row_security = has_mark(marks, 's'),
        .write_calls = has_mark(marks, 'f'),
        .read_calls = has_mark(marks, 'v'),
    };

    buf_put(&catalog->relations, &relation, sizeof(relation));
}

static bool add_relation(struct catalog *catalog, const struct slice *fields)
{
    uint32_t oid;

    if (!fields[1].at || !fields[2].at || !read_oid(fields[3], &oid) || fields[4].len != 1 ||
        fields[5].len != 1)
        return false;
    put_relation(catalog, fields[1], fields[2], oid, (char)fields[4].at[0], (char)fields[5].at[0],
                 fields[6]);
    return true;
}

static bool add_column(struct catalog *catalog, const struct slice *fields)
{
    struct raw_column raw = {0};
    char *type;

    if (!read_oid(fields[1], &raw.oid) || !fields[2].at || !fields[3].at || !fields[4].at)
        return false;
    type = mem_text(fields[3].at, fields[3].len);
    raw.column = (struct catalog_column){
        .name = arena_text(&catalog->arena, fields[2]),
        .type = value_type_named(type),
        .generated = has_mark(fields[4], 'g'),
        .has_default = has_mark(fields[4], 'd'),
    };
    mem_free(type);
    if (fields[5].at && !read_oid(fields[5], &raw.number))
        return false;
    raw.column.unique = raw.column.type != TYPE_NONE && has_mark(fields[4], 'u');
    buf_put(&catalog->columns, &raw, sizeof(raw));
    return true;
}

static bool add_parent(struct catalog *catalog, const struct slice *fields)
{
    struct link link = {0};

    if (!read_oid(fields[1], &link.oid) || !read_oid(fields[2], &link.other))
        return false;
    buf_put(&catalog->parents, &link, sizeof(link));
    return true;
}

static bool add_follower(struct catalog *catalog, const struct slice *fields)
{
    struct link link = {0};

    if (!read_oid(fields[1], &link.oid) || !read_oid(fields[2], &link.other) || !fields[3].at)
        return false;
    link.follower.column = arena_text(&catalog->arena, fields[3]);
    link.follower.on_delete = has_mark(fields[4], 'd');
    link.follower.on_update = has_mark(fields[4], 'u');
    buf_put(&catalog->followers, &link, sizeof(link));
    return true;
}

static bool add_text(struct catalog *catalog, const struct slice *fields, bool policy)
{
    struct raw_text raw = {.policy = policy};

    if (!read_oid(fields[1], &raw.oid))
        return false;
    raw.text = fields[2].at ? arena_text(&catalog->arena, fields[2]) : NULL;
    buf_put(&catalog->texts, &raw, sizeof(raw));
    return true;
}

static void put_function(struct catalog *catalog, struct slice name, char own, char other,
                         struct slice marks, struct slice settings, struct slice signature)
{
    struct overload overload = {
        .function =
            {
                .name = arena_text(&catalog->arena, name),
                .volatility = own,
                .user = other != '\0',
                .user_volatility = other,
                .aggregate = has_mark(marks, 'a'),
                .leaving = has_mark(marks, 'w'),
                .computed = has_mark(marks, 'u'),
                .settings = settings.len ? arena_text(&catalog->arena, settings) : NULL,
            },
        .most = -1,
    };
    char text[SIGNATURE_MAX];
    int at = 0;

    snprintf(text, sizeof(text), "%.*s", (int)signature.len, (const char *)signature.at);
    if (signature.len < sizeof(text) &&
        sscanf(text, "%d %d %n", &overload.least, &overload.most, &at) == 2 && at)
        overload.schema = arena_text(&catalog->arena, slice_text(text + at));
    buf_put(&catalog->functions, &overload, sizeof(overload));
}

static bool add_open(struct catalog *catalog, const struct slice *fields)
{
    const char *name = fields[1].at ? arena_text(&catalog->arena, fields[1]) : NULL;

    if (name)
        buf_put(&catalog->open, &name, sizeof(name));
    return name != NULL;
}

static char letter_of(struct slice field)
{
    return field.len == 1 ? (char)field.at[0] : '\0';
}

static bool add_function(struct catalog *catalog, const struct slice *fields)
{
    if (!fields[1].at || letter_of(fields[3]) == '\0')
        return false;
    put_function(catalog, fields[1], letter_of(fields[2]), letter_of(fields[3]), fields[4],
                 fields[5], fields[6]);
    return true;
}

/* Cuts the next word off a list with blanks between; empty at the end. */
static struct slice next_word(struct slice *list)
{
    const uint8_t *blank = list->len ? memchr(list->at, ' ', list->len) : NULL;
    struct slice word = slice_first(*list, blank ? (size_t)(blank - list->at) : list->len);

    *list = slice_skip(*list, blank ? word.len + 1 : word.len);
    return word;
}

static bool add_builtins(struct catalog *catalog, const struct slice *fields)
{
    struct slice names = fields[3], word;

    if (letter_of(fields[1]) == '\0' || !names.at)
        return false;
    while ((word = next_word(&names)).len)
        put_function(catalog, word, letter_of(fields[1]), '\0', fields[2], slice_of(NULL, 0),
                     slice_of(NULL, 0));
    return true;
}

static bool add_system(struct catalog *catalog, const struct slice *fields)
{
    struct slice names = fields[2], word;

    if (letter_of(fields[1]) == '\0' || !names.at)
        return false;
    while ((word = next_word(&names)).len)
        put_relation(catalog, SLICE("pg_catalog"), word, 0, letter_of(fields[1]), 'p',
                     slice_of(NULL, 0));
    return true;
}

/* A sum: the rows come in any order. */
static void digest(struct catalog *catalog, const struct slice *fields)
{
    uint64_t hash = 0;

    for (unsigned i = 0; i < FIELDS; i++)
        hash = hash_join(hash, hash_slice(fields[i]));
    catalog->digest += hash;
}

uint64_t catalog_digest(const struct catalog *catalog)
{
    return catalog->digest;
}

bool catalog_add_row(struct catalog *catalog, const struct slice *fields, unsigned count)
{
    if (count != FIELDS)
        return false;
    digest(catalog, fields);
    switch (letter_of(fields[0])) {
    case 'r':
        return add_relation(catalog, fields);
    case 'c':
        return add_column(catalog, fields);
    case 'i':
        return add_parent(catalog, fields);
    case 'd':
        return add_follower(catalog, fields);
    case 'v':
        return add_text(catalog, fields, false);
    case 'p':
        return add_text(catalog, fields, true);
    case 'k':
        return add_system(catalog, fields);
    case 'n':
        return add_open(catalog, fields);
    case 'f':
        return add_function(catalog, fields);
    case 'b':
        return add_builtins(catalog, fields);
    case 'o':
        catalog->operators = letter_of(fields[1]) != 'f';
        catalog->loose = has_mark(fields[2], 'w');
        catalog->domains = has_mark(fields[2], 'd');
        return letter_of(fields[1]) != '\0';
    default:
        return false;
    }
}

static struct catalog_relation *relations_of(const struct catalog *catalog, size_t *count)
{
    *count = buf_len(&catalog->relations) / sizeof(struct catalog_relation);
    return (struct catalog_relation *)(void *)buf_slice(&catalog->relations).at;
}

static struct overload *functions_of(const struct catalog *catalog, size_t *count)
{
    *count = buf_len(&catalog->functions) / sizeof(struct overload);
    return (struct overload *)(void *)buf_slice(&catalog->functions).at;
}

static const char **open_of(const struct catalog *catalog, size_t *count)
{
    *count = buf_len(&catalog->open) / sizeof(char *);
    return (const char **)(void *)buf_slice(&catalog->open).at;
}

static struct raw_column *columns_of(const struct catalog *catalog, size_t *count)
{
    *count = buf_len(&catalog->columns) / sizeof(struct raw_column);
    return (struct raw_column *)(void *)buf_slice(&catalog->columns).at;
}

static int compare_relations(const void *a, const void *b)
{
    const struct catalog_relation *left = a, *right = b;
    int order = strcmp(left->name, right->name);

    return order ? order : strcmp(left->schema, right->schema);
}

static int compare_functions(const void *a, const void *b)
{
    const struct overload *left = a, *right = b;

    return strcmp(left->function.name, right->function.name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_columns(const void *a, const void *b)
{
    const struct raw_column *left = a, *right = b;

    if (left->oid != right->oid)
        return left->oid < right->oid ? -1 : 1;
    return strcmp(left->column.name, right->column.name);
}

/* Numbers have gaps where columns were dropped. */
static int place_of(const struct raw_column *raw, const struct raw_column *all, size_t count)
{
    int place = 0;

    for (size_t i = 0; i < count; i++) {
        if (!all[i].number)
            return -1;
        place += all[i].number < raw->number;
    }
    return place;
}

/* The columns of one relation stand side by side in the order of their oids. */
static void give_columns(struct catalog *catalog, struct catalog_relation *relation,
                         const struct raw_column *raw, size_t count)
{
    size_t low = 0, high = count, end;
    struct catalog_column *columns;

    while (low < high) {
        size_t mid = (low + high) / 2;

        if (raw[mid].oid < relation->oid)
            low = mid + 1;
        else
            high = mid;
    }
    for (end = low; end < count && raw[end].oid == relation->oid; end++)
        ;
    if (end == low || relation->oid == 0)
        return;
    columns = arena_take(&catalog->arena, (end - low) * sizeof(*columns));
    for (size_t i = low; i < end; i++) {
        columns[i - low] = raw[i].column;
        columns[i - low].number = raw[i].number;
        columns[i - low].place = place_of(&raw[i], raw + low, end - low);
    }
    relation->columns = columns;
    relation->ncolumns = (unsigned)(end - low);
}

static void give_text(struct catalog *catalog, struct catalog_relation *relation,
                      const struct raw_text *raw)
{
    const char **policies;

    if (!raw->policy) {
        relation->definition = raw->text;
        return;
    }
    policies = arena_take(&catalog->arena, (relation->npolicies + 1) * sizeof(*policies));
    for (unsigned i = 0; i < relation->npolicies; i++)
        policies[i] = relation->policies[i];
    policies[relation->npolicies++] = raw->text;
    relation->policies = policies;
}

static void give_texts(struct catalog *catalog, const struct links *links)
{
    size_t count = buf_len(&catalog->texts) / sizeof(struct raw_text);
    const struct raw_text *texts =
        (const struct raw_text *)(const void *)buf_slice(&catalog->texts).at;

    for (size_t i = 0; i < count; i++) {
        struct catalog_relation *relation = links_find(links, texts[i].oid);

        if (relation)
            give_text(catalog, relation, &texts[i]);
    }
}

static void tie(struct catalog *catalog)
{
    struct links links;
    size_t count;
    struct catalog_relation *relations = relations_of(catalog, &count);

    links_init(&links, relations, count, &catalog->arena);
    links_families(&links, (const struct link *)(const void *)buf_slice(&catalog->parents).at,
                   buf_len(&catalog->parents) / sizeof(struct link));
    links_followers(&links, (const struct link *)(const void *)buf_slice(&catalog->followers).at,
                    buf_len(&catalog->followers) / sizeof(struct link));
    give_texts(catalog, &links);
    links_clear(&links);
}

static void clear_raw(struct catalog *catalog)
{
    buf_clear(&catalog->columns);
    buf_clear(&catalog->parents);
    buf_clear(&catalog->followers);
    buf_clear(&catalog->texts);
}

void catalog_finish(struct catalog *catalog)
{
    size_t nrelations, nfunctions, ncolumns, nopen;
    struct catalog_relation *relations = relations_of(catalog, &nrelations);
    struct overload *functions = functions_of(catalog, &nfunctions);
    struct raw_column *columns = columns_of(catalog, &ncolumns);
    const char **open = open_of(catalog, &nopen);

    if (nopen)
        qsort(open, nopen, sizeof(*open), compare_names);
    if (ncolumns)
        qsort(columns, ncolumns, sizeof(*columns), compare_columns);
    if (nrelations)
        qsort(relations, nrelations, sizeof(*relations), compare_relations);
    if (nfunctions)
        qsort(functions, nfunctions, sizeof(*functions), compare_functions);
    for (size_t i = 0; i < nrelations; i++)
        give_columns(catalog, &relations[i], columns, ncolumns);
    tie(catalog);
    clear_raw(catalog);
}

void catalog_ref(struct catalog *catalog)
{
    atomic_fetch_add(&catalog->refs, 1);
}

void catalog_unref(struct catalog *catalog)
{
    if (!catalog || atomic_fetch_sub(&catalog->refs, 1) != 1)
        return;
    buf_clear(&catalog->relations);
    buf_clear(&catalog->functions);
    buf_clear(&catalog->open);
    clear_raw(catalog);
    arena_clear(&catalog->arena);
    mem_free(catalog);
}

static const struct catalog_relation *in_schema(const struct catalog_relation *first, size_t count,
                                                const char *schema)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(first[i].schema, schema) == 0)
            return &first[i];
    }
    return NULL;
}

static bool is_open(const struct catalog *catalog, const char *schema)
{
    size_t count;
    const char **open = open_of(catalog, &count);

    return strcmp(schema, "pg_catalog") == 0 ||
           (count && bsearch(&schema, open, count, sizeof(*open), compare_names));
}

/* A schema that its user may not look at is passed over. */
static const struct catalog_relation *by_path(const struct catalog *catalog,
                                              const struct catalog_relation *first, size_t count,
                                              const struct search_path *path)
{
    const struct catalog_relation *found = NULL, *other;

    for (unsigned i = 0; i < path->nschemas; i++) {
        other = in_schema(first, count, path->schemas[i]);
        if (!other || other == found)
            continue;
        if (found)
            return NULL;
        if (is_open(catalog, other->schema))
            return other;
        found = other;
    }
    return found;
}

static const struct catalog_relation *choose(const struct catalog *catalog,
                                             const struct catalog_relation *first, size_t count,
                                             const struct search_path *path, const char *schema)
{
    if (schema)
        return in_schema(first, count, schema);
    if (path)
        return by_path(catalog, first, count, path);
    /* Where several schemas have the name, only pg_catalog's is sure to be meant. */
    return count == 1 ? first : in_schema(first, count, "pg_catalog");
}

const struct catalog_relation *catalog_relation(const struct catalog *catalog,
                                                const struct search_path *path, const char *schema,
                                                const char *name)
{
    size_t count, low = 0, high, end;
    const struct catalog_relation *relations = relations_of(catalog, &count);

    for (high = count; low < high;) {
        size_t mid = (low + high) / 2;

        if (strcmp(relations[mid].name, name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (end = low; end < count && strcmp(relations[end].name, name) == 0; end++)
        ;
    return end > low ? choose(catalog, relations + low, end - low, path, schema) : NULL;
}

const struct catalog_column *catalog_column(const struct catalog_relation *relation,
                                            const char *name)
{
    for (unsigned i = 0; i < relation->ncolumns; i++) {
        if (strcmp(relation->columns[i].name, name) == 0)
            return &relation->columns[i];
    }
    return NULL;
}

static bool is_in_path(const struct search_path *path, const char *schema)
{
    for (unsigned i = 0; i < path->nschemas; i++)
        if (strcmp(path->schemas[i], schema) == 0)
            return true;
    return false;
}

static bool may_be_meant(const struct overload *overload, const struct search_path *path,
                         const char *schema, int nargs)
{
    if (nargs >= 0 && (nargs < overload->least || (overload->most >= 0 && nargs > overload->most)))
        return false;
    if (!overload->schema)
        return true;
    if (schema)
        return strcmp(overload->schema, schema) == 0;
    return !path || is_in_path(path, overload->schema);
}

static void take_worst(struct catalog_function *found, const struct catalog_function *other)
{
    found->user = true;
    if (other->user_volatility > found->user_volatility) /* i, s, v */
        found->user_volatility = other->user_volatility;
}

/* What is said of PostgreSQL's own of that name, and of what the sources of all others leave,
 * stands with each overload. */
bool catalog_function(const struct catalog *catalog, const struct search_path *path,
                      const char *schema, const char *name, int nargs,
                      struct catalog_function *found)
{
    struct overload key = {.function.name = name};
    size_t count;
    const struct overload *functions = functions_of(catalog, &count);
    const struct overload *first =
        count ? bsearch(&key, functions, count, sizeof(key), compare_functions) : NULL;

    if (!first)
        return false;
    while (first > functions && strcmp(first[-1].function.name, name) == 0)
        first--;
    *found = first->function;
    found->user = false;
    found->user_volatility = '\0';
    for (; first < functions + count && strcmp(first->function.name, name) == 0; first++)
        if (first->function.user && may_be_meant(first, path, schema, nargs))
            take_worst(found, &first->function);
    return found->volatility || found->user;
}

bool catalog_user_operators(const struct catalog *catalog)
{
    return catalog->operators;
}

bool catalog_loose_operators(const struct catalog *catalog)
{
    return catalog->loose;
}

bool catalog_loose_domains(const struct catalog *catalog)
{
    return catalog->domains;
}
