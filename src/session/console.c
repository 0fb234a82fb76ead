/* A client of the virtual database. Its commands take no parameters and answer in text, which is
 * what drivers need who speak the extended protocol only: a statement is its text, and running it
 * twice, once to describe it, does no harm, since only what reads is described. */
#include "session/conversation.h"

#include "wire/frame.h"
#include "wire/read.h"
#include "wire/types.h"
#include "wire/write.h"

#include <stdio.h>

/* Names of statements and portals are kept in one list, apart by their first letter. */
static struct slice entry_of(uint8_t what, struct slice name, char *room, size_t cap)
{
    int len = snprintf(room, cap, "%c%.*s", what, (int)name.len, (const char *)name.at);

    return slice_of(room, (size_t)len < cap ? (size_t)len : cap - 1);
}

enum { ENTRY_MAX = 80 };

static void set_text(struct session *session, uint8_t what, struct slice name, struct slice text)
{
    char room[ENTRY_MAX];

    vars_set(&session->texts, entry_of(what, name, room, sizeof(room)), text, false);
}

static const char *find_text(struct session *session, uint8_t what, struct slice name)
{
    char room[ENTRY_MAX];
    const struct var *var = vars_find(&session->texts, entry_of(what, name, room, sizeof(room)));

    return var ? var->value : NULL;
}

static void run(struct session *session, struct slice text, struct buf *out)
{
    struct console *console = &session->rooms->console;

    console->run(console->owner, session, text, out);
}

static void refuse(struct session *session, struct buf *out, const char *sqlstate,
                   const char *message)
{
    struct err err;

    err_set(&err, sqlstate, "%s", message);
    err_hint(&err, "The console's commands take no parameters: SHOW HELP lists them.");
    write_error(out, "ERROR", &err);
    session->skipping = true;
}

static void take_parse(struct session *session, struct slice body, struct buf *out)
{
    struct read_parse parse;

    if (!read_parse(body, &parse)) {
        refuse(session, out, "08P01", "invalid message format");
        return;
    }
    set_text(session, 'S', parse.name, parse.text);
    write_empty(out, REPLY_PARSE);
}

static void take_bind(struct session *session, struct slice body, struct buf *out)
{
    struct read_bind bind;
    const char *text;

    if (!read_bind(body, &bind)) {
        refuse(session, out, "08P01", "invalid message format");
        return;
    }
    text = find_text(session, 'S', bind.name);
    if (!text) {
        refuse(session, out, "26000", "prepared statement does not exist");
    } else if (bind.nvalues) {
        refuse(session, out, "0A000", "the console knows no parameters");
    } else {
        set_text(session, 'P', bind.portal, slice_text(text));
        write_empty(out, REPLY_BIND);
    }
}

static bool reads(const char *text)
{
    struct slice left = slice_text(text);

    while (left.len && strchr(" \t\r\n", *left.at))
        left = slice_skip(left, 1);
    return slice_is_nocase(slice_first(left, 4), "show") ||
           slice_is_nocase(slice_first(left, 7), "explain");
}

/* The RowDescription of what `text` answers, or NoData. */
static void describe(struct session *session, const char *text, struct buf *out)
{
    struct buf answer = {0};
    struct frame frame;

    if (reads(text))
        run(session, slice_text(text), &answer);
    if (frame_look(buf_slice(&answer), &frame) == FRAME_WHOLE && frame.type == REPLY_ROWS)
        buf_put_slice(out, frame.whole);
    else
        write_empty(out, REPLY_NO_ROWS);
    buf_clear(&answer);
}

static void take_describe(struct session *session, struct slice body, struct buf *out)
{
    struct slice name;
    uint8_t what;
    const char *text;
    size_t begin;

    if (!read_target(body, &what, &name)) {
        refuse(session, out, "08P01", "invalid message format");
        return;
    }
    text = find_text(session, what, name);
    if (!text) {
        refuse(session, out, what == 'S' ? "26000" : "34000", "no such statement or portal");
        return;
    }
    if (what == 'S') {
        begin = write_begin(out, REPLY_PARAMETERS);
        write_u16(out, 0);
        write_end(out, begin);
    }
    describe(session, text, out);
}

/* What a Query gets, but for the row descriptions, which are Describe's. */
static void take_execute(struct session *session, struct slice body, struct buf *out)
{
    struct buf answer = {0};
    struct slice portal, left;
    struct frame frame;
    uint32_t max_rows;
    const char *text;

    text = read_execute(body, &portal, &max_rows) ? find_text(session, 'P', portal) : NULL;
    if (!text) {
        refuse(session, out, "34000", "portal does not exist");
        return;
    }
    run(session, slice_text(text), &answer);
    left = buf_slice(&answer);
    while (frame_look(left, &frame) == FRAME_WHOLE) {
        if (frame.type != REPLY_ROWS)
            buf_put_slice(out, frame.whole);
        session->skipping |= frame.type == REPLY_ERROR;
        left = slice_skip(left, frame.total);
    }
    buf_clear(&answer);
}

static void take_close(struct session *session, struct slice body, struct buf *out)
{
    char room[ENTRY_MAX];
    struct slice name;
    uint8_t what;

    if (read_target(body, &what, &name))
        vars_remove(&session->texts, entry_of(what, name, room, sizeof(room)));
    write_empty(out, REPLY_CLOSE);
}

static void answer(struct session *session, const struct frame *frame, struct buf *out)
{
    struct slice body = frame_body(frame);

    switch (frame->type) {
    case MSG_QUERY:
        run(session, slice_first(body, body.len ? body.len - 1 : 0), out);
        write_ready(out, 'I');
        break;
    case MSG_SYNC:
        session->skipping = false;
        write_ready(out, 'I');
        break;
    case MSG_PARSE:
        take_parse(session, body, out);
        break;
    case MSG_BIND:
        take_bind(session, body, out);
        break;
    case MSG_DESCRIBE:
        take_describe(session, body, out);
        break;
    case MSG_EXECUTE:
        take_execute(session, body, out);
        break;
    case MSG_CLOSE:
        take_close(session, body, out);
        break;
    case MSG_FLUSH:
        break;
    default:
        refuse(session, out, "0A000", "the console knows no such message");
    }
}

size_t console_take(struct session *session, struct slice left)
{
    struct frame frame;
    enum frame_state state = frame_look(left, &frame);
    struct buf out = {0};

    if (state == FRAME_BAD || (state != FRAME_NONE && !input_is_known(frame.type))) {
        input_refuse_type(session, left.at[0]);
        return 0;
    }
    if (state == FRAME_PART && frame.total > session->rooms->max_request)
        input_refuse_size(session, frame.total);
    if (state != FRAME_WHOLE)
        return 0;
    if (frame.type == MSG_TERMINATE) {
        session_end(session);
        return 0;
    }
    session->requests += frame.type == MSG_QUERY || frame.type == MSG_EXECUTE;
    answer(session, &frame, &out);
    stream_send_buf(session->client, &out);
    buf_clear(&out);
    return frame.total;
}
