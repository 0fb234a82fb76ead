/* What servers answer, on its way to the client: looked at where it must be, recorded where the
 * request leads a flight, and passed on without copying. A replica's answer is held until it is
 * known that no write has overtaken it. */
#include "session/conversation.h"
#include "session/inventory.h"
#include "session/prepare.h"
#include "session/wording.h"
#include "wire/frame.h"
#include "wire/read.h"
#include "wire/types.h"
#include "wire/write.h"

#include "base/log.h"

static bool is_from_replica(const struct session *session)
{
    return session->node && session->node->role == NODE_REPLICA;
}

/* Nothing of this answer reaches the client; the primary is asked when it has ended. */
static void throw_away(struct request *request)
{
    request->discard = true;
    request->checking = request->holding = false;
    request->trail.rows = request->trail.bytes = 0;
    buf_take(&request->held, buf_len(&request->held));
    if (request->leads) {
        cache_drop(&request->ask);
        request->leads = false;
    }
}

/* The standby cannot do this at all, as against not just now. */
static bool is_for_good(struct slice sqlstate)
{
    return slice_is(sqlstate, "25006") || slice_is(sqlstate, "0A000") ||
           slice_is(sqlstate, "55000");
}

/* Outside of a transaction, and where the client is told of the new columns, it may be asked again
 * as if nothing had been. */
static bool may_ask_again(const struct session *session, const struct request *request)
{
    return session->status == 'I' && !session->midway && request->plain && !request->passed &&
           !request->renewed && ring_empty(&session->ahead) && !request_relies(request);
}

static bool is_outdated(struct slice body)
{
    return slice_is(read_error_field(body, 'C'), "0A000") &&
           slice_is(read_error_field(body, 'R'), "RevalidateCachedQuery");
}

/* A PREPARE that failed has left nothing on the server. */
static void forget_made(struct session *session, const struct request *request)
{
    if (request->simple && request->nmessages && request->messages[0].use == PREPARE_MAKES)
        prepared_remove(&session->take.server->prepared, request->messages[0].statement->id);
}

static void see_error(struct session *session, struct request *request, struct slice body)
{
    struct slice code = read_error_field(body, 'C');

    if (slice_is(code, "55006") && request->holding && occupied_make_room(session, request)) {
        throw_away(request);
        return;
    }
    /* What was cancelled, or has run out of its time, is not begun anew elsewhere. */
    if (is_from_replica(session) && request->moves && !request->passed &&
        !slice_is(code, "57014")) {
        if (is_for_good(code) && request->has_text &&
            !slice_is(read_error_field(body, 'R'), "RevalidateCachedQuery"))
            request->text.known->not_on_standby = true;
        if (is_outdated(body))
            request_renew(session, request, !request_relies(request));
        throw_away(request);
        return;
    }
    if (is_outdated(body)) {
        bool again = may_ask_again(session, request);

        request_renew(session, request, again);
        if (again) {
            request->renewed = true;
            session->out.count = 0; /* what was answered for the server is answered again */
            throw_away(request);
            return;
        }
    }
    request->failed = true;
    session->exchange_failed = true;
    inventory_doubt_names(session);
    session->parse_failed = session->take.server->answering == OWED_PARSE;
    forget_made(session, request);
    if (session->copying) {
        session->copying = false;
        session->copy_failed = session->copy_extended;
    }
}

/* Settings that we put in front were refused: what follows would run under others. */
static void refuse_settings(struct session *session, struct request *request, struct slice body)
{
    struct err err;

    /* A standby may not be able to do it; the primary is asked then. */
    if (is_from_replica(session) && request->moves && !request->passed) {
        throw_away(request);
        return;
    }
    /* Whoever comes next with the same hears of it at its login. */
    accepted_clear(
        pool_accepted(session_pool(session, topology_node(session->database->topology, 0))));
    read_error(body, &err);
    session_fatal(session, &err);
}

static void see_setting(struct session *session, struct slice whole, bool ours)
{
    struct slice name, value;
    const struct var *known;

    if (!read_parameter_status(slice_skip(whole, FRAME_HEAD), &name, &value))
        return;
    /* What the server's login had is no news for a client that came with its own. */
    if (session->anew && vars_find(&session->startup, name))
        return;
    if (vars_settable(name)) {
        known = vars_find(&session->vars, name);
        if (known && slice_is(value, known->value))
            return;
        vars_set(&session->vars, name, value, true);
        session_touch_settings(session);
    } else if (ours) {
        /* Of what the client has been told before: who one is comes back with the settings. */
        return;
    }
    outbox_put(session, whole);
}

static struct slice tag_of(struct slice body)
{
    return slice_first(body, body.len ? body.len - 1 : 0);
}

/* Sets it back to what the client came with, and tells the client, who hears of some of them. The
 * server gets it ahead of the next message. */
static void start_anew(struct session *session, const struct var *var)
{
    struct slice name = slice_text(var->name), value = slice_text(var->value);
    const struct var *known = vars_find(&session->vars, name);
    struct buf out = {0};

    session->anew = true;
    if (session->take.server->status == 'T')
        vars_set(&session->rewound, name, value, false);
    if (known && slice_is(value, known->value))
        return;
    vars_set(&session->vars, name, value, false);
    if (!vars_settable(name))
        return;
    write_parameter_status(&out, name, value);
    outbox_flush(session);
    stream_send_buf(session->client, &out);
    buf_clear(&out);
}

/* The one setting that a RESET, or SET .. TO DEFAULT, was of; NULL: all of them, or not known. */
static const char *default_of(const struct request *request)
{
    const struct shape *shape;

    if (!request || !request->has_text || request->nqueries != 1 || request->unread)
        return NULL;
    shape = request->text.known->shape;
    return shape->set_default && strcmp(shape->set_name, "all") != 0 ? shape->set_name : NULL;
}

static void start_one_anew(struct session *session, struct slice name)
{
    struct server *server = session->take.server;
    const struct var *var = vars_find(&session->startup, name);

    if (var)
        start_anew(session, var);
    /* Of the others the server tells what they are now. */
    if (!vars_settable(name))
        vars_remove(&server->vars, name);
    server->matched = 0;
}

/* Settings go back to what the client came with, not to what the server's login was. */
static void start_settings_anew(struct session *session, const char *name)
{
    if (name) {
        start_one_anew(session, slice_text(name));
    } else {
        for (unsigned i = 0; i < session->startup.count; i++)
            start_anew(session, &session->startup.at[i]);
        server_forget_vars(session->take.server);
        session->pins &= ~PIN_BIT(PIN_UNSEEN);
    }
    session_touch_settings(session);
}

static bool makes_or_drops_names(const struct request *request, struct slice tag)
{
    if (!request || !request->nmessages)
        return false;
    if (slice_is(tag, "PREPARE"))
        return request->simple && request->messages[0].use == PREPARE_MAKES;
    return request->spells && slice_is(tag, "DEALLOCATE");
}

/* Some commands change what we believe of transaction, statements and settings, wherever they stand
 * in a batch: the server's word for their success is looked at. */
static void see_tag(struct session *session, struct slice tag)
{
    bool all = slice_is(tag, "DISCARD ALL");

    hearing_note_tag(session, tag);
    if (slice_is(tag, "COMMIT"))
        transaction_note_commit(session);
    else if (slice_is(tag, "PREPARE TRANSACTION"))
        need_prepared(session);
    if (all || slice_is(tag, "DEALLOCATE ALL")) {
        server_forget_statements(session->take.server);
        names_clear(&session->names);
    }
    if (all || slice_is(tag, "DISCARD SEQUENCES")) {
        session->pins &= ~PIN_BIT(PIN_SEQUENCES);
        session->take.server->sequences_of = 0;
    }
    if (makes_or_drops_names(session->request, tag))
        session->changes_done++;
    if (slice_is(tag, "ROLLBACK"))
        inventory_doubt_names(session);
    if (slice_is(tag, "SET"))
        session->anew = false;
    if (all || slice_is(tag, "RESET") || (slice_is(tag, "SET") && default_of(session->request)))
        start_settings_anew(session, all ? NULL : default_of(session->request));
}

/* Of messages that a Flush has sent ahead: the request that held them is over. */
static void see_after_flush(struct session *session, uint8_t type)
{
    if (type == REPLY_COPY_IN) {
        session->copying = session->copy_extended = true;
    } else if (type == REPLY_ERROR) {
        session->exchange_failed = true;
        session->copying = false;
    }
}

/* What an EXECUTE needed could not be prepared any more: that is what its client hears, and not
 * that there is no such statement. */
static void note_cause(struct request *request, struct slice whole)
{
    buf_take(&request->held, buf_len(&request->held));
    buf_put_slice(&request->held, whole);
    request->caused = true;
}

/* The statement whose columns the message in turn tells; NULL: of several, or none. */
static struct statement *described(const struct request *request)
{
    struct statement *found = NULL;

    for (unsigned i = 0; i < request->nmessages; i++) {
        const struct message *message = &request->messages[i];

        if (!message->named || !message->statement ||
            (message->type != MSG_BIND && message->type != MSG_DESCRIBE))
            continue;
        if (found && found != message->statement)
            return NULL;
        found = message->statement;
    }
    return found;
}

/* Its client reads rows by them from now on; on a server that has prepared it just now they are to
 * be the same. */
static void see_columns(struct session *session, struct request *request, struct slice body,
                        bool ours)
{
    const struct server *server = session->take.server;
    struct statement *statement = NULL;

    if (server->answering == OWED_DESCRIBE_STATEMENT && server->about)
        statement = prepared_find(&server->prepared, (uint64_t)(uintptr_t)server->about);
    else if (!ours && request && !request->simple)
        statement = described(request);
    if (!statement)
        return;
    if (!statement->columns)
        statement->columns = read_columns_hash(body);
    if (!ours || !request || statement->columns == read_columns_hash(body))
        return;
    statement->outdated = true;
    /* As the server would say it, had it prepared the statement before. */
    wording_outdated(&request->err);
}

/* What was to be compared is: the request goes on, or is refused before anything of it was sent. */
static void compared(struct session *session)
{
    session->request->comparing = false;
    if (err_is_set(&session->request->err)) {
        if (session->status == 'T')
            relay_abort(session);
        steps_failed(session);
    } else {
        steps_again(session, STEP_RELAY);
    }
}

static void seen(void *owner, uint8_t type, struct slice whole, bool ours)
{
    struct session *session = owner;
    struct request *request = session->request;
    struct slice body = slice_skip(whole, FRAME_HEAD);

    if (type == REPLY_PARAMETER) {
        see_setting(session, whole, ours);
        return;
    }
    if (ours && inventory_seen(session, session->take.server->about, type, whole))
        return;
    if ((type == REPLY_PARSE || type == REPLY_CLOSE) && !ours)
        session->changes_done++;
    if (type == REPLY_COMPLETE && !ours)
        see_tag(session, tag_of(body));
    if (type == REPLY_ROWS)
        see_columns(session, request, body, ours);
    if (!request)
        see_after_flush(session, type);
    if (!request || request->discard)
        return;
    if (request->harvests && type == REPLY_ROWS)
        harvest_columns(request, body);
    else if (request->harvests && type == REPLY_COMPLETE && !ours)
        harvest_complete(request, tag_of(body));
    switch (type) {
    case REPLY_ERROR:
        if (ours && session->take.server->about == owed_settings)
            refuse_settings(session, request, body);
        else if (ours && request->simple && request->messages[0].use == PREPARE_RUNS)
            note_cause(request, whole);
        else if (!ours)
            see_error(session, request, body);
        break;
    case REPLY_COMPLETE:
        if (!ours) {
            request->trail.rows += read_tag_rows(body);
            request->rolled_back = slice_is(tag_of(body), "ROLLBACK");
        }
        break;
    case REPLY_COPY_IN:
        session->copying = true;
        session->copy_extended = !request->simple;
        break;
    case REPLY_ROWS:
        if (ours && request->leads && session->take.server->answering == OWED_DESCRIBE_PORTAL)
            cache_record(&request->ask, type, whole);
        break;
    }
}

/* True for answers that a server may give before it has taken the snapshot of the statement. */
static bool comes_before_snapshot(uint8_t type)
{
    return type == REPLY_PARSE || type == REPLY_CLOSE || type == REPLY_NOTICE;
}

/* The first byte that can only follow the replica's snapshot: had a write touched what it shows,
 * one reader could see the new value here and the next one the old value elsewhere. */
static bool look(struct session *session, struct request *request, uint8_t type, struct slice run)
{
    if (comes_before_snapshot(type)) {
        buf_put_slice(&request->held, run);
        return false;
    }
    request->checking = false;
    if (!ledger_valid(session->database->ledger, &request->read, request->need.stamp, false)) {
        throw_away(request);
        return false;
    }
    return true;
}

/* A replica that dies in the middle of a small answer is not noticed either: it is kept until it is
 * whole, or too large to be. */
enum { HOLD_MAX = 64 * 1024 };

static void hold(struct session *session, struct request *request, struct slice run)
{
    buf_put_slice(&request->held, run);
    if (buf_len(&request->held) <= HOLD_MAX)
        return;
    request->holding = false;
    request->passed = true;
    outbox_put(session, buf_slice(&request->held));
    outbox_flush(session);
    buf_clear(&request->held);
}

static bool is_recorded(uint8_t type)
{
    return type != REPLY_PARSE && type != REPLY_BIND && type != REPLY_CLOSE;
}

/* The server was asked to cancel it, and does not know why. */
static bool put_late(const struct request *request, struct slice body, struct buf *out)
{
    struct err err;

    if (!slice_is(read_error_field(body, 'C'), "57014") || !admit_words_late(request, &err))
        return false;
    write_error(out, "ERROR", &err);
    return true;
}

/* An error that speaks of a statement's name, or of an end that we have brought about. False: it is
 * passed on as it is. */
static bool put_error(struct session *session, const struct request *request, struct slice run)
{
    struct frame frame;
    struct buf out = {0};
    struct slice error = request->caused ? buf_slice(&request->held) : run;
    bool own = frame_look(run, &frame) == FRAME_WHOLE && frame.total == run.len &&
               (put_late(request, frame_body(&frame), &out) || wording_own(request, error, &out) ||
                request->caused);

    if (own && !buf_len(&out))
        buf_put_slice(&out, error);

    if (own) {
        outbox_flush(session);
        stream_send_buf(session->client, &out);
    }
    buf_clear(&out);
    return own;
}

static void bytes(void *owner, uint8_t type, struct slice run)
{
    struct session *session = owner;
    struct request *request = session->request;

    if (type == REPLY_NOTIFICATION) {
        hearing_pass(session, run);
        return;
    }
    if (!request) {
        outbox_put(session, run);
        return;
    }
    if (request->discard || (request->checking && !look(session, request, type, run)))
        return;
    if (request->harvests && type == REPLY_ROW)
        harvest_rows(request, run);
    if (request->leads && is_recorded(type))
        cache_record(&request->ask, type, run);
    request->trail.bytes += run.len;
    if (type == REPLY_ERROR && put_error(session, request, run))
        return;
    if (request->explains && type != REPLY_ERROR && type != REPLY_NOTICE)
        return;
    if (request->holding)
        hold(session, request, run);
    else
        outbox_put(session, run);
}

/* Its transaction begins anew elsewhere. */
static void begin_again(struct session *session, const struct request *request)
{
    if (!request->snapshot)
        return;
    session->begun = true;
    pool_drop(&session->take);
    session->node = NULL;
}

static void ready(void *owner, uint8_t status)
{
    struct session *session = owner;
    struct request *request = session->request;

    session->midway = session->copying = session->copy_failed = session->anew = false;
    if (request && request->discard) {
        request->discard = request->failed = false;
        session->changes_done = 0;
        if (err_is_set(&request->err)) {
            steps_failed(session);
            return;
        }
        if (request->cancelled) {
            err_set(&request->err, "57014", "canceling statement due to user request");
            steps_failed(session);
            return;
        }
        request->avoid_replica |= !request->renewed;
        request->trail.asked_again = true;
        begin_again(session, request);
        inventory_again(session);
        steps_again(session, request->made_room ? STEP_RELAY : STEP_ROUTE);
        return;
    }
    if (request && request->holding)
        outbox_put(session, buf_slice(&request->held));
    session->status = status;
    if (session->exchange_failed)
        names_fail(&session->names, session->changes_done, ahead_changes(session),
                   session->parse_failed);
    else if (request && session->changes)
        answer_prove(session, request);
    if (request)
        steps_answered(session);
}

/* Outside of transactions a replica is nobody's: what comes next may write. */
static bool is_stranded(const struct session *session)
{
    return is_from_replica(session) && session->pins && session->status == 'I' &&
           !session->request && !inventory_is_out(session);
}

static void ready_ours(void *owner, const void *about)
{
    struct session *session = owner;
    struct err err;

    if (about == owed_columns && session->request) {
        compared(session);
        return;
    }
    inventory_taken(session, about);
    if (is_stranded(session)) {
        err_set(&err, "08006", "what a transaction has left on a replica could not be found out");
        session_fatal(session, &err);
        return;
    }
    if (session->request && !session->request->settling)
        return;
    session_part(session);
    session_go_on(session);
}

static void turn(void *owner)
{
    struct session *session = owner;
    struct request *request = session->request;

    if (request && !request->holding && session->out.count)
        request->passed = true;
    outbox_flush(session);
    if (session->copying)
        session_go_on(session); /* data that came before the server asked for it */
    if (request && session->copy_failed) {
        /* The Sync that the client has sent may have been read as part of the COPY: the one that
         * follows its CopyDone goes to the server as well. */
        session->copy_failed = false;
        session->midway = true;
        request->synced = false;
        steps_answered(session);
    }
}

/* A replica that goes away is no reason to fail: the primary is asked. */
static void lost(void *owner, struct slice fatal)
{
    struct session *session = owner;
    struct request *request = session->request;
    bool replica = is_from_replica(session);
    uint32_t pid = session->take.server->pid;
    struct err err;

    pool_drop(&session->take);
    inventory_lost(session);
    session->node = NULL;
    if (replica && request && request->moves && !request->passed) {
        throw_away(request);
        session->begun = request->snapshot;
        request->discard = false;
        request->avoid_replica = request->trail.asked_again = true;
        steps_again(session, STEP_ROUTE);
        return;
    }
    transaction_lost(session, pid);
    outbox_flush(session);
    if (fatal.len) {
        outbox_put(session, fatal);
        outbox_flush(session);
        session_end(session);
        return;
    }
    err_set(&err, "08006", "the connection to the server was lost");
    err_detail(&err, "Whether a statement that was under way took effect is not known.");
    session_fatal(session, &err);
}

static void drained(void *owner)
{
    session_flow(owner);
}

const struct server_events reply_events = {seen, bytes, ready, ready_ours, turn, lost, drained};
