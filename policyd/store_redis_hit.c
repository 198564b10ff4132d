/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/map.h"
#include "common/base/mem.h"
#include "policyd/store_redis_internal.h"
#include "policyd/store_redis_text.h"

#define RESEND_MAX 1000 /* of the queue, on their way at once */

/* One event of one key, until it is counted or given up. */
struct redis_hit {
    struct redis_wait wait;
    struct redis_hit *prev, *next;               /* of all */
    struct redis_hit *prev_queued, *next_queued; /* while is_queued */
    bool is_queued;
    bool is_resent; /* on its way from the queue */
    bool has_said;  /* that it is late */
    bool is_look;   /* nothing is counted: not worth a place in the queue */
    bool is_sent;
    struct redis_store *store;
    struct prefix key;
    int64_t at_mono_ms;
    int64_t lifted_mono_ms; /* -1: none is */
    store_hit_fn fn;
    void *ctx;
    size_t count;
    struct store_hit_jail jails[];
};

static struct redis_hit *hit_new(struct redis_store *store, const struct store_hit *from,
                                 store_hit_fn fn, void *ctx)
{
    struct redis_hit *hit = x_calloc(1, sizeof(*hit) + from->count * sizeof(*hit->jails));
    int64_t now_ms = clock_mono_ms(store->clock);

    *hit = (struct redis_hit){
        .next = store->hits,
        .is_look = true,
        .store = store,
        .key = from->key,
        .at_mono_ms = now_ms - from->age_ms,
        .lifted_mono_ms = from->lifted_ms < 0 ? -1 : now_ms - from->lifted_ms,
        .fn = fn,
        .ctx = ctx,
        .count = from->count,
    };
    memcpy(hit->jails, from->jails, from->count * sizeof(*hit->jails));
    for (size_t i = 0; i < hit->count; i++)
        hit->is_look &= !hit->jails[i].by.weight;
    if (hit->next)
        hit->next->prev = hit;
    store->hits = hit;
    return hit;
}

static void unqueue(struct redis_hit *hit)
{
    struct redis_store *store = hit->store;

    if (!hit->is_queued)
        return;
    *(hit->prev_queued ? &hit->prev_queued->next_queued : &store->first_queued) = hit->next_queued;
    *(hit->next_queued ? &hit->next_queued->prev_queued : &store->last_queued) = hit->prev_queued;
    hit->is_queued = false;
    store->queued--;
}

static void hit_free(struct redis_hit *hit)
{
    struct redis_store *store = hit->store;

    *(hit->prev ? &hit->prev->next : &store->hits) = hit->next;
    if (hit->next)
        hit->next->prev = hit->prev;
    unqueue(hit);
    redis_store_stop_waiting(store, &hit->wait);
    free(hit);
}

void redis_store_free_hits(struct redis_store *store)
{
    struct redis_hit *next = NULL;

    for (struct redis_hit *hit = store->hits; hit; hit = next) {
        next = hit->next;
        hit_free(hit);
    }
}

/* --- the queue --------------------------------------------------------------------------- */

static void say_late(struct redis_hit *hit)
{
    redis_store_stop_waiting(hit->store, &hit->wait);
    if (hit->has_said)
        return;
    hit->has_said = true;
    hit->fn(STORE_HIT_LATE, NULL, hit->ctx);
}

static void give_up(struct redis_hit *hit)
{
    store_hit_fn fn = hit->fn;
    void *ctx = hit->ctx;

    hit_free(hit);
    fn(STORE_HIT_LOST, NULL, ctx);
}

static void queue_up(struct redis_hit *hit)
{
    struct redis_store *store = hit->store;

    if (store->queued >= STORE_REDIS_QUEUE_MAX) {
        store->dropped++;
        give_up(store->first_queued);
    }
    hit->prev_queued = store->last_queued;
    hit->next_queued = NULL;
    *(store->last_queued ? &store->last_queued->next_queued : &store->first_queued) = hit;
    store->last_queued = hit;
    hit->is_queued = true;
    store->queued++;
}

/* --- on its way --------------------------------------------------------------------------- */

static void take_answers(struct redis_hit *hit, const struct redis_value *value)
{
    struct store_hit_answer answers[STORE_HIT_JAILS_MAX];
    size_t len;
    const char *text = redis_string(value, &len);
    store_hit_fn fn = hit->fn;
    void *ctx = hit->ctx;

    if (redis_kind(value) != REDIS_STRING ||
        store_redis_read_answers(text, len, hit->count, answers)) {
        redis_store_complain(hit->store, "an event", value);
        give_up(hit);
        return;
    }
    hit_free(hit);
    fn(STORE_HIT_ANSWER, answers, ctx);
}

/* The answer to one from the queue makes room for the next. */
static void on_answer(enum redis_status status, const struct redis_value *value, void *ctx)
{
    struct redis_hit *hit = ctx;
    struct redis_store *store = hit->store;
    bool was_resent = hit->is_resent;

    store->resent -= was_resent;
    hit->is_resent = false;
    if (status == REDIS_DONE) {
        redis_store_hear(store);
        take_answers(hit, value);
    } else if (hit->is_look) {
        give_up(hit);
    } else {
        queue_up(hit);
        say_late(hit);
    }
    if (was_resent && status == REDIS_DONE)
        redis_store_resend(store);
}

#define FIXED_ARGS 4

static bool send_hit(struct redis_hit *hit)
{
    struct redis_store *store = hit->store;
    int64_t now_ms = clock_mono_ms(store->clock);
    uint8_t jails[STORE_HIT_JAILS_MAX][STORE_REDIS_JAIL_MAX];
    char now[24], age[24], lifted[24];
    const char *argv[FIXED_ARGS + STORE_HIT_JAILS_MAX] = {redis_store_now(store, now), age, lifted,
                                                          store->channel};
    size_t lens[FIXED_ARGS + STORE_HIT_JAILS_MAX];
    struct buf key = {0};

    snprintf(age, sizeof(age), "%" PRId64, now_ms - hit->at_mono_ms);
    snprintf(lifted, sizeof(lifted), "%" PRId64,
             hit->lifted_mono_ms < 0 ? -1 : now_ms - hit->lifted_mono_ms);
    for (size_t i = 0; i < FIXED_ARGS; i++)
        lens[i] = strlen(argv[i]);
    for (size_t i = 0; i < hit->count; i++) {
        lens[FIXED_ARGS + i] = store_redis_write_jail(&hit->jails[i], jails[i]);
        argv[FIXED_ARGS + i] = (const char *)jails[i];
    }
    store_redis_put_counter_key(&key, store->prefix, &hit->key);
    bool is_sent = redis_eval(store->redis, &store->hit_script, buf_str(&key), key.len,
                              FIXED_ARGS + hit->count, argv, lens, on_answer, hit);
    buf_fini(&key);
    return is_sent;
}

static void on_late(struct redis_wait *wait)
{
    struct redis_hit *hit = MAP_ENTRY(wait, struct redis_hit, wait);

    if (hit->is_look && !hit->is_sent)
        give_up(hit);
    else
        say_late(hit);
}

void redis_store_hit(struct store *base, const struct store_hit *from, store_hit_fn fn, void *ctx)
{
    struct redis_store *store = MAP_ENTRY(base, struct redis_store, store);
    struct redis_hit *hit = hit_new(store, from, fn, ctx);

    hit->wait.late = on_late;
    hit->is_sent = send_hit(hit);
    if (!hit->is_sent && !hit->is_look)
        queue_up(hit);
    redis_store_wait(store, &hit->wait, hit->is_sent);
}

/*
 * The oldest first. In a Cluster what one master refuses goes behind the others; so many are
 * tried in one go that who waits for us does not notice.
 */
void redis_store_resend(struct redis_store *store)
{
    size_t refused = 0, refused_max = store->is_cluster ? RESEND_MAX : 1;

    while (store->first_queued && store->resent < RESEND_MAX && refused < refused_max) {
        struct redis_hit *hit = store->first_queued;
        if (send_hit(hit)) {
            unqueue(hit);
            hit->is_resent = true;
            store->resent++;
        } else {
            refused++;
            if (store->is_cluster) {
                unqueue(hit);
                queue_up(hit);
            }
        }
    }
}
