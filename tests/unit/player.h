/* A PostgreSQL server that is played: a listener in the test's own loop, whose connections say what
 * they are told to and are asked what they got. Logins go by themselves unless `by_hand`; a cancel
 * request is noted with whom it means, and stays open until it is let land. */
#pragma once

#include "words.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/listener.h"

enum { PLAYED_MAX = 64, PLAYED_SECRET = 4711 };

struct player;

struct played {
    struct player *player;
    struct stream *stream; /* NULL once it is gone */
    struct buf in;
    unsigned number; /* from 1 on, as they came; 0: nothing was said yet, or it is a cancel */
    bool in_login, ended;
    bool learns;      /* the inventory that it was asked for last came with its Parse */
    uint32_t cancels; /* the number of whom it is to cancel */
    struct buf key;   /* .. and the secret that it knows, as a word */
};

struct player {
    struct loop *loop;
    struct listener *listener;
    struct played all[PLAYED_MAX];
    unsigned count, numbers;
    bool by_hand;
    const char *settings; /* said at login beside the usual ones */
    void (*turn)(void *owner);
    void *owner;
};

static const char played_welcome[] =
    "Auth 0 | ParameterStatus server_version 15.0 | ParameterStatus client_encoding UTF8"
    " | ParameterStatus DateStyle \"ISO, MDY\" | ParameterStatus TimeZone UTC"
    " | ParameterStatus standard_conforming_strings on | ParameterStatus application_name \"\"";

/* "Told n work_mem 1MB | .." is the answer to an inventory: names and values behind n and s. */
static void tell_inventory(const struct played *played, struct buf *text, const char *at)
{
    struct buf word = {0};

    buf_printf(text, "%sBindComplete", played->learns ? "ParseComplete | " : "");
    while (word_next(&at, &word)) {
        bool setting = slice_is(buf_slice(&word), "n") || slice_is(buf_slice(&word), "s");

        buf_printf(text, " | DataRow");
        word_put(text, buf_slice(&word));
        for (unsigned i = 0; setting && i < 2 && word_next(&at, &word); i++)
            word_put(text, buf_slice(&word));
        buf_printf(text, setting ? "" : " null null");
    }
    buf_printf(text, " | CommandComplete \"SELECT 0\" | Ready I");
    buf_clear(&word);
}

static void expand_answers(const struct played *played, struct buf *text, const char *line)
{
    while (*line) {
        const char *next;
        size_t len = words_first(line, &next);

        if (strncmp(line, "Told", 4) == 0)
            tell_inventory(played, text, line + 4);
        else
            buf_put(text, line, len);
        buf_printf(text, "%s", *next ? " | " : "");
        line = next;
    }
    write_byte(text, 0);
}

static bool played_send_line(struct played *played, const char *line)
{
    struct buf out = {0}, text = {0};
    bool good;

    expand_answers(played, &text, line);
    good = words_put(&out, words_of_server, (const char *)buf_slice(&text).at);
    buf_clear(&text);
    if (good && played->stream)
        stream_send_buf(played->stream, &out);
    buf_clear(&out);
    return good && played->stream;
}

static void played_login(struct played *played)
{
    char key[64];

    played->in_login = false;
    played_send_line(played, played_welcome);
    if (played->player->settings)
        played_send_line(played, played->player->settings);
    snprintf(key, sizeof(key), "BackendKeyData %u %d | Ready I", played->number, PLAYED_SECRET);
    played_send_line(played, key);
}

static void played_start(struct played *played)
{
    struct read_startup startup;
    struct frame frame;

    if (frame_look_startup(buf_slice(&played->in), &frame) != FRAME_WHOLE ||
        !read_startup(frame.whole, &startup))
        return;
    if (startup.code == WIRE_CANCEL) {
        played->cancels = startup.pid;
        tell_secret(&played->key, startup.secret);
        played->in_login = false;
        return;
    }
    played->number = ++played->player->numbers;
    if (played->player->by_hand)
        return;
    buf_take(&played->in, frame.total);
    played_login(played);
}

static void played_bytes(void *owner, struct slice bytes)
{
    struct played *played = owner;

    buf_put_slice(&played->in, bytes);
    if (played->in_login && !played->number)
        played_start(played);
}

static void played_drained(void *owner)
{
    (void)owner;
}

static void played_ended(void *owner, const char *why)
{
    struct played *played = owner;

    (void)why;
    played->ended = true;
    stream_close(played->stream);
}

static void played_closed(void *owner)
{
    ((struct played *)owner)->stream = NULL;
}

static const struct stream_events played_events = {played_bytes, played_drained, played_ended,
                                                   played_closed};

static void player_took(void *owner, struct stream *stream)
{
    struct player *player = owner;
    struct played *played;

    if (player->count == PLAYED_MAX)
        abort();
    played = &player->all[player->count++];
    *played = (struct played){.player = player, .stream = stream, .in_login = true};
    stream_own(stream, &played_events, played);
    stream_resume(stream);
}

static void player_turn_loop(void *owner)
{
    loop_turn(((struct player *)owner)->loop);
}

static inline void player_open(struct player *player, struct loop *loop)
{
    struct err err;

    *player = (struct player){.loop = loop, .turn = player_turn_loop};
    player->owner = player;
    player->listener = listener_new(loop, "127.0.0.1", 0, player_took, player, &err);
    if (!player->listener)
        abort();
}

static inline void played_clear(struct played *played)
{
    buf_clear(&played->in);
    buf_clear(&played->key);
}

static inline void player_close(struct player *player)
{
    for (unsigned i = 0; i < player->count; i++)
        if (player->all[i].stream)
            stream_close(player->all[i].stream);
    listener_close(player->listener);
    loop_run(player->loop);
    for (unsigned i = 0; i < player->count; i++)
        played_clear(&player->all[i]);
}

#define PLAYER_UNTIL(player, done)                                                                 \
    do {                                                                                           \
        int64_t limit = clock_now() + 10 * CLOCK_SEC;                                              \
        while (!(done) && clock_now() < limit)                                                     \
            (player)->turn((player)->owner);                                                       \
    } while (0)

static struct played *player_find(struct player *player, unsigned number)
{
    for (unsigned i = 0; i < player->count; i++)
        if (player->all[i].number == number && number)
            return &player->all[i];
    return NULL;
}

/* The connection of that number, waited for; NULL where it does not come. */
static inline struct played *player_at(struct player *player, unsigned number)
{
    PLAYER_UNTIL(player, player_find(player, number));
    return player_find(player, number);
}

static bool played_look(struct played *played, struct frame *frame)
{
    struct slice in = buf_slice(&played->in);

    return (played->in_login && !played->player->numbers ? FRAME_NONE : frame_look(in, frame)) ==
           FRAME_WHOLE;
}

static void tell_startup(struct buf *text, struct slice packet)
{
    struct read_startup startup;
    struct slice name, value;

    if (!read_startup(packet, &startup)) {
        buf_printf(text, "Startup (malformed)");
        return;
    }
    buf_printf(text, "Startup %u.%u", startup.code >> 16, startup.code & 0xffff);
    while (read_option(&startup.options, &name, &value)) {
        word_put(text, name);
        word_put(text, value);
    }
}

/* Takes the next message that has come as words; false where none has. */
static bool played_take(struct played *played, struct buf *text)
{
    struct frame frame;

    if (played->in_login) {
        if (frame_look_startup(buf_slice(&played->in), &frame) != FRAME_WHOLE)
            return false;
        tell_startup(text, frame.whole);
        played->in_login = false;
    } else {
        if (!played_look(played, &frame))
            return false;
        words_tell(text, words_of_client, &frame);
    }
    buf_take(&played->in, frame.total);
    return true;
}

static void played_await(struct played *played, struct buf *text, bool end)
{
    buf_take(text, buf_len(text));
    PLAYER_UNTIL(played->player, played_take(played, text) || (end && played->ended));
    if (!buf_len(text))
        buf_printf(text, played->ended ? "end" : "nothing");
}

static const char *expect_one(struct played *played, struct slice expected)
{
    struct buf text = {0};
    const char *wrong;

    played_await(played, &text, slice_is(expected, "end"));
    wrong = words_compare(expected, &text);
    buf_clear(&text);
    return wrong;
}

/* "Inventory 1 work_mem .." is the question for the kinds of that mask and for settings of these
 * names, with its Parse where the server has not had it yet. */
static const char *expect_inventory(struct played *played, const char *at)
{
    struct buf mask = {0}, word = {0}, names = {0}, line = {0}, text = {0};
    const char *wrong = "";
    struct slice bind;

    word_next(&at, &mask);
    buf_printf(&line, "Bind \"\" pgtier_left_%.*s", (int)buf_len(&mask),
               (const char *)buf_slice(&mask).at);
    while (word_next(&at, &word))
        buf_printf(&names, "%s\"%.*s\"", buf_len(&names) ? "," : "{", (int)buf_len(&word),
                   (const char *)buf_slice(&word).at);
    buf_printf(&names, "%s}", buf_len(&names) ? "" : "{");
    word_put(&line, buf_slice(&names));
    bind = buf_slice(&line);
    played_await(played, &text, false);
    played->learns =
        buf_len(&text) > 19 && memcmp(buf_slice(&text).at, "Parse pgtier_left_", 18) == 0;
    if (played->learns)
        played_await(played, &text, false);
    wrong = words_compare(bind, &text);
    if (!*wrong)
        wrong = expect_one(played, SLICE("Execute \"\""));
    if (!*wrong)
        wrong = expect_one(played, SLICE("Sync"));
    buf_clear(&mask);
    buf_clear(&word);
    buf_clear(&names);
    buf_clear(&line);
    buf_clear(&text);
    return wrong;
}

/* What comes next must be these messages; "" or what is wrong. */
static inline const char *played_expect(struct played *played, const char *line)
{
    const char *wrong = "";

    while (*line && !*wrong) {
        const char *next;
        size_t len = words_first(line, &next);

        wrong = len > 9 && memcmp(line, "Inventory", 9) == 0
                    ? expect_inventory(played, line + 9)
                    : expect_one(played, slice_of(line, len));
        line = next;
    }
    return wrong;
}

/* The cancel request for that connection that has come, landed or not; NULL: none has. */
static inline struct played *player_cancelled(struct player *player, unsigned number)
{
    for (unsigned i = 0; i < player->count; i++)
        if (player->all[i].cancels == number)
            return &player->all[i];
    return NULL;
}

/* A cancel request for that connection that has not landed yet; NULL where there is none. */
static inline struct played *player_cancel(struct player *player, unsigned number)
{
    for (unsigned i = 0; i < player->count; i++)
        if (player->all[i].cancels == number && player->all[i].stream && !player->all[i].ended)
            return &player->all[i];
    return NULL;
}

/* No cancel request is waited for any more. */
static inline void player_land_all(struct player *player)
{
    for (unsigned i = 0; i < player->count; i++)
        if (player->all[i].cancels && player->all[i].stream)
            stream_close(player->all[i].stream);
}

/* "" or what came that nobody expected. */
static inline const char *player_left(struct player *player, struct buf *text)
{
    for (unsigned i = 0; i < player->count; i++) {
        buf_printf(text, "server %u: ", player->all[i].number);
        if (played_take(&player->all[i], text)) {
            write_byte(text, 0);
            return (const char *)buf_slice(text).at;
        }
        buf_take(text, buf_len(text));
    }
    return "";
}
