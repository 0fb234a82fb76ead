/* Logs in by trust, password, MD5 or SCRAM-SHA-256. Other methods are refused with what to do. */
#include "pool/login.h"

#include "base/crypt.h"
#include "base/mem.h"
#include "pool/place.h"
#include "wire/auth.h"
#include "wire/frame.h"
#include "wire/read.h"
#include "wire/scram.h"
#include "wire/types.h"
#include "wire/write.h"

enum {
    AUTH_OK = 0,
    AUTH_CLEARTEXT = 3,
    AUTH_MD5 = 5,
    AUTH_SASL = 10,
    AUTH_SASL_GO = 11,
    AUTH_SASL_END = 12
};
enum { LOGIN_MESSAGE_MAX = 64 * 1024 };

struct login {
    struct server *server;
    struct scram_client scram;
    bool proved; /* the server has proved that it knows the password, or SCRAM was not used */
    struct buf part;
};

static void send(struct server *server, struct buf *out)
{
    stream_send_buf(server->stream, out);
    buf_clear(out);
}

static void fail(struct login *login, const char *sqlstate, const char *what)
{
    struct err err;

    err_set(&err, sqlstate, "cannot log in to server %s as \"%s\": %s", login->server->place->node,
            login->server->place->user, what);
    server_login_failed(login->server, &err);
}

static bool send_password(struct login *login, struct slice password)
{
    struct buf out = {0};
    size_t begin = write_begin(&out, MSG_PASSWORD);

    write_cstr(&out, password);
    write_end(&out, begin);
    send(login->server, &out);
    return true;
}

static bool need_password(struct login *login)
{
    struct err err;

    if (login->server->place->password)
        return true;
    err_set(&err, "28P01", "server %s wants a password for user \"%s\", and none is known",
            login->server->place->node, login->server->place->user);
    err_hint(&err, "Give the user a plain password under auth.users, or put it into the url of "
                   "the database.");
    server_login_failed(login->server, &err);
    return false;
}

static bool answer_md5(struct login *login, struct slice salt)
{
    const struct pool_place *place = login->server->place;
    char text[AUTH_MD5_TEXT];

    if (salt.len != 4) {
        fail(login, "08P01", "malformed authentication request");
        return false;
    }
    auth_md5(slice_text(place->user), slice_text(place->password), salt.at, text);
    return send_password(login, slice_text(text));
}

static bool offers_scram(struct slice mechanisms)
{
    struct reader reader = {mechanisms, false};

    while (reader.left.len) {
        struct slice name = read_cstr(&reader);

        if (slice_is(name, "SCRAM-SHA-256"))
            return true;
        if (reader.bad || !name.len)
            return false;
    }
    return false;
}

static bool begin_scram(struct login *login, struct slice mechanisms)
{
    struct buf out = {0}, first = {0};
    uint8_t random[SCRAM_NONCE];
    size_t begin;

    if (!offers_scram(mechanisms)) {
        fail(login, "0A000", "it offers no authentication mechanism but such as are not supported");
        return false;
    }
    crypt_random(random, sizeof(random));
    scram_client_first(&login->scram, random, &first);
    begin = write_begin(&out, MSG_PASSWORD);
    write_cstr(&out, SLICE("SCRAM-SHA-256"));
    write_u32(&out, (uint32_t)buf_len(&first));
    buf_put_slice(&out, buf_slice(&first));
    write_end(&out, begin);
    buf_clear(&first);
    login->proved = false;
    send(login->server, &out);
    return true;
}

static bool continue_scram(struct login *login, struct slice server_first)
{
    struct buf out = {0};
    size_t begin = write_begin(&out, MSG_PASSWORD);

    if (!scram_client_final(&login->scram, slice_text(login->server->place->password), server_first,
                            &out)) {
        buf_clear(&out);
        fail(login, "08P01", "malformed SCRAM message");
        return false;
    }
    write_end(&out, begin);
    send(login->server, &out);
    return true;
}

static bool take_auth(struct login *login, struct slice body)
{
    struct reader reader = {body, false};
    uint32_t kind = read_u32(&reader);

    switch (kind) {
    case AUTH_OK:
        if (login->proved)
            return true;
        fail(login, "28000", "it has not proved that it knows the password");
        return false;
    case AUTH_CLEARTEXT:
        return need_password(login) &&
               send_password(login, slice_text(login->server->place->password));
    case AUTH_MD5:
        return need_password(login) && answer_md5(login, reader.left);
    case AUTH_SASL:
        return need_password(login) && begin_scram(login, reader.left);
    case AUTH_SASL_GO:
        return need_password(login) && continue_scram(login, reader.left);
    case AUTH_SASL_END:
        login->proved = scram_client_check(&login->scram, reader.left);
        return true;
    }
    fail(login, "0A000", "it wants an authentication method that is not supported");
    return false;
}

/* The server's own words, so that its client reads what a direct login would have said. */
static void take_error(struct login *login, struct slice body)
{
    struct err err;

    read_error(body, &err);
    server_login_failed(login->server, &err);
}

static bool take_key(struct login *login, struct slice body)
{
    struct server *server = login->server;
    struct reader reader = {body, false};

    server->pid = read_u32(&reader);
    if (reader.bad || reader.left.len > WIRE_SECRET_MAX) {
        fail(login, "08P01", "malformed message during login");
        return false;
    }
    mem_free((void *)server->secret.at);
    server->secret = slice_of(mem_text(reader.left.at, reader.left.len), reader.left.len);
    return true;
}

static bool take_message(struct login *login, const struct frame *frame)
{
    struct server *server = login->server;
    struct slice body = frame_body(frame), name, value;

    switch (frame->type) {
    case REPLY_AUTH:
        return take_auth(login, body);
    case REPLY_PARAMETER:
        if (read_parameter_status(body, &name, &value)) {
            vars_set(&server->vars, name, value, true);
            buf_put_slice(&server->welcome, frame->whole);
        }
        return true;
    case REPLY_KEY:
        return take_key(login, body);
    case REPLY_ERROR:
        take_error(login, body);
        return false;
    case REPLY_READY:
        server->status = body.len ? body.at[0] : 'I';
        server_logged_in(server);
        return false;
    case REPLY_NOTICE:
    case REPLY_NEGOTIATE:
        return true;
    }
    fail(login, "08P01", "unexpected message during login");
    return false;
}

static void take_bytes(void *owner, struct slice bytes)
{
    struct login *login = owner;
    enum frame_state state = FRAME_NONE;
    struct frame frame;

    buf_put_slice(&login->part, bytes);
    for (;;) {
        state = frame_look(buf_slice(&login->part), &frame);
        if (state != FRAME_WHOLE)
            break;
        /* The end of the login frees it. */
        if (!take_message(login, &frame))
            return;
        buf_take(&login->part, frame.total);
    }
    if (state == FRAME_BAD || (state == FRAME_PART && frame.total > LOGIN_MESSAGE_MAX))
        fail(login, "08P01", "malformed message during login");
}

static void end(void *owner, const char *why)
{
    struct login *login = owner;

    fail(login, "08006", why ? why : "it closed the connection during login");
}

static void nothing(void *owner)
{
    (void)owner;
}

static const struct stream_events login_events = {take_bytes, nothing, end, nothing};

struct login *login_start(struct server *server)
{
    struct login *login = mem_new(sizeof(*login));
    struct buf out = {0};
    struct write_pair options[] = {
        {SLICE("user"), slice_text(server->place->user)},
        {SLICE("database"), slice_text(server->place->dbname)},
    };

    login->server = server;
    login->proved = true;
    stream_own(server->stream, &login_events, login);
    write_startup(&out, options, sizeof(options) / sizeof(*options), server->options);
    send(server, &out);
    stream_resume(server->stream);
    return login;
}

void login_free(struct login *login)
{
    if (!login)
        return;
    buf_clear(&login->part);
    mem_free(login);
}
