/* Console texts: every byte is used once, in order, whatever stands in them; and foreign texts stay
 * inside the quotes they are put in. */
#include "admin/command.h"
#include "admin/explain.h"
#include "base/buf.h"
#include "base/mem.h"
#include "stats/escape.h"

#include <stdlib.h>

static void words(struct slice text)
{
    const uint8_t *end = text.at + text.len;
    size_t before;

    do {
        struct slice word;

        before = text.len;
        word = command_word(&text);
        if (text.at + text.len != end || (word.len > 0 && word.at + word.len > text.at))
            abort();
        if (text.len == before && command_trim(text).len > 0)
            abort();
    } while (text.len < before);
}

static void cuts(struct slice text)
{
    const uint8_t *end = text.at + text.len;

    while (text.len > 0) {
        const uint8_t *at = text.at;
        struct slice cut = command_cut(&text);

        if (cut.at != at || text.at <= at || text.at + text.len != end)
            abort();
        words(cut);
    }
}

/* No quote ends the string early, and no control byte is left in JSON. */
static void escapes(struct slice text)
{
    char *foreign = mem_text(text.at, text.len);
    struct buf label = {0}, json = {0};

    escape_label(&label, foreign);
    escape_json(&json, foreign);
    for (size_t i = 0; i < buf_len(&label); i++) {
        i += label.at[i] == '\\';
        if (i >= buf_len(&label) || label.at[i] == '\n' ||
            (label.at[i] == '"' && label.at[i - 1] != '\\'))
            abort();
    }
    for (size_t i = 0; i < buf_len(&json); i++) {
        i += json.at[i] == '\\';
        if (i >= buf_len(&json) || json.at[i] < 0x20 ||
            (json.at[i] == '"' && json.at[i - 1] != '\\'))
            abort();
    }
    buf_clear(&label);
    buf_clear(&json);
    mem_free(foreign);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct slice text = slice_of(at, len), rest;

    words(text);
    cuts(text);
    escapes(text);
    if (explain_is(text, &rest) && (rest.at < text.at || rest.at + rest.len != at + len))
        abort();
    return 0;
}
