/* Cancel keys: a process number, and a secret that nobody can guess. They are found by the number
 * alone, and the secret is compared whole and in constant time, so that no answer, and no delay,
 * tells how much of a guess was right. */
#include "session/conversation.h"

#include "base/crypt.h"
#include "base/hash.h"
#include "base/log.h"

/* What a client of protocol 3.0 can hold. */
enum { SHORT_SECRET = 4 };

static uint64_t hash_of(uint32_t pid)
{
    return hash_bytes(&pid, sizeof(pid));
}

static uint32_t random_pid(struct rooms *rooms)
{
    uint32_t pid;

    do {
        crypt_random(&pid, sizeof(pid));
        pid &= 0x7fffffff;
    } while (!pid || map_first(&rooms->keys, hash_of(pid)));
    return pid;
}

void key_choose(struct session *session)
{
    struct server *server = session->take.server;

    session->pid = server ? server->pid : random_pid(session->rooms);
    session->secret_len = session->minor < 2 ? SHORT_SECRET : sizeof(session->secret);
    crypt_random(session->secret, session->secret_len);
    map_add(&session->rooms->keys, &session->key, hash_of(session->pid));
}

void key_forget(struct session *session)
{
    map_remove(&session->rooms->keys, &session->key);
}

static bool is_key_of(const struct session *session, uint32_t pid, struct slice secret)
{
    return session->pid == pid && session->secret_len == secret.len &&
           crypt_same(session->secret, secret.at, secret.len);
}

void cancel_by_key(struct rooms *rooms, uint32_t pid, struct slice secret)
{
    struct map_link *at = map_first(&rooms->keys, hash_of(pid));

    for (; at; at = map_next(at)) {
        struct session *session = MAP_OF(at, struct session, key);

        if (!is_key_of(session, pid, secret))
            continue;
        session_cancel(session);
        return;
    }
    log_info("login", "a cancel request with a key that no session has");
}
