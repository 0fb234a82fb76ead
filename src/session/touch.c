#include "session/touch.h"

#include "base/mem.h"

enum { CELLS_FULL = FOOTPRINT_CELLS };

static void forget(struct fleet_mark *mark)
{
    struct touch *touch = mark->owner;

    if (touch->ddl) {
        touch->database->generation++;
        database_ddl_ended(touch->database);
    }
    ring_leave(&touch->link);
    mem_free(touch);
}

struct touch *touch_new(struct database *database)
{
    struct touch *touch = mem_new(sizeof(*touch));

    touch->database = database;
    touch->mark.write = &touch->write;
    touch->mark.ended = forget;
    touch->mark.owner = touch;
    ring_init(&touch->link);
    return touch;
}

/* A fleet is told by whoever hears of it, so that it comes to each of its members more than once.
 */
static void begin(struct touch *touch, const struct footprint_write *added, bool ddl)
{
    struct database *database = touch->database;

    ledger_begin(database->ledger, added);
    if (database->fleet)
        fleet_begin(database->fleet, &touch->mark, added, ddl);
}

void touch_everything(struct touch *touch, bool alone)
{
    struct footprint_write added;

    footprint_everything(&touch->write, &added);
    if (alone)
        ledger_begin(touch->database->ledger, &added);
    else
        begin(touch, &added, false);
}

void touch_ddl(struct touch *touch)
{
    struct footprint_write added;

    if (!touch->ddl)
        database_ddl_begins(touch->database);
    touch->ddl = true;
    footprint_everything(&touch->write, &added);
    begin(touch, &added, true);
}

void touch_tell(struct touch *touch)
{
    if (touch->database->fleet)
        fleet_begin(touch->database->fleet, &touch->mark, &touch->write, false);
}

static bool is_told_so(const struct shape *shape)
{
    return shape->nstatements == 1 && !shape->unknown &&
           (shape->statements[0] == STATEMENT_UPDATE || shape->statements[0] == STATEMENT_TRUNCATE);
}

bool touch_statement(struct touch *touch, struct slice sql)
{
    struct database *database = touch->database;
    struct footprint_write added;
    struct values values;
    struct pinned pinned;
    struct known_shape *known = shapes_find(&database->shapes, sql, NULL, &values);
    bool understood = is_told_so(known->shape);

    if (understood) {
        const struct plan *plan = database_plan(database, known);

        plan_pinned(plan, &values, &pinned);
        footprint_write(plan, &pinned, NULL, NULL, &touch->write, &added);
    } else {
        footprint_everything(&touch->write, &added);
    }
    known_shape_unref(known);
    begin(touch, &added, false);
    return understood;
}

bool touch_is_full(const struct touch *touch)
{
    return touch->write.ncells >= CELLS_FULL;
}

void touch_end_at(struct touch *touch, uint64_t lsn)
{
    struct database *database = touch->database;

    if (database->fleet) {
        fleet_commit(database->fleet, &touch->mark, lsn);
        return;
    }
    ledger_commit(database->ledger, &touch->write, lsn);
    forget(&touch->mark);
}

static void have_lsn(struct lsn_wish *wish, uint64_t lsn)
{
    touch_end_at(wish->owner, lsn);
}

void touch_end(struct touch *touch, struct ring *ended)
{
    struct database *database = touch->database;

    touch->lsn.told = have_lsn;
    touch->lsn.owner = touch;
    ring_leave(&touch->link);
    ring_append(ended, &touch->link);
    if (database->has_replicas)
        topology_lsn(database->topology, &touch->lsn);
    else
        touch_end_at(touch, 0);
}

void touch_free(struct touch *touch)
{
    if (!touch)
        return;
    topology_lsn_leave(touch->database->topology, &touch->lsn);
    fleet_forget(&touch->mark);
    ring_leave(&touch->link);
    mem_free(touch);
}

void touch_free_all(struct ring *touches)
{
    struct ring *first;

    while ((first = ring_first(touches)))
        touch_free(RING_OF(first, struct touch, link));
}
