/* Who may log in, and with what secret. */
#pragma once

#include "base/slice.h"
#include "wire/scram.h"

enum user_auth { USER_TRUST, USER_SCRAM };

struct user {
    const char *name;
    const char *password; /* plain, for logging in to servers; NULL where only a secret is known */
    bool has_secret;
    struct scram_secret secret; /* for SCRAM logins of clients */
};

struct users;

struct users *users_new(enum user_auth auth);
void users_free(struct users *users);
/* At a reload, before the first users_add: who keeps a password keeps the secret made of it, which
 * is costly to make, and nobody can tell by a changed salt who is listed. `before` must live until
 * the last users_add. */
void users_follow(struct users *users, const struct users *before);
/* `password`: plain, a SCRAM-SHA-256$ secret, or NULL; the last of one name counts. Of md5<32 hex
 * digits> only logins to servers can be made, so that the hash is no password of a client. False: a
 * secret that is malformed, and nothing has changed. */
bool users_add(struct users *users, const char *name, const char *password);
/* NULL where nobody of that name is known. With USER_TRUST and no users listed everybody is let
 * in: then users_find is NULL and users_open true. */
const struct user *users_find(const struct users *users, struct slice name);
bool users_open(const struct users *users);
enum user_auth users_auth(const struct users *users);
/* A secret for a login of nobody, the same for the same name, so that unknown names can't be told
 * from known ones. */
void users_mock(const struct users *users, struct slice name, struct scram_secret *secret);
