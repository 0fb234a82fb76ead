#include "admin/cache_command.h"

#include "admin/command.h"
#include "admin/show_tables.h"
#include "admin/table.h"
#include "base/mem.h"
#include "conf/diag.h"

#include <stdio.h>

static bool refuse_class(const struct rules *rules, const char *name, struct err *err)
{
    const char **names = mem_array(rules->nclasses + 1, sizeof(char *)), *nearest;

    for (unsigned i = 0; i < rules->nclasses; i++)
        names[i] = rules->classes[i].name;
    nearest = diag_nearest(name, names, rules->nclasses);
    err_set(err, "42704", "there is no cache class \"%s\"", name);
    if (nearest)
        err_hint(err, "Did you mean %s? CACHE STATS lists them.", nearest);
    else
        err_hint(err, "CACHE STATS lists them.");
    mem_free(names);
    return false;
}

/* A word that is no `column = value` names a class, once and first. */
static bool read_class(const struct rules *rules, struct slice word, struct sweep *sweep,
                       struct err *err)
{
    char name[SWEEP_NAME];

    snprintf(name, sizeof(name), "%.*s", (int)word.len, (const char *)word.at);
    if (sweep->class || sweep->npins) {
        err_set(err, "42601", "\"%s\" is neither a cache class nor column = value", name);
        err_hint(err, "CACHE FLUSH [class] [column=value ...]");
        return false;
    }
    for (unsigned i = 0; i < rules->nclasses && !sweep->class; i++)
        if (strcmp(rules->classes[i].name, name) == 0)
            sweep->class = &rules->classes[i];
    return sweep->class || refuse_class(rules, name, err);
}

/* Up to a blank, or what is within quotes. */
static struct slice read_value(struct slice *rest)
{
    size_t len = 0;

    *rest = command_trim(*rest);
    if (rest->len && strchr("'\"", *rest->at))
        return command_word(rest);
    while (len < rest->len && !strchr(" \t\r\n", rest->at[len]))
        len++;
    *rest = slice_skip(*rest, len);
    return slice_of(rest->at - len, len);
}

static bool read_pin(struct slice column, struct slice *rest, struct sweep *sweep, struct err *err)
{
    struct sweep_pin *pin = &sweep->pins[sweep->npins];
    struct slice value = read_value(rest);

    if (sweep->npins == SWEEP_PINS || column.len >= sizeof(pin->column) ||
        value.len >= sizeof(pin->value) || !value.len) {
        err_set(err, "42601",
                "CACHE FLUSH takes up to %d columns, each with a value of up to %d bytes",
                SWEEP_PINS, SWEEP_VALUE - 1);
        return false;
    }
    snprintf(pin->column, sizeof(pin->column), "%.*s", (int)column.len, (const char *)column.at);
    snprintf(pin->value, sizeof(pin->value), "%.*s", (int)value.len, (const char *)value.at);
    sweep->npins++;
    return true;
}

static bool read_sweep(struct slice rest, struct sweep *sweep, struct err *err)
{
    struct slice word;

    while ((word = command_word(&rest)).len) {
        struct slice behind = rest;

        if (!slice_is(command_word(&behind), "=")) {
            if (!read_class(sweep->rules, word, sweep, err))
                return false;
        } else {
            rest = behind;
            if (!read_pin(word, &rest, sweep, err))
                return false;
        }
    }
    return true;
}

/* Columns that no class has in its keys remove nothing: whoever asks for it is to know. */
static bool is_of_use(const struct sweep *sweep, struct err *err)
{
    for (unsigned i = 0; i < sweep->rules->nclasses; i++)
        if (sweep_concerns(sweep, &sweep->rules->classes[i]))
            return true;
    if (sweep->npins == 0)
        return true; /* no class at all */
    err_set(err, "42703", "no key of %s%s holds these columns",
            sweep->class ? "cache class " : "any cache class",
            sweep->class ? sweep->class->name : "");
    err_hint(err, "CACHE STATS shows the pattern of each class: {column} stands for its value.");
    return false;
}

static bool flush(const struct admin *admin, struct slice rest, struct buf *out, struct err *err)
{
    static const char *const columns[] = {"removed", "store"};
    struct rooms *rooms = admin->gather->rooms;
    struct sweep sweep = {.rules = rooms->rules};
    struct table table;

    if (!read_sweep(rest, &sweep, err) || !is_of_use(&sweep, err))
        return false;
    table_begin(&table, out, columns, 2);
    table_count(&table, cache_sweep(rooms->cache, &sweep));
    table_text(&table, cache_store_state(rooms->cache));
    table_row(&table);
    table_end(&table, "CACHE FLUSH");
    return true;
}

bool cache_command(const struct admin *admin, struct slice rest, struct buf *out, struct err *err)
{
    struct slice word = command_word(&rest);

    if (slice_is_nocase(word, "flush"))
        return flush(admin, rest, out, err);
    if (slice_is_nocase(word, "stats") && command_trim(rest).len == 0) {
        show_cache(admin, 0, out);
        return true;
    }
    err_set(err, "42601", "CACHE takes STATS, or FLUSH [class] [column=value ...]");
    return false;
}
