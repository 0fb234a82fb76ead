/* Writes the text format: names and labels are given, escaping and the shape of histograms are
 * done here. */
#include "stats/prometheus.h"

#include "stats/escape.h"

#include <inttypes.h>
#include <stdio.h>

/* The usual 1-2.5-5 steps, and between them the targets people set for requests, so that the share
 * within a target can be read off a bucket. Microseconds. */
static const uint32_t bounds[] = {50,      100,     250,      500,     1000,    2500,
                                  5000,    10000,   25000,    50000,   100000,  250000,
                                  300000,  500000,  800000,   1000000, 1500000, 2000000,
                                  3000000, 5000000, 10000000, 30000000};

enum { NBOUNDS = sizeof(bounds) / sizeof(bounds[0]) };

void prometheus_family(struct buf *out, const char *name, enum prometheus_kind kind,
                       const char *help)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};

    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kinds[kind]);
}

static void begin(struct buf *out, const char *name, const char *suffix, const struct label *labels,
                  unsigned nlabels, const char *le)
{
    const char *between = "";

    buf_printf(out, "%s%s", name, suffix);
    if (nlabels == 0 && !le) {
        buf_put(out, " ", 1);
        return;
    }
    buf_put(out, "{", 1);
    for (unsigned i = 0; i < nlabels; i++, between = ",") {
        buf_printf(out, "%s%s=\"", between, labels[i].name);
        escape_label(out, labels[i].value);
        buf_put(out, "\"", 1);
    }
    if (le)
        buf_printf(out, "%sle=\"%s\"", between, le);
    buf_put(out, "} ", 2);
}

void prometheus_count(struct buf *out, const char *name, const struct label *labels,
                      unsigned nlabels, uint64_t value)
{
    begin(out, name, "", labels, nlabels, NULL);
    buf_printf(out, "%" PRIu64 "\n", value);
}

void prometheus_value(struct buf *out, const char *name, const struct label *labels,
                      unsigned nlabels, double value)
{
    begin(out, name, "", labels, nlabels, NULL);
    buf_printf(out, "%.12g\n", value);
}

void prometheus_histogram(struct buf *out, const char *name, const struct label *labels,
                          unsigned nlabels, const struct histo *histo)
{
    char le[32];

    for (unsigned i = 0; i < NBOUNDS; i++) {
        snprintf(le, sizeof(le), "%g", bounds[i] / 1e6);
        begin(out, name, "_bucket", labels, nlabels, le);
        buf_printf(out, "%" PRIu64 "\n", histo_under(histo, bounds[i] * UINT64_C(1000)));
    }
    begin(out, name, "_bucket", labels, nlabels, "+Inf");
    buf_printf(out, "%" PRIu64 "\n", histo->count);
    begin(out, name, "_sum", labels, nlabels, NULL);
    buf_printf(out, "%.12g\n", (double)histo->sum / 1e9);
    begin(out, name, "_count", labels, nlabels, NULL);
    buf_printf(out, "%" PRIu64 "\n", histo->count);
}
