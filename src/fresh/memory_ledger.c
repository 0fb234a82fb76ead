/* The ledger in memory: a table of cells under one mutex. A cell that is not in it was touched by
 * nothing since the last eviction or opening that could matter: it stands for the floor, an LSN and
 * a position. Cells with a write under way are never evicted. Knows no SQL and no
 * socket, and of the clock only how long a fleet's member may trust what it knows. */
#include "fresh/ledger.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/ring.h"

#include <pthread.h>
#include <stdatomic.h>

/* How many cells a new one may look at to find one to evict. */
enum { EVICT_STEPS = 32 };

struct cell {
    struct map_link link;
    struct ring recent;    /* in ledger.recent while nothing is pending */
    uint64_t lsn, touched; /* of its last touch: LSN and position of the ledger */
    uint32_t pending;
    bool used; /* since the last look for something to evict */
};

struct ledger {
    pthread_mutex_t mutex;
    struct map cells;
    struct ring recent;   /* least recent first, with a second chance for the used ones */
    struct cell all, any; /* the database's own, not in `cells`, never evicted */
    size_t max_cells;
    uint64_t floor_lsn, floor_touched; /* of any cell that is not here */
    uint64_t position;
    uint64_t shut_lsn; /* of the newest commit since ledger_shut: the next floor may be older */
    atomic_bool open;
    bool follows;            /* positions come from outside */
    _Atomic int64_t trusted; /* until then; of one that follows */
    struct ledger_figures figures;
};

struct ledger *ledger_new(size_t max_cells)
{
    struct ledger *ledger = mem_new(sizeof(*ledger));

    pthread_mutex_init(&ledger->mutex, NULL);
    ring_init(&ledger->recent);
    ring_init(&ledger->all.recent);
    ring_init(&ledger->any.recent);
    ledger->max_cells = max_cells;
    return ledger;
}

static struct cell *cell_of(struct map_link *link)
{
    return MAP_OF(link, struct cell, link);
}

static void free_cell(struct map_link *link, void *with)
{
    (void)with;
    mem_free(cell_of(link));
}

void ledger_free(struct ledger *ledger)
{
    map_each(&ledger->cells, free_cell, NULL);
    map_clear(&ledger->cells);
    pthread_mutex_destroy(&ledger->mutex);
    mem_free(ledger);
}

static struct cell *find(struct ledger *ledger, uint64_t name)
{
    struct map_link *link;

    if (name == CELL_ALL)
        return &ledger->all;
    if (name == CELL_ANY)
        return &ledger->any;
    link = map_first(&ledger->cells, name);
    return link ? cell_of(link) : NULL;
}

/* The floor rises to the cell. */
static void evict(struct ledger *ledger, struct cell *cell)
{
    if (cell->lsn > ledger->floor_lsn)
        ledger->floor_lsn = cell->lsn;
    if (cell->touched > ledger->floor_touched)
        ledger->floor_touched = cell->touched;
    map_remove(&ledger->cells, &cell->link);
    ring_leave(&cell->recent);
    mem_free(cell);
    ledger->figures.evicted++;
}

static void make_room(struct ledger *ledger)
{
    for (int step = 0; step < EVICT_STEPS && ledger->cells.count >= ledger->max_cells; step++) {
        struct ring *first = ring_first(&ledger->recent);
        struct cell *cell;

        if (!first)
            return;
        cell = RING_OF(first, struct cell, recent);
        if (cell->used && step < EVICT_STEPS / 2) {
            cell->used = false;
            ring_leave(first);
            ring_append(&ledger->recent, first);
        } else {
            evict(ledger, cell);
        }
    }
}

static struct cell *make(struct ledger *ledger, uint64_t name)
{
    struct cell *cell;

    make_room(ledger);
    cell = mem_new(sizeof(*cell));
    cell->lsn = ledger->floor_lsn;
    cell->touched = ledger->floor_touched;
    map_add(&ledger->cells, &cell->link, name);
    ring_init(&cell->recent);
    ring_append(&ledger->recent, &cell->recent);
    return cell;
}

static struct cell *find_or_make(struct ledger *ledger, uint64_t name)
{
    struct cell *cell = find(ledger, name);

    return cell ? cell : make(ledger, name);
}

static void start_anew(struct map_link *link, void *with)
{
    struct ledger *ledger = with;

    cell_of(link)->lsn = ledger->floor_lsn;
    cell_of(link)->touched = ledger->floor_touched;
}

/* Cells stay, for the writes under way whose end is still to come; what they held is forgotten. */
void ledger_open(struct ledger *ledger, uint64_t floor)
{
    pthread_mutex_lock(&ledger->mutex);
    ledger->floor_lsn = floor > ledger->shut_lsn ? floor : ledger->shut_lsn;
    ledger->position += !ledger->follows;
    ledger->floor_touched = ledger->position;
    map_each(&ledger->cells, start_anew, ledger);
    start_anew(&ledger->all.link, ledger);
    start_anew(&ledger->any.link, ledger);
    atomic_store(&ledger->open, true);
    pthread_mutex_unlock(&ledger->mutex);
}

void ledger_shut(struct ledger *ledger)
{
    pthread_mutex_lock(&ledger->mutex);
    atomic_store(&ledger->open, false);
    ledger->shut_lsn = 0;
    pthread_mutex_unlock(&ledger->mutex);
}

bool ledger_is_open(const struct ledger *ledger)
{
    return atomic_load(&ledger->open);
}

void ledger_follow(struct ledger *ledger)
{
    ledger->follows = true;
}

void ledger_advance(struct ledger *ledger, uint64_t position)
{
    pthread_mutex_lock(&ledger->mutex);
    ledger->position = position;
    pthread_mutex_unlock(&ledger->mutex);
}

void ledger_trust(struct ledger *ledger, int64_t until)
{
    atomic_store(&ledger->trusted, until);
}

bool ledger_serves(const struct ledger *ledger)
{
    return atomic_load(&ledger->open) &&
           (!ledger->follows || clock_now() < atomic_load(&ledger->trusted));
}

void ledger_begin(struct ledger *ledger, const struct footprint_write *added)
{
    if (added->ncells == 0)
        return;
    pthread_mutex_lock(&ledger->mutex);
    for (unsigned i = 0; i < added->ncells; i++) {
        struct cell *cell = find_or_make(ledger, added->cells[i]);

        if (cell->pending++ == 0) {
            ring_leave(&cell->recent);
            ledger->figures.pending++;
        }
    }
    ledger->figures.begun++;
    pthread_mutex_unlock(&ledger->mutex);
}

static void end_pending(struct ledger *ledger, struct cell *cell)
{
    if (cell->pending == 0 || --cell->pending > 0)
        return;
    ledger->figures.pending--;
    if (cell != &ledger->all && cell != &ledger->any)
        ring_append(&ledger->recent, &cell->recent);
}

void ledger_commit(struct ledger *ledger, const struct footprint_write *write, uint64_t lsn)
{
    if (write->ncells == 0)
        return;
    pthread_mutex_lock(&ledger->mutex);
    ledger->position += !ledger->follows;
    for (unsigned i = 0; i < write->ncells; i++) {
        struct cell *cell = find_or_make(ledger, write->cells[i]);

        end_pending(ledger, cell);
        if (write->spared[i])
            continue;
        cell->touched = ledger->position;
        if (lsn > cell->lsn)
            cell->lsn = lsn;
    }
    if (lsn > ledger->shut_lsn)
        ledger->shut_lsn = lsn;
    ledger->figures.committed++;
    pthread_mutex_unlock(&ledger->mutex);
}

void ledger_abort(struct ledger *ledger, const struct footprint_write *write)
{
    if (write->ncells == 0)
        return;
    pthread_mutex_lock(&ledger->mutex);
    for (unsigned i = 0; i < write->ncells; i++) {
        struct cell *cell = find(ledger, write->cells[i]);

        if (cell)
            end_pending(ledger, cell);
    }
    ledger->figures.aborted++;
    pthread_mutex_unlock(&ledger->mutex);
}

/* Where the alternative (or occurrence) that starts at cell `i` ends. */
static unsigned end_of_alternative(const struct footprint_read *read, unsigned i)
{
    unsigned end = i + 1;

    while (end < read->ncells && read->occurrence[end] == read->occurrence[i] &&
           read->alternative[end] == read->alternative[i])
        end++;
    return end;
}

struct needs {
    uint64_t lsn;
    bool pending;
};

/* What one alternative needs: the most of its cells. */
static struct needs need_alternative(struct ledger *ledger, const struct footprint_read *read,
                                     unsigned from, unsigned to)
{
    struct needs needs = {0};

    for (unsigned i = from; i < to; i++) {
        struct cell *cell = find(ledger, read->cells[i]);
        uint64_t lsn = ledger->floor_lsn;

        if (cell) {
            cell->used = true;
            lsn = cell->lsn;
            needs.pending |= cell->pending > 0;
        }
        if (lsn > needs.lsn)
            needs.lsn = lsn;
    }
    return needs;
}

/* The most favourable alternative decides: one without a write under way, then the oldest. */
static bool is_better(struct needs a, struct needs b)
{
    return a.pending != b.pending ? b.pending : a.lsn < b.lsn;
}

static void need_locked(struct ledger *ledger, const struct footprint_read *read, struct need *need)
{
    unsigned i = 0;

    while (i < read->ncells) {
        uint8_t occurrence = read->occurrence[i];
        struct needs best = {UINT64_MAX, true};

        while (i < read->ncells && read->occurrence[i] == occurrence) {
            unsigned end = end_of_alternative(read, i);
            struct needs needs = need_alternative(ledger, read, i, end);

            if (is_better(needs, best))
                best = needs;
            i = end;
        }
        need->pending |= best.pending;
        if (best.lsn > need->lsn)
            need->lsn = best.lsn;
    }
}

void ledger_need(struct ledger *ledger, const struct footprint_read *read, struct need *need)
{
    pthread_mutex_lock(&ledger->mutex);
    need->lsn = 0;
    need->stamp = ledger->position;
    need->pending = need->shut = !ledger_serves(ledger);
    need_locked(ledger, read, need);
    pthread_mutex_unlock(&ledger->mutex);
}

static bool is_unchanged(struct ledger *ledger, uint64_t name, uint64_t stamp)
{
    struct cell *cell = find(ledger, name);

    if (!cell)
        return ledger->floor_touched <= stamp;
    cell->used = true;
    return cell->pending == 0 && cell->touched <= stamp;
}

static bool valid_locked(struct ledger *ledger, const struct footprint_read *read, uint64_t stamp,
                         bool row)
{
    unsigned i = 0;

    while (i < read->ncells) {
        uint8_t occurrence = read->occurrence[i];
        bool unchanged = false;

        while (i < read->ncells && read->occurrence[i] == occurrence) {
            unsigned end = end_of_alternative(read, i);
            bool same = !unchanged;

            for (; i < end; i++)
                same = same && ((row && read->only_if_empty[i]) ||
                                is_unchanged(ledger, read->cells[i], stamp));
            unchanged |= same;
        }
        if (!unchanged)
            return false;
    }
    return true;
}

bool ledger_valid(struct ledger *ledger, const struct footprint_read *read, uint64_t stamp,
                  bool row)
{
    bool valid;

    pthread_mutex_lock(&ledger->mutex);
    valid = ledger_serves(ledger) && valid_locked(ledger, read, stamp, row);
    pthread_mutex_unlock(&ledger->mutex);
    return valid;
}

void ledger_figures(struct ledger *ledger, struct ledger_figures *figures)
{
    pthread_mutex_lock(&ledger->mutex);
    *figures = ledger->figures;
    figures->cells = ledger->cells.count;
    pthread_mutex_unlock(&ledger->mutex);
}
