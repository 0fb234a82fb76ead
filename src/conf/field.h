/* Settings as tables: parser, check, SHOW CONFIG and the reference in the documentation are all fed
 * from the same rows. */
#pragma once

#include "conf/yaml.h"

enum field_type {
    FIELD_TEXT,     /* const char * */
    FIELD_SECRET,   /* const char *, never shown */
    FIELD_URL,      /* const char *, shown with its password masked */
    FIELD_WORD,     /* int or an enum: index in `words` */
    FIELD_FLAG,     /* bool */
    FIELD_NUMBER,   /* int or unsigned, least..most */
    FIELD_COUNT,    /* uint64_t, least..most */
    FIELD_SIZE,     /* uint64_t bytes, least..most */
    FIELD_DURATION, /* int64_t ns, least..most */
    FIELD_SHARE,    /* double, 0..1, written 85% or 0.85 */
    FIELD_NODE,     /* const struct yaml *: not a single value, its reader looks at it */
    FIELD_ELSEWHERE /* nothing: a key that is known here and read by somebody else */
};

/* What may stand where a value is a node: for the schema, the reference, and nobody else. */
enum form_kind {
    FORM_TEXT,
    FORM_NAMES, /* a text, or a list of them */
    FORM_WORD,  /* one of `words` */
    FORM_WORDS, /* .. or a list of them */
    FORM_FLAG,
    FORM_DURATION,
    FORM_SHARE,
    FORM_MAP,   /* of `fields` */
    FORM_NAMED, /* a map from any names to `of` */
    FORM_LIST,  /* of `of` */
    FORM_EITHER /* one of `forms` */
};

struct form {
    enum form_kind kind;
    const char *const *words; /* NULL-terminated */
    const struct field *fields;
    unsigned nfields;
    const struct form *of;
    const struct form *const *forms; /* NULL-terminated */
};

extern const struct form FORM_OF_TEXT, FORM_OF_NAMES, FORM_OF_FLAG;

/* When a change of it applies. */
enum field_reload { FIELD_RELOAD, FIELD_RESTART };

struct field {
    const char *name;
    enum field_type type;
    size_t at;                /* offset in the struct that is filled */
    int64_t least, most;      /* most 0: no bounds but the type's own */
    const char *const *words; /* NULL-terminated */
    const char *preset;       /* as a file would say it; NULL: must be given, "": may be left out */
    enum field_reload reload;
    const char *help;
    const struct form *form; /* of a NODE, or of what is read elsewhere */
};

/* Fills `into` from the map `section` by `fields`; what is not there gets its preset. NULL or an
 * empty value stands for an empty map. `path` names the section in messages. Unknown keys, wrong
 * types and values out of bounds are told to `diag`; a value with a variable that is not set is
 * passed over in silence (fields_unset tells it). Texts live in `keep`. */
void fields_read(const struct field *fields, unsigned nfields, const struct yaml *section,
                 const char *path, void *into, struct keep *keep, struct diag *diag);
/* One value, as it stands in the struct, as a file would say it. FIELD_NODE: nothing. */
void field_show(const struct field *field, const void *from, struct buf *out);
const char *field_reload_text(enum field_reload reload);

/* Tells every variable in the tree that is not set, but where `excused` says otherwise. */
void fields_unset(const struct yaml *root, bool (*excused)(const struct yaml *node, void *with),
                  void *with, struct diag *diag);

/* The text of a node that must be a value, NULL with a fault where it is not one, is empty, or
 * holds an unset variable (this without a fault). */
const char *field_text(const struct yaml *node, const char *path, struct diag *diag);
/* A node that must be a map (NULL stands for none); false with a fault where it is not. An empty
 * value is an empty map. */
bool field_is_map(const struct yaml *node, const char *path, struct diag *diag);
/* Calls `each` for the texts of a list, or for the one text that stands in place of a list. */
void field_list(const struct yaml *node, const char *path, struct diag *diag,
                void (*each)(void *with, const struct yaml *node, const char *text), void *with);
/* Tells that a name at `node` is not one of `names`, with the nearest. `what` as in "unknown tier".
 */
void field_unknown(const struct yaml *node, const char *what, const char *name,
                   const char *const *names, unsigned count, struct diag *diag);
/* The same of a key: at its place, not at its value's. */
void field_unknown_key(const struct yaml *node, const char *const *names, unsigned count,
                       struct diag *diag);
