/* Hashes: the published values of XXH3, and that order and seed matter. */
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void values_are_those_of_xxh3(void **state)
{
    (void)state;
    assert_true(hash_bytes("", 0) == 0x2d06800538d394c2);
    assert_true(hash_bytes(NULL, 0) == hash_slice(SLICE("")));
    assert_true(hash128_bytes("", 0).low == 0x6001c324468d497f);
    assert_true(hash128_bytes("", 0).high == 0x99aa06d3014798d8);
    assert_true(hash_slice(SLICE("abc")) == hash_bytes_seed("abc", 3, 0));
    assert_true(hash_bytes_seed("abc", 3, 1) != hash_bytes_seed("abc", 3, 2));
}

static void joining_keeps_the_order(void **state)
{
    (void)state;
    assert_true(hash_join(1, 2) != hash_join(2, 1));
    assert_true(hash_join(0, 0) != hash_join(0, 1));
    assert_true(hash_join(hash_join(1, 2), 3) != hash_join(1, hash_join(2, 3)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_of_xxh3),
        cmocka_unit_test(joining_keeps_the_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
