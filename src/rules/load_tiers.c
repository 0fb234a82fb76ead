/* The tiers of a settings file, and all that tells which one a statement is of. */
#include "rules/loader.h"

struct tier_section {
    const struct yaml *names, *column, *implied, *roles, *databases, *user;
};

struct user_section {
    const struct yaml *relation, *key, *tier, *column, *cache;
};

#define USER_FIELD(word, otherwise, text)                                                          \
    {                                                                                              \
        .name = #word, .type = FIELD_NODE, .at = offsetof(struct user_section, word),              \
        .preset = otherwise, .form = &FORM_OF_TEXT, .help = text                                   \
    }
static const struct field USER_FIELDS[] = {
    USER_FIELD(relation, NULL, "the declared relation of users"),
    USER_FIELD(key, NULL, "its unique dimension that names a user"),
    USER_FIELD(tier, NULL, "its column that tells the tier"),
    USER_FIELD(column, "", "the dimension by which other relations name their user"),
    USER_FIELD(cache, NULL, "the cache class that keeps what was found"),
};

static const struct form USER = {.kind = FORM_MAP,
                                 .fields = USER_FIELDS,
                                 .nfields = sizeof(USER_FIELDS) / sizeof(USER_FIELDS[0])},
                         NAMES_BY_TIER = {.kind = FORM_NAMED, .of = &FORM_OF_NAMES},
                         TEXTS = {.kind = FORM_NAMED, .of = &FORM_OF_TEXT};

static const struct field TIER_FIELDS[] = {
    {.name = "names",
     .type = FIELD_NODE,
     .at = offsetof(struct tier_section, names),
     .form = &FORM_OF_NAMES,
     .help = "the tiers, lowest first"},
    {.name = "column",
     .type = FIELD_NODE,
     .at = offsetof(struct tier_section, column),
     .preset = "",
     .form = &FORM_OF_TEXT,
     .help = "relation.column that tells a row's tier"},
    {.name = "implied",
     .type = FIELD_NODE,
     .at = offsetof(struct tier_section, implied),
     .preset = "",
     .form = &NAMES_BY_TIER,
     .help = "by tier: relations, or relation.column, that only statements of this tier touch"},
    {.name = "user",
     .type = FIELD_NODE,
     .at = offsetof(struct tier_section, user),
     .preset = "",
     .form = &USER,
     .help = "where the tier of a user is looked up whom a statement names"},
    {.name = "roles",
     .type = FIELD_NODE,
     .at = offsetof(struct tier_section, roles),
     .preset = "",
     .form = &TEXTS,
     .help = "the tier of a role's statements, where nothing else tells it"},
    {.name = "databases",
     .type = FIELD_NODE,
     .at = offsetof(struct tier_section, databases),
     .preset = "",
     .form = &TEXTS,
     .help = "the tier of a database's statements, where nothing else tells it"},
};

const struct form FORM_OF_TIERS = {.kind = FORM_MAP,
                                   .fields = TIER_FIELDS,
                                   .nfields = sizeof(TIER_FIELDS) / sizeof(TIER_FIELDS[0])};

void load_tier_names(struct loader *loader)
{
    const struct yaml *node = yaml_child(loader->root, "tiers");
    struct rules *rules = loader->rules;
    struct names names;

    node = node ? yaml_child(node, "names") : NULL;
    if (!node)
        return;
    names = load_names(loader, node, "tiers.names");
    if (names.count > TIERS_MAX)
        diag_add(loader->diag, node->line, node->column, "`tiers.names` holds more than %d tiers",
                 TIERS_MAX);
    for (unsigned i = 0; i < names.count && i < TIERS_MAX; i++) {
        for (unsigned j = 0; j < i; j++)
            if (strcmp(names.at[i], names.at[j]) == 0)
                diag_add(loader->diag, node->line, node->column, "`tiers.names` holds `%s` twice",
                         names.at[i]);
        rules->tiers[rules->ntiers++] = names.at[i];
    }
}

/* The relation, and the column behind the last dot; `column` NULL: the text names a relation. */
static const struct relation *split_column(struct loader *loader, const struct yaml *node,
                                           const char *text, const char **column)
{
    const char *dot = strrchr(text, '.');

    *column = NULL;
    if (!dot || !dot[1])
        return load_relation(loader, node, text);
    *column = keep_text(loader->keep, dot + 1);
    return load_relation(loader, node,
                         keep_slice(loader->keep, slice_of(text, (size_t)(dot - text))));
}

static void load_column(struct loader *loader, const struct yaml *node)
{
    const char *text = field_text(node, "tiers.column", loader->diag), *column;
    const struct relation *relation;

    if (text && !strchr(text, '.')) {
        diag_add(loader->diag, node->line, node->column,
                 "`tiers.column` must be relation.column, not `%s`", text);
        return;
    }
    relation = text ? split_column(loader, node, text, &column) : NULL;
    if (relation && column) {
        loader->rules->tier_relation = relation->name;
        loader->rules->tier_column = column;
    }
}

/* --- implied --- */

struct implying {
    struct loader *loader;
    struct implied_tier *at;
    unsigned tier;
};

static void add_implied(void *with, const struct yaml *node, const char *text)
{
    struct implying *implying = with;
    struct rules *rules = implying->loader->rules;
    struct implied_tier *implied = &implying->at[rules->nimplied];

    implied->relation = rules_relation(rules, NULL, text);
    implied->column = NULL;
    if (!implied->relation)
        implied->relation = split_column(implying->loader, node, text, &implied->column);
    implied->tier = implying->tier;
    rules->nimplied += implied->relation != NULL;
}

static unsigned count_values(const struct yaml *map)
{
    unsigned count = 0;

    for (const struct yaml *child = map->first; child; child = child->next)
        count += child->kind == YAML_LIST ? child->count : 1;
    return count;
}

/* The tier that a key names; false, and told, where there is none. */
static bool find_tier(struct loader *loader, const struct yaml *node, const char *text,
                      unsigned *tier)
{
    const struct rules *rules = loader->rules;

    for (*tier = 0; *tier < rules->ntiers; (*tier)++)
        if (strcmp(rules->tiers[*tier], text) == 0)
            return true;
    field_unknown(node, "unknown tier", text, rules->tiers, rules->ntiers, loader->diag);
    return false;
}

static void load_implied(struct loader *loader, const struct yaml *node)
{
    struct implying implying = {.loader = loader};

    if (!field_is_map(node, "tiers.implied", loader->diag))
        return;
    implying.at = keep_array(loader->keep, count_values(node) + 1, sizeof(*implying.at));
    loader->rules->implied = implying.at;
    for (const struct yaml *child = node->first; child; child = child->next)
        if (find_tier(loader, child, child->key, &implying.tier))
            field_list(child, "tiers.implied", loader->diag, add_implied, &implying);
}

/* --- roles and databases --- */

static const struct named_tier *load_named(struct loader *loader, const struct yaml *node,
                                           const char *path, unsigned *count)
{
    struct named_tier *at;

    *count = 0;
    if (!field_is_map(node, path, loader->diag))
        return NULL;
    at = keep_array(loader->keep, node->count + 1, sizeof(*at));
    for (const struct yaml *child = node->first; child; child = child->next) {
        const char *text = field_text(child, path, loader->diag);

        at[*count].name = keep_text(loader->keep, child->key);
        *count += text && find_tier(loader, child, text, &at[*count].tier);
    }
    return at;
}

/* --- the user --- */

static const char *dimension_named(struct loader *loader, const struct yaml *node, const char *path,
                                   const struct relation *relation, bool unique)
{
    const char *text = field_text(node, path, loader->diag);

    for (unsigned i = 0; text && i < relation->ndimensions; i++)
        if (strcmp(relation->dimensions[i], text) == 0) {
            if (!unique || relation->unique[i])
                return relation->dimensions[i];
            diag_add(loader->diag, node->line, node->column,
                     "`%s` must be unique in relation `%s`: `%s` is not", path, relation->name,
                     text);
            return NULL;
        }
    if (text)
        field_unknown(node, "unknown dimension", text, relation->dimensions, relation->ndimensions,
                      loader->diag);
    return NULL;
}

static void load_user(struct loader *loader, const struct yaml *node)
{
    struct user_section section = {0};
    struct tier_user user = {0};
    const char *text;

    fields_read(USER_FIELDS, sizeof(USER_FIELDS) / sizeof(USER_FIELDS[0]), node, "tiers.user",
                &section, loader->keep, loader->diag);
    if (!section.relation || !section.key || !section.tier || !section.cache)
        return;
    text = field_text(section.relation, "tiers.user.relation", loader->diag);
    user.relation = text ? load_relation(loader, section.relation, text) : NULL;
    if (!user.relation)
        return;
    user.key = dimension_named(loader, section.key, "tiers.user.key", user.relation, true);
    text = field_text(section.tier, "tiers.user.tier", loader->diag);
    user.tier = text ? keep_text(loader->keep, text) : NULL;
    text = section.column ? field_text(section.column, "tiers.user.column", loader->diag) : NULL;
    user.column = text ? keep_text(loader->keep, text) : NULL;
    user.cache = load_class_name(loader, section.cache);
    if (user.key && user.tier && user.cache)
        loader->rules->tier_user = user;
}

void load_tier_sources(struct loader *loader)
{
    const struct yaml *node = yaml_child(loader->root, "tiers");
    struct rules *rules = loader->rules;
    struct tier_section section = {0};

    if (!node)
        return;
    fields_read(TIER_FIELDS, sizeof(TIER_FIELDS) / sizeof(TIER_FIELDS[0]), node, "tiers", &section,
                loader->keep, loader->diag);
    if (section.column)
        load_column(loader, section.column);
    if (section.implied)
        load_implied(loader, section.implied);
    if (section.user)
        load_user(loader, section.user);
    if (section.roles)
        rules->role_tiers = load_named(loader, section.roles, "tiers.roles", &rules->nrole_tiers);
    if (section.databases)
        rules->database_tiers =
            load_named(loader, section.databases, "tiers.databases", &rules->ndatabase_tiers);
}
