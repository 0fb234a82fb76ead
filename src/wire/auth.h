/* The MD5 password answer (PostgreSQL, "Message Flow", AuthenticationMD5Password). */
#pragma once

#include "base/slice.h"

enum { AUTH_MD5_TEXT = 36 }; /* "md5", 32 hex digits, NUL */

/* md5(md5(password user) salt); a password that is itself of the form md5<32 hex> is taken as the
 * inner hash. */
void auth_md5(struct slice user, struct slice password, const uint8_t salt[4],
              char out[AUTH_MD5_TEXT]);
