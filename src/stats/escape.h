/* Texts of others inside formats of ours. What is no UTF-8 is written as U+FFFD, byte by byte. */
#pragma once

#include "base/buf.h"

/* Inside the quotes of a label of the Prometheus text format. Cannot fail. */
void escape_label(struct buf *out, const char *text);
/* Inside the quotes of a JSON string. Cannot fail. */
void escape_json(struct buf *out, const char *text);
