/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_DNS_MEMO_H
#define PN_NET_DNS_MEMO_H

#include "common/net/dns.h"

/*
 * A DNS that asks another, and asked some of it ahead: what will be wanted of a message in any
 * case is asked in one batch, so that its look-ups wait side by side, and each of them later
 * finds its answer here, those included that did not come in time. Of one thread at a time.
 */
struct dns_memo {
    struct dns dns;
    struct dns *asked;
    struct dns_memo_entry *entries;
    size_t count;
};

#define DNS_MEMO_MAX 128 /* answers that are kept */

/* Not to be moved afterwards. */
void dns_memo_init(struct dns_memo *memo, struct dns *asked);
void dns_memo_fini(struct dns_memo *memo);

/* Each name once, whatever its case; beyond DNS_MEMO_MAX they are left for later. */
void dns_memo_ask_ahead(struct dns_memo *memo, const struct dns_question *questions, size_t count,
                        struct dns_budget *budget);

#endif
