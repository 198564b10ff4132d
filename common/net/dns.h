/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_DNS_H
#define PN_NET_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_TYPE_A    1u
#define DNS_TYPE_PTR  12u
#define DNS_TYPE_MX   15u
#define DNS_TYPE_TXT  16u
#define DNS_TYPE_AAAA 28u

#define DNS_NAME_MAX    255 /* bytes of a name as text, with its NUL: RFC 1035 3.1 allows 253 */
#define DNS_RECORDS_MAX 100 /* records of one answer that are kept */

/* The answers that a caller must tell apart; "no" and "cannot say" are never merged. */
enum dns_status {
    DNS_FOUND,
    DNS_NXDOMAIN, /* the name does not exist */
    DNS_NODATA,   /* the name exists, without records of this type */
    DNS_SERVFAIL, /* the servers could not answer */
    DNS_TIMEOUT,  /* the budget was used up */
    DNS_BOGUS,    /* DNSSEC validation failed */
};

/*
 * Names are text in the form of RFC 1035 5.1 (\. and \DDD escapes), with or without
 * a trailing dot. One that cannot stand in a question (no label, an empty one, a label
 * over 63 or a name over 253 octets) is answered DNS_NXDOMAIN without asking anybody:
 * it cannot exist.
 */
struct dns_question {
    const char *name;
    uint16_t type; /* DNS_TYPE_* */
};

/* One record as text that needs no DNS knowledge. */
struct dns_record {
    uint16_t preference; /* MX */
    uint8_t addr[16];    /* A: the first four bytes; AAAA */
    char *name;   /* PTR, MX: the name without trailing dot; NUL-free, escaped as RFC 1035 5.1 */
    uint8_t *txt; /* TXT: the strings joined, may hold any byte, NUL behind the end */
    size_t txt_len;
};

struct dns_answer {
    enum dns_status status;
    uint32_t ttl_sec;
    struct dns_record *records; /* only when DNS_FOUND */
    size_t count;
};

/* Time that the look-ups of one message may still take; shared by them, spent by waiting. */
struct dns_budget {
    int64_t left_ms;
};

/*
 * Who answers: the resolver in programs, a table in tests. ask() takes `count`
 * questions at once, waits for all of them at most budget->left_ms, lessens it by
 * the time it waited, and fills one answer for each; those still open are
 * DNS_TIMEOUT. Any thread, several at once.
 */
struct dns {
    void (*ask)(struct dns *dns, const struct dns_question *questions, size_t count,
                struct dns_budget *budget, struct dns_answer *answers_r);
};

static inline void dns_ask(struct dns *dns, const struct dns_question *questions, size_t count,
                           struct dns_budget *budget, struct dns_answer *answers_r)
{
    dns->ask(dns, questions, count, budget, answers_r);
}

/* Whether name can stand in a question. Who implements ask() refuses the others. */
bool dns_name_is_valid(const char *name);

void dns_answer_fini(struct dns_answer *answer);
struct dns_answer dns_answer_copy(const struct dns_answer *answer);
/* The words of a log line or a reason: "found", "no such name", … */
const char *dns_strstatus(enum dns_status status);

#endif
