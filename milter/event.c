/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/event.h"

#include <string.h>

#include "common/base/str.h"

static bool is_outside(const struct config_strings *domains, const char *recipient)
{
    const char *at = recipient == NULL ? NULL : strrchr(recipient, '@');

    if (at == NULL)
        return false;
    for (size_t i = 0; i < domains->count; i++)
        if (str_eq_nocase(domains->items[i], at + 1))
            return false;
    return true;
}

struct event event_of_refusal(const struct config_strings *domains,
                              const struct event_refusal *refusal)
{
    const char *status = refusal->status;

    if (refusal->mailer == NULL || !str_eq(refusal->mailer, "error") || status == NULL ||
        !str_has_prefix(status, "5."))
        return (struct event){.name = NULL};
    if (str_eq(status, "5.1.1"))
        return (struct event){"rcpt_unknown",
                              refusal->is_bounce || refusal->is_authenticated ? 0 : 1};
    if (str_eq(status, "5.7.1") && !refusal->is_authenticated &&
        is_outside(domains, refusal->recipient))
        return (struct event){"relay_denied", refusal->is_bounce ? 0 : 1};
    return (struct event){"rcpt_rejected", 0};
}

static bool has_dkim(const struct judge_facts *facts, enum auth_result result)
{
    for (size_t i = 0; i < facts->dkim_count; i++)
        if (facts->dkim[i].result == result)
            return true;
    return false;
}

static bool is_known_by_name(const struct judge_facts *facts, const struct judgement *judgement)
{
    return judgement->has_spf && judgement->spf.helo.ran &&
           judgement->spf.helo.result == AUTH_PASS && judgement->has_iprev &&
           judgement->iprev.result == AUTH_PASS &&
           str_eq_nocase(judgement->iprev.name, facts->helo);
}

struct event event_of_spf(const struct judge_facts *facts, const struct judgement *judgement)
{
    const struct spf_check *check = &judgement->spf.mailfrom;

    if (facts->origin->kind != ORIGIN_KNOWN || !judgement->has_spf || !check->ran ||
        check->result != AUTH_FAIL)
        return (struct event){.name = NULL};
    return (struct event){"spf_fail",
                          has_dkim(facts, AUTH_PASS) || is_known_by_name(facts, judgement) ? 0 : 1};
}

struct event event_of_dkim(const struct judge_facts *facts, const struct judgement *judgement)
{
    if (facts->origin->kind != ORIGIN_KNOWN || facts->dkim_count == 0 ||
        has_dkim(facts, AUTH_PASS) || has_dkim(facts, AUTH_TEMPERROR))
        return (struct event){.name = NULL};
    return (struct event){"dkim_fail", is_known_by_name(facts, judgement) ? 0 : 1};
}

struct event event_of_dmarc(const struct judge_facts *facts, const struct judgement *judgement)
{
    if (facts->origin->kind != ORIGIN_KNOWN || !judgement->has_dmarc ||
        judgement->dmarc.result != AUTH_FAIL)
        return (struct event){.name = NULL};
    return (struct event){"dmarc_fail",
                          has_dkim(facts, AUTH_PASS) || is_known_by_name(facts, judgement) ? 0 : 1};
}
