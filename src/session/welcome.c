/* What a client is told of the server's settings at its login, and the trial of those that it came
 * with: a set that no server of this pool has accepted yet is set on one before the client is in,
 * so that a refusal is one of the login, and what is told is what the server makes of it. Knows no
 * setting's meaning. */
#include "session/conversation.h"

#include "base/mem.h"
#include "pool/accepted.h"
#include "wire/frame.h"
#include "wire/read.h"
#include "wire/types.h"
#include "wire/write.h"

struct welcome {
    struct buf set; /* what the client wants beyond what goes without saying: name NUL value NUL */
    struct vars before; /* what the server was known to have */
    struct vars told;   /* what it reports of itself, now */
    struct buf refusal; /* body of the ErrorResponse that came */
    bool tried;
};

static const struct vars no_vars;

static struct node *primary_of(struct session *session)
{
    return topology_node(session->database->topology, 0);
}

static struct pool *primary_pool(struct session *session)
{
    return session_pool(session, primary_of(session));
}

/* ---- which settings must be tried ---- */

/* The next ParameterStatus of a pool's welcome; false at the end. */
static bool next_status(struct slice *left, struct slice *name, struct slice *value)
{
    struct frame frame;

    if (frame_look(*left, &frame) != FRAME_WHOLE)
        return false;
    *left = slice_skip(*left, frame.total);
    return read_parameter_status(frame_body(&frame), name, value);
}

static bool find_status(const struct buf *statuses, const char *wanted, struct slice *value)
{
    struct slice left = buf_slice(statuses), name;

    while (next_status(&left, &name, value))
        if (slice_is_nocase(name, wanted))
            return true;
    return false;
}

/* Any of these is taken as it is: who tells its process number in it must not be tried each time.
 */
static bool is_plain_name(struct slice name, struct slice value)
{
    if (!slice_is_nocase(name, "application_name") || value.len > 63)
        return false;
    for (size_t i = 0; i < value.len; i++)
        if (value.at[i] < ' ' || value.at[i] > '~')
            return false;
    return true;
}

/* One value may build on the one before: DateStyle does. */
static bool is_repeated(const struct session *session, struct slice name)
{
    struct slice left = buf_slice(&session->asked), other, value;
    unsigned count = 0;

    while (read_option(&left, &other, &value))
        count += slice_is_nocase(name, (const char *)other.at);
    return count > 1;
}

static bool goes_without_saying(const struct session *session, const struct buf *statuses,
                                struct slice name, struct slice value)
{
    struct slice said;

    return !is_repeated(session, name) &&
           (is_plain_name(name, value) ||
            (find_status(statuses, (const char *)name.at, &said) && slice_same(said, value)));
}

static void collect(struct session *session, const struct buf *statuses)
{
    struct slice left = buf_slice(&session->asked), name, value;
    struct buf *set = &session->welcome->set;

    while (read_option(&left, &name, &value)) {
        if (goes_without_saying(session, statuses, name, value))
            continue;
        write_cstr(set, name);
        write_cstr(set, value);
    }
}

/* NULL: the client's settings are to be tried. */
static const struct vars *find_accepted(struct session *session, struct pool *pool)
{
    struct slice set = buf_slice(&session->welcome->set);

    return set.len ? accepted_find(pool_accepted(pool), set) : &no_vars;
}

/* ---- what is told ---- */

static struct slice value_of(const struct session *session, const struct vars *differing,
                             struct slice name, struct slice value)
{
    const struct var *var = vars_find(differing, name);

    if (var)
        return slice_text(var->value);
    var = vars_find(&session->startup, name);
    return var && is_plain_name(name, slice_text(var->value)) ? slice_text(var->value) : value;
}

/* What can be set, or was, the session has as the server words it. */
static void tell(struct session *session, struct buf *out, struct slice name, struct slice value)
{
    bool own = vars_find(&session->startup, name) != NULL;

    write_parameter_status(out, name, value);
    if (own)
        vars_set(&session->startup, name, value, true);
    if (own || vars_settable(name))
        vars_set(&session->vars, name, value, true);
}

static void tell_all(struct session *session, const struct buf *statuses,
                     const struct vars *differing, struct buf *out)
{
    struct slice left = buf_slice(statuses), name, value;

    while (next_status(&left, &name, &value))
        tell(session, out, name, value_of(session, differing, name, value));
    for (unsigned i = 0; i < differing->count; i++)
        if (!find_status(statuses, differing->at[i].name, &value))
            tell(session, out, slice_text(differing->at[i].name),
                 slice_text(differing->at[i].value));
}

static void come_in(struct session *session, const struct vars *differing)
{
    struct server *server = session->take.server;
    struct buf out = {0};

    tell_all(session, pool_welcome(primary_pool(session)), differing, &out);
    session_touch_settings(session);
    if (server && session->welcome->tried)
        server->matched = session->wanted;
    if (server && session->rooms->session_pooling) {
        session->pins = PIN_BIT(PIN_POOLING);
        session->node = primary_of(session);
        server_hold(server, &reply_events, session);
    } else if (server) {
        pool_give(&session->take, false);
    }
    client_login_end(session, &out);
    buf_clear(&out);
}

/* ---- the trial ---- */

static void note_reports(struct welcome *welcome)
{
    for (unsigned i = 0; i < welcome->before.count; i++) {
        const struct var *var = &welcome->before.at[i];

        if (var->reported)
            vars_set(&welcome->told, slice_text(var->name), slice_text(var->value), true);
    }
}

/* Remembers what the server says under these settings and does not say without. */
static void remember(struct session *session, struct pool *pool)
{
    struct welcome *welcome = session->welcome;
    struct vars differing = {0};

    for (unsigned i = 0; i < welcome->told.count; i++) {
        const struct var *var = &welcome->told.at[i];
        const struct var *own = vars_find(&session->startup, slice_text(var->name));
        struct slice value;

        if ((own && is_plain_name(slice_text(own->name), slice_text(own->value))) ||
            (find_status(pool_welcome(pool), var->name, &value) && slice_is(value, var->value)))
            continue;
        vars_set(&differing, slice_text(var->name), slice_text(var->value), true);
    }
    accepted_add(pool_accepted(pool), buf_slice(&welcome->set), &differing);
}

static void seen(void *owner, uint8_t type, struct slice whole, bool ours)
{
    struct session *session = owner;
    struct welcome *welcome = session->welcome;
    struct slice body = slice_skip(whole, FRAME_HEAD), name, value;

    (void)ours;
    if (type == REPLY_PARAMETER && read_parameter_status(body, &name, &value))
        vars_set(&welcome->told, name, value, true);
    if (type == REPLY_ERROR && !buf_len(&welcome->refusal))
        buf_put_slice(&welcome->refusal, body);
}

static void ignore_bytes(void *owner, uint8_t type, struct slice run)
{
    (void)owner;
    (void)type;
    (void)run;
}

static void ignore(void *owner)
{
    (void)owner;
}

/* It was one transaction, so that the server is as it was before. */
static void refused(struct session *session)
{
    struct welcome *welcome = session->welcome;
    struct server *server = session->take.server;
    struct err err;

    vars_clear(&server->vars);
    server->vars = welcome->before;
    welcome->before = (struct vars){0};
    pool_give(&session->take, false);
    read_error(buf_slice(&welcome->refusal), &err);
    session_fatal(session, &err);
}

static void ready(void *owner, uint8_t status)
{
    struct session *session = owner;
    struct welcome *welcome = session->welcome;
    struct server *server = session->take.server;
    struct pool *pool = primary_pool(session);

    (void)status;
    if (buf_len(&welcome->refusal)) {
        refused(session);
        return;
    }
    for (unsigned i = 0; i < welcome->told.count; i++)
        vars_set(&server->vars, slice_text(welcome->told.at[i].name),
                 slice_text(welcome->told.at[i].value), true);
    remember(session, pool);
    come_in(session, find_accepted(session, pool));
}

static void lost(void *owner, struct slice fatal)
{
    struct session *session = owner;
    const struct buf *refusal = &session->welcome->refusal;
    struct err err;

    pool_drop(&session->take);
    if (buf_len(refusal))
        read_error(buf_slice(refusal), &err);
    else if (fatal.len)
        read_error(slice_skip(fatal, FRAME_HEAD), &err);
    else
        err_set(&err, "08006", "the connection to the server was lost");
    session_fatal(session, &err);
}

static void ready_ours(void *owner, const void *about)
{
    (void)owner;
    (void)about;
}

static const struct server_events trial_events = {seen,   ignore_bytes, ready, ready_ours,
                                                  ignore, lost,         ignore};

/* First all is made as at the server's login, whoever has changed it since: from there on the
 * client's settings lead where they would have led it directly. */
static void put_trial(struct session *session, const struct buf *statuses, struct buf *sql)
{
    struct slice left = buf_slice(statuses), asked = buf_slice(&session->asked), name, value;
    struct vars *has = &session->take.server->vars, login = {0};

    while (next_status(&left, &name, &value))
        if (vars_settable(name))
            vars_set(&login, name, value, true);
    vars_match(has, &login, sql);
    vars_clear(&login);
    while (read_option(&asked, &name, &value)) {
        vars_write_set(sql, name, value);
        vars_set(has, name, value, false);
    }
}

static void try_settings(struct session *session, const struct buf *statuses)
{
    struct welcome *welcome = session->welcome;
    struct server *server = session->take.server;
    struct buf sql = {0}, out = {0};
    struct slice part;

    welcome->tried = true;
    server_hold(server, &trial_events, session);
    vars_copy(&welcome->before, &server->vars);
    note_reports(welcome);
    server->matched = 0;
    put_trial(session, statuses, &sql);
    client_login_watch(session->login);
    write_query(&out, buf_slice(&sql));
    part = buf_slice(&out);
    owed_add(&server->owed, OWED_QUERY, OWED_FORWARD, NULL);
    server_set_unnamed(server, NULL);
    server_send(server, &part, 1);
    buf_clear(&out);
    buf_clear(&sql);
}

/* ---- from the beginning on ---- */

static void took_server(struct session *session)
{
    struct pool *pool = primary_pool(session);
    const struct vars *differing;

    if (!buf_len(&session->welcome->set))
        collect(session, pool_welcome(pool));
    differing = find_accepted(session, pool);
    if (differing)
        come_in(session, differing);
    else
        try_settings(session, pool_welcome(pool));
}

static void take_done(struct take *take, const struct err *err)
{
    struct session *session = take->owner;

    if (err)
        session_fatal(session, err);
    else
        took_server(session);
}

/* Without a server where what is told is known, unless the session is to have one for life. */
void welcome_begin(struct session *session)
{
    struct pool *pool = primary_pool(session);
    const struct buf *statuses = pool_welcome(pool);
    const struct vars *differing = NULL;

    session->welcome = mem_new(sizeof(*session->welcome));
    if (statuses && !session->rooms->session_pooling) {
        collect(session, statuses);
        differing = find_accepted(session, pool);
    }
    if (differing) {
        come_in(session, differing);
        return;
    }
    session->take.done = take_done;
    session->take.owner = session;
    if (pool_take(pool, &session->take, 0) == TAKE_HAVE)
        took_server(session);
}

void welcome_free(struct session *session)
{
    struct welcome *welcome = session->welcome;

    session->welcome = NULL;
    if (!welcome)
        return;
    buf_clear(&session->asked);
    buf_clear(&welcome->set);
    vars_clear(&welcome->before);
    vars_clear(&welcome->told);
    buf_clear(&welcome->refusal);
    mem_free(welcome);
}
