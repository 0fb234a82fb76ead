/* Streams: sockets over 127.0.0.1 whose both ends are in this process, and the pair in memory. */
#include "net/dial.h"
#include "net/listener.h"
#include "net/loopback.h"
#include "net/resolve.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* One end and what it was told. */
struct end {
    struct stream *stream;
    struct buf got;
    size_t count; /* bytes that came, kept or not */
    unsigned drained, ended, closed;
    char why[80];
    bool forget, close_at_end;
};

static void take_bytes(void *owner, struct slice bytes)
{
    struct end *end = owner;

    end->count += bytes.len;
    if (!end->forget)
        buf_put_slice(&end->got, bytes);
}

static void drained(void *owner)
{
    ((struct end *)owner)->drained++;
}

static void ended(void *owner, const char *why)
{
    struct end *end = owner;

    end->ended++;
    snprintf(end->why, sizeof(end->why), "%s", why ? why : "");
    if (end->close_at_end)
        stream_close(end->stream);
}

static void closed(void *owner)
{
    struct end *end = owner;

    end->closed++;
    end->stream = NULL;
}

static const struct stream_events events = {take_bytes, drained, ended, closed};

static void own(struct end *end, struct stream *stream)
{
    end->stream = stream;
    stream_own(stream, &events, end);
}

struct desk {
    struct loop *loop;
    struct listener *listener;
    struct end near, far; /* dialled, accepted */
    unsigned dialled;
    char why[80];
};

static void took(void *owner, struct stream *stream)
{
    struct desk *desk = owner;

    own(&desk->far, stream);
}

static void dialled(void *owner, struct stream *stream, const char *why)
{
    struct desk *desk = owner;

    desk->dialled++;
    snprintf(desk->why, sizeof(desk->why), "%s", why ? why : "");
    if (stream)
        own(&desk->near, stream);
}

/* Turns until `done` is not 0, or ten seconds have gone by, which fails. */
#define UNTIL(desk, done)                                                                          \
    do {                                                                                           \
        int64_t limit = clock_now() + 10 * CLOCK_SEC;                                              \
        while (!(done) && clock_now() < limit)                                                     \
            loop_turn((desk)->loop);                                                               \
        assert_true(done);                                                                         \
    } while (0)

static void turns(struct desk *desk, unsigned count)
{
    while (count--)
        loop_turn(desk->loop);
}

static struct desk *open_desk(void)
{
    static struct desk desk;
    struct err err;

    desk = (struct desk){.loop = loop_new()};
    desk.listener = listener_new(desk.loop, "127.0.0.1", 0, took, &desk, &err);
    assert_non_null(desk.listener);
    return &desk;
}

static int set_up(void **state)
{
    *state = open_desk();
    return 0;
}

static int set_up_connected(void **state)
{
    struct desk *desk = open_desk();

    *state = desk;
    dial_start(desk->loop, "127.0.0.1", listener_port(desk->listener), CLOCK_SEC, dialled, desk);
    UNTIL(desk, desk->near.stream && desk->far.stream);
    return 0;
}

static int tear_down(void **state)
{
    struct desk *desk = *state;

    if (desk->near.stream)
        stream_close(desk->near.stream);
    if (desk->far.stream)
        stream_close(desk->far.stream);
    listener_close(desk->listener);
    loop_run(desk->loop);
    loop_free(desk->loop);
    buf_clear(&desk->near.got);
    buf_clear(&desk->far.got);
    return desk->near.stream || desk->far.stream;
}

static void say(struct end *end, const char *text)
{
    struct slice part = slice_text(text);

    stream_send(end->stream, &part, 1);
}

static void bytes_both_ways(void **state)
{
    struct desk *desk = *state;
    struct slice parts[] = {SLICE("one "), SLICE(""), SLICE("two "), SLICE("three")};

    assert_true(desk->near.stream->paused);
    assert_true(desk->far.stream->paused);
    stream_send(desk->near.stream, parts, 4);
    assert_int_equal(desk->near.stream->queued, 0);
    say(&desk->far, "four");
    stream_resume(desk->near.stream);
    stream_resume(desk->far.stream);
    UNTIL(desk, desk->far.count == 13 && desk->near.count == 4);
    assert_true(slice_is(buf_slice(&desk->far.got), "one two three"));
    assert_true(slice_is(buf_slice(&desk->near.got), "four"));
    assert_memory_equal(desk->near.stream->peer, "127.0.0.1:", 10);
    assert_int_equal(atoi(desk->near.stream->peer + 10), listener_port(desk->listener));
}

static void many_parts_at_once(void **state)
{
    struct desk *desk = *state;
    struct slice parts[300];
    char text[300];

    for (unsigned i = 0; i < 300; i++) {
        text[i] = (char)('a' + i % 26);
        parts[i] = slice_of(&text[i], 1);
    }
    stream_send(desk->near.stream, parts, 300);
    stream_resume(desk->far.stream);
    UNTIL(desk, desk->far.count == 300);
    assert_true(slice_same(buf_slice(&desk->far.got), slice_of(text, 300)));
}

static void a_buffer_is_sent_and_emptied(void **state)
{
    struct desk *desk = *state;
    struct buf buf = {0};

    stream_send_buf(desk->near.stream, &buf);
    buf_printf(&buf, "hello");
    stream_send_buf(desk->near.stream, &buf);
    assert_int_equal(buf_len(&buf), 0);
    stream_resume(desk->far.stream);
    UNTIL(desk, desk->far.count == 5);
    buf_clear(&buf);
}

static void pausing_stops_reading(void **state)
{
    struct desk *desk = *state;

    stream_resume(desk->far.stream);
    stream_resume(desk->far.stream);
    say(&desk->near, "a");
    UNTIL(desk, desk->far.count == 1);
    stream_pause(desk->far.stream);
    stream_pause(desk->far.stream);
    say(&desk->near, "b");
    turns(desk, 20);
    assert_int_equal(desk->far.count, 1);
    stream_resume(desk->far.stream);
    UNTIL(desk, desk->far.count == 2);
}

enum { MUCH = 8 * 1024 * 1024 };

/* A number in each place, so that nothing lost, doubled or moved stays unseen. */
static uint8_t *much(void)
{
    uint8_t *bytes = mem_new(MUCH);

    for (uint32_t i = 0; i + 4 <= MUCH; i += 4)
        memcpy(bytes + i, &i, 4);
    return bytes;
}

static void what_the_kernel_does_not_take_is_queued(void **state)
{
    struct desk *desk = *state;
    uint8_t *bytes = much();
    struct slice parts[] = {slice_of(bytes, 5), slice_of(bytes + 5, MUCH - 105),
                            slice_of(bytes + MUCH - 100, 100)};

    stream_send(desk->near.stream, parts, 3);
    assert_true(desk->near.stream->queued > STREAM_HIGH);
    assert_true(desk->near.stream->high);
    say(&desk->near, "end");
    turns(desk, 20);
    assert_int_equal(desk->near.drained, 0);
    assert_true(desk->near.stream->queued > STREAM_HIGH);
    stream_resume(desk->far.stream);
    UNTIL(desk, desk->far.count == MUCH + 3);
    UNTIL(desk, desk->near.drained == 1);
    assert_int_equal(desk->near.stream->queued, 0);
    assert_true(slice_same(slice_first(buf_slice(&desk->far.got), MUCH), slice_of(bytes, MUCH)));
    assert_true(slice_is(slice_skip(buf_slice(&desk->far.got), MUCH), "end"));
    /* Below the high mark nobody is told. */
    say(&desk->near, "more");
    UNTIL(desk, desk->far.count == MUCH + 7);
    assert_int_equal(desk->near.drained, 1);
    mem_free(bytes);
}

static void drained_once_per_flood(void **state)
{
    struct desk *desk = *state;
    uint8_t *bytes = much();
    struct slice part = slice_of(bytes, MUCH);

    desk->far.forget = true;
    for (unsigned i = 1; i <= 3; i++) {
        stream_pause(desk->far.stream);
        stream_send(desk->near.stream, &part, 1);
        stream_resume(desk->far.stream);
        UNTIL(desk, desk->near.drained == i);
        UNTIL(desk, desk->far.count == (size_t)i * MUCH);
    }
    mem_free(bytes);
}

static void closing_delivers_the_last_bytes(void **state)
{
    struct desk *desk = *state;

    /* Unread bytes of the other side must not turn the end into a reset. */
    say(&desk->far, "nobody reads this");
    turns(desk, 5);
    say(&desk->near, "last words");
    stream_close(desk->near.stream);
    assert_non_null(desk->near.stream);
    stream_resume(desk->far.stream);
    desk->far.close_at_end = true;
    UNTIL(desk, desk->far.closed && desk->near.closed);
    assert_true(slice_is(buf_slice(&desk->far.got), "last words"));
    assert_int_equal(desk->far.ended, 1);
    assert_string_equal(desk->far.why, "");
    assert_int_equal(desk->near.ended, 0);
}

static void closing_waits_for_what_is_queued(void **state)
{
    struct desk *desk = *state;
    uint8_t *bytes = much();
    struct slice part = slice_of(bytes, MUCH);

    stream_send(desk->near.stream, &part, 1);
    stream_close(desk->near.stream);
    stream_close(desk->near.stream);
    say(&desk->near, "too late");
    mem_free(bytes);
    turns(desk, 20);
    assert_int_equal(desk->near.closed, 0);
    desk->far.close_at_end = true;
    stream_resume(desk->far.stream);
    UNTIL(desk, desk->far.ended);
    assert_int_equal(desk->far.count, MUCH);
    UNTIL(desk, desk->near.closed == 1);
}

static void after_closing_nothing_is_told(void **state)
{
    struct desk *desk = *state;

    stream_resume(desk->near.stream);
    stream_close(desk->near.stream);
    stream_resume(desk->near.stream);
    stream_pause(desk->near.stream);
    say(&desk->far, "unheard");
    turns(desk, 5);
    stream_close(desk->far.stream);
    UNTIL(desk, desk->near.closed && desk->far.closed);
    assert_int_equal(desk->near.count, 0);
    assert_int_equal(desk->near.ended, 0);
    assert_int_equal(desk->far.ended, 0);
}

static void the_end_of_the_peer(void **state)
{
    struct desk *desk = *state;

    stream_resume(desk->near.stream);
    say(&desk->far, "bye");
    stream_close(desk->far.stream);
    UNTIL(desk, desk->near.ended == 1);
    assert_string_equal(desk->near.why, "");
    assert_true(slice_is(buf_slice(&desk->near.got), "bye"));
    say(&desk->near, "anybody there?");
    assert_int_equal(desk->near.stream->queued, 0);
    turns(desk, 5);
    assert_int_equal(desk->near.ended, 1);
    assert_int_equal(desk->near.closed, 0);
}

/* A descriptor of our own, connected to the desk's listener. */
static int connect_raw(struct desk *desk)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)listener_port(desk->listener)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    UNTIL(desk, desk->far.stream);
    return fd;
}

static void close_by_reset(int fd)
{
    struct linger reset = {1, 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
}

static void a_reset_while_sending(void **state)
{
    struct desk *desk = *state;
    int fd = connect_raw(desk);
    uint8_t *bytes = much();
    struct slice part = slice_of(bytes, MUCH);

    stream_send(desk->far.stream, &part, 1);
    mem_free(bytes);
    turns(desk, 5);
    close_by_reset(fd);
    UNTIL(desk, desk->far.ended == 1);
    assert_string_not_equal(desk->far.why, "");
    assert_int_equal(desk->far.drained, 0);
    stream_close(desk->far.stream);
    UNTIL(desk, desk->far.closed == 1);
}

static void a_reset_while_reading(void **state)
{
    struct desk *desk = *state;
    int fd = connect_raw(desk);

    stream_resume(desk->far.stream);
    desk->far.close_at_end = true;
    close_by_reset(fd);
    UNTIL(desk, desk->far.closed == 1);
    assert_int_equal(desk->far.ended, 1);
    assert_string_not_equal(desk->far.why, "");
}

static void a_reset_while_closing(void **state)
{
    struct desk *desk = *state;
    int fd = connect_raw(desk);
    uint8_t *bytes = much();
    struct slice part = slice_of(bytes, MUCH);

    stream_send(desk->far.stream, &part, 1);
    mem_free(bytes);
    stream_close(desk->far.stream);
    turns(desk, 5);
    close_by_reset(fd);
    UNTIL(desk, desk->far.closed == 1);
    assert_int_equal(desk->far.ended, 0);
}

/* ---- dials ---- */

static void a_name_is_dialled(void **state)
{
    struct desk *desk = *state;

    dial_start(desk->loop, "localhost", listener_port(desk->listener), CLOCK_SEC, dialled, desk);
    assert_int_equal(desk->dialled, 0);
    UNTIL(desk, desk->near.stream && desk->far.stream);
    assert_int_equal(desk->dialled, 1);
    assert_string_equal(desk->why, "");
}

static void nobody_there(void **state)
{
    struct desk *desk = *state;
    int port = listener_port(desk->listener);
    struct err err;

    listener_close(desk->listener);
    turns(desk, 2);
    dial_start(desk->loop, "127.0.0.1", port, CLOCK_SEC, dialled, desk);
    UNTIL(desk, desk->dialled == 1);
    assert_null(desk->near.stream);
    assert_string_equal(desk->why, "connection refused");
    desk->listener = listener_new(desk->loop, "127.0.0.1", 0, took, desk, &err);
}

static void no_such_socket(void **state)
{
    struct desk *desk = *state;

    dial_start(desk->loop, "/nowhere/at/all", 5432, CLOCK_SEC, dialled, desk);
    assert_int_equal(desk->dialled, 0);
    UNTIL(desk, desk->dialled == 1);
    assert_null(desk->near.stream);
    assert_string_not_equal(desk->why, "");
}

/* 192.0.2.0/24 is nobody's (RFC 5737): where a packet to it is refused at once, that is told. */
static void over_time(void **state)
{
    struct desk *desk = *state;

    dial_start(desk->loop, "192.0.2.1", 5432, 5 * CLOCK_MS, dialled, desk);
    UNTIL(desk, desk->dialled == 1);
    assert_null(desk->near.stream);
    assert_string_not_equal(desk->why, "");
}

static void cancelled_in_every_stage(void **state)
{
    struct desk *desk = *state;
    int port = listener_port(desk->listener);

    for (unsigned after = 0; after < 12; after++) {
        struct dial *dial =
            dial_start(desk->loop, after % 2 ? "127.0.0.1" : "::1", port, CLOCK_SEC, dialled, desk);

        turns(desk, after);
        if (!desk->dialled)
            dial_cancel(dial);
        turns(desk, 5);
        if (desk->near.stream)
            stream_close(desk->near.stream);
        if (desk->far.stream)
            stream_close(desk->far.stream);
        UNTIL(desk, !desk->near.stream && !desk->far.stream);
        desk->dialled = 0;
    }
    dial_cancel(dial_start(desk->loop, "/nowhere", 1, CLOCK_SEC, dialled, desk));
    dial_cancel(dial_start(desk->loop, "192.0.2.1", 1, CLOCK_SEC, dialled, desk));
    turns(desk, 20);
    assert_int_equal(desk->dialled, 0);
}

static void a_unix_socket(void **state)
{
    struct desk *desk = *state;
    char folder[] = "/tmp/stream.XXXXXX", peer[8] = "";
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), other;

    assert_non_null(mkdtemp(folder));
    snprintf(at.sun_path, sizeof(at.sun_path), "%s/.s.PGSQL.7", folder);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 1), 0);
    dial_start(desk->loop, folder, 7, CLOCK_SEC, dialled, desk);
    UNTIL(desk, desk->dialled == 1);
    assert_non_null(desk->near.stream);
    assert_string_equal(desk->near.stream->peer, "unix");
    other = accept(fd, NULL, NULL);
    say(&desk->near, "hi");
    assert_int_equal(read(other, peer, sizeof(peer)), 2);
    stream_close(desk->near.stream);
    close(other);
    UNTIL(desk, !desk->near.stream);
    close(fd);
    unlink(at.sun_path);
    rmdir(folder);
}

struct answer {
    struct addresses addresses;
    unsigned calls;
    char why[80];
};

static void resolved(void *owner, const struct addresses *addresses, const char *why)
{
    struct answer *answer = owner;

    answer->addresses = *addresses;
    answer->calls++;
    snprintf(answer->why, sizeof(answer->why), "%s", why);
}

static void resolving(void **state)
{
    struct desk *desk = *state;
    struct answer answer = {.calls = 0}, never = {.calls = 0};
    char long_name[600];

    resolve_start(desk->loop, "::1", resolved, &answer);
    assert_int_equal(answer.calls, 0);
    UNTIL(desk, answer.calls == 1);
    assert_int_equal(answer.addresses.count, 1);
    assert_string_equal(answer.addresses.at[0], "::1");
    resolve_start(desk->loop, "name.invalid", resolved, &answer);
    resolve_cancel(resolve_start(desk->loop, "127.0.0.1", resolved, &never));
    UNTIL(desk, answer.calls == 2);
    assert_int_equal(answer.addresses.count, 0);
    assert_string_not_equal(answer.why, "");
    /* What can't even be asked is told in the same way. */
    memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    resolve_start(desk->loop, long_name, resolved, &answer);
    assert_int_equal(answer.calls, 2);
    UNTIL(desk, answer.calls == 3);
    assert_int_equal(answer.addresses.count, 0);
    resolve_cancel(resolve_start(desk->loop, long_name, resolved, &never));
    turns(desk, 5);
    assert_int_equal(never.calls, 0);
}

static void an_address_that_is_taken(void **state)
{
    struct desk *desk = *state;
    struct err err;

    assert_null(
        listener_new(desk->loop, "127.0.0.1", listener_port(desk->listener), took, desk, &err));
    assert_string_equal(err.sqlstate, "08000");
    assert_null(listener_new(desk->loop, "not an address", 0, took, desk, &err));
}

/* ---- in memory ---- */

static void pair(struct end *a, struct end *b)
{
    struct loopback_pair ends = loopback_new();

    *a = *b = (struct end){0};
    own(a, ends.a);
    own(b, ends.b);
}

static void part(struct end *a, struct end *b)
{
    if (a->stream)
        stream_close(a->stream);
    if (b->stream)
        stream_close(b->stream);
    for (unsigned i = 0; i < 5; i++) {
        if (a->stream)
            loopback_turn(a->stream);
        if (b->stream)
            loopback_turn(b->stream);
    }
    assert_int_equal(a->closed, 1);
    assert_int_equal(b->closed, 1);
    buf_clear(&a->got);
    buf_clear(&b->got);
}

static void in_memory(void **state)
{
    struct end a, b;

    (void)state;
    pair(&a, &b);
    say(&a, "one");
    assert_int_equal(a.stream->queued, 3);
    assert_false(loopback_turn(a.stream));
    stream_resume(b.stream);
    assert_int_equal(b.count, 0);
    assert_true(loopback_turn(a.stream));
    assert_false(loopback_turn(a.stream));
    assert_true(slice_is(buf_slice(&b.got), "one"));
    assert_int_equal(a.stream->queued, 0);
    part(&a, &b);
}

static void in_memory_drains(void **state)
{
    struct end a, b;
    uint8_t *bytes = much();
    struct slice some = slice_of(bytes, STREAM_HIGH + 1);

    (void)state;
    pair(&a, &b);
    stream_send(a.stream, &some, 1);
    assert_true(a.stream->high);
    loopback_turn(a.stream);
    assert_int_equal(a.drained, 0);
    stream_resume(b.stream);
    loopback_turn(a.stream);
    assert_int_equal(a.drained, 1);
    assert_int_equal(b.count, STREAM_HIGH + 1);
    mem_free(bytes);
    part(&a, &b);
}

static void in_memory_closing_delivers(void **state)
{
    struct end a, b;

    (void)state;
    pair(&a, &b);
    say(&a, "last words");
    stream_close(a.stream);
    /* Who does not read yet still gets them. */
    assert_false(loopback_turn(a.stream));
    assert_false(loopback_turn(b.stream));
    stream_resume(b.stream);
    assert_true(loopback_turn(a.stream));
    assert_true(slice_is(buf_slice(&b.got), "last words"));
    assert_true(loopback_turn(a.stream));
    assert_int_equal(a.closed, 1);
    assert_int_equal(b.ended, 0);
    assert_true(loopback_turn(b.stream));
    assert_int_equal(b.ended, 1);
    assert_false(loopback_turn(b.stream));
    say(&b, "unheard");
    assert_int_equal(b.stream->queued, 0);
    part(&a, &b);
}

static void in_memory_both_close(void **state)
{
    struct end a, b;

    (void)state;
    pair(&a, &b);
    say(&a, "x");
    say(&b, "y");
    part(&a, &b);
    assert_int_equal(a.count, 0);
    assert_int_equal(b.count, 0);
    assert_int_equal(a.ended, 0);
}

int main(void)
{
#define PLAIN(name)     cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define CONNECTED(name) cmocka_unit_test_setup_teardown(name, set_up_connected, tear_down)
    const struct CMUnitTest tests[] = {
        CONNECTED(bytes_both_ways),
        CONNECTED(many_parts_at_once),
        CONNECTED(a_buffer_is_sent_and_emptied),
        CONNECTED(pausing_stops_reading),
        CONNECTED(what_the_kernel_does_not_take_is_queued),
        CONNECTED(drained_once_per_flood),
        CONNECTED(closing_delivers_the_last_bytes),
        CONNECTED(closing_waits_for_what_is_queued),
        CONNECTED(after_closing_nothing_is_told),
        CONNECTED(the_end_of_the_peer),
        PLAIN(a_reset_while_sending),
        PLAIN(a_reset_while_reading),
        PLAIN(a_reset_while_closing),
        PLAIN(a_name_is_dialled),
        PLAIN(nobody_there),
        PLAIN(no_such_socket),
        PLAIN(over_time),
        PLAIN(cancelled_in_every_stage),
        PLAIN(a_unix_socket),
        PLAIN(resolving),
        PLAIN(an_address_that_is_taken),
        cmocka_unit_test(in_memory),
        cmocka_unit_test(in_memory_drains),
        cmocka_unit_test(in_memory_closing_delivers),
        cmocka_unit_test(in_memory_both_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
