/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#include "common/base/bug.h"
#include "common/base/str.h"
#include "common/mailauth/domain.h"
#include "tests/fuzz/fuzz.h"

/* What was made of any bytes can stand in a question, and is made of itself. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char domain[DNS_NAME_MAX], again[DNS_NAME_MAX];
    enum domain_status status = domain_normalize((const char *)bytes, len, domain);

    BUG_ON((status == DOMAIN_OK) != (*domain != 0));
    if (status != DOMAIN_OK)
        return 0;
    BUG_ON(!dns_name_is_valid(domain) || !str_is_ascii(domain));
    BUG_ON(domain_normalize(domain, strlen(domain), again) != DOMAIN_OK || !str_eq(again, domain));
    size_t count = domain_label_count(domain);
    BUG_ON(domain_last_labels(domain, count) != domain);
    BUG_ON(!str_is_domain_within(domain, domain_last_labels(domain, count / 2 + 1)));
    return 0;
}
