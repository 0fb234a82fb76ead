#include "app/check.h"

#include <stdio.h>

#include "app/settings.h"

void check_print(struct diag *diag)
{
    struct buf text = {0};
    struct slice faults;

    diag_print(diag, &text);
    faults = buf_slice(&text);
    fwrite(faults.at, 1, faults.len, stderr);
    buf_clear(&text);
    diag_clear(diag);
}

int check_file(const char *path)
{
    struct diag diag = {.file = path};
    struct settings *settings = settings_load(path, &diag);

    if (!settings) {
        check_print(&diag);
        return 1;
    }
    printf("%s: right: %u database%s, %u relations, %u operations, %u cache classes\n", path,
           settings->ndatabases, settings->ndatabases == 1 ? "" : "s", settings->rules->nrelations,
           settings->rules->noperations, settings->rules->nclasses);
    settings_free(settings);
    return 0;
}
