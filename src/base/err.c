#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

void err_set(struct err *err, const char *sqlstate, const char *format, ...)
{
    va_list args;

    *err = (struct err){0};
    snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", sqlstate);
    va_start(args, format);
    vsnprintf(err->message, sizeof(err->message), format, args);
    va_end(args);
}

void err_detail(struct err *err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(err->detail, sizeof(err->detail), format, args);
    va_end(args);
}

void err_hint(struct err *err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(err->hint, sizeof(err->hint), format, args);
    va_end(args);
}
