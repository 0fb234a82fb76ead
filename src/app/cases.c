#include "app/cases.h"

#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "conf/field.h"
#include "sql/finger.h"

enum { PATH = 64 };

/* A case as it stands in the file. */
struct written {
    const char *name, *sql, *role, *database, *application_name, *client;
    int transaction;
    const struct yaml *params, *settings, *expect;
};

static const char *const TRANSACTIONS[] = {
#define X(name, word) word,
    ASKER_TRANSACTIONS(X)
#undef X
        NULL};

#define AT(member) offsetof(struct written, member)
static const struct field CASE[] = {
    {.name = "name",
     .type = FIELD_TEXT,
     .at = AT(name),
     .preset = "",
     .help = "told where it fails"},
    {.name = "sql", .type = FIELD_TEXT, .at = AT(sql), .help = "the statement"},
    {.name = "params",
     .type = FIELD_NODE,
     .at = AT(params),
     .preset = "",
     .help = "a list: the values of $1, $2, .. as texts"},
    {.name = "role", .type = FIELD_TEXT, .at = AT(role), .preset = "", .help = "who asks"},
    {.name = "database", .type = FIELD_TEXT, .at = AT(database), .preset = "", .help = "the first"},
    {.name = "application_name",
     .type = FIELD_TEXT,
     .at = AT(application_name),
     .preset = "",
     .help = "as the client gives it"},
    {.name = "client",
     .type = FIELD_TEXT,
     .at = AT(client),
     .preset = "",
     .help = "the client's address, or unix"},
    {.name = "transaction",
     .type = FIELD_WORD,
     .at = AT(transaction),
     .words = TRANSACTIONS,
     .preset = "none",
     .help = "what the statement stands in"},
    {.name = "settings",
     .type = FIELD_NODE,
     .at = AT(settings),
     .preset = "",
     .help = "a map: pgtier.* as SET sets them"},
    {.name = "expect", .type = FIELD_NODE, .at = AT(expect), .preset = "", .help = "a map"},
};

const char *expectation_key(enum expectation expectation)
{
    static const char *const keys[] = {
#define X(name, key) key,
        EXPECTATIONS(X)
#undef X
    };

    return keys[expectation];
}

struct reading {
    const struct rules *rules;
    const char *database;
    struct cases *cases;
    struct diag *diag;
};

/* --- what is expected --- */

static bool is_operation(const struct rules *rules, const char *name)
{
    for (unsigned i = 0; i < rules->noperations; i++)
        if (strcmp(rules->operations[i].name, name) == 0)
            return true;
    return false;
}

static bool is_class(const struct rules *rules, const char *name)
{
    for (unsigned i = 0; i < rules->nclasses; i++)
        if (strcmp(rules->classes[i].name, name) == 0)
            return true;
    return false;
}

static bool is_tier(const struct rules *rules, const char *name)
{
    for (unsigned i = 0; i < rules->ntiers; i++)
        if (strcmp(rules->tiers[i], name) == 0)
            return true;
    return false;
}

static bool is_reason(const char *code)
{
    for (unsigned i = 0; i < PLAN_REASON_COUNT; i++)
        if (strcmp(plan_reason_code((enum plan_reason)i), code) == 0)
            return true;
    return false;
}

/* A name that the rules don't have could never be met, and would look like a fault of theirs. */
static bool could_be(const struct rules *rules, enum expectation expectation, const char *text)
{
    if (strcmp(text, "none") == 0)
        return true;
    switch (expectation) {
    case EXPECT_OPERATION:
        return is_operation(rules, text);
    case EXPECT_CACHE:
        return is_class(rules, text);
    case EXPECT_TIER:
        return is_tier(rules, text);
    case EXPECT_WHY_PRIMARY:
    case EXPECT_WHY_NOT_CACHED:
        return is_reason(text);
    case EXPECT_ROUTE:
        return strcmp(text, "primary") == 0 || strcmp(text, "replica") == 0;
    default:
        return true;
    }
}

/* "1000ms" is "1s". */
static const char *normal(struct keep *keep, enum expectation expectation, const char *text)
{
    char duration[24];
    int64_t ns;

    if ((expectation != EXPECT_TARGET && expectation != EXPECT_TIMEOUT &&
         expectation != EXPECT_FRESHNESS) ||
        !units_duration(slice_text(text), &ns))
        return text;
    units_duration_text(ns, duration);
    return keep_text(keep, duration);
}

static void read_expected(struct reading *reading, struct one_case *into, const struct yaml *node)
{
    const char *keys[EXPECTATION_COUNT];
    const char *text;

    for (unsigned i = 0; i < EXPECTATION_COUNT; i++) {
        keys[i] = expectation_key((enum expectation)i);
        if (strcmp(keys[i], node->key) != 0)
            continue;
        text = field_text(node, node->key, reading->diag);
        if (text && !could_be(reading->rules, (enum expectation)i, text))
            diag_add(reading->diag, node->line, node->column,
                     "`%s` can't be `%s`: the rules have no such name", node->key, text);
        else if (text)
            into->expected[i] = normal(reading->cases->keep, (enum expectation)i, text);
        return;
    }
    field_unknown_key(node, keys, EXPECTATION_COUNT, reading->diag);
}

static void read_expect(struct reading *reading, struct one_case *into, const struct yaml *expect)
{
    if (expect && !field_is_map(expect, "expect", reading->diag))
        return;
    for (const struct yaml *node = expect ? expect->first : NULL; node; node = node->next)
        read_expected(reading, into, node);
    if (!expect || expect->count == 0)
        diag_add(reading->diag, into->line, 1, "this case expects nothing: give it `expect`");
}

/* --- who asks, and how --- */

static void read_params(struct reading *reading, struct one_case *into, const struct yaml *params)
{
    const char **texts;

    if (!params)
        return;
    if (params->kind != YAML_LIST) {
        diag_add(reading->diag, params->line, params->column, "`params` must be a list, not %s",
                 yaml_kind_text(params));
        return;
    }
    texts = keep_array(reading->cases->keep, params->count + 1, sizeof(*texts));
    for (const struct yaml *node = params->first; node; node = node->next)
        texts[into->nparams++] = node->kind == YAML_SCALAR && node->empty
                                     ? NULL
                                     : field_text(node, "params", reading->diag);
    into->params = texts;
}

static void read_setting(struct reading *reading, struct one_case *into, const struct yaml *node)
{
    enum hint hint = hint_named(slice_text(node->key));
    const char *text = field_text(node, node->key, reading->diag);

    if (hint == HINT_COUNT)
        diag_add(reading->diag, node->key_line, node->key_column,
                 "`%s` is none of pgtier's settings: pgtier.cache, route, freshness, tier or "
                 "operation",
                 node->key);
    else if (text && !hint_set(&into->hints, hint, slice_text(text)))
        diag_add(reading->diag, node->line, node->column, "`%s` must be %s, not `%s`", node->key,
                 hint_values(hint), text);
}

static void read_settings(struct reading *reading, struct one_case *into,
                          const struct yaml *settings)
{
    if (!settings || !field_is_map(settings, "settings", reading->diag))
        return;
    for (const struct yaml *node = settings->first; node; node = node->next)
        read_setting(reading, into, node);
}

/* Hints that a text holds are understood, or the case would pass for a reason of its own. */
static void check_tags(struct reading *reading, const struct one_case *one)
{
    struct hints hints = {0};
    struct values values;
    struct hash128 hash;

    finger_text(slice_text(one->sql), &hash, &values);
    hint_read(&hints, values.tags);
    if (hints.wrong.len)
        diag_add(reading->diag, one->line, 1, "this tag is not understood: %.*s",
                 (int)hints.wrong.len, (const char *)hints.wrong.at);
}

static void check_name(struct reading *reading, const struct one_case *one)
{
    for (const struct one_case *before = reading->cases->at; before < one; before++)
        if (*one->name && strcmp(before->name, one->name) == 0)
            diag_add(reading->diag, one->line, 1, "`%s` is the name of the case at line %u too",
                     one->name, before->line);
}

static const char *or_else(const char *text, const char *other)
{
    return text && *text ? text : other;
}

static void read_case(struct reading *reading, const struct yaml *node)
{
    struct one_case *into = &reading->cases->at[reading->cases->count];
    struct written written = {0};
    char path[PATH];

    snprintf(path, sizeof(path), "case %u", reading->cases->count + 1);
    fields_read(CASE, sizeof(CASE) / sizeof(CASE[0]), node, path, &written, reading->cases->keep,
                reading->diag);
    into->name = or_else(written.name, "");
    into->sql = written.sql;
    into->line = node->line;
    into->asker = (struct asker){.database = or_else(written.database, reading->database),
                                 .user = or_else(written.role, ""),
                                 .application_name = or_else(written.application_name, ""),
                                 .address = or_else(written.client, ""),
                                 .transaction = (enum asker_transaction)written.transaction};
    read_params(reading, into, written.params);
    read_settings(reading, into, written.settings);
    read_expect(reading, into, written.expect);
    check_name(reading, into);
    if (into->sql)
        check_tags(reading, into);
    reading->cases->count++;
}

bool cases_read(const char *path, const struct rules *rules, const char *database,
                struct cases *cases, struct diag *diag)
{
    struct reading reading = {rules, database, cases, diag};
    struct yaml *root;

    *cases = (struct cases){.keep = keep_new()};
    root = yaml_read(path, cases->keep, diag);
    if (!root)
        return false;
    if (root->kind != YAML_LIST || root->count == 0) {
        diag_add(diag, root->line, root->column, "the file must be a list of cases, not %s",
                 root->kind == YAML_LIST ? "an empty one" : yaml_kind_text(root));
        return false;
    }
    cases->at = keep_array(cases->keep, root->count, sizeof(*cases->at));
    for (const struct yaml *node = root->first; node; node = node->next)
        read_case(&reading, node);
    return diag->count == 0;
}

void cases_clear(struct cases *cases)
{
    keep_free(cases->keep);
}
