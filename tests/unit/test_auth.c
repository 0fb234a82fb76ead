/* The MD5 answer; the inner hash is the one a PostgreSQL 15 stored for role m, password "secret".
 */
#include "wire/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t salt[4] = {0x01, 0x02, 0xfe, 0x00};

static void a_password_and_its_hash_answer_alike(void **state)
{
    char plain[AUTH_MD5_TEXT], hashed[AUTH_MD5_TEXT];

    (void)state;
    auth_md5(SLICE("m"), SLICE("secret"), salt, plain);
    auth_md5(SLICE("m"), SLICE("md5b52328d7451bfeace80c4b8c338106f9"), salt, hashed);
    assert_string_equal(plain, hashed);
    assert_string_equal(plain, "md5eb56e92636bdbcf8e29f801e38c6879c");
}

static void what_only_looks_like_a_hash_is_a_password(void **state)
{
    char hash[AUTH_MD5_TEXT], like[AUTH_MD5_TEXT];

    (void)state;
    auth_md5(SLICE("m"), SLICE("md5b52328d7451bfeace80c4b8c338106f9"), salt, hash);
    auth_md5(SLICE("m"), SLICE("md5B52328D7451BFEACE80C4B8C338106F9"), salt, like);
    assert_string_not_equal(hash, like);
    auth_md5(SLICE("m"), SLICE("md5b52328d7451bfeace80c4b8c338106f"), salt, like);
    assert_string_not_equal(hash, like);
    auth_md5(SLICE("m"), SLICE("md5b52328d7451bfeace80c4b8c338106fx"), salt, like);
    assert_string_not_equal(hash, like);
}

static void nothing_is_a_password_too(void **state)
{
    char out[AUTH_MD5_TEXT];

    (void)state;
    auth_md5(slice_of(NULL, 0), slice_of(NULL, 0), salt, out);
    assert_int_equal(strlen(out), AUTH_MD5_TEXT - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_and_its_hash_answer_alike),
        cmocka_unit_test(what_only_looks_like_a_hash_is_a_password),
        cmocka_unit_test(nothing_is_a_password_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
