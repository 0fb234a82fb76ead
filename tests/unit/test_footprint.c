/* Which writes change which reads: a table of pairs. A plan is written as its refs, one after the
 * other, separated by ';':
 *
 *     <relation> <use> [alone] [old] [dimension=value,value..].. [set dimension=value..]
 *
 * E has the dimensions id (a key) and user_id, U has id (a key), G has id (declared a key, but the
 * catalog knows of none) and code (generated), X is a table that no rule declares, V is not known
 * to the catalog. The value ? is one that is not known, 'default' one that the server makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "fresh/footprint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REFS = 24, DIMS = 4 };

static const struct relation evaluations = {
    .name = "business_evaluations",
    .dimensions = {"id", "user_id"},
    .unique = {true, false},
    .ndimensions = 2,
};
static const struct relation users = {
    .name = "users", .dimensions = {"id"}, .unique = {true}, .ndimensions = 1};

static const struct relation generated = {
    .name = "generated", .dimensions = {"id", "code"}, .unique = {true, false}, .ndimensions = 2};

static struct catalog *make_catalog(void)
{
    static const char *const rows[][7] = {
        {"r", "public", "business_evaluations", "1", "r", "p", ""},
        {"c", "1", "id", "int8", "ud", "1", NULL},
        {"c", "1", "user_id", "int8", "", "2", NULL},
        {"r", "public", "users", "2", "r", "p", ""},
        {"c", "2", "id", "int8", "ud", NULL, NULL},
        {"r", "public", "generated", "3", "r", "p", ""},
        {"c", "3", "id", "int8", "d", NULL, NULL},
        {"c", "3", "code", "int8", "g", NULL, NULL},
    };
    struct catalog *catalog = catalog_new();

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct slice fields[7];

        for (unsigned k = 0; k < 7; k++)
            fields[k] = rows[i][k] ? slice_text(rows[i][k]) : slice_of(NULL, 0);
        assert_true(catalog_add_row(catalog, fields, 7));
    }
    catalog_finish(catalog);
    return catalog;
}

/* A plan and all that hangs off it, built by hand. */
struct built {
    struct plan plan;
    struct plan_ref refs[REFS];
    struct shape_ref shape_refs[REFS];
    struct plan_dim dims[REFS][2][DIMS];
    struct pinned pinned;
    bool old; /* compiled when the catalog did not know of any key */
};

static void put_values(struct built *built, unsigned ref, unsigned dimension, bool given,
                       char *list)
{
    struct pinned *pinned = &built->pinned;
    uint8_t *bits = given ? pinned->given : pinned->pins;
    bool known = true;

    for (char *next, *text = strtok_r(list, ",", &next); text; text = strtok_r(NULL, ",", &next)) {
        unsigned from = 0, to, at = 0;
        int range = sscanf(text, "%u..%u", &from, &to);

        if (!strcmp(text, "?") || !strcmp(text, "default") || ref >= 16) {
            known = false;
            continue;
        }
        for (unsigned i = from; i <= (range == 2 ? to : from); i++) {
            if (pinned->count == PINNED_MAX) {
                known = false;
                break;
            }
            if (pinned->count > 0)
                at = pinned->values[pinned->count - 1].at + pinned->values[pinned->count - 1].len;
            pinned->values[pinned->count].ref = ref;
            pinned->values[pinned->count].dimension = dimension;
            pinned->values[pinned->count].given = given;
            pinned->values[pinned->count].at = at;
            pinned->values[pinned->count].len = sprintf(pinned->bytes + at, "%u", i);
            pinned->count++;
        }
    }
    if (known)
        bits[ref] |= 1U << dimension;
}

static void put_dim(struct built *built, unsigned ref, bool given, char *name, char *list)
{
    struct plan_ref *plan_ref = &built->refs[ref];
    unsigned *count = given ? &plan_ref->ngiven : &plan_ref->npins;
    struct plan_dim *dim = &built->dims[ref][given][(*count)++];
    const struct relation *relation = plan_ref->relation;

    while (strcmp(relation->dimensions[dim->dimension], name) != 0)
        dim->dimension++;
    dim->type = TYPE_INT8;
    dim->unique = relation->unique[dim->dimension] && relation != &generated && !built->old;
    put_values(built, ref, dim->dimension, given, list);
}

static void put_use(struct built *built, unsigned ref, const char *use)
{
    static const struct {
        const char *name;
        enum ref_use use;
    } uses[] = {{"read", REF_READ},     {"insert", REF_INSERT}, {"upsert", REF_INSERT},
                {"update", REF_UPDATE}, {"delete", REF_DELETE}, {"truncate", REF_TRUNCATE},
                {"copy", REF_COPY_FROM}};
    unsigned i = 0;

    while (strcmp(uses[i].name, use) != 0)
        i++;
    built->shape_refs[ref].use = uses[i].use;
    built->refs[ref].upsert = !strcmp(use, "upsert");
    built->plan.read = built->plan.read && uses[i].use == REF_READ;
}

static void put_relation(struct built *built, unsigned ref, const char *name)
{
    struct plan_ref *plan_ref = &built->refs[ref];

    plan_ref->ref = &built->shape_refs[ref];
    plan_ref->id = hash_slice(slice_text(name));
    plan_ref->certain = *name != 'V';
    plan_ref->relation = *name == 'E'   ? &evaluations
                         : *name == 'U' ? &users
                         : *name == 'G' ? &generated
                                        : NULL;
    built->shape_refs[ref].name = plan_ref->relation ? plan_ref->relation->name : name;
    plan_ref->pins = built->dims[ref][0];
    plan_ref->given = built->dims[ref][1];
}

static void put_ref(struct built *built, unsigned ref, char *text)
{
    char *next, *word = strtok_r(text, " ", &next);
    bool given;

    put_relation(built, ref, word);
    word = strtok_r(NULL, " ", &next);
    put_use(built, ref, word);
    given = built->shape_refs[ref].use == REF_INSERT;
    while ((word = strtok_r(NULL, " ", &next))) {
        char *value = strchr(word, '=');

        if (!strcmp(word, "alone")) {
            built->refs[ref].alone = true;
        } else if (!strcmp(word, "old")) {
            built->old = true;
        } else if (!strcmp(word, "set")) {
            given = true;
        } else {
            *value = '\0';
            put_dim(built, ref, given, word, value + 1);
        }
    }
}

static struct built *build(const char *text)
{
    struct built *built = calloc(1, sizeof(*built));
    char *copy = strdup(text), *next = copy, *part;

    built->plan.refs = built->refs;
    built->plan.read = true;
    if (!strcmp(text, "everything")) {
        built->plan.everything = true;
        built->plan.read = false;
    } else {
        while ((part = strsep(&next, ";")) && *part)
            put_ref(built, built->plan.nrefs++, part + strspn(part, " "));
    }
    free(copy);
    return built;
}

static bool touches(const struct footprint_write *write, uint64_t cell)
{
    for (unsigned i = 0; i < write->ncells; i++)
        if (write->cells[i] == cell)
            return true;
    return false;
}

/* What the ledger does, said plainly: is there an occurrence all of whose alternatives were
 * touched? */
static bool changes(const struct footprint_write *write, const struct footprint_read *read,
                    bool row)
{
    bool touched[256][256] = {{false}}, exists[256][256] = {{false}};

    for (unsigned i = 0; i < read->ncells; i++) {
        exists[read->occurrence[i]][read->alternative[i]] = true;
        if (touches(write, read->cells[i]) && !(row && read->only_if_empty[i]))
            touched[read->occurrence[i]][read->alternative[i]] = true;
    }
    for (unsigned o = 0; o < 256; o++) {
        bool any = false, all = true;

        for (unsigned a = 0; a < 256; a++) {
            any |= exists[o][a];
            all &= !exists[o][a] || touched[o][a];
        }
        if (any && all)
            return true;
    }
    return false;
}

enum expected { NEVER, EMPTY, ALWAYS }; /* changed: not at all, only an empty answer, any answer */

static const struct {
    const char *read, *write;
    enum expected expected;
} pairs[] = {
    /* one key */
    {"E read alone id=7", "E update id=7", ALWAYS},
    {"E read alone id=7", "E update id=8", NEVER},
    {"E read alone id=7", "E delete id=7", ALWAYS},
    {"E read alone id=7", "E delete id=7,8", ALWAYS},
    {"E read alone id=7", "E update user_id=43", ALWAYS},
    {"E read alone id=7", "E update", ALWAYS},
    {"E read alone id=7", "E update id=?", ALWAYS},
    {"E read alone id=7", "E truncate", ALWAYS},
    {"E read alone id=7", "E copy", ALWAYS},
    {"E read alone id=7", "U update id=7", NEVER},
    {"E read alone id=7", "X update", NEVER},
    {"E read alone id=7", "V update", ALWAYS},
    {"E read alone id=7", "everything", ALWAYS},
    /* a key moves: where it was and where it goes */
    {"E read alone id=7", "E update id=7 set id=9", ALWAYS},
    {"E read alone id=9", "E update id=7 set id=9", ALWAYS},
    {"E read alone id=8", "E update id=7 set id=9", NEVER},
    {"E read alone id=8", "E update id=7 set id=?", ALWAYS},
    {"E read alone id=8", "E update user_id=43 set id=9", ALWAYS},
    /* several dimensions: one that is untouched is enough */
    {"E read alone id=7 user_id=42", "E update user_id=43", NEVER},
    {"E read alone id=7 user_id=42", "E update user_id=42", ALWAYS},
    {"E read alone id=7 user_id=42", "E update id=8", NEVER},
    {"E read alone id=7 user_id=42", "E update id=7", ALWAYS},
    {"E read alone id=7 user_id=42", "E update id=7 user_id=43", NEVER},
    {"E read alone id=7 user_id=42", "E update user_id=43 set user_id=42", ALWAYS},
    {"E read alone id=7 user_id=42", "E update id=7 set user_id=42", ALWAYS},
    {"E read alone id=7 user_id=42", "E update user_id=43 set user_id=44", NEVER},
    {"E read alone id=7 user_id=42", "E update user_id=43 set user_id=?", ALWAYS},
    {"E read alone id=7 user_id=?", "E update user_id=43", ALWAYS},
    /* the other dimension */
    {"E read user_id=42", "E update user_id=42", ALWAYS},
    {"E read user_id=42", "E update user_id=43", NEVER},
    {"E read user_id=42", "E update id=7", ALWAYS},
    {"E read user_id=42", "E update id=7 user_id=43", NEVER},
    {"E read user_id=42", "E update user_id=43 set user_id=42", ALWAYS},
    {"E read user_id=42", "E delete user_id=43", NEVER},
    {"E read user_id=42", "E truncate", ALWAYS},
    /* inserts */
    {"E read alone id=7", "E insert id=7 user_id=42", ALWAYS},
    {"E read alone id=7", "E insert id=8 user_id=42", NEVER},
    {"E read alone id=7", "E insert id=default user_id=42", EMPTY},
    {"E read alone id=7", "E insert id=? user_id=42", EMPTY},
    {"E read alone id=7,8", "E insert id=default user_id=42", ALWAYS},
    {"E read id=7", "E insert id=default user_id=42", ALWAYS},
    {"E read alone id=7 user_id=42", "E insert id=default user_id=43", NEVER},
    {"E read alone id=7 user_id=42", "E insert id=default user_id=42", EMPTY},
    {"E read user_id=42", "E insert id=default user_id=42", ALWAYS},
    {"E read user_id=42", "E insert id=default user_id=43", NEVER},
    {"E read user_id=42", "E insert id=8", ALWAYS},
    {"E read user_id=42", "E insert id=8,9 user_id=41,default", ALWAYS},
    {"E read user_id=42", "E insert id=8 user_id=", ALWAYS}, /* INSERT .. SELECT */
    {"E read alone id=7", "E insert id=100..150 user_id=1..10", NEVER},
    {"E read alone id=7", "E insert id=100..300 user_id=1", EMPTY},
    {"E read user_id=42", "E insert id=100..300 user_id=1", ALWAYS},
    {"U read alone id=7", "E insert id=default user_id=42", NEVER},
    {"E read", "E insert id=default user_id=42", ALWAYS},
    {"E read alone id=7", "E insert user_id=42", EMPTY}, /* the catalog knows the key */
    {"U read alone id=7", "U insert", EMPTY},
    {"E read alone old id=7", "E insert user_id=42", ALWAYS},
    {"G read alone id=7", "G insert code=1", ALWAYS}, /* no key, whatever the rules say */
    {"G read alone id=7", "G insert id=default code=1", ALWAYS},
    {"G read code=6", "G update code=5", ALWAYS},
    {"G read code=6", "G delete code=5", NEVER},
    /* upserts: both halves; without the other half nothing is believed */
    {"E read alone id=7", "E upsert id=7 user_id=42; E update id=7", ALWAYS},
    {"E read alone id=8", "E upsert id=7 user_id=42; E update id=7", NEVER},
    {"E read alone id=8", "E upsert id=7 user_id=42; E update", ALWAYS},
    {"E read alone id=8", "E upsert id=7 user_id=42", ALWAYS},
    {"E read user_id=1", "E upsert id=7 user_id=42; E update id=7", ALWAYS},
    /* joins and whole relations */
    {"E read id=7; U read id=42", "U update id=42", ALWAYS},
    {"E read id=7; U read id=42", "E update id=7", ALWAYS},
    {"E read id=7; U read id=42", "U update id=41", NEVER},
    {"E read id=7; U read", "U update id=41", ALWAYS},
    {"E read id=7; E read user_id=42", "E update user_id=43", ALWAYS},
    {"E read", "E update id=7", ALWAYS},
    {"E read", "U update id=7", NEVER},
    {"X read", "X insert", ALWAYS},
    {"X read", "E insert id=8", NEVER},
    {"X read", "everything", ALWAYS},
    {"V read", "E update id=7", ALWAYS},
    {"V read", "X update", ALWAYS},
    {"E read alone id=7; V read", "U update id=1", ALWAYS},
    {"", "everything", ALWAYS},
    {"", "E update", NEVER},
    /* a batch: every statement counts */
    {"E read alone id=7", "U update id=1; E update id=7", ALWAYS},
    {"E read alone id=7", "U update id=1; V insert", ALWAYS},
    {"E read alone id=7", "E read id=7; U update id=1", NEVER},
    /* what is more than can be held is the whole */
    {"X read;X read;X read;X read;X read;X read;X read;X read;X read;X read;X read;X read;X read;"
     "X read;X read;X read;E read id=7",
     "E update id=8", ALWAYS},
    {"E read id=7",
     "X update;X update;X update;X update;X update;X update;X update;X update;X update;X update;"
     "X update;X update;X update;X update;X update;X update;E update id=8",
     ALWAYS},
    {"E read user_id=42", "E update id=100..150 user_id=100..120", ALWAYS},
    {"E read id=1..60 user_id=1..4", "E update id=90", NEVER},
    {"U read id=5; U read id=1..63", "U update id=70", NEVER},
    {"U read id=5; U read id=1..64", "U update id=70", ALWAYS},
};

static void show(struct built *built, const struct catalog *catalog)
{
    built->plan.catalog = catalog;
    for (unsigned i = 0; i < built->plan.nrefs; i++)
        if (built->refs[i].relation)
            built->refs[i].named = built->refs[i].table =
                catalog_relation(catalog, NULL, NULL, built->refs[i].relation->name);
}

static void pairs_test(void **state)
{
    struct catalog *catalog = make_catalog();
    unsigned wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        struct built *reader = build(pairs[i].read), *writer = build(pairs[i].write);
        struct footprint_read read;
        struct footprint_write write = {0}, added;
        enum expected found;

        show(reader, catalog);
        show(writer, catalog);
        footprint_read(&reader->plan, &reader->pinned, &read);
        footprint_write(&writer->plan, &writer->pinned, NULL, NULL, &write, &added);
        found = changes(&write, &read, true)    ? ALWAYS
                : changes(&write, &read, false) ? EMPTY
                                                : NEVER;
        if (found != pairs[i].expected) {
            print_error("%s <- %s: expected %d, found %d\n", pairs[i].read, pairs[i].write,
                        pairs[i].expected, found);
            wrong++;
        }
        assert_int_equal(added.ncells, write.ncells);
        free(reader);
        free(writer);
    }
    catalog_unref(catalog);
    assert_int_equal(wrong, 0);
}

static void write_text(const char *text, struct footprint_write *write,
                       struct footprint_write *added)
{
    struct built *built = build(text);

    footprint_write(&built->plan, &built->pinned, NULL, NULL, write, added);
    free(built);
}

static void read_text(const char *text, struct footprint_read *read)
{
    struct built *built = build(text);

    footprint_read(&built->plan, &built->pinned, read);
    free(built);
}

/* `added` holds a cell once in the life of a union, whatever is written how often. */
static void union_test(void **state)
{
    struct footprint_write write = {0}, added = {.ncells = 99, .everything = true};
    struct footprint_read seven;

    (void)state;
    read_text("E read alone id=7", &seven);
    write_text("E update id=7", &write, &added);
    assert_int_equal(added.ncells, 4); /* (database, any) (E, any) (E, id, 7) (E, user_id, *) */
    assert_false(added.everything);
    write_text("E update id=7", &write, &added);
    assert_int_equal(added.ncells, 0);
    assert_int_equal(write.ncells, 4);
    write_text("E update id=8", &write, &added);
    assert_int_equal(added.ncells, 1);
    write_text("U delete id=7", &write, &added);
    assert_int_equal(added.ncells, 2);
    footprint_everything(&write, &added);
    assert_int_equal(added.ncells, 1); /* (database, *); any was in it */
    assert_true(write.everything && added.everything);
    write_text("X update", &write, &added);
    assert_int_equal(added.ncells, 0);
    footprint_everything(&write, &added);
    assert_int_equal(added.ncells, 0);
    assert_true(changes(&write, &seven, true));
}

/* A transaction of very many statements: the 64th value is kept, the 65th is its whole dimension.
 */
static void many_values_test(void **state)
{
    struct footprint_write write = {0}, added;
    struct footprint_read far;
    char text[64];

    (void)state;
    read_text("U read alone id=9999", &far);
    for (unsigned i = 0; i < FOOTPRINT_VALUES; i++) {
        snprintf(text, sizeof(text), "U update id=%u", i);
        write_text(text, &write, &added);
        assert_false(changes(&write, &far, true));
    }
    write_text("U update id=3", &write, &added);
    assert_false(changes(&write, &far, true));
    write_text("U update id=64", &write, &added);
    assert_true(changes(&write, &far, true));
    assert_false(write.everything);
    assert_int_equal(write.nvalues, FOOTPRINT_VALUES);
}

/* Very many relations: the union runs full and is everything, and never writes past its end. */
static void full_test(void **state)
{
    struct footprint_write write = {0}, added;
    unsigned total = 0;

    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        struct built *built = build("X update");

        built->refs[0].id = i + 1000;
        footprint_write(&built->plan, &built->pinned, NULL, NULL, &write, &added);
        total += added.ncells;
        free(built);
    }
    assert_true(write.everything);
    assert_true(write.ncells <= FOOTPRINT_CELLS * 2);
    assert_int_equal(total, write.ncells);
    assert_true(touches(&write, CELL_ALL) && touches(&write, CELL_ANY));
}

/* More occurrences than have room: it depends on anything, which any write changes. */
static void wide_read_test(void **state)
{
    struct built *built = build("E read id=1..60; E read user_id=1; U read id=2");
    struct plan_ref refs[300];
    struct footprint_read read;
    struct footprint_write write = {0}, added;

    (void)state;
    for (unsigned i = 0; i < 300; i++)
        refs[i] = built->refs[i % 3];
    built->plan.refs = refs;
    for (unsigned count = 3; count <= 300; count += 99) {
        built->plan.nrefs = count;
        footprint_read(&built->plan, &built->pinned, &read);
        assert_true(read.ncells <= FOOTPRINT_CELLS);
        assert_int_equal(read.anything, count > 3);
    }
    write_text("U update id=1", &write, &added);
    assert_true(changes(&write, &read, true));
    free(built);
}

/* A plan that is no read, or that stands for unknown relations, is one of anything. */
static void anything_test(void **state)
{
    struct built *built = build("E read id=7");
    struct footprint_read read;

    (void)state;
    footprint_read(&built->plan, &built->pinned, &read);
    assert_false(read.anything);
    built->plan.anything = true;
    footprint_read(&built->plan, &built->pinned, &read);
    assert_true(read.anything);
    built->plan.anything = built->plan.read = false;
    footprint_read(&built->plan, &built->pinned, &read);
    assert_true(read.anything);
    free(built);
    read_text("V read", &read);
    assert_true(read.anything);
    read_text("E update id=7", &read);
    assert_true(read.anything);
    assert_int_equal(read.ncells, 2);
}

/* Two names of one value in two relations or dimensions are different cells, and so are the kinds.
 */
static void names_test(void **state)
{
    static const char *const texts[] = {"E read id=7", "E read user_id=7", "U read id=7", "E read",
                                        "U read",      "X read",           "E read id=8"};
    uint64_t seen[32];
    unsigned count = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct footprint_read read;

        read_text(texts[i], &read);
        seen[count++] = read.cells[1];
        assert_int_equal(read.cells[0], CELL_ALL);
    }
    for (unsigned i = 0; i < count; i++)
        for (unsigned k = 0; k < i; k++)
            assert_int_not_equal(seen[i], seen[k]);
}

/* Of a statement that returns rows: how many dimensions they may tell. */
static const struct {
    const char *write;
    enum statement_kind kind;
    unsigned tells;
} tellings[] = {
    {"E update id=7", STATEMENT_UPDATE, 1},
    {"E update", STATEMENT_UPDATE, 2},
    {"E update id=7 user_id=42", STATEMENT_UPDATE, 0},
    {"E delete user_id=42", STATEMENT_DELETE, 1},
    {"E insert user_id=42", STATEMENT_INSERT, 1},
    {"E insert id=? user_id=42", STATEMENT_INSERT, 1},
    {"E upsert user_id=42; E update id=?", STATEMENT_INSERT, 2},
    {"E update id=7", STATEMENT_SELECT, 0},         /* of a WITH: its rows are not all */
    {"E update id=7; E read", STATEMENT_UPDATE, 0}, /* rows may be those of the other one */
    {"E update id=7; U update id=1", STATEMENT_UPDATE, 0},
    {"E update id=7; V read", STATEMENT_UPDATE, 0},
    {"E update id=7; U read", STATEMENT_UPDATE, 1},
};

static void telling_test(void **state)
{
    struct catalog *catalog = make_catalog();
    unsigned wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(tellings) / sizeof(*tellings); i++) {
        struct built *built = build(tellings[i].write);
        uint8_t kind = (uint8_t)tellings[i].kind;
        struct shape shape = {.statements = &kind, .nstatements = 1, .returns = true};
        struct footprint_telling telling;

        show(built, catalog);
        built->plan.shape = &shape;
        footprint_telling(&built->plan, &built->pinned, &telling);
        if (telling.count != tellings[i].tells) {
            print_error("%s: %u instead of %u\n", tellings[i].write, telling.count,
                        tellings[i].tells);
            wrong++;
        }
        free(built);
    }
    catalog_unref(catalog);
    assert_int_equal(wrong, 0);
}

static unsigned spared(const struct footprint_write *write)
{
    unsigned count = 0;

    for (unsigned i = 0; i < write->ncells; i++)
        count += write->spared[i];
    return count;
}

/* What is not known is spared while nothing else needs it and all rows tell of it. */
static void told_test(void **state)
{
    struct catalog *catalog = make_catalog();
    struct built *built = build("E update id=7");
    uint8_t kind = STATEMENT_UPDATE;
    struct shape shape = {.statements = &kind, .nstatements = 1, .returns = true};
    struct footprint_telling telling;
    struct footprint_write write = {0}, added;

    (void)state;
    show(built, catalog);
    built->plan.shape = &shape;
    footprint_telling(&built->plan, &built->pinned, &telling);
    assert_int_equal(telling.count, 1);
    assert_int_equal(telling.table, 1);
    assert_int_equal(telling.dims[0].column, 2);
    footprint_write(&built->plan, &built->pinned, &telling, NULL, &write, &added);
    assert_int_equal(added.ncells, 4);
    assert_int_equal(spared(&write), 1);
    footprint_told(&telling, 0, SLICE("42"), &write, &added);
    assert_int_equal(added.ncells, 1);
    assert_int_equal(spared(&write), 1);
    footprint_told(&telling, 0, SLICE("42"), &write, &added);
    assert_int_equal(added.ncells, 0);
    /* Another statement that does not tell. */
    footprint_write(&built->plan, &built->pinned, NULL, NULL, &write, &added);
    assert_int_equal(added.ncells, 0);
    assert_int_equal(spared(&write), 0);
    /* .. makes it so for good. */
    footprint_write(&built->plan, &built->pinned, &telling, NULL, &write, &added);
    assert_int_equal(spared(&write), 0);

    memset(&write, 0, sizeof(write));
    footprint_write(&built->plan, &built->pinned, &telling, NULL, &write, &added);
    for (unsigned i = 0; i < FOOTPRINT_VALUES; i++) {
        char value[16];

        assert_int_equal(spared(&write), 1);
        snprintf(value, sizeof(value), "%u", i);
        footprint_told(&telling, 0, slice_text(value), &write, &added);
    }
    assert_int_equal(spared(&write), 0); /* too many */

    memset(&write, 0, sizeof(write));
    footprint_write(&built->plan, &built->pinned, &telling, NULL, &write, &added);
    footprint_untold(&telling, 0, &write);
    assert_int_equal(spared(&write), 0);
    free(built);
    catalog_unref(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_test),       cmocka_unit_test(union_test),
        cmocka_unit_test(many_values_test), cmocka_unit_test(full_test),
        cmocka_unit_test(wide_read_test),   cmocka_unit_test(anything_test),
        cmocka_unit_test(names_test),       cmocka_unit_test(telling_test),
        cmocka_unit_test(told_test),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
