/* One client's conversation, from its first byte to its last. */
#pragma once

#include "net/stream.h"
#include "route/choose.h"
#include "rules/hint.h"
#include "session/rooms.h"

/* Takes a client's stream over; it frees itself when the client is gone. */
void session_new(struct rooms *rooms, struct stream *stream);
/* Ends every session with FATAL 57P01; they are gone some turns of the loop later. */
void session_end_all(struct rooms *rooms);

/* What the console tells of a session; strings live until the call returns. */
struct session_figures {
    uint64_t number;
    const char *user, *database, *application_name, *peer;
    const char *state;  /* "login", "idle", or the name of a step */
    const char *pinned; /* why it keeps its server; NULL: it does not */
    uint64_t requests;
    int64_t connected, since; /* loop time: of the connection, of the state */
    const char *node;         /* whose server it has; NULL: none */
    uint32_t server_pid;
    size_t queued; /* bytes the client has not read yet */
};
/* The reasons for which sessions keep their servers; NULL from the last one on. */
const char *session_pin_text(unsigned pin);
void session_each(struct rooms *rooms,
                  void (*each)(void *with, const struct session_figures *figures), void *with);
/* Which database, user and settings a session has; for EXPLAIN ROUTE. */
struct database *session_database(struct session *session);
/* Where names of its next request are looked for; NULL where that is not sure: it has not said so,
 * or may have changed it meanwhile. */
const struct search_path *session_path(const struct session *session);
/* .. and who asks, by a text with these values. Valid as long as `room`, the values and the
 * session's settings are. */
void session_asker(const struct session *session, const struct values *values, struct hints *room,
                   struct asker *asker);

/* The replica that a read goes to that must have replayed `lsn` where it is to be causal: what
 * freshness asks for, and the rules' preference among those. */
enum choice route_choose(struct database *database, const struct verdict *verdict, uint64_t lsn,
                         struct node **node);
