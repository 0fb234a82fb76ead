/* Settings of a session or a server by name: what a client asked for, what a server reported. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

struct var {
    char *name, *value;
    bool ours;     /* set without a report: of a server, by us */
    bool reported; /* the server tells of its changes by ParameterStatus */
};

struct vars {
    struct var *at;
    unsigned count, cap;
};

void vars_clear(struct vars *vars);
/* Sets or replaces. Names are compared without regard to case. */
void vars_set(struct vars *vars, struct slice name, struct slice value, bool reported);
void vars_copy(struct vars *to, const struct vars *from); /* instead of what `to` had */
void vars_remove(struct vars *vars, struct slice name);
/* NULL where it is not known. */
const struct var *vars_find(const struct vars *vars, struct slice name);
/* True where a session may set this reported setting, so that it differs between sessions. */
bool vars_settable(struct slice name);
/* Appends SET and RESET statements that make `server` as `session` wants it, to `sql`; false where
 * nothing differs. Settings of the server that the session does not name and that we once set are
 * reset. `server` is changed to what it will be. Who may set what depends on role and
 * session_authorization: those are reset first and set last. */
bool vars_match(struct vars *server, const struct vars *session, struct buf *sql);
/* The same for those that `wanted` names, and no RESET. */
bool vars_match_some(struct vars *server, const struct vars *wanted, struct buf *sql);
/* A statement_timeout that may be too short for us to set anything back under it. */
bool vars_hurried(const struct vars *server);
/* Appends a statement that sets one. Neither may hold a NUL. */
void vars_write_set(struct buf *sql, struct slice name, struct slice value);
/* Over names and values in any order; with `results` over those that may change a result's bytes.
 */
uint64_t vars_hash(const struct vars *vars, bool results);
