/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdlib.h>

#include "common/base/bug.h"
#include "common/base/endpoint.h"
#include "common/base/str.h"
#include "tests/fuzz/fuzz.h"

typedef int (*endpoint_fn)(const char *text, struct endpoint *endpoint_r, const char **reason_r);

/* As the system names the socket that is bound to it, it is the same. */
static void endpoint(endpoint_fn parse, const char *text)
{
    struct sockaddr_storage ss;
    struct endpoint read, again;
    const char *reason = NULL;

    if (parse(text, &read, &reason) < 0) {
        BUG_ON(!reason || !*reason);
        return;
    }
    BUG_ON(read.is_unix ? read.path[0] != '/' : read.addr.family == ADDR_NONE);
    socklen_t len = endpoint_to_sockaddr(&read, &ss);
    BUG_ON(endpoint_from_sockaddr((struct sockaddr *)&ss, len, &again) < 0);
    BUG_ON(!endpoint_eq(&read, &again));
}

static void network(const char *text)
{
    struct prefix read, again;
    struct addr addr;
    char out[PREFIX_TEXT_MAX];

    if (prefix_parse(text, &read) == 0) {
        BUG_ON(read.bits > addr_bits(&read.addr));
        BUG_ON(prefix_parse(prefix_format(&read, out), &again) < 0 || !prefix_eq(&read, &again));
    }
    if (addr_parse(text, &addr) == 0)
        BUG_ON(prefix_parse(text, &read) < 0 || !addr_eq(&read.addr, &addr));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text = str_take(bytes, len, 4096), out[STR_DURATION_MAX];
    uint64_t seconds, number;

    if (!text)
        return 0;
    endpoint(endpoint_parse, text);
    endpoint(endpoint_parse_milter, text);
    network(text);
    if (str_parse_duration(text, &seconds) == 0)
        BUG_ON(!*str_format_duration(seconds, out));
    if (str_parse_u64(text, 0, UINT64_MAX, &number) == 0 && str_parse_duration(text, &seconds) == 0)
        BUG_ON(seconds != number);
    free(text);
    return 0;
}
