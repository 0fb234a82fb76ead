/* Timers, watched descriptors and signals as events of one loop. */
#include "net/loop.h"

#include "base/clock.h"

#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <unistd.h>

#include <cmocka.h>

static int set_up(void **state)
{
    *state = loop_new();
    return 0;
}

static int tear_down(void **state)
{
    loop_run(*state);
    loop_free(*state);
    return 0;
}

struct count {
    struct timer timer;
    struct loop *loop;
    unsigned fired, limit;
    int64_t at;
};

static void fire(struct timer *timer)
{
    struct count *count = timer->owner;

    count->at = loop_now(count->loop);
    if (++count->fired == count->limit)
        timer_stop(timer);
}

static void fires_once(void **state)
{
    struct count count = {.loop = *state};
    int64_t begin = loop_now(*state);

    timer_init(&count.timer, *state, fire, &count);
    timer_start(&count.timer, 1); /* a nanosecond is rounded up */
    loop_turn(*state);
    loop_run(*state);
    assert_int_equal(count.fired, 1);
    assert_true(count.at >= begin + CLOCK_MS);
    timer_start(&count.timer, -5 * CLOCK_MS); /* what should have been already is now */
    loop_run(*state);
    assert_int_equal(count.fired, 2);
    timer_close(&count.timer);
}

static void starting_again_moves(void **state)
{
    struct count count = {.loop = *state};
    int64_t begin = loop_now(*state);

    timer_init(&count.timer, *state, fire, &count);
    timer_start(&count.timer, 3600 * CLOCK_SEC);
    timer_start(&count.timer, 2 * CLOCK_MS);
    loop_run(*state);
    assert_int_equal(count.fired, 1);
    assert_true(count.at - begin < CLOCK_SEC);
    timer_close(&count.timer);
}

static void repeats_until_stopped(void **state)
{
    struct count count = {.loop = *state, .limit = 3};

    timer_init(&count.timer, *state, fire, &count);
    timer_repeat(&count.timer, CLOCK_MS);
    loop_run(*state);
    assert_int_equal(count.fired, 3);
    timer_close(&count.timer);
}

static void a_closed_timer_is_forgotten(void **state)
{
    struct count count = {.loop = *state};

    timer_init(&count.timer, *state, fire, &count);
    timer_start(&count.timer, 0);
    timer_close(&count.timer);
    timer_close(&count.timer);
    timer_stop(&count.timer);
    loop_run(*state);
    assert_int_equal(count.fired, 0);
}

static void close_inside(struct timer *timer)
{
    struct count *count = timer->owner;

    count->fired++;
    timer_close(timer);
    *timer = (struct timer){0}; /* the storage is the owner's at once */
}

static void a_timer_may_close_itself(void **state)
{
    struct count count = {.loop = *state};

    timer_init(&count.timer, *state, close_inside, &count);
    timer_repeat(&count.timer, 1);
    loop_run(*state);
    assert_int_equal(count.fired, 1);
}

struct eye {
    struct watch watch;
    int fds[2];
    int events;
    unsigned calls;
};

static void look(struct watch *watch, int events)
{
    struct eye *eye = watch->owner;
    char byte;

    eye->calls++;
    eye->events = events;
    if (events & WATCH_READ)
        assert_int_equal(read(eye->fds[0], &byte, 1), 1);
}

static void watches(void **state)
{
    struct eye eye = {.calls = 0};

    assert_int_equal(pipe(eye.fds), 0);
    assert_true(watch_init(&eye.watch, *state, eye.fds[0], look, &eye));
    watch_set(&eye.watch, WATCH_READ);
    loop_turn(*state);
    assert_int_equal(eye.calls, 0);
    assert_int_equal(write(eye.fds[1], "x", 1), 1);
    loop_turn(*state);
    assert_int_equal(eye.calls, 1);
    assert_int_equal(eye.events, WATCH_READ);
    watch_set(&eye.watch, 0);
    assert_int_equal(write(eye.fds[1], "x", 1), 1);
    loop_turn(*state);
    assert_int_equal(eye.calls, 1);
    watch_set(&eye.watch, WATCH_READ);
    loop_turn(*state);
    assert_int_equal(eye.calls, 2);
    watch_close(&eye.watch);
    watch_close(&eye.watch);
    watch_set(&eye.watch, WATCH_READ);
    close(eye.fds[0]);
    close(eye.fds[1]);
}

static void watches_for_room(void **state)
{
    struct eye eye = {.calls = 0};

    assert_int_equal(pipe(eye.fds), 0);
    assert_true(watch_init(&eye.watch, *state, eye.fds[1], look, &eye));
    watch_set(&eye.watch, WATCH_WRITE);
    loop_turn(*state);
    assert_int_equal(eye.events, WATCH_WRITE);
    watch_close(&eye.watch);
    close(eye.fds[0]);
    close(eye.fds[1]);
}

static void what_cannot_be_watched(void **state)
{
    struct watch watch;

    assert_false(watch_init(&watch, *state, -1, look, NULL));
    watch_set(&watch, WATCH_READ);
    watch_close(&watch);
}

static void note_signal(void *owner, int number)
{
    *(int *)owner = number;
}

static void signals(void **state)
{
    int caught = 0;
    struct loop_signal *one = loop_signal_new(*state, SIGUSR1, note_signal, &caught);

    assert_non_null(one);
    raise(SIGUSR1);
    for (unsigned i = 0; i < 1000 && !caught; i++)
        loop_turn(*state);
    assert_int_equal(caught, SIGUSR1);
    loop_signal_close(one);
    loop_signal_close(NULL);
    assert_null(loop_signal_new(*state, SIGKILL, note_signal, &caught));
}

static void stop(struct timer *timer)
{
    struct count *count = timer->owner;

    count->fired++;
    loop_stop(count->loop);
}

static void stops(void **state)
{
    struct count count = {.loop = *state};

    timer_init(&count.timer, *state, stop, &count);
    timer_repeat(&count.timer, CLOCK_MS);
    loop_run(*state);
    assert_int_equal(count.fired, 1);
    timer_close(&count.timer);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(fires_once),
        TEST(starting_again_moves),
        TEST(repeats_until_stopped),
        TEST(a_closed_timer_is_forgotten),
        TEST(a_timer_may_close_itself),
        TEST(watches),
        TEST(watches_for_room),
        TEST(what_cannot_be_watched),
        TEST(signals),
        TEST(stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
