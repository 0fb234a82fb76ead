/* The second column of shapes.txt: what shape_new must find, in the compact text that describe()
 * writes. With -p it prints the table with what it finds. */
#include "sql/finger.h"
#include "sql/lexer.h"
#include "sql/shape.h"
#include "table.h"

static struct values values; /* of the text that is described */

static void put_given(struct buf *out, const struct shape_ref *ref, unsigned row, unsigned column)
{
    int16_t given = ref->given[row * ref->width + column];

    for (unsigned i = 0; i < ref->ncasts; i++) {
        if (ref->casts[i].row == row && ref->casts[i].column == column) {
            buf_printf(out, "($%d::%s)", ref->casts[i].value + 1, ref->casts[i].cast);
            return;
        }
    }
    if (given >= 0)
        buf_printf(out, "$%d", given + 1);
    else
        buf_printf(out, "%s",
                   given == GIVEN_DEFAULT ? "default"
                   : given == GIVEN_NULL  ? "null"
                                          : "?");
}

static void put_columns(struct buf *out, const struct shape_ref *ref)
{
    if (ref->positional)
        buf_printf(out, "(*%u)", ref->nrows);
    for (unsigned i = 0; i < ref->ncolumns; i++)
        buf_printf(out, "%s%s%s", i ? "," : "(", ref->columns[i], i + 1 < ref->ncolumns ? "" : ")");
    if (ref->width == 0)
        return;
    for (unsigned row = 0; row < ref->nrows; row++) {
        for (unsigned i = 0; i < ref->width; i++) {
            buf_printf(out, "%s", i ? "," : row ? "|" : "[");
            put_given(out, ref, row, i);
        }
    }
    if (ref->nrows)
        buf_printf(out, "]");
}

/* "$2", all of a list "$2..", or what is in the array "[$2]". */
static void put_pin(struct buf *out, const struct shape_pin *pin)
{
    for (unsigned k = 0; k < pin->nvalues; k++) {
        const struct value *value = values_get(&values, pin->values[k], 0);

        buf_printf(out, "%s%s$%d%s", k ? "," : "=", pin->array ? "[" : "", pin->values[k] + 1,
                   pin->array             ? "]"
                   : value && value->list ? ".."
                                          : "");
    }
}

static void put_ref(struct buf *out, const struct shape_ref *ref)
{
    buf_printf(out, " %c%s:", "riudtc"[ref->use], ref -> locked ? "!" : "");
    if (ref->schema)
        buf_printf(out, "%s.", ref->schema);
    buf_printf(out, "%s", ref->name);
    for (unsigned i = 0; i < ref->npins; i++) {
        const struct shape_pin *pin = &ref->pins[i];

        buf_printf(out, "%s%s", i ? ";" : "{", pin->column);
        put_pin(out, pin);
        if (pin->cast)
            buf_printf(out, "::%s", pin->cast);
    }
    if (ref->npins)
        buf_printf(out, "}");
    put_columns(out, ref);
}

static void put_names(struct buf *out, const char *label, const char *const *names, unsigned count)
{
    buf_printf(out, " %s:", label);
    for (unsigned i = 0; i < count; i++) {
        buf_printf(out, "%s", i ? "," : "");
        for (const char *at = names[i]; *at; at++)
            buf_put(out, *at == ' ' ? "_" : at, 1);
    }
}

static void put_flags(struct buf *out, const struct shape *shape)
{
    const struct {
        bool set;
        const char *name;
    } flags[] = {
        {shape->star, "star"},
        {shape->aggregates, "aggregates"},
        {shape->writes, "writes"},
        {shape->locks, "locks"},
        {shape->session, "session"},
        {shape->transaction, "transaction"},
        {shape->volatile_time, "time"},
        {shape->asks_role, "role"},
        {shape->unknown, "unknown"},
        {shape->explains_write, "explains_write"},
        {shape->plain, "plain"},
        {shape->read_only, "read_only"},
        {shape->chain, "chain"},
        {shape->set_default, "to_default"},
        {shape->asks_sequences, "asks_sequences"},
        {shape->notifies, "notifies"},
        {shape->asks_channels, "asks_channels"},
    };

    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
        if (flags[i].set)
            buf_printf(out, " %s", flags[i].name);
    }
    if (shape->isolation)
        put_names(out, "isolation", &shape->isolation, 1);
    if (shape->set_name)
        put_names(out, "set", &shape->set_name, 1);
}

/* What every line of the table says. */
static void describe(struct buf *out, const struct shape *shape)
{
    for (unsigned i = 0; i < shape->nstatements; i++) {
        const char *text = statement_kind_text(shape->statements[i]);

        put_names(out, "", &text, 1);
        out->tail -= strlen(text) + 2; /* the blank and the colon of the label */
        if (i)
            buf_printf(out, ";");
        for (; *text; text++)
            buf_put(out, *text == ' ' ? "_" : text, 1);
    }
    for (unsigned i = 0; i < shape->nrefs; i++)
        put_ref(out, &shape->refs[i]);
    put_flags(out, shape);
}

static bool is_repeated(const struct shape *shape, unsigned at)
{
    const struct shape_function *function = &shape->functions[at], *before;

    for (unsigned i = 0; i < at; i++) {
        before = &shape->functions[i];
        if (strcmp(before->name, function->name) == 0 && !before->schema == !function->schema &&
            before->attribute == function->attribute && before->row == function->row)
            return true;
    }
    return false;
}

/* Calls, each with its number of arguments. */
static void put_calls(struct buf *out, const struct shape *shape)
{
    buf_printf(out, " calls:");
    for (unsigned i = 0; i < shape->nfunctions; i++)
        buf_printf(out, "%s%s/%d", i ? "," : "", shape->functions[i].name,
                   shape->functions[i].nargs);
}

/* What is called, an aggregate with a star; or attributes, with the occurrence whose row they are
 * of. */
static void put_functions(struct buf *out, const struct shape *shape, bool attributes)
{
    const char *comma = "";

    buf_printf(out, attributes ? " attributes:" : " functions:");
    for (unsigned i = 0; i < shape->nfunctions; i++) {
        const struct shape_function *function = &shape->functions[i];

        if (function->attribute != attributes || is_repeated(shape, i))
            continue;
        buf_printf(out, "%s%s%s%s%s", comma, function->schema ? function->schema : "",
                   function->schema ? "." : "", function->name, function->aggregate ? "*" : "");
        if (attributes && function->row >= 0)
            buf_printf(out, "@%d", function->row);
        comma = ",";
    }
}

static void put_leaves(struct buf *out, const char *label, unsigned leaves)
{
    static const char *const names[] = {"settings", "temporary", "locks",   "cursors",
                                        "prepared", "channels",  "library", "seed",
                                        "other",    "sequences", "unseen"};
    const char *comma = "";

    buf_printf(out, " %s:", label);
    if ((leaves & LEAVES_TOLD) == LEAVES_TOLD) {
        buf_printf(out, "told");
        leaves &= ~(unsigned)LEAVES_TOLD;
        comma = ",";
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (!(leaves & 1u << i))
            continue;
        buf_printf(out, "%s%s", comma, names[i]);
        comma = ",";
    }
}

/* Names, or values that are names; in parentheses those that end with the transaction. */
static void put_settings(struct buf *out, const struct shape *shape)
{
    buf_printf(out, " settings:");
    for (unsigned i = 0; i < shape->nsettings; i++) {
        const struct shape_setting *setting = &shape->settings[i];

        buf_printf(out, "%s%s", i ? "," : "", setting->local ? "(" : "");
        if (setting->name)
            buf_printf(out, "%s", setting->name);
        else
            buf_printf(out, "$%d", setting->value + 1);
        buf_printf(out, "%s", setting->local ? ")" : "");
    }
}

/* Each "what is pinned=by what", columns with the number of their occurrence. */
static void put_equals(struct buf *out, const struct shape *shape)
{
    buf_printf(out, " equals:");
    for (unsigned i = 0; i < shape->nequals; i++)
        buf_printf(out, "%s%u.%s=%u.%s", i ? "," : "", shape->equals[i].ref,
                   shape->equals[i].column, shape->equals[i].source, shape->equals[i].other);
}

/* Each "column=values@occurrences", those of which it holds in brackets. */
static void put_loose(struct buf *out, const struct shape *shape)
{
    buf_printf(out, " loose:");
    for (unsigned i = 0; i < shape->nloose; i++) {
        const struct shape_loose *loose = &shape->loose[i];

        buf_printf(out, "%s%s", i ? ";" : "", loose->pin.column);
        put_pin(out, &loose->pin);
        if (loose->pin.cast)
            buf_printf(out, "::%s", loose->pin.cast);
        for (unsigned k = 0; k < loose->nrefs; k++)
            buf_printf(out, "%s%s%u%s", k ? "," : "@", k == loose->from ? "[" : "", loose->refs[k],
                       k + 1 == loose->to ? "]" : "");
    }
}

/* What a line says only where it has the label. */
static void describe_more(struct buf *out, const struct shape *shape, const char *expected)
{
    if (strstr(expected, "columns:"))
        put_names(out, "columns", shape->columns, shape->ncolumns);
    if (strstr(expected, "types:"))
        put_names(out, "types", shape->types, shape->ntypes);
    if (strstr(expected, "metrics:"))
        put_names(out, "metrics", shape->metrics, shape->nmetrics);
    if (strstr(expected, "functions:"))
        put_functions(out, shape, false);
    if (strstr(expected, "calls:"))
        put_calls(out, shape);
    if (strstr(expected, "attributes:"))
        put_functions(out, shape, true);
    if (strstr(expected, "loose:"))
        put_loose(out, shape);
    if (strstr(expected, "equals:"))
        put_equals(out, shape);
    if (strstr(expected, "leaves:"))
        put_leaves(out, "leaves", shape->leaves);
    if (strstr(expected, "ends:"))
        put_leaves(out, "ends", shape->ends);
    if (strstr(expected, "settings:"))
        put_settings(out, shape);
    if (strstr(expected, "paths:")) {
        buf_printf(out, " paths:");
        for (unsigned i = 0; i < shape->npaths; i++)
            buf_printf(out, "%s%s/%s", i ? "," : "", shape->paths[i].column, shape->paths[i].path);
    }
}

static void facts_of(struct buf *out, const char *text, const char *expected)
{
    struct hash128 hash;
    struct shape *shape;

    finger_text(slice_text(text), &hash, &values);
    shape = shape_new(slice_text(text), hash, &values);
    describe(out, shape);
    describe_more(out, shape, expected);
    shape_free(shape);
}

static void test_table(void **state)
{
    (void)state;
    table_check("shapes.txt", 1, facts_of);
}

enum { WAY_PARAMS = 4, WAY_LONGER, WAYS };

static void put_other(struct buf *out, unsigned number, unsigned way)
{
    static const char *const literals[] = {"'off'", "1", "B'0'", "2.5"};

    if (way < WAY_PARAMS)
        buf_printf(out, " %s", literals[way]);
    else
        buf_printf(out, " $%u", number);
}

/* The text with all of its values replaced by others, or with one more in each list. */
static void with_others(struct buf *out, const char *text, unsigned way)
{
    struct lexer lexer;
    struct token token;
    unsigned number = 0, in = 0; /* how many of the words of "in (" stand before the token */

    lexer_init(&lexer, slice_text(text));
    for (lexer_next(&lexer, &token); token.kind != TOKEN_END && token.kind != TOKEN_BAD;
         lexer_next(&lexer, &token)) {
        if (way == WAY_LONGER && in == 2 && token.value)
            buf_printf(out, " 77,");
        in = in == 1 && slice_is(token.all, "(") ? 2 : slice_is_nocase(token.all, "in");
        if (token.value && way != WAY_LONGER)
            put_other(out, ++number, way);
        else
            buf_printf(out, "%s%.*s", token.kind == TOKEN_STRING ? "" : " ", (int)token.all.len,
                       (const char *)token.all.at);
    }
    buf_put(out, "", 1);
}

static bool same_facts(const char *text, const char *other)
{
    static const char every_label[] = "columns: types: metrics: functions: calls: attributes: "
                                      "loose: equals: leaves: ends: settings: paths:";
    struct hash128 hash, other_hash;
    struct buf left = {0}, right = {0};
    bool same = true;

    finger_text(slice_text(text), &hash, &values);
    finger_text(slice_text(other), &other_hash, &values);
    if (hash.low == other_hash.low && hash.high == other_hash.high) {
        facts_of(&left, text, every_label);
        facts_of(&right, other, every_label);
        buf_put(&left, "", 1);
        buf_put(&right, "", 1);
        same = strcmp((const char *)buf_slice(&left).at, (const char *)buf_slice(&right).at) == 0 ||
               strstr((const char *)buf_slice(&left).at, "unparsable") ||
               strstr((const char *)buf_slice(&right).at, "unparsable");
    }
    if (!same)
        print_error("%s\n  %s\n%s\n  %s\n", text, (const char *)buf_slice(&left).at, other,
                    (const char *)buf_slice(&right).at);
    buf_clear(&left);
    buf_clear(&right);
    return same;
}

static unsigned told_apart;

/* What is found in one text must hold for every text of its fingerprint. */
static void check_values(char *columns[TABLE_COLUMNS], unsigned number)
{
    (void)number;
    table_unescape(columns[0]);
    for (unsigned way = 0; way < WAYS; way++) {
        struct buf other = {0};

        with_others(&other, columns[0], way);
        told_apart += !same_facts(columns[0], (const char *)buf_slice(&other).at);
        buf_clear(&other);
    }
}

static void test_values_change_nothing(void **state)
{
    (void)state;
    if (table_print)
        return;
    assert_true(table_each("shapes.txt", check_values) > TABLE_LEAST);
    assert_int_equal(told_apart, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table),
                                       cmocka_unit_test(test_values_change_nothing)};

    table_print = argc > 1 && strcmp(argv[1], "-p") == 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
