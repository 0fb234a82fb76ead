/* Conversations from owed.talk, and random ones against a server that plays by the rules. */
#include "wire/owed.h"

#include "owed_model.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char *const kinds[] = {"P", "B", "C", "Ds", "Dp", "E", "S", "Q", "F", "c"};
static const char *const verdicts[] = {"pass", "drop", "ready", "ready-ours", "broken"};
static const char fates[] = {' ', '!', '?'};

static void write_entry(struct buf *out, const struct owed_entry *entry)
{
    buf_printf(out, " %s", kinds[entry->kind]);
    if (entry->fate != OWED_FORWARD)
        buf_printf(out, "%c", fates[entry->fate]);
    buf_printf(out, "%d", (int)(intptr_t)entry->about);
}

static void add(struct owed *owed, const char *text)
{
    size_t len = strcspn(text, "!?0123456789");
    enum owed_fate fate = OWED_FORWARD;

    for (unsigned kind = 0; kind < sizeof(kinds) / sizeof(*kinds); kind++) {
        if (strlen(kinds[kind]) != len || strncmp(kinds[kind], text, len) != 0)
            continue;
        if (text[len] == '!' || text[len] == '?')
            fate = text[len++] == '!' ? OWED_SWALLOW : OWED_FAKE;
        owed_add(owed, kind, fate, (void *)(intptr_t)atoi(text + len));
        return;
    }
    fail_msg("no kind: %s", text);
}

static void drain(struct owed *owed, struct buf *out)
{
    struct owed_entry entry;

    for (bool first = true; owed_skipped(owed, &entry); first = false) {
        buf_printf(out, "%s", first ? " skipped" : "");
        write_entry(out, &entry);
    }
    for (bool first = true; owed_fake(owed, &entry); first = false) {
        buf_printf(out, "%s", first ? " fake" : "");
        write_entry(out, &entry);
    }
}

/* Plays what is before the colon and writes the whole line as it should be. */
static void play(struct owed *owed, const char *line, struct buf *out)
{
    char said[256], *save, *word;
    struct owed_entry completed;
    size_t begin;

    snprintf(said, sizeof(said), "%.*s", (int)strcspn(line, ":"), line);
    if (said[0] == '=') {
        if (owed->count)
            buf_printf(out, "= %u", owed->count);
        else
            buf_printf(out, "= %s", owed_none(owed) ? "nothing" : "skipping");
        buf_printf(out, "%s", owed->doubtful ? " doubtful" : "");
        return;
    }
    buf_printf(out, "%s", said);
    begin = out->tail;
    if (said[0] == '<') {
        buf_printf(out, " %s", verdicts[owed_reply(owed, (uint8_t)said[2], &completed)]);
        if (completed.kind != OWED_NO_KIND)
            write_entry(out, &completed);
    } else {
        for (word = strtok_r(said + 1, " ", &save); word; word = strtok_r(NULL, " ", &save))
            add(owed, word);
    }
    drain(owed, out);
    if (out->tail > begin) {
        buf_room(out, 1);
        memmove(out->at + begin + 1, out->at + begin, out->tail - begin);
        out->at[begin] = ':';
        buf_added(out, 1);
    }
}

static void conversations_go_as_written(void **state)
{
    FILE *file = fopen("owed.talk", "r");
    struct owed owed = {0};
    char line[512], title[512] = "";
    int number = 0, wrong = 0;

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        struct buf out = {0};

        number++;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#') {
            snprintf(title, sizeof(title), "%s", line);
            owed_clear(&owed);
        } else if (line[0]) {
            play(&owed, line, &out);
            buf_put(&out, "", 1);
            if (strcmp((char *)out.at, line) != 0) {
                print_error("owed.talk:%d (%s)\n    wants  %s\n    got    %s\n", number, title,
                            line, (char *)out.at);
                wrong++;
            }
        }
        buf_clear(&out);
    }
    owed_clear(&owed);
    fclose(file);
    assert_true(number > 100);
    assert_int_equal(wrong, 0);
}

static void random_conversations_follow_the_rules(void **state)
{
    uint64_t random = 0x9e3779b97f4a7c15;
    uint8_t bytes[400];

    (void)state;
    for (int round = 0; round < 20000; round++) {
        for (size_t i = 0; i < sizeof(bytes); i++) {
            random = random * 6364136223846793005 + 1442695040888963407;
            bytes[i] = (uint8_t)(random >> 56);
        }
        model_run(bytes, sizeof(bytes));
    }
}

static void next_fate_is_of_the_one_in_turn(void **state)
{
    struct owed owed = {0};
    struct owed_entry entry;

    (void)state;
    assert_int_equal(owed_next_fate(&owed), OWED_FORWARD);
    owed_add(&owed, OWED_QUERY, OWED_SWALLOW, NULL);
    owed_add(&owed, OWED_BIND, OWED_FORWARD, NULL);
    assert_int_equal(owed_next_fate(&owed), OWED_SWALLOW);
    owed_reply(&owed, 'C', &entry);
    owed_reply(&owed, 'Z', &entry);
    assert_int_equal(owed_next_fate(&owed), OWED_FORWARD);
    owed_clear(&owed);
}

static void next_about_is_of_the_one_in_turn(void **state)
{
    struct owed owed = {0};
    struct owed_entry entry;
    int one, two;

    (void)state;
    assert_null(owed_next_about(&owed));
    assert_int_equal(owed_next_kind(&owed), OWED_NO_KIND);
    owed_add(&owed, OWED_PARSE, OWED_SWALLOW, &one);
    owed_add(&owed, OWED_BIND, OWED_FORWARD, NULL);
    owed_add(&owed, OWED_SYNC, OWED_FORWARD, &two);
    assert_ptr_equal(owed_next_about(&owed), &one);
    owed_reply(&owed, '1', &entry);
    assert_null(owed_next_about(&owed));
    /* What an error skips is passed over. */
    owed_reply(&owed, 'E', &entry);
    assert_ptr_equal(owed_next_about(&owed), &two);
    assert_int_equal(owed_next_kind(&owed), OWED_SYNC);
    owed_reply(&owed, 'Z', &entry);
    assert_ptr_equal(entry.about, &two);
    assert_null(owed_next_about(&owed));
    owed_clear(&owed);
}

static void ours_is_what_no_client_waits_for(void **state)
{
    struct owed owed = {0};
    struct owed_entry entry;

    (void)state;
    assert_true(owed_ours(&owed));
    owed_add(&owed, OWED_QUERY, OWED_SWALLOW, NULL);
    owed_add(&owed, OWED_PARSE, OWED_SWALLOW, NULL);
    owed_add(&owed, OWED_SYNC, OWED_SWALLOW, NULL);
    assert_true(owed_ours(&owed));
    owed_add(&owed, OWED_CLOSE, OWED_FAKE, NULL);
    assert_false(owed_ours(&owed));
    owed_reply(&owed, 'C', &entry);
    owed_reply(&owed, 'Z', &entry);
    owed_reply(&owed, '1', &entry);
    owed_reply(&owed, 'Z', &entry);
    assert_true(owed_fake(&owed, &entry));
    assert_true(owed_ours(&owed) && owed_none(&owed));
    owed_add(&owed, OWED_SYNC, OWED_SWALLOW, NULL);
    owed_add(&owed, OWED_QUERY, OWED_FORWARD, NULL);
    assert_false(owed_ours(&owed));
    owed_reply(&owed, 'Z', &entry);
    owed_reply(&owed, 'E', &entry);
    assert_false(owed_ours(&owed)); /* its Z is still to come */
    owed_reply(&owed, 'Z', &entry);
    assert_true(owed_ours(&owed));
    owed_clear(&owed);
}

/* A COPY IN that has failed with Syncs on their way: nobody knows what the server owes. */
static void nothing_doubtful_is_ours(void **state)
{
    struct owed owed = {0};
    struct owed_entry entry;

    (void)state;
    owed_add(&owed, OWED_EXECUTE, OWED_FORWARD, NULL);
    owed_add(&owed, OWED_SYNC, OWED_FORWARD, NULL);
    owed_reply(&owed, 'G', &entry);
    owed_reply(&owed, 'E', &entry);
    assert_true(owed.doubtful);
    owed_add(&owed, OWED_SYNC, OWED_FORWARD, NULL);
    owed_reply(&owed, 'Z', &entry);
    assert_true(owed_none(&owed));
    assert_false(owed_ours(&owed));
    owed_clear(&owed);
}

static void awaited_until_it_is_answered_or_skipped(void **state)
{
    struct owed owed = {0};
    struct owed_entry entry;
    int one, two;

    (void)state;
    assert_false(owed_awaits(&owed, OWED_PARSE, NULL));
    owed_add(&owed, OWED_PARSE, OWED_FORWARD, &one);
    owed_add(&owed, OWED_PARSE, OWED_FAKE, &two);
    owed_add(&owed, OWED_PARSE, OWED_SWALLOW, &two);
    owed_add(&owed, OWED_SYNC, OWED_FORWARD, NULL);
    assert_true(owed_awaits(&owed, OWED_PARSE, &one));
    assert_true(owed_awaits(&owed, OWED_PARSE, &two));
    assert_false(owed_awaits(&owed, OWED_PARSE, NULL));
    assert_false(owed_awaits(&owed, OWED_BIND, &one));
    owed_reply(&owed, '1', &entry);
    assert_false(owed_awaits(&owed, OWED_PARSE, &one));
    assert_true(owed_fake(&owed, &entry));
    assert_true(owed_awaits(&owed, OWED_PARSE, &two));
    owed_reply(&owed, 'E', &entry);
    while (owed_skipped(&owed, &entry))
        ;
    assert_false(owed_awaits(&owed, OWED_PARSE, &two));
    owed_reply(&owed, 'Z', &entry);
    /* A fake was not sent, and can neither fail nor be skipped by the server. */
    owed_add(&owed, OWED_PARSE, OWED_FAKE, &one);
    assert_false(owed_awaits(&owed, OWED_PARSE, &one));
    owed_clear(&owed);
}

/* More than the first ring holds, with the head in its middle. */
static void long_pipelines_keep_their_order(void **state)
{
    struct owed owed = {0};
    struct owed_entry entry;
    intptr_t asked = 0, answered = 0;

    (void)state;
    for (int round = 1; round < 200; round++) {
        for (int i = 0; i < round % 37; i++)
            owed_add(&owed, OWED_PARSE, OWED_FORWARD, (void *)++asked);
        while (answered + round % 5 < asked) {
            assert_int_equal(owed_reply(&owed, '1', &entry), OWED_PASS);
            assert_ptr_equal(entry.about, (void *)++answered);
        }
    }
    owed_clear(&owed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversations_go_as_written),
        cmocka_unit_test(random_conversations_follow_the_rules),
        cmocka_unit_test(next_fate_is_of_the_one_in_turn),
        cmocka_unit_test(next_about_is_of_the_one_in_turn),
        cmocka_unit_test(ours_is_what_no_client_waits_for),
        cmocka_unit_test(nothing_doubtful_is_ours),
        cmocka_unit_test(awaited_until_it_is_answered_or_skipped),
        cmocka_unit_test(long_pipelines_keep_their_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
