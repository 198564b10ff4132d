/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "common/config/rules_sign.h"

#include "common/base/str.h"
#include "common/config/errors.h"
#include "common/config/secret.h"

/* The domain that all of whose mail it is share, or NULL for "*". */
static const char *root_of(const char *from)
{
    if (str_eq(from, "*"))
        return NULL;
    return str_has_prefix(from, "*.") ? from + 2 : from;
}

/* Only what is within domains is ever signed, so a section for anything else never would be. */
static void check_from(struct draft *draft, const struct draft_section *in)
{
    const struct config_strings *domains = &draft->config->domains;
    const char *from = ((const struct config_sign *)in->base)->from, *root = root_of(from);

    for (size_t i = 0; i < domains->count; i++) {
        const char *domain = domains->items[i];
        if (root == NULL || str_is_domain_within(root, domain) ||
            (root != from && str_is_domain_within(domain, root) && !str_eq(domain, root)))
            return;
    }
    config_errors_add(draft->errors, draft_line(in, "from"),
                      "%sfrom \"%s\" is within none of domains: mail of other people's domains is "
                      "not signed; add it to domains",
                      in->where, from);
}

/* A signature counts for DMARC where its domain is that of From or above it. */
static void check_domain(struct draft *draft, const struct draft_section *in)
{
    const struct config_strings *domains = &draft->config->domains;
    const struct config_sign *sign = in->base;
    const char *root = root_of(sign->from);
    bool fits = root == NULL || str_is_domain_within(root, sign->domain);

    for (size_t i = 0; root == NULL && i < domains->count; i++)
        fits = fits && str_is_domain_within(domains->items[i], sign->domain);
    if (!fits)
        config_errors_add(draft->errors, draft_line(in, "domain"),
                          "%sdomain \"%s\" is neither the domain of all mail from \"%s\" nor above "
                          "it: its signature would count for nothing in DMARC",
                          in->where, sign->domain, sign->from);
}

static void check_pairs(struct draft *draft, const struct draft_section *in)
{
    const struct config_sign *sign = in->base;
    unsigned count = 0;

    for (const struct draft_section *other = NULL;
         (other = draft_next(draft, "sign", other)) != in;) {
        const struct config_sign *earlier = other->base;
        if (earlier->from == NULL || !str_eq(sign->from, earlier->from))
            continue;
        count++;
        if (earlier->selector != NULL && str_eq(sign->selector, earlier->selector))
            config_errors_add(draft->errors, draft_line(in, "selector"),
                              "%sfrom \"%s\" has the selector \"%s\" already, in line %u",
                              in->where, sign->from, sign->selector, other->item->line);
    }
    if (count == CONFIG_SIGNATURES_MAX)
        config_errors_add(draft->errors, draft_line(in, "from"),
                          "%sfrom \"%s\" has %d keys already: more signatures than that are looked "
                          "at by few",
                          in->where, sign->from, CONFIG_SIGNATURES_MAX);
}

static void check_owner(struct draft *draft, const struct draft_section *in)
{
    const struct syntax_item *item = draft_given(in, "key_file");
    struct error error;

    if (draft->config->user == NULL || item == NULL || item->value_count != 1)
        return;
    if (secret_check_owner(item->values[0].text, draft->config->user, &error) != 0)
        config_errors_add(draft->errors, item->values[0].line, "%skey_file: %s", in->where,
                          error.text);
}

void rules_check_signs(struct draft *draft)
{
    static const char *const options[] = {"from", "domain", "selector", "key_file", NULL};
    static const char *const top[] = {"domains", NULL};

    for (const struct draft_section *in = NULL; (in = draft_next(draft, "sign", in)) != NULL;) {
        struct config_sign *sign = in->base;

        sign->line = in->item->line;
        if (draft->config->milter.preset == MILTER_PRESET_VERIFY_ONLY)
            config_errors_add(draft->errors, in->item->line,
                              "%ssigns mail, which preset \"verify_only\" of the milter rules out; "
                              "take out one of them",
                              in->where);
        if (!draft_is_right(in, options))
            continue;
        check_owner(draft, in);
        check_pairs(draft, in);
        if (!draft_is_right(draft->sections, top))
            continue;
        check_from(draft, in);
        if (sign->domain != NULL)
            check_domain(draft, in);
    }
}
