/* A Redis server as a URL names it. */
#include "net/redis.h"

#include "conf/url.h"

#include <stdlib.h>
#include <string.h>

enum { REDIS_PORT = 6379, SENTINEL_PORT = 26379 };

static bool read_database(const char *text, int *database, const char **why)
{
    char *end;
    long number = text && *text ? strtol(text, &end, 10) : 0;

    if (text && *text && (*end || number < 0 || number > 65535)) {
        *why = "the database of a Redis URL is a number";
        return false;
    }
    *database = (int)number;
    return true;
}

static bool read_options(const struct url *url, int64_t timeout, struct redis_options *options,
                         const char **why)
{
    if (!url->scheme || strcmp(url->scheme, "redis") != 0) {
        *why = "it is no redis:// URL";
        return false;
    }
    *options = (struct redis_options){
        .host = url->host && *url->host ? url->host : "127.0.0.1",
        .port = url->port                   ? url->port
                : url_option(url, "master") ? SENTINEL_PORT
                                            : REDIS_PORT,
        .master = url_option(url, "master"),
        .sentinels = url_option(url, "sentinels"),
        .user = url->user && *url->user ? url->user : NULL,
        .password = url->password,
        .timeout = timeout,
    };
    return read_database(url->database, &options->database, why);
}

struct redis *redis_new_url(struct loop *loop, const char *text, int64_t timeout, const char **why)
{
    struct redis_options options;
    struct redis *redis = NULL;
    struct url url;

    if (!url_parse(text, &url, why))
        return NULL;
    if (read_options(&url, timeout, &options, why))
        redis = redis_new(loop, &options);
    url_clear(&url);
    return redis;
}
