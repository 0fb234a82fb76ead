/* libmicrohttpd without a thread of its own: its epoll descriptor is watched by our loop, and it
 * runs when something is ready or its timeout has come. Nothing here ever blocks but the look-up of
 * the address at the start. */
#include "stats/http.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>

enum { CONNECTIONS = 64, TIMEOUT_SECONDS = 15 };

struct http {
    struct MHD_Daemon *daemon;
    struct watch watch;
    struct timer timer;
    int port;
    bool (*page)(void *owner, const char *path, struct http_page *page);
    void *owner;
};

static void complain(void *owner, const char *format, va_list arguments)
{
    char line[256];

    (void)owner;
    vsnprintf(line, sizeof(line), format, arguments);
    line[strcspn(line, "\r\n")] = '\0';
    log_debug("http", "%s", line);
}

/* `body` goes over to the answer. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                              struct buf *body, const char *allow)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        buf_len(body), (void *)buf_slice(body).at, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result;

    buf_clear(body);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (allow)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
    result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *text,
                              const char *allow)
{
    struct buf body = {0};

    buf_put_slice(&body, slice_text(text));
    return answer(connection, status, "text/plain; charset=utf-8", &body, allow);
}

static enum MHD_Result asked(void *owner, struct MHD_Connection *connection, const char *path,
                             const char *method, const char *version, const char *upload,
                             size_t *upload_size, void **state)
{
    struct http *http = owner;
    struct http_page page = {.status = MHD_HTTP_OK, .type = "text/plain; charset=utf-8"};

    (void)version;
    (void)upload;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n", "GET, HEAD");
    /* An answer at the end of the headers would end the connection, so it waits for the end of the
     * request; a body that nobody asked for is thrown away. */
    if (!*state || *upload_size > 0) {
        *state = http;
        *upload_size = 0;
        return MHD_YES;
    }
    if (!http->page(http->owner, path, &page)) {
        buf_clear(&page.body);
        return refuse(connection, MHD_HTTP_NOT_FOUND, "no such page\n", NULL);
    }
    return answer(connection, page.status, page.type, &page.body, NULL);
}

/* Runs what is ready and has the loop come back in time. */
static void run(struct http *http)
{
    MHD_UNSIGNED_LONG_LONG ms;

    MHD_run(http->daemon);
    if (MHD_get_timeout(http->daemon, &ms) == MHD_YES)
        timer_start(&http->timer, (int64_t)ms * CLOCK_MS);
    else
        timer_stop(&http->timer);
}

static void ready(struct watch *watch, int events)
{
    (void)events;
    run(watch->owner);
}

static void fired(struct timer *timer)
{
    run(timer->owner);
}

static struct addrinfo *resolve(const struct http_options *options, struct err *err)
{
    bool all = strcmp(options->address, "*") == 0;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[16];
    int fault;

    snprintf(port, sizeof(port), "%d", options->port);
    fault = getaddrinfo(all ? NULL : options->address, port, &hints, &found);
    if (fault == 0)
        return found;
    err_set(err, "58000", "the metrics address \"%s\" can't be resolved: %s", options->address,
            gai_strerror(fault));
    return NULL;
}

static struct MHD_Daemon *start(struct http *http, const struct addrinfo *at)
{
    unsigned flags = MHD_USE_EPOLL | MHD_USE_ERROR_LOG;

    if (at->ai_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    return MHD_start_daemon(flags, 0, NULL, NULL, asked, http, MHD_OPTION_EXTERNAL_LOGGER, complain,
                            NULL, MHD_OPTION_SOCK_ADDR, at->ai_addr, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)TIMEOUT_SECONDS, MHD_OPTION_END);
}

static bool attach(struct http *http, struct loop *loop)
{
    const union MHD_DaemonInfo *epoll = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    const union MHD_DaemonInfo *port = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT);

    if (!epoll || !watch_init(&http->watch, loop, epoll->epoll_fd, ready, http))
        return false;
    http->port = port ? port->port : 0;
    watch_set(&http->watch, WATCH_READ);
    timer_init(&http->timer, loop, fired, http);
    return true;
}

struct http *http_new(struct loop *loop, const struct http_options *options, struct err *err)
{
    struct addrinfo *at = resolve(options, err);
    struct http *http;

    if (!at)
        return NULL;
    http = mem_new(sizeof(*http));
    http->page = options->page;
    http->owner = options->owner;
    errno = 0;
    http->daemon = start(http, at);
    freeaddrinfo(at);
    if (http->daemon && attach(http, loop))
        return http;
    err_set(err, "58000", "the metrics address %s:%d can't be had: %s", options->address,
            options->port, errno ? strerror(errno) : "the HTTP server did not start");
    err_hint(err,
             "Another process may have the port; set metrics.port to another, or to 0 for none.");
    if (http->daemon)
        MHD_stop_daemon(http->daemon);
    mem_free(http);
    return NULL;
}

int http_port(const struct http *http)
{
    return http->port;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    watch_close(&http->watch);
    timer_close(&http->timer);
    MHD_stop_daemon(http->daemon);
    mem_free(http);
}
