/* The memory ledger: sequences told step by step, and long random ones against a model that simply
 * remembers every write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fresh/ledger.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ID_7 = 1000, ID_8, ID_STAR, ID_NEW, USER_42, USER_43, USER_STAR, RELATION };

/* Cells up to a 0; -1 begins the next alternative, -2 the next occurrence. (database, *) is the
 * first. */
static struct footprint_read reading(const int *cells)
{
    struct footprint_read read = {.ncells = 1, .cells = {CELL_ALL}};
    uint8_t occurrence = 1, alternative = 0;

    for (; *cells; cells++) {
        if (*cells == -1) {
            alternative++;
        } else if (*cells == -2) {
            occurrence++;
            alternative = 0;
        } else {
            read.only_if_empty[read.ncells] = *cells == ID_NEW;
            read.occurrence[read.ncells] = occurrence;
            read.alternative[read.ncells] = alternative;
            read.cells[read.ncells++] = *cells;
        }
    }
    return read;
}

#define READING(...) reading((const int[]){__VA_ARGS__, 0})

static struct footprint_write writing(const int *cells)
{
    struct footprint_write write = {.ncells = 1, .cells = {CELL_ANY}};

    for (; *cells; cells++)
        write.cells[write.ncells++] = *cells;
    return write;
}

#define WRITING(...) writing((const int[]){__VA_ARGS__, 0})

static struct ledger *opened(size_t max_cells, uint64_t floor)
{
    struct ledger *ledger = ledger_new(max_cells);

    ledger_open(ledger, floor);
    return ledger;
}

static struct need need_of(struct ledger *ledger, const struct footprint_read *read)
{
    struct need need;

    ledger_need(ledger, read, &need);
    return need;
}

static bool valid(struct ledger *ledger, const struct footprint_read *read, const struct need *need)
{
    return ledger_valid(ledger, read, need->stamp, true);
}

/* A write between two reads: pending while it runs, a new stamp and its LSN after. */
static void write_test(void **state)
{
    struct ledger *ledger = opened(100, 500);
    struct footprint_read seven = READING(ID_7, ID_STAR);
    struct footprint_read eight = READING(ID_8, ID_STAR);
    struct footprint_write write = WRITING(RELATION, ID_7, USER_STAR);
    struct need before = need_of(ledger, &seven), other = need_of(ledger, &eight), after;

    (void)state;
    assert_int_equal(before.lsn, 500);
    assert_false(before.pending);
    assert_true(valid(ledger, &seven, &before));

    ledger_begin(ledger, &write);
    assert_false(valid(ledger, &seven, &before));
    assert_true(need_of(ledger, &seven).pending);
    assert_false(need_of(ledger, &eight).pending);
    assert_true(valid(ledger, &eight, &other));

    ledger_commit(ledger, &write, 600);
    after = need_of(ledger, &seven);
    assert_false(after.pending);
    assert_int_equal(after.lsn, 600);
    assert_false(valid(ledger, &seven, &before));
    assert_true(valid(ledger, &seven, &after));
    assert_int_equal(need_of(ledger, &eight).lsn, 500);
    assert_true(valid(ledger, &eight, &other));
    ledger_free(ledger);
}

static void abort_test(void **state)
{
    struct ledger *ledger = opened(100, 500);
    struct footprint_read seven = READING(ID_7, ID_STAR);
    struct footprint_write write = WRITING(RELATION, ID_7);
    struct need before = need_of(ledger, &seven);

    (void)state;
    ledger_begin(ledger, &write);
    assert_false(valid(ledger, &seven, &before));
    ledger_abort(ledger, &write);
    assert_true(valid(ledger, &seven, &before));
    assert_int_equal(need_of(ledger, &seven).lsn, 500);
    ledger_free(ledger);
}

/* Two writers of one row: pending until both have ended, in whatever order and manner. */
static void nested_test(void **state)
{
    struct ledger *ledger = opened(100, 500);
    struct footprint_read seven = READING(ID_7, ID_STAR);
    struct footprint_write write = WRITING(RELATION, ID_7);
    struct need between;

    (void)state;
    ledger_begin(ledger, &write);
    ledger_begin(ledger, &write);
    ledger_commit(ledger, &write, 600);
    between = need_of(ledger, &seven);
    assert_true(between.pending);
    assert_int_equal(between.lsn, 600);
    assert_false(valid(ledger, &seven, &between));
    ledger_abort(ledger, &write);
    assert_false(need_of(ledger, &seven).pending);
    assert_true(valid(ledger, &seven, &between));
    ledger_free(ledger);
}

/* An LSN never falls, also where commits report out of order, or none at all. */
static void lsn_order_test(void **state)
{
    struct ledger *ledger = opened(100, 500);
    struct footprint_read seven = READING(ID_7, ID_STAR);
    struct footprint_write write = WRITING(RELATION, ID_7);

    (void)state;
    ledger_begin(ledger, &write);
    ledger_begin(ledger, &write);
    ledger_begin(ledger, &write);
    ledger_commit(ledger, &write, 700);
    ledger_commit(ledger, &write, 600);
    ledger_commit(ledger, &write, 0);
    assert_int_equal(need_of(ledger, &seven).lsn, 700);
    ledger_free(ledger);
}

/* UPDATE .. WHERE user_id = 43 leaves evaluation 7 of user 42 as it is. */
static void alternatives_test(void **state)
{
    struct ledger *ledger = opened(100, 500);
    struct footprint_read read = READING(ID_7, ID_STAR, ID_NEW, -1, USER_42, USER_STAR);
    struct footprint_write other = WRITING(RELATION, ID_STAR, USER_43);
    struct footprint_write same = WRITING(RELATION, ID_STAR, USER_42);
    struct need need = need_of(ledger, &read);

    (void)state;
    ledger_begin(ledger, &other);
    assert_true(valid(ledger, &read, &need));
    assert_false(need_of(ledger, &read).pending);
    ledger_commit(ledger, &other, 600);
    assert_true(valid(ledger, &read, &need));
    assert_int_equal(need_of(ledger, &read).lsn, 500);

    ledger_begin(ledger, &same);
    assert_false(valid(ledger, &read, &need));
    assert_true(need_of(ledger, &read).pending);
    ledger_commit(ledger, &same, 700);
    assert_false(valid(ledger, &read, &need));
    assert_int_equal(need_of(ledger, &read).lsn, 700);
    ledger_free(ledger);
}

/* Every occurrence must hold, not only the last one. */
static void occurrences_test(void **state)
{
    struct ledger *ledger = opened(100, 500);
    struct footprint_read read = READING(ID_7, ID_STAR, -2, USER_42, USER_STAR);
    struct footprint_write first = WRITING(ID_7, USER_43), last = WRITING(ID_8, USER_42);
    struct need need = need_of(ledger, &read);

    (void)state;
    ledger_begin(ledger, &first);
    assert_true(need_of(ledger, &read).pending);
    ledger_commit(ledger, &first, 600);
    assert_false(valid(ledger, &read, &need));
    assert_int_equal(need_of(ledger, &read).lsn, 600);
    need = need_of(ledger, &read);
    ledger_begin(ledger, &last);
    ledger_commit(ledger, &last, 550);
    assert_false(valid(ledger, &read, &need));
    assert_int_equal(need_of(ledger, &read).lsn, 600);
    ledger_free(ledger);
}

/* An insert of a made-up key concerns an empty answer only. */
static void new_key_test(void **state)
{
    struct ledger *ledger = opened(100, 500);
    struct footprint_read read = READING(ID_7, ID_STAR, ID_NEW);
    struct footprint_write insert = WRITING(RELATION, ID_NEW, USER_42);
    struct need need = need_of(ledger, &read);

    (void)state;
    ledger_begin(ledger, &insert);
    assert_true(need_of(ledger, &read).pending);
    assert_true(ledger_valid(ledger, &read, need.stamp, true));
    assert_false(ledger_valid(ledger, &read, need.stamp, false));
    ledger_commit(ledger, &insert, 600);
    assert_true(ledger_valid(ledger, &read, need.stamp, true));
    assert_false(ledger_valid(ledger, &read, need.stamp, false));
    assert_int_equal(need_of(ledger, &read).lsn, 600);
    ledger_free(ledger);
}

static void everything_test(void **state)
{
    struct ledger *ledger = opened(100, 500);
    struct footprint_read seven = READING(ID_7, ID_STAR), nothing = reading((const int[]){0});
    struct footprint_write write = WRITING(CELL_ALL);
    struct need need = need_of(ledger, &seven), none = need_of(ledger, &nothing);

    (void)state;
    ledger_begin(ledger, &write);
    assert_false(valid(ledger, &seven, &need));
    assert_true(need_of(ledger, &seven).pending);
    ledger_commit(ledger, &write, 600);
    assert_false(valid(ledger, &seven, &need));
    assert_false(valid(ledger, &nothing, &none));
    assert_int_equal(need_of(ledger, &seven).lsn, 600);
    ledger_free(ledger);
}

/* Shut: pending for everyone, and nothing valid; opened again: nothing of before is. */
static void reopen_test(void **state)
{
    struct ledger *ledger = ledger_new(100);
    struct footprint_read seven = READING(ID_7, ID_STAR), eight = READING(ID_8, ID_STAR);
    struct footprint_write write = WRITING(RELATION, ID_7), other = WRITING(RELATION, ID_8);
    struct need before, after, early = need_of(ledger, &seven);

    (void)state;
    assert_false(ledger_is_open(ledger));
    assert_true(early.pending);
    assert_false(valid(ledger, &seven, &early));
    ledger_open(ledger, 500);
    assert_true(ledger_is_open(ledger));
    assert_false(valid(ledger, &seven, &early));
    before = need_of(ledger, &seven);
    assert_true(valid(ledger, &seven, &before));

    ledger_begin(ledger, &write);
    ledger_begin(ledger, &other);
    ledger_shut(ledger);
    assert_true(need_of(ledger, &eight).pending);
    ledger_commit(ledger, &other, 450);
    ledger_open(ledger, 400); /* a new primary may be behind; the commit since is not forgotten */
    after = need_of(ledger, &seven);
    assert_true(after.pending);
    assert_int_equal(need_of(ledger, &eight).lsn, 450);
    ledger_abort(ledger, &write);
    after = need_of(ledger, &seven);
    assert_false(after.pending);
    assert_int_equal(after.lsn, 450);
    assert_false(valid(ledger, &seven, &before));
    assert_true(valid(ledger, &seven, &after));
    ledger_free(ledger);
}

/* Opened twice with nothing between: stamps are not valid again, the floor may fall. */
static void reset_test(void **state)
{
    struct ledger *ledger = opened(100, 500);
    struct footprint_read seven = READING(ID_7, ID_STAR), nothing = reading((const int[]){0});
    struct need kept = need_of(ledger, &seven), none = need_of(ledger, &nothing), unkept;

    (void)state;
    ledger_open(ledger, 100);
    assert_false(valid(ledger, &nothing, &none));
    assert_false(valid(ledger, &seven, &kept));
    unkept = need_of(ledger, &seven);
    assert_int_equal(unkept.lsn, 100);
    assert_true(valid(ledger, &seven, &unkept));
    ledger_open(ledger, 100);
    assert_false(valid(ledger, &seven, &unkept));
    ledger_free(ledger);
}

/* One touch each of more cells than there is room for. */
static void write_fillers(struct ledger *ledger, uint64_t lsn)
{
    for (int i = 0; i < 50; i++) {
        struct footprint_write filler = {.ncells = 1, .cells = {5000 + i}};

        ledger_begin(ledger, &filler);
        ledger_commit(ledger, &filler, lsn);
    }
}

/* What is evicted leaves a floor: no need falls below it, no stamp of before survives a touch. */
static void eviction_test(void **state)
{
    struct ledger *ledger = opened(4, 500);
    struct footprint_read seven = READING(ID_7), eight = READING(ID_8);
    struct footprint_write write = WRITING(ID_7);
    struct need before = need_of(ledger, &seven), after, last;
    struct ledger_figures figures;

    (void)state;
    ledger_begin(ledger, &write);
    ledger_commit(ledger, &write, 600);
    after = need_of(ledger, &seven);
    assert_true(valid(ledger, &seven, &after));
    write_fillers(ledger, 700);
    ledger_figures(ledger, &figures);
    assert_true(figures.cells <= 4);
    assert_true(figures.evicted >= 46);
    assert_int_equal(need_of(ledger, &eight).lsn, 700);
    assert_false(valid(ledger, &seven, &before));
    assert_false(valid(ledger, &seven, &after)); /* for all that is known any more */
    last = need_of(ledger, &seven);
    write_fillers(ledger, 0);
    assert_false(valid(ledger, &seven, &last));
    ledger_free(ledger);
}

/* Evicting cells that nothing has touched, or only before, says nothing about the others. */
static void quiet_eviction_test(void **state)
{
    struct ledger *ledger = opened(4, 500);
    struct footprint_read seven = READING(ID_7);
    struct need need;

    (void)state;
    write_fillers(ledger, 600);
    need = need_of(ledger, &seven);
    for (int i = 0; i < 50; i++) {
        struct footprint_write filler = {.ncells = 1, .cells = {6000 + i}};

        ledger_begin(ledger, &filler);
        ledger_abort(ledger, &filler);
    }
    assert_true(valid(ledger, &seven, &need));
    ledger_free(ledger);
}

/* Marks of writes under way outlast any crowding. */
static void pending_eviction_test(void **state)
{
    struct ledger *ledger = opened(2, 500);
    struct footprint_read seven = READING(ID_7);
    struct footprint_write write = WRITING(ID_7, ID_8, USER_42, USER_43);
    struct ledger_figures figures;

    (void)state;
    ledger_begin(ledger, &write);
    write_fillers(ledger, 0);
    assert_true(need_of(ledger, &seven).pending);
    ledger_figures(ledger, &figures);
    assert_int_equal(figures.pending, 5);
    ledger_commit(ledger, &write, 600);
    assert_false(need_of(ledger, &seven).pending);
    assert_int_equal(need_of(ledger, &seven).lsn, 600);
    ledger_figures(ledger, &figures);
    assert_int_equal(figures.pending, 0);
    assert_int_equal(figures.begun, 51);
    assert_int_equal(figures.committed, 51);
    ledger_free(ledger);
}

/* The model: every commit and its time, every mark. */

enum { UNIVERSE = 10, FIRST_CELL = 100, COMMITS = 4000, WRITERS = 4, READERS = 12, STEPS = 4000 };

struct model {
    struct ledger *ledger;
    struct footprint_write commits[COMMITS];
    unsigned lsns[COMMITS], ncommits;
    struct footprint_write running[WRITERS]; /* ncells 0: none */
    struct {
        struct footprint_read read;
        struct need need;
        unsigned at;  /* commits that were before it */
        unsigned era; /* openings that were before it */
    } readers[READERS];
    unsigned era, lsn, floor, seed;
    bool open, crowded;
    unsigned valids;
};

static unsigned roll(struct model *model, unsigned sides)
{
    return (unsigned)rand_r(&model->seed) % sides;
}

static uint64_t roll_cell(struct model *model)
{
    return roll(model, 40) == 0 ? CELL_ALL : FIRST_CELL + roll(model, UNIVERSE);
}

static bool has_cell(const struct footprint_write *write, uint64_t cell)
{
    for (unsigned i = 0; i < write->ncells; i++)
        if (write->cells[i] == cell)
            return true;
    return false;
}

/* True if some occurrence has no alternative whose cells all pass `touched` over. */
static bool is_hit(const struct footprint_read *read, const bool *touched)
{
    bool alternative_hit[256][4] = {{false}}, exists[256][4] = {{false}};

    for (unsigned i = 0; i < read->ncells; i++) {
        exists[read->occurrence[i]][read->alternative[i]] = true;
        alternative_hit[read->occurrence[i]][read->alternative[i]] |= touched[i];
    }
    for (unsigned o = 0; o < 256; o++) {
        bool some = false, all = true;

        for (unsigned a = 0; a < 4; a++) {
            some |= exists[o][a];
            all &= !exists[o][a] || alternative_hit[o][a];
        }
        if (some && all)
            return true;
    }
    return false;
}

static bool model_pending(const struct model *model, const struct footprint_read *read, bool row,
                          unsigned from)
{
    bool touched[FOOTPRINT_CELLS] = {false};

    for (unsigned i = 0; i < read->ncells; i++) {
        if (row && read->only_if_empty[i])
            continue;
        for (unsigned w = 0; w < WRITERS; w++)
            touched[i] |= has_cell(&model->running[w], read->cells[i]);
        for (unsigned c = from; c < model->ncommits; c++)
            touched[i] |= has_cell(&model->commits[c], read->cells[i]);
    }
    return !model->open || is_hit(read, touched);
}

static void roll_read(struct model *model, struct footprint_read *read)
{
    memset(read, 0, sizeof(*read));
    read->cells[read->ncells++] = CELL_ALL;
    for (unsigned o = 1 + roll(model, 2); o > 0; o--)
        for (unsigned a = 1 + roll(model, 3); a > 0; a--)
            for (unsigned c = 1 + roll(model, 3); c > 0; c--) {
                read->occurrence[read->ncells] = 3 - o;
                read->alternative[read->ncells] = 3 - a;
                read->only_if_empty[read->ncells] = c == 2 && roll(model, 2);
                read->cells[read->ncells++] = FIRST_CELL + roll(model, UNIVERSE);
            }
}

static void begin_read(struct model *model)
{
    unsigned r = roll(model, READERS);
    struct need need;

    roll_read(model, &model->readers[r].read);
    model->readers[r].at = model->ncommits;
    model->readers[r].era = model->era;
    ledger_need(model->ledger, &model->readers[r].read, &need);
    model->readers[r].need = need;
    if (model_pending(model, &model->readers[r].read, false, model->ncommits))
        assert_true(need.pending);
    else
        assert_false(need.pending);
    assert_true(need.lsn >= model->floor || !model->open);
    assert_true(need.lsn <= model->lsn);
    /* A source at need.lsn has every commit that matters. */
    for (unsigned c = 0; c < model->ncommits && !need.pending; c++) {
        bool touched[FOOTPRINT_CELLS] = {false};

        for (unsigned i = 0; i < model->readers[r].read.ncells; i++)
            touched[i] = has_cell(&model->commits[c], model->readers[r].read.cells[i]);
        if (model->lsns[c] > need.lsn && is_hit(&model->readers[r].read, touched))
            fail_msg("commit %u at %u is newer than need %u", c, model->lsns[c],
                     (unsigned)need.lsn);
    }
}

static void check_read(struct model *model)
{
    unsigned r = roll(model, READERS);
    bool row = roll(model, 2);
    const struct footprint_read *read = &model->readers[r].read;
    bool is_valid, changed;

    if (read->ncells == 0)
        return;
    is_valid = ledger_valid(model->ledger, read, model->readers[r].need.stamp, row);
    changed = model->readers[r].era != model->era ||
              model_pending(model, read, row, model->readers[r].at);
    if (changed)
        assert_false(is_valid);
    else if (!model->crowded)
        assert_true(is_valid); /* with room for all, it is not coarse either */
    model->valids += is_valid;
}

/* Begins a write, adds to it, commits it or takes it back. */
static void step_write(struct model *model)
{
    struct footprint_write *write = &model->running[roll(model, WRITERS)];
    unsigned act = roll(model, write->ncells ? 4 : 2);

    if (act < 2) {
        struct footprint_write added = {0};

        for (unsigned i = roll(model, 3); i < 3; i++) {
            uint64_t cell = roll_cell(model);

            if (has_cell(write, cell))
                continue;
            write->cells[write->ncells++] = cell;
            added.cells[added.ncells++] = cell;
        }
        ledger_begin(model->ledger, &added);
        return;
    }
    if (act == 2 && model->ncommits < COMMITS) {
        model->commits[model->ncommits] = *write;
        model->lsn += roll(model, 3);
        model->lsns[model->ncommits++] = model->lsn;
        ledger_commit(model->ledger, write, model->lsn);
    } else {
        ledger_abort(model->ledger, write);
    }
    write->ncells = 0;
}

static void step_open(struct model *model)
{
    if (roll(model, 2)) {
        ledger_shut(model->ledger);
        model->floor = model->lsn;
        model->open = false;
    }
    if (!model->open && roll(model, 3) == 0) {
        model->floor += roll(model, model->lsn - model->floor + 1);
        ledger_open(model->ledger, model->floor);
        model->open = true;
        model->era++;
    }
}

static void model_run(unsigned seed, size_t max_cells)
{
    struct model *model = calloc(1, sizeof(*model));

    model->ledger = ledger_new(max_cells);
    model->crowded = max_cells < UNIVERSE;
    model->seed = seed;
    model->lsn = model->floor = 1000;
    ledger_open(model->ledger, model->floor);
    model->open = true;
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned act = roll(model, 100);

        if (act < 40)
            check_read(model);
        else if (act < 65)
            begin_read(model);
        else if (act < 98 || seed % 2)
            step_write(model);
        else
            step_open(model);
    }
    assert_true(model->valids > 0);
    ledger_free(model->ledger);
    free(model);
}

static void model_test(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 12; seed++) {
        model_run(seed, 1000);
        model_run(seed, 5);
        model_run(seed, 1);
    }
}

/* One register a row under many threads: what was read after a need is never valid once a newer
 * value has been seen. */

enum { ROWS = 8, THREADS = 4, ROUNDS = 4000 };

struct shared {
    struct ledger *ledger;
    pthread_mutex_t row_locks[ROWS];
    uint64_t rows[ROWS];
};

static void *write_rows(void *with)
{
    struct shared *shared = with;

    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned row = i % ROWS;
        struct footprint_write write = WRITING(RELATION, (int)(FIRST_CELL + row));

        ledger_begin(shared->ledger, &write);
        pthread_mutex_lock(&shared->row_locks[row]);
        shared->rows[row]++;
        pthread_mutex_unlock(&shared->row_locks[row]);
        ledger_commit(shared->ledger, &write, i + 1);
    }
    return NULL;
}

static uint64_t read_row(struct shared *shared, unsigned row)
{
    uint64_t value;

    pthread_mutex_lock(&shared->row_locks[row]);
    value = shared->rows[row];
    pthread_mutex_unlock(&shared->row_locks[row]);
    return value;
}

static void *read_rows(void *with)
{
    struct shared *shared = with;
    uintptr_t wrong = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned row = i % ROWS;
        struct footprint_read read = READING((int)(FIRST_CELL + row));
        struct need need = need_of(shared->ledger, &read);
        uint64_t cached = read_row(shared, row), now = read_row(shared, row);

        wrong += cached < now && valid(shared->ledger, &read, &need);
    }
    return (void *)wrong;
}

static void threads_test(void **state)
{
    struct shared shared = {.ledger = opened(6, 0)};
    pthread_t writers[THREADS], readers[THREADS];

    (void)state;
    for (unsigned i = 0; i < ROWS; i++)
        pthread_mutex_init(&shared.row_locks[i], NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_create(&writers[i], NULL, write_rows, &shared);
        pthread_create(&readers[i], NULL, read_rows, &shared);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        void *wrong;

        pthread_join(writers[i], NULL);
        pthread_join(readers[i], &wrong);
        assert_null(wrong);
    }
    for (unsigned i = 0; i < ROWS; i++)
        assert_int_equal(shared.rows[i], THREADS * ROUNDS / ROWS);
    ledger_free(shared.ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_test),
        cmocka_unit_test(abort_test),
        cmocka_unit_test(nested_test),
        cmocka_unit_test(lsn_order_test),
        cmocka_unit_test(alternatives_test),
        cmocka_unit_test(occurrences_test),
        cmocka_unit_test(new_key_test),
        cmocka_unit_test(everything_test),
        cmocka_unit_test(reopen_test),
        cmocka_unit_test(reset_test),
        cmocka_unit_test(eviction_test),
        cmocka_unit_test(quiet_eviction_test),
        cmocka_unit_test(pending_eviction_test),
        cmocka_unit_test(model_test),
        cmocka_unit_test(threads_test),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
