/* Inspect and judge: what the request is, and what the rules say of it. A request of several
 * statements is judged by all of them; nothing here knows of servers. */
#include "session/conversation.h"

#include "base/hash.h"
#include "session/inventory.h"
#include "session/prepare.h"
#include "wire/frame.h"
#include "wire/types.h"

enum outcome enter_inspect(struct session *session)
{
    struct request *request = session->request;
    enum outcome outcome;

    session->requests++;
    outcome = explaining_begin(session, request);
    request_take_rules(session, request);
    return outcome;
}

static bool is_ddl(const struct shape *shape)
{
    if (shape->unknown)
        return true;
    for (unsigned i = 0; i < shape->nstatements; i++) {
        switch (shape->statements[i]) {
        case STATEMENT_DDL:
        case STATEMENT_DO:
        case STATEMENT_CALL:
        case STATEMENT_EXECUTE:
        case STATEMENT_COMMIT_PREPARED:
        case STATEMENT_UTILITY:
        case STATEMENT_UNPARSABLE:
            return true;
        }
    }
    return false;
}

static bool sets_config(const struct shape *shape)
{
    for (unsigned i = 0; i < shape->nfunctions; i++)
        if (strcmp(shape->functions[i].name, "set_config") == 0)
            return true;
    return false;
}

static bool holds(const struct shape *shape, enum statement_kind kind)
{
    for (unsigned i = 0; i < shape->nstatements; i++)
        if (shape->statements[i] == kind)
            return true;
    return false;
}

/* A function of the user's may leave anything on the session. */
static bool calls_volatile(const struct session *session, const struct shape *shape)
{
    const struct catalog *catalog = session->database->catalog;

    for (unsigned i = 0; i < shape->nfunctions; i++) {
        const struct shape_function *call = &shape->functions[i];
        struct catalog_function found;

        if (catalog &&
            catalog_function(catalog, NULL, call->schema, call->name, call->nargs, &found) &&
            found.user && found.user_volatility == 'v' &&
            !rules_function(session->rooms->rules, call->schema, call->name))
            return true;
    }
    return false;
}

/* A name may mean something else for the rest of the transaction. */
static bool is_odd(const struct session *session, const struct shape *shape)
{
    if (is_ddl(shape) || sets_config(shape) || holds(shape, STATEMENT_SET_LOCAL))
        return true;
    if (holds(shape, STATEMENT_SET) &&
        !(shape->set_name && vars_settable(slice_text(shape->set_name))))
        return true;
    return calls_volatile(session, shape);
}

/* The code of a DO is a literal: what it may set stands in it. */
static void note_code(struct session *session, const struct request *request,
                      const struct shape *shape)
{
    if (!holds(shape, STATEMENT_DO))
        return;
    for (unsigned i = 0; i < request->nmessages; i++)
        if (request->messages[i].type == MSG_QUERY)
            inventory_note_code(session, request_slice(request, &request->messages[i]));
        else if (request->messages[i].type == MSG_BIND && request->messages[i].statement)
            inventory_note_code(session, request->messages[i].statement->text);
}

/* A text that may mean something else than it seems to has its words all the same. */
static void note_unread_code(struct session *session, const struct request *request)
{
    if (request->nmessages && request->messages[0].type == MSG_QUERY)
        inventory_note_code(session, request_slice(request, &request->messages[0]));
}

/* The rules deny it to whoever asks. */
static void deny(struct request *request, const struct operation *operation)
{
    const struct denial *denial = &operation->deny;

    err_set(&request->err, denial->sqlstate, "%s", denial->message);
    err_detail(&request->err, "The rules deny operation \"%s\".", operation->name);
    if (denial->hint)
        err_hint(&request->err, "%s", denial->hint);
    request->refused = true;
}

/* Of every statement what the rules say of it alone; of the first the verdict on the request. */
static void judge_rules(struct session *session, struct request *request, const struct plan *plan,
                        const struct values *values, struct verdict *verdict)
{
    struct asker asker;
    struct hints room;

    session_asker(session, values, &room, &asker);
    asker.user_tier = request->user_tier;
    if (asker.hints)
        trail_note_trace(&request->trail, asker.hints->traceparent);
    plan_judge(plan, values, &asker, verdict);
    if (!values->complete && verdict->cache) {
        verdict->cache = NULL;
        verdict->uncached = PLAN_VALUES;
    }
    if (verdict->operation && verdict->operation->deny.sqlstate && !request->refused &&
        !request->asks_tier)
        deny(request, verdict->operation);
}

/* Of one statement whose tier nothing else tells. */
static bool asks_tier(const struct request *request, const struct plan *plan)
{
    return request->nqueries == 1 && plan->shape->nstatements == 1 && plan_minds_user(plan);
}

/* It changes rows, or reads, and nothing else. */
static bool is_swift(const struct shape *shape)
{
    for (unsigned i = 0; i < shape->nstatements; i++) {
        switch (shape->statements[i]) {
        case STATEMENT_EMPTY:
        case STATEMENT_SELECT:
        case STATEMENT_INSERT:
        case STATEMENT_UPDATE:
        case STATEMENT_DELETE:
        case STATEMENT_MERGE:
        case STATEMENT_COMMIT:
        case STATEMENT_ROLLBACK:
        case STATEMENT_SAVEPOINT:
        case STATEMENT_SHOW:
            break;
        default:
            return false;
        }
    }
    return true;
}

/* Of a transaction on a replica: what is left there when it ends, or goes on there behind it. */
static bool outlives(const struct request *request, const struct shape *shape)
{
    bool ends = holds(shape, STATEMENT_COMMIT) || holds(shape, STATEMENT_ROLLBACK);

    return shape->leaves & LEAVES_CURSORS ||
           (ends && (request->nqueries > 1 || shape->nstatements > 1 || shape->chain));
}

static void judge_one(struct session *session, struct request *request, struct known_shape *known,
                      const struct values *values)
{
    const struct plan *plan = database_plan(session->database, known);
    bool first = known == request->text.known && values == &request->text.values;
    struct verdict other;

    request->asks_tier = first && asks_tier(request, plan);
    judge_rules(session, request, plan, values, first ? &request->verdict : &other);
    if (!first)
        request->verdict.events |= other.events;
    if (!request->refused && known->shape->set_name)
        request->refused = hints_refuse(session, known->shape, values, &request->err);
    /* What is refused leaves nothing. */
    if (session->opening && session->status == 'T' &&
        (plan->bound || outlives(request, known->shape))) {
        request->bound = true;
        return;
    }
    inventory_note(session, known, values, request->messages[0].use);
    note_code(session, request, known->shape);
    if (known->shape->asks_sequences)
        request->asks_sequences = session->database->asks_sequences = true;
    request->listens |= holds(known->shape, STATEMENT_LISTEN);
    request->notifies |= known->shape->notifies;
    request->asks_channels |= known->shape->asks_channels;
    session->odd_transaction |= is_odd(session, known->shape);
    request->ddl |= is_ddl(known->shape);
    request->write |= !plan->read;
    request->asks_names |= prepare_is_asked(known->shape);
    request->swift &= is_swift(known->shape) && !request->asks_names;
}

static void refuse_cache(struct request *request, enum plan_reason reason)
{
    if (request->verdict.cache || request->verdict.uncached == PLAN_NONE)
        request->verdict.uncached = reason;
    request->verdict.cache = NULL;
}

static void refuse_replica(struct request *request, enum plan_reason reason)
{
    if (request->verdict.route == ROUTE_REPLICA)
        request->verdict.primary = reason;
    request->verdict.route = ROUTE_PRIMARY;
}

static void refuse_both(struct request *request, enum plan_reason reason)
{
    refuse_cache(request, reason);
    refuse_replica(request, reason);
}

/* The first statement of a transaction that reads one snapshot: whatever it reads later is to be as
 * new as this one. */
static bool takes_snapshot(const struct session *session, const struct request *request)
{
    return session->begun && session->snapshot && !session->serializable &&
           session->status == 'T' && request->plain && !request->write && request->has_text &&
           request->text.known->shape->nstatements == 1 && !request->text.known->not_on_standby &&
           !request->text.known->not_to_open && !session->odd_transaction && !session->pins &&
           !inventory_is_due(session);
}

/* What of the session and of the request's form stands against cache and replica. */
static void judge_form(struct session *session, struct request *request)
{
    if (takes_snapshot(session, request)) {
        request->snapshot = request->verdict.route == ROUTE_REPLICA;
        request->verdict.freshness = FRESH_CAUSAL;
        refuse_cache(request, PLAN_TRANSACTION);
        return;
    }
    if (session->status != 'I' || session->midway)
        refuse_both(request, PLAN_TRANSACTION);
    else if (session->odd_transaction || session->pins & PINS_ODD)
        refuse_both(request, PLAN_SESSION);
    else if (request->nqueries > 1 ||
             (request->has_text && request->text.known->shape->nstatements > 1))
        refuse_both(request, PLAN_BATCH);
    else if (!request->plain)
        refuse_both(request, PLAN_PROTOCOL);
    else if (session->take.server || session->serializable || request->asks_channels ||
             inventory_is_due(session))
        refuse_replica(request, PLAN_SESSION);
    else if (request->has_text && request->text.known->not_on_standby)
        refuse_replica(request, PLAN_NOT_ON_STANDBY);
}

static uint64_t hash_values(const struct values *values)
{
    uint64_t hash = values->count;

    for (unsigned i = 0; i < values_stored(values); i++)
        hash = hash_join(hash, hash_slice(values->at[i].bytes));
    return hash | 1;
}

static void note_trail(struct request *request)
{
    struct trail *trail = &request->trail;

    trail->operation = request->verdict.operation;
    trail->tier = request->verdict.tier;
    trail->cache = request->verdict.cache;
    trail->uncached = request->verdict.uncached;
    trail->primary = request->verdict.primary;
    trail->write = request->write;
    trail->known = request->has_text ? request->text.known : NULL;
    trail->values = trail->uncached == PLAN_NO_RULE && request->has_text && !request->write
                        ? hash_values(&request->text.values)
                        : 0;
}

static void judge_last(struct session *session, struct request *request)
{
    if (!request->nqueries || request->unread)
        refuse_both(request, PLAN_PROTOCOL);
    judge_form(session, request);
    request->cacheable = request->verdict.cache != NULL;
    note_trail(request);
}

enum outcome enter_judge(struct session *session)
{
    struct request *request = session->request;

    request->verdict.route = ROUTE_PRIMARY;
    request->swift = !request->explains;
    if (!request_each(session, request, judge_one)) {
        if (!session_holds_server(session)) {
            err_set(&request->err, "08P01", "invalid message format");
            return STEP_FAILED;
        }
        request->unread = true; /* the server refuses it, and its transaction has failed */
    }
    request->unread |= session->blind && request->nqueries;
    request->write |= request->unread;
    if (request->refused || begin_refuses(session, request))
        return STEP_FAILED;
    if (request->unseen || request->unread) {
        inventory_note_unread(session);
        note_unread_code(session, request);
    }
    request->ddl |= request->unread;
    request->swift &= !request->unread && !request->unseen && !request->spells && !request->ddl &&
                      !request->asks_sequences && !session->blind;
    request->asks_tier &= !request->unread;
    hearing_note(session, request);
    judge_last(session, request);
    return STEP_ON;
}

bool judge_again(struct session *session)
{
    struct request *request = session->request;

    request->asks_tier = false;
    request_take_rules(session, request);
    judge_rules(session, request, database_plan(session->database, request->text.known),
                &request->text.values, &request->verdict);
    if (request->refused)
        return false;
    judge_last(session, request);
    return true;
}
