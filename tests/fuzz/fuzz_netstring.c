/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#include "common/base/bug.h"
#include "common/wire/netstring.h"
#include "tests/fuzz/fuzz.h"

#define PAYLOAD_MAX 1000

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const uint8_t *payload = NULL;
    size_t payload_len = 0, consumed = 0;
    enum netstring_status status =
        netstring_parse(bytes, len, PAYLOAD_MAX, &payload, &payload_len, &consumed);

    BUG_ON(!netstring_strstatus(status));
    if (status == NETSTRING_OK) {
        struct buf out = {0};
        BUG_ON(payload_len > PAYLOAD_MAX || consumed > len);
        netstring_put(&out, payload, payload_len);
        BUG_ON(out.len != consumed || memcmp(out.data, bytes, consumed) != 0);
        buf_fini(&out);
        len = consumed;
    }
    if (len && (status == NETSTRING_OK || status == NETSTRING_MORE))
        BUG_ON(netstring_parse(bytes, len - 1, PAYLOAD_MAX, &payload, &payload_len, &consumed) !=
               NETSTRING_MORE);
    return 0;
}
