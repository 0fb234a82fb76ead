/* libuv's loop behind the words of loop.h. Handles that libuv must close in its own time live on
 * the heap and are freed in their close callbacks, so that the caller's storage is free at once. */
#include "net/loop.h"

#include "base/clock.h"
#include "base/mem.h"

#include <uv.h>

struct loop {
    uv_loop_t uv;
    uint8_t read[LOOP_READ];
};

struct loop *loop_new(void)
{
    struct loop *loop = mem_new(sizeof(*loop));

    uv_loop_init(&loop->uv);
    loop->uv.data = loop;
    return loop;
}

void loop_free(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    uv_loop_close(&loop->uv);
    mem_free(loop);
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

void loop_turn(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_NOWAIT);
}

int64_t loop_now(struct loop *loop)
{
    return (int64_t)uv_now(&loop->uv) * CLOCK_MS;
}

uint8_t *loop_read_buffer(struct loop *loop)
{
    return loop->read;
}

uv_loop_t *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

struct timer_handle {
    uv_timer_t uv;
    struct timer *timer; /* NULL once closed */
};

static void free_timer(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void fire(uv_timer_t *uv)
{
    struct timer_handle *handle = uv->data;

    if (handle->timer)
        handle->timer->fired(handle->timer);
}

void timer_init(struct timer *timer, struct loop *loop, void (*fired)(struct timer *timer),
                void *owner)
{
    struct timer_handle *handle = mem_new(sizeof(*handle));

    uv_timer_init(&loop->uv, &handle->uv);
    handle->uv.data = handle;
    handle->timer = timer;
    *timer = (struct timer){handle, fired, owner};
}

static uint64_t in_ms(int64_t ns)
{
    return ns <= 0 ? 0 : (uint64_t)((ns + CLOCK_MS - 1) / CLOCK_MS);
}

void timer_start(struct timer *timer, int64_t delay)
{
    uv_timer_start(&timer->handle->uv, fire, in_ms(delay), 0);
}

void timer_repeat(struct timer *timer, int64_t period)
{
    uv_timer_start(&timer->handle->uv, fire, in_ms(period), in_ms(period));
}

void timer_stop(struct timer *timer)
{
    if (timer->handle)
        uv_timer_stop(&timer->handle->uv);
}

void timer_close(struct timer *timer)
{
    if (!timer->handle)
        return;
    timer->handle->timer = NULL;
    uv_close((uv_handle_t *)&timer->handle->uv, free_timer);
    timer->handle = NULL;
}

struct watch_handle {
    uv_poll_t uv;
    struct watch *watch; /* NULL once closed */
};

static void free_watch(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void become_ready(uv_poll_t *uv, int status, int events)
{
    struct watch_handle *handle = uv->data;
    int ready = 0;

    if (!handle->watch)
        return;
    /* A failed descriptor is told as ready for both: its owner then finds the error itself. */
    if (status < 0)
        ready = WATCH_READ | WATCH_WRITE;
    if (events & UV_READABLE)
        ready |= WATCH_READ;
    if (events & UV_WRITABLE)
        ready |= WATCH_WRITE;
    handle->watch->ready(handle->watch, ready);
}

bool watch_init(struct watch *watch, struct loop *loop, int fd,
                void (*ready)(struct watch *watch, int events), void *owner)
{
    struct watch_handle *handle = mem_new(sizeof(*handle));

    *watch = (struct watch){NULL, ready, owner};
    if (uv_poll_init(&loop->uv, &handle->uv, fd) < 0) {
        mem_free(handle);
        return false;
    }
    handle->uv.data = handle;
    handle->watch = watch;
    watch->handle = handle;
    return true;
}

void watch_set(struct watch *watch, int events)
{
    int wanted = 0;

    if (!watch->handle)
        return;
    if (events & WATCH_READ)
        wanted |= UV_READABLE;
    if (events & WATCH_WRITE)
        wanted |= UV_WRITABLE;
    if (wanted)
        uv_poll_start(&watch->handle->uv, wanted, become_ready);
    else
        uv_poll_stop(&watch->handle->uv);
}

void watch_close(struct watch *watch)
{
    if (!watch->handle)
        return;
    watch->handle->watch = NULL;
    uv_poll_stop(&watch->handle->uv);
    uv_close((uv_handle_t *)&watch->handle->uv, free_watch);
    watch->handle = NULL;
}

struct loop_signal {
    uv_signal_t uv;
    void (*caught)(void *owner, int number);
    void *owner;
};

static void catch_signal(uv_signal_t *uv, int number)
{
    struct loop_signal *signal = uv->data;

    signal->caught(signal->owner, number);
}

static void free_signal(uv_handle_t *handle)
{
    mem_free(handle->data);
}

struct loop_signal *loop_signal_new(struct loop *loop, int number,
                                    void (*caught)(void *owner, int number), void *owner)
{
    struct loop_signal *signal = mem_new(sizeof(*signal));

    if (uv_signal_init(&loop->uv, &signal->uv) < 0) {
        mem_free(signal);
        return NULL;
    }
    signal->caught = caught;
    signal->owner = owner;
    signal->uv.data = signal;
    if (uv_signal_start(&signal->uv, catch_signal, number) < 0) {
        loop_signal_close(signal);
        return NULL;
    }
    return signal;
}

void loop_signal_close(struct loop_signal *signal)
{
    if (!signal)
        return;
    uv_signal_stop(&signal->uv);
    uv_close((uv_handle_t *)&signal->uv, free_signal);
}
