/* Settings by name. Few per session, so a list serves. Does not know what values mean. */
#include "pool/vars.h"

#include "base/hash.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>

enum { HURRY_MS = 200 };

static bool is_named(const struct var *var, struct slice name)
{
    return slice_is_nocase(name, var->name);
}

static struct var *find(const struct vars *vars, struct slice name)
{
    for (unsigned i = 0; i < vars->count; i++)
        if (is_named(&vars->at[i], name))
            return &vars->at[i];
    return NULL;
}

void vars_clear(struct vars *vars)
{
    for (unsigned i = 0; i < vars->count; i++) {
        mem_free(vars->at[i].name);
        mem_free(vars->at[i].value);
    }
    mem_free(vars->at);
    *vars = (struct vars){0};
}

void vars_set(struct vars *vars, struct slice name, struct slice value, bool reported)
{
    struct var *var = find(vars, name);

    if (!var) {
        if (vars->count == vars->cap) {
            vars->cap = vars->cap ? vars->cap * 2 : 8;
            vars->at = mem_grow(vars->at, vars->cap * sizeof(*vars->at));
        }
        var = &vars->at[vars->count++];
        *var = (struct var){.name = mem_text(name.at, name.len)};
    }
    var->ours |= !reported;
    var->reported |= reported;
    if (var->value && slice_is(value, var->value))
        return;
    mem_free(var->value);
    var->value = mem_text(value.at, value.len);
}

void vars_copy(struct vars *to, const struct vars *from)
{
    vars_clear(to);
    for (unsigned i = 0; i < from->count; i++) {
        const struct var *var = &from->at[i];

        vars_set(to, slice_text(var->name), slice_text(var->value), var->reported);
        to->at[i].ours = var->ours;
    }
}

void vars_remove(struct vars *vars, struct slice name)
{
    struct var *var = find(vars, name);

    if (!var)
        return;
    mem_free(var->name);
    mem_free(var->value);
    *var = vars->at[--vars->count];
}

const struct var *vars_find(const struct vars *vars, struct slice name)
{
    return find(vars, name);
}

bool vars_settable(struct slice name)
{
    static const char *const names[] = {"application_name", "client_encoding",
                                        "DateStyle",        "default_transaction_read_only",
                                        "IntervalStyle",    "standard_conforming_strings",
                                        "TimeZone"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (slice_is_nocase(name, names[i]))
            return true;
    return false;
}

/* A name goes into SQL as a quoted identifier where it is not a plain word, parts of a custom
 * setting's name one by one. */
static void put_name(struct buf *sql, const char *name)
{
    buf_put(sql, "\"", 1);
    for (; *name; name++) {
        if (*name == '.')
            buf_put(sql, "\".\"", 3);
        else if (*name == '"')
            buf_put(sql, "\"\"", 2);
        else
            buf_put(sql, name, 1);
    }
    buf_put(sql, "\"", 1);
}

static void put_value(struct buf *sql, struct slice value)
{
    bool escaped = value.len && memchr(value.at, '\\', value.len);

    buf_put(sql, escaped ? " E'" : "'", escaped ? 3 : 1);
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] == '\'' || value.at[i] == '\\')
            buf_put(sql, &value.at[i], 1);
        buf_put(sql, &value.at[i], 1);
    }
    buf_put(sql, "'", 1);
}

void vars_write_set(struct buf *sql, struct slice name, struct slice value)
{
    /* A list such as search_path would be one quoted element if it were set by SET. */
    buf_printf(sql, "SELECT pg_catalog.set_config(");
    put_value(sql, name);
    buf_printf(sql, ",");
    put_value(sql, value);
    buf_printf(sql, ",false);");
}

static bool is_identity(const struct var *var)
{
    struct slice name = slice_text(var->name);

    return slice_is_nocase(name, "role") || slice_is_nocase(name, "session_authorization");
}

static bool differs(const struct vars *vars, const struct var *wanted)
{
    const struct var *has = find(vars, slice_text(wanted->name));

    return !has || strcmp(has->value, wanted->value) != 0;
}

/* The server's own identity again, if anything else is to change. */
static void become_oneself(struct vars *server, const struct vars *session, struct buf *sql)
{
    bool changes = false, other = false;

    for (unsigned i = 0; i < server->count; i++) {
        changes |= server->at[i].ours && !find(session, slice_text(server->at[i].name));
        other |= server->at[i].ours && is_identity(&server->at[i]);
    }
    for (unsigned i = 0; i < session->count; i++)
        changes |= differs(server, &session->at[i]);
    if (!changes || !other)
        return;
    buf_printf(sql, "RESET SESSION AUTHORIZATION;RESET ROLE;");
    vars_remove(server, SLICE("session_authorization"));
    vars_remove(server, SLICE("role"));
}

static void reset_others(struct vars *server, const struct vars *session, struct buf *sql)
{
    for (unsigned i = 0; i < server->count; i++) {
        if (!server->at[i].ours || find(session, slice_text(server->at[i].name)))
            continue;
        buf_printf(sql, "RESET ");
        put_name(sql, server->at[i].name);
        buf_printf(sql, ";");
        vars_remove(server, slice_text(server->at[i].name));
        i--;
    }
}

static void set_wanted(struct vars *server, const struct var *wanted, struct buf *sql)
{
    if (!differs(server, wanted))
        return;
    vars_write_set(sql, slice_text(wanted->name), slice_text(wanted->value));
    vars_set(server, slice_text(wanted->name), slice_text(wanted->value), false);
}

static void set_identity(struct vars *server, const struct vars *session, struct slice name,
                         struct buf *sql)
{
    const struct var *wanted = find(session, name);

    if (wanted)
        set_wanted(server, wanted, sql);
}

bool vars_match_some(struct vars *server, const struct vars *wanted, struct buf *sql)
{
    size_t before = buf_len(sql);

    for (unsigned i = 0; i < wanted->count; i++)
        if (!is_identity(&wanted->at[i]))
            set_wanted(server, &wanted->at[i], sql);
    set_identity(server, wanted, SLICE("session_authorization"), sql);
    set_identity(server, wanted, SLICE("role"), sql);
    return buf_len(sql) > before;
}

bool vars_match(struct vars *server, const struct vars *session, struct buf *sql)
{
    size_t before = buf_len(sql);

    become_oneself(server, session, sql);
    reset_others(server, session, sql);
    vars_match_some(server, session, sql);
    return buf_len(sql) > before;
}

/* Milliseconds where no unit stands behind. */
bool vars_hurried(const struct vars *server)
{
    const struct var *var = find(server, SLICE("statement_timeout"));
    char *end;
    unsigned long value;

    if (!var || !var->ours)
        return false;
    value = strtoul(var->value, &end, 10);
    return value > 0 && value < HURRY_MS && (!*end || strcmp(end, "ms") == 0);
}

/* Of any length: names that differ in their last byte are different settings. */
static uint64_t hash_nocase(const char *text)
{
    char folded[64];
    uint64_t hash = 0;

    do {
        size_t len = 0;

        for (; *text && len < sizeof(folded); len++)
            folded[len] = (char)tolower((unsigned char)*text++);
        hash = hash_join(hash, hash_bytes(folded, len));
    } while (*text);
    return hash;
}

uint64_t vars_hash(const struct vars *vars, bool results)
{
    uint64_t hash = 0;

    /* A sum does not mind the order. */
    for (unsigned i = 0; i < vars->count; i++)
        if (!results || !slice_is_nocase(slice_text(vars->at[i].name), "application_name"))
            hash +=
                hash_join(hash_nocase(vars->at[i].name), hash_slice(slice_text(vars->at[i].value)));
    return hash;
}
