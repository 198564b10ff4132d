/* SPDX-License-Identifier: MIT */
#ifndef PN_TESTS_UNIT_DMARC_FIXTURE_H
#define PN_TESTS_UNIT_DMARC_FIXTURE_H

#include "common/mailauth/dmarc.h"
#include "tests/unit/fake_dns.h"

/*
 * Fill a table from lines "DOMAIN WHAT":
 *
 *   a.example p=none      a DMARC record with these tags
 *   a.example =text       another text beside it
 *   a.example SERVFAIL    the question for the record fails; so TIMEOUT, BOGUS
 *   a.example EXISTS      the domain has an address
 *   a.example A-SERVFAIL  the question for its address fails
 */
void dmarc_zone_add(struct fake_dns *fake, const char *lines);

/* A message from words: lists have one blank between their names. */
#define DMARC_NAMES_MAX 40
struct dmarc_message {
    char *texts[3];
    struct author author;
    const char *passed[DMARC_NAMES_MAX], *unknown[DMARC_NAMES_MAX];
    struct dmarc_facts facts;
};

/*
 * spf: the domain, "?domain" or "?" where it is not known whether it passed, or "".
 * signers: "a.example ?b.example", the second may or may not have passed.
 */
void dmarc_message_init(struct dmarc_message *message, const char *authors, const char *spf,
                        const char *signers);
void dmarc_message_fini(struct dmarc_message *message);

/* Evaluate it in that zone, and see that there were as many questions as the verdict says. */
void dmarc_run(const char *zone, struct dmarc_message *message, struct dmarc_verdict *verdict_r);

/* wanted: "pass a.example by example reject as quarantine, spf dkim", "temperror a.example: why" */
struct dmarc_example {
    const char *name, *zone, *authors, *spf, *signers, *wanted;
};
void dmarc_check_examples(const struct dmarc_example *examples, size_t count);

#endif
