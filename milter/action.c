/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/action.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/mailauth/domain.h"

/* RFC 7372; each behind "4." or "5.". */
struct codes {
    const char *for_now;
    const char *for_good;
};
static const struct codes spf_fails = {"4.7.23", "5.7.23"}, spf_error = {"4.7.24", "5.7.24"};
static const struct codes no_signature = {"4.7.20", "5.7.20"};
static const struct codes several_fail = {"4.7.26", "5.7.26"};
static const struct codes bad_author = {"4.7.1", "5.7.1"};

const char *action_name(enum config_action kind)
{
    static const char *const names[] = {
        [CONFIG_ACTION_ACCEPT] = "accept",         [CONFIG_ACTION_HEADER] = "header",
        [CONFIG_ACTION_QUARANTINE] = "quarantine", [CONFIG_ACTION_TEMPFAIL] = "tempfail",
        [CONFIG_ACTION_REJECT] = "reject",
    };
    return names[kind];
}

/* Of names that strangers chose: a reply is printable ASCII, RFC 5321 4.2. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

__attribute__((format(printf, 4, 5))) static struct action action_new(enum config_action kind,
                                                                      const char *method,
                                                                      const struct codes *codes,
                                                                      const char *fmt, ...)
{
    struct action action = {.kind = kind};
    va_list ap;

    if (kind == CONFIG_ACTION_ACCEPT)
        return action;
    action.method = method;
    if (kind >= CONFIG_ACTION_TEMPFAIL) {
        bool for_now = kind == CONFIG_ACTION_TEMPFAIL;
        action.code = for_now ? "451" : "550";
        action.status = for_now ? codes->for_now : codes->for_good;
    }
    va_start(ap, fmt);
    vsnprintf(action.text, sizeof action.text, fmt, ap);
    va_end(ap);
    make_printable(action.text);
    return action;
}

static const char *colon(const char *text)
{
    return *text == '\0' ? "" : ": ";
}

/* --- SPF -------------------------------------------------------------------- */

static enum config_action rule_for_spf(const struct config_spf *rules, enum auth_result result)
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

/* What cannot be checked is no better than what fails: else a long address would be a way in. */
static struct action unusable_sender(const struct config_spf *rules)
{
    return action_new(rules->fail, "spf", &spf_error,
                      "SPF cannot be checked for a sender that is too long, not printable, or in a "
                      "domain without an ASCII form");
}

struct action action_by_spf(const struct config_spf *rules, const struct judge_facts *facts,
                            const struct judgement *judgement)
{
    char client[ADDR_TEXT_MAX];

    if (judgement->is_masked)
        return (struct action){.kind = CONFIG_ACTION_ACCEPT};
    if (facts->sender == NULL)
        return unusable_sender(rules);
    if (!judgement->has_spf)
        return (struct action){.kind = CONFIG_ACTION_ACCEPT};
    const struct spf_check *check =
        *facts->sender == '\0' ? &judgement->spf.helo : &judgement->spf.mailfrom;
    if (check->is_unconvertible)
        return unusable_sender(rules);
    enum config_action kind = rule_for_spf(rules, check->result);

    if (check->result == AUTH_TEMPERROR)
        return action_new(kind, "spf", &spf_error,
                          "SPF of %s cannot be looked up now%s%s; please try again", check->domain,
                          colon(check->reason), check->reason);
    if (check->result == AUTH_PERMERROR)
        return action_new(kind, "spf", &spf_error,
                          "SPF record of %s is broken%s%s; its owner must correct it",
                          check->domain, colon(check->reason), check->reason);
    return action_new(kind, "spf", &spf_fails,
                      "%s may not send mail of %s, says its SPF record%s%s; send by a server that "
                      "the record names, or have this one added",
                      addr_format(&facts->origin->addr, client), check->domain,
                      colon(check->explanation), check->explanation);
}

/* --- DKIM ------------------------------------------------------------------- */

/* The signature that speaks for the message: one that passes, else one that might, … */
static const struct dkim_result *best_signature(const struct judge_facts *facts)
{
    static const unsigned char ranks[] = {
        [AUTH_PASS] = 4,    [AUTH_TEMPERROR] = 3, [AUTH_FAIL] = 2,     [AUTH_PERMERROR] = 1,
        [AUTH_NEUTRAL] = 1, [AUTH_POLICY] = 1,    [AUTH_SOFTFAIL] = 0, [AUTH_NONE] = 0,
    };
    const struct dkim_result *best = NULL;

    for (size_t i = 0; i < facts->dkim_count; i++)
        if (best == NULL || ranks[facts->dkim[i].result] > ranks[best->result])
            best = &facts->dkim[i];
    return best;
}

struct action action_by_dkim(const struct config_dkim *rules, const struct judge_facts *facts)
{
    const struct dkim_result *best = best_signature(facts);
    const char *domain = best == NULL || *best->domain == '\0' ? "its signer" : best->domain;

    if (best == NULL)
        return action_new(rules->none, "dkim", &no_signature,
                          "the message has no DKIM signature; have the sending server sign it");
    switch (best->result) {
    case AUTH_PASS:
        return (struct action){.kind = CONFIG_ACTION_ACCEPT};
    case AUTH_TEMPERROR:
        return action_new(rules->temperror, "dkim", &no_signature,
                          "the DKIM key of %s cannot be looked up now%s%s; please try again",
                          domain, colon(best->reason), best->reason);
    case AUTH_FAIL:
        return action_new(rules->fail, "dkim", &no_signature,
                          "the DKIM signature of %s is false%s%s; the message was changed on its "
                          "way, or the key in DNS is not the one that signs",
                          domain, colon(best->reason), best->reason);
    default:
        return action_new(rules->permerror, "dkim", &no_signature,
                          "the DKIM signature of %s cannot be verified%s%s; its owner must correct "
                          "it",
                          domain, colon(best->reason), best->reason);
    }
}

/* --- DMARC ------------------------------------------------------------------ */

/* Who vouches for the message, a list or a forwarder, may change it: the file names him. */
static bool is_exempt(const struct config_dmarc *rules, const struct judge_facts *facts,
                      const struct judgement *judgement)
{
    const char *spf_domain = judge_spf_domain(facts, judgement);

    if (facts->origin->kind == ORIGIN_KNOWN &&
        prefixlist_contains(&rules->exempt_clients, &facts->origin->addr))
        return true;
    if (spf_domain != NULL && config_strings_have(&rules->exempt_domains, spf_domain))
        return true;
    for (size_t i = 0; i < facts->dkim_count; i++)
        if (facts->dkim[i].result == AUTH_PASS &&
            config_strings_have(&rules->exempt_domains, facts->dkim[i].domain))
            return true;
    return false;
}

static enum config_action follow(const struct config_dmarc *rules, enum dmarc_policy policy)
{
    if (rules->enforcement == CONFIG_ENFORCEMENT_NONE || policy == DMARC_POLICY_NONE)
        return CONFIG_ACTION_ACCEPT;
    if (rules->enforcement == CONFIG_ENFORCEMENT_REJECT && policy == DMARC_POLICY_REJECT)
        return CONFIG_ACTION_REJECT;
    return CONFIG_ACTION_QUARANTINE;
}

static enum config_action stricter(enum config_action a, enum config_action b)
{
    return a > b ? a : b;
}

struct action action_by_dmarc(const struct config_dmarc *rules, const struct judge_facts *facts,
                              const struct judgement *judgement)
{
    const struct dmarc_verdict *dmarc = &judgement->dmarc;

    if (judgement->is_masked || is_exempt(rules, facts, judgement))
        return (struct action){.kind = CONFIG_ACTION_ACCEPT};
    if (dmarc->result == AUTH_PERMERROR)
        return action_new(stricter(rules->permerror, follow(rules, DMARC_POLICY_REJECT)), "dmarc",
                          &bad_author,
                          "DMARC cannot be checked: %s; write one From field with an "
                          "address in it",
                          dmarc->reason);
    if (dmarc->result == AUTH_TEMPERROR)
        return action_new(rules->temperror, "dmarc", &several_fail,
                          "DMARC of %s cannot be checked now%s%s; please try again", dmarc->domain,
                          colon(dmarc->reason), dmarc->reason);
    if (dmarc->result != AUTH_FAIL)
        return (struct action){.kind = CONFIG_ACTION_ACCEPT};
    return action_new(follow(rules, dmarc->policy), "dmarc", &several_fail,
                      "%s asks to %s mail that neither SPF nor DKIM proves to be its own (DMARC "
                      "record of %s); send by its servers, or sign as it",
                      dmarc->domain, dmarc_policy_name(dmarc->policy), dmarc->record_domain);
}

struct action action_find(const struct config *config, const struct judge_facts *facts,
                          const struct judgement *judgement)
{
    const struct action found[] = {
        action_by_dmarc(&config->dmarc, facts, judgement),
        action_by_spf(&config->spf, facts, judgement),
        action_by_dkim(&config->dkim, facts),
    };
    size_t strictest = 0;

    for (size_t i = 1; i < sizeof found / sizeof found[0]; i++)
        if (found[i].kind > found[strictest].kind)
            strictest = i;
    return found[strictest];
}
