/* Requests that are sent before the one in front of them was answered. Their answers come in the
 * same order, so that only the last one's end is the end of what the server is held for. */
#include "session/channels.h"
#include "session/conversation.h"
#include "wire/types.h"

#include "base/clock.h"

#include <limits.h>

enum { AHEAD_MAX = 256 };

/* Its answer is passed on as it comes, and nothing of it can be asked again elsewhere. */
static bool is_on_its_way(const struct session *session, const struct request *request)
{
    return request->waiting && !request->settling && request->at == STEP_RELAY && request->swift &&
           !request->holding && !request->checking && !request->leads && !request->discard &&
           !request->comparing && session->node->role == NODE_PRIMARY;
}

/* Who listens may have to wait behind each request for what it has sent to itself. */
bool ahead_may(const struct session *session)
{
    const struct request *request = session->request;

    return request && !session->serial && !channels_any(session) && session->nahead < AHEAD_MAX &&
           !session->midway && !session->inventory && session->database && session->take.server &&
           session->take.server->state == SERVER_TAKEN && is_on_its_way(session, request);
}

/* A Parse before it that is not answered yet may fail, or be skipped. */
static bool is_in_doubt(const struct session *session, const struct message *message)
{
    const struct owed *owed = &session->take.server->owed;

    if (!message->named)
        return owed_awaits(owed, OWED_PARSE, NULL);
    return message->statement &&
           (message->statement->body ||
            owed_awaits(owed, OWED_PARSE, (void *)(uintptr_t)message->statement->id));
}

/* The server prepares it only now, and its client knows the columns: they are compared first. */
static bool is_to_compare(const struct session *session, const struct request *request,
                          const struct message *message)
{
    return message->type == MSG_BIND && message->named && message->statement &&
           request_relies(request) &&
           !prepared_find(&session->take.server->prepared, message->statement->id);
}

/* What the request speaks of is there, or is told in it. */
static bool is_sure(const struct session *session, const struct request *request)
{
    bool told = false;

    for (unsigned i = 0; i < request->nmessages; i++) {
        const struct message *message = &request->messages[i];

        if (message->type != MSG_PARSE && message->type != MSG_BIND &&
            (message->type != MSG_DESCRIBE || message->what != 'S'))
            continue;
        told |= message->type == MSG_PARSE && !message->named;
        if (message->duplicate || is_to_compare(session, request, message) ||
            (!(told && !message->named) && is_in_doubt(session, message)))
            return false;
    }
    return true;
}

/* What it writes is told to others first. */
static bool waits_for_fleet(const struct session *session, const struct request *request)
{
    return session->database->fleet && (request->write || request->ddl || request->unread);
}

static bool may_be_sent(const struct session *session, const struct request *request)
{
    return request->swift && !request->cacheable && !request->asks_tier && !admit_minds(request) &&
           !request->open && !request->later && !session->inventory &&
           !waits_for_fleet(session, request) && (request->synced || request->simple) &&
           is_sure(session, request);
}

bool ahead_send(struct session *session, struct request *request)
{
    struct request *front = session->request;
    bool sent;

    session->request = request;
    request->at = STEP_JUDGE;
    request->entered_at = request->trail.began = clock_now();
    request_take_rules(session, request);
    sent = enter_judge(session) == STEP_ON && may_be_sent(session, request);
    if (sent) {
        session->requests++;
        request->entered = 1u << STEP_NEED | 1u << STEP_TAKE;
        request->at = STEP_RELAY;
        enter_need(session);
        enter_route(session);
        enter_take(session);
        enter_relay(session);
        request->waiting = true;
        ring_append(&session->ahead, &request->spare);
        session->nahead++;
    }
    session->request = front;
    session->serial = !sent;
    return sent;
}

struct request *ahead_next(struct session *session)
{
    struct ring *link = ring_first(&session->ahead);

    session->serial = false;
    if (!link)
        return NULL;
    ring_leave(link);
    session->nahead--;
    return RING_OF(link, struct request, spare);
}

unsigned ahead_changes(const struct session *session)
{
    const struct ring *first = session->ahead.next;

    return first == &session->ahead ? UINT_MAX
                                    : RING_OF(first, const struct request, spare)->first_change;
}
