/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_SAVER_H
#define PN_POLICYD_SAVER_H

#include <stdbool.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/config/config.h"
#include "policyd/counters.h"
#include "policyd/store.h"

/*
 * Writes out what the jails count, so that a restart goes on counting. Each second, what
 * changed is copied to the store in portions, each small enough for nobody to notice; the
 * store's thread writes them. What is not written yet is lost by a crash: two seconds or
 * so, more while more keys change than SAVER_ROUND_MAX portions hold.
 */
#define SAVER_ROUND_MAX 16 /* portions of STORE_COUNTERS_MAX a second */
#define SAVER_GONE_MAX  100000
#define SAVER_RETRY_SEC 30 /* after the store refused */
/* At the end: portions on their way together, and for how long more are sent. */
#define SAVER_FINISH_PORTIONS 96
#define SAVER_FINISH_MS       20000

struct saver;

/* All arguments live longer than the saver. A store without counters is left alone. */
struct saver *saver_new(const struct clock *clock, struct store *store);
/* Not while it is busy. */
void saver_free(struct saver **saver);

/* One of counters for each of jails: from now on, until the next call. */
void saver_use(struct saver *saver, const struct config_jail *jails, size_t jail_count,
               struct counters *counters);

/* Take up what the store has of these jails and still counts. 0 or -1. */
int saver_restore(struct saver *saver, struct error *error_r) __attribute__((warn_unused_result));

/* Keys of this jail in prefix or around it are forgotten. */
void saver_forget(struct saver *saver, size_t jail_index, const struct prefix *prefix);

/* Once a second. */
void saver_tick(struct saver *saver);
/*
 * At the end: write what has changed until now, once, and nothing that changes later. What
 * the store refuses, or has not been sent after SAVER_FINISH_MS, is given up with a log line.
 */
void saver_finish(struct saver *saver);
/* Whether an answer of the store is due. */
bool saver_is_busy(const struct saver *saver);

#endif
