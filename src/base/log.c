#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static enum log_level limit = LOG_INFO;

/* Foreign names and texts go into lines: what could end or repaint one becomes a blank. */
static void blank_controls(char *at, const char *end)
{
    for (; at < end; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = ' ';
}

void log_set_level(enum log_level level)
{
    limit = level;
}

enum log_level log_level(void)
{
    return limit;
}

void log_line(enum log_level level, const char *who, const char *format, ...)
{
    static const char *const names[] = {"ERROR", "WARNING", "INFO", "DEBUG"};
    char line[2048];
    struct timespec now;
    struct tm utc;
    size_t len;
    int added;
    va_list args;

    if (level > limit)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    len = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &utc);
    len += (size_t)snprintf(line + len, sizeof(line) - len,
                            ".%03ldZ %s %s: ", now.tv_nsec / 1000000, names[level], who);
    if (len >= sizeof(line) - 2)
        len = sizeof(line) - 2;
    va_start(args, format);
    added = vsnprintf(line + len, sizeof(line) - len - 1, format, args);
    va_end(args);
    if (added > 0)
        len += (size_t)added < sizeof(line) - len - 1 ? (size_t)added : sizeof(line) - len - 2;
    blank_controls(line, line + len);
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        return; /* nowhere left to say so */
}
