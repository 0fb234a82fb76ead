/* What a client leaves on its server beyond a transaction: settings, temporary tables, locks and
 * the like. Nobody can tell it from the texts alone (a SET may be rolled back, a function may do
 * anything), so the server is asked itself, behind the transaction that may have left something. */
#pragma once

#include "base/buf.h"
#include "session/prepare.h"
#include "sql/shapes.h"

struct session;
struct request;

/* The text may leave something, with these values. */
void inventory_note(struct session *session, const struct known_shape *known,
                    const struct values *values, enum prepare_use use);
/* .. as may one that nobody has read. */
void inventory_note_unread(struct session *session);
/* Setting names that a text of code (DO) may set: all words with dots in it. */
void inventory_note_code(struct session *session, struct slice text);

/* The transaction may have called nextval. */
bool inventory_uses_sequences(const struct session *session);
/* A statement failed, or a part of the transaction was taken back: what was set may not be. */
void inventory_doubt_names(struct session *session);
/* The transaction is over. `failed`: its one statement did, and was rolled back. Asks where there
 * is something to ask. The server is kept until `inventory_taken`. */
void inventory_end(struct session *session, bool failed);
/* The same question right behind a request that is the whole of its transaction: appends messages
 * to `out` and what is owed for them to the server. */
void inventory_ride(struct session *session, const struct request *request, struct buf *out);

/* What it rode behind is sent once more: so is the question. */
void inventory_again(struct session *session);

/* There is something to ask when the transaction ends. */
bool inventory_is_due(const struct session *session);
/* The answer is on its way. */
bool inventory_is_out(const struct session *session);
/* A message of the answer, where `about` is what it was owed for. False: of something else. */
bool inventory_seen(struct session *session, const void *about, uint8_t type, struct slice whole);
/* The answer is whole, where `about` is what it was owed for: settings and pins are as the server
 * says; of anything else it is no news. */
void inventory_taken(struct session *session, const void *about);
/* Its server is gone, and the answer with it. */
void inventory_lost(struct session *session);
void inventory_clear(struct session *session);
