/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/wire/metric.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>

const char *metric_type_name(enum metric_type type)
{
    static const char *const names[] = {
        [METRIC_COUNTER] = "counter",
        [METRIC_GAUGE] = "gauge",
        [METRIC_HISTOGRAM] = "histogram",
    };
    return names[type];
}

static void put_escaped(struct buf *out, const char *text, bool quotes_too)
{
    for (; *text; text++) {
        if (*text == '\n')
            buf_puts(out, "\\n");
        else if (*text == '\\' || (*text == '"' && quotes_too))
            buf_printf(out, "\\%c", *text);
        else
            buf_putc(out, *text);
    }
}

void metric_put_head(struct buf *out, const struct metric *metric)
{
    buf_printf(out, "# HELP %s ", metric->name);
    put_escaped(out, metric->help, false);
    buf_printf(out, "\n# TYPE %s %s\n", metric->name, metric_type_name(metric->type));
}

void metric_put(struct buf *out, const struct metric *metric,
                const char *const values[METRIC_LABELS_MAX], uint64_t number)
{
    buf_puts(out, metric->name);
    for (size_t i = 0; i < METRIC_LABELS_MAX && metric->labels[i]; i++) {
        buf_printf(out, "%c%s=\"", i ? ',' : '{', metric->labels[i]);
        put_escaped(out, values[i], true);
        buf_putc(out, '"');
    }
    buf_printf(out, "%s %" PRIu64 "\n", metric->labels[0] ? "}" : "", number);
}

static uint64_t load(const atomic_uint_fast64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

void metric_put_histogram(struct buf *out, const struct metric *metric,
                          const struct histogram *histogram)
{
    uint64_t sum_ms = load(&histogram->sum_ms), count = 0;

    for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
        count += load(&histogram->counts[i]);
        buf_printf(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", metric->name,
                   histogram_bounds_ms[i] / 1000.0, count);
    }
    count += load(&histogram->counts[HISTOGRAM_BOUNDS]);
    buf_printf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", metric->name, count);
    buf_printf(out, "%s_sum %" PRIu64 ".%03" PRIu64 "\n", metric->name, sum_ms / 1000,
               sum_ms % 1000);
    buf_printf(out, "%s_count %" PRIu64 "\n", metric->name, count);
}
