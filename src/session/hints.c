/* What a client says of its own statements, from where it is said to where it is asked for: the
 * settings "pgtier.*" of the session, what its transaction has set beside them, the tags of a text.
 * The server keeps these settings like any other; here is what they mean. */
#include "session/conversation.h"

#include "base/mem.h"

#include <stdio.h>

enum { VALUE_MAX = 128 };

struct said {
    struct hints settings;
    struct vars within; /* set by the transaction that is open, until it ends */
};

static struct said *said_of(struct session *session)
{
    if (!session->said)
        session->said = mem_new(sizeof(struct said));
    return session->said;
}

void hints_clear(struct session *session)
{
    if (!session->said)
        return;
    vars_clear(&session->said->within);
    mem_free(session->said);
    session->said = NULL;
}

static bool takes(const struct vars *vars, struct hints *hints)
{
    bool any = false;

    for (unsigned i = 0; i < vars->count; i++) {
        enum hint hint = hint_named(slice_text(vars->at[i].name));

        /* A server may have one that was set where nobody has looked at it: it says nothing. */
        any |= hint != HINT_COUNT && hint_set(hints, hint, slice_text(vars->at[i].value));
    }
    return any;
}

void hints_refresh(struct session *session)
{
    struct hints hints = {0};
    bool any = takes(&session->vars, &hints);

    if (session->said)
        any |= takes(&session->said->within, &hints);
    if (any)
        said_of(session)->settings = hints;
    else
        hints_clear(session);
}

/* ---- SET ---- */

/* The value of a SET as a text; -1 where it is none of one value that is known. */
static int value_of_set(const struct shape *shape, const struct values *values,
                        char out[static VALUE_MAX])
{
    size_t len = shape->set_word ? strlen(shape->set_word) : 0;
    const struct value *value;

    if (len && len < VALUE_MAX) {
        memcpy(out, shape->set_word, len);
        return (int)len;
    }
    value = values_get(values, shape->set_value, 0);
    return value ? value_plain(value, out, VALUE_MAX) : -1;
}

static void refuse_name(struct err *err, const char *name)
{
    char names[160];
    size_t len = 0;

    for (unsigned i = 0; i < HINT_COUNT; i++)
        len += (size_t)snprintf(names + len, sizeof(names) - len, "%spgtier.%s", i ? ", " : "",
                                hint_text((enum hint)i));
    err_set(err, "42602", "invalid configuration parameter name \"%s\"", name);
    err_detail(err, "\"pgtier\" is a reserved prefix.");
    err_hint(err, "There are %s.", names);
}

bool hints_refuse(struct session *session, const struct shape *shape, const struct values *values,
                  struct err *err)
{
    char text[VALUE_MAX];
    struct hints hints = {0};
    enum hint hint;
    int len;

    if (!shape->set_name || !hint_is_ours(slice_text(shape->set_name)))
        return false;
    hint = hint_named(slice_text(shape->set_name));
    if (hint == HINT_COUNT) {
        refuse_name(err, shape->set_name);
        return true;
    }
    len = shape->set_default ? 0 : value_of_set(shape, values, text);
    if (len < 0)
        return false;
    if (!hint_set(&hints, hint, slice_of(text, (size_t)len))) {
        err_set(err, "22023", "invalid value for parameter \"%s\": \"%.*s\"", shape->set_name, len,
                text);
        err_hint(err, "It is %s.", hint_values(hint));
        return true;
    }
    if (session->status == 'T') {
        vars_set(&said_of(session)->within, slice_text(shape->set_name),
                 slice_of(text, (size_t)len), false);
        hints_refresh(session);
    }
    return false;
}

void hints_end(struct session *session)
{
    if (!session->said || !session->said->within.count)
        return;
    vars_clear(&session->said->within);
    hints_refresh(session);
}

/* ---- asked for ---- */

const struct hints *hints_of(const struct session *session, const struct values *values,
                             struct hints *room)
{
    const struct hints *settings = session->said ? &session->said->settings : NULL;

    if (!values->tags.len)
        return settings;
    if (settings)
        *room = *settings;
    else
        memset(room, 0, sizeof(*room));
    hint_read(room, values->tags);
    return room;
}
