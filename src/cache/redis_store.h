/* Entries in a Redis server, as blobs with a time to live. */
#pragma once

#include "cache/store.h"

/* By settings.store (redis://[user:password@]host[:port][/db], where `?master=name` the host is a
 * Sentinel, of which `&sentinels=host:port,..` names more) and settings.timeout. NULL and *why
 * where the URL is not of that form. A server that is away is no error. */
struct store *redis_store_new(struct loop *loop, const struct cache_settings *settings,
                              const char **why);
