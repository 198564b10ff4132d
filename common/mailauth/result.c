/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/result.h"

const char *auth_result_name(enum auth_result result)
{
    static const char *const names[] = {
        [AUTH_NONE] = "none",           [AUTH_NEUTRAL] = "neutral",     [AUTH_PASS] = "pass",
        [AUTH_FAIL] = "fail",           [AUTH_SOFTFAIL] = "softfail",   [AUTH_POLICY] = "policy",
        [AUTH_TEMPERROR] = "temperror", [AUTH_PERMERROR] = "permerror",
    };
    return names[result];
}
