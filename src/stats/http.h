/* A small HTTP server on our loop, for pages that are made when they are asked for. GET and HEAD
 * only; knows nothing of what is on the pages. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "net/loop.h"

struct http;

struct http_page {
    unsigned status;  /* 200 until set */
    const char *type; /* Content-Type; a literal */
    struct buf body;
};

struct http_options {
    const char *address; /* "127.0.0.1", "::1", "localhost", "*" for all */
    int port;            /* 0: any free one */
    /* Fills the page of `path` (without its query); false: there is none (404). */
    bool (*page)(void *owner, const char *path, struct http_page *page);
    void *owner;
};

/* NULL where the address can't be had, with *err. */
struct http *http_new(struct loop *loop, const struct http_options *options, struct err *err);
int http_port(const struct http *http);
/* Drops whoever is being answered. NULL is allowed. */
void http_free(struct http *http);
