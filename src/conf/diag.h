/* The faults of a settings file: collected, so that all are told at once, in the file's order. */
#pragma once

#include "base/buf.h"

struct fault {
    unsigned line, column; /* 1-based; 0: of the file as a whole */
    char *text;
};

/* Zeroed but for `file`: no faults yet. */
struct diag {
    const char *file; /* as it is to be named; the caller's */
    struct fault *faults;
    unsigned count;
};

/* Keeps a copy of the text. Over DIAG_MAX faults only the number of the others is kept. */
enum { DIAG_MAX = 100 };
void diag_add(struct diag *diag, unsigned line, unsigned column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* One line each, "file:line:column: text", by line and column. */
void diag_print(struct diag *diag, struct buf *out);
/* Forgets all; the diag can be used again. */
void diag_clear(struct diag *diag);

/* The name nearest to `word`, NULL where none is near enough to have been meant. */
const char *diag_nearest(const char *word, const char *const *names, unsigned count);
