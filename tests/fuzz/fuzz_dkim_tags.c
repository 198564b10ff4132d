/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#include "common/base/bug.h"
#include "common/mailauth/dkim_key.h"
#include "common/mailauth/dkim_signature.h"
#include "common/mailauth/domain.h"
#include "tests/fuzz/fuzz.h"

/* The value of a DKIM-Signature field, and a key record. */

static void read_signature(const uint8_t *bytes, size_t len)
{
    struct dkim_signature signature;
    enum dkim_signature_status status = dkim_signature_parse((const char *)bytes, len, &signature);

    BUG_ON(!dkim_signature_strstatus(status));
    if (status != DKIM_SIGNATURE_OK)
        return;
    BUG_ON(!signature.domain[0] || !signature.selector[0] || !signature.start[0]);
    BUG_ON(!signature.names_len || signature.names < (const char *)bytes ||
           signature.names + signature.names_len > (const char *)bytes + len);
}

static void read_key(const uint8_t *bytes, size_t len)
{
    struct dkim_key key;
    enum dkim_key_status status = dkim_key_parse(bytes, len, &key);

    BUG_ON(!dkim_key_strstatus(status));
    if (status != DKIM_KEY_OK)
        return;
    BUG_ON(!key.p[0] || strlen(key.p) % 4 || strpbrk(key.p, " ;\t\r\n"));
    BUG_ON(key.is_ed25519 ? key.bits != 0
                          : key.bits < DKIM_KEY_BITS_MIN || key.bits > DKIM_KEY_BITS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    read_signature(bytes, len);
    read_key(bytes, len);
    return 0;
}
