/* Pools against a server that is played (player.h): logins, who gets a server when, and what
 * becomes of it afterwards. */
#include "pool/pool.h"

#include "player.h"

#include "base/log.h"
#include "wire/scram.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { TAKES = 8 };

/* A client as far as the pool sees it. */
struct taker {
    struct take take;
    bool had;
    unsigned turn; /* the how manieth to be answered */
    struct err err;
    struct desk *desk;
    /* Of the server it holds. */
    unsigned ready, lost;
};

struct desk {
    struct loop *loop;
    struct player player;
    struct pool_settings settings;
    struct pool_set *set;
    struct pool *pool;
    struct taker takers[TAKES];
    unsigned turns;
    bool freed;
};

static struct pool *pool_for(struct desk *desk, const char *user, const char *password)
{
    struct pool_place place = {.node = "played",
                               .host = "127.0.0.1",
                               .port = listener_port(desk->player.listener),
                               .dbname = "app",
                               .user = user,
                               .password = password};

    return pool_of(desk->set, &place);
}

static int set_up(void **state)
{
    static struct desk desk;

    desk = (struct desk){.loop = loop_new()};
    player_open(&desk.player, desk.loop);
    desk.settings = (struct pool_settings){2, 60 * CLOCK_SEC, 60 * CLOCK_SEC, 60 * CLOCK_SEC};
    desk.set = pool_set_new(desk.loop, &desk.settings);
    desk.pool = pool_for(&desk, "app", "secret");
    *state = &desk;
    return 0;
}

static int tear_down(void **state)
{
    struct desk *desk = *state;

    for (unsigned i = 0; i < TAKES; i++)
        pool_leave(&desk->takers[i].take);
    pool_set_free(desk->set);
    player_close(&desk->player);
    loop_free(desk->loop);
    return 0;
}

static void change(struct desk *desk, unsigned size, int64_t wait, int64_t idle)
{
    desk->settings.size = size;
    desk->settings.wait_timeout = wait;
    desk->settings.idle_timeout = idle;
    pool_set_change(desk->set, &desk->settings);
}

#define UNTIL(desk, done)                                                                          \
    do {                                                                                           \
        PLAYER_UNTIL(&(desk)->player, done);                                                       \
        assert_true(done);                                                                         \
    } while (0)

static void turns(struct desk *desk)
{
    for (unsigned i = 0; i < 20; i++)
        loop_turn(desk->loop);
}

static void took(struct take *take, const struct err *err)
{
    struct taker *taker = take->owner;

    taker->turn = ++taker->desk->turns;
    taker->had = !err;
    if (err)
        taker->err = *err;
}

static struct taker *ask(struct desk *desk, unsigned i)
{
    struct taker *taker = &desk->takers[i];

    *taker = (struct taker){.desk = desk};
    taker->take.done = took;
    taker->take.owner = taker;
    taker->had = pool_take(desk->pool, &taker->take, 0) == TAKE_HAVE;
    if (taker->had)
        assert_non_null(taker->take.server);
    return taker;
}

static struct taker *get(struct desk *desk, unsigned i)
{
    struct taker *taker = ask(desk, i);

    UNTIL(desk, taker->had);
    return taker;
}

static void look(void *with, const struct pool_figures *figures)
{
    struct pool_figures *copy = with;

    if (strcmp(figures->place->user, "app") == 0)
        *copy = *figures;
}

static struct pool_figures figures(struct desk *desk)
{
    struct pool_figures copy = {.size = 0};

    pool_set_each(desk->set, look, &copy);
    return copy;
}

static void expect_at(struct desk *desk, unsigned number, const char *line)
{
    struct played *played = player_at(&desk->player, number);

    assert_non_null(played);
    assert_string_equal(played_expect(played, line), "");
}

static void say(struct desk *desk, unsigned number, const char *line)
{
    assert_true(played_send_line(player_at(&desk->player, number), line));
}

/* ---- a holder ------------------------------------------------------------------------------- */

static void seen(void *owner, uint8_t type, struct slice whole, bool ours)
{
    (void)owner;
    (void)type;
    (void)whole;
    (void)ours;
}

static void take_run(void *owner, uint8_t type, struct slice run)
{
    (void)owner;
    (void)type;
    (void)run;
}

static void ready(void *owner, uint8_t status)
{
    (void)status;
    ((struct taker *)owner)->ready++;
}

static void nothing(void *owner)
{
    (void)owner;
}

static void lost(void *owner, struct slice fatal)
{
    struct taker *taker = owner;

    (void)fatal;
    taker->lost++;
    pool_drop(&taker->take);
}

static void ready_ours(void *owner, const void *about)
{
    (void)owner;
    (void)about;
}

static const struct server_events holder = {seen,    take_run, ready,  ready_ours,
                                            nothing, lost,     nothing};

static void ask_server(struct taker *taker)
{
    struct server *server = taker->take.server;
    struct buf out = {0};
    struct slice part;

    server_hold(server, &holder, taker);
    owed_add(&server->owed, OWED_QUERY, OWED_FORWARD, NULL);
    write_query(&out, SLICE("select 1"));
    part = buf_slice(&out);
    server_send(server, &part, 1);
    buf_clear(&out);
}

/* ---- lending -------------------------------------------------------------------------------- */

static void a_server_is_made_lent_and_lent_again(void **state)
{
    struct desk *desk = *state;
    struct taker *one = ask(desk, 0);
    struct server *server;

    assert_false(one->had);
    assert_null(pool_welcome(desk->pool));
    assert_int_equal(figures(desk).logins, 1);
    UNTIL(desk, one->had);
    server = one->take.server;
    assert_int_equal(server->state, SERVER_TAKEN);
    assert_int_equal(server->pid, 1);
    assert_string_equal(vars_find(&server->vars, SLICE("timezone"))->value, "UTC");
    assert_non_null(pool_welcome(desk->pool));
    pool_give(&one->take, false);
    assert_null(one->take.server);
    assert_int_equal(figures(desk).idle, 1);
    one = ask(desk, 0);
    assert_true(one->had);
    assert_ptr_equal(one->take.server, server);
    pool_give(&one->take, false);
    assert_int_equal(figures(desk).takes, 2);
    assert_int_equal(figures(desk).waits, 1);
    assert_int_equal(figures(desk).servers_made, 1);
}

static void first_come_first_served(void **state)
{
    struct desk *desk = *state;
    struct taker *a = get(desk, 0), *b = get(desk, 1), *c = ask(desk, 2), *d = ask(desk, 3),
                 *e = ask(desk, 4);

    turns(desk);
    assert_int_equal(figures(desk).taken, 2);
    assert_int_equal(figures(desk).waiting, 3);
    assert_int_equal(figures(desk).servers_made, 2);
    assert_false(c->had);
    pool_leave(&d->take); /* who leaves the queue is passed over */
    pool_give(&b->take, false);
    assert_true(c->had);
    assert_false(e->had);
    pool_give(&a->take, false);
    assert_true(e->had);
    assert_false(d->had);
    assert_int_equal(d->turn, 0);
    assert_true(e->turn > c->turn);
    assert_int_equal(figures(desk).waiting, 0);
    /* Nobody overtakes who waits. */
    d = ask(desk, 3);
    pool_give(&c->take, false);
    assert_true(d->had);
    pool_give(&d->take, false);
    pool_give(&e->take, false);
    assert_int_equal(figures(desk).idle, 2);
}

static void more_room_by_a_change_of_size(void **state)
{
    struct desk *desk = *state;
    struct taker *c;

    get(desk, 0);
    get(desk, 1);
    c = ask(desk, 2);
    turns(desk);
    assert_int_equal(figures(desk).servers_made, 2);
    change(desk, 3, 60 * CLOCK_SEC, 60 * CLOCK_SEC);
    UNTIL(desk, c->had);
    assert_int_equal(figures(desk).size, 3);
    assert_int_equal(figures(desk).servers_made, 3);
}

static void over_time(void **state)
{
    struct desk *desk = *state;
    struct taker *b, *c, *d;

    get(desk, 0);
    change(desk, 1, 3 * CLOCK_MS, 60 * CLOCK_SEC);
    b = ask(desk, 1);
    c = ask(desk, 2);
    UNTIL(desk, b->turn && c->turn);
    assert_false(b->had);
    assert_string_equal(b->err.sqlstate, "53300");
    assert_string_equal(b->err.message,
                        "no server of played became free for user \"app\" within 3 ms");
    assert_string_not_equal(b->err.hint, "");
    assert_true(b->turn < c->turn);
    assert_int_equal(figures(desk).timeouts, 2);
    assert_int_equal(figures(desk).waiting, 0);
    /* Later ones wait their own time. */
    d = ask(desk, 3);
    pool_give(&desk->takers[0].take, false);
    assert_true(d->had);
    turns(desk);
    assert_int_equal(d->turn, c->turn + 1);
}

static void users_do_not_share(void **state)
{
    struct desk *desk = *state;
    struct pool *first = desk->pool, *other = pool_for(desk, "other", NULL);

    assert_ptr_not_equal(first, other);
    assert_ptr_equal(pool_for(desk, "app", "secret"), first);
    desk->player.by_hand = true;
    desk->pool = other;
    ask(desk, 0);
    expect_at(desk, 1, "Startup 3.0 user other database app");
    desk->pool = first;
    ask(desk, 1);
    expect_at(desk, 2, "Startup 3.0 user app database app");
}

/* ---- giving back ---------------------------------------------------------------------------- */

static void used_servers_are_made_as_new(void **state)
{
    struct desk *desk = *state;
    struct taker *one = get(desk, 0), *two;
    struct statements all = {0};
    struct statement *statement = statement_of(&all, SLICE("select 1"), SLICE(""), 0);
    struct server *server = one->take.server;
    struct vars wish = {0};
    struct buf sql = {0};

    prepared_add(&server->prepared, statement);
    server_set_unnamed(server, statement);
    vars_set(&wish, SLICE("work_mem"), SLICE("1MB"), false);
    assert_true(vars_match(&server->vars, &wish, &sql));
    buf_clear(&sql);
    vars_clear(&wish);
    change(desk, 1, 60 * CLOCK_SEC, 60 * CLOCK_SEC);
    two = ask(desk, 1);
    pool_give(&one->take, true);
    assert_false(two->had);
    assert_int_equal(server->state, SERVER_RESET);
    expect_at(desk, 1, "Query \"DISCARD ALL\"");
    say(desk, 1, "ParameterStatus TimeZone UTC | CommandComplete \"DISCARD ALL\"");
    turns(desk);
    assert_false(two->had);
    say(desk, 1, "Ready I");
    UNTIL(desk, two->had);
    assert_ptr_equal(two->take.server, server);
    assert_false(prepared_has(&server->prepared, statement));
    assert_null(server->unnamed);
    assert_null(vars_find(&server->vars, SLICE("work_mem")));
    assert_non_null(vars_find(&server->vars, SLICE("TimeZone")));
    statement_unref(statement);
    assert_int_equal(all.bytes, 0);
    map_clear(&all.map);
}

static void a_reset_that_fails(void **state)
{
    struct desk *desk = *state;
    struct taker *one = get(desk, 0), *two;

    change(desk, 1, 60 * CLOCK_SEC, 60 * CLOCK_SEC);
    two = ask(desk, 1);
    pool_give(&one->take, true);
    expect_at(desk, 1, "Query \"DISCARD ALL\"");
    stream_close(player_at(&desk->player, 1)->stream);
    UNTIL(desk, two->had);
    assert_int_equal(two->take.server->pid, 2);
}

static void a_reset_that_is_refused(void **state)
{
    struct desk *desk = *state;
    struct taker *one = get(desk, 0), *two;

    change(desk, 1, 60 * CLOCK_SEC, 60 * CLOCK_SEC);
    two = ask(desk, 1);
    pool_give(&one->take, true);
    expect_at(desk, 1, "Query \"DISCARD ALL\"");
    say(desk, 1, "Error 25001 \"DISCARD ALL cannot run inside a transaction block\" | Ready I");
    UNTIL(desk, two->had);
    assert_int_equal(two->take.server->pid, 2);
    expect_at(desk, 1, "Terminate | end");
}

static void a_reset_and_a_cancel(void **state)
{
    struct desk *desk = *state;
    struct taker *one = get(desk, 0), *two;

    change(desk, 1, 60 * CLOCK_SEC, 60 * CLOCK_SEC);
    ask_server(one);
    expect_at(desk, 1, "Query \"select 1\"");
    server_cancel(one->take.server);
    say(desk, 1, "CommandComplete \"SELECT 1\" | Ready I");
    UNTIL(desk, one->ready == 1);
    two = ask(desk, 1);
    pool_give(&one->take, true);
    expect_at(desk, 1, "Query \"DISCARD ALL\"");
    say(desk, 1, "CommandComplete \"DISCARD ALL\" | Ready I");
    turns(desk);
    /* As new, but the cancel could still hit whoever comes next. */
    assert_false(two->had);
    UNTIL(desk, player_cancel(&desk->player, 1));
    stream_close(player_cancel(&desk->player, 1)->stream);
    UNTIL(desk, two->had);
}

static void a_changed_password_is_for_logins_to_come(void **state)
{
    struct desk *desk = *state;

    pool_give(&get(desk, 0)->take, false);
    assert_ptr_equal(pool_for(desk, "app", "changed"), desk->pool);
    get(desk, 0);
    desk->player.by_hand = true;
    ask(desk, 1);
    expect_at(desk, 2, "Startup *");
    say(desk, 2, "Auth 3");
    expect_at(desk, 2, "Password changed");
}

static void dropped_servers_are_replaced(void **state)
{
    struct desk *desk = *state;
    struct taker *one = get(desk, 0), *two;

    change(desk, 1, 60 * CLOCK_SEC, 60 * CLOCK_SEC);
    two = ask(desk, 1);
    pool_drop(&one->take);
    assert_null(one->take.server);
    expect_at(desk, 1, "Terminate | end");
    UNTIL(desk, two->had);
    assert_int_equal(two->take.server->pid, 2);
    pool_leave(&two->take); /* who holds drops */
    expect_at(desk, 2, "Terminate | end");
    pool_leave(&two->take);
    assert_int_equal(figures(desk).taken, 0);
}

static void worn_servers_are_not_lent_again(void **state)
{
    struct desk *desk = *state;
    struct taker *one = get(desk, 0);

    one->take.server->worn = true;
    pool_give(&one->take, false);
    expect_at(desk, 1, "Terminate | end");
    assert_int_equal(figures(desk).idle, 0);
}

static void idle_ones_go_after_a_time(void **state)
{
    struct desk *desk = *state;

    pool_give(&get(desk, 0)->take, false);
    change(desk, 2, 60 * CLOCK_SEC, CLOCK_MS);
    /* The janitor comes once a second. */
    UNTIL(desk, figures(desk).idle == 0);
    expect_at(desk, 1, "Terminate | end");
}

static void idle_ones_that_go_away_are_not_lent(void **state)
{
    struct desk *desk = *state;
    struct taker *one = get(desk, 0);

    pool_give(&one->take, false);
    stream_close(player_at(&desk->player, 1)->stream);
    UNTIL(desk, figures(desk).idle == 0);
    assert_int_equal(get(desk, 0)->take.server->pid, 2);
}

static void a_server_lost_while_it_works(void **state)
{
    struct desk *desk = *state;
    struct taker *one = get(desk, 0);

    ask_server(one);
    expect_at(desk, 1, "Query \"select 1\"");
    stream_close(player_at(&desk->player, 1)->stream);
    UNTIL(desk, one->lost == 1);
    assert_null(one->take.server);
    assert_int_equal(figures(desk).taken, 0);
}

static void a_cancelled_server_waits_for_the_cancel(void **state)
{
    struct desk *desk = *state;
    struct taker *one = get(desk, 0), *two;

    change(desk, 1, 60 * CLOCK_SEC, 60 * CLOCK_SEC);
    ask_server(one);
    expect_at(desk, 1, "Query \"select 1\"");
    server_cancel(one->take.server);
    say(desk, 1, "CommandComplete \"SELECT 1\" | Ready I");
    UNTIL(desk, one->ready == 1);
    two = ask(desk, 1);
    pool_give(&one->take, false);
    assert_false(two->had);
    UNTIL(desk, player_cancel(&desk->player, 1));
    turns(desk);
    assert_false(two->had);
    stream_close(player_cancel(&desk->player, 1)->stream);
    UNTIL(desk, two->had);
    assert_int_equal(two->take.server->pid, 1);
}

static void a_cancelled_server_that_is_dropped(void **state)
{
    struct desk *desk = *state;
    struct taker *one = get(desk, 0);

    ask_server(one);
    server_cancel(one->take.server);
    server_cancel(one->take.server);
    pool_drop(&one->take);
    expect_at(desk, 1, "Query \"select 1\" | Terminate | end");
    UNTIL(desk, player_cancel(&desk->player, 1));
    stream_close(player_cancel(&desk->player, 1)->stream);
    UNTIL(desk, player_cancel(&desk->player, 1));
    stream_close(player_cancel(&desk->player, 1)->stream);
    turns(desk);
}

/* ---- logins --------------------------------------------------------------------------------- */

static struct taker *begin_login(struct desk *desk)
{
    struct taker *taker;

    desk->player.by_hand = true;
    taker = ask(desk, 0);
    expect_at(desk, 1, "Startup 3.0 user app database app");
    return taker;
}

static void end_login(struct desk *desk, struct taker *taker)
{
    say(desk, 1, "Auth 0 | ParameterStatus TimeZone UTC | BackendKeyData 77 1 | Ready I");
    UNTIL(desk, taker->had);
    assert_int_equal(taker->take.server->pid, 77);
}

static void by_password(void **state)
{
    struct desk *desk = *state;
    struct taker *taker = begin_login(desk);

    say(desk, 1, "Notice 00000 hello | Auth 3");
    expect_at(desk, 1, "Password secret");
    end_login(desk, taker);
}

static void by_md5(void **state)
{
    struct desk *desk = *state;
    struct taker *taker = begin_login(desk);

    say(desk, 1, "Auth 5 \"\\x01\\x02\\x03\\x04\"");
    /* md5(md5("secret" "app") "\1\2\3\4") */
    expect_at(desk, 1, "Password md5911f527656472583a006e7727877b33e");
    end_login(desk, taker);
}

/* The next password message of the first connection, as bytes. */
static struct slice next_password(struct desk *desk, struct frame *frame)
{
    struct played *played = player_at(&desk->player, 1);

    UNTIL(desk, frame_look(buf_slice(&played->in), frame) == FRAME_WHOLE);
    assert_int_equal(frame->type, MSG_PASSWORD);
    return frame_body(frame);
}

static void send_auth(struct desk *desk, uint32_t kind, struct buf *payload)
{
    struct buf out = {0};

    write_auth(&out, kind, buf_slice(payload));
    stream_send_buf(player_at(&desk->player, 1)->stream, &out);
    buf_clear(&out);
    buf_clear(payload);
}

/* Plays the server's side with what it keeps of `password`; the outcome. */
static enum scram_outcome play_scram(struct desk *desk, const char *password, bool proves)
{
    static const uint8_t salt[16] = "salt", random[SCRAM_NONCE] = "random";
    struct scram_server scram = {.doomed = false};
    struct played *played = player_at(&desk->player, 1);
    struct reader reader;
    struct frame frame;
    struct buf out = {0};
    enum scram_outcome outcome;

    scram_secret_make(slice_text(password), salt, 16, 4096, &scram.secret);
    say(desk, 1, "Auth 10 \"SCRAM-SHA-256-PLUS\\x00SCRAM-SHA-256\\x00\\x00\"");
    reader = (struct reader){next_password(desk, &frame), false};
    assert_true(slice_is(read_cstr(&reader), "SCRAM-SHA-256"));
    assert_true(scram_server_first(&scram, read_bytes(&reader, read_u32(&reader)), random, &out));
    buf_take(&played->in, frame.total);
    send_auth(desk, 11, &out);
    outcome = scram_server_final(&scram, next_password(desk, &frame), &out);
    buf_take(&played->in, frame.total);
    if (outcome == SCRAM_OK && proves)
        send_auth(desk, 12, &out);
    buf_clear(&out);
    return outcome;
}

static void by_scram(void **state)
{
    struct desk *desk = *state;
    struct taker *taker = begin_login(desk);

    assert_int_equal(play_scram(desk, "secret", true), SCRAM_OK);
    end_login(desk, taker);
}

static void by_scram_with_a_wrong_password(void **state)
{
    struct desk *desk = *state;
    struct taker *taker = begin_login(desk);

    assert_int_equal(play_scram(desk, "other", true), SCRAM_REFUSED);
    say(desk, 1, "Fatal 28P01 \"password authentication failed for user \\\"app\\\"\"");
    UNTIL(desk, taker->turn);
    assert_false(taker->had);
    assert_string_equal(taker->err.sqlstate, "28P01");
    assert_string_equal(taker->err.message, "password authentication failed for user \"app\"");
    assert_int_equal(figures(desk).login_failures, 1);
}

static void a_server_that_does_not_prove_itself(void **state)
{
    struct desk *desk = *state;
    struct taker *taker = begin_login(desk);

    assert_int_equal(play_scram(desk, "secret", false), SCRAM_OK);
    say(desk, 1, "Auth 0");
    UNTIL(desk, taker->turn);
    assert_string_equal(taker->err.sqlstate, "28000");
}

static void no_password_known(void **state)
{
    struct desk *desk = *state;
    static const char *const wishes[] = {"Auth 3", "Auth 5 abcd",
                                         "Auth 10 \"SCRAM-SHA-256\\x00\\x00\""};

    desk->pool = pool_for(desk, "nobody", NULL);
    desk->player.by_hand = true;
    for (unsigned i = 0; i < 3; i++) {
        struct taker *taker = ask(desk, i);

        expect_at(desk, i + 1, "Startup 3.0 user nobody database app");
        say(desk, i + 1, wishes[i]);
        UNTIL(desk, taker->turn);
        assert_string_equal(taker->err.sqlstate, "28P01");
        assert_string_not_equal(taker->err.hint, "");
        expect_at(desk, i + 1, "Terminate | end");
    }
}

static void what_is_not_a_login(void **state)
{
    static const struct {
        const char *said, *sqlstate;
    } cases[] = {
        {"Auth 7", "0A000"},
        {"Auth 10 \"SCRAM-SHA-256-PLUS\\x00\\x00\"", "0A000"},
        {"Auth 10 \"no end\"", "0A000"},
        {"Auth 5 abc", "08P01"},
        {"Bytes \"HTTP/1.1 400 Bad Request\\n\"", "08P01"},
        {"Bytes \"R\\x00\\x00\\x00\\x03\"", "08P01"},
        {"DataRow 1", "08P01"},
        {"Bytes \"E\\x00\\x10\\x00\\x00\"", "08P01"},
        {"Auth 0 | Error 53300 \"sorry, too many clients already\"", "53300"},
        {"Auth 11 nonsense", "08P01"},
    };
    struct desk *desk = *state;

    desk->player.by_hand = true;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct taker *taker = ask(desk, 0);

        expect_at(desk, i + 1, "Startup 3.0 user app database app");
        say(desk, i + 1, cases[i].said);
        UNTIL(desk, taker->turn);
        assert_false(taker->had);
        assert_string_equal(taker->err.sqlstate, cases[i].sqlstate);
        desk->turns = 0;
    }
    assert_int_equal(figures(desk).logins, 0);
}

static void a_login_that_breaks_off(void **state)
{
    struct desk *desk = *state;
    struct taker *taker = begin_login(desk);

    say(desk, 1, "Auth 0");
    stream_close(player_at(&desk->player, 1)->stream);
    UNTIL(desk, taker->turn);
    assert_string_equal(taker->err.sqlstate, "08006");
}

static void each_waiter_gets_a_try(void **state)
{
    struct desk *desk = *state;
    struct taker *a, *b;

    change(desk, 1, 60 * CLOCK_SEC, 60 * CLOCK_SEC);
    a = begin_login(desk);
    b = ask(desk, 1);
    say(desk, 1, "Fatal 57P03 \"the database system is starting up\"");
    UNTIL(desk, a->turn);
    assert_string_equal(a->err.sqlstate, "57P03");
    assert_false(b->turn);
    desk->player.by_hand = false;
    UNTIL(desk, player_find(&desk->player, 2));
    if (!b->had && player_find(&desk->player, 2)->in_login) {
        expect_at(desk, 2, "Startup 3.0 user app database app");
        played_login(player_find(&desk->player, 2));
    }
    UNTIL(desk, b->had);
}

static void nobody_listens(void **state)
{
    struct desk *desk = *state;
    struct pool_place place = {
        .node = "nowhere", .host = "127.0.0.1", .port = 1, .dbname = "app", .user = "app"};
    struct taker *taker;

    desk->pool = pool_of(desk->set, &place);
    taker = ask(desk, 0);
    UNTIL(desk, taker->turn);
    assert_string_equal(taker->err.sqlstate, "08006");
    assert_string_equal(taker->err.message, "cannot connect to server nowhere: connection refused");
}

static void leaving_while_it_logs_in(void **state)
{
    struct desk *desk = *state;
    struct taker *taker = begin_login(desk);

    pool_leave(&taker->take);
    say(desk, 1, "Auth 0 | BackendKeyData 1 1 | Ready I");
    UNTIL(desk, figures(desk).idle == 1);
    assert_int_equal(taker->turn, 0);
}

static void the_end_in_every_state(void **state)
{
    struct desk *desk = *state;
    struct taker *one = get(desk, 0), *two = get(desk, 1);

    change(desk, 5, 60 * CLOCK_SEC, 60 * CLOCK_SEC);
    pool_give(&one->take, true);  /* being reset */
    pool_give(&two->take, false); /* idle */
    two = ask(desk, 1);
    assert_true(two->had);
    ask_server(two);
    server_cancel(two->take.server);
    pool_drop(&two->take); /* closing, with a cancel under way */
    desk->player.by_hand = true;
    ask(desk, 2); /* logging in */
    expect_at(desk, 3, "Startup *");
    ask(desk, 3); /* being dialled */
    for (unsigned i = 0; i < TAKES; i++)
        pool_leave(&desk->takers[i].take);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_server_is_made_lent_and_lent_again),
        TEST(first_come_first_served),
        TEST(more_room_by_a_change_of_size),
        TEST(over_time),
        TEST(users_do_not_share),
        TEST(used_servers_are_made_as_new),
        TEST(a_reset_that_fails),
        TEST(a_reset_that_is_refused),
        TEST(a_reset_and_a_cancel),
        TEST(a_changed_password_is_for_logins_to_come),
        TEST(dropped_servers_are_replaced),
        TEST(worn_servers_are_not_lent_again),
        TEST(idle_ones_go_after_a_time),
        TEST(idle_ones_that_go_away_are_not_lent),
        TEST(a_server_lost_while_it_works),
        TEST(a_cancelled_server_waits_for_the_cancel),
        TEST(a_cancelled_server_that_is_dropped),
        TEST(by_password),
        TEST(by_md5),
        TEST(by_scram),
        TEST(by_scram_with_a_wrong_password),
        TEST(a_server_that_does_not_prove_itself),
        TEST(no_password_known),
        TEST(what_is_not_a_login),
        TEST(a_login_that_breaks_off),
        TEST(each_waiter_gets_a_try),
        TEST(nobody_listens),
        TEST(leaving_while_it_logs_in),
        TEST(the_end_in_every_state),
    };

    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
