/* Pages over a real socket and the real loop. */
#include "base/clock.h"
#include "base/mem.h"
#include "stats/http.h"

#include <stddef.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { LARGE = 3 << 20 };

static bool answer(void *owner, const char *path, struct http_page *page)
{
    unsigned *asked = owner;

    ++*asked;
    if (strcmp(path, "/hello") == 0) {
        buf_printf(&page->body, "hello, %u\n", *asked);
        return true;
    }
    if (strcmp(path, "/ill") == 0) {
        page->status = 503;
        page->type = "application/json";
        buf_printf(&page->body, "{}");
        return true;
    }
    if (strcmp(path, "/large") == 0) {
        memset(buf_room(&page->body, LARGE), 'x', LARGE);
        buf_added(&page->body, LARGE);
        return true;
    }
    buf_printf(&page->body, "must not be seen");
    return strcmp(path, "/empty") == 0 ? (buf_clear(&page->body), true) : false;
}

struct house {
    struct loop *loop;
    struct http *http;
    unsigned asked;
};

static void build(struct house *house)
{
    struct err err = {0};
    struct http_options options = {.address = "127.0.0.1", .page = answer, .owner = &house->asked};

    house->asked = 0;
    house->loop = loop_new();
    house->http = http_new(house->loop, &options, &err);
    assert_non_null(house->http);
    assert_true(http_port(house->http) > 0);
}

static void tear_down(struct house *house)
{
    http_free(house->http);
    loop_free(house->loop);
}

static int dial(const struct house *house)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_port(house->http))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* Turns the loop until the peer has closed or `want` bytes are there. */
static void hear(struct house *house, int fd, struct buf *heard, size_t want)
{
    int64_t until = clock_now() + 5 * CLOCK_SEC;

    while (clock_now() < until && buf_len(heard) < want) {
        uint8_t *room = buf_room(heard, 65536);
        ssize_t got = read(fd, room, 65536);

        if (got == 0)
            return;
        if (got > 0)
            buf_added(heard, (size_t)got);
        else
            assert_int_equal(errno, EAGAIN);
        loop_turn(house->loop);
    }
    assert_true(buf_len(heard) >= want);
}

/* The whole answer, NUL-terminated. */
static char *ask(struct house *house, const char *request)
{
    struct buf heard = {0};
    int fd = dial(house);
    char *text;

    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    hear(house, fd, &heard, SIZE_MAX);
    close(fd);
    text = mem_text(buf_slice(&heard).at, buf_len(&heard));
    buf_clear(&heard);
    return text;
}

static void pages_are_answered(void **state)
{
    static const struct {
        const char *request;
        const char *expected[4];
    } cases[] = {
        {"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
         {"HTTP/1.1 200", "Content-Type: text/plain; charset=utf-8\r\n", "\r\n\r\nhello, "}},
        {"GET /hello?a=b HTTP/1.0\r\n\r\n", {"200 OK", "\r\n\r\nhello, "}},
        {"GET /ill HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
         {"HTTP/1.1 503", "Content-Type: application/json\r\n", "\r\n\r\n{}"}},
        {"GET /empty HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
         {"HTTP/1.1 200", "Content-Length: 0\r\n"}},
        {"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
         {"HTTP/1.1 404", "no such page"}},
        {"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
         {"HTTP/1.1 405", "Allow: GET, HEAD\r\n"}},
        {"GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
         {"HTTP/1.1 200", "\r\n\r\nhello, "}},
        {"DELETE /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", {"HTTP/1.1 405"}},
        {"BREW /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", {"HTTP/1.1 405"}},
        {"\r\nthis is not HTTP at all\r\n\r\n", {"HTTP/1."}},
    };
    struct house house;

    (void)state;
    build(&house);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *heard = ask(&house, cases[i].request);

        for (size_t e = 0; e < 4 && cases[i].expected[e]; e++) {
            if (!strstr(heard, cases[i].expected[e]))
                fail_msg("%s\nwants %s, got\n%s", cases[i].request, cases[i].expected[e], heard);
        }
        assert_null(strstr(heard, "must not be seen"));
        mem_free(heard);
    }
    tear_down(&house);
}

static void head_has_no_body(void **state)
{
    struct house house;
    char *heard;

    (void)state;
    build(&house);
    heard = ask(&house, "HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(heard, "HTTP/1.1 200"));
    assert_null(strstr(heard, "hello, "));
    mem_free(heard);
    tear_down(&house);
}

static void a_large_page_comes_whole(void **state)
{
    struct house house;
    char *heard, *body;

    (void)state;
    build(&house);
    heard = ask(&house, "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    body = strstr(heard, "\r\n\r\n");
    assert_non_null(body);
    assert_int_equal(strlen(body + 4), LARGE);
    mem_free(heard);
    tear_down(&house);
}

static void a_connection_is_kept(void **state)
{
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
    struct house house;
    struct buf heard = {0};
    int fd;

    (void)state;
    build(&house);
    fd = dial(&house);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(write(fd, request, sizeof(request) - 1), sizeof(request) - 1);
        hear(&house, fd, &heard, 120 * i);
    }
    assert_int_equal(house.asked, 3);
    close(fd);
    buf_clear(&heard);
    tear_down(&house);
}

/* In pieces, and two that dawdle at once: nobody waits for anybody. */
static void a_slow_client_holds_nobody_up(void **state)
{
    struct house house;
    struct buf heard = {0};
    char *other;
    int fd;

    (void)state;
    build(&house);
    fd = dial(&house);
    assert_int_equal(write(fd, "GET /he", 7), 7);
    for (int i = 0; i < 10; i++)
        loop_turn(house.loop);
    other = ask(&house, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(other, "200 OK"));
    mem_free(other);
    assert_int_equal(write(fd, "llo HTTP/1.0\r\n\r\n", 16), 16);
    hear(&house, fd, &heard, SIZE_MAX);
    assert_non_null(memmem(buf_slice(&heard).at, buf_len(&heard), "hello, 2", 8));
    close(fd);
    buf_clear(&heard);
    tear_down(&house);
}

static void it_is_freed_with_clients_on_it(void **state)
{
    struct house house;
    int fd;

    (void)state;
    build(&house);
    fd = dial(&house);
    assert_int_equal(write(fd, "GET /", 5), 5);
    for (int i = 0; i < 5; i++)
        loop_turn(house.loop);
    tear_down(&house);
    close(fd);
}

static void addresses_are_checked(void **state)
{
    struct house house;
    struct err err = {0};
    struct http_options taken = {.address = "127.0.0.1", .page = answer};
    struct http_options nonsense = {.address = "no such address", .page = answer};
    struct http_options six = {.address = "::1", .page = answer, .owner = &house.asked};
    struct http *http;

    (void)state;
    build(&house);
    taken.port = http_port(house.http);
    assert_null(http_new(house.loop, &taken, &err));
    assert_true(err_is_set(&err));
    assert_non_null(strstr(err.message, "127.0.0.1"));
    assert_null(http_new(house.loop, &nonsense, &err));
    assert_non_null(strstr(err.message, "no such address"));
    http = http_new(house.loop, &six, &err);
    http_free(http); /* NULL on a machine without IPv6 */
    tear_down(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_answered),
        cmocka_unit_test(head_has_no_body),
        cmocka_unit_test(a_large_page_comes_whole),
        cmocka_unit_test(a_connection_is_kept),
        cmocka_unit_test(a_slow_client_holds_nobody_up),
        cmocka_unit_test(it_is_freed_with_clients_on_it),
        cmocka_unit_test(addresses_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
