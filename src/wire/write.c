#include "wire/write.h"

#include "wire/read.h"
#include "wire/types.h"

enum { OID_TEXT = 25 };

/* Places are counted from what is there to read, since the bytes themselves may move. */
size_t write_begin(struct buf *out, uint8_t type)
{
    size_t begin = buf_len(out);

    buf_put(out, (uint8_t[]){type, 0, 0, 0, 0}, 5);
    return begin;
}

void write_byte(struct buf *out, uint8_t value)
{
    buf_put(out, &value, 1);
}

void write_u16(struct buf *out, uint16_t value)
{
    buf_put(out, (uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

static void store_u32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

void write_u32(struct buf *out, uint32_t value)
{
    store_u32(buf_room(out, 4), value);
    buf_added(out, 4);
}

void write_cstr(struct buf *out, struct slice text)
{
    uint8_t *at = buf_room(out, text.len + 1);

    if (text.len)
        memcpy(at, text.at, text.len);
    at[text.len] = '\0';
    buf_added(out, text.len + 1);
}

static void write_length(struct buf *out, size_t place, size_t length)
{
    store_u32(out->at + out->head + place, (uint32_t)length);
}

void write_end(struct buf *out, size_t begin)
{
    write_length(out, begin + 1, buf_len(out) - begin - 1);
}

static void write_field(struct buf *out, uint8_t field, const char *text)
{
    if (!*text)
        return;
    write_byte(out, field);
    write_cstr(out, slice_text(text));
}

/* A severity that is the same stays as its server words it, who may speak another language. */
static void write_quote(struct buf *out, const char *severity, struct slice quote)
{
    struct reader reader = {quote, false};
    bool same = slice_is(read_error_field(quote, 'V'), severity);
    uint8_t field;

    while ((field = read_byte(&reader)) != 0) {
        struct slice text = read_cstr(&reader);

        write_byte(out, field);
        write_cstr(out, !same && (field == 'S' || field == 'V') ? slice_text(severity) : text);
    }
}

static void write_texts(struct buf *out, const char *severity, const struct err *err)
{
    write_field(out, 'S', severity);
    write_field(out, 'V', severity);
    write_field(out, 'C', err->sqlstate);
    write_field(out, 'M', err->message);
    write_field(out, 'D', err->detail);
    write_field(out, 'H', err->hint);
}

static void write_report(struct buf *out, uint8_t type, const char *severity, const struct err *err)
{
    size_t begin = write_begin(out, type);

    if (err->quote.len)
        write_quote(out, severity, err->quote);
    else
        write_texts(out, severity, err);
    write_byte(out, 0);
    write_end(out, begin);
}

void write_error(struct buf *out, const char *severity, const struct err *err)
{
    write_report(out, REPLY_ERROR, severity, err);
}

void write_notice(struct buf *out, const struct err *err)
{
    write_report(out, REPLY_NOTICE, "NOTICE", err);
}

void write_ready(struct buf *out, uint8_t status)
{
    buf_put(out, (uint8_t[]){REPLY_READY, 0, 0, 0, 5, status}, 6);
}

void write_complete(struct buf *out, const char *tag)
{
    size_t begin = write_begin(out, REPLY_COMPLETE);

    write_cstr(out, slice_text(tag));
    write_end(out, begin);
}

void write_parameter_status(struct buf *out, struct slice name, struct slice value)
{
    size_t begin = write_begin(out, REPLY_PARAMETER);

    write_cstr(out, name);
    write_cstr(out, value);
    write_end(out, begin);
}

void write_auth(struct buf *out, uint32_t kind, struct slice payload)
{
    size_t begin = write_begin(out, REPLY_AUTH);

    write_u32(out, kind);
    buf_put_slice(out, payload);
    write_end(out, begin);
}

void write_key(struct buf *out, uint32_t pid, struct slice secret)
{
    size_t begin = write_begin(out, REPLY_KEY);

    write_u32(out, pid);
    buf_put_slice(out, secret);
    write_end(out, begin);
}

void write_empty(struct buf *out, uint8_t type)
{
    buf_put(out, (uint8_t[]){type, 0, 0, 0, 4}, 5);
}

void write_columns(struct buf *out, const char *const *names, unsigned count)
{
    size_t begin = write_begin(out, REPLY_ROWS);

    write_u16(out, (uint16_t)count);
    for (unsigned i = 0; i < count; i++) {
        write_cstr(out, slice_text(names[i]));
        write_u32(out, 0); /* of no table */
        write_u16(out, 0); /* and no column of it */
        write_u32(out, OID_TEXT);
        write_u16(out, UINT16_MAX); /* of any length */
        write_u32(out, UINT32_MAX); /* without a modifier */
        write_u16(out, 0);          /* as text */
    }
    write_end(out, begin);
}

void write_row(struct buf *out, const struct slice *fields, unsigned count)
{
    size_t begin = write_begin(out, REPLY_ROW);

    write_u16(out, (uint16_t)count);
    for (unsigned i = 0; i < count; i++) {
        write_u32(out, fields[i].at ? (uint32_t)fields[i].len : UINT32_MAX);
        if (fields[i].at)
            buf_put_slice(out, fields[i]);
    }
    write_end(out, begin);
}

/* A packet without a type byte: its length is filled in by end_packet. */
static size_t begin_packet(struct buf *out, uint32_t code)
{
    size_t begin = buf_len(out);

    write_u32(out, 0);
    write_u32(out, code);
    return begin;
}

static void end_packet(struct buf *out, size_t begin)
{
    write_length(out, begin, buf_len(out) - begin);
}

void write_startup(struct buf *out, const struct write_pair *options, unsigned count,
                   struct slice more)
{
    size_t begin = begin_packet(out, WIRE_PROTOCOL_3_0);

    for (unsigned i = 0; i < count; i++) {
        write_cstr(out, options[i].name);
        write_cstr(out, options[i].value);
    }
    buf_put_slice(out, more);
    write_byte(out, 0);
    end_packet(out, begin);
}

void write_cancel(struct buf *out, uint32_t pid, struct slice secret)
{
    size_t begin = begin_packet(out, WIRE_CANCEL);

    write_u32(out, pid);
    buf_put_slice(out, secret);
    end_packet(out, begin);
}

void write_query(struct buf *out, struct slice text)
{
    size_t begin = write_begin(out, MSG_QUERY);

    write_cstr(out, text);
    write_end(out, begin);
}

void write_parse(struct buf *out, struct slice name, struct slice text, struct slice oids)
{
    size_t begin = write_begin(out, MSG_PARSE);

    write_cstr(out, name);
    write_cstr(out, text);
    write_u16(out, (uint16_t)(oids.len / 4));
    buf_put_slice(out, oids);
    write_end(out, begin);
}

void write_bind(struct buf *out, struct slice portal, struct slice name, struct slice rest,
                size_t later)
{
    size_t begin = write_begin(out, MSG_BIND);

    write_cstr(out, portal);
    write_cstr(out, name);
    buf_put_slice(out, rest);
    write_length(out, begin + 1, buf_len(out) - begin - 1 + later);
}

void write_target(struct buf *out, uint8_t type, uint8_t what, struct slice name)
{
    size_t begin = write_begin(out, type);

    write_byte(out, what);
    write_cstr(out, name);
    write_end(out, begin);
}
