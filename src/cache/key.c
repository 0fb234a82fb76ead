/* Keys. The hash is made of two seeded 64-bit hashes of every part; the seed is this process's
 * secret, so that nobody can look for two questions of one key from outside. */
#include "cache/key.h"

#include <stdio.h>

enum { HASH_DIGITS = 32 };
static const unsigned PART_MAX = 64;

/* The material: two hashes of each part of bytes, whatever their length, and plain numbers. */
struct material {
    uint64_t seeds[2];
    uint64_t words[32 + VALUES_MAX * 4];
    unsigned count;
};

static void put_number(struct material *material, uint64_t number)
{
    material->words[material->count++] = number;
}

static void put_bytes(struct material *material, struct slice bytes)
{
    put_number(material, hash_bytes_seed(bytes.at, bytes.len, material->seeds[0]));
    put_number(material, hash_bytes_seed(bytes.at, bytes.len, material->seeds[1]));
}

static void put_value(struct material *material, const struct value *value)
{
    put_number(material, (uint64_t)value->oid << 32 | (uint64_t)value->list << 16 |
                             (uint64_t)value->kind << 8 | (unsigned)value->escaped << 1 |
                             value->backslash);
    put_number(material, (uint64_t)value->number << 32 ^ value->bytes.len);
    put_bytes(material, value->bytes);
}

static struct hash128 make_hash(const struct key_parts *parts)
{
    struct material material = {
        .seeds = {parts->name_space, hash_join(parts->name_space, parts->name_space)}};
    const struct values *values = parts->values;

    put_number(&material, parts->name_space);
    put_bytes(&material, parts->database);
    put_bytes(&material, parts->user);
    put_number(&material, parts->settings);
    put_number(&material, parts->shape->hash.low);
    put_number(&material, parts->shape->hash.high);
    put_bytes(&material, parts->results);
    put_number(&material, values->count);
    for (unsigned i = 0; i < values_stored(values); i++)
        put_value(&material, &values->at[i]);
    return (struct hash128){
        hash_bytes_seed(material.words, material.count * sizeof(uint64_t), material.seeds[0]),
        hash_bytes_seed(material.words, material.count * sizeof(uint64_t), material.seeds[1])};
}

/* The readable text, with the place that its hash needs kept free behind it. */
struct text {
    struct key *key;
    unsigned end; /* of the part that is being written */
};

static bool is_plain(uint8_t byte)
{
    return byte > ' ' && byte < 0x7f && byte != ':' && byte != '%';
}

/* Writes one byte as keys write it; returns how many bytes that took, 0 where there is no room. */
static unsigned write_byte(uint8_t byte, char *out, size_t room)
{
    static const char digits[] = "0123456789ABCDEF";

    if (room < (is_plain(byte) ? 1 : 3))
        return 0;
    if (is_plain(byte)) {
        out[0] = (char)byte;
        return 1;
    }
    out[0] = '%';
    out[1] = digits[byte >> 4];
    out[2] = digits[byte & 15];
    return 3;
}

size_t key_write(struct slice value, char *out, size_t cap)
{
    size_t len = 0, room = cap < PART_MAX ? cap : PART_MAX;

    for (size_t i = 0; i < value.len; i++) {
        unsigned written = write_byte(value.at[i], out + len, room - len);

        if (!written)
            break;
        len += written;
    }
    return len;
}

static void put_text(struct text *text, struct slice part)
{
    struct key *key = text->key;

    for (size_t i = 0; i < part.len; i++) {
        unsigned written = key->len < text->end
                               ? write_byte(part.at[i], key->text + key->len, text->end - key->len)
                               : 0;

        if (!written)
            return;
        key->len += (uint16_t)written;
    }
}

static void put_raw(struct text *text, char byte)
{
    if (text->key->len < text->end)
        text->key->text[text->key->len++] = byte;
}

static void put_listed(struct text *text, struct slice part, unsigned *listed)
{
    if ((*listed)++ > 0)
        put_raw(text, ',');
    put_text(text, part);
}

/* Limits what follows to PART_MAX bytes and the room there is. */
static void begin_part(struct text *text)
{
    unsigned room = KEY_MAX - 1 - HASH_DIGITS - 1, end = text->key->len + PART_MAX;

    text->end = end < room ? end : room;
}

/* What is not known is written '-'. */
static void put_placeholder(struct text *text, const struct key_parts *parts, struct slice name)
{
    const struct shape *shape = parts->shape;
    unsigned listed = 0;

    begin_part(text);
    for (unsigned i = 0; slice_is(name, "metric") && i < shape->nmetrics; i++)
        put_listed(text, slice_text(shape->metrics[i]), &listed);
    for (unsigned i = 0; slice_is(name, "path") && i < shape->npaths; i++)
        put_listed(text, slice_text(shape->paths[i].path), &listed);
    for (unsigned i = 0; listed == 0 && i < parts->npins; i++)
        for (unsigned k = i; slice_is(name, parts->pins[i].column) && k < parts->npins; k++)
            if (slice_is(name, parts->pins[k].column))
                put_listed(text, parts->pins[k].value, &listed);
    if (listed == 0)
        put_raw(text, '-');
}

static void put_pattern(struct text *text, const struct key_parts *parts)
{
    const char *at = parts->cache->key;

    while (*at) {
        const char *close = *at == '{' ? strchr(at, '}') : NULL;

        if (close) {
            put_placeholder(text, parts, slice_of(at + 1, (size_t)(close - at - 1)));
            at = close + 1;
        } else {
            begin_part(text);
            put_raw(text, *at++);
        }
    }
}

void key_make(const struct key_parts *parts, struct key *key)
{
    struct text text = {.key = key};

    key->hash = make_hash(parts);
    key->len = 0;
    put_pattern(&text, parts);
    key->len +=
        (uint16_t)snprintf(key->text + key->len, 2 + HASH_DIGITS, ":%016llx%016llx",
                           (unsigned long long)key->hash.high, (unsigned long long)key->hash.low);
}
