/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/store_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/log.h"
#include "tests/unit/unit.h"

#define LOADED_MAX 2000
#define SOME       1000

struct fixture {
    char path[64];
    struct loop *loop;
    struct store *store;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    log_open("test", LOG_TARGET_NOWHERE, LOG_LEVEL_DEBUG);
    snprintf(fixture->path, sizeof(fixture->path), "/tmp/pn-counters-XXXXXX");
    assert_non_null(mkdtemp(fixture->path));
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {STORE_FILE_NAME, STORE_FILE_NAME "-lock", STORE_FILE_LOCK};
    struct fixture *fixture = *state;
    char path[256];

    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", fixture->path, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(fixture->path), 0);
    free(fixture);
    return 0;
}

static void open_store(struct fixture *fixture)
{
    struct error error = {0};

    fixture->loop = loop_new();
    fixture->store = store_file_open(fixture->path, fixture->loop, &error);
    if (!fixture->store)
        fail_msg("%s", error.text);
}

static void close_store(struct fixture *fixture)
{
    fixture->store->free(fixture->store);
    loop_free(&fixture->loop);
}

static void on_done(const struct error *error, void *ctx)
{
    struct fixture *fixture = ctx;

    if (error)
        fail_msg("%s", error->text);
    loop_stop(fixture->loop);
}

#define NOW INT64_C(1790000000000)

struct loaded_counter {
    struct store_counter counter;
    uint32_t hashes[STORE_HASHES_MAX];
};

struct loaded_counters {
    struct loaded_counter items[LOADED_MAX];
    size_t count;
};

static void on_counter(const struct store_counter *counter, const uint32_t *hashes, void *ctx)
{
    struct loaded_counters *loaded = ctx;
    assert_true(loaded->count < LOADED_MAX);
    struct loaded_counter *item = &loaded->items[loaded->count++];
    item->counter = *counter;
    memcpy(item->hashes, hashes, counter->hash_count * sizeof(*hashes));
}

static struct loaded_counters *load_counters(struct fixture *fixture)
{
    static struct loaded_counters loaded;
    struct error error;

    loaded.count = 0;
    assert_int_equal(fixture->store->load_counters(fixture->store, on_counter, &loaded, &error), 0);
    return &loaded;
}

static void add_counter(struct store_counters *batch, uint64_t jail, const char *key,
                        int64_t end_wall_ms)
{
    struct store_counter *item = &batch->items[batch->count++];

    *item = (struct store_counter){.jail = jail,
                                   .start_wall_ms = end_wall_ms - 1000,
                                   .end_wall_ms = end_wall_ms,
                                   .current = (uint32_t)batch->count,
                                   .hash_count = 2,
                                   .hash_old_count = 1,
                                   .hash_at = batch->hash_count};
    assert_int_equal(prefix_parse(key, &item->key), 0);
    batch->hashes[batch->hash_count++] = (uint32_t)batch->count;
    batch->hashes[batch->hash_count++] = (uint32_t)batch->count + 1000;
    batch->now_wall_ms = NOW;
}

static void add_gone(struct store_counters *batch, uint64_t jail, uint8_t bits, const char *within)
{
    struct store_gone *gone = &batch->gone[batch->gone_count++];

    *gone = (struct store_gone){.jail = jail, .bits = bits};
    assert_int_equal(prefix_parse(within, &gone->within), 0);
}

static void write_counters(struct fixture *fixture, struct store_counters *batch)
{
    fixture->store->put_counters(fixture->store, batch, on_done, fixture);
    loop_run(fixture->loop);
    batch->count = batch->gone_count = batch->hash_count = 0;
}

static void counters_are_found_again(void **state)
{
    struct fixture *fixture = *state;
    struct store_counters *batch = calloc(1, sizeof(*batch));

    assert_non_null(batch);
    open_store(fixture);
    assert_int_equal(load_counters(fixture)->count, 0);
    add_counter(batch, 7, "203.0.113.7", NOW + 5);
    add_counter(batch, UINT64_MAX, "2001:db8:1:2::/64", NOW + 5);
    add_counter(batch, 7, "203.0.113.7", NOW + 9);
    write_counters(fixture, batch);
    close_store(fixture);
    open_store(fixture);
    struct loaded_counters *loaded = load_counters(fixture);
    assert_int_equal(loaded->count, 2);
    assert_int_equal(loaded->items[0].counter.jail, 7);
    assert_int_equal(loaded->items[0].counter.end_wall_ms, NOW + 9);
    assert_int_equal(loaded->items[0].counter.current, 3);
    assert_int_equal(loaded->items[0].hashes[1], 1003);
    assert_true(loaded->items[1].counter.jail == UINT64_MAX);
    close_store(fixture);
    free(batch);
}

static void what_is_forgotten_is_gone_with_all_in_and_around_it(void **state)
{
    static const char *const keys[] = {"203.0.112.255", "203.0.113.0", "203.0.113.7",
                                       "203.0.113.255", "203.0.114.0", "2001:db8::/64"};
    static const struct {
        const char *within;
        uint8_t bits;
        size_t left;
    } cases[] = {
        {"203.0.113.7", 32, 5}, {"203.0.113.0/24", 32, 3}, {"203.0.113.8", 32, 6},
        {"0.0.0.0/0", 32, 1},   {"2001:db8::1", 64, 5},    {"2001:db8::/32", 64, 5},
    };
    struct fixture *fixture = *state;
    struct store_counters *batch = calloc(1, sizeof(*batch));

    assert_non_null(batch);
    open_store(fixture);
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t k = 0; k < 2 * COUNT(keys); k++)
            add_counter(batch, 6 + k % 2, keys[k / 2], NOW + 5);
        write_counters(fixture, batch);
        add_gone(batch, 6, cases[i].bits, cases[i].within);
        write_counters(fixture, batch);
        CASE(cases[i].within, load_counters(fixture)->count == COUNT(keys) + cases[i].left);
    }
    /* Gone and counted again: it is there. */
    add_gone(batch, 6, 32, keys[0]);
    add_counter(batch, 6, keys[0], NOW + 7);
    write_counters(fixture, batch);
    assert_int_equal(load_counters(fixture)->items[0].counter.end_wall_ms, NOW + 7);
    close_store(fixture);
    free(batch);
}

static void what_ended_is_swept_out(void **state)
{
    struct fixture *fixture = *state;
    struct store_counters *batch = calloc(1, sizeof(*batch));
    char key[32];

    assert_non_null(batch);
    open_store(fixture);
    for (unsigned i = 0; i < SOME; i++) {
        snprintf(key, sizeof(key), "203.0.%u.%u", i / 256, i % 256);
        add_counter(batch, 7, key, i % 10 ? NOW + 1000 : NOW + 5000);
    }
    write_counters(fixture, batch);
    assert_int_equal(load_counters(fixture)->count, SOME);
    for (int round = 0; round < 40; round++) {
        add_counter(batch, 7, "198.51.100.1", NOW + 9000);
        batch->now_wall_ms = NOW + 1000;
        write_counters(fixture, batch);
    }
    assert_int_equal(load_counters(fixture)->count, SOME / 10 + 1);
    close_store(fixture);
    free(batch);
}

#define STORE_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(counters_are_found_again),
        STORE_TEST(what_is_forgotten_is_gone_with_all_in_and_around_it),
        STORE_TEST(what_ended_is_swept_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
