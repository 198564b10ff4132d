/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/stats.h"

static const char *const names[] = {
    [STAT_POLICY_GO_ON] = "policy_go_on",
    [STAT_POLICY_BANNED] = "policy_banned",
    [STAT_POLICY_REFUSED] = "policy_refused",
    [STAT_AUTH_GO_ON] = "auth_go_on",
    [STAT_AUTH_BANNED] = "auth_banned",
    [STAT_AUTH_REFUSED] = "auth_refused",
    [STAT_AUTH_REPORT] = "auth_report",
    [STAT_AUTH_BAD] = "auth_bad",
    [STAT_SOCKETMAP_OK] = "socketmap_ok",
    [STAT_SOCKETMAP_NOTFOUND] = "socketmap_notfound",
    [STAT_SOCKETMAP_PERM] = "socketmap_perm",
    [STAT_CONTROL_OK] = "control_ok",
    [STAT_CONTROL_ERROR] = "control_error",
    [STAT_EVENT_AUTH_FAIL] = "event_auth_fail",
    [STAT_EVENT_RCPT_UNKNOWN] = "event_rcpt_unknown",
    [STAT_EVENT_RELAY_DENIED] = "event_relay_denied",
    [STAT_EVENT_RCPT_REJECTED] = "event_rcpt_rejected",
    [STAT_EVENT_SPF_FAIL] = "event_spf_fail",
    [STAT_EVENT_DKIM_FAIL] = "event_dkim_fail",
    [STAT_EVENT_UNCOUNTED] = "event_uncounted",
    [STAT_BAN_SET] = "ban_set",
    [STAT_BAN_LIFTED] = "ban_lifted",
    [STAT_BAN_EXPIRED] = "ban_expired",
    [STAT_BAN_PROTECTED] = "ban_protected",
};
_Static_assert(sizeof(names) / sizeof(*names) == STAT_COUNT, "a name for each counter");

const char *stat_name(enum stat stat)
{
    return names[stat];
}
