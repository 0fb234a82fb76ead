/* Takes URLs of the form scheme://user:password@host:port/database?name=value&.. apart, as
 * PostgreSQL and Redis write them (RFC 3986). One host only. */
#pragma once

#include "base/buf.h"

enum { URL_OPTIONS = 16 };

/* Absent parts are NULL, of the port 0. All texts are percent-decoded. */
struct url {
    const char *scheme;
    const char *user, *password;
    const char *host; /* a name, an address (of IPv6 without its brackets), or, where it begins with
                         '/', the directory of a Unix socket */
    int port;
    const char *database;
    struct {
        const char *name, *value;
    } options[URL_OPTIONS];
    unsigned noptions;
    char *memory; /* private */
};

/* False where it is not of that form, with *why a sentence that holds no part of the text (a
 * password may be in it); then there is nothing to clear. */
bool url_parse(const char *text, struct url *url, const char **why);
void url_clear(struct url *url);
/* NULL where it has no such option. */
const char *url_option(const struct url *url, const char *name);
/* True of postgres:// and postgresql://, the one PostgreSQL's own tools take. */
bool url_is_postgres(const struct url *url);
/* The text with its password replaced by ***, for logs and the console; of what is no URL, "***".
 */
void url_masked(const char *text, struct buf *out);
