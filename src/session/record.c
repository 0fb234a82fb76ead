/* A request that is over: told to whoever keeps records, and to the log where the rules give its
 * operation a share there. */
#include "session/conversation.h"

#include "base/clock.h"
#include "base/log.h"

static const char *answered_by(const struct request *request)
{
    return request->failed ? "failed" : source_text(request->trail.source);
}

static void put_line(const struct session *session, const struct request *request)
{
    const struct trail *trail = &request->trail;
    const char *text = trail->known ? trail->known->shape->text : "";

    log_info(session->who, "operation %s: %s, %s, %.3f ms, %llu rows%s%s: %.300s",
             trail->operation->name, answered_by(request),
             trail->tier >= 0 ? trail->rules->tiers[trail->tier] : "no tier",
             (double)(trail->ended - trail->began) / CLOCK_MS, (unsigned long long)trail->rows,
             trail->traceparent[0] ? ", traceparent " : "", trail->traceparent, text);
}

void record_request(struct session *session, struct request *request)
{
    struct trail *trail = &request->trail;
    struct rooms *rooms = session->rooms;

    trail->ended = request->entered_at;
    trail->failed |= request->failed;
    if (rooms->sink.finished)
        rooms->sink.finished(rooms->sink.owner, trail);
    if (trail->write && !trail->failed && request->rules)
        rules_count_events(request->rules, request->verdict.events);
    if (request->verdict.operation || request->verdict.nshadows)
        verdict_count(&request->verdict, request->rules, clock_wall());
    if (trail->operation && trail->operation->log > 0 && rules_logs(trail->rules, trail->operation))
        put_line(session, request);
}
