/* The event loop: one thread, one read buffer, timers, watched descriptors. Knows libuv so that
 * nobody else has to. */
#pragma once

#include "base/slice.h"

struct loop;
typedef struct uv_loop_s uv_loop_t;

enum { LOOP_READ = 64 * 1024 };

struct loop *loop_new(void);
/* All handles must have been closed and their closing have run: see loop_run. */
void loop_free(struct loop *loop);
/* Runs until loop_stop, or until nothing is left that could happen. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* Runs what is ready, without waiting. */
void loop_turn(struct loop *loop);

/* Monotonic nanoseconds, read from the clock once per turn of the loop: for timeouts. */
int64_t loop_now(struct loop *loop);
/* The read buffer: what is in it is valid until the callback it was given to returns. */
uint8_t *loop_read_buffer(struct loop *loop);
uv_loop_t *loop_uv(struct loop *loop);

/* A timer in the caller's storage. After timer_init it must be closed before its storage goes:
 * timer_close forgets it at once, the caller's storage is free from then on. */
struct timer {
    struct timer_handle *handle;
    void (*fired)(struct timer *timer);
    void *owner;
};
void timer_init(struct timer *timer, struct loop *loop, void (*fired)(struct timer *timer),
                void *owner);
/* Fires once after `delay` ns (rounded up to ms); starting again moves it. */
void timer_start(struct timer *timer, int64_t delay);
/* Fires every `period` ns from then on. */
void timer_repeat(struct timer *timer, int64_t period);
void timer_stop(struct timer *timer);
void timer_close(struct timer *timer);

/* A descriptor that somebody else (libpq, hiredis, libmicrohttpd) owns and wants watched. */
enum { WATCH_READ = 1, WATCH_WRITE = 2 };
struct watch {
    struct watch_handle *handle;
    void (*ready)(struct watch *watch, int events);
    void *owner;
};
/* False where the descriptor can't be watched. */
bool watch_init(struct watch *watch, struct loop *loop, int fd,
                void (*ready)(struct watch *watch, int events), void *owner);
void watch_set(struct watch *watch, int events); /* 0: not now */
/* Forgets it at once; call before the descriptor is closed. */
void watch_close(struct watch *watch);

/* A signal as an event; NULL where it can't be had. Freed with loop_signal_close. */
struct loop_signal;
struct loop_signal *loop_signal_new(struct loop *loop, int number,
                                    void (*caught)(void *owner, int number), void *owner);
void loop_signal_close(struct loop_signal *signal);
