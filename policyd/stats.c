/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/stats.h"

#include <stddef.h>

#include "common/base/bug.h"
#include "common/config/config.h"

#define METRIC(name) "postern_policyd_" name "_total"

static const struct {
    const char *name, *metric, *label;
} rows[] = {
    [STAT_POLICY_GO_ON] = {"policy_go_on", METRIC("policy_requests"), "go_on"},
    [STAT_POLICY_BANNED] = {"policy_banned", METRIC("policy_requests"), "banned"},
    [STAT_POLICY_REFUSED] = {"policy_refused", METRIC("policy_requests"), "refused"},
    [STAT_POLICY_DEFERRED] = {"policy_deferred", METRIC("policy_requests"), "deferred"},
    [STAT_AUTH_GO_ON] = {"auth_go_on", METRIC("auth_requests"), "go_on"},
    [STAT_AUTH_DELAYED] = {"auth_delayed", METRIC("auth_requests"), "delayed"},
    [STAT_AUTH_BANNED] = {"auth_banned", METRIC("auth_requests"), "banned"},
    [STAT_AUTH_REFUSED] = {"auth_refused", METRIC("auth_requests"), "refused"},
    [STAT_AUTH_REPORT] = {"auth_report", METRIC("auth_reports"), NULL},
    [STAT_AUTH_BAD] = {"auth_bad", METRIC("auth_unusable"), NULL},
    [STAT_SOCKETMAP_OK] = {"socketmap_ok", METRIC("socketmap_requests"), "ok"},
    [STAT_SOCKETMAP_NOTFOUND] = {"socketmap_notfound", METRIC("socketmap_requests"), "notfound"},
    [STAT_SOCKETMAP_PERM] = {"socketmap_perm", METRIC("socketmap_requests"), "perm"},
    [STAT_CONTROL_OK] = {"control_ok", METRIC("control_requests"), "ok"},
    [STAT_CONTROL_ERROR] = {"control_error", METRIC("control_requests"), "error"},
    [STAT_EVENT_AUTH_FAIL] = {"event_auth_fail", METRIC("events"), "auth_fail"},
    [STAT_EVENT_RCPT_UNKNOWN] = {"event_rcpt_unknown", METRIC("events"), "rcpt_unknown"},
    [STAT_EVENT_RELAY_DENIED] = {"event_relay_denied", METRIC("events"), "relay_denied"},
    [STAT_EVENT_RCPT_REJECTED] = {"event_rcpt_rejected", METRIC("events"), "rcpt_rejected"},
    [STAT_EVENT_SPF_FAIL] = {"event_spf_fail", METRIC("events"), "spf_fail"},
    [STAT_EVENT_DKIM_FAIL] = {"event_dkim_fail", METRIC("events"), "dkim_fail"},
    [STAT_EVENT_DMARC_FAIL] = {"event_dmarc_fail", METRIC("events"), "dmarc_fail"},
    [STAT_EVENT_CONNECT] = {"event_connect", METRIC("events"), "connect"},
    [STAT_EVENT_HONEYPOT] = {"event_honeypot", METRIC("events"), "honeypot"},
    [STAT_EVENT_MESSAGE] = {"event_message", METRIC("events"), "message"},
    [STAT_EVENT_RECIPIENT] = {"event_recipient", METRIC("events"), "recipient"},
    [STAT_EVENT_UNCOUNTED] = {"event_uncounted", METRIC("events_uncounted"), NULL},
    [STAT_BAN_SET] = {"ban_set", METRIC("bans_set"), NULL},
    [STAT_BAN_LIFTED] = {"ban_lifted", METRIC("bans_lifted"), NULL},
    [STAT_BAN_EXPIRED] = {"ban_expired", METRIC("bans_expired"), NULL},
    [STAT_BAN_PROTECTED] = {"ban_protected", METRIC("bans_refused"), NULL},
    [STAT_STORE_ERROR] = {"store_errors", METRIC("store_errors"), NULL},
    [STAT_RELOAD_OK] = {"reload_ok", METRIC("reloads"), "ok"},
    [STAT_RELOAD_ERROR] = {"reload_error", METRIC("reloads"), "error"},
};
_Static_assert(sizeof(rows) / sizeof(*rows) == STAT_COUNT, "a row for each counter");

const char *stat_name(enum stat stat)
{
    return rows[stat].name;
}

const char *stat_metric(enum stat stat)
{
    return rows[stat].metric;
}

const char *stat_label(enum stat stat)
{
    return rows[stat].label;
}

enum stat stats_of_event(unsigned kind)
{
    switch (kind) {
    case CONFIG_EVENT_AUTH_FAIL:
        return STAT_EVENT_AUTH_FAIL;
    case CONFIG_EVENT_RCPT_UNKNOWN:
        return STAT_EVENT_RCPT_UNKNOWN;
    case CONFIG_EVENT_RELAY_DENIED:
        return STAT_EVENT_RELAY_DENIED;
    case CONFIG_EVENT_RCPT_REJECTED:
        return STAT_EVENT_RCPT_REJECTED;
    case CONFIG_EVENT_SPF_FAIL:
        return STAT_EVENT_SPF_FAIL;
    case CONFIG_EVENT_DKIM_FAIL:
        return STAT_EVENT_DKIM_FAIL;
    case CONFIG_EVENT_DMARC_FAIL:
        return STAT_EVENT_DMARC_FAIL;
    case CONFIG_EVENT_CONNECT:
        return STAT_EVENT_CONNECT;
    case CONFIG_EVENT_HONEYPOT:
        return STAT_EVENT_HONEYPOT;
    case CONFIG_EVENT_MESSAGE:
        return STAT_EVENT_MESSAGE;
    case CONFIG_EVENT_RECIPIENT:
        return STAT_EVENT_RECIPIENT;
    }
    BUG("an event of unknown kind %u", kind);
}
