/* The pages of our HTTP server: /metrics and /healthz. */
#pragma once

#include "stats/gather.h"
#include "stats/http.h"

/* For http_options.page; `owner` is a struct gather. */
bool pages_answer(void *owner, const char *path, struct http_page *page);
