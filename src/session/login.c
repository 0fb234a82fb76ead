/* The login of a client: startup packet, authentication, a cancel key. Who may log in is guard's to
 * say; what its settings are, and what it is told of the server's, is in welcome.c. */
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
    bool asked_ssl, asked_gssenc; /* by the request for encryption that came last */
    struct scram_server scram;
    char *database;
    enum replication_kind replication;
    struct err fault; /* of its settings: told once the server would look at them */
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
    client_login_watch(login);
    return login;
}

void client_login_watch(struct client_login *login)
{
    timer_start(&login->limit, LOGIN_LIMIT_SECONDS * INT64_C(1000000000));
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

void client_login_end(struct session *session, const struct buf *statuses)
{
    struct buf out = {0};

    write_auth(&out, AUTH_OK, (struct slice){0});
    buf_put_slice(&out, buf_slice(statuses));
    key_choose(session);
    write_key(&out, session->pid, slice_of(session->secret, session->secret_len));
    write_ready(&out, 'I');
    session->in = true;
    session->status = 'I';
    client_login_free(session->login);
    session->login = NULL;
    welcome_free(session);
    stream_send_buf(session->client, &out);
    buf_clear(&out);
    log_debug(session->who, "\"%s\" logged in to \"%s\" from %s", session->user,
              session->database ? session->database->name : "pgtier", session->client->peer);
    session_go_on(session);
}

static void enter_console(struct session *session)
{
    struct buf statuses = {0};

    put_console_welcome(&statuses);
    session_touch_settings(session);
    client_login_end(session, &statuses);
    buf_clear(&statuses);
}

static void enter_database(struct client_login *login)
{
    if (err_is_set(&login->fault)) {
        session_fatal(login->session, &login->fault);
        return;
    }
    login->stage = STAGE_WELCOME;
    /* From here on the pool's wait_timeout is the limit. */
    timer_stop(&login->limit);
    if (login->replication == REPLICATION_PHYSICAL)
        replication_begin(login->session, SLICE("true"), false);
    else if (login->replication == REPLICATION_LOGICAL)
        replication_begin(login->session, SLICE("database"), true);
    else
        welcome_begin(login->session);
}

static bool is_console(const char *name)
{
    return strcmp(name, "pgtier") == 0 || strcmp(name, "pgbouncer") == 0;
}

/* Physical replication is of all databases of a node: one that is not named well is no reason to
 * refuse it. */
static struct database *find_database(struct client_login *login)
{
    struct rooms *rooms = login->session->rooms;
    struct database *database = rooms_database(rooms, slice_text(login->database));

    if (!database && login->replication == REPLICATION_PHYSICAL)
        database = rooms_database(rooms, slice_text(login->session->user));
    if (!database && login->replication == REPLICATION_PHYSICAL && rooms->ndatabases)
        database = &rooms->databases[0];
    return database;
}

static void authenticated(struct client_login *login)
{
    struct session *session = login->session;
    struct console *console = &session->rooms->console;
    struct err err;

    session->database = find_database(login);
    if (session->database) {
        enter_database(login);
        return;
    }
    if (is_console(login->database) && console->run && login->replication == REPLICATION_NONE) {
        if (console->allows(console->owner, session->user)) {
            enter_console(session);
            return;
        }
        err_set(&err, "42501", "user \"%s\" may not use the console", session->user);
        err_hint(&err, "Name the user under admin.users.");
    } else {
        /* In the server's words, without a hint for who cannot read the settings file. */
        err_set(&err, "3D000", "database \"%s\" does not exist", login->database);
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

/* 3.1 never was; beyond 3.2 nothing is known. */
static uint32_t speak(uint32_t code)
{
    uint32_t minor = code & 0xffff;

    return minor < 2 ? WIRE_PROTOCOL_3_0 : WIRE_PROTOCOL_3_2;
}

/* Tells a client that asks for another protocol, or for options of it, what we speak instead. */
static void negotiate(struct client_login *login, const struct read_startup *startup)
{
    struct buf names = {0}, out = {0};
    uint32_t unknown = startup_unknown(startup->options, &names);
    uint32_t spoken = speak(startup->code);
    size_t begin;

    login->session->minor = (uint16_t)(spoken & 0xffff);
    if (unknown || startup->code != spoken) {
        begin = write_begin(&out, REPLY_NEGOTIATE);
        write_u32(&out, spoken);
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

/* False: there is no such replication, and the session has ended. */
static bool take_replication(struct client_login *login, struct slice value)
{
    struct err err;

    login->replication = value.at ? replication_kind(value) : REPLICATION_NONE;
    if (login->replication != REPLICATION_UNKNOWN)
        return true;
    err_set(&err, "22023", "invalid value for parameter \"replication\": \"%.*s\"", (int)value.len,
            (const char *)value.at);
    err_hint(&err, "Valid values are: \"false\", 0, \"true\", 1, \"database\".");
    session_fatal(login->session, &err);
    return false;
}

static void start(struct client_login *login, const struct read_startup *startup)
{
    struct session *session = login->session;
    struct slice replication = {0};

    startup_names(session, startup->options, &login->database, &replication);
    if (!take_replication(login, replication))
        return;
    negotiate(login, startup);
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
    startup_settings(session, startup->options, &login->fault);
    begin_auth(login);
}

static void refuse_protocol(struct client_login *login, uint32_t code)
{
    char text[160];

    snprintf(text, sizeof(text), "unsupported frontend protocol %u.%u: server supports 3.0 to 3.2",
             code >> 16, code & 0xffff);
    refuse(login, "0A000", text);
}

/* There is no encryption. The other kind may be asked for then, the same only after that, and
 * whatever came along was sent by somebody who has not waited (PostgreSQL, postmaster.c). */
static void refuse_encryption(struct client_login *login, uint32_t code, bool more)
{
    bool ssl = code == WIRE_SSL;
    struct slice no = SLICE("N");
    struct err err;

    if (ssl ? login->asked_ssl : login->asked_gssenc) {
        refuse_protocol(login, code);
        return;
    }
    login->asked_ssl = ssl;
    login->asked_gssenc = !ssl;
    stream_send(login->session->client, &no, 1);
    if (!more)
        return;
    err_set(&err, "08P01", "received unencrypted data after %s request",
            ssl ? "SSL" : "GSSAPI encryption");
    err_detail(&err, "This could be either a client-software bug or evidence of an attempted "
                     "man-in-the-middle attack.");
    session_fatal(login->session, &err);
}

static size_t take_startup(struct client_login *login, struct slice in)
{
    struct session *session = login->session;
    struct frame frame;
    struct read_startup startup;
    enum frame_state state = frame_look_startup(in, &frame);

    if (state == FRAME_NONE || state == FRAME_PART)
        return 0;
    if (state == FRAME_BAD || !read_startup(frame.whole, &startup)) {
        refuse(login, "08P01", "invalid startup packet");
        return 0;
    }
    switch (startup.code) {
    case WIRE_SSL:
    case WIRE_GSSENC:
        refuse_encryption(login, startup.code, in.len > frame.total);
        break;
    case WIRE_CANCEL:
        cancel_by_key(session->rooms, startup.pid, startup.secret);
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
