/* The Prometheus text format, version 0.0.4: families of samples written one after the other. Knows
 * nothing of what is measured. Cannot fail. */
#pragma once

#include "base/buf.h"
#include "base/histo.h"

#define PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct label {
    const char *name;
    const char *value; /* any text; escaped here */
};

enum prometheus_kind { PROMETHEUS_COUNTER, PROMETHEUS_GAUGE, PROMETHEUS_HISTOGRAM };

/* HELP and TYPE, before all samples of the family; they follow without others in between. `help` is
 * one line without a backslash. */
void prometheus_family(struct buf *out, const char *name, enum prometheus_kind kind,
                       const char *help);
void prometheus_count(struct buf *out, const char *name, const struct label *labels,
                      unsigned nlabels, uint64_t value);
void prometheus_value(struct buf *out, const char *name, const struct label *labels,
                      unsigned nlabels, double value);
/* Buckets in seconds, sum and count. */
void prometheus_histogram(struct buf *out, const char *name, const struct label *labels,
                          unsigned nlabels, const struct histo *histo);
