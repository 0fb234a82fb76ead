/* Digests, keys and random bytes from OpenSSL. */
#pragma once

#include "base/slice.h"

enum { CRYPT_SHA256 = 32, CRYPT_MD5 = 16 };

void crypt_sha256(struct slice in, uint8_t out[CRYPT_SHA256]);
void crypt_md5(struct slice in, uint8_t out[CRYPT_MD5]);
void crypt_hmac_sha256(struct slice key, struct slice in, uint8_t out[CRYPT_SHA256]);
void crypt_pbkdf2_sha256(struct slice password, struct slice salt, uint32_t iterations,
                         uint8_t out[CRYPT_SHA256]);
void crypt_random(void *out, size_t len); /* ends the process where the system has no entropy */
bool crypt_same(const void *a, const void *b, size_t len); /* in constant time */

/* Standard alphabet with padding (RFC 4648, section 4). Encode: returns the length, out has room
 * for (len + 2) / 3 * 4 + 1 and is NUL-terminated. Decode: length, or -1 where it isn't base64 or
 * is longer than cap. */
size_t crypt_base64(const void *in, size_t len, char *out);
int crypt_unbase64(struct slice in, uint8_t *out, size_t cap);
