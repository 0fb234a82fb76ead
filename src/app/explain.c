#include "app/explain.h"

#include <stdio.h>

#include "app/catalog_file.h"
#include "app/check.h"
#include "app/offline.h"
#include "rules/describe.h"

static void explain(const struct settings *settings, struct catalog *catalog, struct slice text)
{
    struct asker asker = {
        .database = settings->databases[0].name, .user = "", .application_name = "", .address = ""};
    struct hints hints = {0};
    struct offline offline;
    struct buf out = {0};
    struct slice lines;

    offline_begin(&offline, settings, catalog, text);
    hint_read(&hints, offline.values.tags);
    hint_asks(&hints, &asker);
    describe_plan(offline.plan, &offline.values, &asker, &out);
    if (hints.wrong.len)
        buf_printf(&out, "not understood: %.*s\n", (int)hints.wrong.len,
                   (const char *)hints.wrong.at);
    offline_notes(&offline, &out);
    lines = buf_slice(&out);
    fwrite(lines.at, 1, lines.len, stdout);
    buf_clear(&out);
    offline_end(&offline);
}

int explain_file(const char *path, const char *dump, const char *sql)
{
    struct diag diag = {.file = path};
    struct settings *settings = settings_load(path, &diag);
    struct catalog *catalog = NULL;
    bool right = settings != NULL;

    if (!settings)
        check_print(&diag);
    else if (dump)
        right = (catalog = catalog_file_load(dump)) != NULL;
    if (right)
        explain(settings, catalog, slice_text(sql));
    catalog_unref(catalog);
    settings_free(settings);
    return right ? 0 : 1;
}
