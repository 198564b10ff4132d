/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "common/config/rules_jail.h"

#include "common/config/errors.h"

static void check_by_login(struct draft *draft, const struct draft_section *in)
{
    const struct config_jail *jail = in->base;

    if (jail->action == JAIL_ACTION_BAN)
        config_errors_add(draft->errors, draft_line(in, "count_by"),
                          "%scount_by \"login\" with action \"ban\" would let anybody lock a user "
                          "out; use \"delay\" or \"log\"",
                          in->where);
    if (jail->events & ~CONFIG_EVENT_AUTH_FAIL)
        config_errors_add(
            draft->errors, draft_line(in, "events"),
            "%sevents may only be \"auth_fail\" with count_by \"login\": nothing else "
            "has a login",
            in->where);
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

void rules_check_jails(struct draft *draft)
{
    static const char *const options[] = {"events", "count_by", "action", "delay", NULL};

    for (const struct draft_section *in = NULL; (in = draft_next(draft, "jail", in)) != NULL;) {
        if (!draft_is_right(in, options))
            continue;
        if (((const struct config_jail *)in->base)->count_by == COUNT_BY_LOGIN)
            check_by_login(draft, in);
        check_delay(draft, in);
    }
}
