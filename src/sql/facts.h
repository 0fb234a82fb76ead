/* The builder of a shape: facts are added one by one in any order, then frozen into one immutable
 * shape. What does not fit its bounds widens the shape (unknown, star), never narrows it. */
#pragma once

#include "base/buf.h"
#include "sql/arena.h"
#include "sql/shape.h"

/* Arrays of the types that shape.h names, while they grow. */
struct facts {
    struct shape shape;                 /* flags are set in place */
    struct arena arena;                 /* holds every string and array */
    struct buf statements;              /* uint8_t */
    struct buf refs;                    /* struct shape_ref */
    struct buf pins;                    /* struct facts_pin */
    struct buf uses;                    /* struct facts_use */
    struct buf loose;                   /* struct shape_loose */
    struct buf equals;                  /* struct shape_equal */
    struct buf columns, types, metrics; /* const char * */
    struct buf paths;                   /* struct shape_path */
    struct buf functions;               /* struct shape_function */
    struct buf settings;                /* struct shape_setting */
};

struct facts_pin {
    unsigned ref;
    struct shape_pin pin;
};

/* A parameter compared by = with a column, wherever it stands. */
struct facts_use {
    int16_t value;
    const char *column, *cast;
};

void facts_init(struct facts *facts, struct hash128 hash, unsigned nvalues);
/* The arena goes over to the caller (it holds the shape's arrays); the rest is freed. */
struct arena facts_freeze(struct facts *facts);

void facts_statement(struct facts *facts, enum statement_kind kind);

/* Returns the index of the new occurrence, -1 where there are too many (the shape is unknown then).
 */
int facts_ref(struct facts *facts, const char *schema, const char *name, enum ref_use use,
              unsigned statement);
unsigned facts_ref_count(const struct facts *facts);
/* Valid until the next facts_ref. */
struct shape_ref *facts_ref_at(struct facts *facts, unsigned ref);
/* The pin's names and values are copied. */
void facts_pin(struct facts *facts, unsigned ref, const struct shape_pin *pin);
/* The same of a pin that is not qualified, and its occurrences. */
void facts_loose(struct facts *facts, const struct shape_loose *loose);
/* ref.column = source.other holds for every row that `ref` contributes. */
void facts_equal(struct facts *facts, unsigned ref, const char *column, unsigned source,
                 const char *other);
void facts_use(struct facts *facts, int16_t value, const char *column, const char *cast);
/* Drops the pins by parameters that the text holds more than once (bit i of `repeated`: value i),
 * unless each of them is compared with a column of one name, behind one cast: else its type is not
 * known. */
void facts_settle(struct facts *facts, uint64_t repeated, const struct values *values);

/* A setting by its name, or by the value that names it (name NULL). */
void facts_setting(struct facts *facts, const char *name, int value, bool local);
void facts_column(struct facts *facts, const char *name);
void facts_type(struct facts *facts, const char *name);
void facts_metric(struct facts *facts, const char *text);
void facts_path(struct facts *facts, const char *column, const char *path);
/* The strings of `function` are copied. */
void facts_function(struct facts *facts, const struct shape_function *function);
