/* Need: a read learns how new its answer must be; a write announces what it will touch. On the way
 * back a transaction's end reaches the ledger. */
#include "session/conversation.h"

/* What a session with settings of its own means by a name is not known. */
static bool is_odd(const struct session *session)
{
    return session->pins & PINS_ODD || session->odd_transaction;
}

static void need_one(struct session *session, struct request *request, struct known_shape *known,
                     const struct values *values)
{
    const struct plan *plan = database_plan(session->database, known);

    if (plan->read)
        return;
    if (is_odd(session)) {
        transaction_begin_everything(session);
        return;
    }
    plan_pinned(plan, values, &request->pinned);
    transaction_begin(session, plan, &request->pinned, harvest_begin(request, plan));
}

static void need_read(struct session *session, struct request *request)
{
    struct database *database = session->database;
    const struct plan *plan = database_plan(database, request->text.known);

    plan_pinned(plan, &request->text.values, &request->pinned);
    footprint_read(plan, &request->pinned, &request->read);
    /* Nobody knows what its transaction will read. */
    if (request->snapshot)
        footprint_read_anything(&request->read);
    if (request->read.anything)
        request->cacheable = false;
    ledger_need(database->ledger, &request->read, &request->need);
    if (request->need.shut)
        request->cacheable = false;
}

enum outcome enter_need(struct session *session)
{
    struct request *request = session->request;

    admit_judged(session, request);
    if (request->ddl)
        transaction_ddl(session);
    if (request->unread)
        transaction_begin_everything(session);
    if (request->write)
        request_each(session, request, need_one);
    else if (request->cacheable || request->verdict.route == ROUTE_REPLICA)
        need_read(session, request);
    if (!request->write && !request->unread && !request->ddl)
        return STEP_ON;
    return transaction_is_heard(session) ? STEP_ON : STEP_WAIT;
}

static bool is_single(const struct request *request)
{
    const struct shape *shape;

    if (request->nqueries != 1 || request->unread || request->open || !request->has_text)
        return false;
    shape = request->text.known->shape;
    return shape->nstatements == 1 && shape->statements[0] != STATEMENT_CALL &&
           shape->statements[0] != STATEMENT_DO;
}

/* Only where nothing else ran can an error, or a ROLLBACK, mean that nothing was written. */
static bool is_rolled_back(const struct request *request)
{
    return is_single(request) && !request->ddl && (request->failed || request->rolled_back);
}

void leave_need(struct session *session, bool ok)
{
    struct request *request = session->request;

    (void)ok;
    transaction_stop_waiting(session);
    harvest_end(session, request);
    /* What follows was sent already: the end of that is the end of all, and whatever becomes of it,
     * this may be committed. */
    if (!ring_empty(&session->ahead)) {
        if (session->status == 'I')
            transaction_note_commit(session);
        return;
    }
    if (session->status == 'I' && !session->midway) {
        begin_forget(session);
        vars_clear(&session->rewound);
        transaction_end(session, is_rolled_back(request));
        hearing_end(session);
        hints_end(session);
        session->odd_transaction = false;
    }
}
