/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/wire/metric.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

static void a_metric_has_help_type_and_samples(void **state)
{
    static const struct metric metric = {
        "x_requests_total", METRIC_COUNTER, "Requests.", {"verdict"}};
    struct buf out = {0};

    (void)state;
    metric_put_head(&out, &metric);
    metric_put(&out, &metric, (const char *[]){"go_on", NULL}, 0);
    metric_put(&out, &metric, (const char *[]){"banned", NULL}, UINT64_MAX);
    assert_string_equal(buf_str(&out), "# HELP x_requests_total Requests.\n"
                                       "# TYPE x_requests_total counter\n"
                                       "x_requests_total{verdict=\"go_on\"} 0\n"
                                       "x_requests_total{verdict=\"banned\"} "
                                       "18446744073709551615\n");
    buf_fini(&out);
}

static void labels_are_none_one_or_two(void **state)
{
    static const struct metric none = {"x", METRIC_GAUGE, "", {NULL}};
    static const struct metric two = {"x", METRIC_GAUGE, "", {"a", "b"}};
    struct buf out = {0};

    (void)state;
    metric_put(&out, &none, NULL, 1);
    metric_put(&out, &two, (const char *[]){"", "2"}, 2);
    assert_string_equal(buf_str(&out), "x 1\nx{a=\"\",b=\"2\"} 2\n");
    buf_fini(&out);
}

static void nothing_in_a_text_ends_it(void **state)
{
    static const struct metric metric = {"x", METRIC_GAUGE, "a \"b\" \\ c\nd", {"l"}};
    struct buf out = {0};

    (void)state;
    metric_put_head(&out, &metric);
    metric_put(&out, &metric, (const char *[]){"q\"b\\n\nu\xc3\xa9}", NULL}, 1);
    assert_string_equal(buf_str(&out), "# HELP x a \"b\" \\\\ c\\nd\n# TYPE x gauge\n"
                                       "x{l=\"q\\\"b\\\\n\\nu\xc3\xa9}\"} 1\n");
    buf_fini(&out);
}

static void a_histogram_adds_up(void **state)
{
    static const struct metric metric = {"x_seconds", METRIC_HISTOGRAM, "Time.", {NULL}};
    struct histogram histogram = {0};
    struct buf out = {0};

    (void)state;
    for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
        histogram_add(&histogram, histogram_bounds_ms[i]);
        histogram_add(&histogram, (int64_t)histogram_bounds_ms[i] + 1);
    }
    histogram_add(&histogram, -5);
    histogram_add(&histogram, 0);
    metric_put_head(&out, &metric);
    metric_put_histogram(&out, &metric, &histogram);
    assert_string_equal(buf_str(&out), "# HELP x_seconds Time.\n# TYPE x_seconds histogram\n"
                                       "x_seconds_bucket{le=\"0.001\"} 3\n"
                                       "x_seconds_bucket{le=\"0.002\"} 5\n"
                                       "x_seconds_bucket{le=\"0.005\"} 7\n"
                                       "x_seconds_bucket{le=\"0.01\"} 9\n"
                                       "x_seconds_bucket{le=\"0.025\"} 11\n"
                                       "x_seconds_bucket{le=\"0.05\"} 13\n"
                                       "x_seconds_bucket{le=\"0.1\"} 15\n"
                                       "x_seconds_bucket{le=\"0.25\"} 17\n"
                                       "x_seconds_bucket{le=\"0.5\"} 19\n"
                                       "x_seconds_bucket{le=\"1\"} 21\n"
                                       "x_seconds_bucket{le=\"2.5\"} 23\n"
                                       "x_seconds_bucket{le=\"5\"} 25\n"
                                       "x_seconds_bucket{le=\"10\"} 27\n"
                                       "x_seconds_bucket{le=\"25\"} 29\n"
                                       "x_seconds_bucket{le=\"+Inf\"} 30\n"
                                       "x_seconds_sum 88.900\nx_seconds_count 30\n");
    buf_fini(&out);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_metric_has_help_type_and_samples),
        cmocka_unit_test(labels_are_none_one_or_two),
        cmocka_unit_test(nothing_in_a_text_ends_it),
        cmocka_unit_test(a_histogram_adds_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
