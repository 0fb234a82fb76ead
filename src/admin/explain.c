/* EXPLAIN ROUTE. What the rules say of a text is written by rules/describe; here stands what only
 * the running program knows: what the ledger asks for, which node would answer, what the cache has.
 */
#include "admin/explain.h"

#include "admin/command.h"
#include "admin/table.h"
#include "base/clock.h"
#include "fresh/footprint.h"
#include "rules/describe.h"
#include "session/session.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { NAME_MAX_BYTES = 64 };

/* Who is to be imagined asking. */
struct asks {
    struct session *session; /* NULL: nobody who is here */
    struct database *database;
    struct asker asker;
    struct hints hints;
    char names[3][NAME_MAX_BYTES];
};

bool explain_is(struct slice text, struct slice *rest)
{
    text = command_trim(text);
    if (text.len == 0 || (text.at[0] | 0x20) != 'e')
        return false;
    if (!slice_is_nocase(command_word(&text), "explain") ||
        !slice_is_nocase(command_word(&text), "route"))
        return false;
    *rest = text;
    return true;
}

/* ---- who asks ------------------------------------------------------------------------------ */

enum option { OPTION_DATABASE, OPTION_USER, OPTION_APPLICATION, OPTION_NONE };

static enum option option_of(struct slice word)
{
    if (slice_is_nocase(word, "database"))
        return OPTION_DATABASE;
    if (slice_is_nocase(word, "user"))
        return OPTION_USER;
    return slice_is_nocase(word, "application") ? OPTION_APPLICATION : OPTION_NONE;
}

/* Reads "(DATABASE app, USER alice)"; a parenthesis that does not begin so belongs to the
 * statement. False: malformed, with *err. */
static bool read_options(struct slice *rest, struct asks *asks, struct err *err)
{
    struct slice at = *rest;
    struct slice word = command_word(&at);

    if (!slice_is(word, "("))
        return true;
    for (bool first = true;; first = false) {
        enum option option = option_of(command_word(&at));
        struct slice value;

        if (option == OPTION_NONE && first)
            return true;
        value = command_word(&at);
        word = command_word(&at);
        if (option == OPTION_NONE || value.len == 0 || value.len >= NAME_MAX_BYTES ||
            (!slice_is(word, ",") && !slice_is(word, ")")))
            break;
        memcpy(asks->names[option], value.at, value.len);
        asks->names[option][value.len] = '\0';
        *rest = at;
        if (slice_is(word, ")"))
            return true;
    }
    err_set(err, "42601", "the options of EXPLAIN ROUTE are not understood");
    err_hint(err, "EXPLAIN ROUTE (DATABASE name, USER name, APPLICATION name) SELECT ...");
    return false;
}

static bool find_database(struct rooms *rooms, struct asks *asks, struct err *err)
{
    const char *name = asks->names[OPTION_DATABASE];

    if (name[0])
        asks->database = rooms_database(rooms, slice_text(name));
    else if (rooms->ndatabases == 1)
        asks->database = &rooms->databases[0];
    if (asks->database)
        return true;
    if (name[0])
        err_set(err, "3D000", "database \"%s\" does not exist", name);
    else
        err_set(err, "42601", "there is more than one database");
    err_hint(err, "EXPLAIN ROUTE (DATABASE %s) SELECT ...",
             rooms->ndatabases ? rooms->databases[0].name : "name");
    return false;
}

static bool imagine(struct rooms *rooms, struct session *session, struct slice *rest,
                    struct asks *asks, struct err *err)
{
    asks->session = session;
    if (session) {
        asks->database = session_database(session);
        return true;
    }
    if (!read_options(rest, asks, err) || !find_database(rooms, asks, err))
        return false;
    asks->asker = (struct asker){.database = asks->database->name,
                                 .user = asks->names[OPTION_USER],
                                 .application_name = asks->names[OPTION_APPLICATION],
                                 .address = ""};
    return true;
}

/* What a text says of itself counts as if it were sent. */
static void take_hints(struct asks *asks, const struct values *values)
{
    if (asks->session) {
        session_asker(asks->session, values, &asks->hints, &asks->asker);
        return;
    }
    if (!values->tags.len)
        return;
    hint_read(&asks->hints, values->tags);
    hint_asks(&asks->hints, &asks->asker);
}

/* ---- what would happen --------------------------------------------------------------------- */

struct explained {
    struct table table;
    struct database *database;
    struct known_shape *known;
    const struct plan *plan;
    struct values values;
    struct pinned pinned;
    struct verdict verdict;
    struct footprint_read read;
    struct need need;
};

static void line(struct table *table, const char *what, const char *text)
{
    table_text(table, what);
    table_text(table, text);
    table_row(table);
}

static void linef(struct table *table, const char *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void linef(struct table *table, const char *what, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    line(table, what, text);
}

/* "name: value" as a row; a line without a name goes on where a value had a line break. */
static void put_described(struct table *table, struct slice text)
{
    const uint8_t *colon = memmem(text.at, text.len, ": ", 2);
    size_t name = colon ? (size_t)(colon - text.at) : 0;

    table_slice(table, slice_first(text, name));
    table_slice(table, colon ? slice_skip(text, name + 2) : text);
    table_row(table);
}

/* What the rules and the catalog say, whatever is going on. */
static void put_rules(struct explained *of, const struct asker *asker)
{
    struct buf described = {0};
    struct slice left;

    describe_plan(of->plan, &of->values, asker, &described);
    for (left = buf_slice(&described); left.len > 0;) {
        const uint8_t *end = memchr(left.at, '\n', left.len);
        size_t len = end ? (size_t)(end - left.at) : left.len;

        put_described(&of->table, slice_first(left, len));
        left = slice_skip(left, end ? len + 1 : len);
    }
    buf_clear(&described);
}

static void put_wrong(struct explained *of, struct slice tag)
{
    table_text(&of->table, "not understood");
    table_slice(&of->table, tag);
    table_row(&of->table);
}

static bool is_batch(const struct explained *of)
{
    return of->plan->shape->nstatements > 1;
}

static void put_cache(struct explained *of, const struct cache *cache)
{
    enum plan_reason reason = of->verdict.uncached;

    if (of->verdict.cache)
        reason = is_batch(of)           ? PLAN_BATCH
                 : of->read.anything    ? PLAN_RELATION
                 : !of->values.complete ? PLAN_VALUES
                                        : PLAN_NONE;
    if (of->verdict.cache && reason == PLAN_NONE)
        linef(&of->table, "asked first", "the cache: %s", cache_store_state(cache));
    else
        linef(&of->table, "asked first", "no cache: %s (%s)", plan_reason_text(reason),
              plan_reason_code(reason));
}

static void put_need(struct explained *of)
{
    const struct need *need = &of->need;

    line(&of->table, "ledger",
         ledger_serves(of->database->ledger)
             ? "open"
             : "shut: the primary is not known, so that only it may answer");
    if (!of->plan->read)
        return;
    linef(&of->table, "needs", "whoever answers must be at or past %" PRIX32 "/%" PRIX32,
          (uint32_t)(need->lsn >> 32), (uint32_t)need->lsn);
    line(&of->table, "pending",
         need->pending ? "a write that it depends on is under way" : "nothing");
}

/* Why a statement that the rules send to a replica would go to the primary now. */
static enum plan_reason held_back(const struct explained *of)
{
    if (of->verdict.route == ROUTE_PRIMARY)
        return of->verdict.primary;
    if (is_batch(of))
        return PLAN_BATCH;
    if (of->known->not_on_standby)
        return PLAN_NOT_ON_STANDBY;
    if (!of->database->has_replicas)
        return PLAN_NO_REPLICA;
    if (of->verdict.freshness == FRESH_CAUSAL && of->need.pending)
        return PLAN_PENDING;
    return PLAN_NONE;
}

static void put_node(struct explained *of)
{
    enum plan_reason reason = held_back(of);
    struct node *node = topology_node(of->database->topology, 0);
    enum choice choice = CHOICE_NONE;

    if (reason == PLAN_NONE) {
        choice = route_choose(of->database, &of->verdict, of->need.lsn, &node);
        reason = choice == CHOICE_LAG ? PLAN_LAG : PLAN_NO_REPLICA;
    }
    if (choice == CHOICE_MADE) {
        linef(&of->table, "node", "replica %s", node->name);
        line(&of->table, "why this node", "it is up and has replayed what is needed");
        return;
    }
    node = topology_node(of->database->topology, 0);
    linef(&of->table, "node", "primary %s%s", node->name, node->up ? "" : " (down)");
    if (reason == PLAN_PENDING && !ledger_serves(of->database->ledger))
        line(&of->table, "why this node", "the ledger is shut (write_pending)");
    else
        linef(&of->table, "why this node", "%s (%s)", plan_reason_text(reason),
              plan_reason_code(reason));
}

static void look(struct explained *of, struct asks *asks, struct slice sql)
{
    of->database = asks->database;
    of->known = shapes_find(&of->database->shapes, sql,
                            asks->session ? session_path(asks->session) : NULL, &of->values);
    of->plan = database_plan(of->database, of->known);
    take_hints(asks, &of->values);
    plan_judge(of->plan, &of->values, &asks->asker, &of->verdict);
    if (!of->plan->read)
        return;
    plan_pinned(of->plan, &of->values, &of->pinned);
    footprint_read(of->plan, &of->pinned, &of->read);
    ledger_need(of->database->ledger, &of->read, &of->need);
}

/* Without the `;` at its end, which most drivers do not send and which would make another shape. */
static struct slice without_end(struct slice text)
{
    text = command_trim(text);
    while (text.len > 0 && strchr("; \t\r\n", text.at[text.len - 1]))
        text.len--;
    return text;
}

bool explain_analyzes(struct slice *rest)
{
    struct slice at = *rest;
    struct slice word = command_word(&at);

    if (!slice_is_nocase(word, "analyze") && !slice_is_nocase(word, "analyse"))
        return false;
    *rest = without_end(at);
    return true;
}

/* Where only its own effects are to be expected, and an answer of rows or of a count. */
static bool runs_well(const struct shape *shape)
{
    if (shape->nstatements != 1 || shape->unknown)
        return false;
    switch (shape->statements[0]) {
    case STATEMENT_SELECT:
    case STATEMENT_INSERT:
    case STATEMENT_UPDATE:
    case STATEMENT_DELETE:
    case STATEMENT_MERGE:
        return true;
    default:
        return false;
    }
}

bool explain_may_run(struct session *session, struct slice sql, struct err *err)
{
    struct values values;
    struct known_shape *known =
        shapes_find(&session_database(session)->shapes, sql, session_path(session), &values);
    bool well = runs_well(known->shape);

    known_shape_unref(known);
    if (!well) {
        err_set(err, "0A000",
                "EXPLAIN ROUTE ANALYZE runs one statement that reads or changes rows");
        err_hint(err, "EXPLAIN ROUTE without ANALYZE explains any other, and runs nothing.");
    }
    return well;
}

static void put_reason(struct table *table, const char *what, enum plan_reason reason)
{
    if (reason != PLAN_NONE)
        linef(table, what, "%s (%s)", plan_reason_text(reason), plan_reason_code(reason));
}

/* Who has answered, and why nobody better. */
static void put_source(struct table *table, const struct trail *trail, const char *node)
{
    if (trail->source == SOURCE_CACHE)
        linef(table, "answered by", "the cache%s",
              trail->joined ? ": somebody else was asking for the same" : "");
    else
        linef(table, "answered by", "%s %s", source_text(trail->source), node ? node : "");
    if (trail->source != SOURCE_CACHE && trail->uncached == PLAN_NONE)
        line(table, "why not the cache",
             trail->led ? "it was not there: it is now" : "it was not there, and may not be kept");
    else if (trail->source != SOURCE_CACHE)
        put_reason(table, "why not the cache", trail->uncached);
    if (trail->source == SOURCE_PRIMARY)
        put_reason(table, "why the primary", trail->primary);
    if (trail->asked_again)
        line(table, "asked again", "a replica's answer could not be used");
}

static void put_times(struct table *table, const struct trail *trail)
{
    linef(table, "took", "%.3f ms", (double)(trail->ended - trail->began) / CLOCK_MS);
    for (unsigned i = 0; i < STEP_COUNT; i++) {
        char what[32];

        if (trail->spent[i] == 0)
            continue;
        snprintf(what, sizeof(what), "until %s had ended", step_text((enum step_name)i));
        linef(table, what, "%.3f ms", (double)trail->spent[i] / CLOCK_MS);
    }
}

void explain_ran(struct session *session, struct slice sql, const struct trail *trail,
                 const char *node, struct buf *out)
{
    struct asks asks = {.session = session, .database = session_database(session)};
    struct explained of = {.table = {.out = out, .columns = EXPLAIN_NCOLUMNS}};

    look(&of, &asks, sql);
    put_rules(&of, &asks.asker);
    put_source(&of.table, trail, node);
    if (trail->source != SOURCE_CACHE)
        linef(&of.table, "rows", "%llu", (unsigned long long)trail->rows);
    linef(&of.table, "bytes", "%llu", (unsigned long long)trail->bytes);
    put_times(&of.table, trail);
    table_end(&of.table, "EXPLAIN");
    known_shape_unref(of.known);
}

bool explain_run(struct rooms *rooms, struct session *session, struct slice rest, struct buf *out,
                 struct err *err)
{
    struct asks asks = {.database = NULL};
    struct explained of = {.table = {.out = out, .columns = EXPLAIN_NCOLUMNS}};

    if (!imagine(rooms, session, &rest, &asks, err))
        return false;
    rest = without_end(rest);
    if (rest.len == 0) {
        err_set(err, "42601", "EXPLAIN ROUTE of nothing");
        err_hint(err, "EXPLAIN ROUTE SELECT ...");
        return false;
    }
    look(&of, &asks, rest);
    put_rules(&of, &asks.asker);
    if (asks.asker.hints && asks.asker.hints->wrong.len)
        put_wrong(&of, asks.asker.hints->wrong);
    put_cache(&of, rooms->cache);
    put_need(&of);
    put_node(&of);
    table_end(&of.table, "EXPLAIN");
    known_shape_unref(of.known);
    return true;
}
