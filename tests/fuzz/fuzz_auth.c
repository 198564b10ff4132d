/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/bug.h"
#include "common/base/str.h"
#include "policyd/auth.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct auth_request request;

    if (len > 65536)
        return 0;
    enum auth_status status = auth_parse(bytes, len, &request);
    BUG_ON(!*auth_strstatus(status));
    if (status != AUTH_OK) {
        BUG_ON(request.document != NULL);
        return 0;
    }
    BUG_ON(!str_is_utf8(request.login) || !str_is_utf8(request.remote));
    BUG_ON(auth_is_failure(&request) && (request.success || request.policy_reject));
    auth_request_fini(&request);
    return 0;
}
