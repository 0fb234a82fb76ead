/* Errors in a client's own words: servers know its statements under names of ours. */
#pragma once

#include "session/request.h"

/* Where the ErrorResponse speaks of one of the request's statements, appends it as the server would
 * have said it to a client whose name it knows, and is true. Places in a text that was sent with
 * another name in it are moved. */
bool wording_own(const struct request *request, struct slice whole, struct buf *out);
/* "cached plan must not change result type", as PostgreSQL says it (plancache.c). */
void wording_outdated(struct err *err);
