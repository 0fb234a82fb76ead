/* A value that a statement carries: a literal of its text or a parameter bound to it. */
#pragma once

#include "base/slice.h"

enum value_kind {
    VALUE_NULL,    /* a parameter bound to NULL */
    VALUE_INTEGER, /* a literal of digits; bytes are the digits */
    VALUE_NUMBER,  /* another numeric literal */
    VALUE_STRING,  /* '...', E'...', $tag$...$tag$; bytes are what is between the quotes, as written
                    */
    VALUE_OTHER,   /* B'..', X'..', U&'..': bytes are the whole literal */
    VALUE_PARAM,   /* $n not yet bound; number is n, 1-based */
    VALUE_TEXT,    /* a parameter bound in text format */
    VALUE_BINARY   /* a parameter bound in binary format (oid tells of what) */
};

struct value {
    uint8_t kind;       /* enum value_kind */
    bool escaped : 1;   /* VALUE_STRING: bytes still hold '' or \x escapes */
    bool backslash : 1; /* VALUE_STRING: E'...': a backslash escapes */
    uint16_t list;      /* it is the first of so many in one list: IN (7, 8); 0: of none */
    uint32_t number;    /* VALUE_PARAM */
    uint32_t oid;       /* bound parameters: the declared type, 0 where none was declared */
    uint32_t pos;       /* literals and params: offset in the text of their first byte */
    struct slice bytes;
};

enum { VALUES_MAX = 64 };

/* The values of one statement text in the order of the shape's placeholders. A list has one
 * placeholder, that of its first value, however long it is. Slices point into the text or the Bind
 * message and are valid as long as those are. */
struct values {
    unsigned count;    /* placeholders in the text, may exceed VALUES_MAX */
    unsigned more;     /* the further values of lists, one list after the other, in `at` behind the
                          placeholders; 0 where not all fit */
    bool complete;     /* every value is in `at` */
    struct slice tags; /* the inside of the last comment that may hold tags (lexer.h), or empty */
    struct value at[VALUES_MAX]; /* the last: what is kept has no more than there are */
};

/* How many values are in `at`. */
static inline unsigned values_stored(const struct values *values)
{
    return values->count < VALUES_MAX ? values->count + values->more : VALUES_MAX;
}

/* The value at a placeholder, or the i-th of its list; NULL behind the last one, and where it is
 * not in `at`. */
const struct value *values_get(const struct values *values, int placeholder, unsigned i);
/* The placeholder of a value of `at`. */
unsigned values_placeholder(const struct values *values, unsigned at);
/* Copies those that there are. */
void values_copy(struct values *to, const struct values *from);

enum value_type {            /* types whose equality is equality of a canonical form */
                  TYPE_NONE, /* any other: never pinned */
                  TYPE_INT2,
                  TYPE_INT4,
                  TYPE_INT8,
                  TYPE_UUID,
                  TYPE_BOOL,
                  TYPE_TEXT, /* text and varchar, deterministic collation */
};

enum { CANON_MAX = 256 };

/* The canonical bytes of a value compared by = with a column of `type`: decimal digits of an
 * integer, 36 lower-case characters of a uuid, t or f, the text itself. Returns its length, or -1
 * where equality with it cannot be proved to be equality of bytes (NULL, another type, out of
 * range, over CANON_MAX, a form not understood). `out` holds CANON_MAX bytes. Pure. */
int value_canon(const struct value *value, enum value_type type, char *out);

/* For types whose text is of one form (text, varchar, int, bool...): the value's own bytes with
 * escapes resolved, for matching against names in the rules. Returns length or -1. */
int value_plain(const struct value *value, char *out, size_t cap);

/* The type of a column by its name in pg_type (as shape_pin.cast gives it); TYPE_NONE where it may
 * not be a dimension. */
enum value_type value_type_named(const char *name);

/* Walks the elements of an array of one dimension: a literal, or a parameter in either format. */
struct elements {
    struct slice rest;
    uint32_t oid; /* of an element; 0 where the statement declares none */
    bool binary, ended, first;
    char room[CANON_MAX]; /* of the element that was read last */
};

/* False where the value is no array that is understood. */
bool elements_begin(struct elements *elements, const struct value *array);
enum element { ELEMENT_END, ELEMENT_VALUE, ELEMENT_NULL, ELEMENT_BAD };
/* `value` is valid until the next call. */
enum element elements_next(struct elements *elements, struct value *value);

/* True where a date or time read from this value may depend on when it is read ('now', 'today',
 * 'yesterday noon', ...), so that a result made with it may not be kept. Errs towards true. */
bool value_moves(const struct value *value);
