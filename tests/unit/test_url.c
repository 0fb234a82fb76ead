/* URLs taken apart, refused, and masked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "conf/url.h"

static void put(struct buf *out, const char *text)
{
    buf_printf(out, "%s|", text ? text : "-");
}

static void split(void **state)
{
    static const struct {
        const char *text, *parts; /* scheme|user|password|host|port|database|options */
    } rows[] = {
        {"postgresql://app:secret@db.example:5433/app",
         "postgresql|app|secret|db.example|5433|app|"},
        {"postgres://app@db", "postgres|app|-|db|0|-|"},
        {"postgresql://", "postgresql|-|-|-|0|-|"},
        {"postgresql:///app", "postgresql|-|-|-|0|app|"},
        {"postgresql://u:@h/", "postgresql|u|-|h|0|-|"},
        {"postgresql://u:p%40ss%3a%2F@h/a%20b", "postgresql|u|p@ss:/|h|0|a b|"},
        {"postgresql://u:p@q@h/a", "postgresql|u|p@q|h|0|a|"},
        {"postgresql://u:a:b@h", "postgresql|u|a:b|h|0|-|"},
        {"postgresql://u@[::1]:5432/a", "postgresql|u|-|::1|5432|a|"},
        {"postgresql://u@[fe80::1]/a", "postgresql|u|-|fe80::1|0|a|"},
        {"postgresql://u@%2Fvar%2Frun/a", "postgresql|u|-|/var/run|0|a|"},
        {"postgresql://u@h/a?sslmode=require&application_name=x%20y",
         "postgresql|u|-|h|0|a|sslmode=require;application_name=x y;"},
        {"postgresql://u@h?sslmode=", "postgresql|u|-|h|0|-|sslmode=;"},
        {"redis://127.0.0.1:6379/2", "redis|-|-|127.0.0.1|6379|2|"},
        {"redis://:pw@h:1", "redis|-|pw|h|1|-|"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct buf out = {0};
        struct url url;
        const char *why;

        assert_true(url_parse(rows[i].text, &url, &why));
        put(&out, url.scheme), put(&out, url.user), put(&out, url.password), put(&out, url.host);
        buf_printf(&out, "%d|", url.port);
        put(&out, url.database);
        for (unsigned j = 0; j < url.noptions; j++)
            buf_printf(&out, "%s=%s;", url.options[j].name, url.options[j].value);
        buf_put(&out, "", 1);
        assert_string_equal((const char *)out.at, rows[i].parts);
        buf_clear(&out);
        url_clear(&url);
    }
}

static void refuse(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "it does not begin with a scheme as in postgresql://"},
        {"host=h user=u", "it does not begin with a scheme as in postgresql://"},
        {"://h", "it does not begin with a scheme as in postgresql://"},
        {"postgresql://h:0", "its port is not a number from 1 to 65535"},
        {"postgresql://h:65536", "its port is not a number from 1 to 65535"},
        {"postgresql://h:5x", "its port is not a number from 1 to 65535"},
        {"postgresql://h:-5", "its port is not a number from 1 to 65535"},
        {"postgresql://a:1,b:2/d", "it names several hosts: give each its own url"},
        {"postgresql://[::1/d", "its [ is not closed"},
        {"postgresql://[::1]x/d", "its [ is not closed"},
        {"postgresql://u:%zz@h",
         "a % in its user or password is not followed by two hexadecimal digits"},
        {"postgresql://u:%00@h",
         "a % in its user or password is not followed by two hexadecimal digits"},
        {"postgresql://u:%4", "its port is not a number from 1 to 65535"},
        {"postgresql://%4/d", "a % in its host is not followed by two hexadecimal digits"},
        {"postgresql://h/a/b", "its database is not one name (a / in it is written %2F)"},
        {"postgresql://h/a?x", "an option of it has no ="},
        {"postgresql://h/a#x", "it holds a #: write %23"},
        {"postgresql://h/?a=&b=&c=&d=&e=&f=&g=&h=&i=&j=&k=&l=&m=&n=&o=&p=&q=",
         "it has more than 16 options"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct url url;
        const char *why;

        assert_false(url_parse(rows[i].text, &url, &why));
        assert_string_equal(why, rows[i].why);
    }
}

static void mask(void **state)
{
    static const struct {
        const char *text, *masked;
    } rows[] = {
        {"postgresql://app:secret@db/app?x=y", "postgresql://app:***@db/app?x=y"},
        {"postgresql://app@db:5432/app", "postgresql://app@db:5432/app"},
        {"postgresql://db:5432/app", "postgresql://db:5432/app"},
        {"postgresql://u:p@q@h/a", "postgresql://u:***@h/a"},
        {"postgresql://u@h/a?password=p", "postgresql://u@h/a?***"},
        {"redis://:pw@h", "redis://:***@h"},
        {"nonsense with a password", "***"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct buf out = {0};

        url_masked(rows[i].text, &out);
        buf_put(&out, "", 1);
        assert_string_equal((const char *)out.at, rows[i].masked);
        buf_clear(&out);
    }
}

static void find_option(void **state)
{
    struct url url;
    const char *why;

    (void)state;
    assert_true(url_parse("postgres://h/?a=1&b=2", &url, &why));
    assert_string_equal(url_option(&url, "b"), "2");
    assert_null(url_option(&url, "c"));
    assert_true(url_is_postgres(&url));
    url_clear(&url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(split), cmocka_unit_test(refuse),
                                       cmocka_unit_test(mask), cmocka_unit_test(find_option)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
