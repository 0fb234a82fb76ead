/* Any bytes of clients and any bytes of a server must break neither the rooms nor the loop, and
 * leave nothing taken behind. The input is a list of acts: who speaks, and what: whole messages of
 * any body, or bytes as they are. */
#include "../unit/house.h"
#include "../unit/player.h"

#include "base/log.h"
#include "net/loopback.h"
#include "session/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

enum { CLIENTS = 2, QUIET_TURNS = 6 };

struct client {
    struct stream *near, *session;
};

struct scene {
    struct house house;
    struct player player;
    struct client clients[CLIENTS];
};

static void take_bytes(void *owner, struct slice bytes)
{
    (void)owner;
    (void)bytes;
}

static void nothing(void *owner)
{
    (void)owner;
}

static void end(void *owner, const char *why)
{
    (void)why;
    stream_close(((struct client *)owner)->near);
}

static void forget(void *owner)
{
    ((struct client *)owner)->near = NULL;
}

static const struct stream_events client_events = {take_bytes, nothing, end, forget};

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

static void turn(struct scene *scene)
{
    for (unsigned quiet = 0; quiet < QUIET_TURNS; quiet++) {
        for (unsigned i = 0; i < CLIENTS; i++)
            while (turn_client(&scene->clients[i]))
                quiet = 0;
        loop_turn(scene->house.rooms.loop);
    }
}

static void enter_client(struct scene *scene, struct client *client)
{
    struct loopback_pair pair = loopback_new();

    *client = (struct client){pair.a, pair.b};
    stream_own(pair.a, &client_events, client);
    stream_resume(pair.a);
    session_new(&scene->house.rooms, pair.b);
}

static void send_line(struct client *client, const char *line)
{
    struct buf out = {0};

    words_put(&out, words_of_client, line);
    if (client->near)
        stream_send_buf(client->near, &out);
    buf_clear(&out);
}

static void open_scene(struct scene *scene)
{
    struct rooms *rooms = &scene->house.rooms;

    house_build(&scene->house);
    rooms->max_request = 512;
    player_open(&scene->player, rooms->loop);
    topology_node(scene->house.database.topology, 0)->port = listener_port(scene->player.listener);
    scene->house.database.has_replicas = false;
    for (unsigned i = 0; i < CLIENTS; i++)
        enter_client(scene, &scene->clients[i]);
    send_line(&scene->clients[0], "Startup 3.0 user app database app application_name one");
    for (unsigned i = 0; i < 200 && !scene->player.numbers; i++)
        turn(scene);
    turn(scene);
}

static void check(bool good)
{
    if (!good)
        abort();
}

static void count_held(void *with, const struct pool_figures *figures)
{
    (void)with;
    check(figures->taken == 0 && figures->waiting == 0);
}

static void close_scene(struct scene *scene)
{
    struct rooms *rooms = &scene->house.rooms;
    struct database *database = &scene->house.database;

    for (unsigned i = 0; i < CLIENTS; i++)
        if (scene->clients[i].near)
            stream_close(scene->clients[i].near);
    turn(scene);
    session_end_all(rooms);
    turn(scene);
    check(rooms->nsessions == 0 && !scene->clients[0].session && !scene->clients[1].session);
    pool_set_each(database->pools, count_held, NULL);
    transactions_forget(database);
    database_set_catalog(database, NULL);
    request_free_spare(rooms);
    buf_clear(&rooms->scratch);
    map_clear(&rooms->keys);
    player_land_all(&scene->player);
    for (unsigned i = 0; i < scene->player.count; i++)
        if (scene->player.all[i].stream)
            stream_close(scene->player.all[i].stream);
    listener_close(scene->player.listener);
    house_clear(&scene->house);
    for (unsigned i = 0; i < scene->player.count; i++)
        played_clear(&scene->player.all[i]);
    check(database->statements.bytes == 0);
    map_clear(&database->statements.map);
}

/* Acts: a byte of who and how, for messages a byte of their type, a byte of length, the bytes. */
enum { BY_SERVER = 1, RAW = 2, SECOND = 4, THEN_TURN = 8 };

static void act(struct scene *scene, uint8_t how, uint8_t type, struct slice body)
{
    struct buf out = {0};
    size_t begin;

    if (how & RAW) {
        buf_put_slice(&out, body);
    } else {
        begin = write_begin(&out, type);
        buf_put_slice(&out, body);
        write_end(&out, begin);
    }
    if (how & BY_SERVER) {
        struct played *played = player_find(&scene->player, how & SECOND ? 2 : 1);

        if (played && played->stream)
            stream_send_buf(played->stream, &out);
    } else {
        struct client *client = &scene->clients[how & SECOND ? 1 : 0];

        if (client->near)
            stream_send_buf(client->near, &out);
    }
    buf_clear(&out);
    if (how & THEN_TURN)
        turn(scene);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    static struct scene scene;
    struct slice left = slice_of(at, len);

    log_set_level(LOG_ERROR);
    memset(&scene, 0, sizeof(scene));
    open_scene(&scene);
    for (unsigned acts = 0; left.len >= 3 && acts < 40; acts++) {
        uint8_t how = left.at[0], type = left.at[1];
        struct slice body = slice_first(slice_skip(left, 3), left.at[2]);

        left = slice_skip(left, 3 + body.len);
        act(&scene, how, type, body);
    }
    turn(&scene);
    close_scene(&scene);
    return 0;
}
