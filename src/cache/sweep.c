#include "cache/sweep.h"

#include "cache/key.h"

/* The placeholder at `at`, which points to its brace; its length with both braces, 0: it is none.
 */
static size_t placeholder_at(const char *at)
{
    const char *close = *at == '{' ? strchr(at, '}') : NULL;

    return close ? (size_t)(close - at) + 1 : 0;
}

static const struct sweep_pin *pin_of(const struct sweep *sweep, struct slice name)
{
    for (unsigned i = 0; i < sweep->npins; i++)
        if (slice_is(name, sweep->pins[i].column))
            return &sweep->pins[i];
    return NULL;
}

static struct slice name_of(const char *at, size_t len)
{
    return slice_of(at + 1, len - 2);
}

static bool has_column(const struct cache_class *class, const char *column)
{
    for (const char *at = class->key; *at; at++) {
        size_t len = placeholder_at(at);

        if (len && slice_is(name_of(at, len), column))
            return true;
    }
    return false;
}

bool sweep_concerns(const struct sweep *sweep, const struct cache_class *class)
{
    if (sweep->class && sweep->class != class)
        return false;
    for (unsigned i = 0; i < sweep->npins; i++)
        if (!has_column(class, sweep->pins[i].column))
            return false;
    return true;
}

/* One of the values with commas between is the one that is meant, written as keys write it. */
static bool holds(struct slice listed, struct slice value)
{
    char text[KEY_MAX];
    struct slice wanted = slice_of(text, key_write(value, text, sizeof(text)));

    while (listed.len) {
        const uint8_t *comma = memchr(listed.at, ',', listed.len);
        size_t len = comma ? (size_t)(comma - listed.at) : listed.len;

        if (slice_same(slice_first(listed, len), wanted))
            return true;
        listed = slice_skip(listed, comma ? len + 1 : len);
    }
    return false;
}

/* The pattern from `at` on against the whole of `key`; a placeholder may be of any length. */
static bool matches(const struct sweep *sweep, const char *at, struct slice key)
{
    size_t len = placeholder_at(at);
    const struct sweep_pin *pin;

    if (!*at)
        return key.len == 0;
    if (!len)
        return key.len && *key.at == (uint8_t)*at && matches(sweep, at + 1, slice_skip(key, 1));
    pin = pin_of(sweep, name_of(at, len));
    for (size_t i = 0; i <= key.len; i++)
        if ((!pin || holds(slice_first(key, i), slice_text(pin->value))) &&
            matches(sweep, at + len, slice_skip(key, i)))
            return true;
    return false;
}

bool sweep_wants(const struct sweep *sweep, const char *key)
{
    const char *hash = strrchr(key, ':'); /* behind what the pattern has made */

    for (unsigned i = 0; hash && i < sweep->rules->nclasses; i++) {
        const struct cache_class *class = &sweep->rules->classes[i];

        if (sweep_concerns(sweep, class) &&
            matches(sweep, class->key, slice_of(key, (size_t)(hash - key))))
            return true;
    }
    return false;
}

bool sweep_pattern(const struct sweep *sweep, const struct cache_class *class, struct buf *out)
{
    if (!sweep_concerns(sweep, class))
        return false;
    for (const char *at = class->key; *at;) {
        size_t len = placeholder_at(at);

        if (!len && strchr("*?[]\\", *at))
            buf_put(out, "\\", 1);
        buf_put(out, len ? "*" : at, 1);
        at += len ? len : 1;
    }
    buf_put(out, ":*", 3);
    return true;
}
