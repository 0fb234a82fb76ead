/* Reads sections of the tree by their tables. Faults are told at the value's place, of an unknown
 * key at the key's. */
#include "conf/field.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/units.h"
#include "conf/url.h"

enum { NAMES_MAX = 64, PATH_LEN = 128 };

const char *field_reload_text(enum field_reload reload)
{
    return reload == FIELD_RELOAD ? "reload" : "restart";
}

void field_unknown(const struct yaml *node, const char *what, const char *name,
                   const char *const *names, unsigned count, struct diag *diag)
{
    const char *nearest = diag_nearest(name, names, count);

    if (nearest)
        diag_add(diag, node->line, node->column, "%s `%s`: did you mean `%s`?", what, name,
                 nearest);
    else
        diag_add(diag, node->line, node->column, "%s `%s`", what, name);
}

void field_unknown_key(const struct yaml *node, const char *const *names, unsigned count,
                       struct diag *diag)
{
    struct yaml at = {.line = node->key_line, .column = node->key_column};

    field_unknown(&at, "unknown key", node->key, names, count, diag);
}

const char *field_text(const struct yaml *node, const char *path, struct diag *diag)
{
    if (node->kind != YAML_SCALAR)
        diag_add(diag, node->line, node->column, "`%s` must be a single value, not %s", path,
                 yaml_kind_text(node));
    else if (node->unset)
        return NULL;
    else if (node->empty || !*node->text)
        diag_add(diag, node->line, node->column, "`%s` is empty", path);
    else
        return node->text;
    return NULL;
}

bool field_is_map(const struct yaml *node, const char *path, struct diag *diag)
{
    if (!node || node->kind == YAML_MAP || (node->kind == YAML_SCALAR && node->empty))
        return true;
    diag_add(diag, node->line, node->column, "`%s` must be a map of keys, not %s", path,
             yaml_kind_text(node));
    return false;
}

void field_list(const struct yaml *node, const char *path, struct diag *diag,
                void (*each)(void *with, const struct yaml *node, const char *text), void *with)
{
    const char *text;

    if (node->kind == YAML_MAP) {
        diag_add(diag, node->line, node->column,
                 "`%s` must be a name or a list of names, not a map", path);
        return;
    }
    if (node->kind == YAML_SCALAR) {
        text = field_text(node, path, diag);
        if (text)
            each(with, node, text);
        return;
    }
    for (const struct yaml *item = node->first; item; item = item->next) {
        text = field_text(item, path, diag);
        if (text)
            each(with, item, text);
    }
}

/* --- values --- */

static bool read_word(const struct field *field, const struct yaml *node, const char *text,
                      const char *path, void *at, struct diag *diag)
{
    char what[PATH_LEN + 48];
    unsigned count = 0;

    for (; field->words[count]; count++)
        if (strcmp(field->words[count], text) == 0) {
            memcpy(at, &(int){(int)count}, sizeof(int));
            return true;
        }
    snprintf(what, sizeof(what), "`%s` does not know", path);
    field_unknown(node, what, text, field->words, count, diag);
    return false;
}

static bool flag_of(const char *text, bool *flag)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(text, words[i]) == 0) {
            *flag = i % 2;
            return true;
        }
    return false;
}

static bool number_of(const char *text, int64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoll(text, &end, 10);
    return end != text && !*end && errno == 0 && (*text == '-' || (*text >= '0' && *text <= '9'));
}

static bool share_of(const char *text, double *share)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    *share = strtod(text, &end);
    if (strcmp(end, "%") == 0) {
        *share /= 100;
        end++;
    }
    return !*end && *share >= 0 && *share <= 1;
}

static void bound_text(const struct field *field, int64_t bound, char out[24])
{
    if (field->type == FIELD_DURATION)
        units_duration_text(bound, out);
    else if (field->type == FIELD_SIZE)
        units_size_text((uint64_t)bound, out);
    else
        snprintf(out, 24, "%lld", (long long)bound);
}

static bool within(const struct field *field, const struct yaml *node, const char *path,
                   int64_t value, struct diag *diag)
{
    char least[24], most[24];

    if (field->most == 0 || (value >= field->least && value <= field->most))
        return true;
    bound_text(field, field->least, least);
    bound_text(field, field->most, most);
    diag_add(diag, node->line, node->column, "`%s` must be from %s to %s, not %s", path, least,
             most, node->text);
    return false;
}

static void refuse_form(const struct yaml *node, const char *path, const char *form,
                        struct diag *diag)
{
    diag_add(diag, node->line, node->column, "`%s` must be %s, not `%s`", path, form, node->text);
}

static void read_counted(const struct field *field, const struct yaml *node, const char *text,
                         const char *path, void *at, struct diag *diag)
{
    int64_t number = 0;
    uint64_t size = 0;
    bool ok;

    if (field->type == FIELD_DURATION) {
        ok = units_duration(slice_text(text), &number);
    } else if (field->type == FIELD_SIZE) {
        ok = units_size(slice_text(text), &size) && size <= INT64_MAX;
        number = (int64_t)size;
    } else {
        ok = number_of(text, &number);
    }
    if (!ok) {
        refuse_form(node, path,
                    field->type == FIELD_DURATION ? "a duration as in 300ms, 5s or 1h"
                    : field->type == FIELD_SIZE   ? "a size as in 512kB or 100MB"
                                                  : "a whole number",
                    diag);
        return;
    }
    if (!within(field, node, path, number, diag))
        return;
    if (field->type == FIELD_NUMBER)
        memcpy(at, &(int){(int)number}, sizeof(int));
    else
        memcpy(at, &number, sizeof(number));
}

static void read_value(const struct field *field, const struct yaml *node, const char *path,
                       void *into, struct keep *keep, struct diag *diag)
{
    void *at = (char *)into + field->at;
    const char *text;

    if (field->type == FIELD_NODE) {
        memcpy(at, &node, sizeof(node));
        return;
    }
    text = field_text(node, path, diag);
    if (!text)
        return;
    switch (field->type) {
    case FIELD_TEXT:
    case FIELD_SECRET:
    case FIELD_URL:
        text = keep_text(keep, text);
        memcpy(at, &text, sizeof(text));
        break;
    case FIELD_WORD:
        read_word(field, node, text, path, at, diag);
        break;
    case FIELD_FLAG:
        if (!flag_of(text, at))
            refuse_form(node, path, "true or false", diag);
        break;
    case FIELD_SHARE:
        if (!share_of(text, at))
            refuse_form(node, path, "a share as in 85%", diag);
        break;
    default:
        read_counted(field, node, text, path, at, diag);
    }
}

/* --- sections --- */

static void path_of(char out[PATH_LEN], const char *section, const char *name)
{
    snprintf(out, PATH_LEN, "%s%s%s", section, *section ? "." : "", name);
}

static void tell_unknown(const struct field *fields, unsigned nfields, const struct yaml *section,
                         struct diag *diag)
{
    const char *names[NAMES_MAX];
    unsigned count = nfields < NAMES_MAX ? nfields : NAMES_MAX;

    for (unsigned i = 0; i < count; i++)
        names[i] = fields[i].name;
    for (const struct yaml *child = section->first; child; child = child->next) {
        bool known = false;

        for (unsigned i = 0; i < nfields && !known; i++)
            known = strcmp(fields[i].name, child->key) == 0;
        if (!known)
            field_unknown_key(child, names, count, diag);
    }
}

const struct form FORM_OF_TEXT = {.kind = FORM_TEXT}, FORM_OF_NAMES = {.kind = FORM_NAMES},
                  FORM_OF_FLAG = {.kind = FORM_FLAG};

static void read_preset(const struct field *field, void *into, struct keep *keep, struct diag *diag)
{
    struct yaml node = {.kind = YAML_SCALAR, .text = field->preset};

    if (*field->preset)
        read_value(field, &node, field->name, into, keep, diag);
}

void fields_read(const struct field *fields, unsigned nfields, const struct yaml *section,
                 const char *path, void *into, struct keep *keep, struct diag *diag)
{
    char name[PATH_LEN];

    if (!field_is_map(section, path, diag))
        return;
    if (section && section->kind == YAML_MAP)
        tell_unknown(fields, nfields, section, diag);
    for (unsigned i = 0; i < nfields; i++) {
        const struct yaml *node = yaml_child(section, fields[i].name);

        path_of(name, path, fields[i].name);
        if (fields[i].preset)
            read_preset(&fields[i], into, keep, diag);
        if (node && fields[i].type != FIELD_ELSEWHERE)
            read_value(&fields[i], node, name, into, keep, diag);
        else if (!fields[i].preset)
            diag_add(diag, section ? section->line : 0, section ? section->column : 0,
                     "`%s` is missing: %s", name, fields[i].help);
    }
}

void fields_unset(const struct yaml *root, bool (*excused)(const struct yaml *node, void *with),
                  void *with, struct diag *diag)
{
    if (root->unset && !(excused && excused(root, with)))
        diag_add(diag, root->line, root->column,
                 "the variable %s is not set (${%s:-...} would give a default)", root->unset,
                 root->unset);
    for (const struct yaml *child = root->first; child; child = child->next)
        fields_unset(child, excused, with, diag);
}

/* --- showing --- */

static void show_text(const struct field *field, const char *text, struct buf *out)
{
    if (!text)
        return;
    if (field->type == FIELD_SECRET)
        buf_put_slice(out, SLICE("***"));
    else if (field->type == FIELD_URL && strstr(text, "://"))
        url_masked(text, out);
    else
        buf_put_slice(out, slice_text(text));
}

static void show_counted(const struct field *field, const void *at, struct buf *out)
{
    int64_t number = 0;
    char text[24];

    memcpy(&number, at, sizeof(number));
    bound_text(field, number, text);
    buf_put_slice(out, slice_text(text));
}

void field_show(const struct field *field, const void *from, struct buf *out)
{
    const void *at = (const char *)from + field->at;
    const char *text;
    double share;
    int number;

    switch (field->type) {
    case FIELD_TEXT:
    case FIELD_SECRET:
    case FIELD_URL:
        memcpy(&text, at, sizeof(text));
        show_text(field, text, out);
        break;
    case FIELD_WORD:
        memcpy(&number, at, sizeof(number));
        buf_put_slice(out, slice_text(field->words[number]));
        break;
    case FIELD_FLAG:
        buf_put_slice(out, slice_text(*(const bool *)at ? "true" : "false"));
        break;
    case FIELD_NUMBER:
        memcpy(&number, at, sizeof(number));
        buf_printf(out, "%d", number);
        break;
    case FIELD_SHARE:
        memcpy(&share, at, sizeof(share));
        buf_printf(out, "%g%%", share * 100);
        break;
    case FIELD_NODE:
    case FIELD_ELSEWHERE:
        break;
    default:
        show_counted(field, at, out);
    }
}
