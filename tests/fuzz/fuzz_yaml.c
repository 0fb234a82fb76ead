/* Any bytes as a settings file: the tree, and the rules compiled from it. */
#include "rules/load.h"

static const char *variable(const char *name, void *with)
{
    (void)with;
    return name[0] == 'A' ? NULL : "a: [b";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct keep *keep = keep_new();
    struct diag diag = {.file = "f"};
    struct buf said = {0};
    struct yaml *root = yaml_parse(slice_of(data, size), keep, &diag, variable, NULL);

    if (root && root->kind == YAML_MAP)
        rules_unref(rules_load(root, &diag));
    if (root)
        fields_unset(root, NULL, NULL, &diag);
    diag_print(&diag, &said);
    buf_clear(&said);
    diag_clear(&diag);
    keep_free(keep);
    return 0;
}
