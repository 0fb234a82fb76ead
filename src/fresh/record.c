#include "fresh/record.h"

#include <endian.h>

enum { BEGIN_HEAD = 8 + 8 + 1, BEGIN_DDL = 1, BEGIN_EVERYTHING = 2, CELLS_HEAD = 2 };

static void put_number(struct buf *out, uint64_t number)
{
    number = htole64(number);
    buf_put(out, &number, sizeof(number));
}

static uint64_t get_number(const uint8_t *at)
{
    uint64_t number;

    memcpy(&number, at, sizeof(number));
    return le64toh(number);
}

static void put_cells(struct buf *out, const struct footprint_write *cells)
{
    uint8_t count[2] = {(uint8_t)cells->ncells, (uint8_t)(cells->ncells >> 8)};

    buf_put(out, count, sizeof(count));
    for (unsigned i = 0; i < cells->ncells; i++)
        put_number(out, cells->cells[i]);
}

static void put_begin(struct buf *out, const struct record *record)
{
    uint8_t flags = (uint8_t)((record->ddl ? BEGIN_DDL : 0) |
                              (record->cells.everything ? BEGIN_EVERYTHING : 0));

    put_number(out, record->write);
    put_number(out, record->signature);
    buf_put(out, &flags, sizeof(flags));
    put_cells(out, &record->cells);
}

void record_put(struct buf *out, const struct record *record)
{
    uint8_t type = (uint8_t)record->type;

    buf_put(out, &type, 1);
    switch (record->type) {
    case RECORD_BEGIN:
        put_begin(out, record);
        break;
    case RECORD_COMMIT:
        put_number(out, record->write);
        put_number(out, record->lsn);
        put_cells(out, &record->cells);
        break;
    case RECORD_ABORT:
        put_number(out, record->write);
        break;
    case RECORD_JOIN:
        put_number(out, record->number);
        put_number(out, record->process);
        break;
    case RECORD_HEARD:
    case RECORD_FENCE:
    case RECORD_OPEN:
        put_number(out, record->number);
        break;
    case RECORD_LEAVE:
        break;
    }
}

static bool get_cells(struct slice *rest, struct footprint_write *cells)
{
    if (rest->len < CELLS_HEAD)
        return false;
    cells->everything = false;
    cells->nvalues = 0;
    cells->ncells = (uint16_t)(rest->at[0] | rest->at[1] << 8);
    if (cells->ncells > FOOTPRINT_CELLS * 2 ||
        rest->len < CELLS_HEAD + cells->ncells * sizeof(uint64_t))
        return false;
    for (unsigned i = 0; i < cells->ncells; i++)
        cells->cells[i] = get_number(rest->at + CELLS_HEAD + i * sizeof(uint64_t));
    *rest = slice_skip(*rest, CELLS_HEAD + cells->ncells * sizeof(uint64_t));
    return true;
}

static bool get_begin(struct slice *rest, struct record *record)
{
    uint8_t flags;

    if (rest->len < BEGIN_HEAD)
        return false;
    record->write = get_number(rest->at);
    record->signature = get_number(rest->at + 8);
    flags = rest->at[16];
    record->ddl = flags & BEGIN_DDL;
    *rest = slice_skip(*rest, BEGIN_HEAD);
    if (!get_cells(rest, &record->cells))
        return false;
    record->cells.everything = flags & BEGIN_EVERYTHING;
    return true;
}

/* `second` may be NULL: there is one number. */
static bool get_numbers(struct slice *rest, uint64_t *first, uint64_t *second)
{
    size_t len = second ? 16 : 8;

    if (rest->len < len)
        return false;
    *first = get_number(rest->at);
    if (second)
        *second = get_number(rest->at + 8);
    *rest = slice_skip(*rest, len);
    return true;
}

static bool get_rest(struct slice *rest, struct record *record)
{
    switch (record->type) {
    case RECORD_BEGIN:
        return get_begin(rest, record);
    case RECORD_COMMIT:
        return get_numbers(rest, &record->write, &record->lsn) && get_cells(rest, &record->cells);
    case RECORD_ABORT:
        return get_numbers(rest, &record->write, NULL);
    case RECORD_JOIN:
        return get_numbers(rest, &record->number, &record->process);
    case RECORD_HEARD:
    case RECORD_FENCE:
    case RECORD_OPEN:
        return get_numbers(rest, &record->number, NULL);
    case RECORD_LEAVE:
        return true;
    }
    return false;
}

bool record_get(struct slice *rest, struct record *record)
{
    struct slice after;

    if (rest->len == 0)
        return false;
    record->type = (enum record_type)rest->at[0];
    after = slice_skip(*rest, 1);
    if (!get_rest(&after, record))
        return false;
    *rest = after;
    return true;
}
