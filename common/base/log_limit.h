/* SPDX-License-Identifier: MIT */
#ifndef PN_BASE_LOG_LIMIT_H
#define PN_BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How many lines a stranger can cause: of those that one listener writes about what its
 * peers did wrong, the first LOG_LIMIT_LINES of each minute are written. The first
 * line of a later minute follows one that says how many were not:
 *
 *     - held-back listener=policy lines=1234
 *
 * All zeroes is a new one. One thread.
 */
#define LOG_LIMIT_LINES 10
#define LOG_LIMIT_MS    60000

struct log_limit {
    int64_t began_mono_ms; /* of the minute */
    unsigned lines;        /* in it */
    uint64_t held_back;    /* since the last line that was written */
};

/* Whether the line may be written; listener names it in the line about those held back. */
bool log_limit_allows(struct log_limit *limit, const char *listener, int64_t now_mono_ms);

#endif
