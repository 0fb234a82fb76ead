/* Any text gives a shape whose facts are within bounds; what does not parse is unknown, and what is
 * unknown counts as a write. A text of the same fingerprint with other values has the same facts,
 * since the first text that is seen speaks for all of them. */
#include "base/buf.h"
#include "sql/finger.h"
#include "sql/lexer.h"
#include "sql/shape.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_ref(const struct shape *shape, const struct shape_ref *ref)
{
    require(ref->name && ref->statement < shape->nstatements);
    for (unsigned i = 0; i < ref->npins; i++) {
        require(ref->pins[i].column && ref->pins[i].nvalues > 0);
        for (unsigned k = 0; k < ref->pins[i].nvalues; k++)
            require(ref->pins[i].values[k] >= 0 && ref->pins[i].values[k] < VALUES_MAX &&
                    (unsigned)ref->pins[i].values[k] < shape->nvalues);
    }
    require(ref->positional || ref->width == ref->ncolumns);
    for (unsigned i = 0; i < ref->width * ref->nrows; i++)
        require(ref->given[i] >= GIVEN_NULL && ref->given[i] < VALUES_MAX);
    require(ref->use == REF_READ || shape->writes);
}

static void check_loose(const struct shape *shape, const struct shape_loose *loose)
{
    require(loose->from < loose->to && loose->to <= loose->nrefs && loose->pin.nvalues > 0);
    for (unsigned i = 0; i < loose->nrefs; i++)
        require(loose->refs[i] < shape->nrefs);
    for (unsigned i = 0; i < loose->pin.nvalues; i++)
        require(loose->pin.values[i] >= 0 && (unsigned)loose->pin.values[i] < shape->nvalues);
}

static void check(const struct shape *shape)
{
    require(shape->nstatements > 0 && shape->text);
    require(!shape->unknown || shape->writes);
    for (unsigned i = 0; i < shape->nstatements; i++)
        require(shape->statements[i] < STATEMENT_KIND_COUNT);
    for (unsigned i = 0; i < shape->nrefs; i++)
        check_ref(shape, &shape->refs[i]);
    for (unsigned i = 0; i < shape->nloose; i++)
        check_loose(shape, &shape->loose[i]);
}

static struct shape *shape_of(struct slice text, struct hash128 *hash)
{
    static struct values values; /* large */

    finger_text(text, hash, &values);
    return shape_new(text, *hash, &values);
}

/* One more value in each list too. */
static void with_others(struct buf *out, struct slice text, const char *literal)
{
    struct lexer lexer;
    struct token token;
    unsigned number = 0, in = 0; /* how many of the words of "in (" stand before the token */

    lexer_init(&lexer, text);
    for (lexer_next(&lexer, &token); token.kind != TOKEN_END && token.kind != TOKEN_BAD;
         lexer_next(&lexer, &token)) {
        if (token.kind != TOKEN_STRING || lexer.from == token.all.at ||
            (token.all.at[-1] | 0x20) != 'n')
            buf_put(out, " ", 1); /* but not between N and its string */
        number++;
        if (in == 2 && token.value)
            buf_printf(out, "77,");
        in = in == 1 && slice_is(token.all, "(") ? 2 : slice_is_nocase(token.all, "in");
        if (!token.value)
            buf_put_slice(out, token.all);
        else if (*literal)
            buf_printf(out, "%s", literal);
        else
            buf_printf(out, "$%u", number);
    }
}

static bool same_pins(const struct shape_ref *a, const struct shape_ref *b)
{
    if (a->npins != b->npins || a->use != b->use || a->nrows != b->nrows ||
        a->ncolumns != b->ncolumns || a->width != b->width || a->locked != b->locked ||
        strcmp(a->name, b->name) != 0)
        return false;
    for (unsigned i = 0; i < a->npins; i++) {
        if (a->pins[i].nvalues != b->pins[i].nvalues ||
            strcmp(a->pins[i].column, b->pins[i].column) != 0 ||
            memcmp(a->pins[i].values, b->pins[i].values, a->pins[i].nvalues * sizeof(int16_t)))
            return false;
    }
    return true;
}

static void compare(const struct shape *a, const struct shape *b)
{
    if (a->statements[0] == STATEMENT_UNPARSABLE || b->statements[0] == STATEMENT_UNPARSABLE)
        return;
    require(a->writes == b->writes && a->locks == b->locks && a->session == b->session &&
            a->unknown == b->unknown && a->plain == b->plain && a->nrefs == b->nrefs &&
            a->transaction == b->transaction && a->volatile_time == b->volatile_time &&
            a->asks_role == b->asks_role && a->nfunctions == b->nfunctions &&
            a->nstatements == b->nstatements && a->npaths == b->npaths &&
            a->ncolumns == b->ncolumns && a->star == b->star && a->aggregates == b->aggregates &&
            a->explains_write == b->explains_write && a->nequals == b->nequals &&
            a->nloose == b->nloose);
    for (unsigned i = 0; i < a->nrefs; i++)
        require(same_pins(&a->refs[i], &b->refs[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char *const literals[] = {"'off'", "7", ""};
    struct hash128 hash, other_hash;
    struct shape *first = shape_of(slice_of(bytes, len), &hash);

    check(first);
    for (unsigned i = 0; i < 3; i++) {
        struct buf other = {0};
        struct shape *second;

        with_others(&other, slice_of(bytes, len), literals[i]);
        second = shape_of(buf_slice(&other), &other_hash);
        check(second);
        if (hash.low == other_hash.low && hash.high == other_hash.high)
            compare(first, second);
        shape_free(second);
        buf_clear(&other);
    }
    shape_free(first);
    return 0;
}
