/* The hash table, with hashes that are all different, all alike, and few. */
#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MEMBERS = 1000 };

struct member {
    int number;
    bool inside;
    struct map_link link;
};

static struct member *find(const struct map *map, uint64_t hash, int number)
{
    for (struct map_link *link = map_first(map, hash); link; link = map_next(link)) {
        struct member *member = MAP_OF(link, struct member, link);

        assert_int_equal(link->hash, hash);
        if (member->number == number)
            return member;
    }
    return NULL;
}

static void count_inside(struct map_link *link, void *with)
{
    assert_true(MAP_OF(link, struct member, link)->inside);
    ++*(size_t *)with;
}

static void play(uint64_t (*hash_of)(int number))
{
    static struct member members[MEMBERS];
    struct map map = {0};
    size_t inside = 0, counted = 0;

    for (int i = 0; i < MEMBERS; i++) {
        members[i] = (struct member){.number = i, .inside = true};
        map_add(&map, &members[i].link, hash_of(i));
    }
    for (int i = 0; i < MEMBERS; i += 3) {
        map_remove(&map, &members[i].link);
        members[i].inside = false;
    }
    for (int i = 0; i < MEMBERS; i++) {
        assert_ptr_equal(find(&map, hash_of(i), i), members[i].inside ? &members[i] : NULL);
        inside += members[i].inside;
    }
    assert_int_equal(map.count, inside);
    map_each(&map, count_inside, &counted);
    assert_int_equal(counted, inside);
    map_clear(&map);
    assert_null(map_first(&map, hash_of(1)));
}

static uint64_t apart(int number)
{
    return (uint64_t)number * 0x9e3779b97f4a7c15;
}

static uint64_t same(int number)
{
    (void)number;
    return 5;
}

/* Same slot in a small table, another hash. */
static uint64_t near(int number)
{
    return (uint64_t)(number % 10) << 40;
}

static void members_are_found(void **state)
{
    (void)state;
    play(apart);
    play(same);
    play(near);
}

static void an_empty_one_has_nothing(void **state)
{
    struct map map = {0};
    size_t counted = 0;

    (void)state;
    assert_null(map_first(&map, 0));
    map_each(&map, count_inside, &counted);
    assert_int_equal(counted, 0);
    map_clear(&map);
}

static void free_member(struct map_link *link, void *with)
{
    (void)with;
    free(MAP_OF(link, struct member, link));
}

static void a_walk_may_free_the_members(void **state)
{
    struct map map = {0};

    (void)state;
    for (int i = 0; i < 100; i++) {
        struct member *member = calloc(1, sizeof(*member));

        map_add(&map, &member->link, (uint64_t)i % 7);
    }
    map_each(&map, free_member, NULL);
    map_clear(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found),
        cmocka_unit_test(an_empty_one_has_nothing),
        cmocka_unit_test(a_walk_may_free_the_members),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
