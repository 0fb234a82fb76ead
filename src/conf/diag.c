/* Collects faults; says nothing by itself and stops nothing. */
#include "conf/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

void diag_add(struct diag *diag, unsigned line, unsigned column, const char *format, ...)
{
    char text[512];
    va_list args;

    if (diag->count++ >= DIAG_MAX)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    diag->faults = mem_grow(diag->faults, diag->count * sizeof(struct fault));
    diag->faults[diag->count - 1] = (struct fault){line, column, mem_text(text, strlen(text))};
}

static unsigned kept(const struct diag *diag)
{
    return diag->count < DIAG_MAX ? diag->count : DIAG_MAX;
}

/* By place; of one place, in the order they were found. */
static void sort(struct fault *faults, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        struct fault fault = faults[i];
        unsigned at = i;

        while (at > 0 &&
               (faults[at - 1].line > fault.line ||
                (faults[at - 1].line == fault.line && faults[at - 1].column > fault.column))) {
            faults[at] = faults[at - 1];
            at--;
        }
        faults[at] = fault;
    }
}

void diag_print(struct diag *diag, struct buf *out)
{
    unsigned count = kept(diag);

    if (diag->faults)
        sort(diag->faults, count);
    for (unsigned i = 0; i < count; i++) {
        const struct fault *fault = &diag->faults[i];

        if (fault->line > 0)
            buf_printf(out, "%s:%u:%u: %s\n", diag->file, fault->line, fault->column, fault->text);
        else
            buf_printf(out, "%s: %s\n", diag->file, fault->text);
    }
    if (diag->count > count)
        buf_printf(out, "%s: %u more faults\n", diag->file, diag->count - count);
}

void diag_clear(struct diag *diag)
{
    for (unsigned i = 0; i < kept(diag); i++)
        mem_free(diag->faults[i].text);
    mem_free(diag->faults);
    *diag = (struct diag){.file = diag->file};
}

enum { WORD_MAX = 64 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* How many letters must be changed, added, dropped, or swapped with their neighbour. */
static unsigned distance(const char *a, size_t alen, const char *b, size_t blen)
{
    unsigned rows[3][WORD_MAX + 1], *before = rows[0], *last = rows[1], *row = rows[2], *spare;

    for (unsigned j = 0; j <= blen; j++)
        last[j] = before[j] = j;
    for (unsigned i = 1; i <= alen; i++) {
        row[0] = i;
        for (unsigned j = 1; j <= blen; j++) {
            unsigned other = a[i - 1] != b[j - 1];

            row[j] = least(last[j - 1] + other, least(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        spare = before, before = last, last = row, row = spare;
    }
    return last[blen];
}

const char *diag_nearest(const char *word, const char *const *names, unsigned count)
{
    const char *nearest = NULL;
    size_t len = strlen(word);
    unsigned best = len < 3 ? 2 : len < 6 ? 3 : 4; /* one more than is near enough */

    if (len > WORD_MAX)
        return NULL;
    for (unsigned i = 0; i < count; i++) {
        size_t other = strlen(names[i]);
        unsigned far = other > WORD_MAX ? best : distance(word, len, names[i], other);

        if (far < best) {
            best = far;
            nearest = names[i];
        }
    }
    return nearest;
}
