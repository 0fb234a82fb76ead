/* Digests against published vectors, base64 against RFC 4648. */
#include "base/crypt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_hex(const uint8_t *bytes, size_t len, const char *expected)
{
    char text[129];

    for (size_t i = 0; i < len; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    assert_string_equal(text, expected);
}

static void digests_are_as_published(void **state)
{
    uint8_t out[CRYPT_SHA256];

    (void)state;
    crypt_sha256(SLICE("abc"), out);
    assert_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    crypt_sha256(slice_of(NULL, 0), out);
    assert_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    crypt_md5(SLICE("abc"), out);
    assert_hex(out, 16, "900150983cd24fb0d6963f7d28e17f72");
    crypt_hmac_sha256(SLICE("Jefe"), SLICE("what do ya want for nothing?"), out);
    assert_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    crypt_hmac_sha256(slice_of(NULL, 0), slice_of(NULL, 0), out);
    assert_hex(out, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    crypt_pbkdf2_sha256(SLICE("password"), SLICE("salt"), 4096, out);
    assert_hex(out, 32, "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a");
}

static void random_bytes_differ(void **state)
{
    uint8_t a[32] = {0}, b[32] = {0};

    (void)state;
    crypt_random(a, sizeof(a));
    crypt_random(b, sizeof(b));
    assert_false(crypt_same(a, b, sizeof(a)));
    assert_true(crypt_same(a, a, sizeof(a)));
    assert_true(crypt_same(a, b, 0));
}

static const struct {
    const char *plain, *coded;
} pairs[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xfb\xff\xfe", "+//+"},
};

static void base64_goes_both_ways(void **state)
{
    char coded[16];
    uint8_t plain[16];

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        size_t len = strlen(pairs[i].plain);

        assert_int_equal(crypt_base64(pairs[i].plain, len, coded), strlen(pairs[i].coded));
        assert_string_equal(coded, pairs[i].coded);
        assert_int_equal(crypt_unbase64(slice_text(coded), plain, len), len);
        assert_memory_equal(plain, pairs[i].plain, len);
        if (len)
            assert_int_equal(crypt_unbase64(slice_text(coded), plain, len - 1), -1);
    }
}

static void what_is_not_base64_is_refused(void **state)
{
    static const char *const bad[] = {
        "Zg",   "Zg=",    "Zg===", "=",    "====",     "Zm9v=",    "Z===",
        "Zm=v", "Zm9v\n", "Zm 9",  "Zm-_", "Zg==Zg==", "Zm9vZ?==", "\xff\xff\xff\xff",
        "Zh==", "Zm9="};
    uint8_t plain[16];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(crypt_unbase64(slice_text(bad[i]), plain, sizeof(plain)), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_as_published),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(base64_goes_both_ways),
        cmocka_unit_test(what_is_not_base64_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
