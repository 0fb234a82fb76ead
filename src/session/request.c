/* Reads the messages of a request and resolves their names; decides nothing. */
#include "session/request.h"

#include "base/mem.h"
#include "session/conversation.h"
#include "session/prepare.h"
#include "wire/frame.h"
#include "wire/read.h"
#include "wire/types.h"
#include "wire/write.h"

#include <stdlib.h>

enum { SPARE_MAX = 64, KEPT_BYTES = 64 * 1024, KEPT_MESSAGES = 256, MAX_PARSE = 64 * 1024 * 1024 };

/* Everything but what is kept, and the large arrays, which are only read where they were written.
 */
static void make_new(struct request *request)
{
    memset(&request->later, 0, sizeof(*request) - offsetof(struct request, later));
    request->err.sqlstate[0] = '\0';
    request->verdict.tier = request->trail.tier = -1;
}

struct request *request_new(struct rooms *rooms)
{
    struct ring *link = ring_first(&rooms->spare);
    struct request *request;

    if (!link) {
        request = mem_new(sizeof(*request));
        ring_init(&request->spare);
        make_new(request);
        return request;
    }
    ring_leave(link);
    rooms->nspare--;
    return RING_OF(link, struct request, spare);
}

static void drop_messages(struct request *request)
{
    for (unsigned i = 0; i < request->nmessages; i++)
        statement_unref(request->messages[i].statement);
    request->nmessages = 0;
}

static void free_whole(struct request *request)
{
    buf_clear(&request->bytes);
    buf_clear(&request->held);
    mem_free(request->messages);
    mem_free(request->whose);
    harvest_free(request);
    mem_free(request);
}

void request_free(struct rooms *rooms, struct request *request)
{
    drop_messages(request);
    if (request->has_text)
        known_shape_unref(request->text.known);
    request->has_text = false;
    if (request->rules)
        rules_unref(request->rules);
    request->rules = NULL;
    if (rooms->nspare >= SPARE_MAX) {
        free_whole(request);
        return;
    }
    if (request->bytes.cap > KEPT_BYTES)
        buf_clear(&request->bytes);
    if (request->cap > KEPT_MESSAGES) {
        mem_free(request->messages);
        request->messages = NULL;
        request->cap = 0;
    }
    buf_take(&request->bytes, buf_len(&request->bytes));
    buf_take(&request->held, buf_len(&request->held));
    if (request->held.cap > KEPT_BYTES)
        buf_clear(&request->held);
    make_new(request);
    ring_append(&rooms->spare, &request->spare);
    rooms->nspare++;
}

void request_free_spare(struct rooms *rooms)
{
    struct ring *link;

    while ((link = ring_first(&rooms->spare))) {
        ring_leave(link);
        free_whole(RING_OF(link, struct request, spare));
    }
    rooms->nspare = 0;
}

static struct message *add(struct request *request)
{
    if (request->nmessages == request->cap) {
        request->cap = request->cap ? request->cap * 2 : 8;
        request->messages = mem_grow(request->messages, request->cap * sizeof(struct message));
    }
    request->messages[request->nmessages] = (struct message){0};
    return &request->messages[request->nmessages++];
}

void request_become(struct request *request, struct slice text)
{
    struct buf bytes = {0};
    size_t begin = write_begin(&bytes, MSG_QUERY);

    write_cstr(&bytes, text);
    write_end(&bytes, begin);
    drop_messages(request);
    buf_clear(&request->bytes);
    request->bytes = bytes;
    *add(request) = (struct message){.type = MSG_QUERY, .len = (uint32_t)buf_len(&bytes)};
    request->simple = request->plain = true;
    request->describes = request->unread = request->unseen = false;
    request->nqueries = 1;
}

struct slice request_slice(const struct request *request, const struct message *message)
{
    return slice_of(request->bytes.at + request->bytes.head + message->at, message->len);
}

static void renew(struct session *session, struct request *request, struct statement *old,
                  bool told)
{
    struct statement *new = statement_renew(statement_ref(old), session_parsing(session));

    for (unsigned i = 0; told && i < request->nmessages; i++) {
        if (request->messages[i].statement != old)
            continue;
        request->messages[i].statement = statement_ref(new);
        statement_unref(old);
    }
    if (told)
        names_replace(&session->names, old, new);
    statement_unref(new);
    statement_unref(old);
}

void request_renew(struct session *session, struct request *request, bool told)
{
    for (unsigned i = 0; i < request->nmessages; i++) {
        struct message *message = &request->messages[i];

        if (message->statement && (message->type == MSG_BIND || message->type == MSG_QUERY)) {
            message->statement->outdated = true;
            renew(session, request, message->statement, told);
        }
    }
}

bool request_relies(const struct request *request)
{
    for (unsigned i = 0; i < request->nmessages; i++) {
        const struct message *message = &request->messages[i];

        if (message->type == MSG_BIND && message->statement && message->statement->columns)
            return !request->describes;
    }
    return false;
}

struct slice request_text(const struct request *request)
{
    for (unsigned i = 0; i < request->nmessages; i++) {
        const struct message *message = &request->messages[i];

        if (message->type == MSG_QUERY)
            return slice_of(request_slice(request, message).at + FRAME_HEAD,
                            message->len - FRAME_HEAD - 1);
        if (message->type == MSG_BIND && message->statement)
            return message->statement->text;
    }
    return (struct slice){0};
}

static void free_facts(void *facts)
{
    struct known_text *text = facts;

    known_shape_unref(text->known);
    mem_free(text);
}

void request_take_rules(struct session *session, struct request *request)
{
    struct rules *before = request->rules;

    request->rules = session->rooms->rules;
    rules_ref(request->rules);
    request->trail.rules = request->rules;
    if (before)
        rules_unref(before);
}

/* What is known of a statement's text is found once and kept beside it, with no more values than it
 * has. */
static const struct known_text *facts_of(struct session *session, struct statement *statement,
                                         const struct search_path *path)
{
    struct known_text found, *kept = statement->facts;

    if (kept && kept->known->path == path)
        return kept;
    if (kept)
        free_facts(kept);
    found.known = shapes_find(&session->database->shapes,
                              slice_skip(statement->text, statement->body), path, &found.values);
    kept = mem_new(offsetof(struct known_text, values.at) +
                   values_stored(&found.values) * sizeof(struct value));
    kept->known = found.known;
    values_copy(&kept->values, &found.values);
    statement->facts = kept;
    statement->free_facts = free_facts;
    return kept;
}

static bool add_parse(struct session *session, struct message *message, struct slice body)
{
    struct read_parse parse;

    if (!read_parse(body, &parse))
        return false;
    message->named = parse.name.len > 0;
    message->duplicate = message->named && names_find(&session->names, parse.name);
    if (message->duplicate) {
        message->statement = statement_ref(names_find(&session->names, parse.name));
        session->changes++; /* which will not come to pass, and is counted as the one that failed */
        return true;
    }
    message->statement = statement_of(&session->database->statements, parse.text, parse.oids,
                                      session_parsing(session));
    names_set(&session->names, parse.name, message->statement, session->changes++);
    return true;
}

static bool add_bind(struct session *session, struct request *request, struct message *message,
                     struct slice begin)
{
    struct slice portal, name;

    if (!read_bind_names(begin, &portal, &name))
        return false;
    message->named = name.len > 0;
    message->rest = (uint32_t)(portal.len + name.len + 2);
    message->statement = names_find(&session->names, name);
    message->foreign = !message->statement && prepare_is_ours(name);
    if (message->statement)
        statement_ref(message->statement);
    /* A name that SQL's PREPARE gave, maybe: nobody knows what it does. */
    request->unseen |= !message->statement;
    request->unread |= !message->statement;
    return true;
}

static bool add_target(struct session *session, struct message *message, struct slice body)
{
    struct slice name;

    if (!read_target(body, &message->what, &name) || (message->what != 'S' && message->what != 'P'))
        return false;
    if (message->what == 'P') {
        session->changes += message->type == MSG_CLOSE;
        return true;
    }
    message->named = name.len > 0;
    message->statement = names_find(&session->names, name);
    message->foreign = !message->statement && prepare_is_ours(name);
    if (message->statement)
        statement_ref(message->statement);
    if (message->type == MSG_CLOSE)
        names_close(&session->names, name, session->changes++);
    return true;
}

/* [Parse] Bind [Describe] Execute Sync: the whole of a transaction, nothing left behind but a
 * name. */
static bool is_plain(const struct request *request)
{
    static const uint8_t order[] = {MSG_PARSE, MSG_BIND, MSG_DESCRIBE, MSG_EXECUTE, MSG_SYNC};
    unsigned at = 0;

    if (request->later || request->unread)
        return false;
    if (request->simple)
        return request->nqueries == 1;
    for (unsigned i = 0; i < request->nmessages; i++) {
        const struct message *message = &request->messages[i];

        while (at < sizeof(order) && order[at] != message->type)
            at++;
        if (at++ == sizeof(order) || message->duplicate ||
            (message->type == MSG_DESCRIBE && message->what != 'P'))
            return false;
    }
    return request->nqueries == 1 && request->synced;
}

static bool is_plain_execute(const struct request *request, const struct message *message)
{
    struct slice portal;
    uint32_t max_rows;

    return read_execute(slice_skip(request_slice(request, message), FRAME_HEAD), &portal,
                        &max_rows) &&
           portal.len == 0 && max_rows == 0;
}

/* Portals with names live on; a limited Execute leaves one half read. */
static bool uses_plain_portal(const struct request *request)
{
    for (unsigned i = 0; i < request->nmessages; i++) {
        const struct message *message = &request->messages[i];
        struct slice body = slice_skip(request_slice(request, message), FRAME_HEAD);
        struct slice portal, name;

        if (message->type == MSG_EXECUTE && !is_plain_execute(request, message))
            return false;
        if (message->type == MSG_BIND &&
            (!read_bind_names(body, &portal, &name) || portal.len || !message->statement))
            return false;
    }
    return true;
}

void request_complete(struct request *request)
{
    bool executes = request->simple;

    for (unsigned i = 0; i < request->nmessages; i++) {
        request->describes |= request->messages[i].type == MSG_DESCRIBE;
        executes |= request->messages[i].type == MSG_EXECUTE;
    }
    request->plain =
        executes && is_plain(request) && (request->simple || uses_plain_portal(request));
}

bool request_add(struct session *session, struct request *request, uint32_t at, uint32_t len,
                 size_t later)
{
    struct message *message = add(request);
    struct slice whole = slice_of(request->bytes.at + request->bytes.head + at, len);
    struct slice body = slice_skip(whole, FRAME_HEAD);

    message->type = whole.at[0];
    message->at = at;
    message->len = len;
    request->later = later;
    request->unread |= later > 0;
    switch (message->type) {
    case MSG_QUERY:
        request->simple = true;
        request->nqueries++;
        names_remove(&session->names, SLICE(""));
        request->unseen |= later > 0;
        return later || (body.len && body.at[body.len - 1] == '\0');
    case MSG_FUNCTION:
        request->simple = request->unread = request->unseen = true;
        return true;
    case MSG_PARSE:
        return add_parse(session, message, body);
    case MSG_BIND:
        request->nqueries++;
        return add_bind(session, request, message, body);
    case MSG_DESCRIBE:
    case MSG_CLOSE:
        return add_target(session, message, body);
    case MSG_SYNC:
        request->synced = true;
        return !body.len;
    case MSG_FLUSH:
        return !body.len;
    }
    return true;
}

static bool bind_values(const struct statement *statement, const struct read_bind *bind,
                        struct values *values)
{
    struct reader reader = {bind->values, false};
    struct slice given[VALUES_MAX];
    unsigned count = bind->nvalues < VALUES_MAX ? bind->nvalues : VALUES_MAX;

    for (unsigned i = 0; i < count; i++) {
        uint32_t len = read_u32(&reader);

        given[i] = len == UINT32_MAX ? (struct slice){0} : read_bytes(&reader, len);
    }
    if (reader.bad)
        return false;
    for (unsigned i = 0; i < values_stored(values); i++) {
        struct value *value = &values->at[i];
        unsigned at = value->number - 1;
        const uint8_t *oid;

        if (value->kind != VALUE_PARAM)
            continue;
        if (value->number == 0 || at >= count) {
            values->complete = false;
            continue;
        }
        oid = at < statement->noids ? statement->oids.at + at * 4 : NULL;
        value->oid =
            oid ? (uint32_t)oid[0] << 24 | (uint32_t)oid[1] << 16 | (uint32_t)oid[2] << 8 | oid[3]
                : 0;
        value->bytes = given[at];
        value->kind = !given[at].at                     ? VALUE_NULL
                      : read_bind_format(bind, at) == 1 ? VALUE_BINARY
                                                        : VALUE_TEXT;
    }
    return true;
}

/* A lone EXECUTE is what it runs, with values that nobody knows. */
static void read_names(struct session *session, struct request *request, struct message *message,
                       const struct search_path *path, struct known_text *text)
{
    const struct known_text *facts;
    struct slice tags = text->values.tags;

    prepare_read(session, request, message, text->known->shape);
    if (!prepare_is_transparent(message, text->known->shape))
        return;
    facts = facts_of(session, message->statement, path);
    known_shape_unref(text->known);
    text->known = known_shape_ref(facts->known);
    values_copy(&text->values, &facts->values);
    text->values.complete = false;
    if (tags.len)
        text->values.tags = tags;
}

static bool read_query(struct session *session, struct request *request, struct message *message,
                       const struct search_path *path, struct known_text *text,
                       struct slice *results)
{
    struct slice body = slice_skip(request_slice(request, message), FRAME_HEAD);
    const struct known_text *facts;
    struct read_bind bind;

    if (message->type == MSG_QUERY) {
        text->known = shapes_find(&session->database->shapes, slice_first(body, body.len - 1), path,
                                  &text->values);
        read_names(session, request, message, path, text);
        return true;
    }
    facts = facts_of(session, message->statement, path);
    text->known = known_shape_ref(facts->known);
    values_copy(&text->values, &facts->values);
    request->spells |= prepare_is_spoken(facts->known->shape);
    if (!read_bind(body, &bind) || !bind_values(message->statement, &bind, &text->values))
        return false;
    *results = bind.results;
    return true;
}

bool request_each(struct session *session, struct request *request,
                  void (*each)(struct session *session, struct request *request,
                               struct known_shape *known, const struct values *values))
{
    unsigned seen = 0;

    for (unsigned i = 0; i < request->nmessages; i++) {
        struct message *message = &request->messages[i];
        bool first = seen == 0;
        struct known_text *text = &request->text, other;
        struct slice results = {0};
        bool good = true;

        if (message->type != MSG_QUERY && message->type != MSG_BIND)
            continue;
        seen++;
        /* What was cut, or has no statement, has no values. */
        if ((request->later && i == request->nmessages - 1) ||
            (message->type == MSG_BIND && !message->statement))
            continue;
        if (!first)
            text = &other;
        if (!first || !request->has_text) {
            good = read_query(session, request, message, session_path(session), text, &results);
            if (first) {
                request->has_text = true;
                request->results = results;
            }
        }
        if (good)
            each(session, request, text->known, &text->values);
        if (!first)
            known_shape_unref(other.known);
        if (!good)
            return false;
    }
    return true;
}
