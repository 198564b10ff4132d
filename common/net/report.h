/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_REPORT_H
#define PN_NET_REPORT_H

#include <stdint.h>

#include "common/base/addr.h"

/*
 * One thing that a client did, as policyd's control socket is told of it: request=report
 * of postern-control(7). Texts are borrowed.
 */
struct report {
    const char *event; /* "rcpt_unknown" and kin */
    struct addr client;
    const char *login; /* this and those below: NULL when there is none */
    const char *recipient;
    const char *session; /* a word for the log */
    unsigned weight;     /* 0: no jail counts it */
    int64_t at_ms;       /* since 1970; 0: when it arrives */
};

/* Bytes of a text that are sent; the rest of a longer one is cut. */
#define REPORT_TEXT_MAX 512

/* The whole request, at most REPORT_ENCODED_MAX bytes. The caller frees. */
#define REPORT_ENCODED_MAX 2048
char *report_encode(const struct report *report) __attribute__((warn_unused_result));

#endif
