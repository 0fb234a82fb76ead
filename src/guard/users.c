/* The list of users that clients may log in as. Looks names up and keeps what a login is checked
 * against; does not speak to clients and asks no database. */
#include "guard/users.h"

#include "base/crypt.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"

#include <ctype.h>

enum { ITERATIONS = 4096, SALT = 16, MD5_TEXT = 35 };

struct listed {
    struct user user; /* its strings are owned */
    struct map_link link;
};

struct users {
    enum user_auth auth;
    struct map map;
    const struct users *before; /* see users_follow; NULL: none */
    /* Secrets of nobody look like those of the first user listed. */
    uint32_t mock_iterations;
    size_t mock_salt;
    uint8_t mock_key[CRYPT_SHA256];
};

struct users *users_new(enum user_auth auth)
{
    struct users *users = mem_new(sizeof(*users));

    users->auth = auth;
    crypt_random(users->mock_key, sizeof(users->mock_key));
    return users;
}

void users_follow(struct users *users, const struct users *before)
{
    users->before = before;
    memcpy(users->mock_key, before->mock_key, sizeof(users->mock_key));
}

static void forget(struct listed *listed)
{
    /* Passwords do not stay behind in freed memory. */
    if (listed->user.password)
        explicit_bzero((char *)listed->user.password, strlen(listed->user.password));
    mem_free((char *)listed->user.password);
    mem_free((char *)listed->user.name);
    explicit_bzero(&listed->user.secret, sizeof(listed->user.secret));
    mem_free(listed);
}

static void free_each(struct map_link *link, void *with)
{
    (void)with;
    forget(MAP_OF(link, struct listed, link));
}

void users_free(struct users *users)
{
    if (!users)
        return;
    map_each(&users->map, free_each, NULL);
    map_clear(&users->map);
    mem_free(users);
}

static struct listed *find(const struct users *users, struct slice name)
{
    struct map_link *link = map_first(&users->map, hash_slice(name));

    for (; link; link = map_next(link)) {
        struct listed *listed = MAP_OF(link, struct listed, link);

        if (slice_is(name, listed->user.name))
            return listed;
    }
    return NULL;
}

/* "md5" and 32 hex digits: good for a server's md5 login, and nothing that SCRAM can check. */
static bool is_md5(struct slice text)
{
    if (text.len != MD5_TEXT || memcmp(text.at, "md5", 3) != 0)
        return false;
    for (size_t i = 3; i < text.len; i++) {
        if (!isxdigit(text.at[i]))
            return false;
    }
    return true;
}

static void make_secret(const struct users *before, struct user *user)
{
    const struct user *same = before ? users_find(before, slice_text(user->name)) : NULL;
    uint8_t salt[SALT];

    user->has_secret = true;
    if (same && same->has_secret && same->password && strcmp(same->password, user->password) == 0) {
        user->secret = same->secret;
        return;
    }
    crypt_random(salt, sizeof(salt));
    scram_secret_make(slice_text(user->password), salt, sizeof(salt), ITERATIONS, &user->secret);
}

static bool take_password(const struct users *before, struct user *user, const char *password)
{
    struct slice text = slice_text(password);

    if (strncmp(password, "SCRAM-SHA-256$", 14) == 0) {
        user->has_secret = scram_secret_parse(text, &user->secret);
        return user->has_secret;
    }
    user->password = mem_text(password, text.len);
    if (!is_md5(text))
        make_secret(before, user);
    return true;
}

bool users_add(struct users *users, const char *name, const char *password)
{
    struct listed *listed = mem_new(sizeof(*listed));
    struct listed *before;

    listed->user.name = mem_text(name, strlen(name));
    if (password && !take_password(users->before, &listed->user, password)) {
        forget(listed);
        return false;
    }
    if (listed->user.has_secret && users->mock_iterations == 0) {
        users->mock_iterations = listed->user.secret.iterations;
        users->mock_salt = listed->user.secret.salt_len;
    }
    before = find(users, slice_text(name));
    if (before) {
        map_remove(&users->map, &before->link);
        forget(before);
    }
    map_add(&users->map, &listed->link, hash_slice(slice_text(name)));
    return true;
}

const struct user *users_find(const struct users *users, struct slice name)
{
    struct listed *listed = find(users, name);

    return listed ? &listed->user : NULL;
}

bool users_open(const struct users *users)
{
    return users->auth == USER_TRUST && users->map.count == 0;
}

enum user_auth users_auth(const struct users *users)
{
    return users->auth;
}

/* One block of bytes that only this process can tell from random ones. */
static void derive(const struct users *users, struct slice name, uint8_t which,
                   uint8_t out[CRYPT_SHA256])
{
    uint8_t key[CRYPT_SHA256 + 1];

    memcpy(key, users->mock_key, CRYPT_SHA256);
    key[CRYPT_SHA256] = which;
    crypt_hmac_sha256(slice_of(key, sizeof(key)), name, out);
}

void users_mock(const struct users *users, struct slice name, struct scram_secret *secret)
{
    uint8_t salt[2 * CRYPT_SHA256];

    _Static_assert(sizeof(salt) >= SCRAM_SALT_MAX, "two blocks are enough for any salt");
    memset(secret, 0, sizeof(*secret));
    secret->iterations = users->mock_iterations ? users->mock_iterations : ITERATIONS;
    secret->salt_len = users->mock_iterations ? users->mock_salt : SALT;
    derive(users, name, 0, salt);
    derive(users, name, 1, salt + CRYPT_SHA256);
    memcpy(secret->salt, salt, secret->salt_len);
    derive(users, name, 2, secret->stored_key);
    derive(users, name, 3, secret->server_key);
}
