/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#include "common/base/bug.h"
#include "common/net/dns_packet.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_PTR, DNS_TYPE_MX, DNS_TYPE_TXT,
                                     DNS_TYPE_AAAA};
    struct dns_answer answer;

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        dns_packet_parse(bytes, len, types[i], &answer);
        BUG_ON((answer.status == DNS_FOUND) != (answer.count > 0));
        BUG_ON(answer.count > DNS_RECORDS_MAX);
        for (size_t k = 0; k < answer.count; k++) {
            if (answer.records[k].name)
                BUG_ON(strlen(answer.records[k].name) >= DNS_NAME_MAX);
            if (answer.records[k].txt)
                BUG_ON(answer.records[k].txt_len > UINT16_MAX);
        }
        dns_answer_fini(&answer);
    }
    return 0;
}
