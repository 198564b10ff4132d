/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ctl/signing.h"

#include <string.h>

#include "common/base/buf.h"
#include "common/mailauth/domain.h"

int signing_name_parse(const char *domain, const char *selector, struct signing_name *name_r,
                       struct error *error_r)
{
    enum domain_status status = domain_normalize(domain, strlen(domain), name_r->domain);
    struct buf text = {0};
    char whole[DNS_NAME_MAX];

    if (status != DOMAIN_OK)
        return error_set(error_r, ERROR_CONFIG, "the domain \"%s\" is %s", domain,
                         domain_strstatus(status));
    if (strchr(name_r->domain, '.') == NULL)
        return error_set(error_r, ERROR_CONFIG, "the domain \"%s\" has no dot", domain);
    /* Not by itself: a selector may well be a number. */
    buf_printf(&text, "%s._domainkey.%s", selector, name_r->domain);
    status = domain_normalize(buf_str(&text), text.len, whole);
    buf_fini(&text);
    if (status != DOMAIN_OK || !*selector)
        return error_set(
            error_r, ERROR_CONFIG,
            "the selector \"%s\" is not letters, digits, \"-\" and \".\", as a name in "
            "DNS",
            selector);
    size_t len = strlen(whole) - strlen("._domainkey.") - strlen(name_r->domain);
    memcpy(name_r->selector, whole, len);
    name_r->selector[len] = '\0';
    return 0;
}
