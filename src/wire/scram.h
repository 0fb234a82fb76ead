/* SCRAM-SHA-256 (RFC 5802, RFC 7677), both sides, without channel binding, as pure functions on
 * bytes. Nonces and salts come in as arguments. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

enum { SCRAM_KEY = 32, SCRAM_SALT_MAX = 64, SCRAM_NONCE_MAX = 128, SCRAM_NONCE = 18 };

/* What a server keeps of a password, as in pg_authid:
 * "SCRAM-SHA-256$<iterations>:<salt>$<stored>:<server>". */
struct scram_secret {
    uint32_t iterations;
    uint8_t salt[SCRAM_SALT_MAX];
    size_t salt_len;
    uint8_t stored_key[SCRAM_KEY], server_key[SCRAM_KEY];
};

bool scram_secret_parse(struct slice text, struct scram_secret *secret);
/* From a password (SASLprep is applied where it is ASCII-safe: other passwords are taken as they
 * are, as PostgreSQL does for what it can't prepare). */
void scram_secret_make(struct slice password, const uint8_t *salt, size_t salt_len,
                       uint32_t iterations, struct scram_secret *secret);

/* The server's side of one login. */
struct scram_server {
    struct scram_secret secret;
    bool doomed;  /* the user does not exist: go through the motions and refuse at the end */
    char binding; /* what the client said of channel binding: 'n' or 'y' */
    char client_first_bare[512], server_first[512];
    char nonce[SCRAM_NONCE_MAX * 2];
};
/* client-first-message in, server-first-message out; false: malformed (08P01), or it asks for
 * channel binding or to act for somebody else. `random` holds SCRAM_NONCE bytes. The caller has
 * filled in `secret`, for the doomed too: a salt that is the same each time tells nobody who
 * exists. */
bool scram_server_first(struct scram_server *scram, struct slice client_first,
                        const uint8_t *random, struct buf *out);
/* client-final-message in, server-final-message out where it is SCRAM_OK, else nothing. */
enum scram_outcome { SCRAM_OK, SCRAM_REFUSED, SCRAM_MALFORMED };
enum scram_outcome scram_server_final(struct scram_server *scram, struct slice client_final,
                                      struct buf *out);

/* The client's side of one login. */
struct scram_client {
    char first_bare[256];
    char nonce[64];
    uint8_t server_signature[SCRAM_KEY];
};
/* `random` holds SCRAM_NONCE bytes. */
void scram_client_first(struct scram_client *scram, const uint8_t *random, struct buf *out);
/* server-first-message in, client-final-message out; false: malformed, not an answer to our nonce,
 * or more than a million iterations. Takes as long as the iterations do. */
bool scram_client_final(struct scram_client *scram, struct slice password,
                        struct slice server_first, struct buf *out);
/* True where the server proved that it knows the secret too. */
bool scram_client_check(const struct scram_client *scram, struct slice server_final);
