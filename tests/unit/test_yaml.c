/* The tree of a settings file: forms that are read, variables, and what is refused and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "conf/field.h"

static const char *variable(const char *name, void *with)
{
    (void)with;
    if (strcmp(name, "SET") == 0)
        return "value";
    if (strcmp(name, "EMPTY") == 0)
        return "";
    if (strcmp(name, "TRICK") == 0)
        return "a: [b, #c";
    return NULL;
}

/* The tree in one line: {key: value, key: [a, b]}. */
static void put_tree(const struct yaml *node, struct buf *out)
{
    if (node->kind == YAML_SCALAR) {
        buf_printf(out, "%s%s%s", node->empty ? "~" : node->text, node->unset ? "?" : "",
                   node->unset ? node->unset : "");
        return;
    }
    buf_printf(out, node->kind == YAML_MAP ? "{" : "[");
    for (const struct yaml *child = node->first; child; child = child->next) {
        if (child->key)
            buf_printf(out, "%s: ", child->key);
        put_tree(child, out);
        if (child->next)
            buf_printf(out, ", ");
    }
    buf_printf(out, node->kind == YAML_MAP ? "}" : "]");
}

static void read_all(void **state)
{
    static const struct {
        const char *text, *tree;
    } rows[] = {
        {"", "{}"},
        {"# nothing\n", "{}"},
        {"a: 1\nb: [x, y]\n", "{a: 1, b: [x, y]}"},
        {"a:\n  b:\n    - c: d\n    - e\n", "{a: {b: [{c: d}, e]}}"},
        {"{\"a\": {\"b\": [1, true, null]}}", "{a: {b: [1, true, ~]}}"},
        {"a:\nb: ''\nc: ~\nd: \"null\"\n", "{a: ~, b: , c: ~, d: null}"},
        {"a: ${SET}\nb: \"x${SET}y${SET}\"\nc: '${SET}'\n", "{a: value, b: xvaluey"
                                                            "value, c: value}"},
        {"a: ${NONE:-d}\nb: ${EMPTY:-d}\nc: ${SET:-d}\nd: ${NONE:-}\n",
         "{a: d, b: d, c: value, d: }"},
        {"a: ${NONE:-a:b-c}\n", "{a: a:b-c}"},
        {"a: ${NONE}\nb: ${EMPTY}\nc: \"${NONE}/${OTHER}\"\n", "{a: ?NONE, b: , c: /?NONE}"},
        {"a: $${SET}\nb: $5$x\nc: $\n", "{a: ${SET}, b: $5$x, c: $}"},
        {"a: ${TRICK}\n", "{a: a: [b, #c}"},
        {"${SET}: a\n", "{${SET}: a}"},
        {"- a\n- b\n", "[a, b]"},
        {"just a word", "just a word"},
        {"a: |\n  x\n  y\n", "{a: x\ny\n}"},
        {"---\na: 1\n", "{a: 1}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct keep *keep = keep_new();
        struct diag diag = {.file = "f"};
        struct buf out = {0};
        struct yaml *root = yaml_parse(slice_text(rows[i].text), keep, &diag, variable, NULL);

        assert_int_equal(diag.count, 0);
        assert_non_null(root);
        put_tree(root, &out);
        buf_put(&out, "", 1);
        assert_string_equal((const char *)out.at, rows[i].tree);
        buf_clear(&out);
        keep_free(keep);
    }
}

/* What is written is read again as the same text, and as nothing else. */
static void write_all(void **state)
{
    static const char *const texts[] = {
        "users",     "a_1",     "1a",        "true",       "no",     "y",       "",
        "Order",     "Odd one", "a: b",      "#x",         "- a",    "a\"b\\c", "${SET}",
        "$x${NONE}", "$$",      "tab\there", "line\nhere", "null",   "~",       "*a",
        "&a b",      "!x",      "{a}",       "\xc3\xa4",   "[b, c]", "100",     "0x10"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct keep *keep = keep_new();
        struct diag diag = {.file = "f"};
        struct buf text = {0};
        struct yaml *tree;

        buf_printf(&text, "k: ");
        yaml_put(&text, texts[i]);
        tree = yaml_parse(buf_slice(&text), keep, &diag, variable, NULL);
        if (!tree || diag.count || !tree->first || tree->first->kind != YAML_SCALAR ||
            tree->first->empty || tree->first->unset || strcmp(tree->first->text, texts[i]) != 0)
            fail_msg("%s is written %.*s", texts[i], (int)buf_len(&text),
                     (const char *)buf_slice(&text).at);
        buf_clear(&text);
        diag_clear(&diag);
        keep_free(keep);
    }
}

static void refuse_all(void **state)
{
    static const struct {
        const char *text, *faults;
    } rows[] = {
        {"a: 1\nb: 2\na: 3\n", "f:3:1: `a` stands twice here, first in line 1\n"},
        {"a: &x 1\n", "f:1:4: anchors are not supported: write the value out\n"},
        {"a: *x\n", "f:1:4: aliases are not supported: write the value out\n"},
        {"a: !!str 1\n", "f:1:4: tags are not supported: leave it out\n"},
        {"a: 1\n---\nb: 2\n", "f:2:1: a file holds one document: remove the ---\n"},
        {"{a: 1}: 2\n",
         "f:1:1: a key must be a word; a value that begins with { or [ needs quotes\n"},
        {"a: ${A\n",
         "f:1:4: `${A` is no variable: write ${NAME}, ${NAME:-default}, or $${ for a plain ${\n"},
        {"a: ${}\n",
         "f:1:4: `${}` is no variable: write ${NAME}, ${NAME:-default}, or $${ for a plain ${\n"},
        {"a: ${1A}\n",
         "f:1:4: `${1A}` is no variable: write ${NAME}, ${NAME:-default}, or $${ for a plain ${\n"},
        {"a: ${A:+x}\n", "f:1:4: `${A:+x}` is no variable: write ${NAME}, ${NAME:-default}, or $${ "
                         "for a plain ${\n"},
        {"a: \"x\\0y\"\n", "f:1:4: a value may not hold a zero byte\n"},
        {"a: {b: ${C}}\n", NULL},
        {"a: [1\n", NULL},
        {"a: 1\n b: 2\n", NULL},
        {"\t- a\n", NULL},
        {"a: \xff\n", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct keep *keep = keep_new();
        struct diag diag = {.file = "f"};
        struct buf out = {0};

        yaml_parse(slice_text(rows[i].text), keep, &diag, variable, NULL);
        assert_int_equal(diag.count, 1);
        diag_print(&diag, &out);
        buf_put(&out, "", 1);
        if (rows[i].faults)
            assert_string_equal((const char *)out.at, rows[i].faults);
        else
            assert_non_null(strstr((const char *)out.at, "not YAML: "));
        buf_clear(&out);
        diag_clear(&diag);
        keep_free(keep);
    }
}

static void bound_depth(void **state)
{
    struct keep *keep = keep_new();
    struct diag diag = {.file = "f"};
    char text[100];

    (void)state;
    memset(text, '[', sizeof(text));
    assert_null(yaml_parse(slice_of(text, sizeof(text)), keep, &diag, NULL, NULL));
    assert_string_equal(diag.faults[0].text, "nested too deeply");
    diag_clear(&diag);
    keep_free(keep);
}

static void find_nearest(void **state)
{
    static const char *const names[] = {"ttl", "key", "tier", "compress", "max_size"};
    static const struct {
        const char *word, *nearest;
    } rows[] = {
        {"tll", "ttl"},
        {"tlt", "ttl"},
        {"keys", "key"},
        {"tiers", "tier"},
        {"teir", "tier"},
        {"maxsize", "max_size"},
        {"max-size", "max_size"},
        {"compres", "compress"},
        {"zzz", NULL},
        {"encrypt", NULL},
        {"", NULL},
        {"a", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *nearest = diag_nearest(rows[i].word, names, 5);

        if (rows[i].nearest)
            assert_string_equal(nearest, rows[i].nearest);
        else
            assert_null(nearest);
    }
}

static void order_faults(void **state)
{
    struct diag diag = {.file = "f"};
    struct buf out = {0};

    (void)state;
    diag_add(&diag, 7, 2, "c");
    diag_add(&diag, 0, 0, "a");
    diag_add(&diag, 7, 1, "b");
    diag_add(&diag, 7, 2, "d");
    diag_print(&diag, &out);
    buf_put(&out, "", 1);
    assert_string_equal((const char *)out.at, "f: a\nf:7:1: b\nf:7:2: c\nf:7:2: d\n");
    buf_clear(&out);
    for (unsigned i = 0; i < DIAG_MAX; i++)
        diag_add(&diag, 1, 1, "x");
    diag_print(&diag, &out);
    buf_put(&out, "", 1);
    assert_non_null(strstr((const char *)out.at, "f: 4 more faults\n"));
    buf_clear(&out);
    diag_clear(&diag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_all),     cmocka_unit_test(write_all),
        cmocka_unit_test(refuse_all),   cmocka_unit_test(bound_depth),
        cmocka_unit_test(find_nearest), cmocka_unit_test(order_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
