/* Any replies to any messages must not break what is owed; and where a server plays by the rules,
 * each verdict is the right one (the model in ../unit/owed_model.h). */
#include "../unit/owed_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void answer_anything(const uint8_t *at, size_t len)
{
    static const char replies[] = "123tTnDCIsGHWdcEZVNSARKvx";
    struct owed owed = {0};
    struct owed_entry entry;
    unsigned added = 0, taken = 0;

    for (size_t i = 0; i < len; i++) {
        if (at[i] & 1) {
            owed_add(&owed, (at[i] >> 1) % (OWED_FUNCTION + 1), (at[i] >> 5) % 3, NULL);
            added++;
        } else {
            owed_reply(&owed, (uint8_t)replies[(at[i] >> 1) % (sizeof(replies) - 1)], &entry);
            taken += entry.kind != OWED_NO_KIND;
        }
        while (owed_skipped(&owed, &entry))
            taken++;
        while (owed_fake(&owed, &entry))
            taken++;
        MODEL_MUST(owed.count <= owed.cap && owed.skipped == 0);
        /* Only Syncs that a COPY IN passed over vanish unreported. */
        MODEL_MUST(taken + owed.count <= added);
    }
    owed_clear(&owed);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    answer_anything(at, len);
    model_run(at, len);
    return 0;
}
