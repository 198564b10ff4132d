/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_DMARC_WALK_H
#define PN_MAILAUTH_DMARC_WALK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/mailauth/dmarc.h"
#include "common/mailauth/dmarc_record.h"

/*
 * The DNS tree walk, RFC 9989 section 4.10. Names that several walks pass are asked for once.
 * Domains are normalized and borrowed; they outlive the walks.
 */

/* One name of a walk. */
struct dmarc_step {
    const char *domain;
    bool answered;   /* false: DNS failed */
    bool exists;     /* the domain, as far as this answer tells */
    bool has_record; /* exactly one */
    struct dmarc_record record;
    enum dns_status status;
};

struct dmarc_walk {
    const char *domain; /* where it starts */
    const struct dmarc_step *steps[DMARC_QUERIES_MAX];
    size_t count; /* 0: it is not walked */
};

/* All walks of one message. */
struct dmarc_walks;
struct dmarc_walks *dmarc_walks_new(size_t max);
void dmarc_walks_free(struct dmarc_walks **walks);

/* Add the walk from a domain; at most as many as max. Its steps say nothing until they are asked.
 */
void dmarc_walks_add(struct dmarc_walks *walks, const char *domain, struct dmarc_walk *walk_r);
/* Ask in one go for all names that were not yet asked for. Returns how many questions. */
unsigned dmarc_walks_ask(struct dmarc_walks *walks, struct dns *dns, struct dns_budget *budget);

/* What to take a name for that DNS gave no answer for. */
enum dmarc_guess {
    DMARC_GUESS_NOTHING,
    DMARC_GUESS_RECORD, /* without psd */
    DMARC_GUESS_PSD_N,
    DMARC_GUESS_PSD_Y,
    DMARC_GUESSES,
};

/* The organizational domain of where the walk starts, section 4.10.2. */
const char *dmarc_walk_organization(const struct dmarc_walk *walk, enum dmarc_guess guess);
/* A step whose answer is missing and could change the walk's outcome; or NULL. */
const struct dmarc_step *dmarc_walk_gap(const struct dmarc_walk *walk);
/*
 * Whose record applies to where the walk starts, section 4.10.1: the domain's own, its
 * organization's, its public suffix's; NULL: none. Of no meaning where *gap_r, which may be
 * the record's name or one before it, is not NULL.
 */
const struct dmarc_step *dmarc_walk_policy(const struct dmarc_walk *walk,
                                           const struct dmarc_step **gap_r);

#endif
