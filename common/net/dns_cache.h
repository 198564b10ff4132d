/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_DNS_CACHE_H
#define PN_NET_DNS_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/clock.h"
#include "common/net/dns.h"

/*
 * Answers that were given lately, each for as long as its TTL allows: what is found here
 * needs no other thread. "No such name" and "no such record" are kept as well (RFC 2308),
 * failures are not: the next question is a new attempt. Any thread.
 *
 * It holds at most DNS_CACHE_BYTES_MAX; what was asked for longest ago makes room. An
 * answer of more than DNS_CACHE_ANSWER_MAX is never kept.
 */
#define DNS_CACHE_BYTES_MAX  (4u << 20)
#define DNS_CACHE_ANSWER_MAX 16384u
#define DNS_CACHE_TTL_MAX    3600u /* seconds */

struct dns_cache;
struct dns_cache *dns_cache_new(const struct clock *clock);
void dns_cache_free(struct dns_cache **cache);

/* Whether all questions have an answer here; then those are filled in, the caller's own. */
bool dns_cache_find(struct dns_cache *cache, const struct dns_question *questions, size_t count,
                    struct dns_answer *answers_r);

/* Keeps copies. */
void dns_cache_keep(struct dns_cache *cache, const struct dns_question *questions, size_t count,
                    const struct dns_answer *answers);

#endif
