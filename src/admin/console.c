/* Runs console texts: one command after the other until one fails. Knows which verbs there are;
 * what they show stands in show*.c and explain.c. */
#include "admin/console.h"

#include "admin/cache_command.h"
#include "admin/command.h"
#include "admin/explain.h"
#include "admin/show.h"
#include "conf/diag.h"
#include "session/session.h"
#include "wire/types.h"
#include "wire/write.h"

#include <stdio.h>

static void unknown(struct slice word, struct err *err)
{
    static const char *const verbs[] = {"SHOW", "EXPLAIN", "CACHE", "RELOAD", "HELP"};
    char text[64];
    const char *nearest;

    snprintf(text, sizeof(text), "%.*s", (int)slice_first(word, 40).len, (const char *)word.at);
    err_set(err, "42601", "\"%s\" is not a command of the console", text);
    for (char *c = text; *c; c++)
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
    nearest = diag_nearest(text, verbs, sizeof(verbs) / sizeof(verbs[0]));
    if (nearest)
        err_hint(err, "Did you mean %s? SHOW HELP lists the commands.", nearest);
    else
        err_hint(err, "SHOW HELP lists the commands; statements go to a real database.");
}

/* A notice a fault, so that none is cut; then one error. */
static void tell_faults(struct slice faults, struct buf *out, struct err *err)
{
    struct err notice = {0};
    unsigned count = 0;

    while (faults.len > 0) {
        const uint8_t *end = memchr(faults.at, '\n', faults.len);
        size_t len = end ? (size_t)(end - faults.at) : faults.len;

        if (len > 0) {
            err_set(&notice, "F0000", "%.*s", (int)len, (const char *)faults.at);
            write_notice(out, &notice);
            count++;
        }
        faults = slice_skip(faults, end ? len + 1 : len);
    }
    err_set(err, "F0000", "the settings were not reloaded: %u fault%s", count,
            count == 1 ? "" : "s");
    err_detail(err, "%s", count ? notice.message : "");
    err_hint(err, "Nothing has changed. `pgtier check FILE` shows the same faults.");
}

static bool reload(const struct admin *admin, struct slice rest, struct buf *out, struct err *err)
{
    struct buf faults = {0};
    bool done;

    if (command_trim(rest).len > 0) {
        err_set(err, "42601", "RELOAD takes nothing");
        return false;
    }
    done = admin->reload(admin->owner, &faults);
    if (done)
        write_complete(out, "RELOAD");
    else
        tell_faults(buf_slice(&faults), out, err);
    buf_clear(&faults);
    return done;
}

static bool run_command(const struct admin *admin, struct slice text, struct buf *out,
                        struct err *err)
{
    struct slice rest = text, verb = command_word(&rest);

    if (slice_is_nocase(verb, "SHOW"))
        return show_run(admin, rest, out, err);
    if (slice_is_nocase(verb, "HELP"))
        return show_run(admin, SLICE("HELP"), out, err);
    if (slice_is_nocase(verb, "CACHE"))
        return cache_command(admin, rest, out, err);
    if (slice_is_nocase(verb, "RELOAD"))
        return reload(admin, rest, out, err);
    if (slice_is_nocase(verb, "EXPLAIN")) {
        err_set(err, "42601", "the console explains routes only");
        err_hint(err, "EXPLAIN ROUTE SELECT ... tells what pgtier would do with a statement.");
        return false;
    }
    unknown(verb, err);
    return false;
}

static bool run_next(const struct admin *admin, struct slice *left, struct buf *out,
                     struct err *err)
{
    struct buf rows = {0};
    struct slice rest;
    bool told;

    if (!explain_is(*left, &rest))
        return run_command(admin, command_cut(left), out, err);
    *left = slice_first(*left, 0); /* what is explained may be several statements */
    if (explain_analyzes(&rest)) {
        err_set(err, "0A000", "the console runs no statements");
        err_hint(err, "Send EXPLAIN ROUTE ANALYZE to the database itself.");
        return false;
    }
    told = explain_run(admin->gather->rooms, NULL, rest, &rows, err);
    if (told) {
        write_columns(out, EXPLAIN_COLUMNS, EXPLAIN_NCOLUMNS);
        buf_put_slice(out, buf_slice(&rows));
    }
    buf_clear(&rows);
    return told;
}

static struct slice skip_empty(struct slice text)
{
    text = command_trim(text);
    while (text.len > 0 && text.at[0] == ';')
        text = command_trim(slice_skip(text, 1));
    return text;
}

static void run(void *owner, struct session *session, struct slice text, struct buf *out)
{
    const struct admin *admin = owner;
    struct slice left = skip_empty(text);
    struct err err = {0};

    (void)session; /* the console is of no database of its own */
    if (left.len == 0) {
        write_empty(out, REPLY_EMPTY);
        return;
    }
    for (; left.len > 0; left = skip_empty(left)) {
        if (!run_next(admin, &left, out, &err)) {
            write_error(out, "ERROR", &err);
            return;
        }
    }
}

static bool allows(void *owner, const char *user)
{
    const struct admin *admin = owner;

    for (unsigned i = 0; i < admin->nusers; i++) {
        if (strcmp(admin->users[i], user) == 0)
            return true;
    }
    return false;
}

static bool explains(struct slice text)
{
    struct slice rest;

    return explain_is(text, &rest);
}

static enum explain_outcome explain(void *owner, struct session *session, struct slice text,
                                    struct slice *sql, struct buf *out, struct err *err)
{
    const struct admin *admin = owner;

    explain_is(text, sql);
    if (explain_analyzes(sql))
        return explain_may_run(session, *sql, err) ? EXPLAIN_RUN : EXPLAIN_REFUSED;
    return explain_run(admin->gather->rooms, session, *sql, out, err) ? EXPLAIN_TOLD
                                                                      : EXPLAIN_REFUSED;
}

static void ran(void *owner, struct session *session, struct slice sql, const struct trail *trail,
                const char *node, struct buf *out)
{
    (void)owner;
    explain_ran(session, sql, trail, node, out);
}

struct console console_of(struct admin *admin)
{
    return (struct console){.run = run,
                            .allows = allows,
                            .explains = explains,
                            .explain = explain,
                            .ran = ran,
                            .owner = admin};
}
