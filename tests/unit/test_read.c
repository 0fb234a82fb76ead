/* Reading bodies: the right form, and each body cut at every byte. */
#include "wire/read.h"

#include "wire/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define BODY(literal) slice_of(literal, sizeof(literal) - 1)

static void readers_stick_once_bad(void **state)
{
    struct reader reader = {BODY("\1\2\3\4\5\6\7ab\0c"), false};

    (void)state;
    assert_int_equal(read_byte(&reader), 1);
    assert_int_equal(read_u16(&reader), 0x0203);
    assert_int_equal(read_u32(&reader), 0x04050607);
    assert_true(slice_is(read_cstr(&reader), "ab"));
    assert_false(read_done(&reader));
    assert_int_equal(read_u16(&reader), 0);
    assert_true(reader.bad);
    assert_int_equal(read_byte(&reader), 0);
    assert_int_equal(read_cstr(&reader).len, 0);
    assert_int_equal(read_bytes(&reader, 0).len, 0);
    assert_false(read_done(&reader));
}

static void a_text_needs_its_nul(void **state)
{
    struct reader reader = {BODY("abc"), false}, empty = {{0}, false};

    (void)state;
    assert_int_equal(read_cstr(&reader).len, 0);
    assert_true(reader.bad);
    assert_true(read_done(&empty));
    read_cstr(&empty);
    assert_true(empty.bad);
}

static void a_startup_packet_is_read(void **state)
{
    struct slice packet = BODY("\0\0\0\x25\0\3\0\0user\0app\0database\0pgtier\0x\0\0\0");
    struct read_startup startup;
    struct slice options, name, value;

    (void)state;
    assert_true(read_startup(packet, &startup));
    assert_int_equal(startup.code, WIRE_PROTOCOL_3_0);
    options = startup.options;
    assert_true(read_option(&options, &name, &value));
    assert_true(slice_is(name, "user") && slice_is(value, "app"));
    assert_true(read_option(&options, &name, &value));
    assert_true(slice_is(name, "database") && slice_is(value, "pgtier"));
    assert_true(read_option(&options, &name, &value));
    assert_true(slice_is(name, "x") && slice_is(value, ""));
    assert_false(read_option(&options, &name, &value));
}

static const struct {
    bool good;
    uint32_t code;
    const char *bytes;
    size_t len;
} startups[] = {
    {true, WIRE_SSL, "\0\0\0\x08\4\xd2\x16\x2f", 8},
    {true, WIRE_GSSENC, "\0\0\0\x08\4\xd2\x16\x30", 8},
    {false, 0, "\0\0\0\x09\4\xd2\x16\x2fx", 9},
    {true, WIRE_CANCEL, "\0\0\0\x10\4\xd2\x16\x2e\0\0\0\1abcd", 16},
    {true, WIRE_CANCEL, "\0\0\0\x12\4\xd2\x16\x2e\0\0\0\1abcdef", 18},
    {false, 0, "\0\0\0\x0f\4\xd2\x16\x2e\0\0\0\1abc", 15},
    {false, 0, "\0\0\0\x08\4\xd2\x16\x2e", 8},
    {true, 2 << 16, "\0\0\0\x0a\0\2\0\0xx", 10},
    {true, WIRE_PROTOCOL_3_0, "\0\0\0\x09\0\3\0\0\0", 9},
    {true, WIRE_PROTOCOL_3_0 + 2, "\0\0\0\x09\0\3\0\2\0", 9},
    {false, 0, "\0\0\0\x08\0\3\0\0", 8},
    {false, 0, "\0\0\0\x0a\0\3\0\0\0\0", 10},
    {false, 0, "\0\0\0\x0b\0\3\0\0a\0\0", 11},
    {false, 0, "\0\0\0\x0c\0\3\0\0a\0b\0", 12},
    {true, WIRE_PROTOCOL_3_0, "\0\0\0\x0d\0\3\0\0a\0b\0\0", 13},
    {false, 0, "\0\0\0\x0d\0\3\0\0a\0b\0", 12},
    {false, 0, "\0\0\0\x09\0\3\0\0a", 9},
    {false, 0, "\0\0\0\x04", 4},
    {false, 0, "", 0},
};

static void startup_packets_of_all_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(startups) / sizeof(*startups); i++) {
        struct read_startup startup;
        bool good = read_startup(slice_of(startups[i].bytes, startups[i].len), &startup);

        if (good != startups[i].good)
            fail_msg("startup %zu", i);
        if (good)
            assert_int_equal(startup.code, startups[i].code);
    }
}

static void a_cancel_has_its_key(void **state)
{
    struct read_startup startup;

    (void)state;
    assert_true(read_startup(BODY("\0\0\0\x10\4\xd2\x16\x2e\0\0\1\2abcd"), &startup));
    assert_int_equal(startup.pid, 0x102);
    assert_true(slice_is(startup.secret, "abcd"));
}

#define PARSE "s1\0select $1\0\0\2\0\0\0\x17\0\0\0\x19"

static void a_parse_is_read(void **state)
{
    struct slice body = BODY(PARSE);
    struct read_parse parse;

    (void)state;
    assert_true(read_parse(body, &parse));
    assert_true(slice_is(parse.name, "s1") && slice_is(parse.text, "select $1"));
    assert_int_equal(parse.noids, 2);
    assert_memory_equal(parse.oids.at, "\0\0\0\x17\0\0\0\x19", 8);
    for (size_t len = 0; len < body.len; len++)
        assert_false(read_parse(slice_first(body, len), &parse));
    assert_false(read_parse(BODY(PARSE "x"), &parse));
    assert_true(read_parse(BODY("\0\0\0\0"), &parse));
}

#define BIND                                                                                       \
    "p\0s1\0\0\2\0\1\0\0\0\2"                                                                      \
    "\0\0\0\3abc\xff\xff\xff\xff"                                                                  \
    "\0\1\0\1"

static void a_bind_is_read(void **state)
{
    struct slice body = BODY(BIND), portal, name;
    struct read_bind bind;

    (void)state;
    assert_true(read_bind(body, &bind));
    assert_true(slice_is(bind.portal, "p") && slice_is(bind.name, "s1"));
    assert_int_equal(bind.nvalues, 2);
    assert_memory_equal(bind.values.at, "\0\0\0\3abc\xff\xff\xff\xff", 11);
    assert_int_equal(bind.values.len, 11);
    assert_int_equal(bind.nresults, 1);
    assert_int_equal(bind.results.len, 2);
    assert_int_equal(read_bind_format(&bind, 0), 1);
    assert_int_equal(read_bind_format(&bind, 1), 0);
    assert_int_equal(read_bind_format(&bind, 2), 0);
    for (size_t len = 0; len < body.len; len++) {
        assert_false(read_bind(slice_first(body, len), &bind));
        assert_int_equal(read_bind_names(slice_first(body, len), &portal, &name), len >= 5);
    }
    assert_true(slice_is(portal, "p") && slice_is(name, "s1"));
}

static void binds_with_counts_that_do_not_fit(void **state)
{
    struct read_bind bind;

    (void)state;
    assert_true(read_bind(BODY("\0\0\0\0\0\0\0\0"), &bind));
    assert_int_equal(read_bind_format(&bind, 0), 0);
    /* One format is for all parameters, none among them. */
    assert_true(read_bind(BODY("\0\0\0\1\0\1\0\0\0\0"), &bind));
    assert_int_equal(read_bind_format(&bind, 7), 1);
    assert_false(read_bind(BODY("\0\0\0\2\0\1\0\1\0\0\0\0"), &bind));
    assert_false(read_bind(BODY("\0\0\0\0\0\1\x7f\xff\xff\xff\0\0"), &bind));
    assert_false(read_bind(BODY("\0\0\0\0\0\1\xff\xff\xff\xfe\0\0"), &bind));
    assert_false(read_bind(BODY("\0\0\xff\xff\0\0\0\0"), &bind));
    assert_false(read_bind(BODY("\0\0\0\0\xff\xff\0\0"), &bind));
    assert_false(read_bind(BODY("\0\0\0\0\0\0\xff\xff"), &bind));
    assert_false(read_bind(BODY("\0\0\0\0\0\0\0\0\0"), &bind));
}

static void targets_and_portals_are_read(void **state)
{
    struct slice name;
    uint8_t what;
    uint32_t rows;

    (void)state;
    assert_true(read_target(BODY("Sname\0"), &what, &name));
    assert_int_equal(what, 'S');
    assert_true(slice_is(name, "name"));
    assert_true(read_target(BODY("P\0"), &what, &name));
    assert_false(read_target(BODY("X\0"), &what, &name));
    assert_false(read_target(BODY("S"), &what, &name));
    assert_false(read_target(BODY("Sn\0x"), &what, &name));
    assert_false(read_target(BODY(""), &what, &name));
    assert_true(read_execute(BODY("p\0\0\0\0\7"), &name, &rows));
    assert_true(slice_is(name, "p"));
    assert_int_equal(rows, 7);
    assert_false(read_execute(BODY("p\0\0\0\0"), &name, &rows));
    assert_false(read_execute(BODY("p\0\0\0\0\7x"), &name, &rows));
}

static void fields_of_an_error_are_found(void **state)
{
    struct slice body = BODY("SERROR\0C42P01\0Mno table\0\0");

    (void)state;
    assert_true(slice_is(read_error_field(body, 'S'), "ERROR"));
    assert_true(slice_is(read_error_field(body, 'C'), "42P01"));
    assert_true(slice_is(read_error_field(body, 'M'), "no table"));
    assert_int_equal(read_error_field(body, 'D').len, 0);
    assert_int_equal(read_error_field(BODY("SERROR"), 'C').len, 0);
    assert_int_equal(read_error_field(BODY(""), 'C').len, 0);
    assert_int_equal(read_error_field(BODY("\0C42P01\0"), 'C').len, 0);
}

static void an_error_is_quoted(void **state)
{
    struct slice body = BODY("SFATAL\0C42P01\0Mno table\0Hhint\0\0");
    struct err err;

    (void)state;
    read_error(body, &err);
    assert_string_equal(err.sqlstate, "42P01");
    assert_string_equal(err.message, "no table");
    assert_string_equal(err.detail, "");
    assert_string_equal(err.hint, "hint");
    assert_true(slice_same(err.quote, body));
    read_error(BODY("Mno code\0\0"), &err);
    assert_true(err_is_set(&err));
}

static void settings_are_read(void **state)
{
    struct slice name, value;

    (void)state;
    assert_true(read_parameter_status(BODY("TimeZone\0UTC\0"), &name, &value));
    assert_true(slice_is(name, "TimeZone") && slice_is(value, "UTC"));
    assert_false(read_parameter_status(BODY("TimeZone\0UTC"), &name, &value));
    assert_false(read_parameter_status(BODY("TimeZone\0UTC\0x"), &name, &value));
}

static const struct {
    const char *tag;
    uint64_t rows;
} tags[] = {
    {"SELECT 5", 5},  {"INSERT 0 12", 12},
    {"UPDATE 0", 0},  {"COPY 1234567890123", 1234567890123},
    {"FETCH 3", 3},   {"BEGIN", 0},
    {"7", 0},         {"CREATE TABLE", 0},
    {"CREATE T1", 0}, {"", 0},
    {"SELECT ", 0},
};

static void rows_of_a_tag_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++)
        assert_true(read_tag_rows(slice_of(tags[i].tag, strlen(tags[i].tag) + 1)) == tags[i].rows);
    assert_int_equal(read_tag_rows(slice_of(NULL, 0)), 0);
    assert_int_equal(read_tag_rows(BODY("SELECT 5")), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_stick_once_bad),
        cmocka_unit_test(a_text_needs_its_nul),
        cmocka_unit_test(a_startup_packet_is_read),
        cmocka_unit_test(startup_packets_of_all_kinds),
        cmocka_unit_test(a_cancel_has_its_key),
        cmocka_unit_test(a_parse_is_read),
        cmocka_unit_test(a_bind_is_read),
        cmocka_unit_test(binds_with_counts_that_do_not_fit),
        cmocka_unit_test(targets_and_portals_are_read),
        cmocka_unit_test(fields_of_an_error_are_found),
        cmocka_unit_test(an_error_is_quoted),
        cmocka_unit_test(settings_are_read),
        cmocka_unit_test(rows_of_a_tag_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
