/* Splits one copy of the text in place. Refuses what libpq would take but the data path would not
 * follow: lists of hosts, and key=value strings. */
#include "conf/url.h"

#include <stdlib.h>

#include "base/mem.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* In place. False for a stray % and for a zero byte. */
static bool decode(char *text)
{
    char *to = text;

    for (const char *at = text; *at; at++) {
        if (*at == '%') {
            int high = hex(at[1]), low = high < 0 ? -1 : hex(at[2]);

            if (low < 0 || (high == 0 && low == 0))
                return false;
            *to++ = (char)(high * 16 + low);
            at += 2;
        } else {
            *to++ = *at;
        }
    }
    *to = '\0';
    return true;
}

/* Ends `text` at the first of `mark` and returns what follows it, NULL where there is none. */
static char *cut(char *text, char mark)
{
    char *at = strchr(text, mark);

    if (!at)
        return NULL;
    *at = '\0';
    return at + 1;
}

static const char *empty_is_null(const char *text)
{
    return text && *text ? text : NULL;
}

static const char *take_port(struct url *url, const char *text)
{
    char *end;
    long port;

    if (!text || !*text)
        return NULL;
    port = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || port < 1 || port > 65535)
        return "its port is not a number from 1 to 65535";
    url->port = (int)port;
    return NULL;
}

static const char *take_user(struct url *url, char *text)
{
    char *password = cut(text, ':');

    if (!decode(text) || (password && !decode(password)))
        return "a % in its user or password is not followed by two hexadecimal digits";
    url->user = empty_is_null(text);
    url->password = empty_is_null(password);
    return NULL;
}

static const char *take_host(struct url *url, char *text)
{
    char *port;

    if (strchr(text, ','))
        return "it names several hosts: give each its own url";
    if (*text == '[') {
        char *after = cut(++text, ']');

        if (!after || (*after && *after != ':'))
            return "its [ is not closed";
        port = *after ? after + 1 : NULL;
    } else {
        port = cut(text, ':');
    }
    if (!decode(text))
        return "a % in its host is not followed by two hexadecimal digits";
    url->host = empty_is_null(text);
    return take_port(url, port);
}

static const char *take_options(struct url *url, char *text)
{
    for (char *next; text && *text; text = next) {
        char *value;

        next = cut(text, '&');
        value = cut(text, '=');
        if (!value)
            return "an option of it has no =";
        if (!decode(text) || !decode(value))
            return "a % in its options is not followed by two hexadecimal digits";
        if (url->noptions == URL_OPTIONS)
            return "it has more than 16 options";
        url->options[url->noptions].name = text;
        url->options[url->noptions++].value = value;
    }
    return NULL;
}

static const char *take_parts(struct url *url, char *text)
{
    char *rest = strstr(text, "://"), *options, *path, *at;
    const char *why = NULL;

    if (!rest || rest == text)
        return "it does not begin with a scheme as in postgresql://";
    *rest = '\0';
    url->scheme = text;
    rest += 3;
    if (strchr(rest, '#'))
        return "it holds a #: write %23";
    options = cut(rest, '?');
    path = cut(rest, '/');
    at = strrchr(rest, '@');
    if (at) {
        *at = '\0';
        why = take_user(url, rest);
        rest = at + 1;
    }
    if (why || (why = take_host(url, rest)))
        return why;
    if (path && (strchr(path, '/') || !decode(path)))
        return "its database is not one name (a / in it is written %2F)";
    url->database = empty_is_null(path);
    return take_options(url, options);
}

bool url_parse(const char *text, struct url *url, const char **why)
{
    *url = (struct url){.memory = mem_text(text, strlen(text))};
    *why = take_parts(url, url->memory);
    if (*why)
        url_clear(url);
    return !*why;
}

void url_clear(struct url *url)
{
    mem_free(url->memory);
    *url = (struct url){0};
}

const char *url_option(const struct url *url, const char *name)
{
    for (unsigned i = 0; i < url->noptions; i++)
        if (strcmp(url->options[i].name, name) == 0)
            return url->options[i].value;
    return NULL;
}

bool url_is_postgres(const struct url *url)
{
    return strcmp(url->scheme, "postgres") == 0 || strcmp(url->scheme, "postgresql") == 0;
}

void url_masked(const char *text, struct buf *out)
{
    struct url url;
    const char *why, *user, *at, *colon, *options;

    if (!url_parse(text, &url, &why)) {
        buf_put_slice(out, SLICE("***"));
        return;
    }
    user = text + strlen(url.scheme) + 3;
    at = user + strcspn(user, "/?");
    while (at > user && *at != '@')
        at--;
    colon = memchr(user, ':', (size_t)(at - user));
    /* An option may be a password too. */
    options =
        url_option(&url, "password") || url_option(&url, "sslpassword") ? strchr(at, '?') : NULL;
    if (colon) {
        buf_put(out, text, (size_t)(colon + 1 - text));
        buf_put_slice(out, SLICE("***"));
    } else {
        buf_put(out, text, (size_t)(at - text));
    }
    buf_put(out, at, options ? (size_t)(options - at) : strlen(at));
    if (options)
        buf_put_slice(out, SLICE("?***"));
    url_clear(&url);
}
