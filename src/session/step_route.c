/* Route and take: which node, and over which of its servers. A replica that cannot be had now is no
 * reason to wait or to fail: the primary always may answer. */
#include "session/conversation.h"
#include "session/inventory.h"

#include "route/choose.h"

bool session_holds_server(const struct session *session)
{
    return session->take.server != NULL;
}

enum { RANKED_MAX = 64 };

struct ranking {
    struct topology *topology;
    unsigned ranks[RANKED_MAX];
};

static void count_taken(void *with, const struct pool_figures *figures)
{
    struct ranking *ranking = with;

    for (unsigned i = 1; i < topology_count(ranking->topology) && i < RANKED_MAX; i++)
        if (strcmp(topology_node(ranking->topology, i)->name, figures->place->node) == 0)
            ranking->ranks[i] += figures->taken;
}

static void rank_by_place(const struct rooms *rooms, struct ranking *ranking)
{
    for (unsigned i = 1; i < topology_count(ranking->topology) && i < RANKED_MAX; i++) {
        const char *location = topology_node(ranking->topology, i)->location;

        ranking->ranks[i] = !location || !rooms->location || strcmp(location, rooms->location) != 0;
    }
}

/* As the rules would have it. False: by priority, as ever. */
static bool rank(struct database *database, enum prefer prefer, struct ranking *ranking)
{
    if (prefer == PREFER_TURN || topology_count(database->topology) > RANKED_MAX)
        return false;
    *ranking = (struct ranking){.topology = database->topology};
    if (prefer == PREFER_NEAREST)
        rank_by_place(database->rooms, ranking);
    else
        pool_set_each(database->pools, count_taken, ranking);
    return true;
}

enum choice route_choose(struct database *database, const struct verdict *verdict, uint64_t lsn,
                         struct node **node)
{
    const struct operation *operation = verdict->operation;
    struct ranking ranking;
    struct choosing choosing = {
        .lsn = verdict->freshness == FRESH_CAUSAL ? lsn : 0,
        .max_lag = database->max_lag,
        .now = loop_now(database->rooms->loop),
        .turn = database->turn,
    };

    if (verdict->freshness == FRESH_BOUND && verdict->bound < choosing.max_lag)
        choosing.max_lag = verdict->bound;
    if (operation && rank(database, operation->prefer, &ranking))
        choosing.ranks = ranking.ranks;
    return choose_replica(database->topology, &choosing, node);
}

static enum plan_reason try_replica(struct session *session, struct request *request)
{
    if (!session->database->has_replicas)
        return PLAN_NO_REPLICA;
    if (request->need.pending && request->verdict.freshness == FRESH_CAUSAL)
        return PLAN_PENDING;
    switch (route_choose(session->database, &request->verdict, request->need.lsn, &request->node)) {
    case CHOICE_MADE:
        session->database->turn++;
        return PLAN_NONE;
    case CHOICE_LAG:
        topology_hurry(session->database->topology, request->need.lsn);
        return PLAN_LAG;
    case CHOICE_NONE:
        break;
    }
    return PLAN_NO_REPLICA;
}

enum outcome enter_route(struct session *session)
{
    struct request *request = session->request;

    if (session_holds_server(session)) {
        request->node = session->node;
        return STEP_ON;
    }
    request->node = NULL;
    request->moves = true;
    if (request->verdict.route == ROUTE_REPLICA && !request->avoid_replica)
        request->trail.primary = try_replica(session, request);
    if (!request->node)
        request->node = topology_node(session->database->topology, 0);
    return STEP_ON;
}

static const char *password_for(const struct session *session, const struct node *node)
{
    const struct user *user = users_find(session->rooms->users, slice_text(session->user));

    if (user && user->password)
        return user->password;
    return node->user && strcmp(node->user, session->user) == 0 ? node->password : NULL;
}

struct pool *session_pool(struct session *session, struct node *node)
{
    struct pool_place place = {
        .node = node->name,
        .host = node->host,
        .address = node->address,
        .port = node->port,
        .dbname = node->dbname ? node->dbname : session->database->name,
        .user = session->user,
        .password = password_for(session, node),
        .instance = &node->instance,
    };

    return pool_of(session->database->pools, &place);
}

/* What the last poll said of a replica holds for servers of the same instance that were logged in
 * when it was sent. */
static bool may_answer(const struct request *request, const struct server *server)
{
    const struct node *node = request->node;

    return node->role == NODE_PRIMARY ||
           (node->up && server->instance == node->instance && server->logged_in < node->polled);
}

/* True where the request is to go to the primary instead. */
static bool turn_back(struct session *session, struct request *request, const struct err *err)
{
    if (request->node->role == NODE_PRIMARY)
        return false;
    if (!err && may_answer(request, session->take.server))
        return false;
    if (session->take.server)
        pool_give(&session->take, false);
    request->avoid_replica = true;
    request->trail.primary = err ? PLAN_NO_REPLICA : PLAN_LAG;
    return true;
}

static void took(struct take *take, const struct err *err)
{
    struct session *session = take->owner;
    struct request *request = session->request;

    if (turn_back(session, request, err)) {
        steps_again(session, STEP_ROUTE);
    } else if (err) {
        request->err = *err;
        steps_failed(session);
    } else {
        session->node = request->node;
        steps_on(session);
    }
}

enum outcome enter_take(struct session *session)
{
    struct request *request = session->request;

    if (session_holds_server(session))
        return STEP_ON;
    session->take.done = took;
    session->take.owner = session;
    for (;;) {
        uint64_t same = request->asks_sequences ? session->sequences_on : 0;

        if (pool_take(session_pool(session, request->node), &session->take, same) == TAKE_WAIT)
            return STEP_WAIT;
        if (!turn_back(session, request, NULL))
            break;
        request->node = topology_node(session->database->topology, 0);
    }
    session->node = request->node;
    return STEP_ON;
}

/* A server is kept while it has something of this client's, or may have. */
static bool keeps_server(const struct session *session)
{
    return session->status != 'I' || session->midway || session->pins ||
           !owed_none(&session->take.server->owed);
}

/* What fails is rolled back with all that it set, unless it could commit in its midst. */
static bool leaves_nothing(const struct session *session, const struct request *request)
{
    const struct shape *shape = request->has_text ? request->text.known->shape : NULL;

    if (request->open || transaction_committed(session) || (shape && shape->transaction))
        return false;
    for (unsigned i = 0; shape && i < shape->nstatements; i++)
        if (shape->statements[i] == STATEMENT_CALL || shape->statements[i] == STATEMENT_DO)
            return false;
    return true;
}

void session_part(struct session *session)
{
    struct server *server = session->take.server;

    if (!server || keeps_server(session))
        return;
    if (session_is_passing(session)) {
        session->passing_drop = true;
        pool_drop(&session->take);
        return;
    }
    pool_give(&session->take, false);
}

void leave_take(struct session *session, bool ok)
{
    struct request *request = session->request;
    struct server *server = session->take.server;
    bool failed = request->failed && leaves_nothing(session, request);

    (void)ok;
    if (!ring_empty(&session->ahead))
        return;
    if (!server) {
        pool_leave(&session->take);
        return;
    }
    if (server->state != SERVER_TAKEN || !owed_ours(&server->owed)) {
        if (!session->midway)
            pool_drop(&session->take);
        return;
    }
    if (session->status == 'I' && !session->midway) {
        if (session->soils && !failed)
            server->soiled_by = session->number;
        session->soils = false;
        hearing_hide(session);
        inventory_end(session, failed);
    }
    session_part(session);
}
