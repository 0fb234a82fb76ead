/* Console texts in, messages out. */
#include "admin/console.h"
#include "base/mem.h"
#include "wire/frame.h"
#include "wire/read.h"

#include <stddef.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "house.h"

struct desk {
    struct house house;
    struct admin admin;
    struct console console;
    const char *faults; /* of the next reload; NULL: it works */
    unsigned reloads;
};

static void settings(void *owner,
                     void (*line)(void *with, const char *key, const char *value,
                                  const char *preset, const char *reload),
                     void *with)
{
    (void)owner;
    line(with, "listen.port", "6432", "6432", "restart");
    line(with, "admin.users", "", "", "reload");
}

static bool reload(void *owner, struct buf *faults)
{
    struct desk *desk = owner;

    desk->reloads++;
    if (desk->faults)
        buf_put_slice(faults, slice_text(desk->faults));
    return !desk->faults;
}

static void build(struct desk *desk)
{
    static const char *const users[] = {"app", "dba"};

    memset(desk, 0, sizeof(*desk));
    house_build(&desk->house);
    desk->admin = (struct admin){.gather = &desk->house.gather,
                                 .users = users,
                                 .nusers = 2,
                                 .settings = settings,
                                 .reload = reload,
                                 .owner = desk};
    desk->console = console_of(&desk->admin);
}

/* ---- messages as text ---------------------------------------------------------------------- */

static void put_rows(struct reader *body, struct buf *text)
{
    unsigned count = read_u16(body);

    for (unsigned i = 0; i < count; i++) {
        uint32_t len = read_u32(body);
        struct slice field = len == UINT32_MAX ? SLICE("NULL") : read_bytes(body, len);

        buf_printf(text, "%s%.*s", i ? "|" : "D ", (int)field.len, (const char *)field.at);
    }
}

static void put_columns(struct reader *body, struct buf *text)
{
    unsigned count = read_u16(body);

    for (unsigned i = 0; i < count; i++) {
        struct slice name = read_cstr(body);

        buf_printf(text, "%s%.*s", i ? "|" : "T ", (int)name.len, (const char *)name.at);
        read_bytes(body, 6);
        assert_int_equal(read_u32(body), 25);
        read_bytes(body, 8);
    }
}

static void put_error(char letter, struct slice body, struct buf *text)
{
    static const uint8_t fields[] = "CMDH";

    buf_printf(text, "%c", letter);
    for (const uint8_t *field = fields; *field; field++) {
        struct slice value = read_error_field(body, *field);

        buf_printf(text, "%s%.*s", field == fields ? " " : "|", (int)value.len,
                   value.len ? (const char *)value.at : "");
    }
}

/* A line a message: "T a|b", "D 1|NULL", "C SHOW", "E state|message|detail|hint", "I". */
static void put_message(const struct frame *frame, struct buf *text)
{
    struct reader body = {.left = frame_body(frame)};
    struct slice tag;

    if (frame->type == 'T') {
        put_columns(&body, text);
    } else if (frame->type == 'D') {
        put_rows(&body, text);
    } else if (frame->type == 'C') {
        tag = read_cstr(&body);
        buf_printf(text, "C %.*s", (int)tag.len, (const char *)tag.at);
    } else if (frame->type == 'E' || frame->type == 'N') {
        put_error((char)frame->type, body.left, text);
        body.left.len = 0;
    } else {
        buf_printf(text, "%c", frame->type);
    }
    assert_true(read_done(&body));
    buf_printf(text, "\n");
}

static char *as_text(struct buf *out)
{
    struct slice left = buf_slice(out);
    struct buf text = {0};
    struct frame frame;
    char *result;

    while (left.len > 0) {
        assert_int_equal(frame_look(left, &frame), FRAME_WHOLE);
        put_message(&frame, &text);
        left = slice_skip(left, frame.total);
    }
    result = mem_text(buf_len(&text) ? buf_slice(&text).at : (const uint8_t *)"", buf_len(&text));
    buf_clear(&text);
    buf_clear(out);
    return result;
}

/* The answer to one text. Free with mem_free. */
static char *ask(struct desk *desk, const char *text)
{
    struct buf out = {0};

    desk->console.run(desk->console.owner, NULL, slice_text(text), &out);
    return as_text(&out);
}

static void expect_in(const char *text, const char *answer, const char *part)
{
    if (!strstr(answer, part))
        fail_msg("%s\nwants %s\ngot\n%s", text, part, answer);
}

/* ---- tests --------------------------------------------------------------------------------- */

static void commands_are_understood(void **state)
{
    static const struct {
        const char *text, *parts[3];
    } cases[] = {
        {"SHOW VERSION", {"T version|started|uptime_s\nD pgtier 1.2.3|", "C SHOW\n"}},
        {"  show\tversion ; ", {"D pgtier 1.2.3|"}},
        {"/* a /* b */ ; */ ShOw -- and\n Version;;", {"D pgtier 1.2.3|"}},
        {"SHOW \"version\"", {"D pgtier 1.2.3|"}},
        {"SHOW HELP", {"T command|shows\n", "D SHOW TARGETS|", "D RELOAD|"}},
        {"SHOW", {"D SHOW TARGETS|"}},
        {"help", {"D SHOW TARGETS|"}},
        {"SHOW CONFIG",
         {"T key|value|default|applies\nD listen.port|6432|6432|restart\n"
          "D admin.users|||reload\nC SHOW\n"}},
        {"SHOW TARGETS",
         {"T operation|tier|source|target_ms|count|p50_ms|p95_ms|p99_ms|max_ms|"
          "within_target_pct|target|measured|met\n"}},
        {"SHOW RULES",
         {"T rule|line|hits|last_match|shadow|does\nD fetch|",
          "|0|NULL|no|target 300ms, cache evaluation\nD list|",
          "|0|NULL|no|target 800ms\nC SHOW\n"}},
        {"SHOW POOLS", {"T database|node|dbname|user|size|idle|taken|logins|waiting|"}},
        {"SHOW CLIENTS", {"T number|user|database|application_name|peer|state|"}},
        {"SHOW SERVERS", {"T number|database|node|dbname|user|state|pid|status|"}},
        {"SHOW NODES",
         {"D app|127.0.0.1:1|primary|0|NULL|no|", "D app|127.0.0.1:2|replica|1|here|no|"}},
        {"SHOW CACHE",
         {"D evaluation|eval:{user_id}:{id}|1h|professional|yes|memory|0|0|0|0|NULL|"}},
        {"SHOW STATS",
         {"T scope|name|value\nD total|requests|0\n", "D source|cache|0\n", "D ledger app|cells|"}},
        {"SHOW SHAPES", {"T database|shape|calls|hits|"}},
        {"SHOW SHAPES 3", {"T database|shape|calls|hits|"}},
        {"RELOAD", {"C RELOAD\n"}},
        {"", {"I\n"}},
        {" ; ; -- nothing", {"I\n"}},
        {"SHOW VERSION; SHOW CONFIG", {"D pgtier 1.2.3|", "C SHOW\nT key|", "C SHOW\n"}},
        {"SHOW VERSION; SHOW X; SHOW CONFIG", {"C SHOW\nE 42601|there is no SHOW X|"}},
    };
    struct desk desk;

    (void)state;
    build(&desk);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *answer = ask(&desk, cases[i].text);

        for (size_t p = 0; p < 3 && cases[i].parts[p]; p++)
            expect_in(cases[i].text, answer, cases[i].parts[p]);
        mem_free(answer);
    }
    house_clear(&desk.house);
}

static void the_first_fault_ends_a_text(void **state)
{
    struct desk desk;
    char *answer;

    (void)state;
    build(&desk);
    answer = ask(&desk, "SHOW NOTHING; RELOAD");
    assert_int_equal(desk.reloads, 0);
    assert_null(strstr(answer, "C RELOAD"));
    mem_free(answer);
    house_clear(&desk.house);
}

static void others_are_refused_with_a_hint(void **state)
{
    static const struct {
        const char *text, *answer;
    } cases[] = {
        {"SHOW POLLS", "E 42601|there is no SHOW POLLS||Did you mean SHOW POOLS? "
                       "SHOW HELP lists the commands.\n"},
        {"show shaeps", "E 42601|there is no SHOW SHAEPS||Did you mean SHOW SHAPES? "
                        "SHOW HELP lists the commands.\n"},
        {"SHOW server_version", "E 42601|there is no SHOW SERVER_VERSION||"},
        {"SHOW NODES 3", "E 42601|SHOW NODES does not take \"3\"||"},
        {"SHOW SHAPES x", "E 42601|SHOW SHAPES does not take \"x\"||"},
        {"SHOW SHAPES 0", "E 42601|SHOW SHAPES does not take \"0\"||"},
        {"SHOW SHAPES 3 4", "E 42601|SHOW SHAPES does not take"},
        {"REALOD", "E 42601|\"REALOD\" is not a command of the console||Did you mean RELOAD?"},
        {"select 1", "E 42601|\"select\" is not a command of the console||SHOW HELP"},
        {"SELECT version()", "E 42601|\"SELECT\" is not"},
        {"BEGIN", "E 42601|\"BEGIN\" is not"},
        {"SET client_encoding = 'UTF8'", "E 42601|\"SET\" is not"},
        {"'a;b' c", "E 42601|\"a;b\" is not"},
        {"%", "E 42601|\"%\" is not"},
        {"EXPLAIN SELECT 1", "E 42601|the console explains routes only||EXPLAIN ROUTE"},
        {"EXPLAIN", "E 42601|the console explains routes only||"},
        {"EXPLAIN ROUTE", "E 42601|EXPLAIN ROUTE of nothing||"},
        {"EXPLAIN ROUTE ;", "E 42601|EXPLAIN ROUTE of nothing||"},
        {"EXPLAIN ROUTE (DATABASE other) SELECT 1", "E 3D000|database \"other\" does not exist||"},
        {"EXPLAIN ROUTE (USER) SELECT 1", "E 42601|the options"},
        {"EXPLAIN ROUTE (USER a, COLOUR b) SELECT 1", "E 42601|the options"},
        {"EXPLAIN ROUTE (USER a", "E 42601|the options"},
        {"RELOAD now", "E 42601|RELOAD takes nothing||"},
    };
    struct desk desk;

    (void)state;
    build(&desk);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *answer = ask(&desk, cases[i].text);

        if (strncmp(answer, cases[i].answer, strlen(cases[i].answer)) != 0)
            fail_msg("%s\nwants %s\ngot %s", cases[i].text, cases[i].answer, answer);
        mem_free(answer);
    }
    house_clear(&desk.house);
}

static void a_reload_tells_every_fault(void **state)
{
    struct desk desk;
    char *answer;

    (void)state;
    build(&desk);
    desk.faults = "a.yaml:1:2: unknown key `tll`: did you mean `ttl`?\na.yaml:7:1: no\n";
    answer = ask(&desk, "RELOAD;");
    assert_string_equal(
        answer, "N F0000|a.yaml:1:2: unknown key `tll`: did you mean `ttl`?||\n"
                "N F0000|a.yaml:7:1: no||\n"
                "E F0000|the settings were not reloaded: 2 faults|a.yaml:7:1: no|Nothing has "
                "changed. `pgtier check FILE` shows the same faults.\n");
    mem_free(answer);
    assert_int_equal(desk.reloads, 1);
    house_clear(&desk.house);
}

static void it_is_for_its_users(void **state)
{
    struct desk desk;

    (void)state;
    build(&desk);
    assert_true(desk.console.allows(desk.console.owner, "app"));
    assert_true(desk.console.allows(desk.console.owner, "dba"));
    assert_false(desk.console.allows(desk.console.owner, "App"));
    assert_false(desk.console.allows(desk.console.owner, ""));
    desk.admin.nusers = 0;
    assert_false(desk.console.allows(desk.console.owner, "app"));
    house_clear(&desk.house);
}

static void targets_are_beside_measures(void **state)
{
    struct desk desk;
    char *answer;

    (void)state;
    build(&desk);
    desk.house.gather.targets = (struct targets){0.85, 50 * CLOCK_MS};
    for (int i = 0; i < 9; i++)
        house_request(&desk.house, 0, SOURCE_CACHE, 0);
    house_request(&desk.house, 0, SOURCE_PRIMARY, 400);
    answer = ask(&desk, "SHOW TARGETS");
    expect_in("SHOW TARGETS", answer,
              "D fetch|none|cache|300.000|9|0.000|0.000|0.000|0.000|100.00|300ms|");
    expect_in(
        "SHOW TARGETS", answer,
        "D fetch|none|primary|300.000|1|400.000|400.000|400.000|400.000|0.00|300ms|400ms|no\n");
    expect_in("SHOW TARGETS", answer,
              "D list|NULL|NULL|800.000|0|NULL|NULL|NULL|NULL|NULL|800ms|NULL|NULL\n");
    expect_in("SHOW TARGETS", answer,
              "D cache_hit_ratio|NULL|NULL|NULL|10|NULL|NULL|NULL|NULL|NULL|85%|90.00%|yes\n");
    expect_in("SHOW TARGETS", answer, "D cache_response_time|NULL|cache|50.000|9|");
    mem_free(answer);
    house_clear(&desk.house);
}

static void shapes_come_by_total_time(void **state)
{
    static const char *const texts[] = {"SELECT a FROM evaluations WHERE id = 'secret'",
                                        "UPDATE evaluations SET a = 7 WHERE id = 9"};
    struct desk desk;
    struct values values;
    char *answer, *update, *read;

    (void)state;
    build(&desk);
    for (int i = 0; i < 2; i++) {
        struct known_shape *known =
            shapes_find(&desk.house.database.shapes, slice_text(texts[i]), NULL, &values);
        struct trail trail = {.rules = desk.house.rooms.rules,
                              .tier = -1,
                              .source = SOURCE_PRIMARY,
                              .known = known,
                              .uncached = PLAN_NO_RULE,
                              .primary = PLAN_LAG,
                              .ended = (i + 1) * 100 * CLOCK_MS};

        meter_add(&desk.house.meter, &trail);
        known_shape_unref(known);
    }
    answer = ask(&desk, "SHOW SHAPES");
    assert_null(strstr(answer, "secret"));
    read = strstr(answer, "|select|read|none|primary|replica_lag|no|no_rule|");
    update = strstr(answer, "|update|write|none|primary|replica_lag|no|no_rule|");
    assert_non_null(update);
    assert_non_null(read);
    assert_true(update < read);
    expect_in("SHOW SHAPES", answer, "|1|0|0|0|200.000|200.000|200.000|");
    mem_free(answer);
    known_shape_unref(
        shapes_find(&desk.house.database.shapes, SLICE("DELETE FROM b"), NULL, &values));
    answer = ask(&desk, "SHOW SHAPES");
    assert_non_null(
        strstr(answer, "|0|0|0|0|0.000|NULL|NULL|delete|write|NULL|primary|write|no|write|"));
    mem_free(answer);
    answer = ask(&desk, "SHOW SHAPES 1");
    assert_non_null(strstr(answer, "|update|"));
    assert_null(strstr(answer, "|select|"));
    mem_free(answer);
    house_clear(&desk.house);
}

/* ---- EXPLAIN ROUTE ------------------------------------------------------------------------- */

static void routes_are_explained(void **state)
{
    static const struct {
        const char *text, *parts[4];
    } cases[] = {
        {"EXPLAIN ROUTE SELECT a FROM evaluations WHERE id = 7 AND tier = 'professional'",
         {"T what|value\n", "D operation|fetch", "D ledger|shut", "C EXPLAIN\n"}},
        {"explain /* x */ route\n(SELECT 1)",
         {"D statements|select\n", "D node|primary 127.0.0.1:1 "}},
        {"EXPLAIN ROUTE (database app, user 'al ice', application \"x\") SELECT 1",
         {"D statements|select\n"}},
        {"EXPLAIN ROUTE UPDATE evaluations SET a = 1",
         {"D node|primary 127.0.0.1:1 (down)\n", "D why this node|it may change rows (write)\n"}},
        {"EXPLAIN ROUTE SELECT 1; DELETE FROM evaluations; SHOW VERSION",
         {"D statements|select, delete, show\n", "D asked first|no cache"}},
        {"SHOW VERSION; EXPLAIN ROUTE SELECT 1", {"D pgtier 1.2.3", "D statements|select\n"}},
        {"EXPLAIN ROUTE SELECT 1 ; ", {"D shape|select $1\n"}},
        {"EXPLAIN ROUTE SELECT 1", {"D why this node|the ledger is shut (write_pending)\n"}},
        {"EXPLAIN ROUTE SELEC", {"D statements|unparsable\n", "C EXPLAIN\n"}},
        {"EXPLAIN ROUTE SELECT 'a\nb: c'", {"D shape|select $1\n", "C EXPLAIN\n"}},
    };
    struct desk desk;

    (void)state;
    build(&desk);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *answer = ask(&desk, cases[i].text);

        for (size_t p = 0; p < 4 && cases[i].parts[p]; p++)
            expect_in(cases[i].text, answer, cases[i].parts[p]);
        mem_free(answer);
    }
    house_clear(&desk.house);
}

static void only_explain_route_is_taken(void **state)
{
    static const char *const others[] = {
        "EXPLAIN SELECT 1",    "EXPLAIN",      "",    "e",
        "EXPLAIN ROUTES x",    "SELECT 1",     "  ",  "-- explain",
        "EXPLAIN (ROUTE) x y", "EXPLAINROUTE", "/* ", "explain_route x"};
    struct desk desk;
    struct buf out = {0};
    struct err err = {0};
    struct slice text = SLICE("-- a\n /**/explain\troute select 1"), sql;

    (void)state;
    build(&desk);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        assert_false(desk.console.explains(slice_text(others[i])));
    assert_true(desk.console.explains(text));
    assert_int_equal(desk.console.explain(desk.console.owner, NULL, text, &sql, &out, &err),
                     EXPLAIN_TOLD);
    assert_true(buf_len(&out) > 0);
    buf_clear(&out);
    house_clear(&desk.house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_understood),
        cmocka_unit_test(the_first_fault_ends_a_text),
        cmocka_unit_test(others_are_refused_with_a_hint),
        cmocka_unit_test(a_reload_tells_every_fault),
        cmocka_unit_test(it_is_for_its_users),
        cmocka_unit_test(targets_are_beside_measures),
        cmocka_unit_test(shapes_come_by_total_time),
        cmocka_unit_test(routes_are_explained),
        cmocka_unit_test(only_explain_route_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
