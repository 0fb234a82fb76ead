#include "base/units.h"

#include <stdio.h>

struct unit {
    const char *name;
    uint64_t size;
};

/* Ascending; of two names for one size the first is written. */
static const struct unit durations[] = {
    {"ns", 1},
    {"us", 1000},
    {"ms", 1000000},
    {"s", 1000000000},
    {"min", 60 * UINT64_C(1000000000)},
    {"m", 60 * UINT64_C(1000000000)},
    {"h", 3600 * UINT64_C(1000000000)},
    {"d", 86400 * UINT64_C(1000000000)},
    {"w", 7 * 86400 * UINT64_C(1000000000)},
};
static const struct unit sizes[] = {
    {"B", 1},
    {"kB", UINT64_C(1) << 10},
    {"MB", UINT64_C(1) << 20},
    {"GB", UINT64_C(1) << 30},
    {"TB", UINT64_C(1) << 40},
};

enum { DURATIONS = sizeof(durations) / sizeof(*durations), SIZES = sizeof(sizes) / sizeof(*sizes) };
enum { WRITTEN_DURATIONS = DURATIONS - 1 }; /* to days: 14d says more than 2w */
enum { FRACTION_DIGITS = 9 };

struct number {
    uint64_t whole, fraction, scale; /* whole + fraction / scale */
};

static bool is_digit(struct slice text)
{
    return text.len && text.at[0] >= '0' && text.at[0] <= '9';
}

static bool take_number(struct slice *text, struct number *number)
{
    *number = (struct number){0, 0, 1};
    if (!is_digit(*text))
        return false;
    for (; is_digit(*text); *text = slice_skip(*text, 1))
        if (__builtin_mul_overflow(number->whole, 10, &number->whole) ||
            __builtin_add_overflow(number->whole, text->at[0] - '0', &number->whole))
            return false;
    if (!text->len || text->at[0] != '.')
        return true;
    *text = slice_skip(*text, 1);
    if (!is_digit(*text))
        return false;
    for (int digits = 0; is_digit(*text); *text = slice_skip(*text, 1)) {
        if (++digits > FRACTION_DIGITS)
            return false;
        number->fraction = number->fraction * 10 + (uint64_t)(text->at[0] - '0');
        number->scale *= 10;
    }
    return true;
}

static struct slice trim(struct slice text)
{
    while (text.len && text.at[0] == ' ')
        text = slice_skip(text, 1);
    while (text.len && text.at[text.len - 1] == ' ')
        text.len--;
    return text;
}

static bool multiply(const struct number *number, uint64_t unit, uint64_t max, uint64_t *value)
{
    unsigned __int128 total = (unsigned __int128)number->whole * unit +
                              (unsigned __int128)number->fraction * unit / number->scale;

    *value = (uint64_t)total;
    return total <= max;
}

bool units_duration(struct slice text, int64_t *ns)
{
    struct number number;
    uint64_t value;

    text = trim(text);
    if (!take_number(&text, &number))
        return false;
    text = trim(text);
    *ns = 0;
    if (!text.len)
        return number.whole == 0 && number.fraction == 0;
    for (unsigned i = 0; i < DURATIONS; i++) {
        if (!slice_is(text, durations[i].name))
            continue;
        if (!multiply(&number, durations[i].size, INT64_MAX, &value))
            return false;
        *ns = (int64_t)value;
        return true;
    }
    return false;
}

bool units_size(struct slice text, uint64_t *bytes)
{
    struct number number;

    text = trim(text);
    if (!take_number(&text, &number))
        return false;
    text = trim(text);
    if (!text.len)
        return number.fraction == 0 && multiply(&number, 1, UINT64_MAX, bytes);
    for (unsigned i = 0; i < SIZES; i++)
        if (slice_is_nocase(text, sizes[i].name))
            return multiply(&number, sizes[i].size, UINT64_MAX, bytes);
    return false;
}

static const struct unit *largest_in(const struct unit *units, unsigned count, uint64_t value)
{
    const struct unit *found = &units[0];

    for (unsigned i = 1; i < count; i++)
        if (units[i].size <= value && units[i].size > found->size)
            found = &units[i];
    return found;
}

/* The largest unit of which the value is a number of at most four digits; NULL where there is none.
 */
static const struct unit *whole_in(const struct unit *units, unsigned count, uint64_t value)
{
    const struct unit *found = NULL;

    for (unsigned i = 0; i < count; i++)
        if (value % units[i].size == 0 && value / units[i].size < 10000 &&
            (!found || units[i].size > found->size))
            found = &units[i];
    return found;
}

/* In hundredths of its largest unit where that is exact, else whole in a smaller one, else rounded
 * to hundredths. */
static void write_value(const struct unit *units, unsigned count, uint64_t value, const char *sign,
                        char out[24])
{
    const struct unit *unit = largest_in(units, count, value);
    const struct unit *smaller = whole_in(units, count, value);
    unsigned __int128 scaled = (unsigned __int128)value * 100;
    uint64_t hundredths = (uint64_t)((scaled + unit->size / 2) / unit->size);
    unsigned part = (unsigned)(hundredths % 100);

    if (scaled % unit->size && smaller) {
        unit = smaller;
        hundredths = value / unit->size * 100;
        part = 0;
    }
    if (!part)
        snprintf(out, 24, "%s%llu%s", sign, (unsigned long long)(hundredths / 100), unit->name);
    else if (part % 10)
        snprintf(out, 24, "%s%llu.%02u%s", sign, (unsigned long long)(hundredths / 100), part,
                 unit->name);
    else
        snprintf(out, 24, "%s%llu.%u%s", sign, (unsigned long long)(hundredths / 100), part / 10,
                 unit->name);
}

void units_duration_text(int64_t ns, char out[24])
{
    uint64_t value = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;

    if (!value)
        snprintf(out, 24, "0s");
    else
        write_value(durations, WRITTEN_DURATIONS, value, ns < 0 ? "-" : "", out);
}

void units_size_text(uint64_t bytes, char out[24])
{
    write_value(sizes, SIZES, bytes, "", out);
}
