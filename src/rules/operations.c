/* The operations of a settings file: what is done with each, and that each can be reached. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "rules/loader.h"

struct operation_section {
    const struct yaml *match, *cache, *freshness, *route, *deny, *log;
    int64_t target, timeout;
    unsigned limit;
    bool shadow;
};

struct deny_section {
    const char *sqlstate, *message, *hint;
};

static const struct field DENY_FIELDS[] = {
    {.name = "sqlstate",
     .type = FIELD_TEXT,
     .at = offsetof(struct deny_section, sqlstate),
     .preset = "42501",
     .help = "five digits and capital letters, of a class of errors"},
    {.name = "message",
     .type = FIELD_TEXT,
     .at = offsetof(struct deny_section, message),
     .preset = "",
     .help = "what the client is told"},
    {.name = "hint",
     .type = FIELD_TEXT,
     .at = offsetof(struct deny_section, hint),
     .preset = "",
     .help = "what it might do instead"},
};

static const char *const ROUTE_WORDS[] = {"primary", "replica", "nearest", "least_busy", NULL};
static const struct form ROUTE = {.kind = FORM_WORD, .words = ROUTE_WORDS},
                         SHARE = {.kind = FORM_SHARE},
                         DENIAL = {.kind = FORM_MAP,
                                   .fields = DENY_FIELDS,
                                   .nfields = sizeof(DENY_FIELDS) / sizeof(DENY_FIELDS[0])};
static const struct form *const DENY_FORMS[] = {&FORM_OF_FLAG, &FORM_OF_TEXT, &DENIAL, NULL};
static const struct form *const LOG_FORMS[] = {&FORM_OF_FLAG, &SHARE, NULL};
static const struct form DENY = {.kind = FORM_EITHER, .forms = DENY_FORMS},
                         LOG = {.kind = FORM_EITHER, .forms = LOG_FORMS};

static const struct field OPERATION_FIELDS[] = {
    {.name = "match",
     .type = FIELD_NODE,
     .at = offsetof(struct operation_section, match),
     .form = &FORM_OF_MATCH,
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
     .form = &FORM_OF_TEXT,
     .help = "the cache class that keeps its answers"},
    {.name = "route",
     .type = FIELD_NODE,
     .at = offsetof(struct operation_section, route),
     .preset = "",
     .form = &ROUTE,
     .help =
         "primary, replica, nearest or least_busy (replicas of this location, or the one with the "
         "fewest requests, first)"},
    {.name = "freshness",
     .type = FIELD_NODE,
     .at = offsetof(struct operation_section, freshness),
     .preset = "",
     .form = &FORM_OF_FRESHNESS,
     .help = "causal, unbounded, or a bound as in 10s"},
    {.name = "timeout",
     .type = FIELD_DURATION,
     .at = offsetof(struct operation_section, timeout),
     .least = INT64_C(1000000),
     .most = INT64_C(86400000000000),
     .preset = "",
     .help = "how long one may take before it is cancelled with 57014"},
    {.name = "limit",
     .type = FIELD_NUMBER,
     .at = offsetof(struct operation_section, limit),
     .least = 1,
     .most = 1000000,
     .preset = "",
     .help =
         "how many may be at work at a time; others wait for their turn, up to pool.wait_timeout"},
    {.name = "deny",
     .type = FIELD_NODE,
     .at = offsetof(struct operation_section, deny),
     .preset = "",
     .form = &DENY,
     .help = "true, a message, or { sqlstate, message, hint }: the client gets an error instead"},
    {.name = "log",
     .type = FIELD_NODE,
     .at = offsetof(struct operation_section, log),
     .preset = "",
     .form = &LOG,
     .help = "true, or the share that has a line in the log, as in 1%"},
    {.name = "shadow",
     .type = FIELD_FLAG,
     .at = offsetof(struct operation_section, shadow),
     .preset = "false",
     .help = "counts what it would have named, and decides nothing"},
};

static const struct form OPERATION = {.kind = FORM_MAP,
                                      .fields = OPERATION_FIELDS,
                                      .nfields =
                                          sizeof(OPERATION_FIELDS) / sizeof(OPERATION_FIELDS[0])};
const struct form FORM_OF_OPERATIONS = {.kind = FORM_NAMED, .of = &OPERATION};

/* --- operations --- */

const struct cache_class *load_class_name(struct loader *loader, const struct yaml *node)
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
    static const struct {
        enum route route;
        enum prefer prefer;
    } means[] = {{ROUTE_PRIMARY, PREFER_TURN},
                 {ROUTE_REPLICA, PREFER_TURN},
                 {ROUTE_REPLICA, PREFER_NEAREST},
                 {ROUTE_REPLICA, PREFER_IDLE}};
    const unsigned count = sizeof(means) / sizeof(*means);
    const char *text = field_text(node, "route", loader->diag);

    for (unsigned i = 0; text && i < count; i++)
        if (strcmp(text, ROUTE_WORDS[i]) == 0) {
            operation->has_route = true;
            operation->route = means[i].route;
            operation->prefer = means[i].prefer;
            return;
        }
    if (text)
        field_unknown(node, "unknown route", text, ROUTE_WORDS, count, loader->diag);
}

/* Classes 00 to 02 are no errors. */
static bool is_error(const char *sqlstate)
{
    for (unsigned i = 0; i < 5; i++)
        if (!isdigit((unsigned char)sqlstate[i]) && !(sqlstate[i] >= 'A' && sqlstate[i] <= 'Z'))
            return false;
    return sqlstate[5] == '\0' && !(sqlstate[0] == '0' && strchr("012", sqlstate[1]));
}

static void load_deny(struct loader *loader, const struct yaml *node, struct operation *operation)
{
    struct deny_section section = {.sqlstate = "42501"};
    const char *text;

    if (node->kind == YAML_MAP) {
        char path[LOAD_PATH];

        snprintf(path, sizeof(path), "operations.%s.deny", operation->name);
        fields_read(DENY_FIELDS, sizeof(DENY_FIELDS) / sizeof(DENY_FIELDS[0]), node, path, &section,
                    loader->keep, loader->diag);
        if (section.sqlstate && !is_error(section.sqlstate)) {
            diag_add(loader->diag, node->line, node->column, "`%s.sqlstate` is no error: `%s`",
                     path, section.sqlstate);
            return;
        }
    } else {
        text = field_text(node, "deny", loader->diag);
        if (!text || strcmp(text, "false") == 0)
            return;
        if (strcmp(text, "true") != 0)
            section.message = keep_text(loader->keep, text);
    }
    operation->deny = (struct denial){
        .sqlstate = section.sqlstate,
        .message = section.message && *section.message ? section.message : "not allowed here",
        .hint = section.hint && *section.hint ? section.hint : NULL,
    };
}

static void load_log(struct loader *loader, const struct yaml *node, struct operation *operation)
{
    const char *text = field_text(node, "log", loader->diag);
    char *end = NULL;
    double share;

    if (!text || strcmp(text, "false") == 0)
        return;
    share = strcmp(text, "true") == 0 ? 1 : strtod(text, &end);
    if (end && *end == '%')
        share /= 100;
    if (end && (end == text || (*end && strcmp(end, "%") != 0) || !(share > 0 && share <= 1)))
        diag_add(loader->diag, node->line, node->column,
                 "`log` must be true, false, or a share as in 1%%, not `%s`", text);
    else
        operation->log = share;
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
    operation->match = load_match(loader, section.match, path);
    operation->freshness = loader->rules->freshness;
    operation->bound = loader->rules->bound;
    load_freshness(loader, section.freshness, "freshness", &operation->freshness,
                   &operation->bound);
    if (section.cache)
        operation->cache = load_class_name(loader, section.cache);
    if (section.route)
        load_route(loader, section.route, operation);
    operation->timeout = section.timeout;
    operation->limit = section.limit;
    if (section.deny)
        load_deny(loader, section.deny, operation);
    if (section.log)
        load_log(loader, section.log, operation);
    operation->shadow = section.shadow;
}

static void check_reach(struct loader *loader, const struct operation *operation,
                        const struct yaml *node)
{
    for (unsigned i = 0; i < operation->index; i++) {
        const struct operation *before = &loader->rules->operations[i];

        if (!before->shadow && match_covers(before->match, operation->match)) {
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
    rules->tallies = keep_array(loader->keep, node->count + 1, sizeof(*rules->tallies));
    for (const struct yaml *child = node->first; child; child = child->next) {
        operations[rules->noperations].index = rules->noperations;
        load_operation(loader, &operations[rules->noperations++], child);
    }
    if (loader->unclear)
        return; /* a match that was not understood covers too much */
    for (const struct yaml *child = node->first; child; child = child->next)
        check_reach(loader, operations++, child);
}
