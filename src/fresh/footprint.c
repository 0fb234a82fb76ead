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
};

static bool is_in(const struct footprint_write *write, uint64_t cell)
{
    for (unsigned i = 0; i < write->ncells; i++)
        if (write->cells[i] == cell)
            return true;
    return false;
}

static void add(struct writer *writer, uint64_t cell)
{
    if (is_in(writer->write, cell))
        return;
    writer->write->cells[writer->write->ncells++] = cell;
    writer->added->cells[writer->added->ncells++] = cell;
}

static void add_everything(struct writer *writer)
{
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

/* The values one by one, or, where the union has too many, `rest` that stands for all of them. */
static void touch_values(struct writer *writer, const struct plan_ref *ref, unsigned index,
                         unsigned dimension, const struct pinned *pinned, bool given, uint64_t rest)
{
    unsigned at = 0;
    struct slice value;

    while (next_value(pinned, index, dimension, given, &at, &value)) {
        uint64_t cell = value_cell(ref, dimension, value);

        if (is_in(writer->write, cell))
            continue;
        if (writer->write->nvalues >= FOOTPRINT_VALUES) {
            touch(writer, rest);
            return;
        }
        writer->write->nvalues++;
        touch(writer, cell);
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

static void insert_dimension(struct writer *writer, const struct plan *plan, unsigned index,
                             unsigned dimension, const struct pinned *pinned)
{
    const struct plan_ref *ref = &plan->refs[index];
    enum cell_kind kind = is_key(ref, dimension) ? CELL_NEW : CELL_STAR;
    uint64_t rest = dimension_cell(ref, dimension, kind);

    if (is_known(pinned, index, dimension, true))
        touch_values(writer, ref, index, dimension, pinned, true, rest);
    else
        touch(writer, rest);
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

    if (!is_known(pinned, index, dimension, false) ||
        (given && !is_known(pinned, index, dimension, true)) || (column && column->generated)) {
        touch(writer, star);
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
        touch(writer, dimension_cell(ref, dimension, CELL_STAR));
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
    return (struct writer){write, added};
}

void footprint_write(const struct plan *plan, const struct pinned *pinned,
                     struct footprint_write *write, struct footprint_write *added)
{
    struct writer writer = start(write, added);

    if (plan->everything)
        add_everything(&writer);
    for (unsigned i = 0; i < plan->nrefs && !write->everything; i++) {
        const struct plan_ref *ref = &plan->refs[i];

        if (ref->ref->use == REF_READ || ref->stood_for)
            continue;
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
