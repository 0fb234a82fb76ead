/* Footprints: cells named by hashes of relation, dimension and canonical value. What is not known
 * is widened: an unpinned dimension is all of its values, an uncertain relation is the database.
 * Never looks at a text or at a row. */
#include "fresh/footprint.h"

#include "base/hash.h"

enum cell_kind { CELL_VALUE = 3, CELL_STAR, CELL_NEW, CELL_RELATION };
enum { KNOWN_REFS = sizeof(((struct pinned *)NULL)->pins) };

static uint64_t relation_cell(const struct plan_ref *ref)
{
    return hash_join(ref->id, CELL_RELATION);
}

/* By the dimension's name, not its index, so that the order in a file plays no part. */
static uint64_t dimension_cell(const struct plan_ref *ref, unsigned dimension, enum cell_kind kind)
{
    const char *name = ref->relation->dimensions[dimension];

    return hash_join(hash_join(ref->id, hash_slice(slice_text(name))), kind);
}

static uint64_t value_cell(const struct plan_ref *ref, unsigned dimension, struct slice value)
{
    return hash_bytes_seed(value.at, value.len, dimension_cell(ref, dimension, CELL_VALUE));
}

/* One value of a dimension of a ref after the other: `*at` is where to look from. */
static bool next_value(const struct pinned *pinned, unsigned ref, unsigned dimension, bool given,
                       unsigned *at, struct slice *value)
{
    while (*at < pinned->count) {
        unsigned i = (*at)++;

        if (pinned->values[i].ref != ref || pinned->values[i].dimension != dimension ||
            pinned->values[i].given != given)
            continue;
        *value = slice_of(pinned->bytes + pinned->values[i].at, pinned->values[i].len);
        return true;
    }
    return false;
}

static unsigned count_values(const struct pinned *pinned, unsigned ref, unsigned dimension,
                             bool given)
{
    unsigned at = 0, count = 0;
    struct slice value;

    while (next_value(pinned, ref, dimension, given, &at, &value))
        count++;
    return count;
}

/* No values at all is no knowledge: an INSERT .. SELECT names a column and gives no value for it.
 */
static bool is_known(const struct pinned *pinned, unsigned ref, unsigned dimension, bool given)
{
    const uint8_t *known = given ? pinned->given : pinned->pins;

    return ref < KNOWN_REFS && (known[ref] >> dimension & 1) &&
           count_values(pinned, ref, dimension, given) > 0;
}

static const struct plan_dim *find_dim(const struct plan_dim *dims, unsigned count,
                                       unsigned dimension)
{
    for (unsigned i = 0; i < count; i++)
        if (dims[i].dimension == dimension)
            return &dims[i];
    return NULL;
}

/* Reads. */

struct reader {
    struct footprint_read *read;
    uint8_t occurrence, alternative;
};

static bool has_room(const struct reader *reader, unsigned cells)
{
    return reader->read->ncells + cells <= FOOTPRINT_CELLS;
}

static void look_at(struct reader *reader, uint64_t cell, bool only_if_empty)
{
    struct footprint_read *read = reader->read;

    read->cells[read->ncells] = cell;
    read->occurrence[read->ncells] = reader->occurrence;
    read->alternative[read->ncells] = reader->alternative;
    read->only_if_empty[read->ncells] = only_if_empty;
    read->ncells++;
}

/* The pinned dimension as one more alternative, left out where it does not fit. The cell of new
 * keys is looked at where the rules declare a key, whether or not the catalog agreed when this plan
 * was made: a write's plan may know a newer catalog. */
static bool look_at_pin(struct reader *reader, const struct plan_ref *ref, unsigned index,
                        const struct plan_dim *pin, const struct pinned *pinned)
{
    unsigned dimension = pin->dimension, at = 0;
    unsigned count = count_values(pinned, index, dimension, false);
    struct slice value;

    if (!is_known(pinned, index, dimension, false) || !has_room(reader, count + 2))
        return false;
    while (next_value(pinned, index, dimension, false, &at, &value))
        look_at(reader, value_cell(ref, dimension, value), false);
    look_at(reader, dimension_cell(ref, dimension, CELL_STAR), false);
    if (pin->unique || ref->relation->unique[dimension])
        look_at(reader, dimension_cell(ref, dimension, CELL_NEW),
                pin->unique && ref->alone && count == 1);
    reader->alternative++;
    return true;
}

static bool look_at_ref(struct reader *reader, const struct plan_ref *ref, unsigned index,
                        const struct pinned *pinned)
{
    bool pinned_any = false;
    unsigned seen = 0;

    reader->alternative = 0;
    for (unsigned i = 0; ref->relation && i < ref->npins; i++) {
        const struct plan_dim *pin = &ref->pins[i];

        if (seen >> pin->dimension & 1)
            continue; /* pinned twice: the values of both were taken together */
        seen |= 1U << pin->dimension;
        pinned_any |= look_at_pin(reader, ref, index, pin, pinned);
    }
    if (pinned_any)
        return true;
    if (!has_room(reader, 1))
        return false;
    look_at(reader, relation_cell(ref), false);
    return true;
}

static void look_at_anything(struct reader *reader)
{
    *reader = (struct reader){.read = reader->read};
    reader->read->ncells = 0;
    reader->read->anything = true;
    look_at(reader, CELL_ALL, false);
    reader->occurrence++;
    look_at(reader, CELL_ANY, false);
}

void footprint_read_anything(struct footprint_read *read)
{
    struct reader reader = {.read = read};

    look_at_anything(&reader);
}

void footprint_read_nothing(struct footprint_read *read)
{
    struct reader reader = {.read = read};

    read->ncells = 0;
    read->anything = false;
    look_at(&reader, CELL_ALL, false);
}

void footprint_read(const struct plan *plan, const struct pinned *pinned,
                    struct footprint_read *read)
{
    struct reader reader = {.read = read};

    read->ncells = 0;
    read->anything = false;
    look_at(&reader, CELL_ALL, false);
    for (unsigned i = 0; i < plan->nrefs; i++) {
        const struct plan_ref *ref = &plan->refs[i];

        if (ref->stood_for)
            continue;
        reader.occurrence++;
        if (ref->ref->use != REF_READ || !ref->certain || reader.occurrence == 0 ||
            !look_at_ref(&reader, ref, i, pinned)) {
            look_at_anything(&reader);
            return;
        }
    }
    if (plan->anything || !plan->read)
        look_at_anything(&reader);
}

/* Writes. */

struct writer {
    struct footprint_write *write, *added;
    const struct footprint_telling *telling;
    const struct footprint_fed *fed;
    bool sparing; /* what is touched now may be told otherwise */
    bool feeding; /* .. by a feed */
};

/* Where it is; -1: nowhere. */
static int find(const struct footprint_write *write, uint64_t cell)
{
    for (unsigned i = 0; i < write->ncells; i++)
        if (write->cells[i] == cell)
            return (int)i;
    return -1;
}

static void add(struct writer *writer, uint64_t cell)
{
    struct footprint_write *write = writer->write;
    int at = find(write, cell);

    if (at >= 0) {
        write->spared[at] &= writer->sparing;
        write->fed[at] &= writer->feeding;
        return;
    }
    write->spared[write->ncells] = writer->sparing;
    write->fed[write->ncells] = writer->feeding;
    write->cells[write->ncells++] = cell;
    writer->added->cells[writer->added->ncells++] = cell;
}

static void add_everything(struct writer *writer)
{
    writer->sparing = writer->feeding = false;
    add(writer, CELL_ALL);
    add(writer, CELL_ANY);
    writer->write->everything = writer->added->everything = true;
}

/* Two places are kept for what stands for everything. */
static void touch(struct writer *writer, uint64_t cell)
{
    if (writer->write->everything)
        return;
    if (writer->write->ncells + 2 < FOOTPRINT_CELLS * 2)
        add(writer, cell);
    else
        add_everything(writer);
}

static bool is_fed(const struct writer *writer, const struct plan_ref *ref)
{
    for (unsigned i = 0; writer->fed && ref->table && i < writer->fed->count; i++)
        if (writer->fed->oids[i] == ref->table->oid)
            return true;
    return false;
}

/* A cell that stands for values that are not known. */
static void touch_rest(struct writer *writer, const struct plan_ref *ref, uint64_t rest)
{
    writer->feeding = is_fed(writer, ref);
    touch(writer, rest);
    writer->feeding = false;
}

/* False where there are too many. */
static bool touch_value(struct writer *writer, uint64_t cell)
{
    if (find(writer->write, cell) >= 0)
        return true;
    if (writer->write->nvalues >= FOOTPRINT_VALUES)
        return false;
    writer->write->nvalues++;
    touch(writer, cell);
    return true;
}

/* The values one by one, or, where the union has too many, `rest` that stands for all of them. */
static void touch_values(struct writer *writer, const struct plan_ref *ref, unsigned index,
                         unsigned dimension, const struct pinned *pinned, bool given, uint64_t rest)
{
    unsigned at = 0;
    struct slice value;

    while (next_value(pinned, index, dimension, given, &at, &value)) {
        if (!touch_value(writer, value_cell(ref, dimension, value))) {
            touch_rest(writer, ref, rest);
            return;
        }
    }
}

static const struct catalog_column *column_of(const struct plan_ref *ref, unsigned dimension)
{
    return ref->table ? catalog_column(ref->table, ref->relation->dimensions[dimension]) : NULL;
}

/* A key whose values no two rows share: what an INSERT puts there was in no row before, whoever
 * made it up. */
static bool is_key(const struct plan_ref *ref, unsigned dimension)
{
    const struct plan_dim *given = find_dim(ref->given, ref->ngiven, dimension);
    const struct catalog_column *column;

    if (given)
        return given->unique;
    if (!ref->relation->unique[dimension])
        return false;
    column = column_of(ref, dimension);
    return column && column->unique;
}

/* .. and that may be told. */
static void touch_told(struct writer *writer, const struct plan_ref *ref, unsigned dimension,
                       uint64_t rest)
{
    for (unsigned i = 0; writer->telling && i < writer->telling->count; i++)
        writer->sparing |= writer->telling->dims[i].dimension == dimension;
    touch_rest(writer, ref, rest);
    writer->sparing = false;
}

static void insert_dimension(struct writer *writer, const struct plan *plan, unsigned index,
                             unsigned dimension, const struct pinned *pinned)
{
    const struct plan_ref *ref = &plan->refs[index];
    enum cell_kind kind = is_key(ref, dimension) ? CELL_NEW : CELL_STAR;
    uint64_t rest = dimension_cell(ref, dimension, kind);

    if (is_known(pinned, index, dimension, true))
        touch_values(writer, ref, index, dimension, pinned, true, rest);
    else
        touch_told(writer, ref, dimension, rest);
}

/* Of UPDATE and DELETE: the values before by what WHERE pins, those after by what SET gives. */
static void change_dimension(struct writer *writer, const struct plan *plan, unsigned index,
                             unsigned dimension, const struct pinned *pinned)
{
    const struct plan_ref *ref = &plan->refs[index];
    uint64_t star = dimension_cell(ref, dimension, CELL_STAR);
    bool given = find_dim(ref->given, ref->ngiven, dimension) != NULL;
    bool update = ref->ref->use == REF_UPDATE;
    const struct catalog_column *column = update ? column_of(ref, dimension) : NULL;

    /* A row that is returned shows what it is now: of what it was it tells where that stays. */
    if (!is_known(pinned, index, dimension, false) && !given && !(column && column->generated)) {
        touch_told(writer, ref, dimension, star);
        return;
    }
    if (!is_known(pinned, index, dimension, false) ||
        (given && !is_known(pinned, index, dimension, true)) || (column && column->generated)) {
        touch_rest(writer, ref, star);
        return;
    }
    touch_values(writer, ref, index, dimension, pinned, false, star);
    if (given)
        touch_values(writer, ref, index, dimension, pinned, true, star);
}

/* An upsert's own UPDATE is a ref beside it; a plan that has none is not trusted to be complete. */
static bool has_update(const struct plan *plan, const struct plan_ref *insert)
{
    for (unsigned i = 0; i < plan->nrefs; i++)
        if (plan->refs[i].ref->use == REF_UPDATE && plan->refs[i].id == insert->id &&
            plan->refs[i].ref->statement == insert->ref->statement)
            return true;
    return false;
}

static void touch_dimension(struct writer *writer, const struct plan *plan, unsigned index,
                            unsigned dimension, const struct pinned *pinned)
{
    const struct plan_ref *ref = &plan->refs[index];

    if (ref->ref->use == REF_INSERT && (!ref->upsert || has_update(plan, ref)))
        insert_dimension(writer, plan, index, dimension, pinned);
    else if (ref->ref->use == REF_UPDATE || ref->ref->use == REF_DELETE)
        change_dimension(writer, plan, index, dimension, pinned);
    else
        touch_rest(writer, ref, dimension_cell(ref, dimension, CELL_STAR));
}

static void touch_ref(struct writer *writer, const struct plan *plan, unsigned index,
                      const struct pinned *pinned)
{
    const struct plan_ref *ref = &plan->refs[index];
    unsigned ndimensions = ref->relation ? ref->relation->ndimensions : 0;

    touch(writer, CELL_ANY);
    touch(writer, relation_cell(ref));
    for (unsigned i = 0; i < ndimensions; i++)
        touch_dimension(writer, plan, index, i, pinned);
}

static struct writer start(struct footprint_write *write, struct footprint_write *added)
{
    added->ncells = added->nvalues = 0;
    added->everything = false;
    return (struct writer){.write = write, .added = added};
}

void footprint_write(const struct plan *plan, const struct pinned *pinned,
                     const struct footprint_telling *telling, const struct footprint_fed *fed,
                     struct footprint_write *write, struct footprint_write *added)
{
    struct writer writer = start(write, added);

    if (plan->everything)
        add_everything(&writer);
    for (unsigned i = 0; i < plan->nrefs && !write->everything; i++) {
        const struct plan_ref *ref = &plan->refs[i];

        if (ref->ref->use == REF_READ || ref->stood_for)
            continue;
        writer.telling = ref->added ? NULL : telling;
        writer.fed = fed;
        if (ref->certain)
            touch_ref(&writer, plan, i, pinned);
        else
            add_everything(&writer);
    }
}

void footprint_everything(struct footprint_write *write, struct footprint_write *added)
{
    struct writer writer = start(write, added);

    add_everything(&writer);
}

/* What returned rows tell. */

/* The one occurrence that the statement writes, or that of its INSERT where it has an UPDATE of its
 * own. NULL where its table is in the statement once more: what is returned may be of either. */
static const struct plan_ref *written(const struct plan *plan)
{
    const struct plan_ref *found = NULL;

    for (unsigned i = 0; i < plan->nrefs && !found; i++)
        if (plan->refs[i].ref->use != REF_READ && !plan->refs[i].added)
            found = &plan->refs[i];
    for (unsigned i = 0; found && i < plan->nrefs; i++) {
        const struct plan_ref *ref = &plan->refs[i];
        bool own = ref == found || (found->upsert && ref->ref->use == REF_UPDATE && !ref->added);

        if (!own &&
            (!ref->certain || ref->id == found->id || (ref->ref->use != REF_READ && !ref->added)))
            return NULL;
    }
    return found;
}

/* A row in front of the statement's own may be another one of the same table. */
static bool is_told(const struct plan *plan)
{
    const struct shape *shape = plan->shape;
    const uint8_t kind = shape->nstatements == 1 ? shape->statements[0] : STATEMENT_EMPTY;

    return shape->returns && !plan->everything &&
           (kind == STATEMENT_INSERT || kind == STATEMENT_UPDATE || kind == STATEMENT_DELETE);
}

/* The text gives its values, before and after. */
static bool is_given(const struct plan *plan, const struct plan_ref *written, unsigned dimension,
                     const struct pinned *pinned)
{
    for (unsigned i = 0; i < plan->nrefs; i++) {
        const struct plan_ref *ref = &plan->refs[i];

        if (ref->id == written->id && !ref->added && ref->ref->use != REF_READ &&
            !is_known(pinned, i, dimension, ref->ref->use == REF_INSERT))
            return false;
    }
    return true;
}

void footprint_telling(const struct plan *plan, const struct pinned *pinned,
                       struct footprint_telling *telling)
{
    const struct plan_ref *ref = is_told(plan) ? written(plan) : NULL;

    telling->count = 0;
    if (!ref || !ref->certain || !ref->relation || !ref->named || ref->named->triggers)
        return;
    telling->table = ref->named->oid;
    for (unsigned i = 0; i < ref->relation->ndimensions; i++) {
        const struct catalog_column *column =
            catalog_column(ref->named, ref->relation->dimensions[i]);

        if (!column || !column->number || column->type == TYPE_NONE ||
            is_given(plan, ref, i, pinned))
            continue;
        telling->dims[telling->count].column = column->number;
        telling->dims[telling->count].type = column->type;
        telling->dims[telling->count].value = dimension_cell(ref, i, CELL_VALUE);
        telling->dims[telling->count].rest[0] = dimension_cell(ref, i, CELL_STAR);
        telling->dims[telling->count].rest[1] = dimension_cell(ref, i, CELL_NEW);
        telling->dims[telling->count++].dimension = (uint8_t)i;
    }
}

void footprint_told(const struct footprint_telling *telling, unsigned dim, struct slice value,
                    struct footprint_write *write, struct footprint_write *added)
{
    struct writer writer = start(write, added);

    if (!write->everything &&
        !touch_value(&writer, hash_bytes_seed(value.at, value.len, telling->dims[dim].value)))
        footprint_untold(telling, dim, write);
}

void footprint_untold(const struct footprint_telling *telling, unsigned dim,
                      struct footprint_write *write)
{
    for (unsigned i = 0; i < 2; i++) {
        int at = find(write, telling->dims[dim].rest[i]);

        if (at >= 0)
            write->spared[at] = false;
    }
}

void footprint_unspare(struct footprint_write *write)
{
    memset(write->spared, 0, sizeof(write->spared));
}

bool footprint_is_fed(const struct footprint_write *write, bool yet)
{
    for (unsigned i = 0; i < write->ncells && !write->everything; i++)
        if (write->fed[i] && (yet || !write->spared[i]))
            return true;
    return false;
}

void footprint_spare_fed(struct footprint_write *write)
{
    for (unsigned i = 0; i < write->ncells; i++)
        write->spared[i] |= write->fed[i];
}
