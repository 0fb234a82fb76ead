/* A replication connection: its client has a server of its own, started as the client was, for
 * life, and bytes pass between the two as they are. Nothing of it is judged, cached or routed. Who
 * may run SQL beside the commands of replication (replication=database) has that counted as a write
 * to everything, from when it is sent until the server says that it has ended. */
#include "session/conversation.h"

#include "base/mem.h"
#include "wire/frame.h"
#include "wire/read.h"
#include "wire/types.h"
#include "wire/write.h"

#include <ctype.h>

enum { PEEK = 32 };

/* Follows a stream from message to message: the head of one and what its body begins with. */
struct scan {
    uint8_t head[FRAME_HEAD + PEEK];
    size_t have, left; /* of the head; of the message behind it */
    bool lost;         /* something that is no message came: the server will say so */
};

struct replication {
    bool sql; /* the client may send it */
    struct scan client, server;
    unsigned asked;  /* messages that a ReadyForQuery is still to come for */
    struct buf held; /* what the fleet is to hear of before it is sent */
    bool waits;
};

/* ---- what passes ---- */

static bool is_in_head(struct scan *scan, size_t *total)
{
    struct frame frame;
    enum frame_state state;

    if (scan->have < FRAME_HEAD)
        return true;
    state = frame_look(slice_of(scan->head, scan->have), &frame);
    scan->lost = state == FRAME_BAD;
    *total = frame.total;
    return scan->have < frame.total && scan->have < sizeof(scan->head);
}

static void fill_head(struct scan *scan, struct slice *bytes)
{
    size_t total = FRAME_HEAD;

    while (bytes->len && is_in_head(scan, &total) && !scan->lost) {
        scan->head[scan->have++] = *bytes->at;
        *bytes = slice_skip(*bytes, 1);
    }
}

static void follow(struct session *session, struct scan *scan, struct slice bytes,
                   void (*seen)(struct session *session, uint8_t type, struct slice begin))
{
    while (bytes.len && !scan->lost) {
        size_t skipped = scan->left < bytes.len ? scan->left : bytes.len, total = 0;

        scan->left -= skipped;
        bytes = slice_skip(bytes, skipped);
        fill_head(scan, &bytes);
        if (scan->lost || !scan->have || is_in_head(scan, &total))
            continue;
        seen(session, scan->head[0], slice_of(scan->head + FRAME_HEAD, scan->have - FRAME_HEAD));
        scan->left = total - scan->have;
        scan->have = 0;
    }
}

/* Everything else that begins with a word is SQL to the server too (PostgreSQL, repl_scanner.l). */
static bool is_command(struct slice text)
{
    static const char *const commands[] = {"ALTER_REPLICATION_SLOT",
                                           "BASE_BACKUP",
                                           "CREATE_REPLICATION_SLOT",
                                           "DROP_REPLICATION_SLOT",
                                           "IDENTIFY_SYSTEM",
                                           "READ_REPLICATION_SLOT",
                                           "SHOW",
                                           "START_REPLICATION",
                                           "TIMELINE_HISTORY",
                                           "UPLOAD_MANIFEST"};
    size_t len = 0;

    while (text.len && isspace(*text.at))
        text = slice_skip(text, 1);
    while (len < text.len && (isalnum(text.at[len]) || text.at[len] == '_'))
        len++;
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        if (slice_is_nocase(slice_first(text, len), commands[i]))
            return true;
    return false;
}

static void seen_of_client(struct session *session, uint8_t type, struct slice begin)
{
    struct replication *replication = session->replication;

    if (type != MSG_QUERY && type != MSG_SYNC && type != MSG_FUNCTION)
        return;
    replication->asked++;
    if (!replication->sql || type == MSG_SYNC || (type == MSG_QUERY && is_command(begin)))
        return;
    transaction_ddl(session);
    transaction_begin_everything(session);
}

static void seen_of_server(struct session *session, uint8_t type, struct slice begin)
{
    struct replication *replication = session->replication;

    if (type != REPLY_READY)
        return;
    if (replication->asked)
        replication->asked--;
    session->status = begin.len ? begin.at[0] : 'I';
    if (session->status == 'I' && !replication->asked)
        transaction_end(session, false);
}

bool replication_is_midway(const struct session *session)
{
    const struct scan *scan = &session->replication->server;

    return scan->have || scan->left || scan->lost;
}

size_t replication_pass(struct session *session, struct slice bytes)
{
    struct replication *replication = session->replication;

    if (replication->waits)
        return 0;
    follow(session, &replication->client, bytes, seen_of_client);
    replication->waits = !transaction_is_heard(session);
    if (replication->waits)
        buf_put_slice(&replication->held, bytes);
    else
        stream_send(session->take.server->stream, &bytes, 1);
    session_flow(session);
    return bytes.len;
}

void replication_heard(struct session *session)
{
    struct replication *replication = session->replication;
    struct slice held = buf_slice(&replication->held);

    replication->waits = false;
    stream_send(session->take.server->stream, &held, 1);
    buf_clear(&replication->held);
    session_go_on(session);
}

/* ---- the server's stream ---- */

static void take_bytes(void *owner, struct slice bytes)
{
    struct session *session = owner;

    stream_send(session->client, &bytes, 1);
    follow(session, &session->replication->server, bytes, seen_of_server);
    if (session->client->queued > STREAM_HIGH)
        server_pause(session->take.server);
}

static void drained(void *owner)
{
    session_flow(owner);
}

static void ended(void *owner, const char *why)
{
    (void)why;
    session_end(owner);
}

static void closed(void *owner)
{
    (void)owner;
}

static const struct stream_events stream_events = {take_bytes, drained, ended, closed};

/* ---- from the beginning to the end ---- */

static void took(struct take *take, const struct err *err)
{
    struct session *session = take->owner;

    if (err) {
        session_fatal(session, err);
        return;
    }
    session->pins = PIN_BIT(PIN_REPLICATION);
    session->node = topology_node(session->database->topology, 0);
    stream_own(take->server->stream, &stream_events, session);
    client_login_end(session, &take->server->welcome);
}

void replication_begin(struct session *session, struct slice kind, bool sql)
{
    struct buf options = {0};

    session->replication = mem_new(sizeof(*session->replication));
    session->replication->sql = sql;
    write_cstr(&options, SLICE("replication"));
    write_cstr(&options, kind);
    buf_put_slice(&options, buf_slice(&session->asked));
    session->take.done = took;
    session->take.owner = session;
    pool_take_own(session_pool(session, topology_node(session->database->topology, 0)),
                  &session->take, buf_slice(&options));
    buf_clear(&options);
}

void replication_end(struct session *session)
{
    if (!session->replication)
        return;
    if (session->take.server)
        transaction_lost(session, session->take.server->pid);
    buf_clear(&session->replication->held);
    mem_free(session->replication);
    session->replication = NULL;
}

/* What a server takes for a boolean: any beginning of true, false, yes and no, and on, off, 1, 0.
 */
static bool is_some(struct slice value, const char *const *words)
{
    for (; *words; words++) {
        size_t least = **words == 'o' ? 2 : 1;

        if (value.len >= least && value.len <= strlen(*words) &&
            strncasecmp((const char *)value.at, *words, value.len) == 0)
            return true;
    }
    return false;
}

enum replication_kind replication_kind(struct slice value)
{
    static const char *const yes[] = {"true", "yes", "on", "1", NULL}, *const no[] = {"false", "no",
                                                                                      "off", "0",
                                                                                      NULL};

    if (slice_is(value, "database"))
        return REPLICATION_LOGICAL;
    if (is_some(value, yes))
        return REPLICATION_PHYSICAL;
    return is_some(value, no) ? REPLICATION_NONE : REPLICATION_UNKNOWN;
}
