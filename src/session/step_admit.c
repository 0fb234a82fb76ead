/* Admit: how many requests of an operation may be at work at a time, and how long one may take, as
 * the rules have it. A request whose session holds a server never waits here: those inside might
 * wait for what it has locked. */
#include "session/conversation.h"

#include "base/mem.h"
#include "base/units.h"

struct deadline {
    struct timer timer;
};

static const struct operation *operation_of(const struct request *request)
{
    return request->verdict.operation;
}

/* ---- time ---- */

static void set_late(const struct request *request, struct err *err)
{
    char text[24];

    units_duration_text(operation_of(request)->timeout, text);
    err_set(err, "57014", "canceling statement due to statement timeout");
    err_detail(err, "Operation \"%s\" may take %s at most.", operation_of(request)->name, text);
    err_hint(err, "The rules say so: `timeout` of the operation.");
}

bool admit_words_late(const struct request *request, struct err *err)
{
    if (!request->late)
        return false;
    set_late(request, err);
    return true;
}

static void end_late(struct session *session, struct request *request)
{
    request->late = true;
    if (request->at == STEP_RELAY) {
        session_cancel(session);
        return;
    }
    set_late(request, &request->err);
    steps_failed(session);
}

static void end_waiting(struct session *session, struct request *request)
{
    const struct operation *operation = operation_of(request);
    unsigned inside, waiting;
    char text[24];

    gate_figures(session->rooms->gates, operation->index, &inside, &waiting);
    units_duration_text(session->rooms->wait_timeout, text);
    err_set(&request->err, "53300", "no turn came for operation \"%s\" within %s", operation->name,
            text);
    err_detail(&request->err, "Its limit is %u, %u are at work and %u wait.", operation->limit,
               inside, waiting);
    err_hint(&request->err, "Raise `limit` of the operation or pool.wait_timeout.");
    steps_failed(session);
}

/* The next of the two ends that it may come to; 0: none. */
static int64_t next_end(const struct request *request)
{
    if (!request->waits_until || (request->must_end && request->must_end < request->waits_until))
        return request->must_end;
    return request->waits_until;
}

static void fired(struct timer *timer);

static void watch(struct session *session)
{
    int64_t end = next_end(session->request), left = end - loop_now(session->rooms->loop);

    if (!end) {
        if (session->deadline)
            timer_stop(&session->deadline->timer);
        return;
    }
    if (!session->deadline) {
        session->deadline = mem_new(sizeof(*session->deadline));
        timer_init(&session->deadline->timer, session->rooms->loop, fired, session);
    }
    timer_start(&session->deadline->timer, left > 0 ? left : 0);
}

static void fired(struct timer *timer)
{
    struct session *session = timer->owner;
    struct request *request = session->request;
    int64_t now = loop_now(session->rooms->loop);

    if (!request || !request->waiting || request->settling || request->late)
        return;
    if (request->must_end && now >= request->must_end)
        end_late(session, request);
    else if (request->waits_until && now >= request->waits_until)
        end_waiting(session, request);
    else
        watch(session);
}

void admit_judged(struct session *session, struct request *request)
{
    const struct operation *operation = operation_of(request);

    if (!operation || !operation->timeout)
        return;
    request->must_end = loop_now(session->rooms->loop) + operation->timeout;
    watch(session);
}

bool admit_minds(const struct request *request)
{
    const struct operation *operation = operation_of(request);

    return operation && (operation->timeout || operation->limit);
}

void admit_over(struct session *session)
{
    if (session->deadline)
        timer_stop(&session->deadline->timer);
}

void admit_clear(struct session *session)
{
    if (!session->deadline)
        return;
    timer_close(&session->deadline->timer);
    mem_free(session->deadline);
    session->deadline = NULL;
}

/* ---- turns ---- */

static void admitted(struct pass *pass)
{
    struct session *session = pass->owner;

    session->request->waits_until = 0;
    watch(session);
    steps_on(session);
}

enum outcome enter_admit(struct session *session)
{
    struct request *request = session->request;
    const struct operation *operation = operation_of(request);

    if (!operation || !operation->limit)
        return STEP_ON;
    request->pass.admitted = admitted;
    request->pass.owner = session;
    if (gate_enter(session->rooms->gates, operation->index, &request->pass,
                   session_holds_server(session)) == GATE_OPEN)
        return STEP_ON;
    request->waits_until = loop_now(session->rooms->loop) + session->rooms->wait_timeout;
    watch(session);
    return STEP_WAIT;
}

void leave_admit(struct session *session, bool ok)
{
    (void)ok;
    gate_leave(&session->request->pass);
}
