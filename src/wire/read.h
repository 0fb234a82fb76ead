/* Reads the bodies of messages. All slices point into the body given and live as long as it does.
 * A function returns false where the body is not of the message's form; what it filled is then
 * undefined. Pure, without allocation. */
#pragma once

#include "base/err.h"
#include "base/slice.h"

/* A walk over a body; `bad` sticks once something did not fit, and reads then give 0 or empty. */
struct reader {
    struct slice left;
    bool bad;
};

uint8_t read_byte(struct reader *reader);
uint16_t read_u16(struct reader *reader);
uint32_t read_u32(struct reader *reader);
struct slice read_bytes(struct reader *reader, size_t len);
struct slice read_cstr(struct reader *reader); /* without its NUL */
/* True where the reader is not bad and everything was read. */
bool read_done(const struct reader *reader);

struct read_startup {
    uint32_t code;        /* protocol number, or WIRE_CANCEL, WIRE_SSL, WIRE_GSSENC */
    struct slice options; /* name NUL value NUL ... of a protocol packet, without the last NUL */
    uint32_t pid;         /* of a cancel */
    struct slice secret;  /* of a cancel; 4 bytes in protocol 3.0, up to 256 in 3.2 */
};
/* `packet` is a whole startup packet from its length on. */
bool read_startup(struct slice packet, struct read_startup *startup);
/* The next name and value of `options`, which is moved on; false at the end. */
bool read_option(struct slice *options, struct slice *name, struct slice *value);

struct read_parse {
    struct slice name, text;
    uint16_t noids;
    struct slice oids; /* noids times 4 bytes, big endian */
};
bool read_parse(struct slice body, struct read_parse *parse);

struct read_bind {
    struct slice portal, name;
    uint16_t nformats;
    struct slice formats; /* of parameters, nformats times 2 bytes */
    uint16_t nvalues;
    struct slice values; /* length (u32, -1: NULL) and bytes, nvalues times */
    uint16_t nresults;
    struct slice results; /* result formats, nresults times 2 bytes */
};
bool read_bind(struct slice body, struct read_bind *bind);
/* Reads only portal and name: enough of the body's beginning must be there. */
bool read_bind_names(struct slice begin, struct slice *portal, struct slice *name);
/* The format (0 text, 1 binary) of the parameter at index i. */
uint16_t read_bind_format(const struct read_bind *bind, unsigned i);

/* Describe and Close: what is 'S' or 'P'. */
bool read_target(struct slice body, uint8_t *what, struct slice *name);
bool read_execute(struct slice body, struct slice *portal, uint32_t *max_rows);

/* An ErrorResponse's or NoticeResponse's field (PostgreSQL, "Error and Notice Message Fields");
 * empty where it has none. */
struct slice read_error_field(struct slice body, uint8_t field);
/* Over a RowDescription's columns but for their formats; never 0. */
uint64_t read_columns_hash(struct slice body);
/* The whole of it, quoting the body, which must outlive `err`. */
void read_error(struct slice body, struct err *err);
bool read_parameter_status(struct slice body, struct slice *name, struct slice *value);
/* The row count at the end of a CommandComplete tag; 0 where it has none. */
uint64_t read_tag_rows(struct slice body);
