/* What a look at the tokens tells before a text is parsed: whether it is safe to parse, which
 * literals belong to the shape, which parameters come twice, and how the text reads without its
 * values. */
#pragma once

#include "base/buf.h"
#include "sql/value.h"

enum {
    SURVEY_DEPTH = 500,       /* over this the tree could be too deep for recursion */
    SURVEY_TEXT = 2048,       /* the normalised text is cut here */
    SURVEY_MAX = 1024 * 1024, /* bytes of a text that is still parsed */
    SURVEY_TOKENS = 50000     /* .. and tokens: each costs the parser about a microsecond, and all
                                 clients wait */
};

struct survey {
    bool parsable;     /* short, flat and of few enough tokens */
    uint64_t repeated; /* bit i: value i is a parameter that the text holds more than once */
    struct buf kept;   /* uint32_t positions of literals that are part of the shape, ascending */
    struct buf text;   /* normalised, with a NUL */
};

/* `text` must have been readable for finger_text, with `values` its values. */
void survey_init(struct survey *survey, struct slice text, const struct values *values);
void survey_clear(struct survey *survey);
bool survey_kept(const struct survey *survey, uint32_t pos);
