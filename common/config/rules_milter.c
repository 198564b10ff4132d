/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "common/config/rules_milter.h"

#include <stdlib.h>

#include "common/base/endpoint.h"
#include "common/base/mem.h"
#include "common/config/errors.h"

/* What the file says of policyd's socket need not be said again. */
static void complete_report(struct draft *draft)
{
    struct config *config = draft->config;

    if (draft_given(draft_next(draft, "milter", NULL), "report") != NULL)
        return;
    free(config->milter.report);
    config->milter.report =
        config->policyd.control == NULL ? NULL : x_strdup(config->policyd.control);
}

static void complete_authserv_id(struct config *config)
{
    if (config->milter.authserv_id == NULL && config->hostname != NULL)
        config->milter.authserv_id = x_strdup(config->hostname);
}

void rules_complete_milter(struct draft *draft)
{
    struct config *config = draft->config;

    complete_report(draft);
    complete_authserv_id(config);
    config->milter.enforce = config->enforce && config->milter.preset == MILTER_PRESET_NONE;
}

/* libmilter accepts its connections itself and does not tell who connects. */
static void check_listener(struct draft *draft)
{
    const struct draft_section *in = draft_next(draft, "milter", NULL);
    const struct config_milter *milter = &draft->config->milter;
    struct endpoint endpoint;
    const char *reason;

    if (milter->listen == NULL || milter->firewalled ||
        endpoint_parse_milter(milter->listen, &endpoint, &reason) != 0 || endpoint.is_unix ||
        addr_scope(&endpoint.addr) == ADDR_SCOPE_LOOPBACK)
        return;
    config_errors_add(
        draft->errors, draft_line(in, "listen"),
        "%slisten \"%s\" is open to whoever can reach it, and the milter cannot see "
        "who that is: listen on a Unix socket or on loopback, or let a firewall admit "
        "the mail server alone and set firewalled = true",
        in->where, milter->listen);
}

/* A field with our name is always a forgery, and would stay. */
static void check_upstream(struct draft *draft)
{
    const struct draft_section *in = draft_next(draft, "milter", NULL);
    const struct config_milter *milter = &draft->config->milter;

    if (milter->authserv_id != NULL &&
        config_strings_have(&milter->upstream_authserv_ids, milter->authserv_id))
        config_errors_add(draft->errors, draft_line(in, "upstream_authserv_ids"),
                          "%supstream_authserv_ids has \"%s\", which is this server's own: results "
                          "of that name in mail from elsewhere are forged; take it out",
                          in->where, milter->authserv_id);
}

/* An option of a section that acts, which the preset promises not to. */
static void check_passive(struct draft *draft, const char *section, const char *option, bool acts)
{
    const struct draft_section *in = draft_next(draft, section, NULL);

    if (acts)
        config_errors_add(draft->errors, draft_line(in, option),
                          "%s%s acts on mail, which preset \"verify_only\" of the milter rules "
                          "out; take out one of them",
                          in->where, option);
}

static void check_verify_only(struct draft *draft)
{
    const struct config_spf *spf = &draft->config->spf;
    const struct config_dkim *dkim = &draft->config->dkim;
    const struct config_dmarc *dmarc = &draft->config->dmarc;

    check_passive(draft, "spf", "fail", spf->fail != CONFIG_ACTION_ACCEPT);
    check_passive(draft, "spf", "softfail", spf->softfail != CONFIG_ACTION_ACCEPT);
    check_passive(draft, "spf", "permerror", spf->permerror != CONFIG_ACTION_ACCEPT);
    check_passive(draft, "spf", "temperror", spf->temperror != CONFIG_ACTION_ACCEPT);
    check_passive(draft, "dkim", "none", dkim->none != CONFIG_ACTION_ACCEPT);
    check_passive(draft, "dkim", "fail", dkim->fail != CONFIG_ACTION_ACCEPT);
    check_passive(draft, "dkim", "permerror", dkim->permerror != CONFIG_ACTION_ACCEPT);
    check_passive(draft, "dkim", "temperror", dkim->temperror != CONFIG_ACTION_ACCEPT);
    check_passive(draft, "dmarc", "permerror", dmarc->permerror != CONFIG_ACTION_ACCEPT);
    check_passive(draft, "dmarc", "temperror", dmarc->temperror != CONFIG_ACTION_ACCEPT);
    check_passive(draft, "dmarc", "enforcement", dmarc->enforcement != CONFIG_ENFORCEMENT_NONE);
}

void rules_check_milter(struct draft *draft)
{
    check_listener(draft);
    check_upstream(draft);
    if (draft->config->milter.preset == MILTER_PRESET_VERIFY_ONLY)
        check_verify_only(draft);
}
