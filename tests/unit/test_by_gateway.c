/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/by_gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "tests/unit/unit.h"

#define THREADS 8
#define TIMES   2000

static char vps1[] = "vps1", vps2[] = "vps2";
static const struct config_gateway gateways[] = {{.name = vps1}, {.name = vps2}};
static const struct metric metric = {"x_total", METRIC_COUNTER, "X.", {"gateway"}};

static void *count_many(void *ctx)
{
    for (int i = 0; i < TIMES; i++) {
        struct origin origin = {.kind = ORIGIN_MASKED, .gateway = &gateways[i % 2]};
        by_gateway_count(ctx, &origin);
    }
    return NULL;
}

static void each_gateway_has_its_count(void **state)
{
    struct by_gateway counts = {NULL};
    pthread_t threads[THREADS];
    struct buf out = {0};

    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, &counts), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    by_gateway_put(&counts, &metric, &out);
    assert_non_null(strstr(buf_str(&out), "x_total{gateway=\"vps1\"} 8000\n"));
    assert_non_null(strstr(buf_str(&out), "x_total{gateway=\"vps2\"} 8000\n"));
    assert_int_equal(out.len, 2 * strlen("x_total{gateway=\"vps1\"} 8000\n"));
    buf_fini(&out);
    by_gateway_fini(&counts);
}

/* Another configuration has another struct for the same gateway. */
static void the_name_counts(void **state)
{
    char name[] = "vps1";
    const struct config_gateway again = {.name = name};
    struct by_gateway counts = {NULL};
    struct buf out = {0};

    (void)state;
    by_gateway_count(&counts, &(struct origin){.gateway = &gateways[0]});
    by_gateway_count(&counts, &(struct origin){.gateway = &again});
    by_gateway_count(&counts, &(struct origin){.kind = ORIGIN_LOCAL});
    name[0] = 'x';
    by_gateway_put(&counts, &metric, &out);
    assert_string_equal(buf_str(&out), "x_total{gateway=\"vps1\"} 2\n");
    buf_fini(&out);
    by_gateway_fini(&counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_gateway_has_its_count),
        cmocka_unit_test(the_name_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
