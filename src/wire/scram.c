/* The exchange is four texts of attributes ("r=...,s=...,i=..."), each signed by what follows from
 * the password. Channel binding is refused where a client asks for it, since it was not offered. */
#include "wire/scram.h"

#include "base/crypt.h"

#include <stdio.h>

/* Of a server's wish for iterations: one more would let it hold up the loop for seconds. */
enum { ITERATIONS_MAX = 1000000 };
enum { KEY_BASE64 = (SCRAM_KEY + 2) / 3 * 4 + 1 };
enum { NONCE_BASE64 = SCRAM_NONCE / 3 * 4 + 1 };

/* Moves `text` past "<name>=<value>" and the comma behind it; the value is everything up to that
 * comma. */
static bool take_attribute(struct slice *text, char *name, struct slice *value)
{
    const uint8_t *end;

    if (text->len < 2 || text->at[1] != '=')
        return false;
    *name = (char)text->at[0];
    *value = slice_skip(*text, 2);
    end = value->len ? memchr(value->at, ',', value->len) : NULL;
    if (end)
        value->len = (size_t)(end - value->at);
    *text = slice_skip(*text, 2 + value->len + (end ? 1 : 0));
    return true;
}

static bool expect_attribute(struct slice *text, char name, struct slice *value)
{
    char found;

    return take_attribute(text, &found, value) && found == name;
}

static bool is_nonce(struct slice nonce)
{
    for (size_t i = 0; i < nonce.len; i++)
        if (nonce.at[i] < 0x21 || nonce.at[i] > 0x7e || nonce.at[i] == ',')
            return false;
    return nonce.len > 0;
}

static bool is_text(struct slice text)
{
    return text.len && !memchr(text.at, 0, text.len);
}

static bool take_iterations(struct slice digits, uint32_t *iterations)
{
    uint32_t value = 0;

    if (!digits.len || digits.len > 9)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.at[i] < '0' || digits.at[i] > '9')
            return false;
        value = value * 10 + (uint32_t)(digits.at[i] - '0');
    }
    *iterations = value;
    return value > 0;
}

static bool take_key(struct slice text, uint8_t key[SCRAM_KEY])
{
    return crypt_unbase64(text, key, SCRAM_KEY) == SCRAM_KEY;
}

/* Cuts `text` at the first `end`; false where there is none. */
static bool take_until(struct slice *text, char end, struct slice *part)
{
    const uint8_t *at = text->len ? memchr(text->at, end, text->len) : NULL;

    if (!at)
        return false;
    *part = slice_of(text->at, (size_t)(at - text->at));
    *text = slice_skip(*text, part->len + 1);
    return true;
}

bool scram_secret_parse(struct slice text, struct scram_secret *secret)
{
    struct slice mechanism, iterations, salt, stored;
    int salt_len;

    if (!take_until(&text, '$', &mechanism) || !slice_is(mechanism, "SCRAM-SHA-256") ||
        !take_until(&text, ':', &iterations) || !take_until(&text, '$', &salt) ||
        !take_until(&text, ':', &stored))
        return false;
    salt_len = crypt_unbase64(salt, secret->salt, SCRAM_SALT_MAX);
    secret->salt_len = salt_len > 0 ? (size_t)salt_len : 0;
    return salt_len > 0 && take_iterations(iterations, &secret->iterations) &&
           take_key(stored, secret->stored_key) && take_key(text, secret->server_key);
}

/* What a password gives together with a salt. */
struct keys {
    uint8_t client[SCRAM_KEY], stored[SCRAM_KEY], server[SCRAM_KEY];
};

static void make_keys(struct slice password, struct slice salt, uint32_t iterations,
                      struct keys *keys)
{
    uint8_t salted[SCRAM_KEY];

    crypt_pbkdf2_sha256(password, salt, iterations, salted);
    crypt_hmac_sha256(slice_of(salted, SCRAM_KEY), SLICE("Client Key"), keys->client);
    crypt_sha256(slice_of(keys->client, SCRAM_KEY), keys->stored);
    crypt_hmac_sha256(slice_of(salted, SCRAM_KEY), SLICE("Server Key"), keys->server);
}

void scram_secret_make(struct slice password, const uint8_t *salt, size_t salt_len,
                       uint32_t iterations, struct scram_secret *secret)
{
    struct keys keys;

    make_keys(password, slice_of(salt, salt_len), iterations, &keys);
    secret->iterations = iterations;
    secret->salt_len = salt_len;
    memcpy(secret->salt, salt, salt_len);
    memcpy(secret->stored_key, keys.stored, SCRAM_KEY);
    memcpy(secret->server_key, keys.server, SCRAM_KEY);
}

/* Signatures are over all that was said before the proof. */
static void sign(const uint8_t key[SCRAM_KEY], struct slice said, uint8_t signature[SCRAM_KEY])
{
    crypt_hmac_sha256(slice_of(key, SCRAM_KEY), said, signature);
}

static void join(struct buf *said, const char *client_first_bare, struct slice server_first,
                 struct slice client_final)
{
    buf_put_slice(said, slice_text(client_first_bare));
    buf_put(said, ",", 1);
    buf_put_slice(said, server_first);
    buf_put(said, ",", 1);
    buf_put_slice(said, client_final);
}

static void xor_key(uint8_t into[SCRAM_KEY], const uint8_t with[SCRAM_KEY])
{
    for (int i = 0; i < SCRAM_KEY; i++)
        into[i] ^= with[i];
}

/* "n,," or "y,,": no binding, and in whose name is left to the startup packet. */
static bool take_binding(struct slice *text, char *binding)
{
    if (text->len < 3 || (text->at[0] != 'n' && text->at[0] != 'y') ||
        memcmp(text->at + 1, ",,", 2) != 0)
        return false;
    *binding = (char)text->at[0];
    *text = slice_skip(*text, 3);
    return true;
}

bool scram_server_first(struct scram_server *scram, struct slice client_first,
                        const uint8_t *random, struct buf *out)
{
    struct slice bare, rest, user, nonce;
    char own[NONCE_BASE64], salt[(SCRAM_SALT_MAX + 2) / 3 * 4 + 1];

    if (!is_text(client_first) || !take_binding(&client_first, &scram->binding))
        return false;
    bare = rest = client_first;
    if (bare.len >= sizeof(scram->client_first_bare) || !expect_attribute(&rest, 'n', &user) ||
        !expect_attribute(&rest, 'r', &nonce) || !is_nonce(nonce) || nonce.len > SCRAM_NONCE_MAX)
        return false;
    memcpy(scram->client_first_bare, bare.at, bare.len);
    scram->client_first_bare[bare.len] = '\0';
    crypt_base64(random, SCRAM_NONCE, own);
    snprintf(scram->nonce, sizeof(scram->nonce), "%.*s%s", (int)nonce.len, (const char *)nonce.at,
             own);
    crypt_base64(scram->secret.salt, scram->secret.salt_len, salt);
    snprintf(scram->server_first, sizeof(scram->server_first), "r=%s,s=%s,i=%u", scram->nonce, salt,
             scram->secret.iterations);
    buf_put_slice(out, slice_text(scram->server_first));
    return true;
}

/* Cuts off ",p=<proof>", which must be the last attribute; what is before it stays in `text`. */
static bool take_proof(const struct scram_server *scram, struct slice *text,
                       uint8_t proof[SCRAM_KEY])
{
    struct slice left = *text, before, value;
    char name;

    if (!expect_attribute(&left, 'c', &value) ||
        !slice_is(value, scram->binding == 'y' ? "eSws" : "biws") ||
        !expect_attribute(&left, 'r', &value) || !slice_is(value, scram->nonce))
        return false;
    do {
        before = slice_of(text->at, (size_t)(left.at - text->at));
        if (!take_attribute(&left, &name, &value))
            return false;
    } while (name != 'p');
    *text = slice_first(before, before.len - 1);
    return left.len == 0 && take_key(value, proof);
}

static bool is_proven(const struct scram_secret *secret, struct slice said,
                      uint8_t proof[SCRAM_KEY])
{
    uint8_t signature[SCRAM_KEY], stored[SCRAM_KEY];

    sign(secret->stored_key, said, signature);
    xor_key(proof, signature);
    crypt_sha256(slice_of(proof, SCRAM_KEY), stored);
    return crypt_same(stored, secret->stored_key, SCRAM_KEY);
}

static void put_signature(const struct scram_secret *secret, struct slice said, struct buf *out)
{
    uint8_t signature[SCRAM_KEY];
    char text[KEY_BASE64];

    sign(secret->server_key, said, signature);
    crypt_base64(signature, SCRAM_KEY, text);
    buf_printf(out, "v=%s", text);
}

enum scram_outcome scram_server_final(struct scram_server *scram, struct slice client_final,
                                      struct buf *out)
{
    uint8_t proof[SCRAM_KEY];
    struct buf said = {0};
    bool proven;

    if (!is_text(client_final) || !take_proof(scram, &client_final, proof))
        return SCRAM_MALFORMED;
    join(&said, scram->client_first_bare, slice_text(scram->server_first), client_final);
    proven = is_proven(&scram->secret, buf_slice(&said), proof) && !scram->doomed;
    if (proven)
        put_signature(&scram->secret, buf_slice(&said), out);
    buf_clear(&said);
    return proven ? SCRAM_OK : SCRAM_REFUSED;
}

void scram_client_first(struct scram_client *scram, const uint8_t *random, struct buf *out)
{
    crypt_base64(random, SCRAM_NONCE, scram->nonce);
    snprintf(scram->first_bare, sizeof(scram->first_bare), "n=,r=%s", scram->nonce);
    buf_printf(out, "n,,%s", scram->first_bare);
}

/* What a server-first-message says. */
struct challenge {
    struct slice nonce;
    uint8_t salt[SCRAM_SALT_MAX];
    size_t salt_len;
    uint32_t iterations;
};

static bool read_challenge(const struct scram_client *scram, struct slice text,
                           struct challenge *challenge)
{
    size_t own = strlen(scram->nonce);
    struct slice salt, iterations;
    int salt_len;

    if (!expect_attribute(&text, 'r', &challenge->nonce) || !expect_attribute(&text, 's', &salt) ||
        !expect_attribute(&text, 'i', &iterations))
        return false;
    salt_len = crypt_unbase64(salt, challenge->salt, SCRAM_SALT_MAX);
    challenge->salt_len = salt_len > 0 ? (size_t)salt_len : 0;
    return salt_len > 0 && is_nonce(challenge->nonce) && challenge->nonce.len > own &&
           memcmp(challenge->nonce.at, scram->nonce, own) == 0 &&
           take_iterations(iterations, &challenge->iterations) &&
           challenge->iterations <= ITERATIONS_MAX;
}

bool scram_client_final(struct scram_client *scram, struct slice password,
                        struct slice server_first, struct buf *out)
{
    struct challenge challenge;
    struct keys keys;
    struct buf final = {0}, said = {0};
    uint8_t signature[SCRAM_KEY];
    char proof[KEY_BASE64];

    if (!read_challenge(scram, server_first, &challenge))
        return false;
    make_keys(password, slice_of(challenge.salt, challenge.salt_len), challenge.iterations, &keys);
    buf_put_slice(&final, SLICE("c=biws,r="));
    buf_put_slice(&final, challenge.nonce);
    join(&said, scram->first_bare, server_first, buf_slice(&final));
    sign(keys.stored, buf_slice(&said), signature);
    sign(keys.server, buf_slice(&said), scram->server_signature);
    xor_key(signature, keys.client);
    crypt_base64(signature, SCRAM_KEY, proof);
    buf_put_slice(out, buf_slice(&final));
    buf_printf(out, ",p=%s", proof);
    buf_clear(&final);
    buf_clear(&said);
    return true;
}

bool scram_client_check(const struct scram_client *scram, struct slice server_final)
{
    uint8_t signature[SCRAM_KEY];
    struct slice value;

    return expect_attribute(&server_final, 'v', &value) && take_key(value, signature) &&
           crypt_same(signature, scram->server_signature, SCRAM_KEY);
}
