/* The login of a client: startup packet, authentication, the server's parameters, a cancel key. Who
 * may log in is guard's to say; what the parameters are, a server's. */
#include "session/conversation.h"

#include "base/crypt.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/frame.h"
#include "wire/read.h"
#include "wire/scram.h"
#include "wire/types.h"
#include "wire/write.h"

#include <stdio.h>

enum { AUTH_OK = 0, AUTH_SASL = 10, AUTH_SASL_GO = 11, AUTH_SASL_END = 12 };
enum { PASSWORD_MAX = 4096, LOGIN_LIMIT_SECONDS = 60 };

enum stage { STAGE_STARTUP, STAGE_SASL_FIRST, STAGE_SASL_FINAL, STAGE_WELCOME };

struct client_login {
    struct session *session;
    enum stage stage;
    struct scram_server scram;
    char *database;
    struct timer limit;
};

static void over_time(struct timer *timer)
{
    struct client_login *login = timer->owner;
    struct err err;

    err_set(&err, "08006", "canceling authentication due to timeout");
    session_fatal(login->session, &err);
}

struct client_login *client_login_new(struct session *session)
{
    struct client_login *login = mem_new(sizeof(*login));

    login->session = session;
    timer_init(&login->limit, session->rooms->loop, over_time, login);
    timer_start(&login->limit, LOGIN_LIMIT_SECONDS * INT64_C(1000000000));
    return login;
}

void client_login_free(struct client_login *login)
{
    if (!login)
        return;
    timer_close(&login->limit);
    mem_free(login->database);
    mem_free(login);
}

static void refuse(struct client_login *login, const char *sqlstate, const char *text)
{
    struct err err;

    err_set(&err, sqlstate, "%s", text);
    session_fatal(login->session, &err);
}

static void send_auth(struct client_login *login, uint32_t kind, struct slice payload)
{
    struct buf out = {0};

    write_auth(&out, kind, payload);
    stream_send_buf(login->session->client, &out);
    buf_clear(&out);
}

/* ---- after the authentication ---- */

static void choose_key(struct session *session)
{
    crypt_random(&session->pid, sizeof(session->pid));
    crypt_random(&session->secret, sizeof(session->secret));
    session->pid &= 0x7fffffff;
    map_add(&session->rooms->keys, &session->key, hash_join(session->pid, session->secret));
}

void cancel_by_key(struct rooms *rooms, uint32_t pid, uint32_t secret)
{
    struct map_link *at = map_first(&rooms->keys, hash_join(pid, secret));
    struct session *session;

    for (; at; at = map_next(at)) {
        session = MAP_OF(at, struct session, key);
        if (session->pid != pid || session->secret != secret)
            continue;
        session_cancel(session);
        return;
    }
    log_info("login", "a cancel request with a key that no session has");
}

/* What the session does not say itself it has as the server has it. */
static void take_setting(struct session *session, struct slice name, struct slice value)
{
    if (vars_settable(name) && !vars_find(&session->vars, name))
        vars_set(&session->vars, name, value, true);
}

static void put_setting(struct session *session, struct buf *out, struct slice name,
                        struct slice value)
{
    const struct var *own = vars_settable(name) ? vars_find(&session->vars, name) : NULL;

    write_parameter_status(out, name, own ? slice_text(own->value) : value);
}

static void put_welcome(struct session *session, struct buf *out, const struct buf *welcome)
{
    struct slice left = buf_slice(welcome), name, value;
    struct frame frame;

    while (frame_look(left, &frame) == FRAME_WHOLE) {
        if (read_parameter_status(frame_body(&frame), &name, &value)) {
            take_setting(session, name, value);
            put_setting(session, out, name, value);
        }
        left = slice_skip(left, frame.total);
    }
}

static void put_console_welcome(struct buf *out)
{
    write_parameter_status(out, SLICE("server_version"), SLICE("15.0 (pgtier " PGTIER_VERSION ")"));
    write_parameter_status(out, SLICE("server_encoding"), SLICE("UTF8"));
    write_parameter_status(out, SLICE("client_encoding"), SLICE("UTF8"));
    write_parameter_status(out, SLICE("standard_conforming_strings"), SLICE("on"));
    write_parameter_status(out, SLICE("DateStyle"), SLICE("ISO, MDY"));
    write_parameter_status(out, SLICE("TimeZone"), SLICE("UTC"));
    write_parameter_status(out, SLICE("integer_datetimes"), SLICE("on"));
}

static void come_in(struct client_login *login, const struct buf *welcome)
{
    struct session *session = login->session;
    struct buf out = {0};

    write_auth(&out, AUTH_OK, (struct slice){0});
    if (welcome)
        put_welcome(session, &out, welcome);
    else
        put_console_welcome(&out);
    choose_key(session);
    write_key(&out, session->pid, session->secret);
    write_ready(&out, 'I');
    session->in = true;
    session->status = 'I';
    session->login = NULL;
    session_touch_settings(session);
    client_login_free(login);
    stream_send_buf(session->client, &out);
    buf_clear(&out);
    log_debug(session->who, "\"%s\" logged in to \"%s\" from %s", session->user,
              session->database ? session->database->name : "pgtier", session->client->peer);
    session_go_on(session);
}

static void took_server(struct session *session)
{
    struct pool *pool = session_pool(session, topology_node(session->database->topology, 0));

    if (session->rooms->session_pooling) {
        session->pins = PIN_BIT(PIN_POOLING);
        session->node = topology_node(session->database->topology, 0);
        server_hold(session->take.server, &reply_events, session);
    } else {
        pool_give(&session->take, false);
    }
    come_in(session->login, pool_welcome(pool));
}

static void take_done(struct take *take, const struct err *err)
{
    struct session *session = take->owner;

    if (err)
        session_fatal(session, err);
    else
        took_server(session);
}

/* The parameters are those of a server: where none of this user's has logged in yet, one does now.
 */
static void fetch_welcome(struct client_login *login)
{
    struct session *session = login->session;
    struct pool *pool = session_pool(session, topology_node(session->database->topology, 0));

    login->stage = STAGE_WELCOME;
    /* From here on the pool's wait_timeout is the limit. */
    timer_stop(&login->limit);
    if (pool_welcome(pool) && !session->rooms->session_pooling) {
        come_in(login, pool_welcome(pool));
        return;
    }
    session->take.done = take_done;
    session->take.owner = session;
    if (pool_take(pool, &session->take, 0) == TAKE_HAVE)
        took_server(session);
}

static bool is_console(const char *name)
{
    return strcmp(name, "pgtier") == 0 || strcmp(name, "pgbouncer") == 0;
}

static void authenticated(struct client_login *login)
{
    struct session *session = login->session;
    struct console *console = &session->rooms->console;
    struct err err;

    session->database = rooms_database(session->rooms, slice_text(login->database));
    if (session->database) {
        fetch_welcome(login);
        return;
    }
    if (is_console(login->database) && console->run) {
        if (console->allows(console->owner, session->user)) {
            come_in(login, NULL);
            return;
        }
        err_set(&err, "42501", "user \"%s\" may not use the console", session->user);
        err_hint(&err, "Name the user under admin.users.");
    } else {
        err_set(&err, "3D000", "database \"%s\" does not exist", login->database);
        err_hint(&err, "Name it under databases in the settings file.");
    }
    session_fatal(session, &err);
}

/* ---- authentication ---- */

static void begin_auth(struct client_login *login)
{
    struct session *session = login->session;
    const struct users *users = session->rooms->users;
    const struct user *user = users_find(users, slice_text(session->user));
    char text[160];

    if (users_auth(users) == USER_TRUST) {
        if (user || users_open(users)) {
            authenticated(login);
            return;
        }
        snprintf(text, sizeof(text), "role \"%.100s\" does not exist", session->user);
        refuse(login, "28000", text);
        return;
    }
    /* Nobody learns from the course of the login whether the user exists. */
    if (user && user->has_secret) {
        login->scram.secret = user->secret;
    } else {
        users_mock(users, slice_text(session->user), &login->scram.secret);
        login->scram.doomed = true;
    }
    login->stage = STAGE_SASL_FIRST;
    send_auth(login, AUTH_SASL, slice_of("SCRAM-SHA-256\0", sizeof("SCRAM-SHA-256\0")));
}

static void sasl_first(struct client_login *login, struct slice body)
{
    struct reader reader = {body, false};
    struct slice mechanism = read_cstr(&reader);
    uint32_t len = read_u32(&reader);
    struct slice first = read_bytes(&reader, len);
    uint8_t random[SCRAM_NONCE];
    struct buf out = {0};

    crypt_random(random, sizeof(random));
    if (reader.bad || !slice_is(mechanism, "SCRAM-SHA-256") ||
        !scram_server_first(&login->scram, first, random, &out)) {
        buf_clear(&out);
        refuse(login, "08P01", "malformed SCRAM message");
        return;
    }
    login->stage = STAGE_SASL_FINAL;
    send_auth(login, AUTH_SASL_GO, buf_slice(&out));
    buf_clear(&out);
}

static void sasl_final(struct client_login *login, struct slice body)
{
    struct buf out = {0};
    enum scram_outcome outcome = scram_server_final(&login->scram, body, &out);
    char text[160];

    if (outcome == SCRAM_OK) {
        send_auth(login, AUTH_SASL_END, buf_slice(&out));
        buf_clear(&out);
        authenticated(login);
        return;
    }
    buf_clear(&out);
    if (outcome == SCRAM_MALFORMED) {
        refuse(login, "08P01", "malformed SCRAM message");
        return;
    }
    snprintf(text, sizeof(text), "password authentication failed for user \"%.100s\"",
             login->session->user);
    refuse(login, "28P01", text);
}

static size_t take_password(struct client_login *login, struct slice in)
{
    struct frame frame;
    enum frame_state state = frame_look(in, &frame);

    if (state == FRAME_BAD ||
        (state != FRAME_NONE && (frame.type != MSG_PASSWORD || frame.total > PASSWORD_MAX))) {
        if (state != FRAME_BAD && frame.type == MSG_TERMINATE)
            session_end(login->session);
        else
            refuse(login, "08P01", "expected a password response");
        return 0;
    }
    if (state != FRAME_WHOLE)
        return 0;
    if (login->stage == STAGE_SASL_FIRST)
        sasl_first(login, frame_body(&frame));
    else
        sasl_final(login, frame_body(&frame));
    return frame.total;
}

/* ---- startup ---- */

/* -c name=value and --name=value, words parted by spaces, a backslash taking the next as it is
 * (PostgreSQL, libpq's "options"). False: something else. */
static bool take_options(struct session *session, struct slice text)
{
    struct buf word = {0};
    bool good = true, expects_value = false;

    for (size_t i = 0; i <= text.len && good; i++) {
        bool end = i == text.len || text.at[i] == ' ';
        struct slice whole, name;
        const uint8_t *equals;

        if (!end) {
            if (text.at[i] == '\\' && i + 1 < text.len)
                i++;
            buf_put(&word, &text.at[i], 1);
            continue;
        }
        whole = buf_slice(&word);
        if (!whole.len)
            continue;
        if (!expects_value && slice_is(whole, "-c")) {
            expects_value = true;
            buf_take(&word, whole.len);
            continue;
        }
        if (!expects_value && whole.len > 2 && whole.at[0] == '-')
            whole = slice_skip(whole, 2);
        else if (!expects_value)
            good = false;
        equals = memchr(whole.at, '=', whole.len);
        good &= equals != NULL;
        if (good) {
            name = slice_of(whole.at, (size_t)(equals - whole.at));
            vars_set(&session->vars, name, slice_skip(whole, name.len + 1), false);
            vars_set(&session->startup, name, slice_skip(whole, name.len + 1), false);
        }
        expects_value = false;
        buf_take(&word, buf_len(&word));
    }
    buf_clear(&word);
    return good && !expects_value;
}

static bool take_option(struct client_login *login, struct slice name, struct slice value)
{
    struct session *session = login->session;

    if (slice_is(name, "user")) {
        mem_free(session->user);
        session->user = mem_text(value.at, value.len);
    } else if (slice_is(name, "database")) {
        mem_free(login->database);
        login->database = mem_text(value.at, value.len);
    } else if (slice_is(name, "options")) {
        return take_options(session, value);
    } else if (slice_is(name, "replication")) {
        return slice_is(value, "false") || slice_is(value, "off") || slice_is(value, "0");
    } else if (!(name.len >= 5 && memcmp(name.at, "_pq_.", 5) == 0)) {
        vars_set(&session->vars, name, value, false);
        vars_set(&session->startup, name, value, false);
    }
    return true;
}

/* Tells a client of a newer protocol what we speak: 3.0, and none of its options. */
static void negotiate(struct client_login *login, const struct read_startup *startup)
{
    struct slice options = startup->options, name, value;
    struct buf names = {0}, out = {0};
    uint32_t unknown = 0;
    size_t begin;

    while (read_option(&options, &name, &value)) {
        if (name.len < 5 || memcmp(name.at, "_pq_.", 5) != 0)
            continue;
        unknown++;
        write_cstr(&names, name);
    }
    if (unknown || startup->code != WIRE_PROTOCOL_3_0) {
        begin = write_begin(&out, REPLY_NEGOTIATE);
        write_u32(&out, WIRE_PROTOCOL_3_0);
        write_u32(&out, unknown);
        buf_put_slice(&out, buf_slice(&names));
        write_end(&out, begin);
        stream_send_buf(login->session->client, &out);
        buf_clear(&out);
    }
    buf_clear(&names);
}

static bool is_full(struct client_login *login)
{
    struct rooms *rooms = login->session->rooms;
    struct err err;

    if (rooms->nsessions <= rooms->max_clients)
        return false;
    rooms->refused++;
    err_set(&err, "53300", "sorry, too many clients already");
    err_detail(&err, "listen.max_clients is %u.", rooms->max_clients);
    err_hint(&err, "Raise listen.max_clients, or close connections that are not used.");
    session_fatal(login->session, &err);
    return true;
}

static void start(struct client_login *login, const struct read_startup *startup)
{
    struct session *session = login->session;
    struct slice options = startup->options, name, value;
    char text[160];

    while (read_option(&options, &name, &value)) {
        if (take_option(login, name, value))
            continue;
        snprintf(text, sizeof(text), "invalid or unsupported startup option \"%.*s\"",
                 (int)(name.len < 80 ? name.len : 80), (const char *)name.at);
        refuse(login, "0A000", text);
        return;
    }
    if (!session->user || !session->user[0]) {
        refuse(login, "28000", "no PostgreSQL user name specified in startup packet");
        return;
    }
    if (!login->database || !login->database[0]) {
        mem_free(login->database);
        login->database = mem_text(session->user, strlen(session->user));
    }
    if (is_full(login))
        return;
    negotiate(login, startup);
    begin_auth(login);
}

static void refuse_protocol(struct client_login *login, uint32_t code)
{
    char text[160];

    snprintf(text, sizeof(text), "unsupported frontend protocol %u.%u: server supports 3.0 to 3.0",
             code >> 16, code & 0xffff);
    refuse(login, "0A000", text);
}

static size_t take_startup(struct client_login *login, struct slice in)
{
    struct session *session = login->session;
    struct frame frame;
    struct read_startup startup;
    enum frame_state state = frame_look_startup(in, &frame);
    struct slice no = SLICE("N");

    if (state == FRAME_NONE || state == FRAME_PART)
        return 0;
    if (state == FRAME_BAD || !read_startup(frame.whole, &startup)) {
        refuse(login, "08P01", "invalid startup packet");
        return 0;
    }
    switch (startup.code) {
    case WIRE_SSL:
    case WIRE_GSSENC:
        stream_send(session->client, &no, 1);
        break;
    case WIRE_CANCEL:
        if (startup.secret.len == 4) {
            const uint8_t *at = startup.secret.at;

            cancel_by_key(session->rooms, startup.pid,
                          (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 |
                              at[3]);
        }
        session_end(session);
        break;
    default:
        if (startup.code >> 16 == 3)
            start(login, &startup);
        else
            refuse_protocol(login, startup.code);
    }
    return frame.total;
}

size_t client_login_take(struct client_login *login, struct slice bytes)
{
    if (login->stage == STAGE_STARTUP)
        return take_startup(login, bytes);
    if (login->stage == STAGE_WELCOME)
        return 0;
    return take_password(login, bytes);
}
