/* What a write's own RETURNING tells: the values of dimensions that its text does not give, so that
 * it touches those rows and not all. Only a whole answer counts: as many rows as its tag says. */
#include "session/conversation.h"
#include "wire/frame.h"
#include "wire/read.h"
#include "wire/types.h"

#include "base/mem.h"

/* Longer answers are not looked at: what is not known is all. */
enum { HARVEST_BYTES = 256 * 1024 };

struct harvest {
    struct footprint_telling telling;
    struct {
        int field; /* of a row; -1: it has none of this column */
        bool binary;
        uint32_t type;
    } from[DIMENSIONS_MAX];
    struct buf rows;
    bool described, spoilt, whole;
};

const struct footprint_telling *harvest_begin(struct request *request, const struct plan *plan)
{
    const struct footprint_telling *telling;

    if (!plan->shape->returns || !request->plain || request->nqueries != 1)
        return NULL;
    if (!request->harvest)
        request->harvest = mem_new(sizeof(*request->harvest));
    telling = &request->harvest->telling;
    footprint_telling(plan, &request->pinned, &request->harvest->telling);
    request->harvests = telling->count > 0;
    request->harvest->described = request->harvest->whole = request->harvest->spoilt = false;
    return request->harvests ? telling : NULL;
}

void harvest_columns(struct request *request, struct slice body)
{
    struct harvest *harvest = request->harvest;
    struct reader reader = {body, false};
    unsigned count = read_u16(&reader);

    for (unsigned d = 0; d < harvest->telling.count; d++)
        harvest->from[d].field = -1;
    for (unsigned i = 0; i < count && !reader.bad; i++) {
        uint32_t table, type;
        uint16_t column, format;

        read_cstr(&reader);
        table = read_u32(&reader);
        column = read_u16(&reader);
        type = read_u32(&reader);
        read_bytes(&reader, 6); /* size and modifier */
        format = read_u16(&reader);
        for (unsigned d = 0; d < harvest->telling.count; d++) {
            if (table != harvest->telling.table || column != harvest->telling.dims[d].column)
                continue;
            harvest->from[d].field = (int)i;
            harvest->from[d].binary = format == 1;
            harvest->from[d].type = type;
        }
    }
    harvest->described = read_done(&reader);
}

void harvest_rows(struct request *request, struct slice run)
{
    struct harvest *harvest = request->harvest;

    harvest->spoilt |= !harvest->described || buf_len(&harvest->rows) + run.len > HARVEST_BYTES;
    if (!harvest->spoilt)
        buf_put_slice(&harvest->rows, run);
}

void harvest_complete(struct request *request, struct slice tag)
{
    struct harvest *harvest = request->harvest;
    struct slice left = buf_slice(&harvest->rows);
    struct frame frame;
    uint64_t count = 0;

    while (frame_look(left, &frame) == FRAME_WHOLE && frame.type == REPLY_ROW) {
        left = slice_skip(left, frame.total);
        count++;
    }
    harvest->whole =
        harvest->described && !harvest->spoilt && left.len == 0 && count == read_tag_rows(tag);
}

/* One value, or its row's end; a NULL is in no read's footprint. */
static bool tell_value(struct session *session, struct harvest *harvest, unsigned d,
                       struct slice bytes)
{
    struct value value = {.kind = harvest->from[d].binary ? VALUE_BINARY : VALUE_TEXT,
                          .oid = harvest->from[d].type,
                          .bytes = bytes};
    char canon[CANON_MAX];
    int len = value_canon(&value, harvest->telling.dims[d].type, canon);

    if (len >= 0)
        transaction_told(session, &harvest->telling, d, slice_of(canon, (size_t)len));
    return len >= 0;
}

static bool tell_row(struct session *session, struct harvest *harvest, unsigned d,
                     struct slice body)
{
    struct reader reader = {body, false};
    int count = read_u16(&reader);

    for (int i = 0; i < count && !reader.bad; i++) {
        uint32_t len = read_u32(&reader);
        struct slice bytes = read_bytes(&reader, len == UINT32_MAX ? 0 : len);

        if (i == harvest->from[d].field && !reader.bad)
            return len == UINT32_MAX || tell_value(session, harvest, d, bytes);
    }
    return false;
}

static bool tell_dimension(struct session *session, struct harvest *harvest, unsigned d)
{
    struct slice left = buf_slice(&harvest->rows);
    struct frame frame;

    if (harvest->from[d].field < 0)
        return false;
    while (frame_look(left, &frame) == FRAME_WHOLE) {
        if (!tell_row(session, harvest, d, frame_body(&frame)))
            return false;
        left = slice_skip(left, frame.total);
    }
    return true;
}

void harvest_end(struct session *session, struct request *request)
{
    struct harvest *harvest = request->harvest;

    if (!request->harvests)
        return;
    request->harvests = false;
    if (harvest->whole) {
        for (unsigned d = 0; d < harvest->telling.count; d++)
            if (!tell_dimension(session, harvest, d))
                transaction_untold(session, &harvest->telling, d);
        transaction_harvested(session);
    }
    buf_clear(&harvest->rows);
}

void harvest_free(struct request *request)
{
    if (request->harvest)
        buf_clear(&request->harvest->rows);
    mem_free(request->harvest);
}
