/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/wire/netstring.h"

#include "common/base/bug.h"

enum netstring_status netstring_parse(const uint8_t *bytes, size_t len, size_t max,
                                      const uint8_t **payload_r, size_t *payload_len_r,
                                      size_t *consumed_r)
{
    size_t at = 0, want = 0;

    BUG_ON(max > SIZE_MAX / 16);
    for (; at < len && bytes[at] != ':'; at++) {
        if (bytes[at] < '0' || bytes[at] > '9' || (at == 1 && bytes[0] == '0'))
            return NETSTRING_BAD_LEN;
        /* want <= max < SIZE_MAX / 10 before, so this cannot wrap */
        want = want * 10 + (size_t)(bytes[at] - '0');
        if (want > max)
            return NETSTRING_TOO_LONG;
    }
    if (at == len)
        return NETSTRING_MORE;
    if (at == 0)
        return NETSTRING_BAD_LEN;
    size_t left = len - at - 1;
    if (left <= want)
        return NETSTRING_MORE;
    if (bytes[at + 1 + want] != ',')
        return NETSTRING_BAD_END;
    *payload_r = bytes + at + 1;
    *payload_len_r = want;
    *consumed_r = at + 1 + want + 1;
    return NETSTRING_OK;
}

const char *netstring_strstatus(enum netstring_status status)
{
    static const char *const words[] = {
        [NETSTRING_OK] = "complete",
        [NETSTRING_MORE] = "incomplete",
        [NETSTRING_BAD_LEN] = "length that is not a number",
        [NETSTRING_TOO_LONG] = "too long",
        [NETSTRING_BAD_END] = "missing comma",
    };
    return words[status];
}

void netstring_put(struct buf *out, const void *payload, size_t len)
{
    buf_printf(out, "%zu:", len);
    buf_put(out, payload, len);
    buf_putc(out, ',');
}
