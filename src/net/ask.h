/* A server asked by a command that serves nobody meanwhile: every call blocks. */
#pragma once

#include "base/buf.h"

struct ask;

/* Connects. NULL where it does not, with why in words in `why` (no password is in it). */
struct ask *ask_new(const char *url, struct buf *why);
void ask_free(struct ask *ask); /* NULL is allowed */
/* Runs one statement; `row` for each row of its result (text, .at NULL for NULL, valid until the
 * call returns). False where the server refuses, with its words in `why`. */
bool ask_rows(struct ask *ask, const char *sql,
              void (*row)(void *owner, const struct slice *fields, unsigned count), void *owner,
              struct buf *why);
