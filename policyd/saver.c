/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/saver.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "policyd/jail.h"

_Static_assert(JAIL_HASHES_MAX <= STORE_HASHES_MAX, "each hash has its place");

/* What the store is told at once. */
struct portion {
    struct saver *saver;
    bool is_busy; /* the store has it */
    struct store_counters batch;
};

struct saver {
    const struct clock *clock;
    struct store *store;
    const struct config_jail *jails;
    size_t jail_count;
    struct counters *counters;
    struct portion *portions[SAVER_FINISH_PORTIONS]; /* all but the first for the end only */
    size_t busy_count;
    size_t jail_index; /* whose counters are looked at next */
    struct store_gone *gone;
    size_t gone_count;
    size_t gone_cap;
    unsigned written;  /* portions of this round */
    unsigned wait_sec; /* until the store is asked again */
    bool is_unwritten; /* the first portion waits to be written once more */
    bool is_finishing;
    int64_t finish_mono_ms; /* when no more is sent */
    size_t lost;            /* keys of portions that the end could not write */
    bool has_failed;
};

static struct portion *portion_new(struct saver *saver)
{
    struct portion *portion = x_calloc(1, sizeof(*portion));

    portion->saver = saver;
    return portion;
}

struct saver *saver_new(const struct clock *clock, struct store *store)
{
    struct saver *saver = x_calloc(1, sizeof(*saver));

    saver->clock = clock;
    saver->store = store;
    saver->portions[0] = portion_new(saver);
    return saver;
}

void saver_free(struct saver **saver)
{
    if (!*saver)
        return;
    BUG_ON((*saver)->busy_count);
    free((*saver)->gone);
    for (size_t i = 0; i < SAVER_FINISH_PORTIONS; i++)
        free((*saver)->portions[i]);
    free(*saver);
    *saver = NULL;
}

void saver_use(struct saver *saver, const struct config_jail *jails, size_t jail_count,
               struct counters *counters)
{
    saver->jails = jails;
    saver->jail_count = jail_count;
    saver->counters = counters;
    saver->jail_index = 0;
}

/* --- copying --------------------------------------------------------------------------- */

static void copy_hashes(struct store_counters *batch, struct store_counter *item,
                        const struct window_hashes *hashes)
{
    BUG_ON(hashes->count > STORE_HASHES_MAX);
    item->hash_at = batch->hash_count;
    item->hash_count = hashes->count;
    item->hash_old_count = hashes->old_count;
    memcpy(batch->hashes + batch->hash_count, hashes->items,
           hashes->count * sizeof(*hashes->items));
    batch->hash_count += hashes->count;
}

static void copy_counter(const struct prefix *key, const struct window *window, void *ctx)
{
    struct portion *portion = ctx;
    const struct saver *saver = portion->saver;
    const struct config_jail *jail = &saver->jails[saver->jail_index];
    struct store_counters *batch = &portion->batch;
    struct store_counter *item = &batch->items[batch->count++];
    int64_t age_ms = clock_mono_ms(saver->clock) - window->start_ms;

    *item = (struct store_counter){
        .jail = jail_identity(jail),
        .key = *key,
        .start_wall_ms = batch->now_wall_ms - age_ms,
        .end_wall_ms = batch->now_wall_ms - age_ms + 2000 * (int64_t)jail->findtime_sec,
        .current = window->current,
        .previous = window->previous,
    };
    if (window->hashes)
        copy_hashes(batch, item, window->hashes);
}

static void copy_gone(struct saver *saver, struct store_counters *batch)
{
    batch->gone_count =
        saver->gone_count < STORE_COUNTERS_MAX ? saver->gone_count : STORE_COUNTERS_MAX;
    if (!batch->gone_count)
        return;
    memcpy(batch->gone, saver->gone, batch->gone_count * sizeof(*batch->gone));
    saver->gone_count -= batch->gone_count;
    memmove(saver->gone, saver->gone + batch->gone_count, saver->gone_count * sizeof(*saver->gone));
}

/* What was forgotten goes first: a key may have been counted again since. */
static void fill(struct portion *portion)
{
    struct saver *saver = portion->saver;
    struct store_counters *batch = &portion->batch;

    batch->count = batch->hash_count = 0;
    batch->now_wall_ms = clock_wall_ms(saver->clock);
    copy_gone(saver, batch);
    if (saver->gone_count)
        return;
    for (size_t i = 0; i < saver->jail_count; i++) {
        size_t room = STORE_COUNTERS_MAX - batch->count;
        if (counters_take_changed(&saver->counters[saver->jail_index], room, copy_counter,
                                  portion) == room)
            return;
        saver->jail_index = (saver->jail_index + 1) % saver->jail_count;
    }
}

/* --- writing --------------------------------------------------------------------------- */

static void on_written(const struct error *error, void *ctx);

static void write_portion(struct portion *portion)
{
    struct saver *saver = portion->saver;

    if (!saver->is_unwritten)
        fill(portion);
    if (!portion->batch.count && !portion->batch.gone_count)
        return;
    saver->written++;
    saver->busy_count++;
    portion->is_busy = true;
    saver->store->put_counters(saver->store, &portion->batch, on_written, portion);
}

static void note_result(struct saver *saver, size_t keys, const struct error *error)
{
    if (error && !saver->has_failed)
        log_warning(NULL, "counters-unwritten", LOG_ERR(error),
                    LOG_STR("effect", "a restart would count anew"));
    else if (!error)
        log_write(saver->has_failed ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, NULL, "counters-written",
                  LOG_FIELDS(LOG_UINT("keys", keys)));
    saver->has_failed = error != NULL;
}

/* The last answer has come: what is left stays unwritten. */
static void end_finish(const struct saver *saver)
{
    size_t keys = saver->lost;

    for (size_t i = 0; i < saver->jail_count; i++)
        keys += counters_changed_count(&saver->counters[i]);
    if (keys)
        log_warning(NULL, "counters-given-up", LOG_UINT("keys", keys),
                    LOG_STR("reason", saver->has_failed ? "the store refuses" : "out of time"));
}

static void finish_more(struct portion *portion)
{
    struct saver *saver = portion->saver;

    if (!saver->has_failed && clock_mono_ms(saver->clock) < saver->finish_mono_ms)
        write_portion(portion);
}

static void on_written(const struct error *error, void *ctx)
{
    struct portion *portion = ctx;
    struct saver *saver = portion->saver;

    portion->is_busy = false;
    saver->busy_count--;
    note_result(saver, portion->batch.count, error);
    if (saver->is_finishing) {
        saver->lost += error ? portion->batch.count : 0;
        finish_more(portion);
        if (!saver->busy_count)
            end_finish(saver);
        return;
    }
    saver->is_unwritten = error != NULL;
    if (error)
        saver->wait_sec = SAVER_RETRY_SEC;
    else if (saver->written < SAVER_ROUND_MAX)
        write_portion(portion);
}

void saver_tick(struct saver *saver)
{
    if (!saver->store->put_counters || saver->is_finishing)
        return;
    saver->written = 0;
    if (saver->wait_sec)
        saver->wait_sec--;
    else if (!saver->busy_count)
        write_portion(saver->portions[0]);
}

void saver_finish(struct saver *saver)
{
    if (!saver->store->put_counters || saver->is_finishing)
        return;
    saver->is_finishing = true;
    saver->finish_mono_ms = clock_mono_ms(saver->clock) + SAVER_FINISH_MS;
    saver->lost = saver->is_unwritten ? saver->portions[0]->batch.count : 0;
    for (size_t i = 0; i < saver->jail_count; i++)
        counters_freeze_changed(&saver->counters[i]);
    for (size_t i = 0; i < SAVER_FINISH_PORTIONS; i++) {
        if (!saver->portions[i])
            saver->portions[i] = portion_new(saver);
        if (!saver->portions[i]->is_busy)
            finish_more(saver->portions[i]);
    }
    if (!saver->busy_count)
        end_finish(saver);
}

bool saver_is_busy(const struct saver *saver)
{
    return saver->busy_count > 0;
}

static uint8_t bits_of(const struct config_jail *jail, const struct prefix *prefix)
{
    if (jail_key_is_hash(prefix))
        return 0;
    return (uint8_t)(prefix->addr.family == ADDR_IPV4 ? jail->prefix4 : jail->prefix6);
}

/* Past the limit, a restart would count on what was forgotten: as far as findtime reaches. */
void saver_forget(struct saver *saver, size_t jail_index, const struct prefix *prefix)
{
    const struct config_jail *jail = &saver->jails[jail_index];

    if (!saver->store->put_counters || saver->is_finishing || saver->gone_count >= SAVER_GONE_MAX)
        return;
    if (saver->gone_count == saver->gone_cap) {
        saver->gone_cap = saver->gone_cap ? 2 * saver->gone_cap : 64;
        saver->gone = x_reallocarray(saver->gone, saver->gone_cap, sizeof(*saver->gone));
    }
    saver->gone[saver->gone_count++] = (struct store_gone){
        .jail = jail_identity(jail),
        .bits = bits_of(jail, prefix),
        .within = *prefix,
    };
}

/* --- restoring ------------------------------------------------------------------------- */

static struct counters *counters_of(const struct saver *saver, uint64_t identity,
                                    int64_t *findtime_ms_r)
{
    for (size_t i = 0; i < saver->jail_count; i++) {
        const struct config_jail *jail = &saver->jails[i];
        *findtime_ms_r = 1000 * (int64_t)jail->findtime_sec;
        if (jail_identity(jail) == identity)
            return &saver->counters[i];
    }
    return NULL;
}

static void restore_counter(const struct store_counter *counter, const uint32_t *hashes, void *ctx)
{
    struct saver *saver = ctx;
    int64_t now_ms = clock_mono_ms(saver->clock), findtime_ms;
    int64_t age_ms = clock_wall_ms(saver->clock) - counter->start_wall_ms;
    struct counters *counters = counters_of(saver, counter->jail, &findtime_ms);
    struct window window = {
        .start_ms = now_ms - (age_ms > 0 ? age_ms : 0), /* set back: nothing is in the future */
        .current = counter->current,
        .previous = counter->previous,
    };

    if (!counters || window_is_void(&window, findtime_ms, now_ms))
        return;
    window_restore(counters_window(counters, &counter->key, now_ms),
                   &(struct window_state){
                       .start_ms = window.start_ms,
                       .current = window.current,
                       .previous = window.previous,
                       .hashes = hashes,
                       .hash_count = counter->hash_count,
                       .hash_old_count = counter->hash_old_count,
                   });
}

int saver_restore(struct saver *saver, struct error *error_r)
{
    size_t keys = 0;

    if (!saver->store->load_counters)
        return 0;
    if (saver->store->load_counters(saver->store, restore_counter, saver, error_r))
        return -1;
    for (size_t i = 0; i < saver->jail_count; i++) {
        counters_take_changed(&saver->counters[i], SIZE_MAX, NULL, NULL);
        keys += counters_count(&saver->counters[i]);
    }
    log_info(NULL, "counters-restored", LOG_UINT("keys", keys));
    return 0;
}
