/* A server that answers what it is sent by the rules of the protocol, driven by a string of bytes,
 * and a check of every verdict of wire/owed against it. It knows what owed has to find out: to whom
 * a reply belongs. Any string of bytes is a conversation. */
#pragma once

#include "wire/owed.h"

#include <stdlib.h>

enum { MODEL_SENT = 96, MODEL_REPLIES = 1024 };

#define MODEL_MUST(what)                                                                           \
    do {                                                                                           \
        if (!(what))                                                                               \
            abort();                                                                               \
    } while (0)

enum model_end { MODEL_WAITS, MODEL_DONE, MODEL_FAILED, MODEL_SKIPPED, MODEL_UNANSWERED };

struct model_sent {
    uint8_t kind, fate;
    enum model_end meant, seen;
};

struct model_reply {
    uint8_t type;
    int owner; /* an index into sent; -1: nobody's */
    bool completes;
};

struct model {
    struct owed owed;
    const uint8_t *in;
    size_t left;
    struct model_sent sent[MODEL_SENT];
    int nsent, done; /* the server has read this many */
    struct model_reply replies[MODEL_REPLIES];
    int nreplies, delivered;
    int copying; /* who is in COPY IN, or -1 */
    bool ignoring, dead, over;
};

static inline unsigned model_byte(struct model *model)
{
    if (!model->left)
        return 0;
    model->left--;
    return *model->in++;
}

static inline int model_index(struct model *model, const struct owed_entry *entry)
{
    int i = (int)(intptr_t)entry->about - 1;

    MODEL_MUST(i >= 0 && i < model->nsent);
    MODEL_MUST(model->sent[i].kind == entry->kind && model->sent[i].fate == entry->fate);
    MODEL_MUST(model->sent[i].seen == MODEL_WAITS);
    return i;
}

/* Everything before it that is still to be answered was answered. */
static inline void model_in_order(struct model *model, int i)
{
    for (int j = 0; j < i; j++)
        MODEL_MUST(model->sent[j].seen != MODEL_WAITS || model->sent[j].kind == OWED_COPY_END ||
                   model->sent[j].meant == MODEL_UNANSWERED);
}

static inline void model_drain(struct model *model)
{
    struct owed_entry entry;

    while (owed_skipped(&model->owed, &entry))
        model->sent[model_index(model, &entry)].seen = MODEL_SKIPPED;
    while (owed_fake(&model->owed, &entry)) {
        int i = model_index(model, &entry);

        MODEL_MUST(entry.fate == OWED_FAKE);
        if (!model->owed.doubtful)
            model_in_order(model, i);
        model->sent[i].seen = MODEL_DONE;
    }
}

static inline void model_send(struct model *model)
{
    static const uint8_t kinds[] = {OWED_PARSE,   OWED_PARSE, OWED_BIND,  OWED_CLOSE,
                                    OWED_EXECUTE, OWED_SYNC,  OWED_QUERY, OWED_FUNCTION,
                                    OWED_EXECUTE, OWED_SYNC,  OWED_QUERY, OWED_DESCRIBE_STATEMENT,
                                    OWED_BIND,    OWED_SYNC,  OWED_PARSE, OWED_DESCRIBE_PORTAL,
                                    OWED_COPY_END};
    unsigned choice = model_byte(model);
    struct model_sent *sent = &model->sent[model->nsent];

    if (model->nsent == MODEL_SENT)
        return;
    sent->kind = kinds[choice % sizeof(kinds)];
    /* Of what does not belong into a copy only a little, as it ends the conversation. */
    if (model->copying >= 0 && choice % 16)
        sent->kind = choice % 3 ? OWED_COPY_END : OWED_SYNC;
    switch (choice / sizeof(kinds) % 5) {
    case 0:
        sent->fate = sent->kind == OWED_COPY_END ? OWED_FORWARD : OWED_SWALLOW;
        break;
    case 1:
        sent->fate = sent->kind <= OWED_DESCRIBE_PORTAL ? OWED_FAKE : OWED_FORWARD;
        break;
    }
    model->nsent++;
    owed_add(&model->owed, sent->kind, sent->fate, (void *)(intptr_t)model->nsent);
    model_drain(model);
}

static inline void model_say(struct model *model, uint8_t type, int owner, bool completes)
{
    if (model->nreplies == MODEL_REPLIES) {
        model->dead = true;
        return;
    }
    model->replies[model->nreplies++] = (struct model_reply){type, owner, completes};
}

static inline void model_fail(struct model *model, int i)
{
    bool extended = model->sent[i].kind <= OWED_EXECUTE;

    model_say(model, 'E', i, extended);
    model->copying = -1;
    if (extended) {
        model->sent[i].meant = MODEL_FAILED;
        model->ignoring = true;
        return;
    }
    model->sent[i].meant = MODEL_DONE;
    model_say(model, 'Z', i, true);
}

static inline void model_finish(struct model *model, int i, uint8_t type)
{
    model_say(model, type, i, true);
    model->sent[i].meant = MODEL_DONE;
}

/* One statement of a Query or an Execute, up to where it is done or waits for copy data. */
static inline void model_rows(struct model *model, int i, unsigned choice)
{
    bool query = model->sent[i].kind == OWED_QUERY;

    if (choice % 8 == 0) {
        model_say(model, 'G', i, false);
        model->copying = i;
        return;
    }
    if (choice % 8 == 1) {
        model_say(model, 'H', i, false);
        model_say(model, 'd', i, false);
        model_say(model, 'c', i, false);
    } else if (choice % 8 < 5) {
        if (query)
            model_say(model, 'T', i, false);
        model_say(model, 'D', i, false);
    }
    if (choice / 8 % 4 == 0)
        model_fail(model, i);
    else if (query)
        model_say(model, choice % 8 == 7 ? 'I' : 'C', i, false);
    else
        model_finish(model, i, choice % 8 == 7 ? 'I' : choice % 8 == 6 ? 's' : 'C');
}

static inline void model_query(struct model *model, int i)
{
    for (int statements = 0; statements < 3; statements++) {
        model_rows(model, i, model_byte(model));
        if (model->copying == i || model->sent[i].meant != MODEL_WAITS)
            return;
        if (model_byte(model) % 2)
            break;
    }
    model_finish(model, i, 'Z');
}

static inline void model_answer(struct model *model, int i)
{
    static const char simple[] = {[OWED_PARSE] = '1', [OWED_BIND] = '2', [OWED_CLOSE] = '3'};
    unsigned choice = model_byte(model);

    switch (model->sent[i].kind) {
    case OWED_PARSE:
    case OWED_BIND:
    case OWED_CLOSE:
        if (choice % 4 == 0)
            model_fail(model, i);
        else
            model_finish(model, i, (uint8_t)simple[model->sent[i].kind]);
        break;
    case OWED_DESCRIBE_STATEMENT:
        if (choice % 8 == 1)
            model_fail(model, i);
        else
            model_say(model, 't', i, false);
        if (model->ignoring)
            break;
        /* fall through */
    case OWED_DESCRIBE_PORTAL:
        if (choice % 4 == 0)
            model_fail(model, i);
        else
            model_finish(model, i, choice % 4 == 1 ? 'n' : 'T');
        break;
    case OWED_EXECUTE:
        model_rows(model, i, choice);
        break;
    case OWED_QUERY:
        model_query(model, i);
        break;
    case OWED_FUNCTION:
        if (choice % 4 == 0) {
            model_fail(model, i);
        } else {
            model_say(model, 'V', i, false);
            model_finish(model, i, 'Z');
        }
        break;
    case OWED_SYNC:
        if (choice % 8 == 0)
            model_fail(model, i);
        else
            model_finish(model, i, 'Z');
        break;
    }
}

/* What reaches the server during COPY IN. */
static inline void model_copy(struct model *model)
{
    int copying = model->copying;
    struct model_sent *sent = &model->sent[model->done];

    if (model_byte(model) % 4 == 0) {
        model_fail(model, copying);
        return;
    }
    if (model->done == model->nsent)
        return;
    model->done++;
    if (sent->kind == OWED_SYNC) {
        sent->meant = MODEL_UNANSWERED;
        return;
    }
    if (sent->kind != OWED_COPY_END) {
        model_say(model, 'E', copying, false); /* and it hangs up */
        model->dead = true;
        return;
    }
    model->copying = -1;
    if (model->sent[copying].kind == OWED_QUERY) {
        model_say(model, 'C', copying, false);
        model_query(model, copying);
    } else {
        model_finish(model, copying, 'C');
    }
}

static inline void model_serve(struct model *model)
{
    struct model_sent *sent = &model->sent[model->done];

    if (model->dead)
        return;
    if (model->copying >= 0) {
        model_copy(model);
        return;
    }
    if (model->done == model->nsent)
        return;
    model->done++;
    if (sent->kind == OWED_COPY_END)
        return;
    if (model->ignoring && sent->kind != OWED_SYNC) {
        sent->meant = MODEL_SKIPPED;
        return;
    }
    model->ignoring = false;
    if (sent->fate == OWED_FAKE)
        sent->meant = MODEL_DONE;
    else
        model_answer(model, (int)(sent - model->sent));
}

/* Once the Syncs can't be told apart, all that is asked is that trust ends with the next Z. */
static inline void model_doubt(struct model *model, const struct model_reply *reply,
                               enum owed_verdict verdict)
{
    struct owed_entry entry;

    MODEL_MUST(verdict == OWED_BROKEN || reply->type == 'Z' || reply->type == 'E');
    if (verdict != OWED_BROKEN && reply->type == 'E')
        return;
    if (verdict != OWED_BROKEN)
        MODEL_MUST(owed_reply(&model->owed, 'Z', &entry) == OWED_BROKEN);
    model->over = true;
}

static inline void model_check(struct model *model, const struct model_reply *reply,
                               enum owed_verdict verdict, const struct owed_entry *completed)
{
    struct model_sent *owner = &model->sent[reply->owner];
    bool ours = owner->fate == OWED_SWALLOW;

    if (reply->type == 'Z')
        MODEL_MUST(verdict == (ours ? OWED_READY_OURS : OWED_READY));
    else if (reply->type == 'E' && ours && owner->kind <= OWED_EXECUTE)
        MODEL_MUST(verdict == OWED_PASS || verdict == OWED_DROP);
    else
        MODEL_MUST(verdict == (ours ? OWED_DROP : OWED_PASS));
    MODEL_MUST((completed->kind != OWED_NO_KIND) == reply->completes);
    if (!reply->completes)
        return;
    MODEL_MUST(model_index(model, completed) == reply->owner);
    model_in_order(model, reply->owner);
    owner->seen = reply->type == 'E' ? MODEL_FAILED : MODEL_DONE;
}

static inline void model_deliver(struct model *model)
{
    struct model_reply *reply = &model->replies[model->delivered];
    struct owed_entry completed;
    bool doubtful = model->owed.doubtful;
    enum owed_verdict verdict;

    if (model->delivered == model->nreplies)
        return;
    model->delivered++;
    if (model->dead && model->delivered == model->nreplies) {
        model->over = true;
        return;
    }
    verdict = owed_reply(&model->owed, reply->type, &completed);
    if (doubtful) {
        model_doubt(model, reply, verdict);
        return;
    }
    model_check(model, reply, verdict, &completed);
    model_drain(model);
}

static inline void model_settle(struct model *model)
{
    for (int i = 0; i < 4 * MODEL_SENT && !model->over; i++)
        model_serve(model);
    while (model->delivered < model->nreplies && !model->over)
        model_deliver(model);
    if (model->over || model->dead || model->owed.doubtful)
        return;
    for (int i = 0; i < model->nsent; i++)
        if (model->sent[i].kind != OWED_COPY_END && model->sent[i].meant != MODEL_UNANSWERED &&
            model->copying < 0)
            MODEL_MUST(model->sent[i].seen == model->sent[i].meant);
    if (model->copying < 0)
        MODEL_MUST(model->owed.count == 0 && model->owed.skipping == model->ignoring);
}

static inline void model_run(const uint8_t *in, size_t len)
{
    struct model model = {.in = in, .left = len, .copying = -1};

    while (model.left && !model.over) {
        switch (model_byte(&model) % 4) {
        case 0:
        case 1:
            model_send(&model);
            break;
        case 2:
            model_serve(&model);
            break;
        case 3:
            model_deliver(&model);
            break;
        }
    }
    model_settle(&model);
    owed_clear(&model.owed);
}
