/* Recordings. Messages may arrive in parts, so that only the end shows if they were whole. */
#include "cache/recorder.h"

enum { MESSAGE_HEAD = 5, COLUMNS = 'T', ROW = 'D', COMPLETE = 'C' };

void recorder_clear(struct recorder *recorder)
{
    buf_clear(&recorder->bytes);
    *recorder = (struct recorder){0};
}

static bool may_follow(uint8_t last, uint8_t type)
{
    switch (type) {
    case COLUMNS:
        return last == 0 || last == COLUMNS;
    case ROW:
        return last == COLUMNS || last == ROW;
    case COMPLETE:
        return last != 0;
    default:
        return false;
    }
}

bool recorder_put(struct recorder *recorder, uint8_t type, struct slice bytes, uint64_t max)
{
    if (recorder->spoilt)
        return false;
    if (!may_follow(recorder->last, type) || buf_len(&recorder->bytes) + bytes.len > max) {
        recorder_clear(recorder);
        recorder->spoilt = true;
        return false;
    }
    buf_put_slice(&recorder->bytes, bytes);
    recorder->last = type;
    if (type == COLUMNS)
        recorder->columns_end = buf_len(&recorder->bytes);
    if (type != COMPLETE)
        recorder->rows_end = buf_len(&recorder->bytes);
    return true;
}

/* How many whole messages of this type `bytes` is, -1 where it is not just that. */
static long count_messages(struct slice bytes, uint8_t type)
{
    long count = 0;

    while (bytes.len > 0) {
        uint32_t len;

        if (bytes.len < MESSAGE_HEAD || bytes.at[0] != type)
            return -1;
        len = (uint32_t)bytes.at[1] << 24 | (uint32_t)bytes.at[2] << 16 |
              (uint32_t)bytes.at[3] << 8 | bytes.at[4];
        if (len < 4 || len > bytes.len - 1)
            return -1;
        bytes = slice_skip(bytes, 1 + (size_t)len);
        count++;
    }
    return count;
}

bool recorder_entry(const struct recorder *recorder, struct entry *entry)
{
    struct slice all = buf_slice(&recorder->bytes);
    long rows;

    if (recorder->spoilt || recorder->last != COMPLETE)
        return false;
    *entry = (struct entry){
        .columns = slice_first(all, recorder->columns_end),
        .rows =
            slice_of(all.at + recorder->columns_end, recorder->rows_end - recorder->columns_end),
        .complete = slice_skip(all, recorder->rows_end),
    };
    rows = count_messages(entry->rows, ROW);
    entry->row = rows > 0;
    return rows >= 0 && count_messages(entry->columns, COLUMNS) == 1 &&
           count_messages(entry->complete, COMPLETE) == 1;
}
