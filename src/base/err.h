/* An error on its way to whoever asked: a SQLSTATE (PostgreSQL, Appendix A) and three texts. */
#pragma once

#include "base/slice.h"

struct err {
    char sqlstate[6]; /* empty: no error */
    char message[256];
    char detail[256];
    char hint[256];
    /* The body of an ErrorResponse that says it: told word by word instead of the texts, which are
     * cut and for log lines. Lives as long as whatever it was read from; empty: the texts it is. */
    struct slice quote;
};

/* Overwrites what was there. The texts are cut to fit. Cannot fail. */
void err_set(struct err *err, const char *sqlstate, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void err_detail(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
void err_hint(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline bool err_is_set(const struct err *err)
{
    return err->sqlstate[0] != '\0';
}
