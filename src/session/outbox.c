/* What goes to a client, gathered so that a turn of the loop costs one send. */
#include "session/conversation.h"
#include "session/channels.h"
#include "wire/types.h"

void outbox_put(struct session *session, struct slice bytes)
{
    struct outbox *out = &session->out;
    struct slice *last = out->count ? &out->parts[out->count - 1] : NULL;

    if (!bytes.len)
        return;
    if (last && last->at + last->len == bytes.at) {
        last->len += bytes.len;
        return;
    }
    if (out->count == PARTS_MAX)
        outbox_flush(session);
    out->parts[out->count++] = bytes;
}

void outbox_flush(struct session *session)
{
    struct outbox *out = &session->out;
    unsigned count = out->count;

    if (!count)
        return;
    out->count = 0;
    stream_send(session->client, out->parts, count);
    channels_sent(session);
    if (session->client->queued <= STREAM_HIGH || !session->take.server)
        return;
    /* Those who wait for this answer do not wait for this client. */
    if (session->request && session->request->leads) {
        cache_drop(&session->request->ask);
        session->request->leads = false;
    }
    server_pause(session->take.server);
}

struct slice outbox_ready(uint8_t status)
{
    static const uint8_t idle[] = {REPLY_READY, 0, 0, 0, 5, 'I'},
                         open[] = {REPLY_READY, 0, 0, 0, 5, 'T'},
                         failed[] = {REPLY_READY, 0, 0, 0, 5, 'E'};

    return slice_of(status == 'T' ? open : status == 'E' ? failed : idle, sizeof(idle));
}
