/* Where the servers of a pool live and as whom they log in. */
#pragma once

#include <stdint.h>

/* Strings live as long as the pool. */
struct pool_place {
    const char *node; /* for people: "host:port" */
    const char *host;
    const char
        *address; /* the node's resolved address where one is known: dialled instead of host */
    int port;
    const char *dbname, *user, *password; /* password NULL: none known */
    const unsigned *instance; /* the node's instance counter, noted by each server at login */
    int64_t connect_timeout;  /* ns */
};
