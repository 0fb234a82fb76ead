/* SCRAM: the exchange of RFC 7677, secrets as PostgreSQL 15 stored them, both sides against each
 * other, and what is refused. */
#include "wire/scram.h"

#include "base/crypt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t random_bytes[SCRAM_NONCE] = "0123456789abcdefg";

static struct slice take_text(struct buf *buf)
{
    buf_put(buf, "", 1);
    return slice_text((char *)buf->at);
}

/* RFC 7677, section 3. Its nonces are not ours, so they are set by hand. */
#define RFC_FIRST        "n=user,r=rOprNGfwEbeRWgbNEkqO"
#define RFC_NONCE        "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define RFC_SERVER_FIRST "r=" RFC_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define RFC_CLIENT_FINAL "c=biws,r=" RFC_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define RFC_SERVER_FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static void the_client_says_what_the_rfc_says(void **state)
{
    struct scram_client scram = {0};
    struct buf out = {0};

    (void)state;
    strcpy(scram.first_bare, RFC_FIRST);
    strcpy(scram.nonce, "rOprNGfwEbeRWgbNEkqO");
    assert_true(scram_client_final(&scram, SLICE("pencil"), SLICE(RFC_SERVER_FIRST), &out));
    assert_true(slice_is(take_text(&out), RFC_CLIENT_FINAL));
    assert_true(scram_client_check(&scram, SLICE(RFC_SERVER_FINAL)));
    assert_false(scram_client_check(&scram, SLICE("v=6rriTRBi23WpRR/wtup+mMhUZUn/"
                                                  "dB5nLTJRsjl95G5=")));
    assert_false(scram_client_check(&scram, SLICE("e=invalid-proof")));
    assert_false(scram_client_check(&scram, SLICE("")));
    buf_clear(&out);
}

static void the_server_says_what_the_rfc_says(void **state)
{
    struct scram_server scram = {.binding = 'n'};
    struct buf out = {0};
    uint8_t salt[SCRAM_SALT_MAX];
    int salt_len = crypt_unbase64(SLICE("W22ZaJ0SNY7soEsUEjb6gQ=="), salt, sizeof(salt));

    (void)state;
    scram_secret_make(SLICE("pencil"), salt, (size_t)salt_len, 4096, &scram.secret);
    strcpy(scram.client_first_bare, RFC_FIRST);
    strcpy(scram.server_first, RFC_SERVER_FIRST);
    strcpy(scram.nonce, RFC_NONCE);
    assert_int_equal(scram_server_final(&scram, SLICE(RFC_CLIENT_FINAL), &out), SCRAM_OK);
    assert_true(slice_is(take_text(&out), RFC_SERVER_FINAL));
    buf_clear(&out);
}

/* From pg_authid of a PostgreSQL 15 after CREATE ROLE ... PASSWORD. */
static const struct {
    const char *password, *secret;
} stored[] = {
    {"secret",
     "SCRAM-SHA-256$4096:qIVAsIOdPDJ24RUFHpniWQ==$"
     "w3cO1m7KvZvfHniSui3z+XLh0AwA+gcdb7rGWedfz40=:A1ZyTC8cTgrlQDcfW4ReCXs/lLfWluU66+sB9DLfcw8="},
    {"pass word, with \"quotes\" = and $",
     "SCRAM-SHA-256$4096:T8YfD8sXcy3dijHJFoh5Mg==$"
     "EN/zXltc7KBu4iCvOP0cSdzNAavqX4PGmeHwW0rVnAQ=:99+0iEkcl8zmZkyAy3+eXG9e523+eacQkyeDPj/bihU="},
    {"schl\xc3\xbcssel",
     "SCRAM-SHA-256$4096:qXMmBcDIVk1+JrYfdCCTVw==$"
     "9LWk6l2BEHDGEzOkTqoVvuIcCEc9UrTDl8casxMMbBI=:YOVFfRQDWug2OZrYcpIbHXBgMwwKN6lyFZVnd8Xe6+E="},
};

static void secrets_are_those_of_postgresql(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(stored) / sizeof(*stored); i++) {
        struct scram_secret read, made;

        assert_true(scram_secret_parse(slice_text(stored[i].secret), &read));
        scram_secret_make(slice_text(stored[i].password), read.salt, read.salt_len, read.iterations,
                          &made);
        assert_memory_equal(made.stored_key, read.stored_key, SCRAM_KEY);
        assert_memory_equal(made.server_key, read.server_key, SCRAM_KEY);
    }
}

#define KEY_A  "1YKIN7cGlyzOkmbsd2WRRTXFOQeTwZ21WLAiHKVNUVg="
#define SALT_A "W22ZaJ0SNY7soEsUEjb6gQ=="

static void what_is_no_secret_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "secret",
        "md55f4dcc3b5aa765d61d8327deb882cf99",
        "SCRAM-SHA-256",
        "SCRAM-SHA-256$4096:" SALT_A "$" KEY_A,
        "SCRAM-SHA-256$4096$" SALT_A "$" KEY_A ":" KEY_A,
        "SCRAM-SHA-1$4096:" SALT_A "$" KEY_A ":" KEY_A,
        "scram-sha-256$4096:" SALT_A "$" KEY_A ":" KEY_A,
        "SCRAM-SHA-256$0:" SALT_A "$" KEY_A ":" KEY_A,
        "SCRAM-SHA-256$:" SALT_A "$" KEY_A ":" KEY_A,
        "SCRAM-SHA-256$-4096:" SALT_A "$" KEY_A ":" KEY_A,
        "SCRAM-SHA-256$99999999999:" SALT_A "$" KEY_A ":" KEY_A,
        "SCRAM-SHA-256$4096:$" KEY_A ":" KEY_A,
        "SCRAM-SHA-256$4096:?$" KEY_A ":" KEY_A,
        "SCRAM-SHA-256$4096:" SALT_A "$" SALT_A ":" KEY_A,
        "SCRAM-SHA-256$4096:" SALT_A "$" KEY_A ":" SALT_A,
        "SCRAM-SHA-256$4096:" SALT_A "$" KEY_A ":" KEY_A "x",
    };
    struct scram_secret secret;

    (void)state;
    assert_true(
        scram_secret_parse(SLICE("SCRAM-SHA-256$4096:" SALT_A "$" KEY_A ":" KEY_A), &secret));
    assert_int_equal(secret.iterations, 4096);
    assert_int_equal(secret.salt_len, 16);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (scram_secret_parse(slice_text(bad[i]), &secret))
            fail_msg("taken: %s", bad[i]);
}

/* One login between our two sides; what the server's last word was. */
static enum scram_outcome log_in(const char *wanted, const char *given, bool doomed, bool *checked)
{
    struct scram_server server = {.doomed = doomed};
    struct scram_client client = {0};
    struct buf first = {0}, challenge = {0}, final = {0}, proof = {0};
    enum scram_outcome outcome;

    scram_secret_make(slice_text(wanted), (const uint8_t *)"salt", 4, 64, &server.secret);
    scram_client_first(&client, random_bytes, &first);
    assert_true(scram_server_first(&server, buf_slice(&first), random_bytes, &challenge));
    assert_true(scram_client_final(&client, slice_text(given), buf_slice(&challenge), &final));
    outcome = scram_server_final(&server, buf_slice(&final), &proof);
    *checked = scram_client_check(&client, buf_slice(&proof));
    buf_clear(&first);
    buf_clear(&challenge);
    buf_clear(&final);
    buf_clear(&proof);
    return outcome;
}

static void our_two_sides_agree(void **state)
{
    bool checked;

    (void)state;
    assert_int_equal(log_in("secret", "secret", false, &checked), SCRAM_OK);
    assert_true(checked);
    assert_int_equal(log_in("", "", false, &checked), SCRAM_OK);
    assert_true(checked);
    assert_int_equal(log_in("secret", "Secret", false, &checked), SCRAM_REFUSED);
    assert_false(checked);
    assert_int_equal(log_in("secret", "", false, &checked), SCRAM_REFUSED);
    assert_int_equal(log_in("secret", "secret", true, &checked), SCRAM_REFUSED);
    assert_false(checked);
}

static const struct {
    bool good;
    const char *text;
} firsts[] = {
    {true, "n,,n=,r=abc"},
    {true, "n,,n=*,r=abc"},
    {true, "y,,n=user,r=abc"},
    {true, "n,,n=,r=abc,x=extension"},
    {false, ""},
    {false, "n"},
    {false, "n,,"},
    {false, "n,,n="},
    {false, "n,,n=,"},
    {false, "n,,n=,r="},
    {false, "n,,n=,r=a\x7f"},
    {false, "n,,n=,r=a b"},
    {false, "n,,r=abc"},
    {false, "n,,r=abc,n="},
    {false, "n,,m=must,n=,r=abc"},
    {false, "n,a=other,n=,r=abc"},
    {false, "p=tls-server-end-point,,n=,r=abc"},
    {false, "q,,n=,r=abc"},
    {false, "N,,n=,r=abc"},
};

static void first_messages_are_looked_at(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(firsts) / sizeof(*firsts); i++) {
        struct scram_server scram = {0};
        struct buf out = {0};

        if (scram_server_first(&scram, slice_text(firsts[i].text), random_bytes, &out) !=
            firsts[i].good)
            fail_msg("%s was %s", firsts[i].text, firsts[i].good ? "refused" : "taken");
        assert_int_equal(buf_len(&out) > 0, firsts[i].good);
        buf_clear(&out);
    }
}

static void long_first_messages_are_refused(void **state)
{
    struct scram_server scram = {0};
    struct buf out = {0};
    char text[1024];

    (void)state;
    snprintf(text, sizeof(text), "n,,n=,r=%0128d", 0);
    assert_true(scram_server_first(&scram, slice_text(text), random_bytes, &out));
    snprintf(text, sizeof(text), "n,,n=,r=%0129d", 0);
    assert_false(scram_server_first(&scram, slice_text(text), random_bytes, &out));
    snprintf(text, sizeof(text), "n,,n=%0505d,r=1", 0);
    assert_true(scram_server_first(&scram, slice_text(text), random_bytes, &out));
    snprintf(text, sizeof(text), "n,,n=%0507d,r=1", 0);
    assert_false(scram_server_first(&scram, slice_text(text), random_bytes, &out));
    assert_false(scram_server_first(&scram, slice_of("n,,n=\0,r=1", 10), random_bytes, &out));
    buf_clear(&out);
}

#define PROOF "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

static const struct {
    enum scram_outcome outcome;
    char binding;
    const char *text;
} finals[] = {
    {SCRAM_REFUSED, 'n', "c=biws,r=nonce,p=" PROOF},
    {SCRAM_REFUSED, 'n', "c=biws,r=nonce,x=extension,p=" PROOF},
    {SCRAM_REFUSED, 'y', "c=eSws,r=nonce,p=" PROOF},
    {SCRAM_MALFORMED, 'y', "c=biws,r=nonce,p=" PROOF},
    {SCRAM_MALFORMED, 'n', "c=eSws,r=nonce,p=" PROOF},
    {SCRAM_MALFORMED, 'n', "c=biws,r=nonc,p=" PROOF},
    {SCRAM_MALFORMED, 'n', "c=biws,r=nonce2,p=" PROOF},
    {SCRAM_MALFORMED, 'n', "c=biws,r=nonce"},
    {SCRAM_MALFORMED, 'n', "c=biws,r=nonce,"},
    {SCRAM_MALFORMED, 'n', "c=biws,r=nonce,p="},
    {SCRAM_MALFORMED, 'n', "c=biws,r=nonce,p=AAAA"},
    {SCRAM_MALFORMED, 'n', "c=biws,r=nonce,p=" PROOF ",x=1"},
    {SCRAM_MALFORMED, 'n', "c=biws,r=nonce,p=" PROOF "="},
    {SCRAM_MALFORMED, 'n', "r=nonce,c=biws,p=" PROOF},
    {SCRAM_MALFORMED, 'n', "c=biws,p=" PROOF},
    {SCRAM_MALFORMED, 'n', ""},
};

static void final_messages_are_looked_at(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(finals) / sizeof(*finals); i++) {
        struct scram_server scram = {.binding = finals[i].binding, .nonce = "nonce"};
        struct buf out = {0};

        if (scram_server_final(&scram, slice_text(finals[i].text), &out) != finals[i].outcome)
            fail_msg("%s", finals[i].text);
        assert_int_equal(buf_len(&out), 0);
    }
}

static const struct {
    bool good;
    const char *text;
} challenges[] = {
    {true, "r=ourstheirs,s=c2FsdA==,i=1"},
    {true, "r=ourstheirs,s=c2FsdA==,i=1,x=extension"},
    {false, "r=ours,s=c2FsdA==,i=1"},
    {false, "r=our,s=c2FsdA==,i=1"},
    {false, "r=theirs,s=c2FsdA==,i=1"},
    {false, "r=ourstheirs,s=,i=1"},
    {false, "r=ourstheirs,s=?,i=1"},
    {false, "r=ourstheirs,s=c2FsdA==,i=0"},
    {false, "r=ourstheirs,s=c2FsdA==,i="},
    {false, "r=ourstheirs,s=c2FsdA==,i=1x"},
    {false, "r=ourstheirs,s=c2FsdA==,i=2000000"},
    {false, "r=ourstheirs,s=c2FsdA=="},
    {false, "m=must,r=ourstheirs,s=c2FsdA==,i=1"},
    {false, "s=c2FsdA==,r=ourstheirs,i=1"},
    {false, "e=other-error"},
    {false, ""},
};

static void challenges_are_looked_at(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(challenges) / sizeof(*challenges); i++) {
        struct scram_client scram = {.nonce = "ours", .first_bare = "n=,r=ours"};
        struct buf out = {0};

        if (scram_client_final(&scram, SLICE("x"), slice_text(challenges[i].text), &out) !=
            challenges[i].good)
            fail_msg("%s was %s", challenges[i].text, challenges[i].good ? "refused" : "taken");
        buf_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_client_says_what_the_rfc_says),
        cmocka_unit_test(the_server_says_what_the_rfc_says),
        cmocka_unit_test(secrets_are_those_of_postgresql),
        cmocka_unit_test(what_is_no_secret_is_refused),
        cmocka_unit_test(our_two_sides_agree),
        cmocka_unit_test(first_messages_are_looked_at),
        cmocka_unit_test(long_first_messages_are_refused),
        cmocka_unit_test(final_messages_are_looked_at),
        cmocka_unit_test(challenges_are_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
