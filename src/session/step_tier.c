/* Tier: whom a statement names is looked up where nothing else tells its tier, in the cache first,
 * then on the primary; the verdict follows. What the cache holds of a user ends with the next write
 * to that user, like any answer. Without an answer the tier is not known, and nothing is refused.
 */
#include "session/conversation.h"

#include "base/clock.h"
#include "base/mem.h"
#include "wire/frame.h"
#include "wire/types.h"
#include "wire/write.h"

#include <stdio.h>

/* Of the request; empty but for its memory before and after. */
struct whose {
    struct session *session;
    struct known_shape *known; /* of the question; referenced */
    struct buf sql, rows;
    struct values values;
    struct footprint_read read;
    struct need need;
    struct key key;
    struct cache_ask ask;
    struct control_ask query;
    unsigned nrows;
    uint32_t tier; /* bit, by the first row */
    bool asked, leads, querying;
};

/* --- the question --- */

static void put_name(struct buf *sql, const char *name)
{
    buf_put(sql, "\"", 1);
    for (; *name; name++)
        buf_put(sql, *name == '"' ? "\"\"" : name, *name == '"' ? 2 : 1);
    buf_put(sql, "\"", 1);
}

/* Of characters that mean themselves whatever the server's settings are. */
static bool is_plain(const char *user, int len)
{
    for (int i = 0; i < len; i++)
        if (user[i] < ' ' || user[i] > '~' || user[i] == '\\' || user[i] == '\'')
            return false;
    return len > 0;
}

static void write_question(const struct tier_user *from, struct slice user, struct buf *sql)
{
    buf_put_slice(sql, SLICE("SELECT "));
    put_name(sql, from->tier);
    buf_put_slice(sql, SLICE(" FROM "));
    if (from->relation->schema) {
        put_name(sql, from->relation->schema);
        buf_put(sql, ".", 1);
    }
    put_name(sql, from->relation->name);
    buf_put_slice(sql, SLICE(" WHERE "));
    put_name(sql, from->key);
    buf_put_slice(sql, SLICE(" = '"));
    buf_put_slice(sql, user);
    buf_put(sql, "'", 2); /* and its NUL */
}

/* False where nobody is named, or what is known of the relation is too little to keep an answer. */
static bool prepare(struct whose *whose, const struct plan *plan, struct slice user)
{
    struct database *database = whose->session->database;
    const struct plan *own;
    struct pinned pinned;

    write_question(&plan->rules->tier_user, user, &whose->sql);
    whose->known = shapes_find(&database->shapes,
                               slice_first(buf_slice(&whose->sql), buf_len(&whose->sql) - 1), NULL,
                               &whose->values);
    own = database_plan(database, whose->known);
    if (!own->read || own->anything || own->uncached != PLAN_NONE)
        return false;
    plan_pinned(own, &whose->values, &pinned);
    if (pinned.count != 1)
        return false;
    footprint_read(own, &pinned, &whose->read);
    ledger_need(database->ledger, &whose->read, &whose->need);
    return true;
}

static void make_key(struct whose *whose, const struct tier_user *from, struct slice user)
{
    struct session *session = whose->session;
    struct key_pin pin = {from->key, user};
    struct key_parts parts = {
        .name_space = database_name_space(session->database),
        .database = slice_text(session->database->name),
        .shape = whose->known->shape,
        .values = &whose->values,
        .cache = from->cache,
        .pins = &pin,
        .npins = 1,
    };

    key_make(&parts, &whose->key);
}

/* --- the answer --- */

static uint32_t tier_in(const struct session *session, const struct entry *entry)
{
    struct slice row = entry->rows;
    uint32_t len;

    if (!entry->row || row.len < FRAME_HEAD + 6)
        return 0;
    row = slice_skip(row, FRAME_HEAD + 2);
    len = (uint32_t)row.at[0] << 24 | (uint32_t)row.at[1] << 16 | (uint32_t)row.at[2] << 8 |
          row.at[3];
    row = slice_skip(row, 4);
    return len <= row.len ? rules_tier(session->rooms->rules, slice_first(row, len)) : 0;
}

/* What becomes of the request; what was found is in user_tier. */
static enum outcome settle(struct session *session, uint32_t tier)
{
    session->request->user_tier = tier;
    return judge_again(session) ? STEP_ON : STEP_FAILED;
}

static void go_on(struct session *session, enum outcome outcome)
{
    if (outcome == STEP_ON)
        steps_on(session);
    else if (outcome == STEP_FAILED)
        steps_failed(session);
}

static void land(struct whose *whose)
{
    const char *name = "tier";
    struct buf bytes = {0};
    char tag[24];

    write_columns(&bytes, &name, 1);
    cache_record(&whose->ask, REPLY_ROWS, buf_slice(&bytes));
    cache_record(&whose->ask, REPLY_ROW, buf_slice(&whose->rows));
    buf_clear(&bytes);
    snprintf(tag, sizeof(tag), "SELECT %u", whose->nrows);
    write_complete(&bytes, tag);
    cache_record(&whose->ask, REPLY_COMPLETE, buf_slice(&bytes));
    buf_clear(&bytes);
    cache_land(&whose->ask, clock_now());
}

static void hear_row(void *owner, const struct slice *fields, unsigned count)
{
    struct whose *whose = owner;

    if (whose->nrows++ == 0 && count == 1 && fields[0].at)
        whose->tier = rules_tier(whose->session->rooms->rules, fields[0]);
    write_row(&whose->rows, fields, count);
}

static void have_rows(void *owner)
{
    struct whose *whose = owner;

    whose->querying = false;
    if (whose->leads && whose->need.shut)
        cache_drop(&whose->ask);
    else if (whose->leads)
        land(whose);
    whose->leads = false;
    go_on(whose->session, settle(whose->session, whose->tier));
}

static void fail(void *owner, const char *why)
{
    struct whose *whose = owner;

    (void)why;
    whose->querying = false;
    if (whose->leads)
        cache_drop(&whose->ask);
    whose->leads = false;
    go_on(whose->session, settle(whose->session, 0));
}

static enum outcome query(struct whose *whose)
{
    whose->query = (struct control_ask){.sql = (const char *)buf_slice(&whose->sql).at,
                                        .row = hear_row,
                                        .done = have_rows,
                                        .failed = fail,
                                        .owner = whose};
    whose->querying = topology_ask(whose->session->database->topology, &whose->query);
    return whose->querying ? STEP_WAIT : settle(whose->session, 0);
}

static enum outcome follow(struct whose *whose, enum cache_verdict verdict)
{
    switch (verdict) {
    case CACHE_HIT:
        return settle(whose->session, tier_in(whose->session, &whose->ask.entry));
    case CACHE_LEAD:
        whose->leads = true;
        return query(whose);
    case CACHE_ALONE:
        return query(whose);
    case CACHE_WAIT:
        break;
    }
    return STEP_WAIT;
}

static bool is_valid(void *owner, uint64_t stamp, bool row)
{
    struct whose *whose = owner;

    return ledger_valid(whose->session->database->ledger, &whose->read, stamp, row);
}

static void cache_said(struct cache_ask *ask, enum cache_verdict verdict)
{
    struct whose *whose = ask->owner;

    go_on(whose->session, follow(whose, verdict));
}

static enum outcome look_up(struct session *session, const struct tier_user *from,
                            struct slice user)
{
    struct whose *whose = session->request->whose;

    make_key(whose, from, user);
    whose->ask = (struct cache_ask){
        .key = &whose->key,
        .cache = from->cache,
        .stamp = whose->need.stamp,
        .joinable = !whose->need.pending,
        .valid = is_valid,
        .done = cache_said,
        .owner = whose,
        .now = clock_now(),
    };
    whose->asked = true;
    return follow(whose, cache_ask(session->rooms->cache, &whose->ask));
}

enum outcome enter_tier(struct session *session)
{
    struct request *request = session->request;
    const struct plan *plan;
    struct asker asker;
    struct hints room;
    char user[CANON_MAX];
    int len;

    if (!request->asks_tier)
        return STEP_ON;
    plan = database_plan(session->database, request->text.known);
    session_asker(session, &request->text.values, &room, &asker);
    len = plan_user(plan, &request->text.values, &asker, user, sizeof(user));
    if (!is_plain(user, len))
        return settle(session, 0);
    if (!request->whose)
        request->whose = mem_new(sizeof(struct whose));
    request->whose->session = session;
    if (!prepare(request->whose, plan, slice_of(user, (size_t)len)))
        return settle(session, 0);
    return look_up(session, &plan->rules->tier_user, slice_of(user, (size_t)len));
}

void leave_tier(struct session *session, bool ok)
{
    struct whose *whose = session->request->whose;

    (void)ok;
    if (!whose)
        return;
    if (whose->querying)
        topology_ask_leave(session->database->topology, &whose->query);
    if (whose->asked)
        cache_leave(&whose->ask);
    known_shape_unref(whose->known);
    whose->known = NULL;
    buf_clear(&whose->sql);
    buf_clear(&whose->rows);
    whose->nrows = 0;
    whose->tier = 0;
    whose->asked = whose->leads = whose->querying = false;
}
