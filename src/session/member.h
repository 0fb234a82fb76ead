/* A database's part in a fleet of proxies that share its ledger (fresh/fleet.h): what the fleet has
 * to ask of the primary, and what follows from what it says. */
#pragma once

#include "session/rooms.h"

/* Of a database whose topology is there; database.fleet is set. False where `url` is none of Redis,
 * with *why. */
bool member_new(struct database *database, const char *url, const char **why);
/* After every transaction was forgotten, before ledger and topology go. */
void member_free(struct database *database);
/* The primary is known: there may be a fleet in front of it. */
void member_start(struct database *database);
/* The primary is known, and everything that ran on it when it was asked has ended. */
void member_opened(struct database *database, uint64_t floor);
