/* Messages of the protocol as words, and back. A message is its name and its fields, "|" parts one
 * from the next:
 *
 *     Parse S_1 "select $1" 23 | Bind "" S_1 7 null | Execute | Sync
 *
 * A word with blanks or signs in it stands in double quotes, with \" \\ \n and \xHH inside;
 * x*300000 is as many x. What was received is compared with what was expected as text, with * for
 * anything. */
#pragma once

#include "base/buf.h"
#include "wire/frame.h"
#include "wire/read.h"
#include "wire/types.h"
#include "wire/write.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

/* The fields: s text with its NUL, r bytes without, c one character, u number, n number that is not
 * told where it is 0, l a length and as many bytes, o counted numbers, L counted texts, v counted
 * values of a row, b values of a Bind in text form, C columns, f a copy's formats, e an error, k a
 * key: a number where it is of 4 bytes. */
struct words_kind {
    const char *name;
    uint8_t type;
    const char *fields;
};

static const struct words_kind words_of_client[] = {
    {"Query", MSG_QUERY, "s"},
    {"Parse", MSG_PARSE, "sso"},
    {"Bind", MSG_BIND, "ssb"},
    {"Describe", MSG_DESCRIBE, "cs"},
    {"Execute", MSG_EXECUTE, "sn"},
    {"Close", MSG_CLOSE, "cs"},
    {"Sync", MSG_SYNC, ""},
    {"Flush", MSG_FLUSH, ""},
    {"Terminate", MSG_TERMINATE, ""},
    {"CopyData", MSG_COPY_DATA, "r"},
    {"CopyDone", MSG_COPY_DONE, ""},
    {"CopyFail", MSG_COPY_FAIL, "s"},
    {"FunctionCall", MSG_FUNCTION, "ur"},
    {"Password", MSG_PASSWORD, "s"},
    {NULL, 0, "r"},
};

static const struct words_kind words_of_server[] = {
    {"ParseComplete", REPLY_PARSE, ""},
    {"BindComplete", REPLY_BIND, ""},
    {"CloseComplete", REPLY_CLOSE, ""},
    {"CommandComplete", REPLY_COMPLETE, "s"},
    {"RowDescription", REPLY_ROWS, "C"},
    {"DataRow", REPLY_ROW, "v"},
    {"Error", REPLY_ERROR, "e"},
    {"Fatal", REPLY_ERROR, "e"},
    {"Notice", REPLY_NOTICE, "e"},
    {"Ready", REPLY_READY, "c"},
    {"ParameterStatus", REPLY_PARAMETER, "ss"},
    {"BackendKeyData", REPLY_KEY, "uk"},
    {"Notification", REPLY_NOTIFICATION, "uss"},
    {"NoData", REPLY_NO_ROWS, ""},
    {"EmptyQuery", REPLY_EMPTY, ""},
    {"ParameterDescription", REPLY_PARAMETERS, "o"},
    {"PortalSuspended", REPLY_SUSPENDED, ""},
    {"CopyIn", REPLY_COPY_IN, "f"},
    {"CopyOut", REPLY_COPY_OUT, "f"},
    {"CopyBoth", REPLY_COPY_BOTH, "f"},
    {"CopyData", REPLY_COPY_DATA, "r"},
    {"CopyDone", REPLY_COPY_DONE, ""},
    {"FunctionResult", REPLY_FUNCTION, "l"},
    {"Negotiate", REPLY_NEGOTIATE, "uL"},
    {"Auth", REPLY_AUTH, "ur"},
    {NULL, 0, "r"},
};

/* ---- words ---------------------------------------------------------------------------------- */

/* The next word of *at, which is moved on, unquoted; false at the end of the message. */
static bool word_next(const char **at, struct buf *word)
{
    const char *in = *at + strspn(*at, " ");
    char sign = *in;

    buf_take(word, buf_len(word));
    if (!sign || sign == '|') {
        *at = in;
        return false;
    }
    if (sign == '"') {
        for (in++; *in && *in != '"'; in++) {
            char byte = *in;

            if (byte == '\\' && in[1] == 'x') {
                byte = (char)strtol((const char[]){in[2], in[3], 0}, NULL, 16);
                in += 3;
            } else if (byte == '\\') {
                byte = *++in == 'n' ? '\n' : *in;
            }
            buf_put(word, &byte, 1);
        }
        in += *in == '"';
    } else if (in[1] == '*' && isdigit((unsigned char)in[2])) {
        size_t count = strtoul(in + 2, (char **)&in, 10);

        memset(buf_room(word, count), sign, count);
        buf_added(word, count);
    } else {
        size_t len = strcspn(in, " ");

        buf_put(word, in, len);
        in += len;
    }
    *at = in;
    return true;
}

static bool is_plain_word(struct slice word)
{
    for (size_t i = 0; i < word.len; i++)
        if (!isalnum(word.at[i]) && !strchr("_.,:;/+-=@$()", word.at[i] ? word.at[i] : ' '))
            return false;
    return word.len > 0;
}

static void word_put(struct buf *text, struct slice word)
{
    size_t same = 0;

    while (same < word.len && word.at[same] == word.at[0])
        same++;
    if (same == word.len && same > 64) {
        buf_printf(text, " %c*%zu", word.at[0], same);
        return;
    }
    if (is_plain_word(word)) {
        buf_printf(text, " %.*s", (int)word.len, (const char *)word.at);
        return;
    }
    buf_printf(text, " \"");
    for (size_t i = 0; i < word.len; i++) {
        uint8_t byte = word.at[i];

        if (byte == '"' || byte == '\\')
            buf_printf(text, "\\%c", byte);
        else if (byte == '\n')
            buf_printf(text, "\\n");
        else if (byte < ' ' || byte > '~')
            buf_printf(text, "\\x%02x", byte);
        else
            buf_put(text, &byte, 1);
    }
    buf_printf(text, "\"");
}

/* ---- words to bytes ------------------------------------------------------------------------- */

static void put_counted(struct buf *out, const char **at, struct buf *word, char field)
{
    struct buf items = {0};
    uint16_t count = 0;

    while (word_next(at, word)) {
        struct slice item = buf_slice(word);

        count++;
        if (field == 'o') {
            write_u32(&items, (uint32_t)atoi((const char *)item.at));
        } else if (field == 'C') {
            write_cstr(&items, item);
            buf_put(&items, "\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0", 18);
        } else if (slice_is(item, "null")) {
            write_u32(&items, UINT32_MAX);
        } else {
            write_u32(&items, (uint32_t)item.len);
            buf_put_slice(&items, item);
        }
    }
    if (field == 'b')
        write_u16(out, 0);
    write_u16(out, count);
    buf_put_slice(out, buf_slice(&items));
    if (field == 'b')
        write_u16(out, 0);
    buf_clear(&items);
}

static void put_error(struct buf *out, const char *severity, const char **at, struct buf *word)
{
    buf_printf(out, "S%s%cV%s%c", severity, 0, severity, 0);
    for (const char *field = "CMDHR"; *field && word_next(at, word); field++) {
        buf_put(out, field, 1);
        write_cstr(out, buf_slice(word));
    }
    write_byte(out, 0);
}

static uint32_t number_of(struct buf *word)
{
    write_byte(word, 0);
    return (uint32_t)strtoul((const char *)buf_slice(word).at, NULL, 10);
}

static void put_secret(struct buf *out, struct buf *word)
{
    bool digits = buf_len(word) > 0;

    for (size_t i = 0; i < buf_len(word); i++)
        digits &= isdigit(buf_slice(word).at[i]) != 0;
    if (digits)
        write_u32(out, number_of(word));
    else
        buf_put_slice(out, buf_slice(word));
}

static void tell_secret(struct buf *text, struct slice secret)
{
    struct reader reader = {secret, false};

    if (secret.len == 4)
        buf_printf(text, " %u", read_u32(&reader));
    else
        word_put(text, secret);
}

static void put_field(struct buf *out, const struct words_kind *kind, char field, const char **at,
                      struct buf *word)
{
    if (field == 'o' || field == 'b' || field == 'v' || field == 'C') {
        put_counted(out, at, word, field);
        return;
    }
    if (field == 'e') {
        put_error(out,
                  kind->type == REPLY_NOTICE ? "NOTICE"
                  : *kind->name == 'F'       ? "FATAL"
                                             : "ERROR",
                  at, word);
        return;
    }
    if (field == 'f') {
        buf_put(out, "\0\0", 3);
        return;
    }
    word_next(at, word);
    if (field == 's')
        write_cstr(out, buf_slice(word));
    else if (field == 'c')
        buf_put(out, buf_len(word) ? buf_slice(word).at : (const uint8_t *)"", 1);
    else if (field == 'u' || field == 'n')
        write_u32(out, number_of(word));
    else if (field == 'k')
        put_secret(out, word);
    else if (field == 'l')
        write_u32(out, (uint32_t)buf_len(word));
    if (field == 'r' || field == 'l')
        buf_put_slice(out, buf_slice(word));
}

/* Of a packet without a type: "SSLRequest", "Startup 3.0 user app database app". */
static bool put_packet(struct buf *out, const char *name, const char **at, struct buf *word)
{
    static const struct {
        const char *name;
        uint32_t code;
    } packets[] = {{"SSLRequest", WIRE_SSL},
                   {"GSSENCRequest", WIRE_GSSENC},
                   {"CancelRequest", WIRE_CANCEL},
                   {"Startup", WIRE_PROTOCOL_3_0}};
    struct buf body = {0};

    for (unsigned i = 0; i < 4; i++) {
        uint32_t code = packets[i].code;

        if (strcmp(packets[i].name, name) != 0)
            continue;
        if (code == WIRE_PROTOCOL_3_0 && word_next(at, word)) {
            write_byte(word, 0);
            code = (uint32_t)atoi((const char *)word->at + word->head) << 16;
            code |= (uint32_t)atoi((const char *)word->at + word->head + 2);
        }
        write_u32(&body, code);
        while (word_next(at, word)) {
            if (code == WIRE_CANCEL)
                put_secret(&body, word);
            else
                write_cstr(&body, buf_slice(word));
        }
        if (i == 3)
            write_byte(&body, 0);
        write_u32(out, (uint32_t)buf_len(&body) + 4);
        buf_put_slice(out, buf_slice(&body));
        buf_clear(&body);
        return true;
    }
    return false;
}

static const struct words_kind *kind_by_name(const struct words_kind *kinds, const char *name)
{
    while (kinds->name && strcmp(kinds->name, name) != 0)
        kinds++;
    return kinds->name ? kinds : NULL;
}

/* Appends the messages of a line; false where one has no such name. "Bytes" is what it says, "Raw"
 * a message of any type. */
static inline bool words_put(struct buf *out, const struct words_kind *kinds, const char *line)
{
    struct buf word = {0};
    bool good = true;

    for (; good && word_next(&line, &word); line += *line == '|') {
        const struct words_kind *kind;
        char name[32];
        size_t begin;

        snprintf(name, sizeof(name), "%.*s", (int)buf_len(&word),
                 (const char *)buf_slice(&word).at);
        kind = kind_by_name(kinds, name);
        if (kind) {
            begin = write_begin(out, kind->type);
            for (const char *field = kind->fields; *field; field++)
                put_field(out, kind, *field, &line, &word);
            write_end(out, begin);
        } else if (strcmp(name, "Bytes") == 0) {
            word_next(&line, &word);
            buf_put_slice(out, buf_slice(&word));
        } else if (strcmp(name, "Raw") == 0) {
            word_next(&line, &word);
            begin = write_begin(out, buf_slice(&word).at[0]);
            while (word_next(&line, &word))
                buf_put_slice(out, buf_slice(&word));
            write_end(out, begin);
        } else {
            good = put_packet(out, name, &line, &word);
        }
        good &= line[strspn(line, " ")] == '\0' || line[strspn(line, " ")] == '|';
        line += strspn(line, " ");
    }
    buf_clear(&word);
    return good;
}

/* ---- bytes to words ------------------------------------------------------------------------- */

static void tell_counted(struct buf *text, struct reader *body, char field)
{
    unsigned formats = field == 'b' ? read_u16(body) : 0, count;

    read_bytes(body, formats * 2);
    count = field == 'L' ? read_u32(body) : read_u16(body);
    while (count-- && !body->bad) {
        uint32_t number;

        if (field == 'C' || field == 'L') {
            word_put(text, read_cstr(body));
            read_bytes(body, field == 'C' ? 18 : 0);
            continue;
        }
        number = read_u32(body);
        if (field == 'o')
            buf_printf(text, " %u", number);
        else if (number == UINT32_MAX)
            buf_printf(text, " null");
        else
            word_put(text, read_bytes(body, number));
    }
    if (field == 'b')
        read_bytes(body, read_u16(body) * 2u);
}

static void tell_field(struct buf *text, struct reader *body, char field)
{
    uint32_t number;

    switch (field) {
    case 's':
        word_put(text, read_cstr(body));
        break;
    case 'r':
        if (body->left.len)
            word_put(text, body->left);
        body->left.len = 0;
        break;
    case 'c':
        word_put(text, read_bytes(body, 1));
        break;
    case 'u':
    case 'n':
        number = read_u32(body);
        if (number || field == 'u')
            buf_printf(text, " %u", number);
        break;
    case 'l':
        word_put(text, read_bytes(body, read_u32(body)));
        break;
    case 'k':
        tell_secret(text, body->left);
        body->left.len = 0;
        break;
    case 'e':
        word_put(text, read_error_field(body->left, 'C'));
        word_put(text, read_error_field(body->left, 'M'));
        body->left.len = 0;
        break;
    case 'f':
        body->left.len = 0;
        break;
    default:
        tell_counted(text, body, field);
    }
}

/* One whole message as words. */
static inline void words_tell(struct buf *text, const struct words_kind *kinds,
                              const struct frame *frame)
{
    struct reader body = {frame_body(frame), false};
    const struct words_kind *kind = kinds;

    while (kind->name && kind->type != frame->type)
        kind++;
    if (frame->type == REPLY_ERROR && kinds == words_of_server)
        buf_printf(text, "%s",
                   slice_is(read_error_field(body.left, 'S'), "FATAL") ? "Fatal" : kind->name);
    else if (kind->name)
        buf_printf(text, "%s", kind->name);
    else
        buf_printf(text, "Raw %c", frame->type);
    for (const char *field = kind->fields; *field; field++)
        tell_field(text, &body, *field);
    if (!read_done(&body))
        buf_printf(text, " (malformed)");
}

/* The first message of a line of expectations: its length, and where the next one begins. */
static inline size_t words_first(const char *line, const char **next)
{
    struct buf word = {0};
    const char *at = line;
    size_t len;

    while (word_next(&at, &word))
        ;
    buf_clear(&word);
    *next = *at == '|' ? at + 1 + strspn(at + 1, " ") : at;
    for (len = (size_t)(at - line); len && line[len - 1] == ' '; len--)
        ;
    return len;
}

/* "" where they are the same, else what is wrong: valid until the next call. */
static inline const char *words_compare(struct slice expected, struct buf *got)
{
    static char wrong[4096];
    char pattern[4096];

    snprintf(pattern, sizeof(pattern), "%.*s", (int)expected.len, (const char *)expected.at);
    write_byte(got, 0);
    wrong[0] = '\0';
    if (fnmatch(pattern, (const char *)buf_slice(got).at, FNM_NOESCAPE) != 0)
        snprintf(wrong, sizeof(wrong), "expected %.1500s\n     got %.1500s", pattern,
                 (const char *)buf_slice(got).at);
    return wrong;
}
