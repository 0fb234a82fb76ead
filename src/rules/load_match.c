/* What an operation of a settings file matches. */
#include <stdio.h>

#include "rules/loader.h"
#include "rules/plan.h"

struct match_section {
    const struct yaml *statement, *relation, *sets, *reads, *aggregate, *where, *json_path, *tier,
        *role, *database, *application_name, *client, *hint, *transaction;
};

static const char *const STATEMENT_WORDS[] = {
#define X(name, word) word,
    STATEMENT_KINDS(X)
#undef X
        NULL};
static const char *const TRANSACTION_WORDS[] = {
#define X(name, word) word,
    ASKER_TRANSACTIONS(X)
#undef X
        NULL};
static const char *const WHERE_WORDS[] = {"known", NULL};
static const struct form STATEMENTS = {.kind = FORM_WORDS, .words = STATEMENT_WORDS},
                         TRANSACTIONS = {.kind = FORM_WORDS, .words = TRANSACTION_WORDS},
                         KNOWN = {.kind = FORM_WORD, .words = WHERE_WORDS},
                         WHERE = {.kind = FORM_NAMED, .of = &KNOWN};

#define NODE_FIELD(word, in, text)                                                                 \
    {                                                                                              \
        .name = #word, .type = FIELD_NODE, .at = offsetof(struct match_section, word),             \
        .preset = "", .form = &(in), .help = text                                                  \
    }
static const struct field MATCH_FIELDS[] = {
    NODE_FIELD(statement, STATEMENTS, "its kind, or a list of kinds: select, insert, update, ..."),
    NODE_FIELD(relation, FORM_OF_TEXT,
               "a declared relation that it reads, or that it writes where it is a write"),
    NODE_FIELD(sets, FORM_OF_NAMES, "columns that it sets or inserts"),
    NODE_FIELD(reads, FORM_OF_NAMES, "columns that it reads"),
    NODE_FIELD(aggregate, FORM_OF_FLAG, "true: it aggregates or groups; false: it does not"),
    NODE_FIELD(where, WHERE, "columns pinned by = or IN to known values, as in { id: known }"),
    NODE_FIELD(json_path, FORM_OF_TEXT,
               "a column into which it takes a JSON path, or column.key.key"),
    NODE_FIELD(tier, FORM_OF_NAMES, "its tier column is pinned to these tiers"),
    NODE_FIELD(role, FORM_OF_NAMES, "users"),
    NODE_FIELD(database, FORM_OF_NAMES, "databases of this file"),
    NODE_FIELD(application_name, FORM_OF_NAMES, "application names"),
    NODE_FIELD(client, FORM_OF_NAMES, "networks that it comes from, as in 10.0.0.0/8, or unix"),
    NODE_FIELD(hint, FORM_OF_NAMES,
               "what the client calls it: tag operation='..', or pgtier.operation"),
    NODE_FIELD(transaction, TRANSACTIONS, "none, read_only or read_write: what it runs in"),
};

const struct form FORM_OF_MATCH = {.kind = FORM_MAP,
                                   .fields = MATCH_FIELDS,
                                   .nfields = sizeof(MATCH_FIELDS) / sizeof(MATCH_FIELDS[0])};

struct loading {
    struct loader *loader;
    struct operation_match *match;
    struct network *clients;
};

static void add_statement(void *with, const struct yaml *node, const char *text)
{
    struct loading *loading = with;

    for (unsigned i = 0; i < STATEMENT_KIND_COUNT; i++)
        if (strcmp(STATEMENT_WORDS[i], text) == 0) {
            loading->match->statements |= UINT64_C(1) << i;
            return;
        }
    field_unknown(node, "unknown statement kind", text, STATEMENT_WORDS, STATEMENT_KIND_COUNT,
                  loading->loader->diag);
}

static struct names load_where(struct loader *loader, const struct yaml *node)
{
    const char **columns, *text;
    unsigned count = 0;

    if (!node || !field_is_map(node, "where", loader->diag))
        return (struct names){0};
    columns = keep_array(loader->keep, node->count + 1, sizeof(char *));
    for (const struct yaml *child = node->first; child; child = child->next) {
        text = field_text(child, child->key, loader->diag);
        if (text && strcmp(text, "known") != 0)
            diag_add(loader->diag, child->line, child->column, "`where.%s` must be known, not `%s`",
                     child->key, text);
        columns[count++] = keep_text(loader->keep, child->key);
    }
    return (struct names){columns, count};
}

static void load_json_path(struct loader *loader, const struct yaml *node,
                           struct operation_match *match)
{
    const char *text = field_text(node, "json_path", loader->diag), *dot;

    if (!text)
        return;
    dot = strchr(text, '.');
    match->json_column =
        keep_slice(loader->keep, slice_of(text, dot ? (size_t)(dot - text) : strlen(text)));
    match->json_path = dot ? keep_text(loader->keep, dot + 1) : NULL;
}

static int load_aggregate(struct loader *loader, const struct yaml *node)
{
    const char *text = node ? field_text(node, "aggregate", loader->diag) : NULL;

    if (!text)
        return -1;
    if (strcmp(text, "true") == 0)
        return 1;
    if (strcmp(text, "false") != 0)
        diag_add(loader->diag, node->line, node->column,
                 "`aggregate` must be true or false, not `%s`", text);
    return 0;
}

static void check_database(void *with, const struct yaml *node, const char *text)
{
    struct loader *loader = with;
    const struct yaml *databases = yaml_child(loader->root, "databases");
    const char **names;
    unsigned count = 0;

    if (!databases || databases->kind != YAML_MAP || yaml_child(databases, text))
        return;
    names = keep_array(loader->keep, databases->count + 1, sizeof(char *));
    for (const struct yaml *child = databases->first; child; child = child->next)
        names[count++] = child->key;
    field_unknown(node, "unknown database", text, names, count, loader->diag);
}

#define KIND(name) (UINT64_C(1) << STATEMENT_##name)

/* What could never hold is a slip of the pen. */
static void check_match(struct loader *loader, const struct match_section *section,
                        const struct operation_match *match)
{
    const uint64_t setting = KIND(INSERT) | KIND(UPDATE) | KIND(MERGE);
    const uint64_t pinless = KIND(INSERT) | KIND(COPY_FROM) | KIND(TRUNCATE);

    if (match->sets.count > 0 && match->statements && !(match->statements & setting))
        diag_add(loader->diag, section->sets->line, section->sets->column,
                 "`sets` never holds for a statement of this kind");
    if (match->where.count > 0 && match->statements && !(match->statements & ~pinless))
        diag_add(loader->diag, section->where->line, section->where->column,
                 "`where` never holds for a statement of this kind");
}

static void add_client(void *with, const struct yaml *node, const char *text)
{
    struct loading *loading = with;
    struct operation_match *match = loading->match;

    if (network_read(text, &loading->clients[match->nclients]))
        match->nclients++;
    else
        diag_add(loading->loader->diag, node->line, node->column,
                 "`client` must be an address, a network as in 10.0.0.0/8, or unix, not `%s`",
                 text);
}

static void load_clients(struct loading *loading, const struct yaml *node)
{
    unsigned most = node->kind == YAML_LIST ? node->count : 1;

    loading->clients = keep_array(loading->loader->keep, most + 1, sizeof(*loading->clients));
    loading->match->clients = loading->clients;
    field_list(node, "client", loading->loader->diag, add_client, loading);
}

static void add_transaction(void *with, const struct yaml *node, const char *text)
{
    const unsigned count = sizeof(TRANSACTION_WORDS) / sizeof(*TRANSACTION_WORDS) - 1;
    struct loading *loading = with;

    for (unsigned i = 0; i < count; i++)
        if (strcmp(TRANSACTION_WORDS[i], text) == 0) {
            loading->match->transactions |= 1u << i;
            return;
        }
    field_unknown(node, "unknown state of a transaction", text, TRANSACTION_WORDS, count,
                  loading->loader->diag);
}

const struct operation_match *load_match(struct loader *loader, const struct yaml *node,
                                         const char *of)
{
    struct operation_match *match = keep_take(loader->keep, sizeof(*match));
    struct loading loading = {.loader = loader, .match = match};
    struct match_section section = {0};
    unsigned before = loader->diag->count;
    char path[LOAD_PATH];
    const char *text;

    snprintf(path, sizeof(path), "%s.match", of);
    fields_read(MATCH_FIELDS, sizeof(MATCH_FIELDS) / sizeof(MATCH_FIELDS[0]), node, path, &section,
                loader->keep, loader->diag);
    if (section.statement)
        field_list(section.statement, "statement", loader->diag, add_statement, &loading);
    text = section.relation ? field_text(section.relation, "relation", loader->diag) : NULL;
    if (text)
        match->relation = load_relation(loader, section.relation, text);
    match->sets = load_names(loader, section.sets, "sets");
    match->reads = load_names(loader, section.reads, "reads");
    match->where = load_where(loader, section.where);
    match->aggregate = load_aggregate(loader, section.aggregate);
    if (section.json_path)
        load_json_path(loader, section.json_path, match);
    match->tiers = load_tiers(loader, section.tier, "tier");
    match->roles = load_names(loader, section.role, "role");
    match->databases = load_names(loader, section.database, "database");
    if (section.database && section.database->kind != YAML_MAP)
        field_list(section.database, "database", loader->diag, check_database, loader);
    match->applications = load_names(loader, section.application_name, "application_name");
    match->hints = load_names(loader, section.hint, "hint");
    if (section.client)
        load_clients(&loading, section.client);
    if (section.transaction)
        field_list(section.transaction, "transaction", loader->diag, add_transaction, &loading);
    check_match(loader, &section, match);
    loader->unclear |= !node || loader->diag->count > before;
    return match;
}
