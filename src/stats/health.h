/* Whether every database can be served. */
#pragma once

#include "session/rooms.h"

/* True where every database's primary is up; appends a JSON object that names every node that is
 * not, replicas too. */
bool health_write(const struct rooms *rooms, struct buf *out);
