/* Whatever a peer says in place of a SCRAM message: no side reads beyond it, and nobody is let in
 * who does not know the password. The first byte chooses which message is forged. */
#include "wire/scram.h"

#include "base/crypt.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static const uint8_t random_bytes[SCRAM_NONCE] = "0123456789abcdefg";

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void forge_first(struct slice text)
{
    struct scram_server scram = {.secret = {.iterations = 1, .salt = "salt", .salt_len = 4}};
    struct buf out = {0};

    if (scram_server_first(&scram, text, random_bytes, &out))
        must(slice_same(buf_slice(&out), slice_text(scram.server_first)));
    else
        must(buf_len(&out) == 0);
    buf_clear(&out);
}

static void forge_final(struct slice text, char binding)
{
    struct scram_server scram = {.binding = binding, .nonce = "nonce", .client_first_bare = "n=,"};
    struct buf out = {0};

    must(scram_server_final(&scram, text, &out) != SCRAM_OK);
    must(buf_len(&out) == 0);
}

static void forge_challenge(struct slice text)
{
    struct scram_client scram = {.nonce = "n", .first_bare = "n=,r=n"};
    /* A million iterations would be allowed, and only cost time here: three digits will do. */
    const uint8_t *count = memmem(text.at, text.len, ",i=", 3);
    struct buf out = {0};

    if (!count || count + 6 >= text.at + text.len || count[6] == ',')
        scram_client_final(&scram, SLICE("secret"), text, &out);
    buf_clear(&out);
}

static void forge_the_rest(struct slice text)
{
    struct scram_client scram = {.server_signature = "not to be guessed"};
    struct scram_secret secret;

    must(!scram_client_check(&scram, text));
    if (scram_secret_parse(text, &secret))
        must(secret.iterations && secret.salt_len && secret.salt_len <= SCRAM_SALT_MAX);
}

static void check_base64(struct slice text)
{
    uint8_t plain[64];
    char again[89];
    int len = crypt_unbase64(text, plain, sizeof(plain));

    if (len < 0)
        return;
    must(crypt_base64(plain, (size_t)len, again) == text.len);
    must(slice_is(text, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct slice text;

    if (!len)
        return 0;
    text = slice_of(at + 1, len - 1);
    switch (at[0] % 6) {
    case 0:
        forge_first(text);
        break;
    case 1:
        forge_final(text, 'n');
        break;
    case 2:
        forge_final(text, 'y');
        break;
    case 3:
        forge_challenge(text);
        break;
    case 4:
        forge_the_rest(text);
        break;
    case 5:
        check_base64(text);
        break;
    }
    return 0;
}
