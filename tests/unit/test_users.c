/* The users' list: who is found, with which secret, and that nobody looks like somebody. */
#include "guard/users.h"

#include <stddef.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* A client's login with `password` against `secret`. */
static enum scram_outcome log_in(const struct scram_secret *secret, struct slice password)
{
    static const uint8_t random[SCRAM_NONCE] = "abcdefghijklmnopq";
    struct scram_server server = {.secret = *secret};
    struct scram_client client = {.nonce = ""};
    struct buf first = {0}, answer = {0}, final = {0}, last = {0};
    enum scram_outcome outcome;

    scram_client_first(&client, random, &first);
    assert_true(scram_server_first(&server, buf_slice(&first), random, &answer));
    assert_true(scram_client_final(&client, password, buf_slice(&answer), &final));
    outcome = scram_server_final(&server, buf_slice(&final), &last);
    if (outcome == SCRAM_OK)
        assert_true(scram_client_check(&client, buf_slice(&last)));
    buf_clear(&first);
    buf_clear(&answer);
    buf_clear(&final);
    buf_clear(&last);
    return outcome;
}

static void a_plain_password_logs_in(void **state)
{
    struct users *users = users_new(USER_SCRAM);
    const struct user *user;

    (void)state;
    assert_true(users_add(users, "alice", "wonder"));
    user = users_find(users, SLICE("alice"));
    assert_non_null(user);
    assert_string_equal(user->name, "alice");
    assert_string_equal(user->password, "wonder");
    assert_true(user->has_secret);
    assert_int_equal(log_in(&user->secret, SLICE("wonder")), SCRAM_OK);
    assert_int_equal(log_in(&user->secret, SLICE("Wonder")), SCRAM_REFUSED);
    users_free(users);
}

static void names_are_exact(void **state)
{
    static const char *const others[] = {"Alice", "alice ", "alic", "", "bob"};
    struct users *users = users_new(USER_SCRAM);

    (void)state;
    assert_true(users_add(users, "alice", "x"));
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        assert_null(users_find(users, slice_text(others[i])));
    users_free(users);
}

static void many_are_found(void **state)
{
    struct users *users = users_new(USER_TRUST);
    char name[16];

    (void)state;
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "user%d", i);
        assert_true(users_add(users, name, NULL));
    }
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "user%d", i);
        assert_string_equal(users_find(users, slice_text(name))->name, name);
        assert_false(users_find(users, slice_text(name))->has_secret);
    }
    users_free(users);
}

/* What pg_authid shows for the password "pencil" with the salt of RFC 7677. */
static const char stored[] = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
                             "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
                             "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

static void a_stored_secret_logs_in_and_knows_no_password(void **state)
{
    struct users *users = users_new(USER_SCRAM);
    const struct user *user;

    (void)state;
    assert_true(users_add(users, "user", stored));
    user = users_find(users, SLICE("user"));
    assert_null(user->password);
    assert_int_equal(log_in(&user->secret, SLICE("pencil")), SCRAM_OK);
    assert_int_equal(log_in(&user->secret, SLICE("pen")), SCRAM_REFUSED);
    users_free(users);
}

static void a_malformed_secret_is_refused_and_changes_nothing(void **state)
{
    static const char *const broken[] = {"SCRAM-SHA-256$", "SCRAM-SHA-256$4096:abc",
                                         "SCRAM-SHA-256$x:W22ZaJ0SNY7soEsUEjb6gQ==$a:b"};
    struct users *users = users_new(USER_SCRAM);

    (void)state;
    assert_true(users_add(users, "user", "kept"));
    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
        assert_false(users_add(users, "user", broken[i]));
    assert_string_equal(users_find(users, SLICE("user"))->password, "kept");
    users_free(users);
}

static void an_md5_hash_is_for_servers_only(void **state)
{
    struct users *users = users_new(USER_SCRAM);
    const struct user *user;

    (void)state;
    assert_true(users_add(users, "old", "md50123456789abcdef0123456789abcdef"));
    assert_true(users_add(users, "new", "md5 is not what it was, nor 32 hexs"));
    user = users_find(users, SLICE("old"));
    assert_string_equal(user->password, "md50123456789abcdef0123456789abcdef");
    assert_false(user->has_secret);
    assert_true(users_find(users, SLICE("new"))->has_secret);
    users_free(users);
}

static void the_last_of_one_name_counts(void **state)
{
    struct users *users = users_new(USER_SCRAM);

    (void)state;
    assert_true(users_add(users, "alice", "one"));
    assert_true(users_add(users, "alice", "two"));
    assert_string_equal(users_find(users, SLICE("alice"))->password, "two");
    users_free(users);
}

static void only_trust_without_users_is_open(void **state)
{
    struct users *trust = users_new(USER_TRUST), *scram = users_new(USER_SCRAM);

    (void)state;
    assert_true(users_open(trust));
    assert_false(users_open(scram));
    assert_true(users_add(trust, "alice", NULL));
    assert_false(users_open(trust));
    assert_int_equal(users_auth(trust), USER_TRUST);
    assert_int_equal(users_auth(scram), USER_SCRAM);
    users_free(trust);
    users_free(scram);
}

static void nobody_looks_like_somebody(void **state)
{
    struct users *users = users_new(USER_SCRAM);
    struct scram_secret one, again, other;

    (void)state;
    users_mock(users, SLICE("ghost"), &one);
    assert_int_equal(one.iterations, 4096);
    assert_int_equal(one.salt_len, 16);
    assert_true(users_add(users, "user", stored));
    users_mock(users, SLICE("ghost"), &one);
    users_mock(users, SLICE("ghost"), &again);
    users_mock(users, SLICE("spirit"), &other);
    assert_memory_equal(&one, &again, sizeof(one));
    assert_memory_not_equal(one.salt, other.salt, one.salt_len);
    assert_int_equal(one.iterations, users_find(users, SLICE("user"))->secret.iterations);
    assert_int_equal(one.salt_len, users_find(users, SLICE("user"))->secret.salt_len);
    users_free(users);
}

static void nobody_takes_the_iterations_of_the_file(void **state)
{
    struct users *users = users_new(USER_SCRAM);
    struct scram_secret secret;
    char text[] = "SCRAM-SHA-256$8192:W22ZaJ0SNY7soEsUEjb6gQ==$"
                  "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
                  "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

    (void)state;
    assert_true(users_add(users, "user", text));
    users_mock(users, SLICE("ghost"), &secret);
    assert_int_equal(secret.iterations, 8192);
    users_free(users);
}

static void a_reload_changes_no_salt(void **state)
{
    struct users *before = users_new(USER_SCRAM), *after = users_new(USER_SCRAM);
    struct scram_secret ghost, again;

    (void)state;
    assert_true(users_add(before, "same", "one"));
    assert_true(users_add(before, "other", "two"));
    users_mock(before, SLICE("ghost"), &ghost);
    users_follow(after, before);
    assert_true(users_add(after, "same", "one"));
    assert_true(users_add(after, "other", "three"));
    assert_memory_equal(&users_find(after, SLICE("same"))->secret,
                        &users_find(before, SLICE("same"))->secret, sizeof(ghost));
    assert_int_equal(log_in(&users_find(after, SLICE("other"))->secret, SLICE("three")), SCRAM_OK);
    assert_int_equal(log_in(&users_find(after, SLICE("other"))->secret, SLICE("two")),
                     SCRAM_REFUSED);
    users_free(before);
    users_mock(after, SLICE("ghost"), &again);
    assert_memory_equal(&ghost, &again, sizeof(ghost));
    users_free(after);
}

static void no_password_opens_a_mock(void **state)
{
    struct users *users = users_new(USER_SCRAM);
    struct scram_secret secret;

    (void)state;
    users_mock(users, SLICE("ghost"), &secret);
    assert_int_equal(log_in(&secret, SLICE("")), SCRAM_REFUSED);
    assert_int_equal(log_in(&secret, SLICE("ghost")), SCRAM_REFUSED);
    users_free(users);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_password_logs_in),
        cmocka_unit_test(names_are_exact),
        cmocka_unit_test(many_are_found),
        cmocka_unit_test(a_stored_secret_logs_in_and_knows_no_password),
        cmocka_unit_test(a_malformed_secret_is_refused_and_changes_nothing),
        cmocka_unit_test(an_md5_hash_is_for_servers_only),
        cmocka_unit_test(the_last_of_one_name_counts),
        cmocka_unit_test(only_trust_without_users_is_open),
        cmocka_unit_test(nobody_looks_like_somebody),
        cmocka_unit_test(nobody_takes_the_iterations_of_the_file),
        cmocka_unit_test(a_reload_changes_no_salt),
        cmocka_unit_test(no_password_opens_a_mock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
