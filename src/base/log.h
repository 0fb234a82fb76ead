/* Log lines on stderr: time, level, who, text. One write per line, so that lines never mix. */
#pragma once

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* The one global of the program. LOG_INFO until set. */
void log_set_level(enum log_level level);
enum log_level log_level(void);

/* `who` names what the line is about: a room, or a session ("session 17 relay"). Lines over 2 kB
 * are cut, control characters become blanks. Cannot fail. */
void log_line(enum log_level level, const char *who, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(who, ...)   log_line(LOG_ERROR, who, __VA_ARGS__)
#define log_warning(who, ...) log_line(LOG_WARNING, who, __VA_ARGS__)
#define log_info(who, ...)    log_line(LOG_INFO, who, __VA_ARGS__)
#define log_debug(who, ...)   log_line(LOG_DEBUG, who, __VA_ARGS__)
