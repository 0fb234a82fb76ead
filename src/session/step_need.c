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

static bool is_single(const struct request *request)
{
    return request->nqueries == 1 && !request->unread && !request->open && request->has_text &&
           request->text.known->shape->nstatements == 1;
}

/* The name that PREPARE TRANSACTION and its kin give. False where its bytes depend on an encoding,
 * or are not known. */
static bool read_gid(const struct request *request, char gid[GID_MAX + 1])
{
    const struct value *value = values_get(&request->text.values, 0, 0);
    int len = value ? value_plain(value, gid, GID_MAX) : -1;

    for (int i = 0; i < len; i++)
        if (gid[i] & 0x80)
            return false;
    gid[len < 0 ? 0 : len] = '\0';
    return len >= 0;
}

static enum statement_kind kind_of(const struct request *request)
{
    return is_single(request) ? (enum statement_kind)request->text.known->shape->statements[0]
                              : STATEMENT_EMPTY;
}

void need_prepared(struct session *session)
{
    struct request *request = session->request;
    char gid[GID_MAX + 1];

    if (request && kind_of(request) == STATEMENT_PREPARE_TRANSACTION && read_gid(request, gid))
        transaction_prepared(session, gid);
    else
        transaction_note_commit(session);
}

/* What it writes was noted when it was prepared. */
static bool ends_noted(struct session *session, struct request *request)
{
    enum statement_kind kind = kind_of(request);
    char gid[GID_MAX + 1];

    if ((kind != STATEMENT_COMMIT_PREPARED && kind != STATEMENT_ROLLBACK_PREPARED) ||
        session->status != 'I' || session->midway || !ring_empty(&session->ahead) ||
        !read_gid(request, gid) ||
        !transaction_ends_noted(session, gid, kind == STATEMENT_COMMIT_PREPARED))
        return false;
    request->ddl = false;
    return true;
}

enum outcome enter_need(struct session *session)
{
    struct request *request = session->request;

    admit_judged(session, request);
    if (kind_of(request) == STATEMENT_PREPARE_TRANSACTION && session->status == 'T')
        transaction_prepares(session);
    if (ends_noted(session, request))
        return transaction_is_heard(session) ? STEP_ON : STEP_WAIT;
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

/* Only where nothing else ran can an error, or a ROLLBACK, mean that nothing was written. */
static bool is_rolled_back(const struct request *request)
{
    enum statement_kind kind = kind_of(request);

    return is_single(request) && kind != STATEMENT_CALL && kind != STATEMENT_DO && !request->ddl &&
           (request->failed || request->rolled_back);
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
