/* Builds whole messages at the end of a buffer. Cannot fail. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* A message by hand: the returned place is given to write_end, which fills in the length. */
size_t write_begin(struct buf *out, uint8_t type);
void write_byte(struct buf *out, uint8_t value);
void write_u16(struct buf *out, uint16_t value);
void write_u32(struct buf *out, uint32_t value);
void write_cstr(struct buf *out, struct slice text); /* and a NUL */
void write_end(struct buf *out, size_t begin);

/* ErrorResponse; severity "ERROR" or "FATAL". Detail and hint only where set; a quote with all of
 * its fields, its severity aside. */
void write_error(struct buf *out, const char *severity, const struct err *err);
void write_notice(struct buf *out, const struct err *err);
void write_ready(struct buf *out, uint8_t status); /* 'I', 'T' or 'E' */
void write_complete(struct buf *out, const char *tag);
void write_parameter_status(struct buf *out, struct slice name, struct slice value);
void write_auth(struct buf *out, uint32_t kind, struct slice payload); /* AuthenticationXXX */
void write_key(struct buf *out, uint32_t pid, struct slice secret);    /* BackendKeyData */
void write_empty(struct buf *out, uint8_t type); /* a message without a body */

/* A table of text columns, as the console answers: begin, rows, and the caller completes it. */
void write_columns(struct buf *out, const char *const *names, unsigned count);
void write_row(struct buf *out, const struct slice *fields, unsigned count); /* .at NULL: NULL */

/* What is sent to a server. */
struct write_pair {
    struct slice name, value;
};
/* `more`: further ones, name NUL value NUL .. */
void write_startup(struct buf *out, const struct write_pair *options, unsigned count,
                   struct slice more);
void write_cancel(struct buf *out, uint32_t pid, struct slice secret);
void write_query(struct buf *out, struct slice text);
void write_parse(struct buf *out, struct slice name, struct slice text, struct slice oids);
/* A Bind whose portal and statement names are replaced; `rest` is the body behind the names, of
 * which `later` further bytes will follow from elsewhere. */
void write_bind(struct buf *out, struct slice portal, struct slice name, struct slice rest,
                size_t later);
void write_target(struct buf *out, uint8_t type, uint8_t what, struct slice name);
