/* Answer: the cache is asked; who asks first for what nobody knows leads, and its answer lands here
 * on the way back. */
#include "session/conversation.h"
#include "wire/frame.h"
#include "session/channels.h"
#include "session/deallocate.h"
#include "session/wording.h"
#include "wire/types.h"
#include "wire/write.h"

#include "base/clock.h"

static const uint8_t parse_complete[] = {REPLY_PARSE, 0, 0, 0, 4},
                     bind_complete[] = {REPLY_BIND, 0, 0, 0, 4},
                     close_complete[] = {REPLY_CLOSE, 0, 0, 0, 4};

static bool is_valid(void *owner, uint64_t stamp, bool row)
{
    struct session *session = owner;

    return ledger_valid(session->database->ledger, &session->request->read, stamp, row);
}

static unsigned key_pins(const struct request *request, const struct plan *plan,
                         struct key_pin *pins)
{
    const struct pinned *pinned = &request->pinned;
    unsigned count = 0;

    for (unsigned i = 0; i < pinned->count && count < PINNED_MAX; i++) {
        const struct plan_ref *ref = &plan->refs[pinned->values[i].ref];

        if (pinned->values[i].given || !ref->relation)
            continue;
        pins[count++] =
            (struct key_pin){ref->relation->dimensions[pinned->values[i].dimension],
                             slice_of(pinned->bytes + pinned->values[i].at, pinned->values[i].len)};
    }
    return count;
}

static void make_key(struct session *session, struct request *request)
{
    const struct plan *plan = database_plan(session->database, request->text.known);
    struct key_pin pins[PINNED_MAX];
    struct key_parts parts = {
        .name_space = database_name_space(session->database),
        .database = slice_text(session->database->name),
        .user = slice_text(session->user),
        .settings = session->settings,
        .shape = request->text.known->shape,
        .values = &request->text.values,
        .results = request->results,
        .cache = request->verdict.cache,
        .pins = pins,
        .npins = key_pins(request, plan, pins),
    };

    key_make(&parts, &request->key);
}

static void put_entry(struct session *session, const struct request *request,
                      const struct entry *entry)
{
    if (!request->simple) {
        for (unsigned i = 0; i < request->nmessages; i++) {
            if (request->messages[i].type == MSG_PARSE)
                outbox_put(session, slice_of(parse_complete, FRAME_HEAD));
            else if (request->messages[i].type == MSG_BIND)
                outbox_put(session, slice_of(bind_complete, FRAME_HEAD));
        }
    }
    if (request->simple || request->describes)
        outbox_put(session, entry->columns);
    outbox_put(session, entry->rows);
    outbox_put(session, entry->complete);
}

/* What the server would have sent, from an entry. */
static void answer_from(struct session *session, const struct entry *entry)
{
    struct request *request = session->request;

    if (!request->explains)
        put_entry(session, request, entry);
    request->trail.source = SOURCE_CACHE;
    request->trail.bytes = entry->columns.len + entry->rows.len + entry->complete.len;
    /* What is put must live until the flush, and the entry lives until the ask is left. */
    outbox_flush(session);
}

static enum outcome follow(struct session *session, enum cache_verdict verdict)
{
    struct request *request = session->request;

    switch (verdict) {
    case CACHE_HIT:
        answer_from(session, &request->ask.entry);
        return STEP_ANSWERED;
    case CACHE_LEAD:
        request->leads = request->trail.led = true;
        return STEP_ON;
    case CACHE_ALONE:
        return STEP_ON;
    case CACHE_WAIT:
        break;
    }
    return STEP_WAIT;
}

static void cache_said(struct cache_ask *ask, enum cache_verdict verdict)
{
    struct session *session = ask->owner;

    session->request->trail.joined = verdict == CACHE_HIT;
    switch (follow(session, verdict)) {
    case STEP_ANSWERED:
        steps_answered(session);
        break;
    case STEP_ON:
        steps_on(session);
        break;
    default:
        break;
    }
}

static uint64_t proof_of(const struct session *session)
{
    return hash_join(session->settings, hash_slice(slice_text(session->user))) | 1;
}

void answer_prove(struct session *session, const struct request *request)
{
    uint64_t proof = proof_of(session);

    for (unsigned i = 0; i < request->nmessages; i++)
        if (request->messages[i].type == MSG_PARSE)
            request->messages[i].statement->proved = proof;
}

/* A client that only prepares what a server has accepted before, for the same user and settings, or
 * closes what it has prepared, needs no server. A driver that prepares while it blocks, and the
 * servers wait for other clients of its thread, would wait for ever. */
static bool needs_no_server(const struct session *session, const struct request *request)
{
    uint64_t proof = proof_of(session);

    if (session_holds_server(session) || !request->synced || request->nqueries)
        return false;
    for (unsigned i = 0; i < request->nmessages; i++) {
        const struct message *message = &request->messages[i];

        if (message->type == MSG_PARSE &&
            (message->duplicate || (message->statement->proved != proof &&
                                    !begin_may_prepare(session, message->statement->text))))
            return false;
        if (message->type != MSG_PARSE && message->type != MSG_SYNC &&
            (message->type != MSG_CLOSE || message->what != 'S'))
            return false;
    }
    return true;
}

void answer_command(struct session *session, const struct request *request, const char *tag)
{
    struct buf out = {0};

    for (unsigned i = 0; i < request->nmessages; i++) {
        if (request->messages[i].type == MSG_PARSE)
            write_empty(&out, REPLY_PARSE);
        else if (request->messages[i].type == MSG_BIND)
            write_empty(&out, REPLY_BIND);
        else if (request->messages[i].type == MSG_DESCRIBE)
            write_empty(&out, REPLY_NO_ROWS);
    }
    write_complete(&out, tag);
    outbox_put(session, buf_slice(&out));
    outbox_flush(session);
    buf_clear(&out);
}

void answer_alone(struct session *session, const struct request *request)
{
    for (unsigned i = 0; i < request->nmessages; i++) {
        if (request->messages[i].type == MSG_PARSE)
            outbox_put(session, slice_of(parse_complete, FRAME_HEAD));
        else if (request->messages[i].type == MSG_CLOSE)
            outbox_put(session, slice_of(close_complete, FRAME_HEAD));
    }
}

/* A client's names are its own, and no server knows them: whoever drops one by SQL, as some drivers
 * do, is answered here. False: the name is not of a Parse, or the text is not so simple. */
static bool drop_name(struct session *session, const struct request *request)
{
    struct deallocate drop;

    if (!request->plain || session->status == 'E' || session->midway ||
        request->text.known->shape->statements[0] != STATEMENT_DEALLOCATE ||
        !deallocate_read(request_text(request), &drop))
        return false;
    /* Some that SQL has made may be the server's alone. */
    if (drop.all && session->pins & PIN_BIT(PIN_PREPARED))
        return false;
    if (drop.all)
        names_clear(&session->names);
    else if (names_find(&session->names, slice_of(drop.name, drop.len)))
        names_remove(&session->names, slice_of(drop.name, drop.len));
    else
        return false;
    answer_command(session, request, drop.all ? "DEALLOCATE ALL" : "DEALLOCATE");
    return true;
}

/* A statement whose columns have changed, outside of a transaction: whoever is told of the new ones
 * gets it prepared anew, the others hear what the server would say. False: refused. */
static bool heed_outdated(struct session *session, struct request *request)
{
    bool outdated = false;

    if (!request->plain || session->status != 'I' || session->midway)
        return true;
    for (unsigned i = 0; i < request->nmessages; i++)
        outdated |= request->messages[i].type == MSG_BIND && request->messages[i].named &&
                    request->messages[i].statement && request->messages[i].statement->outdated;
    if (!outdated)
        return true;
    if (request_relies(request))
        wording_outdated(&request->err);
    else
        request_renew(session, request, true);
    return !err_is_set(&request->err);
}

enum outcome enter_answer(struct session *session)
{
    struct request *request = session->request;
    struct cache_ask *ask = &request->ask;

    if (!request->nqueries && needs_no_server(session, request)) {
        answer_alone(session, request);
        return STEP_ANSWERED;
    }
    if (!request->nqueries && hearing_prepares(session, request))
        return STEP_ANSWERED;
    if (begin_answers(session, request) ||
        (request->has_text && request->nqueries == 1 && drop_name(session, request)))
        return STEP_ANSWERED;
    if (err_is_set(&request->err) || !heed_outdated(session, request))
        return STEP_FAILED;
    if (request->listens) {
        enum outcome outcome = hearing_answers(session, request);

        if (outcome != STEP_ON)
            return outcome;
    }
    if (!request->cacheable)
        return STEP_ON;
    make_key(session, request);
    *ask = (struct cache_ask){
        .key = &request->key,
        .cache = request->verdict.cache,
        .stamp = request->need.stamp,
        .joinable = !request->need.pending,
        .valid = is_valid,
        .done = cache_said,
        .owner = session,
        .now = clock_now(),
    };
    request->asked = true;
    return follow(session, cache_ask(session->rooms->cache, ask));
}

void leave_answer(struct session *session, bool ok)
{
    struct request *request = session->request;

    channels_stop_waiting(session);
    if (!request->asked)
        return;
    if (request->leads) {
        if (ok && !request->failed)
            cache_land(&request->ask, clock_now());
        else
            cache_drop(&request->ask);
    }
    cache_leave(&request->ask);
    request->asked = request->leads = false;
}
