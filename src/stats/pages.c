/* Which path shows what. */
#include "stats/pages.h"

#include "stats/health.h"
#include "stats/prometheus.h"

bool pages_answer(void *owner, const char *path, struct http_page *page)
{
    const struct gather *gather = owner;

    if (strcmp(path, "/metrics") == 0) {
        page->type = PROMETHEUS_TYPE;
        gather_metrics(gather, &page->body);
        return true;
    }
    if (strcmp(path, "/healthz") == 0) {
        page->type = "application/json";
        page->status = health_write(gather->rooms, &page->body) ? 200 : 503;
        return true;
    }
    return false;
}
