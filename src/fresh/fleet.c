/* What is told and heard, and what follows from it. All members hear the same messages in the same
 * order, and each applies a message before it says that it has heard it. */
#include "fresh/fleet.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "fresh/bus.h"
#include "fresh/record.h"

#define LOOK_AGAIN (50 * CLOCK_MS)
/* How long a process must have been unknown to the primary before it is gone: it may notice later
 * than we do that its connection is lost, and sends no write that is not told once it has. */
#define GONE_AFTER (2 * BUS_LEASE_MS * CLOCK_MS)
/* Clocks tick in ms here, and not all at the same speed. */
#define TRUST_MARGIN (5 * CLOCK_MS)

/* Another member. */
struct fellow {
    struct bus_member member;
    uint64_t heard;       /* it has applied all up to here */
    bool lapsed;          /* its lease has run out */
    int64_t absent_since; /* the primary does not know its process; 0: it does, or nobody looked */
};

/* Another member's write. */
struct remote {
    struct map_link link;
    uint64_t teller, id;
    struct footprint_write write;
    bool ddl;
};

struct fleet {
    struct fleet_settings settings;
    const struct fleet_events *events;
    void *owner;
    struct bus *bus;
    struct timer timer; /* while somebody waits */
    uint64_t signature, last_write;
    struct fellow fellows[BUS_MEMBERS];
    unsigned nfellows;
    struct map remotes;
    struct ring marks, waits;
    uint64_t joined_at, applied;
    bool was_in, in;            /* it has been a member; it knows of all the others' writes */
    bool opens;                 /* the epoch is old enough for writes */
    bool owes_heard;            /* something was heard that its teller waits for */
    uint64_t openings, opening; /* counted; the one that is awaited, 0: none */
    uint64_t floor;
    /* What a renewed lease allows, once all up to `at` is applied; `at` 0: nothing. */
    struct {
        uint64_t at;
        int64_t until;
    } trust;
    struct fleet_figures figures;
};

/* ---- telling ---- */

static void tell(struct fleet *fleet, const struct record *record)
{
    struct buf bytes = {0};

    record_put(&bytes, record);
    bus_tell(fleet->bus, buf_slice(&bytes));
    buf_clear(&bytes);
    fleet->figures.told++;
}

static void put_begin(const struct fleet *fleet, const struct fleet_mark *mark,
                      const struct footprint_write *cells, struct buf *out)
{
    struct record record = {
        .type = RECORD_BEGIN,
        .write = mark->id,
        .signature = fleet->signature,
        .ddl = mark->ddl,
    };

    record.cells.ncells = cells->ncells;
    record.cells.everything = cells->everything;
    memcpy(record.cells.cells, cells->cells, cells->ncells * sizeof(cells->cells[0]));
    record_put(out, &record);
}

static void tell_begin(struct fleet *fleet, struct fleet_mark *mark,
                       const struct footprint_write *cells)
{
    struct buf bytes = {0};

    put_begin(fleet, mark, cells, &bytes);
    mark->told++;
    fleet->figures.told++;
    bus_tell(fleet->bus, buf_slice(&bytes));
    buf_clear(&bytes);
}

void fleet_begin(struct fleet *fleet, struct fleet_mark *mark, const struct footprint_write *added,
                 bool ddl)
{
    bool is_news = added->ncells > 0 || (ddl && !mark->ddl) || !mark->id;

    mark->ddl |= ddl;
    if (!mark->id) {
        mark->id = ++fleet->last_write;
        ring_init(&mark->link);
        ring_append(&fleet->marks, &mark->link);
    }
    if (is_news && bus_id(fleet->bus))
        tell_begin(fleet, mark, added);
    else
        mark->untold |= is_news;
}

static void end_mark(struct fleet *fleet, struct fleet_mark *mark)
{
    ring_leave(&mark->link);
    ledger_commit(fleet->settings.ledger, mark->write, mark->lsn);
    mark->id = 0;
    mark->ended(mark);
}

void fleet_commit(struct fleet *fleet, struct fleet_mark *mark, uint64_t lsn)
{
    struct record record = {.type = RECORD_COMMIT, .write = mark->id, .lsn = lsn};

    for (unsigned i = 0; i < mark->write->ncells; i++)
        if (mark->write->spared[i])
            record.cells.cells[record.cells.ncells++] = mark->write->cells[i];
    mark->lsn = lsn;
    mark->ending = true;
    if (bus_id(fleet->bus))
        tell(fleet, &record);
    else
        end_mark(fleet, mark); /* the others start anew before we are one of them again */
}

void fleet_abort(struct fleet *fleet, struct fleet_mark *mark)
{
    struct record record = {.type = RECORD_ABORT, .write = mark->id};

    ledger_abort(fleet->settings.ledger, mark->write);
    if (!mark->id)
        return;
    ring_leave(&mark->link);
    mark->id = 0;
    if (bus_id(fleet->bus))
        tell(fleet, &record);
}

void fleet_forget(struct fleet_mark *mark)
{
    if (mark->id)
        ring_leave(&mark->link);
    mark->id = 0;
}

/* ---- whether everybody has heard ---- */

static uint64_t heard_by_all(const struct fleet *fleet)
{
    uint64_t least = fleet->applied;

    for (unsigned i = 0; i < fleet->nfellows; i++)
        if (!fleet->fellows[i].lapsed && fleet->fellows[i].heard < least)
            least = fleet->fellows[i].heard;
    return least;
}

/* A process that the primary does not know could be taken for gone while it writes. */
static bool is_heard(const struct fleet *fleet, const struct fleet_mark *mark)
{
    if (!bus_id(fleet->bus))
        return fleet->was_in && bus_lapsed(fleet->bus) && fleet->events->registered(fleet->owner);
    return fleet->opens && mark->told == mark->heard && heard_by_all(fleet) >= mark->heard_at;
}

/* Whoever is told may begin and end writes, and wait anew. */
static void tell_waiting(struct fleet *fleet)
{
    struct ring ready, *link;
    int64_t now = clock_now();

    ring_init(&ready);
    RING_EACH(at, after, &fleet->waits)
    {
        struct fleet_wait *wait = RING_OF(at, struct fleet_wait, link);

        wait->good = is_heard(fleet, wait->mark);
        if (!wait->good && now - wait->since < *fleet->settings.patience)
            continue;
        ring_leave(at);
        ring_append(&ready, at);
    }
    while ((link = ring_first(&ready))) {
        struct fleet_wait *wait = RING_OF(link, struct fleet_wait, link);

        ring_leave(link);
        wait->mark = NULL;
        wait->told(wait, wait->good);
    }
}

static void fire(struct timer *timer)
{
    struct fleet *fleet = timer->owner;

    tell_waiting(fleet);
    if (!ring_empty(&fleet->waits))
        timer_start(&fleet->timer, LOOK_AGAIN);
}

bool fleet_heard(struct fleet *fleet, struct fleet_mark *mark, struct fleet_wait *wait)
{
    if (!mark->id || is_heard(fleet, mark))
        return true;
    wait->mark = mark;
    wait->since = clock_now();
    if (ring_empty(&fleet->waits))
        timer_start(&fleet->timer, LOOK_AGAIN);
    ring_init(&wait->link);
    ring_append(&fleet->waits, &wait->link);
    fleet->figures.waits++;
    return false;
}

void fleet_wait_leave(struct fleet_wait *wait)
{
    if (wait->mark)
        ring_leave(&wait->link);
    wait->mark = NULL;
}

/* ---- others' writes ---- */

static struct remote *remote_of(struct map_link *link)
{
    return MAP_OF(link, struct remote, link);
}

static struct remote *find_remote(const struct fleet *fleet, uint64_t teller, uint64_t id)
{
    struct map_link *link = map_first(&fleet->remotes, hash_join(teller, id));

    while (link && (remote_of(link)->teller != teller || remote_of(link)->id != id))
        link = map_next(link);
    return link ? remote_of(link) : NULL;
}

static bool has_cell(const struct footprint_write *write, uint64_t cell)
{
    for (unsigned i = 0; i < write->ncells; i++)
        if (write->cells[i] == cell)
            return true;
    return false;
}

static void grow(struct fleet *fleet, struct remote *remote, const struct footprint_write *cells)
{
    struct footprint_write added = {0};
    bool full = cells->everything;

    for (unsigned i = 0; i < cells->ncells && !remote->write.everything; i++) {
        if (has_cell(&remote->write, cells->cells[i]))
            continue;
        if (remote->write.ncells + 2 >= FOOTPRINT_CELLS * 2) {
            full = true;
            break;
        }
        remote->write.cells[remote->write.ncells++] = added.cells[added.ncells++] = cells->cells[i];
    }
    ledger_begin(fleet->settings.ledger, &added);
    if (full && !remote->write.everything) {
        footprint_everything(&remote->write, &added);
        ledger_begin(fleet->settings.ledger, &added);
    }
}

static void hear_begin(struct fleet *fleet, uint64_t from, const struct record *record)
{
    struct remote *remote = find_remote(fleet, from, record->write);
    static const struct footprint_write everything = {.everything = true};

    fleet->owes_heard = true;
    if (!remote) {
        remote = mem_new(sizeof(*remote));
        remote->teller = from;
        remote->id = record->write;
        map_add(&fleet->remotes, &remote->link, hash_join(from, record->write));
    }
    grow(fleet, remote, record->signature == fleet->signature ? &record->cells : &everything);
    if (record->ddl && !remote->ddl)
        fleet->events->ddl(fleet->owner, true);
    remote->ddl |= record->ddl;
}

/* Its end, as it is told; NULL: of no more account. */
static void end_remote(struct fleet *fleet, struct remote *remote, const struct record *end)
{
    bool ddl = remote->ddl;

    if (end && end->type == RECORD_COMMIT) {
        for (unsigned i = 0; i < remote->write.ncells; i++)
            remote->write.spared[i] = has_cell(&end->cells, remote->write.cells[i]);
        ledger_commit(fleet->settings.ledger, &remote->write, end->lsn);
    } else {
        ledger_abort(fleet->settings.ledger, &remote->write);
    }
    map_remove(&fleet->remotes, &remote->link);
    mem_free(remote);
    if (ddl)
        fleet->events->ddl(fleet->owner, false);
}

struct all_of {
    uint64_t teller; /* 0: anybody */
    struct remote *found;
};

static void find_any(struct map_link *link, void *with)
{
    struct all_of *all = with;

    if (!all->teller || remote_of(link)->teller == all->teller)
        all->found = remote_of(link);
}

/* Their ends will not be told; the ledger is about to be shut. */
static void drop_remotes(struct fleet *fleet, uint64_t teller)
{
    for (;;) {
        struct all_of all = {.teller = teller};

        map_each(&fleet->remotes, find_any, &all);
        if (!all.found)
            return;
        end_remote(fleet, all.found, NULL);
    }
}

static void blur(struct map_link *link, void *with)
{
    static const struct footprint_write everything = {.everything = true};

    grow(with, remote_of(link), &everything);
}

void fleet_set_signature(struct fleet *fleet, uint64_t signature)
{
    fleet->signature = signature;
    map_each(&fleet->remotes, blur, fleet);
}

/* ---- members ---- */

static struct fellow *find_fellow(struct fleet *fleet, uint64_t id)
{
    for (unsigned i = 0; i < fleet->nfellows; i++)
        if (fleet->fellows[i].member.id == id)
            return &fleet->fellows[i];
    return NULL;
}

static void remove_fellow(struct fleet *fleet, struct fellow *fellow)
{
    uint64_t id = fellow->member.id;

    *fellow = fleet->fellows[--fleet->nfellows];
    drop_remotes(fleet, id);
}

/* Until the ledger was opened anew nothing is known. */
static void start_anew(struct fleet *fleet)
{
    fleet_shut(fleet);
    if (fleet->in)
        fleet->events->anew(fleet->owner);
}

static void greet_fellow(struct fleet *fleet, uint64_t seq, uint64_t id, uint64_t process)
{
    if (fleet->nfellows < BUS_MEMBERS)
        fleet->fellows[fleet->nfellows++] = (struct fellow){
            .member = {.id = id, .process = process, .lease = INT64_MAX}, .heard = seq};
    RING_EACH(at, after, &fleet->marks)
    {
        struct fleet_mark *mark = RING_OF(at, struct fleet_mark, link);

        if (!mark->ending)
            tell_begin(fleet, mark, mark->write);
    }
    fleet->owes_heard = true;
}

static void hear_join(struct fleet *fleet, uint64_t seq, uint64_t from, const struct record *record)
{
    for (unsigned i = 0; i < fleet->nfellows; i++)
        if (fleet->fellows[i].member.process == record->process)
            remove_fellow(fleet, &fleet->fellows[i--]);
    if (record->number)
        start_anew(fleet);
    greet_fellow(fleet, seq, from, record->process);
}

static void hear_fence(struct fleet *fleet, uint64_t id)
{
    struct fellow *fellow = find_fellow(fleet, id);

    if (!fellow)
        return;
    log_warning("fleet", "member %016llx is gone, and the others go on without it",
                (unsigned long long)id);
    remove_fellow(fleet, fellow);
    fleet->figures.fenced++;
    start_anew(fleet);
}

/* ---- what is heard ---- */

static struct fleet_mark *find_mark(struct fleet *fleet, uint64_t id)
{
    RING_EACH(at, after, &fleet->marks)
    {
        struct fleet_mark *mark = RING_OF(at, struct fleet_mark, link);

        if (mark->id == id)
            return mark;
    }
    return NULL;
}

static void hear_own(struct fleet *fleet, uint64_t seq, const struct record *record)
{
    struct fleet_mark *mark = find_mark(fleet, record->write);

    if (record->type == RECORD_BEGIN && mark) {
        mark->heard++;
        mark->heard_at = seq;
    } else if (record->type == RECORD_COMMIT && mark) {
        end_mark(fleet, mark);
    } else if (record->type == RECORD_OPEN && record->number == fleet->opening) {
        fleet->opening = 0;
        ledger_open(fleet->settings.ledger, fleet->floor);
        fleet->events->opened(fleet->owner);
    }
}

static void hear_other(struct fleet *fleet, uint64_t seq, uint64_t from,
                       const struct record *record)
{
    struct fellow *fellow = find_fellow(fleet, from);
    struct remote *remote = find_remote(fleet, from, record->write);

    switch (record->type) {
    case RECORD_BEGIN:
        hear_begin(fleet, from, record);
        break;
    case RECORD_COMMIT:
    case RECORD_ABORT:
        if (remote)
            end_remote(fleet, remote, record);
        break;
    case RECORD_HEARD:
        if (fellow && record->number > fellow->heard)
            fellow->heard = record->number;
        break;
    case RECORD_JOIN:
        hear_join(fleet, seq, from, record);
        break;
    case RECORD_LEAVE:
        if (fellow)
            remove_fellow(fleet, fellow);
        break;
    case RECORD_FENCE:
        hear_fence(fleet, record->number);
        break;
    case RECORD_OPEN:
        break;
    }
}

static bool heard(void *owner, uint64_t seq, uint64_t from, struct slice message)
{
    struct fleet *fleet = owner;
    struct record record;

    ledger_advance(fleet->settings.ledger, seq);
    fleet->applied = seq;
    while (record_get(&message, &record)) {
        fleet->figures.heard++;
        if (record.type == RECORD_FENCE && record.number == bus_id(fleet->bus)) {
            bus_lose(fleet->bus, "the others took it for gone");
            return true;
        }
        if (from != bus_id(fleet->bus))
            hear_other(fleet, seq, from, &record);
        else if (record.type == RECORD_FENCE)
            hear_fence(fleet, record.number);
        else
            hear_own(fleet, seq, &record);
    }
    return message.len == 0;
}

static void be_in(struct fleet *fleet)
{
    if (fleet->in || !fleet->opens || heard_by_all(fleet) < fleet->joined_at)
        return;
    fleet->in = true;
    log_info("fleet", "one of %u members", fleet->nfellows + 1);
    fleet->events->anew(fleet->owner);
}

static void take_trust(struct fleet *fleet)
{
    if (!fleet->trust.at || fleet->applied < fleet->trust.at)
        return;
    ledger_trust(fleet->settings.ledger, fleet->trust.until);
    fleet->trust.at = 0;
}

static void quiet(void *owner)
{
    struct fleet *fleet = owner;
    struct record record = {.type = RECORD_HEARD, .number = fleet->applied};

    if (fleet->owes_heard)
        tell(fleet, &record);
    fleet->owes_heard = false;
    take_trust(fleet);
    be_in(fleet);
    tell_waiting(fleet);
}

/* ---- membership ---- */

/* What we have under way is told along, and known to those who hear that we are there. */
static void joining(void *owner, bool again, struct buf *message)
{
    struct fleet *fleet = owner;
    struct record record = {
        .type = RECORD_JOIN, .number = again, .process = fleet->settings.process};

    record_put(message, &record);
    RING_EACH(at, after, &fleet->marks)
    {
        struct fleet_mark *mark = RING_OF(at, struct fleet_mark, link);

        put_begin(fleet, mark, mark->write, message);
        mark->untold = false;
    }
}

/* Until the first of all leases runs out, ours too, nobody writes what we would have to hear of.
 * What Redis said speaks for what was heard up to its own position. */
static void rely_on(struct fleet *fleet, const struct bus_state *state)
{
    int64_t first = INT64_MAX;

    fleet->opens = state->now >= state->opens;
    for (unsigned i = 0; i < state->nmembers; i++)
        if (state->members[i].lease < first)
            first = state->members[i].lease;
    if (!fleet->trust.at) {
        fleet->trust.at = state->seq;
        fleet->trust.until = state->asked + (first - state->now) * CLOCK_MS - TRUST_MARGIN;
    }
    take_trust(fleet);
}

static void joined(void *owner, const struct bus_state *state)
{
    struct fleet *fleet = owner;

    fleet->joined_at = fleet->applied = state->seq;
    fleet->was_in = true;
    fleet->nfellows = 0;
    ledger_advance(fleet->settings.ledger, state->seq);
    for (unsigned i = 0; i < state->nmembers; i++)
        if (state->members[i].id != bus_id(fleet->bus))
            fleet->fellows[fleet->nfellows++] = (struct fellow){
                .member = state->members[i], .lapsed = state->members[i].lease < state->now};
    RING_EACH(at, after, &fleet->marks)
    {
        struct fleet_mark *mark = RING_OF(at, struct fleet_mark, link);

        mark->told = mark->heard = 0;
        mark->heard_at = state->seq;
        if (mark->untold)
            tell_begin(fleet, mark, mark->write);
        mark->untold = false;
    }
    rely_on(fleet, state);
    be_in(fleet);
    tell_waiting(fleet);
}

static void fence(struct fleet *fleet, struct fellow *fellow)
{
    struct record record = {.type = RECORD_FENCE, .number = fellow->member.id};
    struct buf bytes = {0};

    if (fellow->absent_since && clock_now() - fellow->absent_since >= GONE_AFTER) {
        record_put(&bytes, &record);
        bus_fence(fleet->bus, &fellow->member, buf_slice(&bytes));
        buf_clear(&bytes);
    }
    fleet->events->look(fleet->owner, fellow->member.process);
}

void fleet_seen(struct fleet *fleet, uint64_t process, bool there)
{
    for (unsigned i = 0; i < fleet->nfellows; i++) {
        struct fellow *fellow = &fleet->fellows[i];

        if (fellow->member.process != process)
            continue;
        if (there)
            fellow->absent_since = 0;
        else if (!fellow->absent_since)
            fellow->absent_since = clock_now();
    }
}

static void note_lease(struct fleet *fleet, const struct bus_member *member, int64_t now)
{
    struct fellow *fellow = find_fellow(fleet, member->id);

    if (!fellow)
        return; /* that it has joined is still to be heard */
    fellow->member.lease = member->lease;
    if (member->lease >= now) {
        fellow->lapsed = false;
        fellow->absent_since = 0;
        return;
    }
    if (!fellow->lapsed)
        log_warning("fleet",
                    "member %016llx is not heard of: no cache and no replica until it is, or is "
                    "gone",
                    (unsigned long long)member->id);
    fellow->lapsed = true;
    fence(fleet, fellow);
}

static void beaten(void *owner, const struct bus_state *state)
{
    struct fleet *fleet = owner;

    fleet->figures.lapsed = 0;
    for (unsigned i = 0; i < state->nmembers; i++) {
        fleet->figures.lapsed += state->members[i].lease < state->now;
        note_lease(fleet, &state->members[i], state->now);
    }
    rely_on(fleet, state);
    be_in(fleet);
    tell_waiting(fleet);
}

static void lost(void *owner, const char *why)
{
    struct fleet *fleet = owner;

    (void)why;
    fleet->in = false;
    fleet->figures.losses++;
    fleet->trust.at = 0;
    ledger_trust(fleet->settings.ledger, 0);
    fleet_shut(fleet);
    fleet->events->lost(fleet->owner);
    fleet->nfellows = 0;
    fleet->owes_heard = false;
    drop_remotes(fleet, 0);
    RING_EACH(at, after, &fleet->marks)
    {
        struct fleet_mark *mark = RING_OF(at, struct fleet_mark, link);

        mark->told = mark->heard = 0;
        if (mark->ending)
            end_mark(fleet, mark);
    }
    if (!ring_empty(&fleet->waits))
        timer_start(&fleet->timer, LOOK_AGAIN);
}

/* ---- from the beginning to the end ---- */

struct fleet *fleet_new(const struct fleet_settings *settings, const struct fleet_events *events,
                        void *owner, const char **why)
{
    static const struct bus_events bus_events = {joining, joined, beaten, heard, quiet, lost};
    struct fleet *fleet = mem_new(sizeof(*fleet));

    fleet->settings = *settings;
    fleet->events = events;
    fleet->owner = owner;
    ring_init(&fleet->marks);
    ring_init(&fleet->waits);
    fleet->bus = bus_new(settings->loop, settings->url, settings->process, &bus_events, fleet, why);
    if (!fleet->bus) {
        mem_free(fleet);
        return NULL;
    }
    timer_init(&fleet->timer, settings->loop, fire, fleet);
    return fleet;
}

static void free_remote(struct map_link *link, void *with)
{
    (void)with;
    mem_free(remote_of(link));
}

void fleet_free(struct fleet *fleet)
{
    if (!fleet)
        return;
    bus_free(fleet->bus);
    timer_close(&fleet->timer);
    map_each(&fleet->remotes, free_remote, NULL);
    map_clear(&fleet->remotes);
    mem_free(fleet);
}

void fleet_leave(struct fleet *fleet)
{
    struct record record = {.type = RECORD_LEAVE};
    struct buf bytes = {0};

    if (!ring_empty(&fleet->marks))
        return;
    record_put(&bytes, &record);
    bus_leave(fleet->bus, buf_slice(&bytes));
    buf_clear(&bytes);
}

void fleet_start(struct fleet *fleet, const char *name)
{
    bus_start(fleet->bus, name);
}

bool fleet_is_in(const struct fleet *fleet)
{
    return fleet->in;
}

void fleet_open(struct fleet *fleet, uint64_t floor)
{
    struct record record = {.type = RECORD_OPEN, .number = ++fleet->openings};

    fleet->opening = record.number;
    fleet->floor = floor;
    tell(fleet, &record);
}

void fleet_shut(struct fleet *fleet)
{
    fleet->opening = 0;
}

uint64_t fleet_epoch(const struct fleet *fleet)
{
    return bus_epoch(fleet->bus);
}

void fleet_figures(const struct fleet *fleet, struct fleet_figures *figures)
{
    *figures = fleet->figures;
    figures->members = bus_id(fleet->bus) ? fleet->nfellows + 1 : 0;
    figures->trusted = ledger_serves(fleet->settings.ledger);
}
