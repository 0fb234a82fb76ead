/* libyaml's events into a tree; the only file that knows libyaml. What it refuses (anchors,
 * aliases, tags, keys that are no plain words) is refused because two places of a file that mean
 * one thing make a fault's place useless. */
#include "conf/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

enum { DEPTH_MAX = 32, FILE_MAX = 4 << 20, FILE_CHUNK = 1 << 16 };

struct reader {
    yaml_parser_t parser;
    struct keep *keep;
    struct diag *diag;
    yaml_variable *variable;
    void *with;
    struct yaml *root;
    struct yaml *open[DEPTH_MAX]; /* the collections around the next node */
    struct yaml **last[DEPTH_MAX];
    unsigned depth;
    struct slice key; /* of the next node of a map; .at NULL: a key comes next */
    yaml_mark_t key_mark;
    bool stop, refused;
};

static const char *environment(const char *name, void *with)
{
    (void)with;
    return getenv(name);
}

static bool is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The length of the "${...}" at `at`, 0 where it is not closed or names nothing. */
static size_t reference_len(struct slice at, struct slice *name, struct slice *preset)
{
    const uint8_t *end = memchr(at.at, '}', at.len);
    size_t len = 0;

    *preset = (struct slice){0};
    if (!end)
        return 0;
    *name = slice_of(at.at + 2, (size_t)(end - at.at) - 2);
    while (len < name->len && (is_word(name->at[len])))
        len++;
    if (len < name->len) {
        if (name->len - len < 2 || name->at[len] != ':' || name->at[len + 1] != '-')
            return 0;
        *preset = slice_skip(*name, len + 2);
        name->len = len;
    }
    if (name->len == 0 || (name->at[0] >= '0' && name->at[0] <= '9'))
        return 0;
    return (size_t)(end - at.at) + 1;
}

static void put_variable(struct reader *reader, struct yaml *node, struct slice name,
                         struct slice preset, struct buf *out)
{
    const char *text = keep_slice(reader->keep, name);
    const char *value = reader->variable(text, reader->with);

    if (preset.at && (!value || !*value))
        buf_put_slice(out, preset);
    else if (value)
        buf_put_slice(out, slice_text(value));
    else if (!node->unset)
        node->unset = text;
}

static void expand(struct reader *reader, struct yaml *node, struct slice text)
{
    struct buf out = {0};
    struct slice name, preset;

    while (text.len > 0) {
        bool opens = text.len > 1 && text.at[0] == '$' && text.at[1] == '{';
        bool escapes = text.len > 2 && memcmp(text.at, "$${", 3) == 0;
        size_t len = 1;

        if (escapes) {
            buf_put(&out, "${", 2);
            len = 3;
        } else if (opens) {
            len = reference_len(text, &name, &preset);
            if (len == 0) {
                diag_add(
                    reader->diag, node->line, node->column,
                    "`%.*s` is no variable: write ${NAME}, ${NAME:-default}, or $${ for a plain ${",
                    (int)(text.len < 40 ? text.len : 40), (const char *)text.at);
                break;
            }
            put_variable(reader, node, name, preset, &out);
        } else {
            buf_put(&out, text.at, 1);
        }
        text = slice_skip(text, len);
    }
    node->text = keep_slice(reader->keep, buf_slice(&out));
    buf_clear(&out);
}

static const struct yaml *same_key(const struct yaml *map, const char *key)
{
    for (const struct yaml *child = map->first; child; child = child->next)
        if (strcmp(child->key, key) == 0)
            return child;
    return NULL;
}

/* Hangs a node into the collection that is open. A doubled key is told and hangs nowhere. */
static void hang(struct reader *reader, struct yaml *node)
{
    struct yaml *parent = reader->depth > 0 ? reader->open[reader->depth - 1] : NULL;
    const struct yaml *other;

    if (!parent) {
        reader->root = node;
        return;
    }
    if (parent->kind == YAML_MAP) {
        node->key = keep_slice(reader->keep, reader->key);
        node->key_line = (unsigned)reader->key_mark.line + 1;
        node->key_column = (unsigned)reader->key_mark.column + 1;
        reader->key = (struct slice){0};
        other = same_key(parent, node->key);
        if (other) {
            diag_add(reader->diag, node->key_line, node->key_column,
                     "`%s` stands twice here, first in line %u", node->key, other->key_line);
            return;
        }
    }
    *reader->last[reader->depth - 1] = node;
    reader->last[reader->depth - 1] = &node->next;
    parent->count++;
}

static struct yaml *new_node(struct reader *reader, enum yaml_kind kind, yaml_mark_t mark)
{
    struct yaml *node = keep_take(reader->keep, sizeof(*node));

    node->kind = kind;
    node->line = (unsigned)mark.line + 1;
    node->column = (unsigned)mark.column + 1;
    return node;
}

static bool wants_key(const struct reader *reader)
{
    return reader->depth > 0 && reader->open[reader->depth - 1]->kind == YAML_MAP &&
           !reader->key.at;
}

static void refuse(struct reader *reader, yaml_mark_t mark, const char *why)
{
    diag_add(reader->diag, (unsigned)mark.line + 1, (unsigned)mark.column + 1, "%s", why);
    reader->stop = reader->refused = true;
}

/* An anchor or a tag on a node; both are refused. */
static bool dressed(struct reader *reader, const yaml_event_t *event, const yaml_char_t *anchor,
                    const yaml_char_t *tag)
{
    if (anchor)
        refuse(reader, event->start_mark, "anchors are not supported: write the value out");
    else if (tag)
        refuse(reader, event->start_mark, "tags are not supported: leave it out");
    return anchor || tag;
}

static void take_scalar(struct reader *reader, const yaml_event_t *event)
{
    struct slice text = slice_of(event->data.scalar.value, event->data.scalar.length);
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    struct yaml *node;

    if (dressed(reader, event, event->data.scalar.anchor, event->data.scalar.tag))
        return;
    if (memchr(text.at, '\0', text.len)) {
        refuse(reader, event->start_mark, "a value may not hold a zero byte");
        return;
    }
    if (wants_key(reader)) {
        reader->key = slice_of(keep_slice(reader->keep, text), text.len);
        reader->key_mark = event->start_mark;
        return;
    }
    node = new_node(reader, YAML_SCALAR, event->start_mark);
    node->empty = plain && (text.len == 0 || slice_is(text, "~") || slice_is(text, "null"));
    expand(reader, node, text);
    hang(reader, node);
}

static void open_node(struct reader *reader, const yaml_event_t *event, enum yaml_kind kind)
{
    struct yaml *node;

    if (wants_key(reader)) {
        refuse(reader, event->start_mark,
               "a key must be a word; a value that begins with { or [ needs quotes");
        return;
    }
    if (reader->depth == DEPTH_MAX) {
        refuse(reader, event->start_mark, "nested too deeply");
        return;
    }
    node = new_node(reader, kind, event->start_mark);
    hang(reader, node);
    reader->open[reader->depth] = node;
    reader->last[reader->depth++] = &node->first;
}

static void take_event(struct reader *reader, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        refuse(reader, event->start_mark, "aliases are not supported: write the value out");
        break;
    case YAML_SCALAR_EVENT:
        take_scalar(reader, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
        if (!dressed(reader, event, event->data.sequence_start.anchor,
                     event->data.sequence_start.tag))
            open_node(reader, event, YAML_LIST);
        break;
    case YAML_MAPPING_START_EVENT:
        if (!dressed(reader, event, event->data.mapping_start.anchor,
                     event->data.mapping_start.tag))
            open_node(reader, event, YAML_MAP);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        reader->depth--;
        break;
    case YAML_DOCUMENT_START_EVENT:
        if (reader->root)
            refuse(reader, event->start_mark, "a file holds one document: remove the ---");
        break;
    case YAML_STREAM_END_EVENT:
        reader->stop = true;
        break;
    default:
        break;
    }
}

static void tell_parser_fault(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    const char *problem = parser->problem ? parser->problem : "not understood";

    if (parser->context)
        diag_add(reader->diag, (unsigned)parser->problem_mark.line + 1,
                 (unsigned)parser->problem_mark.column + 1,
                 "not YAML: %s, %s (which began in line %u)", problem, parser->context,
                 (unsigned)parser->context_mark.line + 1);
    else if (parser->error == YAML_READER_ERROR)
        diag_add(reader->diag, 0, 0, "not YAML: %s at byte %zu", problem, parser->problem_offset);
    else
        diag_add(reader->diag, (unsigned)parser->problem_mark.line + 1,
                 (unsigned)parser->problem_mark.column + 1, "not YAML: %s", problem);
}

static void run(struct reader *reader)
{
    yaml_event_t event;

    while (!reader->stop) {
        if (!yaml_parser_parse(&reader->parser, &event)) {
            tell_parser_fault(reader);
            reader->stop = reader->refused = true;
            break;
        }
        take_event(reader, &event);
        yaml_event_delete(&event);
    }
}

struct yaml *yaml_parse(struct slice text, struct keep *keep, struct diag *diag,
                        yaml_variable *variable, void *with)
{
    struct reader reader = {
        .keep = keep, .diag = diag, .variable = variable ? variable : environment, .with = with};
    yaml_mark_t start = {0};

    if (!yaml_parser_initialize(&reader.parser)) {
        diag_add(diag, 0, 0, "no memory to read it");
        return NULL;
    }
    yaml_parser_set_input_string(&reader.parser, text.at ? text.at : (const uint8_t *)"", text.len);
    run(&reader);
    yaml_parser_delete(&reader.parser);
    if (reader.refused)
        return NULL;
    return reader.root ? reader.root : new_node(&reader, YAML_MAP, start);
}

struct yaml *yaml_read(const char *path, struct keep *keep, struct diag *diag)
{
    struct buf text = {0};
    struct yaml *root = NULL;
    FILE *file = fopen(path, "re");
    size_t got = 1;

    if (!file) {
        diag_add(diag, 0, 0, "cannot be opened: %s", strerror(errno));
        return NULL;
    }
    while (got > 0 && buf_len(&text) <= FILE_MAX) {
        got = fread(buf_room(&text, FILE_CHUNK), 1, FILE_CHUNK, file);
        buf_added(&text, got);
    }
    if (ferror(file))
        diag_add(diag, 0, 0, "cannot be read: %s", strerror(errno));
    else if (buf_len(&text) > FILE_MAX)
        diag_add(diag, 0, 0, "is larger than %d MB", FILE_MAX >> 20);
    else
        root = yaml_parse(buf_slice(&text), keep, diag, NULL, NULL);
    fclose(file);
    buf_clear(&text);
    return root;
}

struct yaml *yaml_child(const struct yaml *node, const char *key)
{
    if (!node || node->kind != YAML_MAP)
        return NULL;
    for (struct yaml *child = node->first; child; child = child->next)
        if (strcmp(child->key, key) == 0)
            return child;
    return NULL;
}

const char *yaml_kind_text(const struct yaml *node)
{
    static const char *const texts[] = {"a value", "a list", "a map"};

    return texts[node->kind];
}

/* Small letters, digits and underscores, and no word that YAML has a meaning for. */
static bool is_plain(const char *text)
{
    static const char *const words[] = {"true", "false", "null", "yes", "no",
                                        "on",   "off",   "y",    "n"};

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strcmp(text, words[i]) == 0)
            return false;
    return text[0] >= 'a' && text[0] <= 'z' &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

void yaml_put(struct buf *out, const char *text)
{
    if (is_plain(text)) {
        buf_put_slice(out, slice_text(text));
        return;
    }
    buf_put(out, "\"", 1);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c < ' ' || c == 0x7f)
            buf_printf(out, "\\x%02x", c);
        else
            buf_printf(out, "%s%c",
                       strchr("\"\\", c)            ? "\\"
                       : c == '$' && text[1] == '{' ? "$"
                                                    : "",
                       c);
    }
    buf_put(out, "\"", 1);
}
