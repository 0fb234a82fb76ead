#include "app/reference.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "app/settings.h"
#include "base/units.h"
#include "conf/field.h"

/* --- JSON Schema --- */

static json_t *of_form(const struct form *form);

static json_t *of_type(const char *type)
{
    return json_pack("{s:s}", "type", type);
}

static json_t *of_pattern(const char *pattern)
{
    return json_pack("{s:s, s:s}", "type", "string", "pattern", pattern);
}

/* A value may come from the environment, whatever its type; and stand there as nothing. */
static json_t *or_variable(json_t *schema)
{
    return json_pack("{s:[o, o]}", "anyOf", schema, of_pattern("\\$\\{"));
}

static json_t *of_words(const char *const *words)
{
    json_t *list = json_array();

    for (; *words; words++)
        json_array_append_new(list, json_string(*words));
    return json_pack("{s:o}", "enum", list);
}

/* YAML's own numbers and flags are texts as well. */
static json_t *of_text(void)
{
    return json_pack("{s:[s, s, s]}", "type", "string", "number", "boolean");
}

static json_t *one_or_list(json_t *schema)
{
    json_t *list = json_pack("{s:s, s:O}", "type", "array", "items", schema);

    return json_pack("{s:[o, o]}", "anyOf", schema, list);
}

static json_t *of_number(const struct field *field)
{
    json_t *schema = of_type("integer");

    if (field->most) {
        json_object_set_new(schema, "minimum", json_integer(field->least));
        json_object_set_new(schema, "maximum", json_integer(field->most));
    }
    return or_variable(schema);
}

static json_t *of_duration(void)
{
    return json_pack("{s:[{s:i}, o, o]}", "anyOf", "const", 0,
                     of_pattern("^[0-9.]+ ?(ns|us|ms|s|min|m|h|d|w)$|^0$"), of_pattern("\\$\\{"));
}

static json_t *of_size(void)
{
    return json_pack("{s:[{s:s, s:i}, o, o]}", "anyOf", "type", "integer", "minimum", 0,
                     of_pattern("^[0-9]+(\\.[0-9]+)? ?([kKmMgGtT]?[bB])?$"), of_pattern("\\$\\{"));
}

static json_t *of_share(void)
{
    return json_pack("{s:[{s:s, s:i, s:i}, o, o]}", "anyOf", "type", "number", "minimum", 0,
                     "maximum", 1, of_pattern("^[0-9.]+ ?%?$"), of_pattern("\\$\\{"));
}

static json_t *of_value(const struct field *field)
{
    switch (field->type) {
    case FIELD_TEXT:
    case FIELD_SECRET:
    case FIELD_URL:
        return of_text();
    case FIELD_WORD:
        return or_variable(of_words(field->words));
    case FIELD_FLAG:
        return or_variable(of_type("boolean"));
    case FIELD_NUMBER:
    case FIELD_COUNT:
        return of_number(field);
    case FIELD_SIZE:
        return of_size();
    case FIELD_DURATION:
        return of_duration();
    case FIELD_SHARE:
        return of_share();
    case FIELD_NODE:
    case FIELD_ELSEWHERE:
        break;
    }
    return of_form(field->form);
}

static void describe(json_t *schema, const struct field *field)
{
    char text[512];
    bool told = field->preset && *field->preset;

    snprintf(text, sizeof(text), "%s%s%s%s", field->help, told ? " (default: " : "",
             told ? field->preset : "", told ? ")" : "");
    json_object_set_new(schema, "description", json_string(text));
}

static bool is_required(const struct field *field)
{
    return !field->preset && field->type != FIELD_ELSEWHERE;
}

static void add_field(json_t *properties, json_t *required, const struct field *field)
{
    json_t *schema = of_value(field);

    describe(schema, field);
    json_object_set_new(properties, field->name, schema);
    if (is_required(field))
        json_array_append_new(required, json_string(field->name));
}

/* Whatever need not be given may be left empty. */
static json_t *of_map(const struct form *form)
{
    json_t *properties = json_object(), *required = json_array();
    json_t *schema;

    for (unsigned i = 0; i < form->nfields; i++)
        add_field(properties, required, &form->fields[i]);
    schema = json_pack("{s:s, s:o, s:b}", "type", "object", "properties", properties,
                       "additionalProperties", 0);
    if (json_array_size(required))
        json_object_set(schema, "required", required);
    else
        json_object_set_new(schema, "type", json_pack("[s, s]", "object", "null"));
    json_decref(required);
    return schema;
}

static json_t *of_either(const struct form *const *forms)
{
    json_t *list = json_array();

    for (; *forms; forms++)
        json_array_append_new(list, of_form(*forms));
    return json_pack("{s:o}", "anyOf", list);
}

static json_t *of_form(const struct form *form)
{
    switch (form->kind) {
    case FORM_TEXT:
        return of_text();
    case FORM_NAMES:
        return one_or_list(of_text());
    case FORM_WORD:
        return or_variable(of_words(form->words));
    case FORM_WORDS:
        return one_or_list(or_variable(of_words(form->words)));
    case FORM_FLAG:
        return or_variable(of_type("boolean"));
    case FORM_DURATION:
        return of_duration();
    case FORM_SHARE:
        return of_share();
    case FORM_MAP:
        return of_map(form);
    case FORM_NAMED:
        return json_pack("{s:[s, s], s:o}", "type", "object", "null", "additionalProperties",
                         of_form(form->of));
    case FORM_LIST:
        return json_pack("{s:[s, s], s:o}", "type", "array", "null", "items", of_form(form->of));
    case FORM_EITHER:
        break;
    }
    return of_either(form->forms);
}

static void add_section(void *with, const struct field *section)
{
    json_t *schema = of_form(section->form);

    describe(schema, section);
    json_object_set_new(with, section->name, schema);
}

int reference_schema(void)
{
    json_t *properties = json_object(), *root;

    settings_sections(add_section, properties);
    root = json_pack("{s:s, s:s, s:s, s:o, s:[s], s:b}", "$schema",
                     "http://json-schema.org/draft-07/schema#", "title", "pgtier settings", "type",
                     "object", "properties", properties, "required", "databases",
                     "additionalProperties", 0);
    json_dumpf(root, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(root);
    return fflush(stdout) == 0 ? 0 : 1;
}

/* --- the reference --- */

static void put_words(const char *const *words)
{
    for (unsigned i = 0; words[i]; i++)
        printf("%s`%s`", i ? ", " : "", words[i]);
}

static void put_bounds(const struct field *field)
{
    char least[24], most[24];

    if (!field->most)
        return;
    if (field->type == FIELD_DURATION) {
        units_duration_text(field->least, least);
        units_duration_text(field->most, most);
    } else if (field->type == FIELD_SIZE) {
        units_size_text((uint64_t)field->least, least);
        units_size_text((uint64_t)field->most, most);
    } else {
        snprintf(least, sizeof(least), "%lld", (long long)field->least);
        snprintf(most, sizeof(most), "%lld", (long long)field->most);
    }
    printf(", %s to %s", least, most);
}

static void put_form(const struct form *form)
{
    switch (form->kind) {
    case FORM_TEXT:
        printf("text");
        break;
    case FORM_NAMES:
        printf("text, or a list of them");
        break;
    case FORM_WORD:
        put_words(form->words);
        break;
    case FORM_WORDS:
        put_words(form->words);
        printf("; or a list of them");
        break;
    case FORM_FLAG:
        printf("flag");
        break;
    case FORM_DURATION:
        printf("duration");
        break;
    case FORM_SHARE:
        printf("share");
        break;
    case FORM_MAP:
        printf("map, see below");
        break;
    case FORM_NAMED:
        printf("map of names: ");
        put_form(form->of);
        break;
    case FORM_LIST:
        printf("list: ");
        put_form(form->of);
        break;
    case FORM_EITHER:
        for (unsigned i = 0; form->forms[i]; i++) {
            printf("%s", i ? ", or " : "");
            put_form(form->forms[i]);
        }
        break;
    }
}

static void put_type(const struct field *field)
{
    static const char *const names[] = {
        [FIELD_TEXT] = "text", [FIELD_SECRET] = "secret",     [FIELD_URL] = "url",
        [FIELD_FLAG] = "flag", [FIELD_NUMBER] = "number",     [FIELD_COUNT] = "number",
        [FIELD_SIZE] = "size", [FIELD_DURATION] = "duration", [FIELD_SHARE] = "share"};

    if (field->form)
        put_form(field->form);
    else if (field->type == FIELD_WORD)
        put_words(field->words);
    else
        printf("%s", names[field->type]);
    if (!field->form)
        put_bounds(field);
}

static void put_line(const struct field *field)
{
    printf("| `%s` | ", field->name);
    put_type(field);
    printf(" | ");
    if (is_required(field))
        printf("must be given");
    else if (field->preset && *field->preset)
        printf("`%s`", field->preset);
    printf(" | %s%s |\n", field->help, field->reload == FIELD_RESTART ? " (after a restart)" : "");
}

static const struct form *inner(const struct form *form);

/* The map that stands somewhere in an either. */
static const struct form *inner_either(const struct form *const *forms)
{
    for (; *forms; forms++)
        if (inner(*forms))
            return inner(*forms);
    return NULL;
}

/* The map that a form comes down to, NULL where it does not. */
static const struct form *inner(const struct form *form)
{
    if (!form)
        return NULL;
    if (form->kind == FORM_MAP)
        return form;
    if (form->kind == FORM_EITHER)
        return inner_either(form->forms);
    return form->of ? inner(form->of) : NULL;
}

static const char *step_of(const struct form *form)
{
    return form->kind == FORM_NAMED ? ".NAME" : form->kind == FORM_LIST ? "[]" : "";
}

static void put_map(const struct form *map, const char *path)
{
    printf("| key | value | default | |\n| --- | --- | --- | --- |\n");
    for (unsigned i = 0; i < map->nfields; i++)
        put_line(&map->fields[i]);
    for (unsigned i = 0; i < map->nfields; i++) {
        const struct field *field = &map->fields[i];
        char below[160];

        if (!inner(field->form))
            continue;
        snprintf(below, sizeof(below), "%s.%s%s", path, field->name, step_of(field->form));
        printf("\n### %s\n\n", below);
        put_map(inner(field->form), below);
    }
}

static void put_section(void *with, const struct field *section)
{
    char path[160];

    (void)with;
    snprintf(path, sizeof(path), "%s%s", section->name, step_of(section->form));
    printf("\n## %s\n\n%s.\n\n", path, section->help);
    put_map(inner(section->form), path);
}

int reference_print(void)
{
    printf(
        "# All settings\n\n"
        "Written by `pgtier reference`, from the tables that read the file. What they mean "
        "together is told in [rules](rules.md), which also says how durations,\nsizes, shares, "
        "flags and variables are written. `pgtier schema` prints the same as JSON Schema for "
        "editors. A change applies with a reload (SIGHUP,\n`RELOAD`) unless it says otherwise.\n");
    settings_sections(put_section, NULL);
    return fflush(stdout) == 0 ? 0 : 1;
}
