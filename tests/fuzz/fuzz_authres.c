/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/str.h"
#include "common/mailauth/authres.h"
#include "tests/fuzz/fuzz.h"

/* Whatever a field holds; and whatever is put into one must come out as the id that was put in. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *value = str_take(bytes, len, AUTHRES_MAX), *id;
    struct buf out = {0};

    if (!value)
        return 0;
    if (authres_parse_id(value, &id) == AUTHRES_OK)
        free(id);
    struct spf_request request = {.helo = value, .sender = value};
    struct spf_verdict spf = {{0}, {0}};
    struct dmarc_verdict dmarc = {.result = len % 2 ? AUTH_FAIL : AUTH_TEMPERROR};
    snprintf(dmarc.domain, sizeof(dmarc.domain), "%s", value);
    snprintf(dmarc.record_domain, sizeof(dmarc.record_domain), "%s", value);
    snprintf(dmarc.reason, sizeof(dmarc.reason), "%s", value);
    struct authres results = {.authserv_id = "mx.example.com",
                              .masked = NULL,
                              .spf = &spf,
                              .spf_request = &request,
                              .dmarc = &dmarc,
                              .comment = value};
    authres_build(&out, &results);
    BUG_ON(out.len > AUTHRES_MAX + sizeof("mx.example.com; none"));
    if (authres_parse_id(buf_str(&out), &id) != AUTHRES_OK || !str_eq(id, "mx.example.com"))
        BUG("own field is not read back: %s", buf_str(&out));
    free(id);
    buf_fini(&out);
    free(value);
    return 0;
}
