/* Whole sessions: clients in memory, servers that are played (player.h), everything between them
 * real. The conversations are in talks/, one "## title" each; a name before the sign says who:
 *
 *     a> MESSAGES       client a sends them in one packet; "a>. " byte by byte
 *     a< MESSAGES       client a has got them, in this order, and nothing before them
 *     1< MESSAGES       the first server connection has got them; 2< ..; r1< .. of the replica
 *     1> MESSAGES       it sends them
 *     a login [NAME VALUE ..]   as user app, database app, unless said; "password" is for SCRAM;
 *                               login32: by protocol 3.2
 *     a closes, 1 closes        the connection; "a< end", "1< end": it was closed
 *     a pauses, a reads         stops and goes on reading
 *     a cancels b [HOW]         a CancelRequest with b's key; HOW: wrongly, shortly
 *     1 cancelled [SECRET]      one has come for server 1; 1 uncancelled: none has
 *     1 landed                  its connection is closed
 *     a pinned [WHY]            why it keeps its server, as SHOW CLIENTS has it; nothing: it does
 *                               not; "it is gone": its session has ended
 *     quiet                     nothing has come to anybody that is not told here
 *     pool IDLE TAKEN WAITING   of all servers
 *     turns COUNT               of the loop
 *     replica, primary          the replica is up and has replayed all; it is not
 *     ! OPTION [VALUE]          before the first of them; see `options`
 *
 * In what a client gets, pid:a is the number that client a's key says. Everything that came must
 * have been expected by the end. */
#include "house.h"
#include "player.h"

#include "base/log.h"
#include "net/loopback.h"
#include "session/request.h"
#include "wire/scram.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { CLIENTS = 26, LINE_MAX_LEN = 4096 };

struct client {
    struct stream *near, *session;
    struct buf in;
    uint64_t number; /* of its session */
    bool ended, paused;
    uint32_t pid;
    uint8_t secret[WIRE_SECRET_MAX];
    size_t secret_len;
};

struct stage {
    struct house house;
    struct player primary, replica;
    struct client clients[CLIENTS];
    bool replica_is_up;
    const char *file;
    unsigned line;
};

struct talk {
    const char *file;
    char *title, *text;
    unsigned line;
};

#define WRONG(stage, ...)                                                                          \
    do {                                                                                           \
        print_error("%s:%u: ", (stage)->file, (stage)->line);                                      \
        print_error(__VA_ARGS__);                                                                  \
        print_error("\n");                                                                         \
        fail();                                                                                    \
    } while (0)

/* ---- clients -------------------------------------------------------------------------------- */

static void client_bytes(void *owner, struct slice bytes)
{
    struct client *client = owner;

    buf_put_slice(&client->in, bytes);
}

static void client_drained(void *owner)
{
    (void)owner;
}

static void client_ended(void *owner, const char *why)
{
    (void)why;
    ((struct client *)owner)->ended = true;
}

static void client_closed(void *owner)
{
    ((struct client *)owner)->near = NULL;
}

static const struct stream_events client_events = {client_bytes, client_drained, client_ended,
                                                   client_closed};

static bool turn_client(struct client *client)
{
    bool happened = client->near && loopback_turn(client->near), last;

    if (!client->session)
        return happened;
    last = client->session->closing && !client->session->queued;
    if (!loopback_turn(client->session))
        return happened;
    if (last)
        client->session = NULL;
    return true;
}

/* Again in each turn: the control connection, which nobody answers, says otherwise. */
static void tell_replica(struct stage *stage)
{
    struct node *node = topology_node(stage->house.database.topology, 1);

    node->up = stage->replica_is_up;
    node->lsn = 1000;
    node->lag = 0;
    node->polled = loop_now(stage->house.rooms.loop) + CLOCK_SEC; /* after any login to come */
}

static void turn_stage(void *owner)
{
    struct stage *stage = owner;

    for (unsigned i = 0; i < CLIENTS; i++)
        while (turn_client(&stage->clients[i]))
            ;
    loop_turn(stage->house.rooms.loop);
    tell_replica(stage);
}

#define UNTIL(stage, done)                                                                         \
    do {                                                                                           \
        int64_t limit = clock_now() + 10 * CLOCK_SEC;                                              \
        while (!(done) && clock_now() < limit)                                                     \
            turn_stage(stage);                                                                     \
    } while (0)

static struct client *client_of(struct stage *stage, char letter)
{
    struct client *client = &stage->clients[letter - 'a'];
    struct loopback_pair pair;

    if (client->near || client->ended)
        return client;
    pair = loopback_new();
    client->near = pair.a;
    client->session = pair.b;
    stream_own(pair.a, &client_events, client);
    stream_resume(pair.a);
    session_new(&stage->house.rooms, pair.b);
    client->number = stage->house.rooms.session_number;
    return client;
}

static void client_send(struct stage *stage, struct client *client, const char *line, bool bytewise)
{
    struct buf out = {0};

    if (!words_put(&out, words_of_client, line))
        WRONG(stage, "no such message: %s", line);
    while (client->near && buf_len(&out)) {
        struct slice part = slice_first(buf_slice(&out), bytewise ? 1 : SIZE_MAX);

        stream_send(client->near, &part, 1);
        buf_take(&out, part.len);
        while (turn_client(client))
            ;
    }
    buf_clear(&out);
}

enum spelling { SPELT_WORDS, SPELT_BYTE, SPELT_RAW };

/* How what is expected is told: by its fields, or, as "byte N" and "Raw E ..", as it came. */
static enum spelling spelling_of(struct slice expected)
{
    if (expected.len > 5 && memcmp(expected.at, "byte ", 5) == 0)
        return SPELT_BYTE;
    return expected.len > 4 && memcmp(expected.at, "Raw ", 4) == 0 ? SPELT_RAW : SPELT_WORDS;
}

static bool client_take(struct client *client, struct buf *text, enum spelling form)
{
    struct slice in = buf_slice(&client->in);
    struct frame frame;

    if (form == SPELT_BYTE && in.len) {
        buf_printf(text, "byte %c", in.at[0]);
        buf_take(&client->in, 1);
        return true;
    }
    if (frame_look(in, &frame) != FRAME_WHOLE)
        return false;
    if (form == SPELT_RAW) {
        buf_printf(text, "Raw %c", frame.type);
        word_put(text, frame_body(&frame));
    } else {
        words_tell(text, words_of_server, &frame);
    }
    buf_take(&client->in, frame.total);
    return true;
}

/* pid:a in its place, as long as the line. */
static void put_pids(struct stage *stage, char *line)
{
    char *at;

    while ((at = strstr(line, "pid:"))) {
        char number[16];
        int len = snprintf(number, sizeof(number), "%u", stage->clients[at[4] - 'a'].pid);

        memmove(at + len, at + 5, strlen(at + 5) + 1);
        memcpy(at, number, (size_t)len);
    }
}

static void client_expect(struct stage *stage, struct client *client, const char *words)
{
    char whole[LINE_MAX_LEN + 64];
    const char *line = whole;

    snprintf(whole, sizeof(whole), "%s", words);
    put_pids(stage, whole);
    while (*line) {
        const char *next, *wrong;
        struct slice expected = slice_of(line, words_first(line, &next));
        struct buf text = {0};
        enum spelling form = spelling_of(expected);

        UNTIL(stage, client_take(client, &text, form) || client->ended);
        if (!buf_len(&text) && !client_take(client, &text, form))
            buf_printf(&text, client->ended ? "end" : "nothing");
        wrong = words_compare(expected, &text);
        buf_clear(&text);
        if (*wrong)
            WRONG(stage, "%s", wrong);
        line = next;
    }
}

/* ---- logins --------------------------------------------------------------------------------- */

static void send_sasl(struct client *client, const char *mechanism, struct buf *message)
{
    struct buf out = {0};
    size_t begin = write_begin(&out, MSG_PASSWORD);

    if (mechanism) {
        write_cstr(&out, slice_text(mechanism));
        write_u32(&out, (uint32_t)buf_len(message));
    }
    buf_put_slice(&out, buf_slice(message));
    write_end(&out, begin);
    stream_send_buf(client->near, &out);
    buf_clear(&out);
    buf_clear(message);
}

static bool next_frame(struct stage *stage, struct client *client, struct frame *frame)
{
    UNTIL(stage, frame_look(buf_slice(&client->in), frame) == FRAME_WHOLE || client->ended);
    return frame_look(buf_slice(&client->in), frame) == FRAME_WHOLE;
}

static void answer_sasl(struct client *client, struct scram_client *scram, const char *password,
                        struct reader *reader, uint32_t kind)
{
    static const uint8_t random[SCRAM_NONCE] = {1, 2, 3};
    struct buf out = {0};

    if (kind == 10) {
        scram_client_first(scram, random, &out);
        send_sasl(client, "SCRAM-SHA-256", &out);
    } else if (kind == 11) {
        assert_true(scram_client_final(scram, slice_text(password), reader->left, &out));
        send_sasl(client, NULL, &out);
    } else if (kind == 12) {
        assert_true(scram_client_check(scram, reader->left));
    }
}

/* Up to ReadyForQuery, or to an error, which is left for who expects it. */
static void finish_login(struct stage *stage, struct client *client, const char *password)
{
    struct scram_client scram = {.nonce = ""};
    struct frame frame;

    while (next_frame(stage, client, &frame)) {
        struct reader reader = {frame_body(&frame), false};

        if (frame.type == REPLY_ERROR)
            return;
        if (frame.type == REPLY_AUTH)
            answer_sasl(client, &scram, password, &reader, read_u32(&reader));
        if (frame.type == REPLY_KEY) {
            client->pid = read_u32(&reader);
            client->secret_len = reader.left.len;
            memcpy(client->secret, reader.left.at, reader.left.len);
        }
        buf_take(&client->in, frame.total);
        if (frame.type == REPLY_READY)
            return;
    }
    WRONG(stage, "the login does not end");
}

static void login(struct stage *stage, struct client *client, const char *version, const char *at)
{
    char password[64] = "secret", options[LINE_MAX_LEN] = "", line[LINE_MAX_LEN + 64];
    struct buf word = {0};
    bool user = false, database = false;

    while (word_next(&at, &word)) {
        struct buf text = {0};
        bool secret = slice_is(buf_slice(&word), "password");

        user |= slice_is(buf_slice(&word), "user");
        database |= slice_is(buf_slice(&word), "database");
        word_put(&text, buf_slice(&word));
        word_next(&at, &word);
        if (secret) {
            snprintf(password, sizeof(password), "%.*s", (int)buf_len(&word),
                     (const char *)buf_slice(&word).at);
        } else {
            word_put(&text, buf_slice(&word));
            snprintf(options + strlen(options), sizeof(options) - strlen(options), "%.*s",
                     (int)buf_len(&text), (const char *)buf_slice(&text).at);
        }
        buf_clear(&text);
    }
    buf_clear(&word);
    snprintf(line, sizeof(line), "Startup %s%s%s%s", version, user ? "" : " user app",
             database ? "" : " database app", options);
    client_send(stage, client, line, false);
    finish_login(stage, client, password);
    if (client->secret_len && client->secret_len != (strcmp(version, "3.2") == 0 ? 32 : 4))
        WRONG(stage, "a key of %zu bytes", client->secret_len);
}

/* ---- the stage ------------------------------------------------------------------------------ */

static void set_pool(struct stage *stage, unsigned size, int64_t wait)
{
    struct pool_settings settings = {size, wait, 60 * CLOCK_SEC, 60 * CLOCK_SEC};

    pool_set_change(stage->house.database.pools, &settings);
}

static void open_stage(struct stage *stage)
{
    struct rooms *rooms = &stage->house.rooms;

    house_build(&stage->house);
    rooms->max_request = 64 * 1024;
    player_open(&stage->primary, rooms->loop);
    player_open(&stage->replica, rooms->loop);
    stage->primary.turn = stage->replica.turn = turn_stage;
    stage->primary.owner = stage->replica.owner = stage;
    /* The control connections go to a closed port: only pools meet those who play. */
    topology_node(stage->house.database.topology, 0)->port = listener_port(stage->primary.listener);
    topology_node(stage->house.database.topology, 1)->port = listener_port(stage->replica.listener);
    stage->house.database.has_replicas = false;
    set_pool(stage, 5, 60 * CLOCK_SEC);
}

static bool has_streams(const struct stage *stage)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        if (stage->clients[i].near || stage->clients[i].session)
            return true;
    return false;
}

/* Nothing that was taken may be left, whatever happened. */
static void check_returned(struct stage *stage)
{
    struct rooms *rooms = &stage->house.rooms;

    assert_int_equal(rooms->nsessions, 0);
    assert_true(ring_empty(&rooms->sessions));
}

static void close_stage(struct stage *stage)
{
    struct rooms *rooms = &stage->house.rooms;

    session_end_all(rooms);
    for (unsigned i = 0; i < CLIENTS; i++)
        if (stage->clients[i].near)
            stream_close(stage->clients[i].near);
    UNTIL(stage, !has_streams(stage));
    assert_false(has_streams(stage));
    transactions_forget(&stage->house.database);
    check_returned(stage);
    for (unsigned i = 0; i < CLIENTS; i++)
        buf_clear(&stage->clients[i].in);
    /* The pools' servers say goodbye, and whoever plays them hears it. */
    database_set_catalog(&stage->house.database, NULL);
    request_free_spare(rooms);
    buf_clear(&rooms->scratch);
    map_clear(&rooms->keys);
    player_land_all(&stage->primary);
    player_land_all(&stage->replica);
    listener_close(stage->replica.listener);
    listener_close(stage->primary.listener);
    house_clear(&stage->house);
    for (unsigned i = 0; i < PLAYED_MAX; i++) {
        played_clear(&stage->primary.all[i]);
        played_clear(&stage->replica.all[i]);
    }
    assert_int_equal(stage->house.database.statements.bytes, 0);
    map_clear(&stage->house.database.statements.map);
}

/* ---- options -------------------------------------------------------------------------------- */

/* What the primary would have said of the one relation there is, and of some functions. */
static void set_catalog(struct stage *stage)
{
    static const char *const rows[][7] = {
        {"r", "public", "evaluations", "100", "r", "p", ""},
        {"c", "100", "id", "int4", "u", NULL, NULL},
        {"c", "100", "user_id", "int4", "", NULL, NULL},
        {"c", "100", "tier", "text", "", NULL, NULL},
        {"c", "100", "data", "text", "", NULL, NULL},
        {"f", "quiet", NULL, "s", "", NULL, NULL},
        {"f", "counts", NULL, "v", "", NULL, NULL},
        {"f", "leaves", NULL, "v", "w", "app.tenant app.user", NULL},
        {"f", "stably", NULL, "s", "w", "app.tenant", NULL},
        {"f", "computes", NULL, "v", "wu", NULL, NULL},
        {"o", "f", NULL, NULL, NULL, NULL, NULL},
    };
    struct catalog *catalog = catalog_new();

    for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct slice fields[7];

        for (unsigned j = 0; j < 7; j++)
            fields[j] = rows[i][j] ? slice_text(rows[i][j]) : (struct slice){0};
        assert_true(catalog_add_row(catalog, fields, 7));
    }
    catalog_finish(catalog);
    database_set_catalog(&stage->house.database, catalog);
    catalog_unref(catalog);
}

/* ! size N, wait MS (which makes the size 1), session (pooling), scram, clients N, request BYTES,
 * catalog (what set_catalog tells of), cached (that, and the ledger is open), replicas (the same),
 * by hand (logins of servers) */
static void set_option(struct stage *stage, const char *name, const char *value)
{
    struct rooms *rooms = &stage->house.rooms;

    if (strcmp(name, "size") == 0) {
        set_pool(stage, (unsigned)atoi(value), 60 * CLOCK_SEC);
    } else if (strcmp(name, "wait") == 0) {
        set_pool(stage, 1, atoi(value) * CLOCK_MS);
    } else if (strcmp(name, "session") == 0) {
        rooms->session_pooling = true;
    } else if (strcmp(name, "scram") == 0) {
        users_free(rooms->users);
        rooms->users = users_new(USER_SCRAM);
        users_add(rooms->users, "app", "secret");
    } else if (strcmp(name, "clients") == 0) {
        rooms->max_clients = (unsigned)atoi(value);
    } else if (strcmp(name, "request") == 0) {
        rooms->max_request = (size_t)atoi(value);
    } else if (strcmp(name, "catalog") == 0) {
        set_catalog(stage);
    } else if (strcmp(name, "cached") == 0) {
        set_catalog(stage);
        ledger_open(stage->house.database.ledger, 1);
    } else if (strcmp(name, "replicas") == 0) {
        set_catalog(stage);
        stage->house.database.has_replicas = true;
        ledger_open(stage->house.database.ledger, 1);
    } else if (strcmp(name, "by") == 0) {
        stage->primary.by_hand = true;
    } else {
        WRONG(stage, "no option %s", name);
    }
}

/* ---- what a line does ----------------------------------------------------------------------- */

struct figures {
    unsigned idle, taken, waiting;
};

static void add_figures(void *with, const struct pool_figures *figures)
{
    struct figures *sum = with;

    sum->idle += figures->idle;
    sum->taken += figures->taken;
    sum->waiting += figures->waiting;
}

static void expect_pool(struct stage *stage, const char *words)
{
    struct figures sum = {0, 0, 0}, expected = {0, 0, 0};

    sscanf(words, "%u %u %u", &expected.idle, &expected.taken, &expected.waiting);
    for (unsigned i = 0; i < 10; i++)
        turn_stage(stage);
    pool_set_each(stage->house.database.pools, add_figures, &sum);
    if (memcmp(&sum, &expected, sizeof(sum)) != 0)
        WRONG(stage, "pool: %u idle, %u taken, %u waiting", sum.idle, sum.taken, sum.waiting);
}

static void expect_quiet(struct stage *stage)
{
    struct buf text = {0};
    const char *left;

    for (unsigned i = 0; i < 10; i++)
        turn_stage(stage);
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct client *client = &stage->clients[i];

        if (!client_take(client, &text, SPELT_WORDS) && !buf_len(&client->in))
            continue;
        write_byte(&text, 0);
        WRONG(stage, "client %c got %s", 'a' + (int)i, (const char *)buf_slice(&text).at);
    }
    left = player_left(&stage->primary, &text);
    if (!*left)
        left = player_left(&stage->replica, &text);
    if (*left)
        WRONG(stage, "%s", left);
    buf_clear(&text);
}

static void cancel(struct stage *stage, char from, const char *words)
{
    const struct client *whom = &stage->clients[words[0] - 'a'];
    struct client *client = client_of(stage, from);
    uint8_t secret[WIRE_SECRET_MAX];
    size_t len = whom->secret_len;
    struct buf out = {0};

    memcpy(secret, whom->secret, sizeof(secret));
    if (strstr(words, "wrongly"))
        secret[len - 1]++;
    if (strstr(words, "shortly"))
        len = 4;
    write_cancel(&out, whom->pid, slice_of(secret, len));
    stream_send_buf(client->near, &out);
    buf_clear(&out);
    UNTIL(stage, client->ended);
    if (!client->ended)
        WRONG(stage, "the cancel request stays open");
}

struct look_up {
    uint64_t number;
    const char *pinned;
};

static void look_at(void *with, const struct session_figures *figures)
{
    struct look_up *look_up = with;

    if (figures->number == look_up->number)
        look_up->pinned = figures->pinned ? figures->pinned : "";
}

static void expect_pinned(struct stage *stage, const struct client *client, const char *why)
{
    struct look_up look_up = {client->number, "it is gone"};

    for (unsigned i = 0; i < 10; i++)
        turn_stage(stage);
    session_each(&stage->house.rooms, look_at, &look_up);
    if (strcmp(look_up.pinned, why + strspn(why, " ")) != 0)
        WRONG(stage, "pinned by: %s", look_up.pinned);
}

static void do_client(struct stage *stage, char letter, const char *words)
{
    struct client *client;

    if (strncmp(words, "cancels ", 8) == 0) {
        cancel(stage, letter, words + 8);
        return;
    }
    if (strncmp(words, "pinned", 6) == 0) {
        expect_pinned(stage, &stage->clients[letter - 'a'], words + 6);
        return;
    }
    client = client_of(stage, letter);
    if (strncmp(words, "> ", 2) == 0)
        client_send(stage, client, words + 2, false);
    else if (strncmp(words, ">. ", 3) == 0)
        client_send(stage, client, words + 3, true);
    else if (strncmp(words, "< ", 2) == 0)
        client_expect(stage, client, words + 2);
    else if (strncmp(words, "login32", 7) == 0)
        login(stage, client, "3.2", words + 7);
    else if (strncmp(words, "login", 5) == 0)
        login(stage, client, "3.0", words + 5);
    else if (strcmp(words, "closes") == 0)
        stream_close(client->near);
    else if (strcmp(words, "pauses") == 0)
        stream_pause(client->near);
    else if (strcmp(words, "reads") == 0)
        stream_resume(client->near);
    else
        WRONG(stage, "not understood: %s", words);
}

static void send_bytewise(struct stage *stage, struct played *played, const char *line)
{
    struct buf out = {0}, text = {0};

    expand_answers(played, &text, line);
    if (!words_put(&out, words_of_server, (const char *)buf_slice(&text).at))
        WRONG(stage, "no such message: %s", line);
    buf_clear(&text);
    while (played->stream && buf_len(&out)) {
        struct slice byte = slice_first(buf_slice(&out), 1);

        stream_send(played->stream, &byte, 1);
        buf_take(&out, 1);
        for (unsigned i = 0; i < 3; i++)
            turn_stage(stage);
    }
    buf_clear(&out);
}

static void do_server(struct stage *stage, struct player *player, const char *words)
{
    unsigned number = (unsigned)strtoul(words, (char **)&words, 10);
    struct played *played = player_at(player, number), *cancelling;
    const char *wrong = "";

    if (!played)
        WRONG(stage, "no server %u has come", number);
    words += strspn(words, " ");
    if (strncmp(words, "> ", 2) == 0) {
        if (!played_send_line(played, words + 2))
            WRONG(stage, "cannot be sent");
    } else if (strncmp(words, ">. ", 3) == 0) {
        send_bytewise(stage, played, words + 3);
    } else if (strncmp(words, "< ", 2) == 0) {
        wrong = played_expect(played, words + 2);
    } else if (strcmp(words, "closes") == 0) {
        stream_close(played->stream);
    } else if (strcmp(words, "cancelled") == 0) {
        UNTIL(stage, player_cancelled(player, number));
        wrong = player_cancelled(player, number) ? "" : "no cancel request has come";
    } else if (strcmp(words, "uncancelled") == 0) {
        wrong = player_cancelled(player, number) ? "a cancel request has come" : "";
    } else if (strncmp(words, "cancelled ", 10) == 0) {
        UNTIL(stage, player_cancelled(player, number));
        cancelling = player_cancelled(player, number);
        if (!cancelling)
            WRONG(stage, "no cancel request has come");
        wrong = words_compare(slice_text(words + 9), &cancelling->key);
    } else if (strcmp(words, "landed") == 0) {
        cancelling = player_cancel(player, number);
        if (!cancelling)
            WRONG(stage, "no cancel request has come");
        stream_close(cancelling->stream);
        UNTIL(stage, !cancelling->stream);
    } else {
        wrong = "not understood";
    }
    if (*wrong)
        WRONG(stage, "server %u: %s", number, wrong);
}

static void do_line(struct stage *stage, const char *line)
{
    char name[32] = "", value[32] = "";

    if (line[0] == '!') {
        sscanf(line + 1, "%31s %31s", name, value);
        set_option(stage, name, value);
    } else if (isdigit((unsigned char)line[0])) {
        do_server(stage, &stage->primary, line);
    } else if (line[0] == 'r' && isdigit((unsigned char)line[1])) {
        do_server(stage, &stage->replica, line + 1);
    } else if (strcmp(line, "quiet") == 0) {
        expect_quiet(stage);
    } else if (strncmp(line, "pool ", 5) == 0) {
        expect_pool(stage, line + 5);
    } else if (strncmp(line, "turns ", 6) == 0) {
        for (int i = atoi(line + 6); i > 0; i--)
            turn_stage(stage);
    } else if (strcmp(line, "replica") == 0 || strcmp(line, "primary") == 0) {
        stage->replica_is_up = *line == 'r';
        tell_replica(stage);
    } else if (islower((unsigned char)line[0]) && strchr("<> ", line[1])) {
        do_client(stage, line[0], line + 1 + (line[1] == ' '));
    } else {
        WRONG(stage, "not understood: %s", line);
    }
}

static void play(void **state)
{
    const struct talk *talk = *state;
    struct stage stage = {.file = talk->file, .line = talk->line};
    char line[LINE_MAX_LEN];

    open_stage(&stage);
    for (const char *at = talk->text; *at; at += *at == '\n') {
        size_t len = strcspn(at, "\n");

        stage.line++;
        snprintf(line, sizeof(line), "%.*s", (int)len, at);
        at += len;
        if (line[0] && line[0] != '#')
            do_line(&stage, line);
    }
    expect_quiet(&stage);
    close_stage(&stage);
}

/* ---- the conversations ---------------------------------------------------------------------- */

enum { TALKS_MAX = 400 };

static struct talk talks[TALKS_MAX];
static unsigned ntalks;

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "r");
    struct buf text = {0};
    char *copy;

    if (!file)
        abort();
    while (!feof(file)) {
        uint8_t *room = buf_room(&text, 65536);

        buf_added(&text, fread(room, 1, 65536, file));
    }
    fclose(file);
    copy = mem_text(buf_slice(&text).at, buf_len(&text));
    buf_clear(&text);
    return copy;
}

static void add_talks(const char *path)
{
    char *whole = read_whole(path), *at = whole;
    unsigned line = 1;

    while ((at = strstr(at, "## "))) {
        char *title = at + 3, *text = title + strcspn(title, "\n"), *next = strstr(text, "\n## ");
        struct talk *talk = &talks[ntalks++];

        for (const char *c = whole; c < text; c++)
            line += *c == '\n';
        *talk =
            (struct talk){path, mem_text(title, (size_t)(text - title)),
                          mem_text(text, next ? (size_t)(next - text) : strlen(text)), line - 1};
        line = 1;
        at = text;
        if (ntalks == TALKS_MAX)
            abort();
    }
    mem_free(whole);
}

/* With an argument: only talks whose title holds it; with another one, of these files. */
int main(int argc, char **argv)
{
    struct CMUnitTest tests[TALKS_MAX];
    unsigned count = 0;
    glob_t found;
    int failed;

    log_set_level(LOG_ERROR);
    if (glob(argc > 2 ? argv[2] : "talks/*.talk", 0, NULL, &found) != 0)
        return 1;
    for (size_t i = 0; i < found.gl_pathc; i++)
        add_talks(found.gl_pathv[i]);
    for (unsigned i = 0; i < ntalks; i++)
        if (argc < 2 || strstr(talks[i].title, argv[1]))
            tests[count++] =
                (struct CMUnitTest){talks[i].title, play, NULL, NULL, (void *)&talks[i]};
    failed = _cmocka_run_group_tests("talks", tests, count, NULL, NULL);
    for (unsigned i = 0; i < ntalks; i++) {
        mem_free(talks[i].title);
        mem_free(talks[i].text);
    }
    globfree(&found);
    return failed;
}
