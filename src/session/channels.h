/* Who listens to what: one connection of the database listens for all its sessions, to each channel
 * for as long as somebody wants it. A notification is written once and goes to all who listen,
 * outside of their transactions. What a session's own server listens to is not known here. */
#pragma once

#include "session/listen.h"

struct channels;
struct database;
struct session;

/* The session listens as soon as the connection is known to: hearing_done or hearing_failed comes
 * later, unless channels_stop_waiting is called. */
void channels_listen(struct session *session, const struct listen_name *name);
/* When hearing_done comes, all that was committed before this call has been heard. */
void channels_wait(struct session *session);
/* Legal at any time. */
void channels_stop_waiting(struct session *session);
/* At once; what was heard of it and not told yet is forgotten. NULL: of all channels. */
void channels_unlisten(struct session *session, const struct listen_name *name);
/* The session ends. */
void channels_leave(struct session *session);

bool channels_any(const struct session *session);
bool channels_has(const struct session *session, struct slice name);
void channels_each(const struct session *session, void (*each)(void *with, struct slice name),
                   void *with);

/* Tells the client what was heard, if now is the time. A client that has read too little of it for
 * too long is ended. */
void channels_tell(struct session *session);
/* Puts what was heard into the outbox, ahead of ReadyForQuery. */
void channels_put(struct session *session);
/* The outbox was sent. */
void channels_sent(struct session *session);

struct channels_figures {
    unsigned channels;  /* that somebody listens to */
    unsigned listeners; /* sessions that do */
    uint64_t heard;     /* notifications, counted for each listener */
};
void channels_figures(const struct database *database, struct channels_figures *figures);
/* At the end of the process, its sessions gone. */
void channels_free(struct database *database);
