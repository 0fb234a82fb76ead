/* The operations of a settings file: what each matches, and that each can be reached. */
#include <stdio.h>

#include "rules/loader.h"

struct operation_section {
    const struct yaml *match, *cache, *freshness, *route;
    int64_t target;
};

static const struct field OPERATION_FIELDS[] = {
    {.name = "match",
     .type = FIELD_NODE,
     .at = offsetof(struct operation_section, match),
     .help = "what a query must be to be named so"},
    {.name = "target",
     .type = FIELD_DURATION,
     .at = offsetof(struct operation_section, target),
     .least = INT64_C(1000),
     .most = INT64_C(86400000000000),
     .preset = "",
     .help = "how long it should take at most"},
    {.name = "cache",
     .type = FIELD_NODE,
     .at = offsetof(struct operation_section, cache),
     .preset = "",
     .help = "the cache class that keeps its answers"},
    {.name = "route",
     .type = FIELD_NODE,
     .at = offsetof(struct operation_section, route),
     .preset = "",
     .help = "primary or replica"},
    {.name = "freshness",
     .type = FIELD_NODE,
     .at = offsetof(struct operation_section, freshness),
     .preset = "",
     .help = "causal, unbounded, or a bound as in 10s"},
};

struct match_section {
    const struct yaml *statement, *relation, *sets, *reads, *aggregate, *where, *json_path, *tier,
        *role, *database, *application_name;
};

#define NODE_FIELD(word, text)                                                                     \
    {                                                                                              \
        .name = #word, .type = FIELD_NODE, .at = offsetof(struct match_section, word),             \
        .preset = "", .help = text                                                                 \
    }
static const struct field MATCH_FIELDS[] = {
    NODE_FIELD(statement, "its kind, or a list of kinds: select, insert, update, ..."),
    NODE_FIELD(relation,
               "a declared relation that it reads, or that it writes where it is a write"),
    NODE_FIELD(sets, "columns that it sets or inserts"),
    NODE_FIELD(reads, "columns that it reads"),
    NODE_FIELD(aggregate, "true: it aggregates or groups; false: it does not"),
    NODE_FIELD(where, "columns pinned by = or IN to known values, as in { id: known }"),
    NODE_FIELD(json_path, "a column into which it takes a JSON path, or column.key.key"),
    NODE_FIELD(tier, "its tier column is pinned to these tiers"),
    NODE_FIELD(role, "users"),
    NODE_FIELD(database, "databases of this file"),
    NODE_FIELD(application_name, "application names"),
};

/* --- match --- */

struct loading {
    struct loader *loader;
    struct operation_match *match;
};

static void add_statement(void *with, const struct yaml *node, const char *text)
{
#define X(name, word) word,
    static const char *const words[] = {STATEMENT_KINDS(X)};
#undef X
    struct loading *loading = with;

    for (unsigned i = 0; i < STATEMENT_KIND_COUNT; i++)
        if (strcmp(words[i], text) == 0) {
            loading->match->statements |= UINT64_C(1) << i;
            return;
        }
    field_unknown(node, "unknown statement kind", text, words, STATEMENT_KIND_COUNT,
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
    if (match->tiers && !loader->rules->tier_column)
        diag_add(loader->diag, section->tier->line, section->tier->column,
                 "`tier` never holds where `tiers.column` is not given");
}

static const struct operation_match *load_match(struct loader *loader, const struct yaml *node,
                                                const char *operation)
{
    struct operation_match *match = keep_take(loader->keep, sizeof(*match));
    struct loading loading = {loader, match};
    struct match_section section = {0};
    unsigned before = loader->diag->count;
    char path[LOAD_PATH];
    const char *text;

    snprintf(path, sizeof(path), "operations.%s.match", operation);
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
    check_match(loader, &section, match);
    loader->unclear |= !node || loader->diag->count > before;
    return match;
}

/* --- operations --- */

static const struct cache_class *load_class_name(struct loader *loader, const struct yaml *node)
{
    const struct rules *rules = loader->rules;
    const char *text = field_text(node, "cache", loader->diag), **names;

    if (!text)
        return NULL;
    names = keep_array(loader->keep, rules->nclasses + 1, sizeof(char *));
    for (unsigned i = 0; i < rules->nclasses; i++) {
        if (strcmp(rules->classes[i].name, text) == 0)
            return &rules->classes[i];
        names[i] = rules->classes[i].name;
    }
    field_unknown(node, "unknown cache class", text, names, rules->nclasses, loader->diag);
    return NULL;
}

static void load_route(struct loader *loader, const struct yaml *node, struct operation *operation)
{
    static const char *const words[] = {"primary", "replica"};
    const char *text = field_text(node, "route", loader->diag);

    if (!text)
        return;
    operation->has_route = true;
    if (strcmp(text, "replica") == 0)
        operation->route = ROUTE_REPLICA;
    else if (strcmp(text, "primary") == 0)
        operation->route = ROUTE_PRIMARY;
    else
        field_unknown(node, "`route` is primary or replica, not", text, words, 2, loader->diag);
}

static void load_operation(struct loader *loader, struct operation *operation,
                           const struct yaml *node)
{
    struct operation_section section = {0};
    char path[LOAD_PATH];

    snprintf(path, sizeof(path), "operations.%s", node->key);
    fields_read(OPERATION_FIELDS, sizeof(OPERATION_FIELDS) / sizeof(OPERATION_FIELDS[0]), node,
                path, &section, loader->keep, loader->diag);
    operation->name = keep_text(loader->keep, node->key);
    operation->line = node->key_line;
    operation->target = section.target;
    operation->match = load_match(loader, section.match, node->key);
    operation->freshness = loader->rules->freshness;
    operation->bound = loader->rules->bound;
    load_freshness(loader, section.freshness, "freshness", &operation->freshness,
                   &operation->bound);
    if (section.cache)
        operation->cache = load_class_name(loader, section.cache);
    if (section.route)
        load_route(loader, section.route, operation);
}

static void check_reach(struct loader *loader, const struct operation *operation,
                        const struct yaml *node)
{
    for (unsigned i = 0; i < operation->index; i++) {
        const struct operation *before = &loader->rules->operations[i];

        if (match_covers(before->match, operation->match)) {
            diag_add(loader->diag, node->key_line, node->key_column,
                     "operation `%s` is never reached: `%s` in line %u matches all that it would",
                     operation->name, before->name, before->line);
            return;
        }
    }
}

void load_operations(struct loader *loader)
{
    const struct yaml *node = yaml_child(loader->root, "operations");
    struct rules *rules = loader->rules;
    struct operation *operations;

    if (!node || !field_is_map(node, "operations", loader->diag))
        return;
    operations = keep_array(loader->keep, node->count + 1, sizeof(*operations));
    rules->operations = operations;
    for (const struct yaml *child = node->first; child; child = child->next) {
        operations[rules->noperations].index = rules->noperations;
        load_operation(loader, &operations[rules->noperations++], child);
    }
    if (loader->unclear)
        return; /* a match that was not understood covers too much */
    for (const struct yaml *child = node->first; child; child = child->next)
        check_reach(loader, operations++, child);
}
