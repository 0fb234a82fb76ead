#include "wire/auth.h"

#include "base/buf.h"
#include "base/crypt.h"

enum { HEX = 2 * CRYPT_MD5, PREFIX = 3 };

static void hex_md5(struct slice in, char out[HEX + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[CRYPT_MD5];

    crypt_md5(in, digest);
    for (int i = 0; i < CRYPT_MD5; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[HEX] = '\0';
}

static bool is_hashed(struct slice password)
{
    if (password.len != PREFIX + HEX || memcmp(password.at, "md5", PREFIX) != 0)
        return false;
    for (size_t i = PREFIX; i < password.len; i++)
        if (!password.at[i] || !strchr("0123456789abcdef", password.at[i]))
            return false;
    return true;
}

void auth_md5(struct slice user, struct slice password, const uint8_t salt[4],
              char out[AUTH_MD5_TEXT])
{
    char inner[HEX + 4 + 1];
    struct buf both = {0};

    if (is_hashed(password)) {
        memcpy(inner, password.at + PREFIX, HEX);
    } else {
        buf_put_slice(&both, password);
        buf_put_slice(&both, user);
        hex_md5(buf_slice(&both), inner);
        buf_clear(&both);
    }
    memcpy(inner + HEX, salt, 4);
    memcpy(out, "md5", PREFIX);
    hex_md5(slice_of(inner, HEX + 4), out + PREFIX);
}
