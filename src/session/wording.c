/* Changes names and places, and no other word. */
#include "session/wording.h"

#include "session/prepare.h"
#include "wire/frame.h"
#include "wire/read.h"
#include "wire/types.h"
#include "wire/write.h"

#include <stdio.h>
#include <stdlib.h>

/* The name by which the client spoke of the message's statement; appended to `out`. */
static void put_own_name(const struct request *request, const struct message *message,
                         struct buf *out)
{
    struct slice body = slice_skip(request_slice(request, message), FRAME_HEAD), portal, name;
    struct read_parse parse;
    uint8_t what;

    switch (message->type) {
    case MSG_QUERY:
        prepare_spell(request, message, out);
        break;
    case MSG_PARSE:
        if (read_parse(body, &parse))
            buf_put_slice(out, parse.name);
        break;
    case MSG_BIND:
        if (read_bind_names(body, &portal, &name))
            buf_put_slice(out, name);
        break;
    case MSG_DESCRIBE:
        if (read_target(body, &what, &name))
            buf_put_slice(out, name);
        break;
    }
}

static bool is_renamed(const struct message *message)
{
    return message->statement && (message->named || message->use != PREPARE_NONE);
}

/* The message whose statement the text speaks of; *at is where its name begins. NULL: none. */
static const struct message *find_named(const struct request *request, struct slice text,
                                        size_t *at)
{
    for (unsigned i = 0; i < request->nmessages; i++) {
        const struct message *message = &request->messages[i];
        char quoted[40];
        const uint8_t *found;

        if (!is_renamed(message))
            continue;
        snprintf(quoted, sizeof(quoted), "\"%s\"", message->statement->name);
        found = text.len ? memmem(text.at, text.len, quoted, strlen(quoted)) : NULL;
        if (!found)
            continue;
        *at = (size_t)(found - text.at) + 1;
        return message;
    }
    return NULL;
}

/* How much longer the name is than the one that the client wrote before `place`. */
static long moved_by(const struct request *request, long place)
{
    const struct message *message = request->nmessages ? &request->messages[0] : NULL;
    bool quoted;

    if (!message || !message->statement || message->type != MSG_QUERY ||
        (message->use != PREPARE_MAKES && message->use != PREPARE_RUNS) ||
        place <= (long)message->name_at)
        return 0;
    quoted = request_slice(request, message).at[FRAME_HEAD + message->name_at] == '"';
    return (long)strlen(message->statement->name) + (quoted ? 2 : 0) - (long)message->name_len;
}

static bool put_place(const struct request *request, struct slice text, struct buf *out)
{
    char number[24] = "";
    long place, moved;

    snprintf(number, sizeof(number), "%.*s", (int)text.len, (const char *)text.at);
    place = strtol(number, NULL, 10);
    moved = moved_by(request, place);
    snprintf(number, sizeof(number), "%ld", place - moved);
    write_cstr(out, slice_text(number));
    return moved != 0;
}

static bool put_text(const struct request *request, struct slice text, struct buf *out)
{
    size_t at = 0;
    const struct message *message = find_named(request, text, &at);

    if (message) {
        buf_put_slice(out, slice_first(text, at));
        put_own_name(request, message, out);
        text = slice_skip(text, at + strlen(message->statement->name));
    }
    write_cstr(out, text);
    return message != NULL;
}

bool wording_own(const struct request *request, struct slice whole, struct buf *out)
{
    struct reader reader = {slice_skip(whole, FRAME_HEAD), false};
    size_t before = buf_len(out), begin = write_begin(out, REPLY_ERROR);
    bool changed = false;
    uint8_t field;

    while ((field = read_byte(&reader)) && !reader.bad) {
        struct slice text = read_cstr(&reader);

        write_byte(out, field);
        if (field == 'P')
            changed |= put_place(request, text, out);
        else if (field == 'M' || field == 'D')
            changed |= put_text(request, text, out);
        else
            write_cstr(out, text);
    }
    write_byte(out, 0);
    write_end(out, begin);
    if (changed && !reader.bad)
        return true;
    out->tail = out->head + before;
    return false;
}

void wording_outdated(struct err *err)
{
    static const char quote[] = "SERROR\0VERROR\0C0A000\0Mcached plan must not change result type\0"
                                "Fplancache.c\0RRevalidateCachedQuery\0";

    err_set(err, "0A000", "cached plan must not change result type");
    err->quote = slice_of(quote, sizeof(quote));
}
