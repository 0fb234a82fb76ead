/* Asks a server what its client has left on it, and believes nothing else. The question has a part
 * for each kind of thing, and a server keeps one prepared statement for each set of parts. Decides
 * what the session's settings are and why it keeps its server; does not give servers back. */
#include "session/inventory.h"

#include "session/conversation.h"
#include "sql/functions.h"
#include "wire/frame.h"
#include "wire/read.h"
#include "wire/types.h"
#include "wire/write.h"

#include "base/log.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdio.h>

enum { NAMES_MAX = 64, NAME_MAX = 256, TEXT_ARRAY = 1009, ATTEMPTS = 3 };

struct inventory {
    unsigned doubts;    /* enum leaves: what this transaction may have left */
    struct vars names;  /* settings to ask for by name; their values mean nothing */
    struct vars locals; /* custom ones set for the transaction: new ones stay, and are empty */
    bool computed;      /* a setting may have a name that nobody knows */
    bool out, failed;   /* the answer is on its way; it will be none */
    unsigned attempts;  /* that have failed */
    bool void_names;    /* the settings that it tells by name were not set */
    unsigned asked;     /* what it is about */
    struct vars about;  /* .. by name */
    struct vars found;  /* settings that it told */
    unsigned there;     /* enum leaves that it told */
};

/* The parts of the question in the order of enum leaves. A row is a letter, a name, a value. */
static const struct part {
    char letter;
    enum pin pin;
    const char *sql;
} parts[] = {
    {'s', PIN_NONE,
     "SELECT 's', name, setting FROM pg_catalog.pg_settings WHERE source = 'session'"
     " AND name !~ '^transaction_(isolation|read_only|deferrable)$'"},
    {'t', PIN_TEMPORARY,
     "SELECT 't', NULL, NULL FROM (SELECT pg_catalog.pg_my_temp_schema() AS oid) s WHERE s.oid <> 0"
     " AND (EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = s.oid)"
     " OR EXISTS (SELECT FROM pg_catalog.pg_type c WHERE c.typnamespace = s.oid)"
     " OR EXISTS (SELECT FROM pg_catalog.pg_proc c WHERE c.pronamespace = s.oid))"},
    {'l', PIN_LOCKS,
     "SELECT 'l', NULL, NULL WHERE EXISTS (SELECT FROM pg_catalog.pg_locks"
     " WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid())"},
    {'c', PIN_CURSORS,
     "SELECT 'c', NULL, NULL WHERE EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable)"},
    {'p', PIN_PREPARED,
     "SELECT 'p', NULL, NULL WHERE EXISTS (SELECT FROM pg_catalog.pg_prepared_statements"
     " WHERE from_sql AND name !~ '^pgtier_')"},
    {'h', PIN_CHANNELS,
     "SELECT 'h', NULL, NULL WHERE EXISTS (SELECT FROM pg_catalog.pg_listening_channels())"},
};

enum { PARTS = sizeof(parts) / sizeof(*parts) };

/* What no server tells of, and lasts as long as the session does. */
static const struct lasting {
    unsigned leaves;
    enum pin pin;
} lasting[] = {
    {LEAVES_LIBRARY, PIN_LIBRARY},
    {LEAVES_SEED, PIN_SEED},
    {LEAVES_OTHER, PIN_OTHER},
};

static struct inventory *inventory_of(struct session *session)
{
    if (!session->inventory)
        session->inventory = mem_new(sizeof(struct inventory));
    return session->inventory;
}

void inventory_clear(struct session *session)
{
    struct inventory *inventory = session->inventory;

    if (!inventory)
        return;
    vars_clear(&inventory->names);
    vars_clear(&inventory->locals);
    vars_clear(&inventory->about);
    vars_clear(&inventory->found);
    mem_free(inventory);
    session->inventory = NULL;
}

void inventory_lost(struct session *session)
{
    if (inventory_is_out(session))
        inventory_clear(session);
}

bool inventory_is_out(const struct session *session)
{
    return session->inventory && session->inventory->out;
}

/* ---- what there may be ---- */

static void doubt(struct session *session, unsigned what)
{
    if (what)
        inventory_of(session)->doubts |= what;
}

static void note_name(struct session *session, struct slice name)
{
    struct inventory *inventory;

    /* The server tells of its own accord. */
    if (vars_settable(name))
        return;
    inventory = inventory_of(session);
    if (name.len >= NAME_MAX || inventory->names.count == NAMES_MAX)
        inventory->computed = true;
    else if (name.len)
        vars_set(&inventory->names, name, SLICE(""), false);
}

static void note_local(struct session *session, struct slice name)
{
    if (name.len < NAME_MAX && name.len && memchr(name.at, '.', name.len) &&
        !vars_find(&session->vars, name))
        vars_set(&inventory_of(session)->locals, name, SLICE(""), false);
}

static void note_setting(struct session *session, const struct shape_setting *setting,
                         const struct values *values)
{
    char text[NAME_MAX];
    int len;
    struct slice name = setting->name ? slice_text(setting->name) : (struct slice){0};

    if (!setting->name) {
        const struct value *value = values_get(values, setting->value, 0);

        len = value ? value_plain(value, text, sizeof(text)) : -1;
        if (len < 0 && !setting->local)
            doubt(session, LEAVES_SETTINGS | LEAVES_UNSEEN);
        if (len < 0)
            return;
        name = slice_of(text, (size_t)len);
    }
    if (setting->local)
        note_local(session, name);
    else
        note_name(session, name);
}

/* Names with blanks between. */
static void note_names(struct session *session, const char *names)
{
    while (names && *names) {
        size_t len = strcspn(names, " ");

        note_name(session, slice_of(names, len));
        names += len + (names[len] == ' ');
    }
}

/* A function of the user's may leave what its source says. */
static unsigned note_function(struct session *session, const struct shape *shape,
                              const struct shape_function *call)
{
    struct database *database = session->database;
    const struct catalog *catalog = database->ddl ? NULL : database->catalog;
    struct catalog_function function;

    if (!catalog)
        return function_trait(call->name) == FUNCTION_UNLISTED ? LEAVES_TOLD | LEAVES_SEQUENCES : 0;
    if (call->attribute && plan_is_column(catalog, NULL, shape, call))
        return 0;
    if (!catalog_function(catalog, NULL, call->schema, call->name, call->nargs, &function))
        return call->attribute ? 0 : LEAVES_TOLD | LEAVES_SEQUENCES; /* younger than the catalog */
    if (!function.user)
        return 0;
    if (!function.leaving)
        return function.user_volatility == 'v' ? LEAVES_SEQUENCES : 0;
    note_names(session, function.settings);
    return LEAVES_TOLD | LEAVES_SEQUENCES | (function.computed ? LEAVES_UNSEEN : 0);
}

/* What is there may also have come to an end. */
static unsigned ends_of(const struct session *session, const struct shape *shape)
{
    unsigned ends = 0;

    if (!session->pins || !shape->ends)
        return 0;
    for (unsigned i = 0; i < PARTS; i++)
        if (session->pins & PIN_BIT(parts[i].pin) && shape->ends & 1u << i)
            ends |= 1u << i;
    return ends;
}

/* A lone SET or RESET of what the server tells of by itself. */
static bool is_followed(const struct shape *shape)
{
    return shape->nstatements == 1 && shape->set_name && vars_settable(slice_text(shape->set_name));
}

static bool takes_next(const struct catalog *catalog, const struct shape_ref *ref)
{
    const struct catalog_relation *relation =
        catalog ? catalog_relation(catalog, NULL, ref->schema, ref->name) : NULL;

    return !relation || relation->kind != 'r' || relation->inherits || relation->sequences ||
           relation->triggers || relation->rules || relation->write_calls;
}

/* What a text writes to decides whether a sequence is used, where it calls for none itself. */
static bool uses_sequences(const struct session *session, const struct shape *shape)
{
    const struct database *database = session->database;

    for (unsigned i = 0; i < shape->nfunctions; i++)
        if (strcmp(shape->functions[i].name, "nextval") == 0 ||
            strcmp(shape->functions[i].name, "setval") == 0)
            return true;
    for (unsigned i = 0; i < shape->nrefs; i++)
        if (shape->refs[i].use != REF_READ &&
            takes_next(database->ddl ? NULL : database->catalog, &shape->refs[i]))
            return true;
    return shape->unknown;
}

void inventory_note(struct session *session, const struct known_shape *known,
                    const struct values *values, enum prepare_use use)
{
    const struct shape *shape = known->shape;
    unsigned leaves = shape->leaves | ends_of(session, shape);

    if (is_followed(shape))
        return;
    if (leaves & LEAVES_SEQUENCES && !uses_sequences(session, shape))
        leaves &= ~(unsigned)LEAVES_SEQUENCES;
    for (unsigned i = 0; i < shape->nsettings; i++)
        note_setting(session, &shape->settings[i], values);
    for (unsigned i = 0; i < shape->nfunctions; i++)
        leaves |= note_function(session, shape, &shape->functions[i]);
    if (shape->unknown && !prepare_is_spoken(shape))
        session->soils = true;
    if (use == PREPARE_MAKES)
        leaves &= ~(unsigned)LEAVES_PREPARED;
    doubt(session, leaves);
}

void inventory_note_unread(struct session *session)
{
    session->soils = true;
    doubt(session, LEAVES_TOLD | LEAVES_SEQUENCES);
}

bool inventory_uses_sequences(const struct session *session)
{
    return session->inventory && session->inventory->doubts & LEAVES_SEQUENCES;
}

static bool is_of_name(uint8_t c)
{
    return isalnum(c) || c == '_' || c == '$' || c == '.';
}

void inventory_note_code(struct session *session, struct slice text)
{
    for (size_t at = 0, end; at < text.len; at = end + 1) {
        struct slice word;

        for (end = at; end < text.len && is_of_name(text.at[end]); end++)
            ;
        word = slice_of(text.at + at, end - at);
        if (word.len > 2 && memchr(word.at + 1, '.', word.len - 2) && !isdigit(word.at[0]) &&
            word.at[0] != '.' && word.at[word.len - 1] != '.')
            note_name(session, word);
    }
    /* Too many words with dots: most of them are columns. */
    if (session->inventory)
        session->inventory->computed = false;
}

/* ---- the question ---- */

static void put_array(struct buf *out, const struct vars *names)
{
    buf_put(out, "{", 1);
    for (unsigned i = 0; i < names->count; i++) {
        buf_put(out, i ? ",\"" : "\"", i ? 2 : 1);
        for (const char *at = names->at[i].name; *at; at++) {
            if (*at == '"' || *at == '\\')
                buf_put(out, "\\", 1);
            buf_put(out, at, 1);
        }
        buf_put(out, "\"", 1);
    }
    buf_put(out, "}", 1);
}

static void put_sql(struct buf *sql, unsigned what)
{
    buf_printf(sql, "SELECT 'n', n, pg_catalog.current_setting(n, true)"
                    " FROM pg_catalog.unnest($1) n");
    for (unsigned i = 0; i < PARTS; i++)
        if (what & 1u << i)
            buf_printf(sql, " UNION ALL %s", parts[i].sql);
}

static void owe(struct server *server, enum owed_kind kind, void *about)
{
    owed_add(&server->owed, kind, OWED_SWALLOW, about);
}

static void put_parse(struct server *server, struct inventory *inventory, struct slice name,
                      struct buf *out)
{
    static const uint8_t oids[] = {0, 0, TEXT_ARRAY >> 8, TEXT_ARRAY & 0xff};
    struct buf sql = {0};

    if (server->kit & UINT64_C(1) << inventory->asked)
        return;
    put_sql(&sql, inventory->asked);
    write_parse(out, name, buf_slice(&sql), slice_of(oids, sizeof(oids)));
    owe(server, OWED_PARSE, inventory);
    server->kit |= UINT64_C(1) << inventory->asked;
    buf_clear(&sql);
}

static void put_bind(struct server *server, struct inventory *inventory, struct slice name,
                     struct buf *out)
{
    struct buf array = {0}, rest = {0};

    put_array(&array, &inventory->about);
    write_u16(&rest, 0);
    write_u16(&rest, 1);
    write_u32(&rest, (uint32_t)buf_len(&array));
    buf_put_slice(&rest, buf_slice(&array));
    write_u16(&rest, 0);
    write_bind(out, SLICE(""), name, buf_slice(&rest), 0);
    owe(server, OWED_BIND, inventory);
    buf_clear(&array);
    buf_clear(&rest);
}

static void put_execute(struct server *server, struct inventory *inventory, struct buf *out)
{
    size_t begin = write_begin(out, MSG_EXECUTE);

    write_cstr(out, SLICE(""));
    write_u32(out, 0);
    write_end(out, begin);
    owe(server, OWED_EXECUTE, inventory);
    write_empty(out, MSG_SYNC);
    owe(server, OWED_SYNC, inventory);
}

static void add_dotted(struct vars *names, const struct vars *from)
{
    for (unsigned i = 0; i < from->count; i++)
        if (strchr(from->at[i].name, '.'))
            vars_set(names, slice_text(from->at[i].name), SLICE(""), false);
}

/* What the list of all settings leaves out: who one is, and custom ones. */
static void add_unlisted(struct session *session, struct vars *names)
{
    vars_set(names, SLICE("role"), SLICE(""), false);
    vars_set(names, SLICE("session_authorization"), SLICE(""), false);
    add_dotted(names, &session->vars);
    add_dotted(names, &session->startup);
}

bool inventory_is_due(const struct session *session)
{
    const struct inventory *inventory = session->inventory;

    return inventory && !inventory->out &&
           (inventory->doubts & LEAVES_TOLD || inventory->names.count);
}

static void ask(struct session *session, struct buf *out)
{
    struct inventory *inventory = session->inventory;
    struct server *server = session->take.server;
    unsigned what = inventory->doubts & LEAVES_TOLD;
    char text[32];

    if (what & LEAVES_SETTINGS) {
        add_dotted(&inventory->about, &inventory->names);
        add_unlisted(session, &inventory->about);
        vars_clear(&inventory->names);
    } else {
        inventory->about = inventory->names;
        inventory->names = (struct vars){0};
    }
    inventory->asked = what;
    inventory->doubts &= ~(unsigned)LEAVES_TOLD;
    inventory->there = 0;
    inventory->out = true;
    inventory->failed = inventory->void_names = false;
    snprintf(text, sizeof(text), "pgtier_left_%x", what);
    put_parse(server, inventory, slice_text(text), out);
    put_bind(server, inventory, slice_text(text), out);
    put_execute(server, inventory, out);
}

void inventory_doubt_names(struct session *session)
{
    struct inventory *inventory = session->inventory;

    if (!inventory)
        return;
    if (inventory->names.count)
        inventory->doubts |= LEAVES_SETTINGS;
    /* A question that rode behind what failed. */
    if (inventory->out && inventory->about.count && !(inventory->asked & LEAVES_SETTINGS))
        inventory->void_names = true;
}

/* A lock, a name or a seed outlives the error behind it; nothing else does. */
static void forget_rolled_back(struct inventory *inventory)
{
    inventory->doubts &= LEAVES_LOCKS | LEAVES_PREPARED | LEAVES_LIBRARY | LEAVES_SEED |
                         LEAVES_OTHER | LEAVES_SEQUENCES;
    vars_clear(&inventory->names);
    inventory->computed = false;
}

/* What was local is there all the same, and empty, on a server that had not heard of it before. */
static void keep_locals(struct session *session)
{
    struct inventory *inventory = session->inventory;
    struct vars *vars = &session->take.server->vars;

    if (!inventory->locals.count)
        return;
    for (unsigned i = 0; i < inventory->locals.count; i++) {
        struct slice name = slice_text(inventory->locals.at[i].name);

        if (vars_find(&session->vars, name))
            continue;
        vars_set(&session->vars, name, SLICE(""), false);
        vars_set(vars, name, SLICE(""), false);
    }
    vars_clear(&inventory->locals);
    session_touch_settings(session);
    session->take.server->matched = session->wanted;
}

/* The state of its sequences stays on a server, until somebody else's takes its place. Where
 * anybody is known to ask for it, it is kept for its owner. */
static void keep_sequences(struct session *session)
{
    if (!(session->inventory->doubts & LEAVES_SEQUENCES))
        return;
    session->take.server->sequences_of = session->number;
    session->sequences_on = session->take.server->number;
    if (session->database->asks_sequences)
        session->pins |= PIN_BIT(PIN_SEQUENCES);
}

static void pin_lasting(struct session *session)
{
    struct inventory *inventory = session->inventory;

    for (size_t i = 0; i < sizeof(lasting) / sizeof(*lasting); i++)
        if (inventory->doubts & lasting[i].leaves)
            session->pins |= PIN_BIT(lasting[i].pin);
    if (inventory->computed || inventory->doubts & LEAVES_UNSEEN)
        session->pins |= PIN_BIT(PIN_UNSEEN);
    inventory->computed = false;
    inventory->doubts &= LEAVES_TOLD;
}

void inventory_end(struct session *session, bool failed)
{
    struct inventory *inventory = session->inventory;
    struct buf out = {0};
    struct slice part;

    if (!session->take.server)
        return;
    if (session->pins & PIN_BIT(PIN_UNKNOWN))
        inventory = inventory_of(session);
    if (!inventory)
        return;
    if (failed)
        forget_rolled_back(inventory);
    if (session->pins & PIN_BIT(PIN_UNKNOWN))
        inventory->doubts |= LEAVES_TOLD;
    keep_locals(session);
    keep_sequences(session);
    pin_lasting(session);
    if (!inventory_is_due(session)) {
        if (!inventory->out)
            inventory_clear(session);
        return;
    }
    ask(session, &out);
    part = buf_slice(&out);
    server_send(session->take.server, &part, 1);
    buf_clear(&out);
}

static bool copies_in(const struct shape *shape)
{
    for (unsigned i = 0; i < shape->nstatements; i++)
        if (shape->statements[i] == STATEMENT_COPY_FROM)
            return true;
    return false;
}

/* What neither begins a transaction nor takes away what the question needs, nor would read the
 * question as rows of a COPY. */
static bool may_ride(const struct request *request)
{
    const struct shape *shape = request->has_text ? request->text.known->shape : NULL;

    return shape && !request->open && !request->later && request->nqueries == 1 &&
           !shape->transaction && !shape->unknown && !(shape->ends & LEAVES_PREPARED) &&
           !copies_in(shape);
}

void inventory_ride(struct session *session, const struct request *request, struct buf *out)
{
    if (inventory_is_due(session) && may_ride(request) && session->status == 'I' &&
        !session->midway)
        ask(session, out);
}

void inventory_again(struct session *session)
{
    struct inventory *inventory = session->inventory;

    if (!inventory || !inventory->out)
        return;
    inventory->doubts |= inventory->asked;
    for (unsigned i = 0; i < inventory->about.count; i++)
        vars_set(&inventory->names, slice_text(inventory->about.at[i].name), SLICE(""), false);
}

/* ---- the answer ---- */

static void take_row(struct inventory *inventory, struct slice body)
{
    struct reader reader = {body, false};
    struct slice fields[3] = {{0}};
    unsigned count = read_u16(&reader);

    for (unsigned i = 0; i < count && i < 3; i++) {
        uint32_t len = read_u32(&reader);

        if (len != UINT32_MAX)
            fields[i] = read_bytes(&reader, len);
    }
    if (reader.bad || fields[0].len != 1)
        return;
    if (fields[1].at && fields[2].at)
        vars_set(&inventory->found, fields[1], fields[2], false);
    for (unsigned i = 1; i < PARTS; i++)
        if (parts[i].letter == (char)fields[0].at[0])
            inventory->there |= 1u << i;
}

/* Nobody knows what is there: it is asked again behind the next transaction. The statement is there
 * all the same, unless it was not parsed or something unseen has taken it away. */
static void fail(struct session *session, struct slice body)
{
    struct inventory *inventory = session->inventory;
    struct server *server = session->take.server;

    inventory->failed = true;
    if (server->answering == OWED_PARSE || slice_is(read_error_field(body, 'C'), "26000"))
        server->kit &= ~(UINT64_C(1) << inventory->asked);
}

bool inventory_seen(struct session *session, const void *about, uint8_t type, struct slice whole)
{
    struct inventory *inventory = session->inventory;

    if (!inventory || about != inventory || !inventory->out)
        return false;
    if (type == REPLY_ROW)
        take_row(inventory, slice_skip(whole, FRAME_HEAD));
    else if (type == REPLY_ERROR)
        fail(session, slice_skip(whole, FRAME_HEAD));
    return true;
}

/* Not set, whatever the server says: nobody has become anybody else. */
static bool is_oneself(const struct session *session, const struct var *var)
{
    if (strcmp(var->name, "role") == 0)
        return strcmp(var->value, "none") == 0;
    return strcmp(var->name, "session_authorization") == 0 &&
           strcmp(var->value, session->take.server->place->user) == 0;
}

/* Back to what the client came with. */
static void unset(struct session *session, const char *text)
{
    struct slice name = slice_text(text);
    const struct var *own = vars_find(&session->startup, name);

    vars_remove(&session->take.server->vars, name);
    if (own)
        vars_set(&session->vars, name, slice_text(own->value), false);
    else
        vars_remove(&session->vars, name);
}

static bool is_unset(const struct inventory *inventory, const struct var *var)
{
    return !vars_settable(slice_text(var->name)) &&
           !vars_find(&inventory->found, slice_text(var->name));
}

static void unset_all(struct session *session, const struct vars *vars, bool ours)
{
    for (unsigned i = vars->count; i-- > 0;) {
        char name[NAME_MAX];

        if ((ours && !vars->at[i].ours) || !is_unset(session->inventory, &vars->at[i]) ||
            strlen(vars->at[i].name) >= sizeof(name))
            continue;
        snprintf(name, sizeof(name), "%s", vars->at[i].name);
        unset(session, name);
    }
}

/* A custom setting that was reset is empty: its client came with a value of its own. */
static bool is_emptied(const struct session *session, const struct var *var)
{
    return !*var->value && session->inventory->asked & LEAVES_SETTINGS &&
           vars_find(&session->startup, slice_text(var->name));
}

/* SET ROLE NONE of a client that came with a role. */
static bool is_undone(const struct session *session, const struct var *var)
{
    return !(session->inventory->asked & LEAVES_SETTINGS) &&
           vars_find(&session->startup, slice_text(var->name));
}

static void set_found(struct session *session, const struct var *var)
{
    struct slice name = slice_text(var->name), value = slice_text(var->value);

    if (vars_settable(name))
        return;
    if (is_oneself(session, var) && !is_undone(session, var)) {
        unset(session, var->name);
        return;
    }
    if (is_emptied(session, var)) {
        unset(session, var->name);
        return;
    }
    vars_set(&session->vars, name, value, false);
    vars_set(&session->take.server->vars, name, value, false);
}

static void apply_settings(struct session *session)
{
    struct inventory *inventory = session->inventory;

    if (inventory->void_names || (!inventory->about.count && !(inventory->asked & LEAVES_SETTINGS)))
        return;
    unset_all(session, &inventory->about, false);
    if (inventory->asked & LEAVES_SETTINGS) {
        unset_all(session, &session->vars, false);
        unset_all(session, &session->take.server->vars, true);
    }
    for (unsigned i = 0; i < inventory->found.count; i++)
        set_found(session, &inventory->found.at[i]);
    session_touch_settings(session);
    session->take.server->matched = 0;
}

static void apply_pins(struct session *session)
{
    const struct inventory *inventory = session->inventory;

    for (unsigned i = 1; i < PARTS; i++) {
        if (!(inventory->asked & 1u << i))
            continue;
        session->pins &= ~PIN_BIT(parts[i].pin);
        if (inventory->there & 1u << i)
            session->pins |= PIN_BIT(parts[i].pin);
    }
}

/* Nobody knows: it is asked again, at once or behind the next transaction. */
static void ask_again(struct session *session)
{
    struct inventory *inventory = session->inventory;

    for (unsigned i = 0; i < inventory->about.count; i++)
        vars_set(&inventory->names, slice_text(inventory->about.at[i].name), SLICE(""), false);
    vars_clear(&inventory->about);
    vars_clear(&inventory->found);
    inventory->doubts |= inventory->asked | LEAVES_SETTINGS;
    session->pins |= PIN_BIT(PIN_UNKNOWN);
    log_warning(session->who, "what is left on its server could not be found out");
    if (session->status == 'I' && !session->request && inventory->attempts++ < ATTEMPTS)
        inventory_end(session, false);
}

void inventory_taken(struct session *session, const void *about)
{
    struct inventory *inventory = session->inventory;

    if (!inventory || about != inventory || !inventory->out)
        return;
    inventory->out = false;
    if (inventory->failed) {
        ask_again(session);
        return;
    }
    inventory->attempts = 0;
    session->pins &= ~PIN_BIT(PIN_UNKNOWN);
    apply_settings(session);
    apply_pins(session);
    vars_clear(&inventory->about);
    vars_clear(&inventory->found);
    if (!inventory->doubts && !inventory->names.count)
        inventory_clear(session);
}
