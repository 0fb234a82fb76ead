/* A statement judged where no server is asked: by the file alone, or by it and a catalog that was
 * dumped (catalog_file.h). */
#pragma once

#include "app/settings.h"
#include "base/buf.h"
#include "rules/hint.h"
#include "rules/plan.h"

struct offline {
    struct values values;
    struct shape *shape;
    struct catalog *catalog; /* the given one, or one that is imagined */
    bool imagined;
    struct plan *plan;
};

/* `text` must live until offline_end. Without a catalog (NULL) declared relations are taken for
 * ordinary tables, their dimensions for columns of the type that the statement's values have, and
 * functions that are not known for immutable ones of PostgreSQL's own. */
void offline_begin(struct offline *offline, const struct settings *settings,
                   struct catalog *catalog, struct slice text);
void offline_end(struct offline *offline);
/* Lines "note: .." that say what was taken for granted. */
void offline_notes(const struct offline *offline, struct buf *out);
