/* Reads LISTEN and UNLISTEN, of which a client's session must know. */
#pragma once

#include "base/slice.h"

enum { LISTEN_NAME = 64 }; /* PostgreSQL's NAMEDATALEN */

/* A channel as the server would have it. */
struct listen_name {
    char text[LISTEN_NAME]; /* NUL-terminated */
    size_t len;
    bool cut; /* it was longer */
};

enum listen_what { LISTEN_ELSE, LISTEN_TO, LISTEN_NO_MORE, LISTEN_TO_NOTHING };

/* What a text does that is known to be one LISTEN or UNLISTEN (*: LISTEN_TO_NOTHING). ELSE: it is
 * of a form that is left to the server. Pure. */
enum listen_what listen_read(struct slice text, struct listen_name *name);

/* Calls `each` for every UNLISTEN in a text of several statements; `name` NULL: of all. Pure. */
void listen_each_end(struct slice text, void (*each)(void *with, const struct listen_name *name),
                     void *with);
