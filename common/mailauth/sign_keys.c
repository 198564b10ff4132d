/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/sign_keys.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/config/errors.h"
#include "common/mailauth/domain.h"

struct sign_keys {
    const struct config *config;
    struct dkim_signkey **keys; /* of config->signs, in their order */
};

struct sign_keys *sign_keys_new(const struct config *config, struct config_errors *errors_r)
{
    struct sign_keys *keys = x_calloc(1, sizeof *keys);
    struct error error;
    bool failed = false;

    keys->config = config;
    keys->keys = x_calloc(config->sign_count + 1, sizeof keys->keys[0]);
    for (size_t i = 0; i < config->sign_count; i++) {
        keys->keys[i] = dkim_signkey_parse(config->signs[i].key, &error);
        if (keys->keys[i] != NULL)
            continue;
        failed = true;
        config_errors_add(errors_r, config->signs[i].line, "sign: key_file %s", error.text);
    }
    if (failed)
        sign_keys_free(&keys);
    return keys;
}

void sign_keys_free(struct sign_keys **keys)
{
    if (*keys == NULL)
        return;
    for (size_t i = 0; i < (*keys)->config->sign_count; i++)
        dkim_signkey_free(&(*keys)->keys[i]);
    free((*keys)->keys);
    free(*keys);
    *keys = NULL;
}

int sign_keys_check(const struct config *config, struct config_errors *errors_r)
{
    struct sign_keys *keys = sign_keys_new(config, errors_r);
    int rc = keys == NULL ? -1 : 0;

    sign_keys_free(&keys);
    return rc;
}

/* How exactly from says domain: 0 not at all, 1 for "*", more for each label. */
static size_t fit(const char *from, const char *domain)
{
    if (str_eq(from, "*"))
        return 1;
    if (!str_has_prefix(from, "*."))
        return str_eq(from, domain) ? SIZE_MAX : 0;
    return str_is_domain_within(domain, from + 2) && !str_eq(domain, from + 2)
               ? 1 + domain_label_count(from + 2)
               : 0;
}

static bool is_ours(const struct config_strings *domains, const char *domain)
{
    for (size_t i = 0; i < domains->count; i++)
        if (str_is_domain_within(domain, domains->items[i]))
            return true;
    return false;
}

size_t sign_keys_choose(const struct sign_keys *keys, const struct author *author,
                        struct dkim_signing signings_r[CONFIG_SIGNATURES_MAX])
{
    const struct config *config = keys->config;
    const char *domain = author->domains[0];
    size_t best = 1, count = 0;

    if (author->status != AUTHOR_OK || author->count != 1 || !is_ours(&config->domains, domain))
        return 0;
    for (size_t i = 0; i < config->sign_count; i++) {
        const struct config_sign *sign = &config->signs[i];
        size_t fits = fit(sign->from, domain);
        if (fits < best)
            continue;
        count = fits > best ? 0 : count;
        best = fits;
        if (count < CONFIG_SIGNATURES_MAX)
            signings_r[count++] = (struct dkim_signing){
                sign->domain == NULL ? domain : sign->domain, sign->selector, keys->keys[i]};
    }
    return count;
}
