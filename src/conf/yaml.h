/* A settings file as a small tree in which every node knows its place. `${VAR}` and
 * `${VAR:-default}` are replaced in all values, quoted or not, after the YAML was understood, so
 * that what a variable holds cannot change the file's form; `$${` stands for `${`. Keys are taken
 * as written. Anchors, aliases, tags and several documents in a file are refused. */
#pragma once

#include "conf/keep.h"
#include "conf/diag.h"

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml {
    enum yaml_kind kind;
    unsigned line, column; /* 1-based, of the value */
    const char *key;       /* in a map: its key; else NULL */
    unsigned key_line, key_column;
    const char *text;  /* of a scalar, with its variables replaced */
    const char *unset; /* of a scalar: the first variable that is not set and has no default */
    bool empty;        /* of a scalar: nothing, ~ or null, not quoted */
    unsigned count;    /* children */
    struct yaml *first, *next;
};

/* NULL where a variable isn't set. */
typedef const char *yaml_variable(const char *name, void *with);

/* Parses; faults go to `diag`. NULL where the text is no YAML of this kind; a doubled key is a
 * fault and keeps the first. The tree lives in `keep`. An empty text is an empty map. Variables
 * come from the environment where `variable` is NULL. */
struct yaml *yaml_parse(struct slice text, struct keep *keep, struct diag *diag,
                        yaml_variable *variable, void *with);
/* As yaml_parse, of a file of at most 4 MB. */
struct yaml *yaml_read(const char *path, struct keep *keep, struct diag *diag);

/* The child of a map with this key; NULL where there is none, or `node` is NULL or no map. */
struct yaml *yaml_child(const struct yaml *node, const char *key);
/* A text as a file may hold it: plain where nobody could take it for something else, else in
 * quotes. */
void yaml_put(struct buf *out, const char *text);
/* "a map", "a list", "a value". */
const char *yaml_kind_text(const struct yaml *node);
