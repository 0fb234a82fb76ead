/* uv_getaddrinfo, with the request on the heap so that a cancel needs no waiting. */
#include "net/resolve.h"

#include "base/mem.h"

#include <uv.h>

struct resolve {
    uv_getaddrinfo_t uv;
    void (*done)(void *owner, const struct addresses *addresses, const char *why);
    void *owner;
    bool queued;
};

static void collect(const struct addrinfo *list, struct addresses *addresses)
{
    for (; list && addresses->count < RESOLVE_MAX; list = list->ai_next) {
        char *text = addresses->at[addresses->count];

        if (list->ai_family == AF_INET)
            uv_ip4_name((const struct sockaddr_in *)list->ai_addr, text, RESOLVE_TEXT);
        else if (list->ai_family == AF_INET6)
            uv_ip6_name((const struct sockaddr_in6 *)list->ai_addr, text, RESOLVE_TEXT);
        else
            continue;
        addresses->count++;
    }
}

static void resolved(uv_getaddrinfo_t *uv, int status, struct addrinfo *list)
{
    struct resolve *resolve = uv->data;
    struct addresses addresses = {.count = 0};

    collect(list, &addresses);
    uv_freeaddrinfo(list);
    if (resolve->done)
        resolve->done(resolve->owner, &addresses,
                      status < 0 ? uv_strerror(status) : "the name has no address");
    mem_free(resolve);
}

struct failure {
    uv_timer_t uv;
    struct resolve *resolve;
};

static void free_failure(uv_handle_t *handle)
{
    mem_free(handle->data);
}

/* The request could not even start; that is told later, like any other end. */
static void fail(uv_timer_t *uv)
{
    struct failure *failure = uv->data;

    resolved(&failure->resolve->uv, UV_EAI_FAIL, NULL);
    uv_close((uv_handle_t *)uv, free_failure);
}

struct resolve *resolve_start(struct loop *loop, const char *host,
                              void (*done)(void *owner, const struct addresses *addresses,
                                           const char *why),
                              void *owner)
{
    struct resolve *resolve = mem_new(sizeof(*resolve));
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct failure *failure;

    resolve->done = done;
    resolve->owner = owner;
    resolve->uv.data = resolve;
    if (uv_getaddrinfo(loop_uv(loop), &resolve->uv, resolved, host, NULL, &hints) == 0) {
        resolve->queued = true;
        return resolve;
    }
    failure = mem_new(sizeof(*failure));
    failure->resolve = resolve;
    uv_timer_init(loop_uv(loop), &failure->uv);
    failure->uv.data = failure;
    uv_timer_start(&failure->uv, fail, 0, 0);
    return resolve;
}

void resolve_cancel(struct resolve *resolve)
{
    resolve->done = NULL;
    if (resolve->queued)
        uv_cancel((uv_req_t *)&resolve->uv);
}
