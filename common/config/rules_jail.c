/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "common/config/rules_jail.h"

#include "common/config/errors.h"

/* What has a login: what was tried with it, and what was submitted after it. Never both in one. */
static void check_events_by_login(struct draft *draft, const struct draft_section *in)
{
    const struct config_jail *jail = in->base;
    const char *allowed = "\"auth_fail\", or \"message\" and \"recipient\"", *by = "login";
    unsigned events = jail->events & CONFIG_EVENTS_OF_SUBMISSION ? CONFIG_EVENTS_OF_SUBMISSION
                                                                 : CONFIG_EVENT_AUTH_FAIL;

    if (jail->count_by == COUNT_BY_CLIENT_LOGIN) {
        events = CONFIG_EVENT_AUTH_FAIL;
        allowed = "\"auth_fail\"";
        by = "client+login";
    } else if (jail->count_by == COUNT_BY_DOMAIN) {
        events = CONFIG_EVENTS_OF_SUBMISSION;
        allowed = "\"message\" and \"recipient\"";
        by = "domain";
    }
    if (jail->events & ~events)
        config_errors_add(draft->errors, draft_line(in, "events"),
                          "%sevents may only be %s with count_by \"%s\"", in->where, allowed, by);
}

static void check_by_login(struct draft *draft, const struct draft_section *in)
{
    const struct config_jail *jail = in->base;

    if (jail->count_by == COUNT_BY_LOGIN && jail->action == JAIL_ACTION_BAN &&
        jail->events & ~CONFIG_EVENTS_OF_SUBMISSION)
        config_errors_add(draft->errors, draft_line(in, "count_by"),
                          "%scount_by \"login\" with action \"ban\" would let anybody lock a user "
                          "out; use \"delay\" or \"log\", or count what he sends: \"message\" and "
                          "\"recipient\"",
                          in->where);
    if (jail->count_by == COUNT_BY_DOMAIN && jail->action == JAIL_ACTION_BAN)
        config_errors_add(draft->errors, draft_line(in, "action"),
                          "%saction \"ban\" would lock a whole domain out; use \"defer\" or "
                          "\"log\" with count_by \"domain\"",
                          in->where);
    check_events_by_login(draft, in);
}

/* What waits is a login. */
static void check_delay(struct draft *draft, const struct draft_section *in)
{
    const struct config_jail *jail = in->base;

    if (jail->action == JAIL_ACTION_DELAY && (jail->events & CONFIG_EVENT_AUTH_FAIL) == 0)
        config_errors_add(draft->errors, draft_line(in, "action"),
                          "%saction \"delay\" is for logins: \"auth_fail\" must be in events",
                          in->where);
    if (jail->action != JAIL_ACTION_DELAY && draft_given(in, "delay") != NULL)
        config_errors_add(draft->errors, draft_line(in, "delay"),
                          "%sdelay is of action \"delay\" alone; take it out", in->where);
}

/* A client that has not logged in is deferred for what came from there, a login for what it sent.
 */
static void check_defer(struct draft *draft, const struct draft_section *in)
{
    const struct config_jail *jail = in->base;

    if (jail->action != JAIL_ACTION_DEFER || jail->count_by == COUNT_BY_CLIENT ||
        jail->events & CONFIG_EVENTS_OF_SUBMISSION)
        return;
    config_errors_add(draft->errors, draft_line(in, "action"),
                      "%saction \"defer\" is for mail: count_by must be \"client\", or events "
                      "\"message\" or \"recipient\"",
                      in->where);
}

/* A factor that nothing comes of is a mistake. */
static void check_bantime(struct draft *draft, const struct draft_section *in)
{
    struct config_jail *jail = in->base;

    if (jail->bantime_max_sec >= jail->bantime_sec)
        return;
    if (jail->bantime_factor > 1 && draft_given(in, "bantime_max") != NULL)
        config_errors_add(draft->errors, draft_line(in, "bantime_max"),
                          "%sbantime_max is less than bantime", in->where);
    jail->bantime_max_sec = jail->bantime_sec;
}

static bool is_by_login(const struct config_jail *jail)
{
    return jail->count_by == COUNT_BY_LOGIN || jail->count_by == COUNT_BY_DOMAIN;
}

/* Whoever writes a message is not whom it hits: a stranger must not close the mailboxes. */
static void settle_acts(struct draft *draft, const struct draft_section *in)
{
    struct config_jail *jail = in->base;
    bool is_of_mail = (jail->events & CONFIG_EVENTS_OF_MAIL) != 0 ||
                      (jail->events & CONFIG_EVENTS_OF_SUBMISSION && !is_by_login(jail));

    if (jail->acts == 0)
        jail->acts = is_of_mail ? CONFIG_ACTS_SMTP : CONFIG_ACTS_ALL;
    else if (is_of_mail && jail->acts != CONFIG_ACTS_SMTP)
        config_errors_add(draft->errors, draft_line(in, "acts"),
                          "%sacts may only be \"smtp\" with events of mail: others can have a part "
                          "in them; put what a client does at logins into a jail of its own",
                          in->where);
}

void rules_check_jails(struct draft *draft)
{
    static const char *const options[] = {"events", "count_by", "action",      "acts",
                                          "delay",  "bantime",  "bantime_max", NULL};

    for (const struct draft_section *in = NULL; (in = draft_next(draft, "jail", in)) != NULL;) {
        if (!draft_is_right(in, options))
            continue;
        if (((const struct config_jail *)in->base)->count_by != COUNT_BY_CLIENT)
            check_by_login(draft, in);
        check_delay(draft, in);
        check_defer(draft, in);
        settle_acts(draft, in);
        check_bantime(draft, in);
    }
}
