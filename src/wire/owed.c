/* Follows what a server does with the messages it was sent, reply by reply. It refuses to guess: a
 * reply that does not belong to the entry in turn is BROKEN, since an answer that reaches the wrong
 * asker is worse than a lost connection. */
#include "wire/owed.h"

#include "base/mem.h"
#include "wire/types.h"

enum { FIRST_CAP = 16 };

static struct owed_entry *entry_at(const struct owed *owed, unsigned i)
{
    return &owed->entries[(owed->head + i) & (owed->cap - 1)];
}

/* NULL where nothing is owed, or nothing that is not skipped. */
static struct owed_entry *in_turn(const struct owed *owed)
{
    return owed->count > owed->skipped ? entry_at(owed, owed->skipped) : NULL;
}

static bool ends_group(const struct owed_entry *entry)
{
    return entry->kind == OWED_SYNC;
}

/* Of the messages after whose failure the server passes over everything up to a Sync. */
static bool is_extended(const struct owed_entry *entry)
{
    return entry->kind <= OWED_EXECUTE;
}

/* Moves the i entries before it up by one, which are few and mostly none, and keep their index. */
static struct owed_entry take_at(struct owed *owed, unsigned i)
{
    struct owed_entry taken = *entry_at(owed, i);

    for (; i; i--)
        *entry_at(owed, i) = *entry_at(owed, i - 1);
    owed->head = (owed->head + 1) & (owed->cap - 1);
    owed->count--;
    return taken;
}

/* A CopyDone in turn means nothing any more: out of COPY IN the server passes over it. */
static void drop_copy_ends(struct owed *owed)
{
    struct owed_entry *entry;

    while ((entry = in_turn(owed)) && entry->kind == OWED_COPY_END)
        take_at(owed, owed->skipped);
}

static void take_turn(struct owed *owed, struct owed_entry *taken)
{
    *taken = take_at(owed, owed->skipped);
    owed->described = owed->answered = owed->copying = false;
    drop_copy_ends(owed);
}

/* Until the Sync in the queue is in turn; where there is none yet owed_add goes on with it. */
static void skip_group(struct owed *owed)
{
    while (owed->skipped < owed->count && !ends_group(entry_at(owed, owed->skipped)))
        owed->skipped++;
}

/* The index behind what a client may send during the COPY IN of the one in turn: only Syncs are
 * passed over, and fakes were not sent. Its CopyDone or CopyFail stands there if it has been sent.
 */
static unsigned find_copy_end(const struct owed *owed)
{
    unsigned i = owed->skipped + 1;

    while (i < owed->count &&
           (ends_group(entry_at(owed, i)) || entry_at(owed, i)->fate == OWED_FAKE))
        i++;
    return i;
}

static bool is_copy_end(const struct owed *owed, unsigned i)
{
    return i < owed->count && entry_at(owed, i)->kind == OWED_COPY_END;
}

/* Takes away the Syncs that the server read during COPY IN, and with them the CopyDone. Returns how
 * many Syncs there were. */
static unsigned drop_copy_syncs(struct owed *owed, unsigned end)
{
    unsigned syncs = 0;

    if (is_copy_end(owed, end))
        take_at(owed, end);
    /* Backwards: taking one changes no index before it. */
    for (unsigned i = end - 1; i > owed->skipped; i--) {
        if (ends_group(entry_at(owed, i))) {
            take_at(owed, i);
            syncs++;
        }
    }
    return syncs;
}

static void copy_done(struct owed *owed)
{
    unsigned end = find_copy_end(owed);

    if (owed->copying && is_copy_end(owed, end))
        drop_copy_syncs(owed, end);
    owed->copying = false;
}

/* A COPY IN may fail before the server has read anything of what followed, so that such a Sync is
 * answered after all. */
static void copy_failed(struct owed *owed)
{
    if (owed->copying && drop_copy_syncs(owed, find_copy_end(owed)))
        owed->doubtful = true;
    owed->copying = false;
}

enum { LETTERS = 128, WITHIN = 1, ENDS = 2 };

/* What may come while an entry of the kind is in turn, and what completes it. */
static const uint8_t expected[][LETTERS] = {
    [OWED_PARSE] = {[REPLY_PARSE] = ENDS},
    [OWED_BIND] = {[REPLY_BIND] = ENDS},
    [OWED_CLOSE] = {[REPLY_CLOSE] = ENDS},
    [OWED_DESCRIBE_STATEMENT] =
        {[REPLY_PARAMETERS] = WITHIN, [REPLY_ROWS] = ENDS, [REPLY_NO_ROWS] = ENDS},
    [OWED_DESCRIBE_PORTAL] = {[REPLY_ROWS] = ENDS, [REPLY_NO_ROWS] = ENDS},
    [OWED_EXECUTE] = {[REPLY_ROW] = WITHIN,
                      [REPLY_COPY_IN] = WITHIN,
                      [REPLY_COPY_OUT] = WITHIN,
                      [REPLY_COPY_DATA] = WITHIN,
                      [REPLY_COPY_DONE] = WITHIN,
                      [REPLY_COMPLETE] = ENDS,
                      [REPLY_EMPTY] = ENDS,
                      [REPLY_SUSPENDED] = ENDS},
    [OWED_SYNC] = {[REPLY_READY] = ENDS},
    [OWED_QUERY] = {[REPLY_ROWS] = WITHIN,
                    [REPLY_ROW] = WITHIN,
                    [REPLY_COPY_IN] = WITHIN,
                    [REPLY_COPY_OUT] = WITHIN,
                    [REPLY_COPY_BOTH] = WITHIN,
                    [REPLY_COPY_DATA] = WITHIN,
                    [REPLY_COPY_DONE] = WITHIN,
                    [REPLY_COMPLETE] = WITHIN,
                    [REPLY_EMPTY] = WITHIN,
                    [REPLY_READY] = ENDS},
    [OWED_FUNCTION] = {[REPLY_FUNCTION] = WITHIN, [REPLY_READY] = ENDS},
    [OWED_COPY_END] = {0},
};

static uint8_t expectation(const struct owed_entry *entry, uint8_t type)
{
    return type < LETTERS ? expected[entry->kind][type] : 0;
}

static bool fits(const struct owed *owed, const struct owed_entry *entry, uint8_t type)
{
    if (entry->fate == OWED_FAKE)
        return false;
    if (entry->kind == OWED_DESCRIBE_STATEMENT && owed->described == (type == REPLY_PARAMETERS))
        return false;
    if (entry->kind >= OWED_QUERY && type == REPLY_READY && !owed->answered)
        return false;
    return expectation(entry, type);
}

static enum owed_verdict verdict_over(const struct owed_entry *entry, uint8_t type)
{
    bool ours = entry->fate == OWED_SWALLOW;

    if (type == REPLY_READY)
        return ours ? OWED_READY_OURS : OWED_READY;
    return ours ? OWED_DROP : OWED_PASS;
}

static void note(struct owed *owed, uint8_t type)
{
    switch (type) {
    case REPLY_PARAMETERS:
        owed->described = true;
        break;
    case REPLY_COPY_IN:
        owed->copying = true;
        break;
    case REPLY_COMPLETE:
        copy_done(owed);
        owed->answered = true;
        break;
    case REPLY_EMPTY:
    case REPLY_FUNCTION:
        owed->answered = true;
        break;
    }
}

/* Nobody but us waits for what the error skips: all of it up to the Sync is ours. */
static bool group_is_ours(const struct owed *owed)
{
    for (unsigned i = owed->skipped; i < owed->count; i++) {
        const struct owed_entry *entry = entry_at(owed, i);

        if (entry->fate != OWED_SWALLOW)
            return false;
        if (ends_group(entry))
            return true;
    }
    return false;
}

static enum owed_verdict reply_error(struct owed *owed, struct owed_entry *completed)
{
    const struct owed_entry *entry = in_turn(owed);
    enum owed_verdict verdict;

    /* While skipping only a last word, as of a server that is shut down, can come. */
    if (!entry)
        return owed->skipping ? OWED_PASS : OWED_BROKEN;
    if (entry->fate == OWED_FAKE)
        return OWED_BROKEN;
    copy_failed(owed);
    entry = in_turn(owed);
    if (!is_extended(entry)) {
        owed->answered = true;
        return verdict_over(entry, REPLY_ERROR);
    }
    verdict = group_is_ours(owed) ? OWED_DROP : OWED_PASS;
    take_turn(owed, completed);
    owed->skipping = true;
    skip_group(owed);
    return verdict;
}

enum owed_verdict owed_reply(struct owed *owed, uint8_t type, struct owed_entry *completed)
{
    const struct owed_entry *entry;
    enum owed_verdict verdict;

    completed->kind = OWED_NO_KIND;
    if (type == REPLY_NOTICE || type == REPLY_PARAMETER || type == REPLY_NOTIFICATION)
        return OWED_PASS;
    if (owed->doubtful && !owed->skipping && !owed->answered)
        return OWED_BROKEN;
    if (type == REPLY_ERROR)
        return reply_error(owed, completed);
    entry = in_turn(owed);
    if (!entry || !fits(owed, entry, type))
        return OWED_BROKEN;
    verdict = verdict_over(entry, type);
    note(owed, type);
    if (expectation(in_turn(owed), type) == ENDS) {
        take_turn(owed, completed);
        owed->skipping = false;
    }
    return verdict;
}

static void grow(struct owed *owed)
{
    unsigned cap = owed->cap ? owed->cap * 2 : FIRST_CAP;
    struct owed_entry *entries = mem_array(cap, sizeof(*entries));

    for (unsigned i = 0; i < owed->count; i++)
        entries[i] = *entry_at(owed, i);
    mem_free(owed->entries);
    owed->entries = entries;
    owed->head = 0;
    owed->cap = cap;
}

void owed_add(struct owed *owed, enum owed_kind kind, enum owed_fate fate, void *about)
{
    bool idle = !in_turn(owed);

    if (kind == OWED_COPY_END && idle)
        return;
    if (owed->count == owed->cap)
        grow(owed);
    *entry_at(owed, owed->count++) = (struct owed_entry){(uint8_t)kind, (uint8_t)fate, about};
    if (owed->skipping && idle)
        skip_group(owed);
}

bool owed_fake(struct owed *owed, struct owed_entry *entry)
{
    const struct owed_entry *first = in_turn(owed);

    if (!first || first->fate != OWED_FAKE || owed->skipping)
        return false;
    take_turn(owed, entry);
    return true;
}

bool owed_skipped(struct owed *owed, struct owed_entry *entry)
{
    while (owed->skipped) {
        *entry = take_at(owed, 0);
        owed->skipped--;
        if (entry->kind != OWED_COPY_END)
            return true;
    }
    return false;
}

bool owed_ours(const struct owed *owed)
{
    for (unsigned i = 0; i < owed->count; i++)
        if (entry_at(owed, i)->fate != OWED_SWALLOW)
            return false;
    return !owed->doubtful;
}

bool owed_awaits(const struct owed *owed, enum owed_kind kind, const void *about)
{
    for (unsigned i = 0; i < owed->count; i++) {
        const struct owed_entry *entry = entry_at(owed, i);

        if (entry->kind == kind && entry->fate != OWED_FAKE && entry->about == about)
            return true;
    }
    return false;
}

uint8_t owed_next_kind(const struct owed *owed)
{
    const struct owed_entry *entry = in_turn(owed);

    return entry ? entry->kind : OWED_NO_KIND;
}

const void *owed_next_about(const struct owed *owed)
{
    const struct owed_entry *entry = in_turn(owed);

    return entry ? entry->about : NULL;
}

enum owed_fate owed_next_fate(const struct owed *owed)
{
    const struct owed_entry *entry = in_turn(owed);

    return entry ? entry->fate : OWED_FORWARD;
}

void owed_clear(struct owed *owed)
{
    mem_free(owed->entries);
    *owed = (struct owed){0};
}
