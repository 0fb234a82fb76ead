/* PREPARE, EXECUTE and DEALLOCATE as texts. A client has one space of names for what it prepares by
 * SQL and by Parse; servers know each statement under a name of ours, so a text that speaks of one
 * is rewritten where it is a lone statement. In any other text the names that occur in it are made
 * known to the server as they are, for as long as the text runs. */
#pragma once

#include "session/names.h"
#include "session/request.h"

/* What a Query does with a name. */
enum prepare_use {
    PREPARE_NONE,
    PREPARE_MAKES,   /* message.statement is new under this name */
    PREPARE_CLASHES, /* there is one of this name: the server is to say so */
    PREPARE_FOREIGN, /* it is a name of ours, and not of any statement of this client */
    PREPARE_RUNS     /* EXECUTE, maybe of EXPLAIN or CREATE TABLE AS */
};

/* Reads the text of a Query of this shape: what it does with which name. Names come to be and go as
 * it says, as far as the server will agree. */
void prepare_read(struct session *session, struct request *request, struct message *message,
                  const struct shape *shape);
/* A name such as pgtier gives on servers. */
bool prepare_is_ours(struct slice name);
/* The name that stands in the text of a Query, as a Parse would have it; appended to `out`. */
void prepare_spell(const struct request *request, const struct message *message, struct buf *out);
/* The body of an EXECUTE is all that the text runs: it may be judged in its stead. */
bool prepare_is_transparent(const struct message *message, const struct shape *shape);
/* A text of the extended protocol, or of several statements, speaks of names. */
bool prepare_is_spoken(const struct shape *shape);
/* What DEALLOCATE takes away in a text of several statements, if it will work. */
void prepare_drop(struct session *session, const struct request *request);
/* The text asks which statements there are: it is to find those of its client, under its names. */
bool prepare_is_asked(const struct shape *shape);
/* The name of a statement occurs in a text of the request. */
bool prepare_occurs(const struct request *request, struct slice name);
