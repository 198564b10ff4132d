/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_RESULT_H
#define PN_MAILAUTH_RESULT_H

/* The results that RFC 8601 section 2.7 registers for the methods used here. */
enum auth_result {
    AUTH_NONE,
    AUTH_NEUTRAL,
    AUTH_PASS,
    AUTH_FAIL,
    AUTH_SOFTFAIL,
    AUTH_POLICY,
    AUTH_TEMPERROR,
    AUTH_PERMERROR,
};

/* "none", "neutral", … as they stand in the header field. */
const char *auth_result_name(enum auth_result result);

#endif
