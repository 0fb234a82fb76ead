/* The way of a request: one table, entered from the top and left from the bottom, whatever ends it,
 * so that nothing taken is forgotten. Decides nothing itself. */
#include "base/clock.h"
#include "session/conversation.h"
#include "wire/write.h"

static const struct step {
    enum outcome (*enter)(struct session *session);
    void (*leave)(struct session *session, bool ok);
} steps[STEP_COUNT] = {
    [STEP_INSPECT] = {enter_inspect, NULL},       [STEP_JUDGE] = {enter_judge, NULL},
    [STEP_TIER] = {enter_tier, leave_tier},       [STEP_NEED] = {enter_need, leave_need},
    [STEP_ANSWER] = {enter_answer, leave_answer}, [STEP_ADMIT] = {enter_admit, leave_admit},
    [STEP_ROUTE] = {enter_route, NULL},           [STEP_TAKE] = {enter_take, leave_take},
    [STEP_RELAY] = {enter_relay, NULL},
};

/* Notes how long the present step took, and those before it that neither waited nor answered: a
 * clock for each of them would cost more than they do. */
static void note_time(struct request *request)
{
    int64_t now = clock_now();

    request->trail.spent[request->at] += now - request->entered_at;
    request->entered_at = now;
}

static void leave_from(struct session *session, enum step_name from, enum step_name down_to,
                       bool ok)
{
    struct request *request = session->request;

    for (int at = (int)from; at >= (int)down_to; at--) {
        if (!(request->entered & 1u << at))
            continue;
        request->entered &= ~(1u << at);
        if (steps[at].leave)
            steps[at].leave(session, ok);
    }
}

/* The last word of a request: what the client waits for. */
static void say_ready(struct session *session, const struct request *request)
{
    if (request->synced || request->simple)
        session_ready(session);
    else if (err_is_set(&request->err))
        session->skipping = true;
}

static void conclude(struct session *session)
{
    struct request *request = session->request;

    admit_over(session);
    say_ready(session, request);
    outbox_flush(session);
    record_request(session, request);
    session->request = ahead_next(session);
    request_free(session->rooms, request);
}

static void finish(struct session *session, bool ok)
{
    struct request *request = session->request;
    struct buf error = {0};

    leave_from(session, request->at, 0, ok);
    if (err_is_set(&request->err) && session->midway) {
        /* The server knows nothing of this error, and would commit what came before it. */
        session_fatal(session, &request->err);
        return;
    }
    if (err_is_set(&request->err)) {
        request->failed = true;
        /* Elsewhere the server has failed its transaction; of this it has not heard. */
        if (request->refused && session_holds_server(session) && session->status == 'T')
            relay_abort(session);
        names_fail(&session->names, session->changes_done, ahead_changes(session), false);
        if (session->begun && session->status == 'T')
            session->status = 'E';
        write_error(&error, "ERROR", &request->err);
        outbox_put(session, buf_slice(&error));
        request->trail.bytes += buf_len(&error);
    }
    if (request->explains && !request->failed)
        explaining_end(session, request);
    request->settling = request->waiting = ring_empty(&session->ahead) && hearing_waits(session);
    if (request->settling)
        outbox_flush(session);
    else
        conclude(session);
    buf_clear(&error);
    session_go_on(session);
}

static void run(struct session *session)
{
    struct request *request = session->request;

    for (;;) {
        enum outcome outcome;

        request->entered |= 1u << request->at;
        outcome = steps[request->at].enter(session);
        if (outcome == STEP_ON) {
            request->at++;
            continue;
        }
        note_time(request);
        switch (outcome) {
        case STEP_WAIT:
            request->waiting = true;
            return;
        case STEP_ON:
        case STEP_ANSWERED:
            finish(session, true);
            return;
        case STEP_FAILED:
            finish(session, false);
            return;
        }
    }
}

/* The rest of a large message may lie there already, from before there was a server. */
static void go_on_passing(struct session *session)
{
    if (session->passing)
        session_go_on(session);
}

void steps_begin(struct session *session)
{
    struct request *request = session->request;

    request->at = STEP_INSPECT;
    request->entered_at = request->trail.began = clock_now();
    run(session);
}

void steps_on(struct session *session)
{
    struct request *request = session->request;

    note_time(request);
    request->waiting = false;
    request->at++;
    run(session);
    go_on_passing(session);
}

void steps_answered(struct session *session)
{
    note_time(session->request);
    finish(session, true);
}

void steps_failed(struct session *session)
{
    note_time(session->request);
    finish(session, false);
}

void steps_settled(struct session *session)
{
    note_time(session->request);
    conclude(session);
    session_go_on(session);
}

void steps_again(struct session *session, enum step_name step)
{
    struct request *request = session->request;

    note_time(request);
    leave_from(session, request->at, step, false);
    request->waiting = false;
    request->at = step;
    run(session);
    go_on_passing(session);
}

void steps_abandon(struct session *session)
{
    struct request *request;

    while ((request = session->request)) {
        leave_from(session, request->at, 0, false);
        session->request = ahead_next(session);
        request_free(session->rooms, request);
    }
}
