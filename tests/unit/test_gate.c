/* Who goes and who waits, in which order, whatever becomes of those before. */
#include "guard/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { PASSES = 6 };

struct crowd {
    struct gates *gates;
    struct pass passes[PASSES];
    char order[PASSES + 1]; /* who was admitted after waiting */
};

static void admitted(struct pass *pass)
{
    struct crowd *crowd = pass->owner;

    crowd->order[strlen(crowd->order)] = (char)('a' + (pass - crowd->passes));
}

static enum gate_verdict enter(struct crowd *crowd, unsigned who, unsigned at, bool forced)
{
    crowd->passes[who] = (struct pass){.admitted = admitted, .owner = crowd};
    return gate_enter(crowd->gates, at, &crowd->passes[who], forced);
}

static void assert_figures(struct crowd *crowd, unsigned inside, unsigned waiting)
{
    unsigned in, out;

    gate_figures(crowd->gates, 1, &in, &out);
    assert_int_equal(in, inside);
    assert_int_equal(out, waiting);
}

static void begin(struct crowd *crowd)
{
    static const unsigned limits[] = {0, 2};

    *crowd = (struct crowd){.gates = gates_new(limits, 2)};
}

static void in_their_order(void **state)
{
    struct crowd crowd;

    (void)state;
    begin(&crowd);
    for (unsigned i = 0; i < PASSES; i++)
        assert_int_equal(enter(&crowd, i, 1, false), i < 2 ? GATE_OPEN : GATE_WAIT);
    assert_figures(&crowd, 2, 4);
    gate_leave(&crowd.passes[1]);
    gate_leave(&crowd.passes[3]); /* d gives up */
    gate_leave(&crowd.passes[0]);
    assert_string_equal(crowd.order, "ce");
    gate_leave(&crowd.passes[2]);
    assert_string_equal(crowd.order, "cef");
    gate_leave(&crowd.passes[4]);
    gate_leave(&crowd.passes[5]);
    gate_leave(&crowd.passes[5]); /* twice does no harm */
    assert_figures(&crowd, 0, 0);
    gates_free(crowd.gates);
}

static void without_limit(void **state)
{
    struct crowd crowd;

    (void)state;
    begin(&crowd);
    for (unsigned i = 0; i < PASSES; i++)
        assert_int_equal(enter(&crowd, i, i % 2 ? 0 : 7, false), GATE_OPEN);
    for (unsigned i = 0; i < PASSES; i++)
        gate_leave(&crowd.passes[i]);
    gates_free(crowd.gates);
}

/* Who must go counts all the same: nobody else does until there is room again. */
static void forced(void **state)
{
    struct crowd crowd;

    (void)state;
    begin(&crowd);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(enter(&crowd, i, 1, true), GATE_OPEN);
    assert_int_equal(enter(&crowd, 3, 1, false), GATE_WAIT);
    assert_figures(&crowd, 3, 1);
    gate_leave(&crowd.passes[0]);
    assert_string_equal(crowd.order, "");
    gate_leave(&crowd.passes[1]);
    assert_string_equal(crowd.order, "d");
    gate_leave(&crowd.passes[2]);
    gate_leave(&crowd.passes[3]);
    gates_free(crowd.gates);
}

/* New rules have new gates; who is at the old ones goes through them. */
static void outlived(void **state)
{
    struct crowd crowd;

    (void)state;
    begin(&crowd);
    for (unsigned i = 0; i < 3; i++)
        enter(&crowd, i, 1, false);
    gates_free(crowd.gates);
    gate_leave(&crowd.passes[0]);
    assert_string_equal(crowd.order, "c");
    gate_leave(&crowd.passes[1]);
    gate_leave(&crowd.passes[2]); /* the last one frees them: ASan looks */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_their_order),
        cmocka_unit_test(without_limit),
        cmocka_unit_test(forced),
        cmocka_unit_test(outlived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
