/* A strict reader of the Prometheus text format, for tests: stricter than Prometheus, which
 * forgives some of what it reads. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXPOSITION_SERIES = 4000 };

struct exposition_sample {
    char series[512]; /* name and labels but le, as written */
    char name[128], le[32];
    double value;
};

struct exposition {
    char fault[256]; /* empty: none */
    char family[128], type[16];
    char families[500][128];
    unsigned nfamilies, nsamples;
    struct exposition_sample samples[EXPOSITION_SERIES];
};

static inline bool exposition_fail(struct exposition *in, const char *what, const char *line)
{
    char fault[sizeof(in->fault)]; /* the text may lie in *in */

    snprintf(fault, sizeof(fault), "%s: %.180s", what, line);
    memcpy(in->fault, fault, sizeof(fault));
    return false;
}

static inline size_t exposition_name(const char *at, bool label)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    size_t len;

    if (!*at || !(strchr(first, *at) || (!label && *at == ':')))
        return 0;
    for (len = 1; at[len]; len++) {
        if (!strchr(first, at[len]) && !(at[len] >= '0' && at[len] <= '9') &&
            !(!label && at[len] == ':'))
            break;
    }
    return len;
}

/* "# HELP name text" or "# TYPE name type". */
static inline bool exposition_comment(struct exposition *in, const char *line)
{
    const char *name = line + 7;
    size_t len = exposition_name(name, false);

    if (len == 0 || name[len] != ' ')
        return exposition_fail(in, "no name", line);
    if (strncmp(line, "# HELP ", 7) == 0) {
        snprintf(in->family, sizeof(in->family), "%.*s", (int)len, name);
        in->type[0] = '\0';
        for (unsigned i = 0; i < in->nfamilies; i++) {
            if (strcmp(in->families[i], in->family) == 0)
                return exposition_fail(in, "a family twice", line);
        }
        strcpy(in->families[in->nfamilies++], in->family);
        return name[len + 1] || exposition_fail(in, "no help", line);
    }
    if (strncmp(line, "# TYPE ", 7) != 0)
        return exposition_fail(in, "neither HELP nor TYPE", line);
    if (in->type[0] || strncmp(in->family, name, len) != 0 || in->family[len])
        return exposition_fail(in, "TYPE not behind its HELP", line);
    snprintf(in->type, sizeof(in->type), "%s", name + len + 1);
    if (strcmp(in->type, "counter") && strcmp(in->type, "gauge") && strcmp(in->type, "histogram"))
        return exposition_fail(in, "no such type", line);
    return true;
}

/* Labels from behind `{`; gives where the line goes on, NULL: a fault. */
static inline const char *exposition_labels(const char *at, struct exposition_sample *sample)
{
    char seen[512] = ",";

    for (;;) {
        size_t len = exposition_name(at, true), from = strlen(sample->series);
        const char *label = at, *value;
        char mark[160];

        snprintf(mark, sizeof(mark), ",%.*s,", (int)len, label);
        if (len == 0 || at[len] != '=' || at[len + 1] != '"' || strstr(seen, mark))
            return NULL;
        strncat(seen, mark + 1, sizeof(seen) - strlen(seen) - 1);
        value = at += len + 2;
        for (; *at != '"'; at++) {
            if (!*at || (*at == '\\' && (++at, *at != 'n' && *at != '\\' && *at != '"')))
                return NULL;
        }
        if (len == 2 && strncmp(label, "le", 2) == 0)
            snprintf(sample->le, sizeof(sample->le), "%.*s", (int)(at - value), value);
        else
            snprintf(sample->series + from, sizeof(sample->series) - from, "%.*s,",
                     (int)(at + 1 - label), label);
        at++;
        if (*at == '}')
            return at + 1;
        if (*at++ != ',')
            return NULL;
    }
}

static inline bool exposition_belongs(const struct exposition *in, const char *name)
{
    size_t len = strlen(in->family);

    if (strcmp(in->type, "histogram") != 0)
        return strcmp(name, in->family) == 0;
    return strncmp(name, in->family, len) == 0 &&
           (!strcmp(name + len, "_bucket") || !strcmp(name + len, "_sum") ||
            !strcmp(name + len, "_count"));
}

static inline bool exposition_once(struct exposition *in, const struct exposition_sample *sample)
{
    for (unsigned i = 0; i + 1 < in->nsamples; i++) {
        if (strcmp(in->samples[i].series, sample->series) == 0 &&
            strcmp(in->samples[i].le, sample->le) == 0)
            return false;
    }
    return true;
}

static inline bool exposition_sample(struct exposition *in, const char *line)
{
    struct exposition_sample *sample = &in->samples[in->nsamples++];
    size_t len = exposition_name(line, false);
    const char *at = line + len;
    char *end;

    if (in->nsamples >= EXPOSITION_SERIES || len == 0 || len >= sizeof(sample->name))
        return exposition_fail(in, "no name", line);
    memset(sample, 0, sizeof(*sample));
    snprintf(sample->name, sizeof(sample->name), "%.*s", (int)len, line);
    snprintf(sample->series, sizeof(sample->series), "%.*s{", (int)len, line);
    if (*at == '{' && !(at = exposition_labels(at + 1, sample)))
        return exposition_fail(in, "labels", line);
    if (*at++ != ' ')
        return exposition_fail(in, "no value", line);
    sample->value = strtod(at, &end);
    if (end == at || *end)
        return exposition_fail(in, "value", line);
    if (!in->type[0] || !exposition_belongs(in, sample->name))
        return exposition_fail(in, "not of the family before it", line);
    if (strcmp(in->type, "counter") == 0 &&
        (sample->value < 0 || len < 6 || strcmp(sample->name + len - 6, "_total") != 0))
        return exposition_fail(in, "a counter that is none", line);
    return exposition_once(in, sample) || exposition_fail(in, "a series twice", line);
}

static inline const struct exposition_sample *exposition_find(const struct exposition *in,
                                                              const char *series, const char *le)
{
    for (unsigned i = 0; i < in->nsamples; i++) {
        if (strcmp(in->samples[i].series, series) == 0 && strcmp(in->samples[i].le, le) == 0)
            return &in->samples[i];
    }
    return NULL;
}

/* Buckets climb, and the last is the count. */
static inline bool exposition_buckets(struct exposition *in)
{
    for (unsigned i = 0; i < in->nsamples; i++) {
        const struct exposition_sample *at = &in->samples[i], *next = at + 1, *count;
        const char *suffix = strstr(at->name, "_bucket");
        char series[600];

        if (!at->le[0])
            continue;
        if (!suffix)
            return exposition_fail(in, "le outside a bucket", at->name);
        if (strcmp(at->le, "+Inf") != 0) {
            if (strcmp(next->series, at->series) != 0 || next->value < at->value ||
                strtod(next->le, NULL) <= strtod(at->le, NULL))
                return exposition_fail(in, "buckets do not climb", at->series);
            continue;
        }
        snprintf(series, sizeof(series), "%.*s_count%s", (int)(suffix - at->name), at->name,
                 at->series + (suffix - at->name) + 7);
        count = exposition_find(in, series, "");
        if (!count || count->value != at->value)
            return exposition_fail(in, "the last bucket is not the count", at->series);
    }
    return true;
}

/* Reads a whole page; in.fault says what is wrong with it. */
static inline bool exposition_read(struct exposition *in, const char *page, size_t len)
{
    const char *end = page + len;
    char line[2048];

    memset(in, 0, sizeof(*in));
    if (len == 0 || end[-1] != '\n')
        return exposition_fail(in, "no newline at the end", "");
    while (page < end) {
        const char *stop = memchr(page, '\n', (size_t)(end - page));

        snprintf(line, sizeof(line), "%.*s", (int)(stop - page), page);
        if (!(line[0] == '#' ? exposition_comment(in, line) : exposition_sample(in, line)))
            return false;
        page = stop + 1;
    }
    return exposition_buckets(in);
}
