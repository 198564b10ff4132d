/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tests/fuzz/fuzz.h"
#include "tests/unit/pp_laws.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    pp_laws_check(bytes, len);
    return 0;
}
