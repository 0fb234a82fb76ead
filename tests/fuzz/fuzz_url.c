/* Any text as a url: what is taken has a scheme, and its password is never in the masked text's
 * place. */
#include <stdlib.h>

#include "base/mem.h"
#include "conf/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_text(data, size);
    struct buf masked = {0};
    struct url url;
    const char *why;
    bool ok = url_parse(text, &url, &why);

    if (ok && (!url.scheme || url.port < 0 || url.port > 65535 || url.noptions > URL_OPTIONS))
        abort();
    if (!ok && !why)
        abort();
    url_masked(text, &masked);
    if (ok && url.password && !memmem(masked.at, buf_len(&masked), ":***@", 5))
        abort();
    if (ok)
        url_clear(&url);
    buf_clear(&masked);
    mem_free(text);
    return 0;
}
