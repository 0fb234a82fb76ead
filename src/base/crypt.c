/* The only file that knows libcrypto besides the TLS stream. A library that cannot digest is a
 * broken installation: the process ends instead of going on with half a digest. */
#include "base/crypt.h"

#include "base/log.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <stdlib.h>

static void must(bool worked, const char *what)
{
    if (worked)
        return;
    log_error("crypt", "%s does not work in this OpenSSL", what);
    abort();
}

void crypt_sha256(struct slice in, uint8_t out[CRYPT_SHA256])
{
    must(EVP_Digest(in.at, in.len, out, NULL, EVP_sha256(), NULL), "SHA-256");
}

void crypt_md5(struct slice in, uint8_t out[CRYPT_MD5])
{
    must(EVP_Digest(in.at, in.len, out, NULL, EVP_md5(), NULL), "MD5");
}

void crypt_hmac_sha256(struct slice key, struct slice in, uint8_t out[CRYPT_SHA256])
{
    const void *bytes = key.len ? (const void *)key.at : "";

    must(HMAC(EVP_sha256(), bytes, (int)key.len, in.at, in.len, out, NULL), "HMAC");
}

void crypt_pbkdf2_sha256(struct slice password, struct slice salt, uint32_t iterations,
                         uint8_t out[CRYPT_SHA256])
{
    const char *bytes = password.len ? (const char *)password.at : "";

    must(PKCS5_PBKDF2_HMAC(bytes, (int)password.len, salt.at, (int)salt.len, (int)iterations,
                           EVP_sha256(), CRYPT_SHA256, out),
         "PBKDF2");
}

void crypt_random(void *out, size_t len)
{
    must(RAND_bytes(out, (int)len) == 1, "the random generator");
}

bool crypt_same(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

size_t crypt_base64(const void *in, size_t len, char *out)
{
    return (size_t)EVP_EncodeBlock((unsigned char *)out, in, (int)len);
}

/* -1 where it is not of the alphabet. */
static int sextet(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '/')
        return c == '+' ? 62 : 63;
    return -1;
}

static size_t padding(struct slice text)
{
    if (text.len < 4 || text.at[text.len - 1] != '=')
        return 0;
    return text.at[text.len - 2] == '=' ? 2 : 1;
}

int crypt_unbase64(struct slice in, uint8_t *out, size_t cap)
{
    size_t padded = padding(in);
    size_t len = in.len / 4 * 3 - padded;
    uint32_t bits = 0;

    if (in.len % 4 || len > cap)
        return -1;
    for (size_t i = 0, done = 0; i < in.len; i++) {
        int value = i < in.len - padded ? sextet(in.at[i]) : 0;

        if (value < 0)
            return -1;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 == 3)
            for (int shift = 16; shift >= 0 && done < len; shift -= 8)
                out[done++] = (uint8_t)(bits >> shift);
    }
    /* One text for one value: the bits that fall under the padding are zero. */
    return bits & ((1u << 8 * padded) - 1) ? -1 : (int)len;
}
