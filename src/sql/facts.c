#include "sql/facts.h"

enum {
    MAX_REFS = 2000,
    MAX_PINS = 4000,
    MAX_LOOSE = 200,
    MAX_EQUALS = 200,
    MAX_COLUMNS = 1000,
    MAX_FUNCTIONS = 500,
    MAX_TYPES = 200,
    MAX_METRICS = 64,
    MAX_PATHS = 64,
    MAX_SETTINGS = 64
};

/* The members of a growing array. */
#define MEMBERS(buf, type) ((type *)(void *)buf_slice(buf).at)
#define COUNT(buf, type)   ((unsigned)(buf_len(buf) / sizeof(type)))

void facts_init(struct facts *facts, struct hash128 hash, unsigned nvalues)
{
    *facts = (struct facts){.shape = {.hash = hash, .nvalues = nvalues}};
}

static const char *keep(struct facts *facts, const char *text)
{
    return text && *text ? arena_text(&facts->arena, slice_text(text)) : NULL;
}

void facts_statement(struct facts *facts, enum statement_kind kind)
{
    uint8_t byte = (uint8_t)kind;

    buf_put(&facts->statements, &byte, 1);
}

int facts_ref(struct facts *facts, const char *schema, const char *name, enum ref_use use,
              unsigned statement)
{
    unsigned count = facts_ref_count(facts);
    struct shape_ref ref = {.use = use, .statement = statement};

    if (count == MAX_REFS) {
        facts->shape.unknown = facts->shape.writes = true;
        return -1;
    }
    ref.schema = keep(facts, schema);
    ref.name = arena_text(&facts->arena, slice_text(name));
    buf_put(&facts->refs, &ref, sizeof(ref));
    return (int)count;
}

unsigned facts_ref_count(const struct facts *facts)
{
    return COUNT(&facts->refs, struct shape_ref);
}

struct shape_ref *facts_ref_at(struct facts *facts, unsigned ref)
{
    return &MEMBERS(&facts->refs, struct shape_ref)[ref];
}

static struct shape_pin keep_pin(struct facts *facts, const struct shape_pin *pin)
{
    struct shape_pin kept = *pin;

    kept.column = arena_text(&facts->arena, slice_text(pin->column));
    kept.cast = keep(facts, pin->cast);
    kept.values = arena_copy(&facts->arena, pin->values, pin->nvalues, sizeof(*pin->values));
    return kept;
}

void facts_pin(struct facts *facts, unsigned ref, const struct shape_pin *pin)
{
    struct facts_pin added = {.ref = ref};

    if (COUNT(&facts->pins, struct facts_pin) == MAX_PINS)
        return;
    added.pin = keep_pin(facts, pin);
    buf_put(&facts->pins, &added, sizeof(added));
}

void facts_loose(struct facts *facts, const struct shape_loose *loose)
{
    struct shape_loose added = *loose;

    if (COUNT(&facts->loose, struct shape_loose) == MAX_LOOSE)
        return;
    added.pin = keep_pin(facts, &loose->pin);
    added.refs = arena_copy(&facts->arena, loose->refs, loose->nrefs, sizeof(*loose->refs));
    buf_put(&facts->loose, &added, sizeof(added));
}

void facts_equal(struct facts *facts, unsigned ref, const char *column, unsigned source,
                 const char *other)
{
    struct shape_equal equal = {.ref = ref, .source = source};

    if (COUNT(&facts->equals, struct shape_equal) == MAX_EQUALS)
        return;
    equal.column = arena_text(&facts->arena, slice_text(column));
    equal.other = arena_text(&facts->arena, slice_text(other));
    buf_put(&facts->equals, &equal, sizeof(equal));
}

void facts_use(struct facts *facts, int16_t value, const char *column, const char *cast)
{
    struct facts_use use = {.value = value};

    use.column = arena_text(&facts->arena, slice_text(column));
    use.cast = keep(facts, cast);
    buf_put(&facts->uses, &use, sizeof(use));
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* The one use of a value; NULL where it has none or several that differ. */
static const struct facts_use *use_of(const struct facts *facts, unsigned value)
{
    const struct facts_use *uses = MEMBERS(&facts->uses, struct facts_use);
    const struct facts_use *found = NULL;

    for (unsigned i = 0; i < COUNT(&facts->uses, struct facts_use); i++) {
        if (uses[i].value != (int)value)
            continue;
        if (found &&
            (!same_text(found->column, uses[i].column) || !same_text(found->cast, uses[i].cast)))
            return NULL;
        found = &uses[i];
    }
    return found;
}

/* Whether every occurrence of the parameter at `value` is compared alike. Those over VALUES_MAX
 * have no use and are not looked at: a text with so many pins nothing by a repeated parameter. */
static bool alike(const struct facts *facts, const struct values *values, unsigned value)
{
    const struct facts_use *first = use_of(facts, value);

    if (!first || values->count > VALUES_MAX)
        return false;
    for (unsigned i = 0; i < values_stored(values); i++) {
        const struct facts_use *use;

        if (values->at[i].kind != VALUE_PARAM || values->at[i].number != values->at[value].number)
            continue;
        use = i < values->count ? use_of(facts, i) : NULL;
        if (!use || !same_text(use->column, first->column) || !same_text(use->cast, first->cast))
            return false;
    }
    return true;
}

static bool doubtful(const struct shape_pin *pin, uint64_t values)
{
    for (unsigned i = 0; i < pin->nvalues; i++) {
        if (values >> pin->values[i] & 1)
            return true;
    }
    return false;
}

static void settle_loose(struct facts *facts, uint64_t repeated)
{
    struct shape_loose *loose = MEMBERS(&facts->loose, struct shape_loose);
    unsigned kept = 0, count = COUNT(&facts->loose, struct shape_loose);

    for (unsigned i = 0; i < count; i++) {
        if (!doubtful(&loose[i].pin, repeated))
            loose[kept++] = loose[i];
    }
    facts->loose.tail = facts->loose.head + kept * sizeof(*loose);
}

void facts_settle(struct facts *facts, uint64_t repeated, const struct values *values)
{
    struct facts_pin *pins = MEMBERS(&facts->pins, struct facts_pin);
    unsigned kept = 0, count = COUNT(&facts->pins, struct facts_pin);

    for (unsigned i = 0; i < VALUES_MAX; i++) {
        if (repeated >> i & 1 && alike(facts, values, i))
            repeated &= ~(UINT64_C(1) << i);
    }
    for (unsigned i = 0; i < count; i++) {
        if (!doubtful(&pins[i].pin, repeated))
            pins[kept++] = pins[i];
    }
    facts->pins.tail = facts->pins.head + kept * sizeof(*pins);
    settle_loose(facts, repeated);
}

/* True where `name` is there already or there is no more room for it. */
static bool has_name(const struct buf *names, const char *name)
{
    const char **at = MEMBERS(names, const char *);

    for (unsigned i = 0; i < COUNT(names, const char *); i++) {
        if (strcmp(at[i], name) == 0)
            return true;
    }
    return false;
}

static bool add_name(struct facts *facts, struct buf *names, const char *name, unsigned max)
{
    const char *kept;

    if (has_name(names, name))
        return true;
    if (COUNT(names, const char *) >= max)
        return false;
    kept = arena_text(&facts->arena, slice_text(name));
    buf_put(names, &kept, sizeof(kept));
    return true;
}

void facts_column(struct facts *facts, const char *name)
{
    if (!add_name(facts, &facts->columns, name, MAX_COLUMNS))
        facts->shape.star = facts->shape.unknown = true;
}

void facts_type(struct facts *facts, const char *name)
{
    if (!add_name(facts, &facts->types, name, MAX_TYPES))
        facts->shape.unknown = true;
}

void facts_metric(struct facts *facts, const char *text)
{
    add_name(facts, &facts->metrics, text, MAX_METRICS);
}

void facts_path(struct facts *facts, const char *column, const char *path)
{
    struct shape_path *paths = MEMBERS(&facts->paths, struct shape_path);
    struct shape_path added;
    unsigned count = COUNT(&facts->paths, struct shape_path);

    for (unsigned i = 0; i < count; i++) {
        if (strcmp(paths[i].column, column) == 0 && strcmp(paths[i].path, path) == 0)
            return;
    }
    if (count == MAX_PATHS)
        return;
    added.column = arena_text(&facts->arena, slice_text(column));
    added.path = arena_text(&facts->arena, slice_text(path));
    buf_put(&facts->paths, &added, sizeof(added));
}

void facts_function(struct facts *facts, const struct shape_function *function)
{
    struct shape_function *functions = MEMBERS(&facts->functions, struct shape_function);
    struct shape_function added = *function;
    const char *schema = function->schema && *function->schema ? function->schema : NULL;
    unsigned count = COUNT(&facts->functions, struct shape_function);

    for (unsigned i = 0; i < count; i++) {
        if (functions[i].nargs == function->nargs &&
            strcmp(functions[i].name, function->name) == 0 &&
            same_text(functions[i].schema, schema)) {
            functions[i].aggregate |= function->aggregate;
            return;
        }
    }
    if (count == MAX_FUNCTIONS) {
        facts->shape.unknown = true;
        return;
    }
    added.schema = keep(facts, schema);
    added.name = arena_text(&facts->arena, slice_text(function->name));
    buf_put(&facts->functions, &added, sizeof(added));
}

void facts_setting(struct facts *facts, const char *name, int value, bool local)
{
    struct shape_setting added = {keep(facts, name), (int16_t)value, local};

    if (COUNT(&facts->settings, struct shape_setting) == MAX_SETTINGS) {
        facts->shape.leaves |= LEAVES_SETTINGS | LEAVES_UNSEEN;
        return;
    }
    buf_put(&facts->settings, &added, sizeof(added));
}

/* The pins of one occurrence, in the order in which they were found. */
static void give_pins(struct facts *facts, unsigned index)
{
    const struct facts_pin *pins = MEMBERS(&facts->pins, struct facts_pin);
    unsigned count = COUNT(&facts->pins, struct facts_pin);
    struct shape_ref *ref = facts_ref_at(facts, index);
    struct shape_pin *own;
    unsigned n = 0;

    for (unsigned i = 0; i < count; i++)
        n += pins[i].ref == index;
    if (n == 0)
        return;
    own = arena_take(&facts->arena, n * sizeof(*own));
    ref->pins = own;
    for (unsigned i = 0; i < count; i++) {
        if (pins[i].ref == index)
            own[ref->npins++] = pins[i].pin;
    }
}

/* Moves an array into the arena; returns where it is and how many members it has. */
static const void *freeze(struct facts *facts, struct buf *buf, size_t size, unsigned *count)
{
    const void *at;

    *count = (unsigned)(buf_len(buf) / size);
    at = arena_copy(&facts->arena, buf_slice(buf).at, *count, size);
    buf_clear(buf);
    return at;
}

struct arena facts_freeze(struct facts *facts)
{
    struct shape *shape = &facts->shape;

    for (unsigned i = 0; i < facts_ref_count(facts); i++)
        give_pins(facts, i);
    shape->statements = freeze(facts, &facts->statements, sizeof(uint8_t), &shape->nstatements);
    shape->refs = freeze(facts, &facts->refs, sizeof(struct shape_ref), &shape->nrefs);
    shape->columns = freeze(facts, &facts->columns, sizeof(char *), &shape->ncolumns);
    shape->types = freeze(facts, &facts->types, sizeof(char *), &shape->ntypes);
    shape->metrics = freeze(facts, &facts->metrics, sizeof(char *), &shape->nmetrics);
    shape->paths = freeze(facts, &facts->paths, sizeof(struct shape_path), &shape->npaths);
    shape->functions =
        freeze(facts, &facts->functions, sizeof(struct shape_function), &shape->nfunctions);
    shape->loose = freeze(facts, &facts->loose, sizeof(struct shape_loose), &shape->nloose);
    shape->equals = freeze(facts, &facts->equals, sizeof(struct shape_equal), &shape->nequals);
    shape->settings =
        freeze(facts, &facts->settings, sizeof(struct shape_setting), &shape->nsettings);
    buf_clear(&facts->pins);
    buf_clear(&facts->uses);
    shape->bytes = facts->arena.bytes + sizeof(*shape);
    return facts->arena;
}
