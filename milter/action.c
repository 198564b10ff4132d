/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/action.h"

#include <stdio.h>
#include <string.h>

static enum config_action action_for(const struct config_spf *rules, enum auth_result result)
{
    switch (result) {
    case AUTH_FAIL:
        return rules->fail;
    case AUTH_SOFTFAIL:
        return rules->softfail;
    case AUTH_PERMERROR:
        return rules->permerror;
    case AUTH_TEMPERROR:
        return rules->temperror;
    case AUTH_NONE:
    case AUTH_NEUTRAL:
    case AUTH_PASS:
    case AUTH_POLICY:
        break;
    }
    return CONFIG_ACTION_ACCEPT;
}

/* Of names that strangers chose: a reply is printable ASCII, RFC 5321 4.2. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

static void explain(const struct judge_facts *facts, const struct spf_check *check,
                    struct action *action)
{
    char client[ADDR_TEXT_MAX], whole[1024];
    const char *why = *check->reason == '\0' ? "" : ": ";

    addr_format(&facts->origin->addr, client);
    if (check->result == AUTH_TEMPERROR)
        snprintf(whole, sizeof whole, "SPF of %s cannot be looked up now%s%s; please try again",
                 check->domain, why, check->reason);
    else if (check->result == AUTH_PERMERROR)
        snprintf(whole, sizeof whole, "SPF record of %s is broken%s%s; its owner must correct it",
                 check->domain, why, check->reason);
    else
        snprintf(whole, sizeof whole,
                 "%s may not send mail of %s, says its SPF record%s%s; send by a server that the "
                 "record names, or have this one added",
                 client, check->domain, *check->explanation == '\0' ? "" : ": ",
                 check->explanation);
    snprintf(action->text, sizeof action->text, "%.*s", ACTION_TEXT_MAX - 1, whole);
    make_printable(action->text);
}

/* What cannot be checked is no better than what fails: else a long address would be a way in. */
static struct action unusable_sender(const struct config_spf *rules)
{
    bool for_now = rules->fail == CONFIG_ACTION_TEMPFAIL;

    if (rules->fail == CONFIG_ACTION_ACCEPT)
        return (struct action){.kind = CONFIG_ACTION_ACCEPT};
    return (struct action){
        .kind = rules->fail,
        .code = for_now ? "451" : "550",
        .status = for_now ? "4.7.24" : "5.7.24",
        .text =
            "SPF cannot be checked for a sender that is too long, not printable, or in a domain "
            "without an ASCII form",
    };
}

struct action action_by_spf(const struct config_spf *rules, const struct judge_facts *facts,
                            const struct judgement *judgement)
{
    struct action action = {.kind = CONFIG_ACTION_ACCEPT};

    if (judgement->is_masked)
        return action;
    if (facts->sender == NULL)
        return unusable_sender(rules);
    if (!judgement->has_spf)
        return action;
    const struct spf_check *check =
        *facts->sender == '\0' ? &judgement->spf.helo : &judgement->spf.mailfrom;
    if (check->is_unconvertible)
        return unusable_sender(rules);
    bool is_error = check->result == AUTH_TEMPERROR || check->result == AUTH_PERMERROR;

    action.kind = action_for(rules, check->result);
    if (action.kind == CONFIG_ACTION_ACCEPT)
        return action;
    bool for_now = action.kind == CONFIG_ACTION_TEMPFAIL;
    action.code = for_now ? "451" : "550";
    action.status = is_error ? (for_now ? "4.7.24" : "5.7.24") : (for_now ? "4.7.23" : "5.7.23");
    explain(facts, check, &action);
    return action;
}

const char *action_name(enum config_action kind)
{
    static const char *const names[] = {
        [CONFIG_ACTION_ACCEPT] = "accept",
        [CONFIG_ACTION_REJECT] = "reject",
        [CONFIG_ACTION_TEMPFAIL] = "tempfail",
    };
    return names[kind];
}
