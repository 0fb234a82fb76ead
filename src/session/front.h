/* What stands in front of a session's request in the same packet. */
#pragma once

#include "session/load.h"

struct session;

/* Makes the server the session's, ahead of the first message that it is sent. */
void front_put(struct load *load, struct session *session, const struct request *request);
/* True where nothing of the request is to be sent before the columns of its statement are known to
 * be those that its client was told: the server is asked for them. */
bool front_compare(struct load *load, const struct session *session, struct request *request);
/* A text that speaks of names and is not rewritten: they are the server's as well while it runs.
 * `ends`: it has run. */
void front_spell(struct load *load, struct session *session, const struct request *request,
                 bool ends);
/* Behind the request: what it had in front for its own sake. */
void front_take_back(struct load *load, struct session *session, const struct request *request);
