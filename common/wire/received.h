/* SPDX-License-Identifier: MIT */
#ifndef PN_WIRE_RECEIVED_H
#define PN_WIRE_RECEIVED_H

#include <stddef.h>

#include "common/base/addr.h"

/*
 * The Received field that Postfix or Exim writes, as delivered, for a message that came
 * to it over SMTP (RFC 5321 section 4.4; the forms are theirs: smtpd.c of Postfix, the
 * default received_header_text of Exim):
 *
 *     from HELO (NAME [203.0.113.9])              Postfix; IPv6 as [IPv6:2001:db8::9]
 *         (using TLSv1.3 with cipher ...)
 *         by gw.example (Postfix) with ESMTPS id ...
 *
 *     from [203.0.113.9] (helo=HELO)              Exim, no name found; IPv6 as it is
 *     from NAME ([203.0.113.9] helo=HELO)         Exim; without helo= where it is NAME;
 *                                                 with an ident, on a line of its own behind NAME
 *         by gw.example with esmtps (TLS1.3) tls ...
 *
 * Lines are parted by a line feed and a tab. HELO is the client's own word, NAME can be,
 * so the address is read only where neither can put one: with Postfix behind the first
 * parenthesis, which it lets into no HELO, with Exim in the first bracket.
 */

enum received_form { RECEIVED_POSTFIX, RECEIVED_EXIM };

enum received_status {
    RECEIVED_OK,
    RECEIVED_BAD_FORM,    /* written by something else, or not for an SMTP client */
    RECEIVED_OTHER_HOST,  /* "by" names another host */
    RECEIVED_BAD_PROTOCOL /* not plain SMTP with or without TLS: a client that logged in */
};

struct received {
    struct addr client;
    const char *helo; /* borrowed from the value, not ended; "" when it cannot be told */
    size_t helo_len;
};

/*
 * Postfix's SMTP client breaks lines of more than 998 bytes, with a space behind the break
 * (smtp_line_length_limit): value without these breaks, to be freed. Its own lines begin with
 * a tab, so that nothing else changes.
 */
char *received_unbroken(const char *value) __attribute__((warn_unused_result));

/*
 * value: what follows "Received: ". by: the name that must have written it, in any case.
 * Only on RECEIVED_OK is received_r set.
 */
enum received_status received_parse(enum received_form form, const char *by, const char *value,
                                    struct received *received_r)
    __attribute__((warn_unused_result));

/* "names another host behind by", to follow "the Received field". */
const char *received_strstatus(enum received_status status);

#endif
