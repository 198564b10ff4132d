/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_SPF_WALK_H
#define PN_MAILAUTH_SPF_WALK_H

#include "common/base/buf.h"
#include "common/mailauth/spf.h"
#include "common/mailauth/spf_record.h"

/*
 * check_host() without its terms: which record, in which order, how many look-ups,
 * and what the end of it means (RFC 7208 sections 4, 5.2, 6). What a single term or
 * macro means is the engine's.
 */

enum spf_match { SPF_MATCH_NO, SPF_MATCH_YES, SPF_MATCH_TEMPERROR, SPF_MATCH_PERMERROR };

struct spf_terms {
    /*
     * Whether the term (a, mx, ptr, exists) matches the client, with domain as the
     * current domain. void_r: its look-up found nothing. On the errors reason_r has
     * static text.
     */
    enum spf_match (*match)(struct spf_terms *terms, const struct spf_term *term,
                            const char *domain, bool *void_r, const char **reason_r);
    /* Expand a macro-string, appending to out. 0 or -1. */
    int (*expand)(struct spf_terms *terms, const char *text, const char *domain, struct buf *out);
};

void spf_walk(const char *domain, const struct spf_request *request, struct spf_terms *terms,
              struct dns *dns, struct dns_budget *budget, struct spf_check *check_r);

/*
 * The name to ask for an expanded domain: cut from the left to 253 octets (RFC 7208
 * 7.3), and with what would be an escape in a question escaped.
 */
void spf_question_name(const char *expanded, struct buf *out);

/* Printable ASCII of text into out of size bytes, the rest as '?', cut where it is too long. */
void spf_printable(const char *text, char *out, size_t size);

#endif
