/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/mailauth/spf_record.h"
#include "tests/fuzz/fuzz.h"

/* The terms of a good record are good, whichever of them is a record's only one. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct spf_record record, alone;
    const char *reason;
    char text[sizeof("v=spf1 ") + SPF_TERM_MAX];

    if (spf_record_parse(bytes, len, &record, &reason) < 0) {
        BUG_ON(!reason || record.terms);
        return 0;
    }
    for (size_t i = 0; i < record.count; i++) {
        BUG_ON(strlen(record.terms[i].text) > SPF_TERM_MAX);
        snprintf(text, sizeof(text), "v=spf1 %s", record.terms[i].text);
        BUG_ON(spf_record_parse((const uint8_t *)text, strlen(text), &alone, &reason) < 0);
        BUG_ON(alone.count != 1 || alone.terms[0].type != record.terms[i].type);
        spf_record_fini(&alone);
    }
    spf_record_fini(&record);
    return 0;
}
