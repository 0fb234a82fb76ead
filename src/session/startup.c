/* What a client's first packet asks for: as whom, where, under which settings. Reads it as the
 * server does (PostgreSQL, postmaster.c and postgres.c), but of the switches in "options" only
 * those that set something. Whether a setting is a good one is the server's to say. */
#include "session/conversation.h"

#include "base/mem.h"
#include "wire/read.h"
#include "wire/write.h"

#include <ctype.h>

/* The server cuts longer ones. */
enum { NAME_MAX_LEN = 63 };

static void set(struct session *session, struct slice name, struct slice value)
{
    vars_set(&session->vars, name, value, false);
    vars_set(&session->startup, name, value, false);
    write_cstr(&session->asked, name);
    write_cstr(&session->asked, value);
}

static void take_name(char **name, struct slice value)
{
    mem_free(*name);
    value = slice_first(value, NAME_MAX_LEN);
    *name = mem_text(value.at, value.len);
}

/* "name=value", where a dash in the name is another way to write an underscore. */
static bool take_switch(struct session *session, const char *sign, struct slice text,
                        struct err *err)
{
    const uint8_t *equals = text.len ? memchr(text.at, '=', text.len) : NULL;
    struct slice name = slice_of(text.at, equals ? (size_t)(equals - text.at) : text.len);
    char *plain;

    if (!equals) {
        err_set(err, "42601", "%s%.*s requires a value", sign, (int)name.len,
                (const char *)name.at);
        return false;
    }
    plain = mem_text(name.at, name.len);
    for (char *c = plain; *c; c++)
        if (*c == '-')
            *c = '_';
    set(session, slice_text(plain), slice_skip(text, name.len + 1));
    mem_free(plain);
    return true;
}

static bool refuse_switch(struct slice word, struct err *err)
{
    err_set(err, "42601", "invalid command-line argument for server process: %.*s", (int)word.len,
            (const char *)word.at);
    err_hint(err, "Try \"postgres --help\" for more information.");
    return false;
}

/* The next word: parted by blanks, a backslash takes the next character as it is. False: none. */
static bool next_word(struct slice *text, struct buf *word)
{
    bool any = false;

    buf_take(word, buf_len(word));
    while (text->len && isspace(*text->at))
        *text = slice_skip(*text, 1);
    for (; text->len && !isspace(*text->at); *text = slice_skip(*text, 1)) {
        any = true;
        if (*text->at == '\\' && text->len > 1)
            *text = slice_skip(*text, 1);
        buf_put(word, text->at, 1);
    }
    return any;
}

static bool take_word(struct session *session, struct slice *text, struct buf *room,
                      struct err *err)
{
    struct slice word = buf_slice(room);

    if (word.len > 2 && memcmp(word.at, "--", 2) == 0)
        return take_switch(session, "--", slice_skip(word, 2), err);
    if (word.len > 2 && memcmp(word.at, "-c", 2) == 0)
        return take_switch(session, "-c ", slice_skip(word, 2), err);
    if (!slice_is(word, "-c"))
        return refuse_switch(word, err);
    if (!next_word(text, room))
        return refuse_switch(SLICE("-c"), err);
    return take_switch(session, "-c ", buf_slice(room), err);
}

/* -c name=value and --name=value (PostgreSQL, libpq's "options"); a -- ends them. */
static bool take_switches(struct session *session, struct slice text, struct err *err)
{
    struct buf word = {0};
    bool good = true;

    while (good && next_word(&text, &word) && !slice_is(buf_slice(&word), "--"))
        good = take_word(session, &text, &word, err);
    if (good && text.len && next_word(&text, &word))
        good = refuse_switch(buf_slice(&word), err);
    buf_clear(&word);
    return good;
}

static bool is_of_protocol(struct slice name)
{
    return name.len >= 5 && memcmp(name.at, "_pq_.", 5) == 0;
}

void startup_names(struct session *session, struct slice options, char **database,
                   struct slice *replication)
{
    struct slice name, value;

    while (read_option(&options, &name, &value)) {
        if (slice_is(name, "user"))
            take_name(&session->user, value);
        else if (slice_is(name, "database"))
            take_name(database, value);
        else if (slice_is(name, "replication"))
            *replication = value;
    }
}

bool startup_settings(struct session *session, struct slice options, struct err *err)
{
    struct slice left = options, name, value, switches = {0};

    while (read_option(&left, &name, &value))
        if (slice_is(name, "options"))
            switches = value;
    if (!take_switches(session, switches, err))
        return false;
    while (read_option(&options, &name, &value))
        if (!slice_is(name, "user") && !slice_is(name, "database") && !slice_is(name, "options") &&
            !slice_is(name, "replication") && !is_of_protocol(name))
            set(session, name, value);
    return true;
}

uint32_t startup_unknown(struct slice options, struct buf *names)
{
    struct slice name, value;
    uint32_t count = 0;

    while (read_option(&options, &name, &value)) {
        if (!is_of_protocol(name))
            continue;
        count++;
        buf_put_slice(names, slice_of(name.at, name.len + 1));
    }
    return count;
}
