#include "wire/pgoutput.h"

#include "wire/read.h"
#include "wire/write.h"

static uint64_t read_u64(struct reader *reader)
{
    uint64_t high = read_u32(reader);

    return high << 32 | read_u32(reader);
}

bool stream_read(struct slice bytes, struct stream_message *message)
{
    struct reader reader = {bytes, false};
    uint8_t type = read_byte(&reader);

    *message = (struct stream_message){.data = type == 'w'};
    message->position = read_u64(&reader);
    if (type == 'w') {
        read_bytes(&reader, 16); /* the server's end of WAL, its clock */
        message->change = reader.left;
        return !reader.bad;
    }
    read_bytes(&reader, 8);
    message->reply = read_byte(&reader) != 0;
    return type == 'k' && read_done(&reader);
}

static void put_u64(struct buf *out, uint64_t number)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(number >> (56 - 8 * i));
    buf_put(out, bytes, sizeof(bytes));
}

void stream_put_status(struct buf *out, uint64_t position, int64_t micros, bool reply)
{
    uint8_t wants = reply;

    buf_put(out, "r", 1);
    for (unsigned i = 0; i < 3; i++) /* written, flushed, applied */
        put_u64(out, position);
    put_u64(out, (uint64_t)micros);
    buf_put(out, &wants, 1);
}

/* A row is walked once to find its end. */
static struct slice read_row(struct reader *reader)
{
    struct slice all = reader->left;
    unsigned count = read_u16(reader);

    for (unsigned i = 0; i < count && !reader->bad; i++) {
        uint8_t kind = read_byte(reader);

        if (kind == 't' || kind == 'b')
            read_bytes(reader, read_u32(reader));
        else if (kind != 'n' && kind != 'u')
            reader->bad = true;
    }
    return slice_first(all, all.len - reader->left.len);
}

/* Rows before and after, each behind the letter that says which it is. */
static void read_rows(struct reader *reader, struct change *change)
{
    uint8_t letter;

    change->relation = read_u32(reader);
    letter = read_byte(reader);
    if (letter == 'K' || letter == 'O') {
        change->had = letter;
        change->before = read_row(reader);
        if (change->kind == CHANGE_DELETE)
            return;
        letter = read_byte(reader);
    }
    if (letter != 'N' || change->kind == CHANGE_DELETE)
        reader->bad = true;
    change->after = read_row(reader);
}

static void read_relation(struct reader *reader, struct change *change)
{
    struct change_column column;
    struct slice rest;

    change->relation = read_u32(reader);
    change->schema = read_cstr(reader);
    change->name = read_cstr(reader);
    change->identity = read_byte(reader);
    change->ncolumns = read_u16(reader);
    change->columns = rest = reader->left;
    for (unsigned i = 0; i < change->ncolumns; i++)
        reader->bad |= !change_column(&rest, &column);
    reader->left = rest;
}

static void read_body(struct reader *reader, struct change *change)
{
    switch (change->kind) {
    case CHANGE_BEGIN:
        read_bytes(reader, 16); /* the end of the transaction, its time */
        change->xid = read_u32(reader);
        break;
    case CHANGE_COMMIT:
        read_bytes(reader, 1 + 8); /* flags, where the commit begins */
        change->end = read_u64(reader);
        read_bytes(reader, 8);
        break;
    case CHANGE_RELATION:
        read_relation(reader, change);
        break;
    case CHANGE_INSERT:
    case CHANGE_UPDATE:
    case CHANGE_DELETE:
        read_rows(reader, change);
        break;
    case CHANGE_TRUNCATE:
        change->ntables = read_u32(reader);
        read_byte(reader); /* CASCADE, RESTART IDENTITY */
        change->tables = read_bytes(reader, (size_t)change->ntables * 4);
        break;
    case CHANGE_MESSAGE:
        read_bytes(reader, 1 + 8); /* whether it is of a transaction; where it stands */
        change->prefix = read_cstr(reader);
        change->text = read_bytes(reader, read_u32(reader));
        break;
    case CHANGE_OTHER:
        reader->left.len = 0;
        break;
    }
}

bool change_read(struct slice bytes, struct change *change)
{
    struct reader reader = {bytes, false};
    uint8_t type = read_byte(&reader);

    *change = (struct change){.kind = CHANGE_OTHER};
    if (type && memchr("BCRIUDTM", type, 8))
        change->kind = (enum change_kind)type;
    else if (!type || !memchr("OY", type, 2))
        return false;
    read_body(&reader, change);
    return read_done(&reader);
}

bool change_column(struct slice *columns, struct change_column *column)
{
    struct reader reader = {*columns, false};

    column->key = read_byte(&reader) & 1;
    column->name = read_cstr(&reader);
    read_bytes(&reader, 8); /* type and modifier */
    if (reader.bad)
        return false;
    *columns = reader.left;
    return true;
}

bool change_value(struct slice row, unsigned place, struct slice *value, bool *null)
{
    struct reader reader = {row, false};
    unsigned count = read_u16(&reader);

    *null = false;
    for (unsigned i = 0; i < count && i <= place; i++) {
        uint8_t kind = read_byte(&reader);

        *value = (struct slice){0};
        if (kind == 't' || kind == 'b')
            *value = read_bytes(&reader, read_u32(&reader));
        if (i < place)
            continue;
        *null = kind == 'n';
        return !reader.bad && kind == 't';
    }
    return false;
}
