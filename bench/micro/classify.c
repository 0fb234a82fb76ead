/* What the classification of a request costs, part by part: medians over many batches, in
 * nanoseconds. Run in bench/ or name a settings file: bench_classify [FILE]. */
#include <stdio.h>
#include <stdlib.h>

#include "app/offline.h"
#include "base/clock.h"
#include "rules/describe.h"
#include "sql/finger.h"
#include "sql/shapes.h"
#include "wire/read.h"
#include "wire/write.h"

enum { BATCHES = 201, SHAPES_BYTES = 64 << 20 };

/* About 300 bytes, as an ORM writes it. */
static const char LONG_TEXT[] =
    "SELECT \"public\".\"business_evaluations\".\"id\", "
    "\"public\".\"business_evaluations\".\"user_id\", "
    "\"public\".\"business_evaluations\".\"status\", "
    "\"public\".\"business_evaluations\".\"health_score\" "
    "FROM \"public\".\"business_evaluations\" WHERE (\"user_id\" = "
    "'0b5ad1a2-6d31-4d6e-9a3b-0d6f1f5d8e11' AND \"health_score\" > 40) LIMIT 20 OFFSET 0";
static const char SHORT_TEXT[] = "SELECT abalance FROM pgbench_accounts WHERE aid = 4711";
static const char PREPARED[] =
    "SELECT id, health_score FROM business_evaluations WHERE user_id = $1 AND health_score > $2";

struct subject {
    struct shapes *shapes;
    struct slice text;
    struct values kept, values; /* as a prepared statement keeps them; of the request */
    struct slice bind;          /* a Bind's body */
    struct known_shape *known;
    struct plan *plan;
    struct asker asker;
    uint64_t sum; /* of what was found, so that nothing is left out */
};

static void finger(struct subject *subject)
{
    struct hash128 hash;

    finger_text(subject->text, &hash, &subject->values);
    subject->sum += hash.low;
}

static void find(struct subject *subject)
{
    struct known_shape *known = shapes_find(subject->shapes, subject->text, NULL, &subject->values);

    subject->sum += known->calls;
    known_shape_unref(known);
}

static void judge(struct subject *subject)
{
    struct verdict verdict;

    plan_judge(subject->plan, &subject->values, &subject->asker, &verdict);
    subject->sum += (uint64_t)verdict.route;
}

static void simple(struct subject *subject)
{
    find(subject);
    judge(subject);
}

/* The text was looked at when it was prepared: values are bound to what is kept of it. */
static void prepared(struct subject *subject)
{
    struct read_bind bind;

    values_copy(&subject->values, &subject->kept);
    if (!read_bind(subject->bind, &bind))
        abort();
    subject->sum += bind.nvalues;
    judge(subject);
}

/* A text that was never seen: parsed, and judged against rules and catalog. */
static void parse(struct subject *subject)
{
    struct hash128 hash;
    struct shape *shape;

    finger_text(subject->text, &hash, &subject->values);
    shape = shape_new(subject->text, hash, &subject->values);
    subject->sum += shape->nrefs;
    shape_free(shape);
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

static void measure(const char *what, void (*run)(struct subject *), struct subject *subject,
                    unsigned calls)
{
    double took[BATCHES];

    for (unsigned i = 0; i < BATCHES; i++) {
        int64_t begin = clock_now();

        for (unsigned k = 0; k < calls; k++)
            run(subject);
        took[i] = (double)(clock_now() - begin) / calls;
    }
    qsort(took, BATCHES, sizeof(*took), compare);
    printf("%-44s %10.0f ns   (p10 %.0f, p90 %.0f)\n", what, took[BATCHES / 2], took[BATCHES / 10],
           took[BATCHES - BATCHES / 10]);
}

static void measure_text(struct settings *settings, struct shapes *shapes, const char *text)
{
    struct offline offline;
    struct subject subject = {.shapes = shapes,
                              .text = slice_text(text),
                              .asker = {"app", "app", "bench", "127.0.0.1:1", .user_tier = 0}};

    offline_begin(&offline, settings, NULL, subject.text);
    subject.plan = offline.plan;
    printf("\n%zu bytes: %.60s..\n", subject.text.len, text);
    measure("  fingerprint and values", finger, &subject, 1000);
    measure("  .. and the known shape", find, &subject, 1000);
    measure("  .. and the verdict: a simple query", simple, &subject, 1000);
    measure("  verdict alone", judge, &subject, 1000);
    measure("  a shape that was never seen", parse, &subject, 10);
    offline_end(&offline);
}

static void measure_prepared(struct settings *settings)
{
    struct buf body = {0};
    struct offline offline;
    struct subject subject = {.text = slice_text(PREPARED),
                              .asker = {"app", "app", "bench", "127.0.0.1:1", .user_tier = 0}};
    const uint8_t bind[] = "\0s1\0"
                           "\0\0\0\2"
                           "\0\0\0\044"
                           "0b5ad1a2-6d31-4d6e-9a3b-0d6f1f5d8e11"
                           "\0\0\0\2"
                           "40"
                           "\0\0";

    offline_begin(&offline, settings, NULL, subject.text);
    subject.plan = offline.plan;
    values_copy(&subject.kept, &offline.values);
    buf_put(&body, bind, sizeof(bind) - 1);
    subject.bind = buf_slice(&body);
    printf("\nprepared: %s\n", PREPARED);
    measure("  Bind read, values, verdict", prepared, &subject, 1000);
    buf_clear(&body);
    offline_end(&offline);
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "../conf/pgtier.yaml";
    struct diag diag = {.file = path};
    struct settings *settings;
    struct shapes shapes;
    struct buf said = {0};

    setenv("DATABASE_PRIMARY_URL", "postgresql://app@127.0.0.1:5432/app", 0);
    settings = settings_load(path, &diag);
    if (!settings) {
        diag_print(&diag, &said);
        fprintf(stderr, "%.*s", (int)buf_len(&said), (const char *)buf_slice(&said).at);
        return 1;
    }
    shapes_init(&shapes, SHAPES_BYTES, NULL);
    measure_text(settings, &shapes, LONG_TEXT);
    measure_text(settings, &shapes, SHORT_TEXT);
    measure_prepared(settings);
    shapes_clear(&shapes);
    settings_free(settings);
    diag_clear(&diag);
    return 0;
}
