/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_STATS_H
#define PN_POLICYD_STATS_H

#include <stdint.h>

#include "common/base/histogram.h"
#include "common/base/log_limit.h"
#include "policyd/origins.h"

/* Counters since the start, for `status` and the metrics. */
enum stat {
    STAT_POLICY_GO_ON,
    STAT_POLICY_BANNED,
    STAT_POLICY_REFUSED,
    STAT_POLICY_DEFERRED,
    STAT_AUTH_GO_ON,
    STAT_AUTH_DELAYED,
    STAT_AUTH_BANNED,
    STAT_AUTH_REFUSED,
    STAT_AUTH_REPORT,
    STAT_AUTH_BAD,
    STAT_SOCKETMAP_OK,
    STAT_SOCKETMAP_NOTFOUND,
    STAT_SOCKETMAP_PERM,
    STAT_CONTROL_OK,
    STAT_CONTROL_ERROR,
    STAT_EVENT_AUTH_FAIL,
    STAT_EVENT_RCPT_UNKNOWN,
    STAT_EVENT_RELAY_DENIED,
    STAT_EVENT_RCPT_REJECTED,
    STAT_EVENT_SPF_FAIL,
    STAT_EVENT_DKIM_FAIL,
    STAT_EVENT_DMARC_FAIL,
    STAT_EVENT_CONNECT,
    STAT_EVENT_HONEYPOT,
    STAT_EVENT_MESSAGE,
    STAT_EVENT_RECIPIENT,
    STAT_EVENT_UNCOUNTED,
    STAT_BAN_SET,
    STAT_BAN_LIFTED,
    STAT_BAN_EXPIRED,
    STAT_BAN_PROTECTED,
    STAT_STORE_ERROR,
    STAT_RELOAD_OK,
    STAT_RELOAD_ERROR,
    STAT_COUNT,
};

struct stats {
    uint64_t count[STAT_COUNT];
    struct origins policy_origins, auth_origins; /* of requests of Postfix, questions of Dovecot */
    struct histogram commit;                     /* of a ban, from asking to having it on disk */
    struct log_limit socketmap_refusals;         /* counts too: of lines */
    struct log_limit auth_refusals;
};

/* Of an event, by its CONFIG_EVENT_*. */
enum stat stats_of_event(unsigned kind);

/* "policy_go_on" and kin: names that the control protocol fixes. */
const char *stat_name(enum stat stat);
/* The metric that it is a sample of, and the value of that metric's label, NULL without one. */
const char *stat_metric(enum stat stat);
const char *stat_label(enum stat stat);

#endif
