/* Reads hints; what they change in a verdict is judge's. A comment never makes a statement fail, so
 * that what is wrong in one is kept for whoever asks why it did nothing. */
#include "rules/hint.h"

#include "base/units.h"
#include "rules/plan.h"

#include <string.h>

static const char *const words[HINT_COUNT] = {
#define X(name, word, values) word,
    HINTS(X)
#undef X
};

static const char *const values[HINT_COUNT] = {
#define X(name, word, values) values,
    HINTS(X)
#undef X
};

#define PREFIX "pgtier."

const char *hint_text(enum hint hint)
{
    return words[hint];
}

const char *hint_values(enum hint hint)
{
    return values[hint];
}

bool hint_is_ours(struct slice setting)
{
    return setting.len >= sizeof(PREFIX) - 1 &&
           slice_is_nocase(slice_first(setting, sizeof(PREFIX) - 1), PREFIX);
}

static enum hint named(struct slice word)
{
    for (unsigned i = 0; i < HINT_COUNT; i++)
        if (slice_is_nocase(word, words[i]))
            return (enum hint)i;
    return HINT_COUNT;
}

enum hint hint_named(struct slice setting)
{
    return hint_is_ours(setting) ? named(slice_skip(setting, sizeof(PREFIX) - 1)) : HINT_COUNT;
}

/* ---- values ---- */

static bool set_cache(struct hints *hints, struct slice value)
{
    static const char *const on[] = {"on", "true", "yes", "1", "default"};
    static const char *const off[] = {"off", "false", "no", "0"};

    for (unsigned i = 0; i < sizeof(off) / sizeof(*off); i++)
        if (slice_is_nocase(value, off[i]))
            return hints->no_cache = true;
    for (unsigned i = 0; i < sizeof(on) / sizeof(*on); i++)
        if (slice_is_nocase(value, on[i])) {
            hints->no_cache = false;
            return true;
        }
    return false;
}

static bool set_route(struct hints *hints, struct slice value)
{
    if (slice_is_nocase(value, "primary"))
        hints->route = HINT_ROUTE_PRIMARY;
    else if (slice_is_nocase(value, "replica"))
        hints->route = HINT_ROUTE_REPLICA;
    else if (slice_is_nocase(value, "default"))
        hints->route = HINT_ROUTE_DEFAULT;
    else
        return false;
    return true;
}

static bool set_freshness(struct hints *hints, struct slice value)
{
    enum freshness freshness = FRESH_CAUSAL;
    int64_t bound = 0;

    if (slice_is_nocase(value, "default")) {
        hints->has_freshness = false;
        return true;
    }
    if (slice_is_nocase(value, "unbounded")) {
        freshness = FRESH_UNBOUNDED;
    } else if (!slice_is_nocase(value, "causal")) {
        if (!units_duration(value, &bound) || bound <= 0)
            return false;
        freshness = FRESH_BOUND;
    }
    hints->has_freshness = true;
    hints->freshness = freshness;
    hints->bound = bound;
    return true;
}

bool hint_set(struct hints *hints, enum hint hint, struct slice value)
{
    if (!value.len)
        return true;
    switch (hint) {
    case HINT_CACHE:
        return set_cache(hints, value);
    case HINT_ROUTE:
        return set_route(hints, value);
    case HINT_FRESHNESS:
        return set_freshness(hints, value);
    case HINT_TIER:
        hints->tier = value;
        return true;
    case HINT_USER:
        hints->user = value;
        return true;
    case HINT_OPERATION:
        hints->operation = value;
        return true;
    case HINT_COUNT:
        break;
    }
    return false;
}

/* ---- tags ---- */

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Without its escapes: %xx, and a backslash before a quote. False where there is no room. */
static bool decode(struct hints *hints, struct slice *value)
{
    char *to = hints->room + hints->used;
    size_t len = 0;

    if (!memchr(value->at, '%', value->len) && !memchr(value->at, '\\', value->len))
        return true;
    if (value->len > (size_t)(HINT_ROOM - hints->used))
        return false;
    for (size_t i = 0; i < value->len; i++) {
        uint8_t c = value->at[i];

        if (c == '%' && i + 2 < value->len && hex(value->at[i + 1]) >= 0 &&
            hex(value->at[i + 2]) >= 0) {
            c = (uint8_t)(hex(value->at[i + 1]) * 16 + hex(value->at[i + 2]));
            i += 2;
        } else if (c == '\\' && i + 1 < value->len) {
            c = value->at[++i];
        }
        to[len++] = (char)c;
    }
    *value = slice_of(to, len);
    hints->used = (uint16_t)(hints->used + len);
    return true;
}

static struct slice trim(struct slice text)
{
    while (text.len && strchr(" \t\r\n\f,", text.at[0]) && text.at[0])
        text = slice_skip(text, 1);
    return text;
}

/* One key='value' off the front; false where there is none. */
static bool next_tag(struct slice *tags, struct slice *key, struct slice *value)
{
    struct slice at = trim(*tags);
    const uint8_t *equals = at.len ? memchr(at.at, '=', at.len) : NULL;
    size_t end = 0;

    if (!equals)
        return false;
    *key = slice_first(at, (size_t)(equals - at.at));
    at = slice_skip(at, key->len + 1);
    if (!at.len || at.at[0] != '\'')
        return false;
    at = slice_skip(at, 1);
    while (end < at.len && at.at[end] != '\'')
        end += at.at[end] == '\\' && end + 1 < at.len ? 2 : 1;
    if (end >= at.len)
        return false;
    *value = slice_first(at, end);
    *tags = slice_skip(at, end + 1);
    return true;
}

/* By which names a tag is ours; those of frameworks (route, action, ..) stay theirs. */
static enum hint tag_named(struct slice key)
{
    enum hint hint = hint_is_ours(key) ? hint_named(key) : named(key);

    if (hint_is_ours(key))
        return hint;
    return hint == HINT_TIER || hint == HINT_USER || hint == HINT_OPERATION ? hint : HINT_COUNT;
}

void hint_read(struct hints *hints, struct slice tags)
{
    struct slice key, value, raw;

    while (next_tag(&tags, &key, &value)) {
        enum hint hint = tag_named(key);
        bool trace = slice_is_nocase(key, "traceparent");

        if (hint == HINT_COUNT && !trace && !hint_is_ours(key))
            continue;
        raw = slice_of(key.at, (size_t)(value.at + value.len - key.at) + 1);
        if (!decode(hints, &value))
            hints->wrong = raw;
        else if (trace)
            hints->traceparent = value;
        else if (!hint_set(hints, hint, value))
            hints->wrong = raw;
    }
}

/* ---- what they change ---- */

void hint_asks(const struct hints *hints, struct asker *asker)
{
    asker->hints = hints;
    asker->operation = hints ? hints->operation : (struct slice){0};
    asker->tier = hints ? hints->tier : (struct slice){0};
}

/* The rules' own word for an operation is the DBA's: a client may go to the primary in spite of it,
 * and not the other way. */
static bool may_leave_primary(const struct plan *plan, const struct verdict *verdict)
{
    const struct operation *operation = verdict->operation;

    return plan->primary == PLAN_NONE && !(operation && operation->has_route);
}

void hint_judge(const struct hints *hints, const struct plan *plan, struct verdict *verdict)
{
    if (hints->no_cache && verdict->cache) {
        verdict->cache = NULL;
        verdict->uncached = PLAN_HINT;
    }
    if (hints->route == HINT_ROUTE_PRIMARY && verdict->route == ROUTE_REPLICA) {
        verdict->route = ROUTE_PRIMARY;
        verdict->primary = PLAN_HINT;
    } else if (hints->route == HINT_ROUTE_REPLICA && verdict->route == ROUTE_PRIMARY &&
               may_leave_primary(plan, verdict)) {
        verdict->route = ROUTE_REPLICA;
        verdict->primary = PLAN_NONE;
    }
    if (hints->has_freshness) {
        verdict->freshness = hints->freshness;
        verdict->bound = hints->bound;
    }
}
