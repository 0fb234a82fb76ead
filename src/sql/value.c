/* The canonical form of a value, or the word that there is none. It never guesses: a form that is
 * not plainly the type's own is refused, and its reader goes without a pin. */
#include "sql/value.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    OID_BOOL = 16,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_UNKNOWN = 705,
    OID_BPCHAR = 1042,
    OID_VARCHAR = 1043,
    OID_UUID = 2950
};

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct slice trim(struct slice s)
{
    while (s.len && is_space(s.at[0]))
        s = slice_skip(s, 1);
    while (s.len && is_space(s.at[s.len - 1]))
        s.len--;
    return s;
}

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

/* Reads up to `max` digits of `base`; returns how many there were. */
static size_t read_code(struct slice s, unsigned base, size_t max, uint32_t *code)
{
    size_t n = 0;

    *code = 0;
    for (; n < max && n < s.len; n++) {
        int digit = hex(s.at[n]);

        if (digit < 0 || (unsigned)digit >= base)
            break;
        *code = *code * base + (unsigned)digit;
    }
    return n;
}

/* What stands behind a backslash: one ASCII character into *out. Returns the bytes read, 0 where it
 * is not ASCII (its bytes depend on an encoding) or wrong. */
static size_t unescape(struct slice s, char *out)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *letter;
    uint32_t code;
    size_t n;

    if (s.len == 0)
        return 0;
    letter = s.at[0] ? strchr(from, s.at[0]) : NULL;
    if (letter) {
        *out = to[letter - from];
        return 1;
    }
    if (s.at[0] >= '0' && s.at[0] <= '7') {
        n = read_code(s, 8, 3, &code);
    } else if (s.at[0] == 'x' && s.len > 1 && hex(s.at[1]) >= 0) {
        n = 1 + read_code(slice_skip(s, 1), 16, 2, &code);
    } else if (s.at[0] == 'u' || s.at[0] == 'U') {
        size_t digits = s.at[0] == 'u' ? 4 : 8;

        n = 1 + read_code(slice_skip(s, 1), 16, digits, &code);
        if (n != 1 + digits)
            return 0;
    } else {
        *out = (char)s.at[0];
        return 1;
    }
    *out = (char)code;
    return code > 0 && code < 0x80 ? n : 0;
}

static int plain_string(const struct value *value, char *out, size_t cap)
{
    struct slice s = value->bytes;
    size_t len = 0;

    while (s.len) {
        size_t step = 1;

        if (len == cap)
            return -1;
        if (s.at[0] == '\\' && value->backslash) {
            step = unescape(slice_skip(s, 1), out + len);
            if (step++ == 0)
                return -1;
        } else {
            out[len] = (char)s.at[0];
            if (s.at[0] == '\'' && value->escaped && s.len > 1)
                step = 2; /* '' */
        }
        s = slice_skip(s, step);
        len++;
    }
    return (int)len;
}

static int copy(struct slice bytes, char *out, size_t cap)
{
    if (bytes.len > cap)
        return -1;
    if (bytes.len)
        memcpy(out, bytes.at, bytes.len);
    return (int)bytes.len;
}

static bool binary_integer(struct slice bytes, int64_t *number)
{
    uint64_t bits = 0;

    if (bytes.len != 2 && bytes.len != 4 && bytes.len != 8)
        return false;
    for (size_t i = 0; i < bytes.len; i++)
        bits = bits << 8 | bytes.at[i];
    if (bytes.len == 2)
        *number = (int16_t)bits;
    else if (bytes.len == 4)
        *number = (int32_t)bits;
    else
        *number = (int64_t)bits;
    return true;
}

static int put_integer(int64_t number, char *out, size_t cap)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRId64, number);

    return copy(slice_of(digits, (size_t)len), out, cap);
}

/* The size in binary of an integer type by its oid, 0 where it is none. */
static size_t integer_size(uint32_t oid)
{
    switch (oid) {
    case OID_INT2:
        return 2;
    case OID_INT4:
        return 4;
    case OID_INT8:
        return 8;
    default:
        return 0;
    }
}

static int canon_uuid_binary(struct slice bytes, char *out, size_t cap)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = 0;

    if (bytes.len != 16 || cap < 36)
        return -1;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[len++] = '-';
        out[len++] = digits[bytes.at[i] >> 4];
        out[len++] = digits[bytes.at[i] & 15];
    }
    return (int)len;
}

static int plain_binary(const struct value *value, char *out, size_t cap)
{
    int64_t number;

    switch (value->oid) {
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
        if (value->bytes.len != integer_size(value->oid) || !binary_integer(value->bytes, &number))
            return -1;
        return put_integer(number, out, cap);
    case OID_BOOL:
        return value->bytes.len == 1 ? copy(slice_of(value->bytes.at[0] ? "t" : "f", 1), out, cap)
                                     : -1;
    case OID_UUID:
        return canon_uuid_binary(value->bytes, out, cap);
    case 0:
    case OID_TEXT:
    case OID_VARCHAR:
    case OID_BPCHAR:
    case OID_UNKNOWN:
        return copy(value->bytes, out, cap);
    default:
        return -1;
    }
}

int value_plain(const struct value *value, char *out, size_t cap)
{
    switch (value->kind) {
    case VALUE_INTEGER:
    case VALUE_NUMBER:
    case VALUE_TEXT:
        return copy(value->bytes, out, cap);
    case VALUE_STRING:
        return plain_string(value, out, cap);
    case VALUE_BINARY:
        return plain_binary(value, out, cap);
    default:
        return -1;
    }
}

static bool in_range(int64_t number, enum value_type type)
{
    if (type == TYPE_INT2)
        return number >= INT16_MIN && number <= INT16_MAX;
    if (type == TYPE_INT4)
        return number >= INT32_MIN && number <= INT32_MAX;
    return true;
}

static bool read_integer(struct slice s, int64_t *number)
{
    bool minus = s.len && s.at[0] == '-';
    uint64_t n = 0;

    if (s.len && (s.at[0] == '-' || s.at[0] == '+'))
        s = slice_skip(s, 1);
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)s.at[i] - '0';

        if (digit > 9 || n > ((uint64_t)INT64_MAX - digit) / 10)
            return false; /* the least int8 itself is refused too */
        n = n * 10 + digit;
    }
    *number = minus ? -(int64_t)n : (int64_t)n;
    return true;
}

static int canon_integer(const struct value *value, enum value_type type, char *out)
{
    char text[CANON_MAX];
    int64_t number;
    int len;

    if (value->kind == VALUE_BINARY) {
        if (value->oid != 0 && value->bytes.len != integer_size(value->oid))
            return -1;
        if (!binary_integer(value->bytes, &number))
            return -1;
    } else {
        if (value->kind == VALUE_NUMBER)
            return -1;
        if (value->kind == VALUE_TEXT && value->oid != 0 && value->oid != OID_UNKNOWN &&
            !integer_size(value->oid))
            return -1;
        len = value_plain(value, text, sizeof(text));
        if (len < 0 || !read_integer(trim(slice_of(text, (size_t)len)), &number))
            return -1;
    }
    return in_range(number, type) ? put_integer(number, out, CANON_MAX) : -1;
}

/* A string literal or a parameter of `oid` in text format: its text. Length, or -1. */
static int text_of(const struct value *value, uint32_t oid, char *out)
{
    if (value->kind != VALUE_STRING && value->kind != VALUE_TEXT)
        return -1;
    if (value->kind == VALUE_TEXT && value->oid != 0 && value->oid != OID_UNKNOWN &&
        value->oid != oid)
        return -1;
    return value_plain(value, out, CANON_MAX);
}

/* Two hexadecimal digits a byte, a hyphen allowed behind every second byte, braces around it. */
static bool read_uuid(struct slice s, uint8_t out[16])
{
    if (s.len > 2 && s.at[0] == '{') {
        if (s.at[s.len - 1] != '}')
            return false;
        s = slice_first(slice_skip(s, 1), s.len - 2);
    }
    for (size_t i = 0; i < 16; i++) {
        if (s.len < 2 || hex(s.at[0]) < 0 || hex(s.at[1]) < 0)
            return false;
        out[i] = (uint8_t)(hex(s.at[0]) << 4 | hex(s.at[1]));
        s = slice_skip(s, 2);
        if (i % 2 == 1 && i < 15 && s.len && s.at[0] == '-')
            s = slice_skip(s, 1);
    }
    return s.len == 0;
}

static int canon_uuid(const struct value *value, char *out)
{
    char text[CANON_MAX];
    uint8_t bytes[16];
    int len;

    if (value->kind == VALUE_BINARY) {
        if (value->oid != 0 && value->oid != OID_UUID)
            return -1;
        return canon_uuid_binary(value->bytes, out, CANON_MAX);
    }
    len = text_of(value, OID_UUID, text);
    if (len < 0 || !read_uuid(slice_of(text, (size_t)len), bytes))
        return -1;
    return canon_uuid_binary(slice_of(bytes, sizeof(bytes)), out, CANON_MAX);
}

static int canon_bool(const struct value *value, char *out)
{
    static const char *const yes[] = {"t", "true", "y", "yes", "on", "1"};
    static const char *const no[] = {"f", "false", "n", "no", "off", "0"};
    char text[CANON_MAX];
    struct slice word;
    int len;

    if (value->kind == VALUE_BINARY) {
        if ((value->oid != 0 && value->oid != OID_BOOL) || value->bytes.len != 1)
            return -1;
        out[0] = value->bytes.at[0] ? 't' : 'f';
        return 1;
    }
    len = text_of(value, OID_BOOL, text);
    if (len < 0)
        return -1;
    word = trim(slice_of(text, (size_t)len));
    for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
        if (slice_is_nocase(word, yes[i]) || slice_is_nocase(word, no[i])) {
            out[0] = slice_is_nocase(word, yes[i]) ? 't' : 'f';
            return 1;
        }
    }
    return -1;
}

/* Bytes beyond ASCII depend on the client's encoding; blanks at the end are lost where a varchar(n)
 * would overflow: neither is known here, so neither has a canonical form. */
static int canon_text(const struct value *value, char *out)
{
    int len;

    if (value->kind != VALUE_STRING && value->kind != VALUE_TEXT && value->kind != VALUE_BINARY)
        return -1;
    if (value->kind != VALUE_STRING && value->oid != 0 && value->oid != OID_TEXT &&
        value->oid != OID_VARCHAR && value->oid != OID_UNKNOWN)
        return -1;
    len = value_plain(value, out, CANON_MAX);
    for (int i = 0; i < len; i++) {
        if ((uint8_t)out[i] >= 0x80 || out[i] == '\0')
            return -1;
    }
    return len > 0 && out[len - 1] == ' ' ? -1 : len;
}

int value_canon(const struct value *value, enum value_type type, char *out)
{
    switch (type) {
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
        return canon_integer(value, type, out);
    case TYPE_UUID:
        return canon_uuid(value, out);
    case TYPE_BOOL:
        return canon_bool(value, out);
    case TYPE_TEXT:
        return canon_text(value, out);
    default:
        return -1;
    }
}

const struct value *values_get(const struct values *values, int placeholder, unsigned i)
{
    const struct value *value;
    unsigned at;

    if (placeholder < 0 || placeholder >= VALUES_MAX || (unsigned)placeholder >= values->count)
        return NULL;
    value = &values->at[placeholder];
    if (i == 0)
        return value;
    if (i >= value->list || values->more == 0)
        return NULL;
    at = values->count;
    for (int k = 0; k < placeholder; k++)
        at += values->at[k].list ? values->at[k].list - 1U : 0;
    return &values->at[at + i - 1];
}

unsigned values_placeholder(const struct values *values, unsigned at)
{
    unsigned placeholder = 0, end = values->count;

    if (at < values->count)
        return at;
    for (; placeholder < values->count; placeholder++) {
        end += values->at[placeholder].list ? values->at[placeholder].list - 1U : 0;
        if (at < end)
            break;
    }
    return placeholder;
}

void values_copy(struct values *to, const struct values *from)
{
    to->count = from->count;
    to->more = from->more;
    to->complete = from->complete;
    to->tags = from->tags;
    memcpy(to->at, from->at, values_stored(from) * sizeof(struct value));
}

/* --- arrays --- */

static uint32_t element_oid(uint32_t array)
{
    static const struct {
        uint32_t array, element;
    } oids[] = {{1000, OID_BOOL}, {1005, OID_INT2},    {1007, OID_INT4}, {1016, OID_INT8},
                {1009, OID_TEXT}, {1015, OID_VARCHAR}, {2951, OID_UUID}};

    for (size_t i = 0; i < sizeof(oids) / sizeof(*oids); i++)
        if (oids[i].array == array)
            return oids[i].element;
    return 0;
}

static bool take_u32(struct slice *s, uint32_t *number)
{
    if (s->len < 4)
        return false;
    *number =
        (uint32_t)s->at[0] << 24 | (uint32_t)s->at[1] << 16 | (uint32_t)s->at[2] << 8 | s->at[3];
    *s = slice_skip(*s, 4);
    return true;
}

/* Dimensions, whether there are NULLs, the elements' type, then of the one dimension its length and
 * the first index. */
static bool begin_binary(struct elements *elements)
{
    uint32_t dimensions, word;

    if (!take_u32(&elements->rest, &dimensions) || !take_u32(&elements->rest, &word) ||
        !take_u32(&elements->rest, &elements->oid) || dimensions > 1)
        return false;
    elements->ended = dimensions == 0;
    return dimensions == 0 ||
           (take_u32(&elements->rest, &word) && take_u32(&elements->rest, &word));
}

static void skip_space(struct slice *s)
{
    while (s->len && is_space(s->at[0]))
        *s = slice_skip(*s, 1);
}

static bool take_byte(struct slice *s, uint8_t byte)
{
    if (!s->len || s->at[0] != byte)
        return false;
    *s = slice_skip(*s, 1);
    return true;
}

static bool begin_text(struct elements *elements)
{
    elements->rest = trim(elements->rest);
    return take_byte(&elements->rest, '{');
}

bool elements_begin(struct elements *elements, const struct value *array)
{
    elements->rest = array->bytes;
    elements->oid = element_oid(array->oid);
    elements->binary = array->kind == VALUE_BINARY;
    elements->ended = false;
    elements->first = true;
    if (array->oid && array->oid != OID_UNKNOWN && !elements->oid)
        return false;
    switch (array->kind) {
    case VALUE_BINARY:
        return begin_binary(elements);
    case VALUE_STRING:
        return !array->escaped && !array->backslash && begin_text(elements);
    case VALUE_TEXT:
        return begin_text(elements);
    default:
        return false;
    }
}

static enum element next_binary(struct elements *elements, struct value *value)
{
    uint32_t len;

    if (!elements->rest.len)
        return ELEMENT_END;
    if (!take_u32(&elements->rest, &len))
        return ELEMENT_BAD;
    if (len == UINT32_MAX)
        return ELEMENT_NULL;
    if (len > elements->rest.len)
        return ELEMENT_BAD;
    *value = (struct value){
        .kind = VALUE_BINARY, .oid = elements->oid, .bytes = slice_first(elements->rest, len)};
    elements->rest = slice_skip(elements->rest, len);
    return ELEMENT_VALUE;
}

/* What is between quotation marks, where a backslash stands before what means itself. */
static bool read_quoted(struct elements *elements, size_t *len)
{
    struct slice *rest = &elements->rest;

    for (*len = 0; rest->len && rest->at[0] != '"'; (*len)++) {
        if (rest->at[0] == '\\')
            *rest = slice_skip(*rest, 1);
        if (!rest->len || *len == sizeof(elements->room))
            return false;
        elements->room[*len] = (char)rest->at[0];
        *rest = slice_skip(*rest, 1);
    }
    return take_byte(rest, '"');
}

static enum element read_text(struct elements *elements, struct value *value)
{
    struct slice *rest = &elements->rest;
    size_t len = 0;

    *value = (struct value){.kind = VALUE_TEXT, .oid = elements->oid};
    if (take_byte(rest, '"')) {
        if (!read_quoted(elements, &len))
            return ELEMENT_BAD;
        value->bytes = slice_of(elements->room, len);
        return ELEMENT_VALUE;
    }
    while (len < rest->len && !strchr(",}{\"\\", rest->at[len]))
        len++;
    value->bytes = trim(slice_first(*rest, len));
    *rest = slice_skip(*rest, len);
    if (!value->bytes.len)
        return ELEMENT_BAD;
    return slice_is_nocase(value->bytes, "null") ? ELEMENT_NULL : ELEMENT_VALUE;
}

static enum element next_text(struct elements *elements, struct value *value)
{
    struct slice *rest = &elements->rest;
    enum element found;

    skip_space(rest);
    if (elements->first && take_byte(rest, '}'))
        return rest->len ? ELEMENT_BAD : ELEMENT_END;
    found = read_text(elements, value);
    skip_space(rest);
    if (found == ELEMENT_BAD)
        return found;
    if (take_byte(rest, ','))
        return found;
    elements->ended = take_byte(rest, '}') && !rest->len;
    return elements->ended ? found : ELEMENT_BAD;
}

enum element elements_next(struct elements *elements, struct value *value)
{
    enum element found;

    if (elements->ended)
        return ELEMENT_END;
    found = elements->binary ? next_binary(elements, value) : next_text(elements, value);
    elements->first = false;
    return found;
}

enum value_type value_type_named(const char *name)
{
    static const struct {
        const char *name;
        enum value_type type;
    } names[] = {{"int2", TYPE_INT2},   {"int4", TYPE_INT4}, {"int8", TYPE_INT8},
                 {"uuid", TYPE_UUID},   {"bool", TYPE_BOOL}, {"text", TYPE_TEXT},
                 {"varchar", TYPE_TEXT}};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcmp(names[i].name, name) == 0)
            return names[i].type;
    }
    return TYPE_NONE;
}

static bool begins(struct slice s, const char *word)
{
    return s.len >= strlen(word) && strncasecmp((const char *)s.at, word, strlen(word)) == 0;
}

/* Every read that may be kept asks this of all its values, so most bytes are passed over by one
 * look. */
static bool holds_moving_word(struct slice s)
{
    for (; s.len >= 3; s = slice_skip(s, 1)) {
        switch (s.at[0] | 0x20) {
        case 'n':
            if (begins(s, "now"))
                return true;
            break;
        case 't':
            if (begins(s, "today") || begins(s, "tomorrow"))
                return true;
            break;
        case 'y':
            if (begins(s, "yesterday"))
                return true;
            break;
        default:
            break;
        }
    }
    return false;
}

static bool holds(struct slice s, char c)
{
    return s.len && memchr(s.at, c, s.len);
}

/* A word may be hidden: by escapes of the literal, or of the text of an array or a range, whose
 * quotes may also stand within a word ('[n"o"w,)'). */
static bool may_be_quoted(struct slice s)
{
    return holds(s, '\\') || (holds(s, '"') && (holds(s, '[') || holds(s, '(')));
}

bool value_moves(const struct value *value)
{
    if (value->kind == VALUE_OTHER)
        return true;
    if (value->kind != VALUE_STRING && value->kind != VALUE_TEXT && value->kind != VALUE_BINARY)
        return false;
    if (value->kind != VALUE_BINARY && may_be_quoted(value->bytes))
        return true;
    return holds_moving_word(value->bytes);
}
