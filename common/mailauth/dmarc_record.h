/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_DMARC_RECORD_H
#define PN_MAILAUTH_DMARC_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/mailauth/dmarc.h"

/* A DMARC policy record, RFC 9989 sections 4.7 and 4.8. */

enum dmarc_psd { DMARC_PSD_U, DMARC_PSD_N, DMARC_PSD_Y };

struct dmarc_record {
    /*
     * Section 4.10.1: false where p is missing, or p, sp or np is none of the three words or
     * comes twice with two of them, and no address wants reports; with one, all three are
     * "none". DMARC is not applied to mail that this record is found for.
     */
    bool applies;
    enum dmarc_policy policy;             /* p */
    enum dmarc_policy subdomain_policy;   /* sp, else p */
    enum dmarc_policy nonexistent_policy; /* np, else sp, else p */
    bool strict_dkim;                     /* adkim=s */
    bool strict_spf;                      /* aspf=s */
    bool testing;                         /* t=y */
    enum dmarc_psd psd;
};

/*
 * Whether the text is a DMARC record: its first tag is v and its value exactly "DMARC1".
 * Names of tags and their words are of either case; what has no meaning here (pct, a piece
 * that is no tag, a word that is none) is as if it did not stand there. Of psd the first
 * that says something counts, of the others any s or y.
 */
bool dmarc_record_parse(const uint8_t *txt, size_t len, struct dmarc_record *record_r)
    __attribute__((warn_unused_result));

#endif
