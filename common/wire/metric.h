/* SPDX-License-Identifier: MIT */
#ifndef PN_WIRE_METRIC_H
#define PN_WIRE_METRIC_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/histogram.h"

/*
 * Metrics for Prometheus: its text format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/). Pure.
 */
#define METRIC_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define METRIC_LABELS_MAX   2

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM /* of seconds */ };

struct metric {
    const char *name; /* [a-z_]+; a counter's ends in _total */
    enum metric_type type;
    const char *help;
    const char *labels[METRIC_LABELS_MAX]; /* NULL: no more; none for a histogram */
};

/* "counter", "gauge", "histogram". */
const char *metric_type_name(enum metric_type type);

/* Append HELP and TYPE; all samples of the metric follow. */
void metric_put_head(struct buf *out, const struct metric *metric);

/* Append one sample of a counter or gauge; values for as many labels as it has, any bytes. */
void metric_put(struct buf *out, const struct metric *metric,
                const char *const values[METRIC_LABELS_MAX], uint64_t number);

/* Append all samples of a histogram. */
void metric_put_histogram(struct buf *out, const struct metric *metric,
                          const struct histogram *histogram);

#endif
