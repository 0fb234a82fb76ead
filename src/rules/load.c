/* Compiles the tree of a settings file in the order in which its parts name each other: tiers,
 * relations, cache classes, operations. Goes on after a fault, so that all are told at once. */
#include "rules/load.h"

#include <stdio.h>

#include "base/units.h"
#include "rules/loader.h"

/* --- shared by the parts --- */

struct collect {
    struct loader *loader;
    const char **at;
    unsigned count;
};

static void collect_name(void *with, const struct yaml *node, const char *text)
{
    struct collect *collect = with;

    (void)node;
    collect->at[collect->count++] = keep_text(collect->loader->keep, text);
}

struct names load_names(struct loader *loader, const struct yaml *node, const char *path)
{
    struct collect collect = {.loader = loader};

    if (!node)
        return (struct names){0};
    collect.at = keep_array(loader->keep, node->count + 1, sizeof(char *));
    field_list(node, path, loader->diag, collect_name, &collect);
    return (struct names){collect.at, collect.count};
}

struct tier_bits {
    struct loader *loader;
    uint32_t bits;
};

static void add_tier(void *with, const struct yaml *node, const char *text)
{
    struct tier_bits *tiers = with;
    const struct rules *rules = tiers->loader->rules;

    for (unsigned i = 0; i < rules->ntiers; i++)
        if (strcmp(rules->tiers[i], text) == 0) {
            tiers->bits |= UINT32_C(1) << i;
            return;
        }
    field_unknown(node, "unknown tier", text, rules->tiers, rules->ntiers, tiers->loader->diag);
}

uint32_t load_tiers(struct loader *loader, const struct yaml *node, const char *path)
{
    struct tier_bits tiers = {.loader = loader};

    if (node)
        field_list(node, path, loader->diag, add_tier, &tiers);
    return tiers.bits;
}

/* "schema.name" or "name"; the schema is NULL in the second. */
static const char *split_name(struct loader *loader, const char *text, const char **schema)
{
    const char *dot = strchr(text, '.');

    *schema = dot ? keep_slice(loader->keep, slice_of(text, (size_t)(dot - text))) : NULL;
    return keep_text(loader->keep, dot ? dot + 1 : text);
}

static void tell_unknown_relation(struct loader *loader, const struct yaml *node, const char *name)
{
    const struct rules *rules = loader->rules;
    const char **names = keep_array(loader->keep, rules->nrelations + 1, sizeof(char *));

    for (unsigned i = 0; i < rules->nrelations; i++)
        names[i] = rules->relations[i].name;
    field_unknown(node, "unknown relation", name, names, rules->nrelations, loader->diag);
}

const struct relation *load_relation(struct loader *loader, const struct yaml *node,
                                     const char *name)
{
    const char *schema, *table = split_name(loader, name, &schema);
    const struct relation *relation = rules_relation(loader->rules, schema, table);

    if (!relation)
        tell_unknown_relation(loader, node, name);
    return relation;
}

void load_freshness(struct loader *loader, const struct yaml *node, const char *path,
                    enum freshness *freshness, int64_t *bound)
{
    const char *text = node ? field_text(node, path, loader->diag) : NULL;

    if (!text)
        return;
    if (strcmp(text, "causal") == 0)
        *freshness = FRESH_CAUSAL;
    else if (strcmp(text, "unbounded") == 0)
        *freshness = FRESH_UNBOUNDED;
    else if (units_duration(slice_text(text), bound) && *bound > 0)
        *freshness = FRESH_BOUND;
    else
        diag_add(loader->diag, node->line, node->column,
                 "`%s` must be causal, unbounded, or a bound as in 10s, not `%s`", path, text);
}

/* --- relations --- */

struct relation_section {
    const struct yaml *dimensions, *unique, *touches;
};

static const struct field RELATION_FIELDS[] = {
    {.name = "dimensions",
     .type = FIELD_NODE,
     .at = offsetof(struct relation_section, dimensions),
     .preset = "",
     .form = &FORM_OF_NAMES,
     .help = "columns by which its rows are told apart, most selective first"},
    {.name = "unique",
     .type = FIELD_NODE,
     .at = offsetof(struct relation_section, unique),
     .preset = "",
     .form = &FORM_OF_NAMES,
     .help = "those of its dimensions that are a key by themselves"},
    {.name = "touches",
     .type = FIELD_NODE,
     .at = offsetof(struct relation_section, touches),
     .preset = "",
     .form = &FORM_OF_NAMES,
     .help = "relations that its triggers, and the functions of its defaults and checks, write, "
             "[] where they write none; itself where they may change its dimensions or other rows "
             "of it. Not given: a write to it is one of everything, where it has such"},
};

/* The tables need not be declared. */
static struct touched load_touched(struct loader *loader, const struct yaml *node, const char *path)
{
    struct names names = load_names(loader, node, path);
    struct relation_name *at = keep_array(loader->keep, names.count + 1, sizeof(*at));

    for (unsigned i = 0; i < names.count; i++)
        at[i].name = split_name(loader, names.at[i], &at[i].schema);
    return (struct touched){at, names.count, node != NULL};
}

static int dimension_of(const struct relation *relation, const char *column)
{
    for (unsigned i = 0; i < relation->ndimensions; i++)
        if (strcmp(relation->dimensions[i], column) == 0)
            return (int)i;
    return -1;
}

struct relation_load {
    struct loader *loader;
    struct relation *relation;
};

static void add_dimension(void *with, const struct yaml *node, const char *text)
{
    struct relation_load *load = with;
    struct relation *relation = load->relation;

    if (dimension_of(relation, text) >= 0)
        diag_add(load->loader->diag, node->line, node->column, "dimension `%s` stands twice here",
                 text);
    else if (relation->ndimensions == DIMENSIONS_MAX)
        diag_add(load->loader->diag, node->line, node->column,
                 "a relation has at most %d dimensions", DIMENSIONS_MAX);
    else
        relation->dimensions[relation->ndimensions++] = keep_text(load->loader->keep, text);
}

static void mark_unique(void *with, const struct yaml *node, const char *text)
{
    struct relation_load *load = with;
    struct relation *relation = load->relation;
    int dimension = dimension_of(relation, text);

    if (dimension < 0)
        field_unknown(node, "`unique` names what is no dimension:", text, relation->dimensions,
                      relation->ndimensions, load->loader->diag);
    else
        relation->unique[dimension] = true;
}

static void load_relation_section(struct loader *loader, struct relation *relation,
                                  const struct yaml *node)
{
    struct relation_load load = {loader, relation};
    struct relation_section section = {0};
    char path[LOAD_PATH];

    relation->name = split_name(loader, node->key, &relation->schema);
    if (rules_relation(loader->rules, relation->schema, relation->name))
        diag_add(loader->diag, node->key_line, node->key_column,
                 "relation `%s` is declared above already, with or without its schema", node->key);
    snprintf(path, sizeof(path), "relations.%s", node->key);
    fields_read(RELATION_FIELDS, 3, node, path, &section, loader->keep, loader->diag);
    relation->touches = load_touched(loader, section.touches, path);
    if (section.dimensions)
        field_list(section.dimensions, path, loader->diag, add_dimension, &load);
    if (section.unique)
        field_list(section.unique, path, loader->diag, mark_unique, &load);
}

static void load_relations(struct loader *loader)
{
    const struct yaml *node = yaml_child(loader->root, "relations");
    struct relation *relations;

    if (!node || !field_is_map(node, "relations", loader->diag))
        return;
    relations = keep_array(loader->keep, node->count + 1, sizeof(*relations));
    loader->rules->relations = relations;
    for (const struct yaml *child = node->first; child; child = child->next) {
        load_relation_section(loader, &relations[loader->rules->nrelations], child);
        loader->rules->nrelations++;
    }
}

/* --- functions --- */

struct function_section {
    const struct yaml *safe, *touches;
};

static const struct form TOUCHES = {.kind = FORM_NAMED, .of = &FORM_OF_NAMES};

static const struct field FUNCTION_FIELDS[] = {
    {.name = "safe",
     .type = FIELD_NODE,
     .at = offsetof(struct function_section, safe),
     .preset = "",
     .form = &FORM_OF_NAMES,
     .help = "functions that change nothing and call nothing that does: a read that calls one may "
             "run on a replica"},
    {.name = "touches",
     .type = FIELD_NODE,
     .at = offsetof(struct function_section, touches),
     .preset = "",
     .form = &TOUCHES,
     .help = "functions by name, and the relations that each of them writes, [] where it writes "
             "none"},
};

static void load_functions(struct loader *loader)
{
    struct function_section section = {0};
    struct names names;
    struct said_function *functions;
    unsigned count = 0;

    fields_read(FUNCTION_FIELDS, 2, yaml_child(loader->root, "functions"), "functions", &section,
                loader->keep, loader->diag);
    names = load_names(loader, section.safe, "functions.safe");
    if (section.touches && !field_is_map(section.touches, "functions.touches", loader->diag))
        section.touches = NULL;
    functions =
        keep_array(loader->keep, names.count + (section.touches ? section.touches->count : 0) + 1,
                   sizeof(*functions));
    for (unsigned i = 0; i < names.count; i++, count++)
        functions[count].name = split_name(loader, names.at[i], &functions[count].schema);
    for (const struct yaml *child = section.touches ? section.touches->first : NULL; child;
         child = child->next, count++) {
        functions[count].name = split_name(loader, child->key, &functions[count].schema);
        functions[count].touches = load_touched(loader, child, "functions.touches");
    }
    loader->rules->functions = functions;
    loader->rules->nfunctions = count;
}

/* --- cache classes --- */

struct class_section {
    const char *key;
    int64_t ttl;
    const struct yaml *tier;
    bool compress;
    uint64_t max_size;
};

static const struct field CLASS_FIELDS[] = {
    {.name = "key",
     .type = FIELD_TEXT,
     .at = offsetof(struct class_section, key),
     .help = "the readable part of its keys, as in prof_eval:{user_id}:{id}"},
    {.name = "ttl",
     .type = FIELD_DURATION,
     .at = offsetof(struct class_section, ttl),
     .least = INT64_C(1000000),
     .most = INT64_C(31536000000000000),
     .help = "how long an entry is kept at most"},
    {.name = "tier",
     .type = FIELD_NODE,
     .at = offsetof(struct class_section, tier),
     .preset = "",
     .form = &FORM_OF_NAMES,
     .help = "keep answers of these tiers only"},
    {.name = "compress",
     .type = FIELD_FLAG,
     .at = offsetof(struct class_section, compress),
     .preset = "false",
     .help = "compress entries over 2 kB in Redis"},
    {.name = "max_size",
     .type = FIELD_SIZE,
     .at = offsetof(struct class_section, max_size),
     .preset = "0",
     .help = "bytes of all entries of the class, 0: no bound of its own"},
};

static bool is_dimension(const struct rules *rules, struct slice name)
{
    for (unsigned i = 0; i < rules->nrelations; i++)
        for (unsigned j = 0; j < rules->relations[i].ndimensions; j++)
            if (slice_is(name, rules->relations[i].dimensions[j]))
                return true;
    return false;
}

static void check_key(struct loader *loader, const struct yaml *node, const char *key)
{
    const char *end, *open = key;

    while ((open = strchr(open, '{'))) {
        struct slice name;

        end = strchr(open, '}');
        if (!end) {
            diag_add(loader->diag, node->line, node->column, "a { of the key is not closed");
            return;
        }
        name = slice_of(open + 1, (size_t)(end - open) - 1);
        if (!slice_is(name, "metric") && !slice_is(name, "path") &&
            !is_dimension(loader->rules, name))
            diag_add(loader->diag, node->line, node->column,
                     "`{%.*s}` is neither a declared dimension, nor {metric}, nor {path}",
                     (int)name.len, (const char *)name.at);
        open = end;
    }
}

static void load_class(struct loader *loader, struct cache_class *class, const struct yaml *node)
{
    struct class_section section = {0};
    char path[LOAD_PATH];

    snprintf(path, sizeof(path), "cache.classes.%s", node->key);
    fields_read(CLASS_FIELDS, sizeof(CLASS_FIELDS) / sizeof(CLASS_FIELDS[0]), node, path, &section,
                loader->keep, loader->diag);
    if (section.key)
        check_key(loader, yaml_child(node, "key"), section.key);
    class->name = keep_text(loader->keep, node->key);
    class->key = section.key;
    class->ttl = section.ttl;
    class->tiers = load_tiers(loader, section.tier, path);
    class->compress = section.compress;
    class->max_size = section.max_size;
    class->index = loader->rules->nclasses++;
}

static void load_classes(struct loader *loader)
{
    const struct yaml *node = yaml_child(yaml_child(loader->root, "cache"), "classes");
    struct cache_class *classes;

    if (!node || !field_is_map(node, "cache.classes", loader->diag))
        return;
    classes = keep_array(loader->keep, node->count + 1, sizeof(*classes));
    loader->rules->classes = classes;
    for (const struct yaml *child = node->first; child; child = child->next)
        load_class(loader, &classes[loader->rules->nclasses], child);
}

/* --- defaults --- */

struct default_section {
    int reads, writes;
    const struct yaml *freshness;
};

static const char *const READ_ROUTES[] = {"primary", "replica", NULL};
static const char *const WRITE_ROUTES[] = {"primary", NULL};

static const struct field DEFAULT_FIELDS[] = {
    {.name = "reads",
     .type = FIELD_WORD,
     .at = offsetof(struct default_section, reads),
     .words = READ_ROUTES,
     .preset = "replica",
     .help = "where reads go: primary or replica"},
    {.name = "writes",
     .type = FIELD_WORD,
     .at = offsetof(struct default_section, writes),
     .words = WRITE_ROUTES,
     .preset = "primary",
     .help = "where writes go: primary"},
    {.name = "freshness",
     .type = FIELD_NODE,
     .at = offsetof(struct default_section, freshness),
     .preset = "",
     .form = &FORM_OF_FRESHNESS,
     .help = "causal (the default), unbounded, or a bound as in 10s"},
};

static const char *const FRESHNESS_WORDS[] = {"causal", "unbounded", NULL};
static const struct form FRESHNESS_WORD = {.kind = FORM_WORD, .words = FRESHNESS_WORDS},
                         BOUND = {.kind = FORM_DURATION};
static const struct form *const FRESHNESS_FORMS[] = {&FRESHNESS_WORD, &BOUND, NULL};
const struct form FORM_OF_FRESHNESS = {.kind = FORM_EITHER, .forms = FRESHNESS_FORMS};

static void load_defaults(struct loader *loader)
{
    struct default_section section = {0};
    struct rules *rules = loader->rules;

    fields_read(DEFAULT_FIELDS, 3, yaml_child(loader->root, "defaults"), "defaults", &section,
                loader->keep, loader->diag);
    rules->reads = (enum route)section.reads;
    rules->writes = ROUTE_PRIMARY;
    load_freshness(loader, section.freshness, "defaults.freshness", &rules->freshness,
                   &rules->bound);
}

struct rules *rules_load(const struct yaml *root, struct diag *diag)
{
    struct keep *keep = keep_new();
    struct compiled *compiled = keep_take(keep, sizeof(*compiled));
    struct loader loader = {.keep = keep, .diag = diag, .rules = &compiled->rules, .root = root};

    compiled->keep = keep;
    compiled->rules.refs = 1;
    load_tier_names(&loader);
    load_relations(&loader);
    load_functions(&loader);
    load_defaults(&loader);
    load_classes(&loader);
    load_tier_sources(&loader);
    load_operations(&loader);
    load_events(&loader);
    return &compiled->rules;
}

/* --- the sections --- */

static const struct form RELATION = {.kind = FORM_MAP, .fields = RELATION_FIELDS, .nfields = 3};
static const struct form RELATIONS = {.kind = FORM_NAMED, .of = &RELATION};
static const struct form FUNCTIONS = {.kind = FORM_MAP, .fields = FUNCTION_FIELDS, .nfields = 2};
static const struct form DEFAULTS = {.kind = FORM_MAP, .fields = DEFAULT_FIELDS, .nfields = 3};
static const struct form CLASS = {.kind = FORM_MAP,
                                  .fields = CLASS_FIELDS,
                                  .nfields = sizeof(CLASS_FIELDS) / sizeof(CLASS_FIELDS[0])};
const struct form FORM_OF_CLASSES = {.kind = FORM_NAMED, .of = &CLASS};

const struct field RULES_SECTIONS[] = {
    {.name = "relations",
     .type = FIELD_NODE,
     .preset = "",
     .form = &RELATIONS,
     .help = "the tables that freshness and the rules are about, by name or schema.name"},
    {.name = "tiers",
     .type = FIELD_NODE,
     .preset = "",
     .form = &FORM_OF_TIERS,
     .help = "the tiers of a statement, and what tells them"},
    {.name = "functions",
     .type = FIELD_NODE,
     .preset = "",
     .form = &FUNCTIONS,
     .help = "what the catalog can't tell of functions"},
    {.name = "defaults",
     .type = FIELD_NODE,
     .preset = "",
     .form = &DEFAULTS,
     .help = "for what no operation says otherwise"},
    {.name = "operations",
     .type = FIELD_NODE,
     .preset = "",
     .form = &FORM_OF_OPERATIONS,
     .help = "by name; the first that matches names a statement, and says what is done with it"},
    {.name = "events",
     .type = FIELD_NODE,
     .preset = "",
     .form = &FORM_OF_EVENTS,
     .help = "by name: writes that are counted; a write may be several"},
};
const unsigned RULES_NSECTIONS = sizeof(RULES_SECTIONS) / sizeof(RULES_SECTIONS[0]);
