/* Settings: what a server must be told so that it is as a session wants it. */
#include "pool/vars.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

/* "name=value;name=value", a name with an exclamation mark before it is reported. */
static void fill(struct vars *vars, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, ";"), name = strcspn(text, "=");
        bool reported = *text == '!';

        vars_set(vars, slice_of(text + reported, name - reported),
                 slice_of(text + name + 1, len - name - 1), reported);
        text += len + (text[len] == ';');
    }
}

/* What is not reported was set by us, as for a session before this one. */
static void fill_server(struct vars *server, const char *text)
{
    struct vars wish = {0};
    struct buf sql = {0};

    fill(&wish, text);
    for (unsigned i = 0; i < wish.count; i++)
        if (wish.at[i].reported)
            vars_set(server, slice_text(wish.at[i].name), slice_text(wish.at[i].value), true);
    vars_match(server, &wish, &sql);
    buf_clear(&sql);
    vars_clear(&wish);
}

static const struct {
    const char *server, *session, *sql;
} matches[] = {
    {"", "", ""},
    {"!TimeZone=UTC", "TimeZone=UTC", ""},
    {"!TimeZone=UTC", "timezone=UTC", ""},
    {"!TimeZone=UTC", "", ""},
    {"!application_name=", "application_name=psql",
     "SELECT pg_catalog.set_config('application_name','psql',false);"},
    {"!TimeZone=UTC", "TimeZone=utc", "SELECT pg_catalog.set_config('TimeZone','utc',false);"},
    {"", "search_path=a, b", "SELECT pg_catalog.set_config('search_path','a, b',false);"},
    {"", "application_name=it's",
     "SELECT pg_catalog.set_config('application_name','it''s',false);"},
    {"", "application_name=a\\b",
     "SELECT pg_catalog.set_config('application_name', E'a\\\\b',false);"},
    {"", "application_name=\\'",
     "SELECT pg_catalog.set_config('application_name', E'\\\\''',false);"},
    {"", "my.x'y=1", "SELECT pg_catalog.set_config('my.x''y','1',false);"},
    {"my.own=1", "", "RESET \"my\".\"own\";"},
    {"a\"b=1", "", "RESET \"a\"\"b\";"},
    {"work_mem=1MB;!TimeZone=UTC;statement_timeout=5", "statement_timeout=7",
     "RESET \"work_mem\";SELECT pg_catalog.set_config('statement_timeout','7',false);"},
    {"a=1;b=2;c=3", "b=2", "RESET \"a\";RESET \"c\";"},
    {"", "a.b.c=1", "SELECT pg_catalog.set_config('a.b.c','1',false);"},
    {"a.b.c=1", "", "RESET \"a\".\"b\".\"c\";"},
    {"", "a=\n\t", "SELECT pg_catalog.set_config('a','\n\t',false);"},
    {"", "a=", "SELECT pg_catalog.set_config('a','',false);"},
    {"a=", "", "RESET \"a\";"},
    {"a=1", "A=1", ""},
    {"a=1", "A=2", "SELECT pg_catalog.set_config('A','2',false);"},
    /* Who one is may be set last: not everybody may set everything. */
    {"", "role=r;a=1",
     "SELECT pg_catalog.set_config('a','1',false);"
     "SELECT pg_catalog.set_config('role','r',false);"},
    {"", "ROLE=r;session_authorization=s;a=1",
     "SELECT pg_catalog.set_config('a','1',false);"
     "SELECT pg_catalog.set_config('session_authorization','s',false);"
     "SELECT pg_catalog.set_config('ROLE','r',false);"},
    /* .. and must be oneself again before anything else. */
    {"role=r;a=1", "", "RESET SESSION AUTHORIZATION;RESET ROLE;RESET \"a\";"},
    {"session_authorization=s;role=r", "", "RESET SESSION AUTHORIZATION;RESET ROLE;"},
    {"role=r;a=1", "role=r;a=2",
     "RESET SESSION AUTHORIZATION;RESET ROLE;SELECT pg_catalog.set_config('a','2',false);"
     "SELECT pg_catalog.set_config('role','r',false);"},
    {"role=r", "role=s",
     "RESET SESSION AUTHORIZATION;RESET ROLE;"
     "SELECT pg_catalog.set_config('role','s',false);"},
    {"session_authorization=s;role=r;a=1", "session_authorization=s;a=1",
     "RESET SESSION AUTHORIZATION;RESET ROLE;"
     "SELECT pg_catalog.set_config('session_authorization','s',false);"},
    {"role=r;a=1", "role=r;a=1", ""},
    {"a=1", "a=1;role=r", "SELECT pg_catalog.set_config('role','r',false);"},
    /* What the server tells of who one is was not set by us. */
    {"!session_authorization=app", "a=1", "SELECT pg_catalog.set_config('a','1',false);"},
};

/* .. of those that are wanted alone. */
static const struct {
    const char *server, *wanted, *sql;
} some[] = {
    {"a=1;b=2", "", ""},
    {"a=1;b=2", "b=2", ""},
    {"a=1;b=2", "b=3", "SELECT pg_catalog.set_config('b','3',false);"},
    {"role=r;a=1", "c=3", "SELECT pg_catalog.set_config('c','3',false);"},
    {"role=r", "role=s;c=3",
     "SELECT pg_catalog.set_config('c','3',false);"
     "SELECT pg_catalog.set_config('role','s',false);"},
};

static const struct {
    const char *server;
    bool hurried;
} hurries[] = {
    {"", false},
    {"statement_timeout=0", false},
    {"statement_timeout=1", true},
    {"statement_timeout=199", true},
    {"statement_timeout=200", false},
    {"statement_timeout=10ms", true},
    {"statement_timeout=500ms", false},
    {"statement_timeout=1s", false},
    {"statement_timeout=1min", false},
    {"statement_timeout=abc", false},
    {"statement_timeout=", false},
    {"STATEMENT_TIMEOUT=5", true},
    {"lock_timeout=5", false},
    /* Not set by us: it is the server's own for everybody. */
    {"!statement_timeout=5", false},
};

static void matching(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(matches) / sizeof(*matches); i++) {
        struct vars server = {0}, session = {0};
        struct buf sql = {0};
        char text[512];
        bool differs;

        fill_server(&server, matches[i].server);
        fill(&session, matches[i].session);
        differs = vars_match(&server, &session, &sql);
        snprintf(text, sizeof(text), "%.*s", (int)buf_len(&sql),
                 sql.at ? (const char *)buf_slice(&sql).at : "");
        assert_string_equal(text, matches[i].sql);
        assert_int_equal(differs, *matches[i].sql != '\0');
        /* What was told once is known. */
        assert_false(vars_match(&server, &session, &sql));
        buf_clear(&sql);
        vars_clear(&server);
        vars_clear(&session);
    }
}

static void sql_is_appended(void **state)
{
    struct vars server = {0}, session = {0};
    struct buf sql = {0};

    (void)state;
    fill_server(&server, "a=1");
    buf_printf(&sql, "SELECT 1;");
    assert_false(vars_match(&server, &server, &sql));
    assert_true(slice_is(buf_slice(&sql), "SELECT 1;"));
    assert_true(vars_match(&server, &session, &sql));
    assert_true(slice_is(buf_slice(&sql), "SELECT 1;RESET \"a\";"));
    buf_clear(&sql);
    vars_clear(&server);
}

static void matching_some(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(some) / sizeof(*some); i++) {
        struct vars server = {0}, wanted = {0};
        struct buf sql = {0};
        char text[512];
        bool differs;

        fill_server(&server, some[i].server);
        fill(&wanted, some[i].wanted);
        differs = vars_match_some(&server, &wanted, &sql);
        snprintf(text, sizeof(text), "%.*s", (int)buf_len(&sql),
                 sql.at ? (const char *)buf_slice(&sql).at : "");
        assert_string_equal(text, some[i].sql);
        assert_int_equal(differs, *some[i].sql != '\0');
        assert_false(vars_match_some(&server, &wanted, &sql));
        buf_clear(&sql);
        vars_clear(&server);
        vars_clear(&wanted);
    }
}

static void hurrying(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(hurries) / sizeof(*hurries); i++) {
        struct vars server = {0};

        fill_server(&server, hurries[i].server);
        if (vars_hurried(&server) != hurries[i].hurried)
            fail_msg("%s", hurries[i].server);
        vars_clear(&server);
    }
}

static void copying(void **state)
{
    struct vars from = {0}, to = {0};

    (void)state;
    fill_server(&from, "!TimeZone=UTC;a=1");
    fill_server(&to, "b=2");
    vars_copy(&to, &from);
    assert_int_equal(to.count, 2);
    assert_string_equal(vars_find(&to, SLICE("a"))->value, "1");
    assert_true(vars_find(&to, SLICE("a"))->ours);
    assert_false(vars_find(&to, SLICE("a"))->reported);
    assert_true(vars_find(&to, SLICE("TimeZone"))->reported);
    assert_null(vars_find(&to, SLICE("b")));
    vars_clear(&from);
    assert_string_equal(vars_find(&to, SLICE("TimeZone"))->value, "UTC");
    vars_copy(&to, &from);
    assert_int_equal(to.count, 0);
    vars_clear(&to);
}

static void set_find_remove(void **state)
{
    struct vars vars = {0};

    (void)state;
    fill(&vars, "DateStyle=ISO;!TimeZone=UTC");
    assert_string_equal(vars_find(&vars, SLICE("datestyle"))->value, "ISO");
    assert_false(vars_find(&vars, SLICE("datestyle"))->reported);
    assert_null(vars_find(&vars, SLICE("dates")));
    /* The server's word makes it reported for good. */
    fill(&vars, "!datestyle=German");
    fill(&vars, "DATESTYLE=German");
    fill(&vars, "DateStyle=SQL");
    assert_string_equal(vars_find(&vars, SLICE("DateStyle"))->value, "SQL");
    assert_true(vars_find(&vars, SLICE("DateStyle"))->reported);
    assert_int_equal(vars.count, 2);
    vars_remove(&vars, SLICE("DATEstyle"));
    vars_remove(&vars, SLICE("DATEstyle"));
    assert_null(vars_find(&vars, SLICE("DateStyle")));
    assert_string_equal(vars_find(&vars, SLICE("TimeZone"))->value, "UTC");
    for (unsigned i = 0; i < 100; i++) {
        char name[8];

        snprintf(name, sizeof(name), "v%u", i);
        vars_set(&vars, slice_text(name), slice_text(name), false);
    }
    assert_string_equal(vars_find(&vars, SLICE("V77"))->value, "v77");
    vars_clear(&vars);
    assert_null(vars_find(&vars, SLICE("TimeZone")));
}

static uint64_t hash_of(const char *text, bool results)
{
    struct vars vars = {0};
    uint64_t hash;

    fill(&vars, text);
    hash = vars_hash(&vars, results);
    vars_clear(&vars);
    return hash;
}

static void hashing(void **state)
{
    (void)state;
    assert_int_equal(hash_of("a=1;b=2;c=3", false), hash_of("c=3;a=1;b=2", false));
    assert_int_equal(hash_of("TimeZone=UTC", true), hash_of("timezone=UTC", true));
    assert_int_not_equal(hash_of("a=1;b=2", false), hash_of("a=2;b=1", false));
    assert_int_not_equal(hash_of("a=1", false), hash_of("a=1;b=2", false));
    assert_int_not_equal(hash_of("TimeZone=UTC", true), hash_of("TimeZone=CET", true));
    assert_int_not_equal(hash_of("a=b", true), hash_of("b=a", true));
    assert_int_not_equal(
        hash_of("the_long_prefix_that_an_extension_has_chosen_for_its_own.setting_a=1", false),
        hash_of("the_long_prefix_that_an_extension_has_chosen_for_its_own.setting_b=1", false));
    /* Who asks does not change what is answered. */
    assert_int_equal(hash_of("a=1;application_name=x", true), hash_of("a=1", true));
    assert_int_not_equal(hash_of("a=1;application_name=x", false), hash_of("a=1", false));
    assert_int_equal(hash_of("", false), 0);
}

static void settable(void **state)
{
    (void)state;
    assert_true(vars_settable(SLICE("timezone")));
    assert_true(vars_settable(SLICE("application_name")));
    assert_false(vars_settable(SLICE("server_version")));
    assert_false(vars_settable(SLICE("is_superuser")));
    assert_false(vars_settable(SLICE("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matching),        cmocka_unit_test(sql_is_appended),
        cmocka_unit_test(set_find_remove), cmocka_unit_test(hashing),
        cmocka_unit_test(settable),        cmocka_unit_test(matching_some),
        cmocka_unit_test(hurrying),        cmocka_unit_test(copying),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
