/* Prepared statements shared by clients: one text with its parameter types is one statement,
 * whatever the clients call it, and has one name on every server. */
#pragma once

#include "base/map.h"
#include "base/ring.h"
#include "base/slice.h"

/* Immutable but for `facts`; lives while referenced. */
struct statement {
    uint64_t id;
    char name[24];     /* on servers: "pgtier_<id>" */
    struct slice text; /* owned, without a NUL in the slice */
    struct slice oids; /* owned: parameter types as they stand in Parse */
    uint16_t noids;
    uint32_t body; /* prepared by SQL: `text` follows PREPARE's name, and runs from here; else 0 */
    uint64_t proved;  /* for which user and settings a server has accepted it; 0: for none yet */
    bool outdated;    /* .. which it no longer has */
    uint64_t columns; /* hash of the columns that a client was told it has; 0: nobody was */
    void *facts;      /* what the layer above knows of the text; freed through free_facts */
    void (*free_facts)(void *facts);
    /* private */
    struct map_link link;
    struct statements *in;
    uint64_t under;
    unsigned refs;
    bool retired;
};

struct statements {
    struct map map;
    uint64_t last_id;
    size_t bytes;
};

/* Found or made, and referenced. `under`: a hash of the settings that decide what the text means
 * when it is parsed. */
struct statement *statement_of(struct statements *in, struct slice text, struct slice oids,
                               uint64_t under);
/* The same for "[(types)] AS query", as it stands behind PREPARE's name, the query at `body`. */
struct statement *statement_by_sql(struct statements *in, struct slice text, size_t body,
                                   uint64_t under);
/* No Parse finds it any more: the next one makes a new one, which is returned, referenced. */
struct statement *statement_renew(struct statement *statement, uint64_t under);
struct statement *statement_ref(struct statement *statement);
void statement_unref(struct statement *statement);

/* The statements one server has, least recently used first out. */
struct prepared {
    struct map map;
    struct ring recent;
    unsigned count;
};

enum { PREPARED_MAX = 500 };

void prepared_init(struct prepared *prepared);
void prepared_clear(struct prepared *prepared);
bool prepared_has(struct prepared *prepared, const struct statement *statement);
/* The one of this id; NULL: it has none. */
struct statement *prepared_find(const struct prepared *prepared, uint64_t id);
/* Adds it, referenced. Where that makes it one too many, the oldest is taken out and returned, to
 * be closed on the server; unreference it. Else NULL. */
struct statement *prepared_add(struct prepared *prepared, struct statement *statement);
void prepared_remove(struct prepared *prepared, uint64_t id);
