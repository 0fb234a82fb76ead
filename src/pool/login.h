/* The login of a server: startup packet, password, parameters, up to the first ReadyForQuery. For
 * pool/server.c, which is told of the end by server_logged_in and server_login_failed. */
#pragma once

#include "pool/server.h"

struct login;

/* Takes over the server's stream until the login has ended. */
struct login *login_start(struct server *server);
void login_free(struct login *login); /* NULL is allowed */
