/* Rings of members that carry their own link. */
#include "base/ring.h"

#include <stdint.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct member {
    int number;
    struct ring link;
};

static void assert_numbers(struct ring *ring, const char *expected)
{
    char seen[32] = "";

    RING_EACH(link, after, ring)
    snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%d",
             RING_OF(link, struct member, link)->number);
    assert_string_equal(seen, expected);
}

static void members_join_and_leave(void **state)
{
    struct member members[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    struct ring ring;

    (void)state;
    ring_init(&ring);
    assert_true(ring_empty(&ring));
    assert_null(ring_first(&ring));
    ring_append(&ring, &members[1].link);
    ring_append(&ring, &members[2].link);
    ring_prepend(&ring, &members[0].link);
    assert_numbers(&ring, "012");
    assert_ptr_equal(ring_first(&ring), &members[0].link);
    ring_leave(&members[1].link);
    assert_numbers(&ring, "02");
    ring_leave(&members[1].link);
    ring_append(&ring, &members[1].link);
    ring_append(&ring, &members[3].link);
    assert_numbers(&ring, "0213");
    assert_false(ring_empty(&ring));
}

static void a_walk_may_take_out_where_it_stands(void **state)
{
    struct member members[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    struct ring ring;

    (void)state;
    ring_init(&ring);
    for (int i = 0; i < 4; i++)
        ring_append(&ring, &members[i].link);
    RING_EACH(link, after, &ring)
    if (RING_OF(link, struct member, link)->number % 2)
        ring_leave(link);
    assert_numbers(&ring, "02");
    RING_EACH(link, after, &ring)
    ring_leave(link);
    assert_true(ring_empty(&ring));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_join_and_leave),
        cmocka_unit_test(a_walk_may_take_out_where_it_stands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
